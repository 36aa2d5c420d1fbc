"""The kernels of ``kernels.cc``: compiled once, by the compiler that the machine has, and loaded where XLA finds them.

They are an addition: without a compiler, or with ``CROTON_NATIVE=0`` in the environment, XLA computes the same itself.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
import stat
import subprocess
import threading
from functools import cache
from pathlib import Path

import jax
import jaxlib

from croton.cache import own_folder, processor
from croton.devices import current

log = logging.getLogger("croton")

# The environment variable that says no: "0", "no", "off".
VARIABLE = "CROTON_NATIVE"
SOURCE = Path(__file__).with_name("kernels.cc")
FLAGS = ("-std=c++17", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fPIC", "-shared", "-w")
# For this processor, where the library's name tells one processor from another.
NATIVE = ("-march=native",) if os.path.exists("/proc/cpuinfo") else ()
KERNELS = ("croton_product", "croton_maps", "croton_images", "croton_filters", "croton_rows", "croton_fused")
# A loop of elementwise code, around what is written for it.
LOOP = """#include <math.h>
extern "C" void loop(long n, float* const* at, const float* number) {{
#if defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif
for (long i = 0; i < n; i++) {{
{body}
}}
}}
"""

_building = threading.Lock()


def wanted() -> bool:
    """Whether what is being traced is for one CPU device, and nobody has said no."""
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    platform = jax.default_backend() if device is None else getattr(device, "platform", str(device).split(":")[0])
    return platform == "cpu" and current() is None and not _refused()


def usable() -> bool:
    """Whether what is being traced may call the kernels: they are ``wanted``, and there.

    To be asked when there is something for them to do: the first time compiles them, which takes two seconds, if no
    process before has done it.
    """
    return wanted() and _loaded()


def prepare() -> None:
    """Compile the kernels in the background if no process has done it yet, so that they are there when they are needed.

    A process that ends sooner waits for it.
    """
    if not _refused():
        threading.Thread(target=_prepared, name="croton-kernels").start()


def _prepared() -> None:
    source = SOURCE.read_text(encoding="utf-8")
    with _building:
        place = _place("kernels", source)
        if place is not None and not _own(place):
            _compiled(source, place)


def _refused() -> bool:
    return os.environ.get(VARIABLE, "").lower() in ("0", "no", "off")


def _loaded() -> bool:
    with _building:
        return _load() is not None


def compiled_loop(body: str) -> tuple[int, int] | None:
    """The name by which the kernel ``croton_fused`` knows a loop with this body; None where it cannot be made.

    Compiled once, as the kernels are.
    """
    with _building:
        return _loop(body)


@cache
def _load() -> ctypes.CDLL | None:
    library = _library("kernels", SOURCE.read_text(encoding="utf-8"))
    if library is None:
        return None
    try:
        for name in KERNELS:
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")
    except RuntimeError as error:
        log.warning("JAX does not take croton's kernels, so XLA's are used, which are slower: %s", error)
        return None
    return library


@cache
def _loop(body: str) -> tuple[int, int] | None:
    kernels, library = _load(), _library("loop", LOOP.format(body=body))
    if kernels is None or library is None:
        return None
    digest = hashlib.sha256(body.encode()).digest()
    name = int.from_bytes(digest[:4], "little", signed=True), int.from_bytes(digest[4:8], "little", signed=True)
    kernels.croton_add_loop(*name, library.loop)
    return name


def _library(name: str, source: str) -> ctypes.CDLL | None:
    """The library of this source, compiled if no process has done it before. None where there cannot be one."""
    place = _place(name, source)
    if place is None:
        log.info("there is no folder to keep croton's kernels in: XLA's are used, which are slower")
        return None
    found = _opened(place) if _own(place) else None
    if found is None and _compiled(source, place):
        found = _opened(place)
    return found


def _place(name: str, source: str) -> Path | None:
    """Where the library of this source is, or is to be; None where none can be kept."""
    folder = own_folder() if os.name == "posix" else None
    made_of = f"{source} {FLAGS} {NATIVE} {jax.__version__} {jaxlib.__version__} {processor()}"
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


def _compiler() -> list[str] | None:
    said = os.environ.get("CXX", "").split()
    if said:
        return said
    found = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    return [found] if found else None


@cache
def _compiled(source: str, place: Path) -> bool:
    """Compile a library and put it there whole, or say why not."""
    compiler = _compiler()
    if compiler is None:
        log.info("there is no C++ compiler to make croton's kernels with: XLA's are used, which are slower")
        return False
    made = place.with_name(f"building-{os.getpid()}-{place.name}")
    command = [*compiler, *FLAGS, *NATIVE, f"-I{jax.ffi.include_dir()}", "-x", "c++", "-", "-o", str(made)]
    try:
        # In a session of its own: Ctrl-C is for the program that is waiting, not for the compiler.
        run = subprocess.run(command, input=source.encode(), capture_output=True, start_new_session=True)
        if run.returncode == 0:
            os.replace(made, place)
            return True
        told = run.stderr.decode(errors="replace").strip().split("\n")[-1]
    except OSError as error:
        told = str(error)
    finally:
        made.unlink(missing_ok=True)
    log.warning(
        "%s cannot compile croton's kernels, so XLA's are used, which are slower; %s=0 ends this message: %s",
        compiler[0],
        VARIABLE,
        told,
    )
    return False
