"""The environments of the peers, in ``.peers/``: made once, looked at in milliseconds afterwards.

Run ``python -m benchmarks.peers`` to make them and see which could be made.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".peers"


class PeerMissing(Exception):
    """The environment of a peer cannot be made; the message says why."""


@dataclass(frozen=True)
class Peer:
    """A peer's environment: the Pythons it can have, best first, what pip installs, the libraries that must link."""

    pythons: tuple[str, ...]
    requirements: tuple[str, ...]
    links: tuple[str, ...] = ()


PEER = {
    "torch": Peer(("3.11", "3.12", "3.13"), ("torch==2.13.0", "numpy")),
    "pytensor": Peer(("3.11", "3.12", "3.13"), ("pytensor",), ("openblas",)),
    "theano": Peer(
        ("3.7",), ("numpy<1.17", "scipy<1.4", "Theano==1.0.5", "theanets==0.7.3", "downhill==0.4.0"), ("openblas",)
    ),
    "keras": Peer(("3.11", "3.12", "3.13"), ("keras>=3", "jax", "numpy")),
}


@functools.cache
def python_of(name: str) -> Path:
    """Return the Python of the environment ``name``, made now if it is not there; raise `PeerMissing` if it cannot be.

    ``"croton"`` is the environment in which this runs.
    """
    if name == "croton":
        return Path(sys.executable)
    peer = PEER[name]
    for library in peer.links:
        _check_link(library)
    folder = PEERS / name
    python, stamp = folder / "bin" / "python", folder / "made-of"
    wanted = hashlib.sha256(repr(peer).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and python.exists():
        return python
    base = find_python(peer.pythons)
    shutil.rmtree(folder, ignore_errors=True)
    print(f"making {folder.relative_to(ROOT)}", flush=True)
    _run([base, "-m", "venv", folder], f"making the environment of {name}")
    _run([python, "-m", "pip", "install", "--quiet", *peer.requirements], f"installing {name}")
    stamp.write_text(wanted)
    return python


def find_python(versions: tuple[str, ...]) -> str:
    """Return a Python of the first of ``versions`` that runs here: this one, one on the path, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for version in versions:
        installed = sorted((pyenv / "versions").glob(f"{version}*/bin/python"), reverse=True)
        for candidate in [sys.executable, shutil.which(f"python{version}"), *map(str, installed)]:
            if candidate and _version(candidate) == version:
                return candidate
    raise PeerMissing(f"no Python {' or '.join(versions)} on the path or among pyenv's")


def _version(python: str) -> str | None:
    command = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


@functools.cache
def _check_link(library: str) -> None:
    if shutil.which("g++") is None:
        raise PeerMissing("no g++ on the path")
    command = ["g++", "-shared", "-x", "c++", os.devnull, "-o", os.devnull, f"-l{library}"]
    if subprocess.run(command, capture_output=True).returncode:
        raise PeerMissing(f"g++ finds no lib{library} (on Debian: apt-get install lib{library}-dev)")


def _run(command: list[str | Path], task: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        said = done.stdout.strip().splitlines() or ["no output"]
        why = next((line for line in said if line.startswith("ERROR")), said[-1])
        raise PeerMissing(f"{task} failed: {why}")


def main() -> None:
    """Make every environment, and print which are there."""
    for name in PEER:
        try:
            print(f"{name}: {python_of(name)}")
        except PeerMissing as missing:
            print(f"{name}: missing: {missing}")


if __name__ == "__main__":
    main()
