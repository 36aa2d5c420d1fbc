"""Executables kept for programs of the same text: networks built alike share one compilation."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Any

import jax

# How many are kept; the one unused for longest goes first.
KEPT = 128

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
        return lowered.compile()
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
    made = lowered.compile()
    with _guard:
        _kept[key] = made
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    return made
