"""Executables kept for programs of the same text: networks built alike share one compilation."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Any

import jax

# How many are kept; the one unused for longest goes first.
KEPT = 128
# XLA's CPU compiler then looks closer at what a loop still reads, and writes in place what it copied in each step.
OPTIONS = {"xla_cpu_copy_insertion_use_region_analysis": True}

_kept: OrderedDict[Any, Any] = OrderedDict()
_guard = threading.Lock()


def compiled(lowered: Any) -> Any:
    """The executable of what ``jax.jit(...).lower(...)`` gave: a kept one where the same text was compiled before.

    It must be lowered with ``keep_unused=True``: an argument dropped is one that the text is silent about, and programs
    that drop different ones would be taken for one. Then the text decides everything but the place where the program
    runs, so the default device is part of the key. A program that calls back into Python is compiled for itself.
    """
    text = lowered.as_text().encode()
    if b"callback" in text:
        # Of a function of Python's that a program calls, the text tells nothing but a number.
        return _executable(lowered)
    key = (
        hashlib.sha256(text).digest(),
        lowered.in_tree,
        lowered.out_tree,
        str(jax.config.values.get("jax_default_device")),
    )
    with _guard:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = _executable(lowered)
    with _guard:
        _kept[key] = made
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    return made


def _executable(lowered: Any) -> Any:
    if jax.default_backend() != "cpu":
        return lowered.compile()
    try:
        return lowered.compile(compiler_options=OPTIONS)
    except jax.errors.JaxRuntimeError as error:
        # It is an option of XLA's own making, which a later one may no longer have.
        if "No such compile option" not in str(error):
            raise
        return lowered.compile()
