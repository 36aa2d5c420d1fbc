"""What all tests share: hypothesis without deadlines (compiling takes as long as it takes), and the real MNIST."""

import importlib
import os
from pathlib import Path

import hypothesis
import pytest

# Recurrent nets divide large enough minibatches over two devices, whatever cores there are.
os.environ.setdefault("CROTON_CPU_DEVICES", "2")

hypothesis.settings.register_profile(
    "croton",
    deadline=None,
    max_examples=25,
    print_blob=True,
    derandomize="CI" in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("croton")


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """A folder with MNIST's files: the one named by CROTON_MNIST, or the user's cache if it is filled."""
    mnist = importlib.import_module("croton.datasets.mnist")
    named = os.environ.get("CROTON_MNIST")
    folder = Path(named) if named else mnist.cache_folder()
    if named and not folder.is_dir():
        pytest.fail(f"CROTON_MNIST names {folder}, which is no folder")
    if not named and not all((folder / f"{name}.gz").is_file() for name in mnist.CHECKSUMS):
        pytest.skip(f"MNIST is not in {folder}; set CROTON_MNIST to a folder that has its files")
    return folder
