"""Libraries of C++, compiled in the background while Python goes on, once for all processes.

Nothing here imports JAX: the kernels' compilation begins before that takes its second.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import logging
import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock, Thread

from croton.cache import own_folder, processor

log = logging.getLogger("croton")

# The environment variable that says no: "0", "no", "off".
VARIABLE = "CROTON_NATIVE"
# Compiled at the same time; each includes the header.
SOURCES, HEADER = ("tiles.cc", "kernels.cc"), "kernels.h"
FLAGS = (
    *("-std=c++17", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"),
    *("-fPIC", "-w"),
    # g++ would write out loops over 16 examples (each.py) as 16 times the same, with branches, instead of in vectors.
    "--param=max-completely-peel-times=15",
)
# For this processor, where the library's name tells one processor from another.
NATIVE: tuple[str, ...] = ("-march=native",) if os.path.exists("/proc/cpuinfo") else ()
if platform.machine() in ("x86_64", "AMD64"):
    NATIVE += ("-mprefer-vector-width=512",)


def refused() -> bool:
    """Whether somebody has said that no kernels shall be used."""
    return os.environ.get(VARIABLE, "").lower() in ("0", "no", "off")


class Build:
    """A library that is being opened, or compiled first where no process has done it before.

    A process that ends sooner waits for it.
    """

    def __init__(self, name: str, sources: Sequence[str]) -> None:
        self._library: ctypes.CDLL | None = None
        self._thread = Thread(target=self._run, args=(name, sources), name="croton-kernels")
        self._thread.start()

    @property
    def pending(self) -> bool:
        """Whether it is still being made."""
        return self._thread.is_alive()

    def library(self) -> ctypes.CDLL | None:
        """The library, waited for; None where there cannot be one."""
        self._thread.join()
        return self._library

    def _run(self, name: str, sources: Sequence[str]) -> None:
        place = _place(name, sources)
        if place is None:
            log.info("there is no folder to keep croton's kernels in: XLA's are used, which are slower")
            return
        self._library = _opened(place) if _own(place) else None
        if self._library is None and _compiled(sources, place):
            self._library = _opened(place)


_builds: dict[tuple[str, ...], Build] = {}
_guard = Lock()


def build(name: str, *sources: str) -> Build:
    """The library of these sources: one build in a process."""
    with _guard:
        if (name, *sources) not in _builds:
            _builds[name, *sources] = Build(name, sources)
        return _builds[name, *sources]


@cache
def kernels() -> Build:
    """The library of ``kernels.cc``."""
    header, *sources = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in (HEADER, *SOURCES))
    return build("kernels", *[source.replace(f'#include "{HEADER}"', header) for source in sources])


def prepare() -> None:
    """Begin with the kernels, so that they are there when they are needed."""
    if not refused():
        kernels()


def _place(name: str, sources: Sequence[str]) -> Path | None:
    """Where the library of these sources is, or is to be; None where none can be kept."""
    folder = own_folder() if os.name == "posix" else None
    made_of = f"{sources} {FLAGS} {NATIVE} {version('jax')} {version('jaxlib')} {processor()}"
    digest = hashlib.sha256(made_of.encode()).hexdigest()[:16]
    return None if folder is None else folder.resolve() / f"{name}-{digest}.so"


def _own(place: Path) -> bool:
    """Whether there is a file that nobody else can have written."""
    try:
        known = place.lstat()
    except OSError:
        return False
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISREG(known.st_mode) and known.st_uid == os.getuid() and not known.st_mode & others


def _opened(place: Path) -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(place))
        os.utime(place)  # what is used stays when the folder is pruned
    except OSError as error:
        log.warning("croton's kernels in %s cannot be loaded: %s", place, error)
        return None
    return library


def compiler() -> list[str] | None:
    """The command of the C++ compiler; None where there is none."""
    said = os.environ.get("CXX", "").split()
    if said:
        return said
    found = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    return [found] if found else None


def _headers() -> Path:
    """The folder of XLA's headers, as ``jax.ffi.include_dir()`` tells it."""
    spec = importlib.util.find_spec("jaxlib")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], "include")


def _compiled(sources: Sequence[str], place: Path) -> bool:
    """Compile a library and put it there whole, or say why not."""
    command = compiler()
    if command is None:
        log.info("there is no C++ compiler to make croton's kernels with: XLA's are used, which are slower")
        return False
    made = place.with_name(f"building-{os.getpid()}-{place.name}")
    alone = len(sources) == 1  # without a step to link it, which takes longer
    parts = [made] if alone else [made.with_suffix(f".{k}.o") for k in range(len(sources))]
    options = [*FLAGS, *NATIVE, "-shared" if alone else "-c", f"-I{_headers()}", "-x", "c++", "-", "-o"]
    try:
        runs = [_begun([*command, *options, str(part)], source) for source, part in zip(sources, parts, strict=True)]
        told = "".join([_awaited(run) for run in runs])
        if not told and not alone:
            told = _awaited(_begun([*command, "-shared", *map(str, parts), "-o", str(made)]))
        if not told:
            os.replace(made, place)
            return True
    except OSError as error:
        told = str(error)
    finally:
        for file in (made, *parts):
            file.unlink(missing_ok=True)
    _warn(command[0], told.strip().split("\n")[-1])
    return False


def _begun(command: Sequence[str], given: str = "") -> subprocess.Popen[bytes]:
    """A process that reads what is given."""
    # In a session of its own: Ctrl-C is for the program that is waiting, not for the compiler.
    run = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert run.stdin is not None
    with suppress(BrokenPipeError), run.stdin:  # one that does not read tells why
        run.stdin.write(given.encode())
    return run


def _awaited(run: subprocess.Popen[bytes]) -> str:
    """What a process that failed has told; nothing of one that did not."""
    assert run.stderr is not None
    with run.stderr:
        told = run.stderr.read().decode(errors="replace")
    return "" if run.wait() == 0 else told or f"it ended with {run.returncode}"


@cache
def _warn(command: str, told: str) -> None:
    """Say once why there are no kernels."""
    log.warning(
        "%s cannot compile croton's kernels, so XLA's are used, which are slower; %s=0 ends this message: %s",
        command,
        VARIABLE,
        told,
    )
