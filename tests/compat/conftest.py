"""Running old programs, and data for them."""

import gzip
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

PROGRAMS = Path(__file__).parent / "programs"

# The programs import theano, which only `croton run` gives them.
collect_ignore_glob = ["programs/*"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a program of ``programs/``, or a text as one, with ``croton run``, in a folder of its own."""

    def run_program(
        program: str, *arguments: object, options: tuple[str, ...] = (), **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        if "\n" in program:
            path = tmp_path / "program.py"
            path.write_text(program)
        else:
            path = PROGRAMS / program
        clean = {name: value for name, value in os.environ.items() if not name.startswith("THEANO")}
        return subprocess.run(
            [sys.executable, "-m", "croton.cli", "run", *options, str(path), *map(str, arguments)],
            env={**clean, "HOME": str(tmp_path), "THEANORC": os.devnull, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run_program


def _images(rng: np.random.RandomState, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten noisy patterns of 8 by 8, a column or a row bright in each, and which pattern each one is."""
    labels = rng.randint(10, size=n)
    images = rng.uniform(0, 0.6, size=(n, 8, 8))
    for image, label in zip(images, labels, strict=True):
        image[:, label - 2] += 0.25 * (label < 5)
        image[label - 2, :] += 0.25 * (label >= 5)
    return images.reshape(n, 64).astype("float32"), labels


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file of the form of mnist.pkl.gz: training, validation and test pairs."""
    rng = np.random.RandomState(7)
    path = tmp_path_factory.mktemp("data") / "mnist.pkl.gz"
    with gzip.open(path, "wb") as file:
        pickle.dump(tuple(_images(rng, n) for n in (600, 200, 200)), file, protocol=2)
    return path
