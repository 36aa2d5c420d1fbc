"""The kernels' library: compiled once, used where it can be, and not missed where it cannot."""

import os
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from croton import nets
from croton.native import build, library
from croton.native.fuse import fused
from croton.nets.training import engine
from croton.nets.training.data import pick

compiler = pytest.mark.skipif(build.compiler() is None, reason="there is no C++ compiler to make the kernels with")

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


# The first trace ends: the compiler may fail.
NOTED = """
lowered = engine.Steps._lowered
def noted(*arguments):
    made = lowered(*arguments)
    assert library.kernels().pending or open({path!r}).close() is None
    open({path!r}, "w").close()
    return made
engine.Steps._lowered = noted
"""


def trained(folder, program=PROGRAM, **environment):
    """Whether a new process has the kernels, a sum of the parameters that it trained, and what it logged."""
    known = {**os.environ, "CROTON_COMPILE_CACHE": str(folder), **environment}
    run = subprocess.run([sys.executable, "-c", program], env=known, capture_output=True, text=True, check=True)
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


@compiler
def test_the_first_import_compiles_the_kernels(tmp_path):
    known = {**os.environ, "CROTON_COMPILE_CACHE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", "import croton"], env=known, check=True)
    assert len(list(tmp_path.glob("kernels-*.so"))) == 1
    (tmp_path / "none").mkdir(mode=0o700)
    known.update(CROTON_COMPILE_CACHE=str(tmp_path / "none"), CROTON_NATIVE="0")
    subprocess.run([sys.executable, "-c", "import croton"], env=known, check=True)
    assert not list((tmp_path / "none").glob("*.so"))


def test_without_a_compiler(tmp_path, plain):
    there, total, told = trained(tmp_path, PATH="/nonexistent", CXX="")
    assert (there, total) == (False, plain)
    assert "there is no C++ compiler" in told


def test_with_a_compiler_that_fails(tmp_path, plain):
    there, total, told = trained(tmp_path, CXX=shutil.which("false") or "false")
    assert (there, total) == (False, plain)
    assert told.count("cannot compile croton's kernels") == 1
    assert not list(tmp_path.glob("building-*"))


def test_with_a_compiler_that_fails_when_the_program_is_traced(tmp_path, plain):
    mine = tmp_path / "c++"
    mine.write_text(f'#!/bin/sh\nwhile [ ! -e "{tmp_path}/traced" ]; do sleep 0.1; done\nexit 1\n')
    mine.chmod(0o700)
    before = "from croton.native import library\n"
    assert before in PROGRAM
    noted = f"{before}from croton.nets.training import engine\n{NOTED.format(path=str(tmp_path / 'traced'))}"
    there, total, told = trained(tmp_path, PROGRAM.replace(before, noted), CXX=str(mine))
    assert (there, total) == (False, plain)
    assert told.count("cannot compile croton's kernels") == 1


@compiler
def test_with_a_compiler_that_fails_later(tmp_path, plain):
    """The kernels are there, and a loop cannot be made: the program is made once more, for XLA alone."""
    mine = tmp_path / "c++"
    real = " ".join(build.compiler())
    mine.write_text(
        f'#!/bin/sh\nsource="{tmp_path}/source-$$"\ncat > "$source"\n'
        'case "$*" in *" - "*) grep -q "namespace croton" "$source" || exit 1;; esac\n'
        f'{real} "$@" < "$source"\n'
    )
    mine.chmod(0o700)
    there, total, told = trained(tmp_path, CXX=str(mine))
    assert (there, total) == (False, plain)
    assert told.count("cannot compile croton's kernels") == 1
    assert not list(tmp_path.glob("building-*"))
    assert {p.name.split("-")[0] for p in tmp_path.glob("*.so")} == {"kernels"}


@compiler
def test_a_damaged_library_is_made_anew(tmp_path):
    expected = trained(tmp_path)[:2]
    (kernels,) = tmp_path.glob("kernels-*.so")
    whole = kernels.read_bytes()
    kernels.write_bytes(b"nothing that can be loaded")
    there, total, told = trained(tmp_path)
    assert (there, total) == expected
    assert "cannot be loaded" in told
    assert len(kernels.read_bytes()) == len(whole)


@compiler
def test_what_others_could_have_written_is_made_anew(tmp_path):
    trained(tmp_path)
    (kernels,) = tmp_path.glob("kernels-*.so")
    kernels.write_bytes(b"something bad")
    kernels.chmod(0o666)
    there, _, told = trained(tmp_path)
    assert there
    assert "cannot be loaded" not in told


def test_where_nothing_may_be_kept(plain, tmp_path):
    there, total, told = trained("no")
    assert (there, total) == (False, plain)
    assert "no folder to keep" in told


@compiler
def test_an_interrupt_while_kernels_are_awaited_is_not_remembered(monkeypatch):
    """The next training traces its program once more, and waits for the kernels."""
    waited = []

    def loaded():
        waited.append(True)
        if len(waited) == 1:
            raise KeyboardInterrupt
        return library._load() is not None

    monkeypatch.setattr(engine, "loaded", loaded)
    monkeypatch.setattr(build.Build, "pending", property(lambda one: len(waited) < 2))
    rng = np.random.RandomState(0)
    x, y = rng.rand(128, 101).astype("float32"), rng.randint(0, 2, 128)
    net = nets.Classifier([101, 81, 2], rng=1)
    net.train([x, y], algo="rmsprop", batch_size=64, max_updates=1, progress=False)
    net.train([x, y], algo="rmsprop", batch_size=64, max_updates=1, progress=False)
    assert len(waited) >= 2


@compiler
def test_loops_are_compiled_once_for_all_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("CROTON_COMPILE_CACHE", str(tmp_path))
    x = np.ones(5000, "float32")
    for rate in (0.5, 0.25):
        step = jax.jit(lambda s, rate=rate: fused(lambda t: (t[0] - rate * t[1] + 3.0, t[1] * t[0] + rate), s))
        lowered = step.lower((x, 2 * x))
        assert library.ready()
        one, other = lowered.compile()((x, 2 * x))
        np.testing.assert_allclose((one[0], other[0]), (1 - 2 * rate + 3, 2 + rate), rtol=1e-6)
    assert len(list(tmp_path.glob("loop-*.so"))) == 1


@compiler
def test_rows_are_picked_as_by_xla():
    x = np.arange(10 * 70, dtype="float32").reshape(10, 70)
    rows = np.array([3, 0, 9, 9, 12, -1], "int32")
    lowered = jax.jit(lambda x, rows: pick(x, rows, 0)).lower(x, rows)
    assert "croton_rows" in lowered.as_text()
    np.testing.assert_array_equal(lowered.compile()(x, rows), x[[3, 0, 9, 9, 9, 0]])
