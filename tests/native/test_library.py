"""The kernels' library: compiled once, used where it can be, and not missed where it cannot."""

import os
import shutil
import subprocess
import sys

import pytest

from croton.native import library

compiler = pytest.mark.skipif(not library.usable(), reason="there is no C++ compiler to make the kernels with")

PROGRAM = """
import logging, sys
import numpy as np
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
from croton import nets
from croton.native import library
x = np.random.RandomState(0).rand(128, 100).astype("float32")
y = (x.sum(1) > 50).astype("int32")
net = nets.Classifier([100, 80, 2], rng=1)
net.train([x, y], algo="rmsprop", batch_size=64, train_batches=4, max_updates=8)
print(library.usable(), float(np.abs(net.params[0].get_value()).sum()))
"""


def trained(folder, **environment):
    """Whether a new process has the kernels, a sum of the parameters that it trained, and what it logged."""
    known = {**os.environ, "CROTON_COMPILE_CACHE": str(folder), **environment}
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=known, capture_output=True, text=True, check=True)
    there, total = run.stdout.splitlines()[-1].split()
    return there == "True", float(total), run.stderr


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The sum of the parameters without kernels."""
    there, total, _ = trained(tmp_path_factory.mktemp("plain"), CROTON_NATIVE="0")
    assert not there
    return total


@compiler
def test_compiled_once(tmp_path, plain):
    there, total, _ = trained(tmp_path)
    assert there
    assert total == pytest.approx(plain, rel=1e-5)
    made = sorted(tmp_path.glob("*.so"))
    assert {p.name.split("-")[0] for p in made} == {"kernels", "loop"}
    # A second process compiles nothing: it could not.
    again = trained(tmp_path, CXX="false")
    assert again[:2] == (True, total)
    assert sorted(tmp_path.glob("*.so")) == made
    assert not list(tmp_path.glob("building-*"))


def test_without_a_compiler(tmp_path, plain):
    there, total, told = trained(tmp_path, PATH="/nonexistent", CXX="")
    assert (there, total) == (False, plain)
    assert "there is no C++ compiler" in told


def test_with_a_compiler_that_fails(tmp_path, plain):
    there, total, told = trained(tmp_path, CXX=shutil.which("false") or "false")
    assert (there, total) == (False, plain)
    assert told.count("cannot compile croton's kernels") == 1
    assert not list(tmp_path.glob("building-*"))


@compiler
def test_with_a_damaged_library(tmp_path, plain):
    trained(tmp_path)
    (kernels,) = tmp_path.glob("kernels-*.so")
    kernels.write_bytes(b"nothing that can be loaded")
    there, total, told = trained(tmp_path)
    assert (there, total) == (False, plain)
    assert "cannot be loaded" in told


def test_where_nothing_may_be_kept(plain, tmp_path):
    there, total, told = trained("no")
    assert (there, total) == (False, plain)
    assert "no folder to keep" in told


def test_loops_are_compiled_once_for_all_numbers(tmp_path):
    body = "const float y0 = at[0][i] * number[0];\nat[1][i] = y0;"
    if library.usable():
        assert library.compiled_loop(body) == library.compiled_loop(body)
        assert library.compiled_loop(body) != library.compiled_loop(body + " ")
