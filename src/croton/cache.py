"""The folder in which JAX keeps what it compiled, and croton its kernels, so that a second process need not compile."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import stat
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pooch

log = logging.getLogger("croton")

# The environment variable that names another folder, or says no: "0", "no", "off" or nothing at all.
VARIABLE = "CROTON_COMPILE_CACHE"
# How many bytes may be kept: a network's programs take about 100,000.
MOST = 256 << 20


def processor() -> str:
    """What machine code made here may rely on: the machine, and the processor's features where they are told."""
    features = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as told:
            features = next((line for line in told if line.lower().startswith(("flags", "features"))), "")
    except OSError:
        log.debug("the processor's features are not told here; its name has to do")
    named = f"{platform.machine()} {platform.processor()} {features}"
    return hashlib.sha256(named.encode()).hexdigest()[:12]


def folder() -> Path | None:
    """Where to keep compiled programs: in the user's cache, by JAX's version and the processor; None if not wanted."""
    said = os.environ.get(VARIABLE)
    if said is not None:
        return None if said.lower() in ("", "0", "no", "off") else Path(said)
    return Path(pooch.os_cache("croton"), "compiled", f"jax-{version('jax')}-{processor()}")


def prune(place: Path, most: int = MOST) -> None:
    """Delete the programs kept for longest in the folders within ``place`` until all take ``most`` bytes or less."""
    kept = []
    for file in [*place.glob("jax-*/*-cache"), *place.glob("jax-*/*.so")]:
        with suppress(FileNotFoundError):  # another process prunes too
            told = file.stat()
            kept.append((told.st_mtime, told.st_size, file))
    total = sum(size for _, size, _ in kept)
    for _, size, file in sorted(kept):
        if total <= most:
            break
        file.unlink(missing_ok=True)
        total -= size


def own_folder() -> Path | None:
    """``folder()``, made if need be; None if it is not wanted, cannot be made or written, or others can write it."""
    place = folder()
    if place is None:
        return None
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = place.stat()
    except OSError as error:
        log.debug("no folder for compiled programs: %s", error)
        return None
    if hasattr(os, "getuid") and (known.st_uid != os.getuid() or known.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        log.warning("%s belongs to others or can be written by them: compiled programs are not kept there", place)
        return None
    return place if os.access(place, os.W_OK) else None


def keep_compiled() -> None:
    """Let JAX keep what it compiles, where nobody else has said whether and where.

    The folder is the user's alone, and what croton keeps there for all versions is bounded; a folder that the variable
    names is left as it is. Without a folder, programs are compiled anew in each process. JAX keeps what takes a second
    or more to compile, and reads files back with care for damaged ones.
    """
    import jax  # not before: the kernels' compilation is begun with this module

    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        return
    place = own_folder()
    if place is not None:
        if not os.environ.get(VARIABLE):
            prune(place.parent)
        jax.config.update("jax_compilation_cache_dir", str(place))
