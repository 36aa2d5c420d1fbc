"""The kernels, loaded where XLA finds them.

They are an addition: without a compiler, or with ``CROTON_NATIVE=0`` in the environment, XLA computes the same itself.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import jax

from croton.devices import current
from croton.native.build import build, kernels, refused

log = logging.getLogger("croton")

KERNELS = (
    *("croton_product", "croton_maps", "croton_images", "croton_filters"),
    *("croton_largest", "croton_shares", "croton_rows", "croton_sums", "croton_fused", "croton_scan", "croton_each"),
)

# The loops that are there, the names of those that are not there yet, by their sources; and whether one cannot be made.
_known: set[str] = set()
_awaited: dict[str, tuple[int, int]] = {}
_broken = False
_guard = threading.Lock()
_early: ContextVar[list[bool] | None] = ContextVar("_early", default=None)


def wanted() -> bool:
    """Whether what is being traced is for one CPU device, and nobody has said no."""
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    platform = jax.default_backend() if device is None else getattr(device, "platform", str(device).split(":")[0])
    return platform == "cpu" and current() is None and not refused() and not _broken


def usable() -> bool:
    """Whether what is being traced may call the kernels: they are ``wanted``, and there, or if it is ``early`` will be.

    To be asked when there is something for them to do: it waits for their compilation, which takes a second or two, if
    no process before has done it.
    """
    if not wanted():
        return False
    asked = _early.get()
    if asked is not None and kernels().pending:
        asked.append(True)
        return True
    return _load() is not None


@contextmanager
def early() -> Iterator[list[bool]]:
    """What is traced meanwhile does not wait for the kernels; if there is something in the list that this gives, it is
    to be compiled when they are ``loaded``.
    """
    asked: list[bool] = []
    token = _early.set(asked)
    try:
        yield asked
    finally:
        _early.reset(token)


def loaded() -> bool:
    """Wait for the kernels: whether they are there. If not, what was traced ``early`` is to be traced once more."""
    there = _load() is not None
    if not there:
        _awaited.clear()
    return there


def compiled_loop(source: str) -> tuple[int, int]:
    """The name by which kernels know the function ``loop`` of this source, which is compiled in the background.

    A program that calls it may run when all are ``ready``.
    """
    digest = hashlib.sha256(source.encode()).digest()
    name = int.from_bytes(digest[:4], "little", signed=True), int.from_bytes(digest[4:8], "little", signed=True)
    build("loop", source)
    with _guard:
        if source not in _known:
            _awaited[source] = name
    return name


def ready() -> bool:
    """Wait for the loops of what was traced: whether all are there. If one is not, nothing uses kernels from now on."""
    global _broken
    for source, name in list(_awaited.items()):
        loop, known = build("loop", source).library(), _load()
        with _guard:
            if loop is None or known is None:
                _broken = True
            elif source not in _known:
                known.croton_add_loop(*name, loop.loop)
                _known.add(source)
            _awaited.pop(source, None)
    return not _broken


def _load() -> ctypes.CDLL | None:
    # Waited for without the lock, which a process that is forked meanwhile would find taken.
    library = kernels().library()
    with _guard:
        return None if library is None else _registered(library)


@cache
def _registered(library: ctypes.CDLL) -> ctypes.CDLL | None:
    try:
        for name in KERNELS:
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")
    except RuntimeError as error:
        log.warning("JAX does not take croton's kernels, so XLA's are used, which are slower: %s", error)
        return None
    return library
