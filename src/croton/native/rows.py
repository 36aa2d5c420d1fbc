"""Whole rows of an array, copied by croton's kernel as memory can, where XLA copies number by number."""

from __future__ import annotations

from math import prod
from typing import Any

import jax

from croton.native.library import usable

# Rows of fewer numbers are left to XLA, and numbers that have not 4 bytes.
WIDE = 64


def copied(array: Any) -> bool:
    """Whether the kernel copies the rows of this array."""
    return array.dtype.itemsize == 4 and prod(array.shape[1:]) >= WIDE and usable()


def taken(array: Any, which: Any) -> Any:
    """The rows of an array that have these numbers, which are cut off at its ends; only where they are ``copied``."""
    kind = jax.ShapeDtypeStruct((*which.shape, *array.shape[1:]), array.dtype)
    return jax.ffi.ffi_call("croton_rows", kind)(array, which.astype("int32"))
