"""JAX's 64-bit types, allowed for as long as a function runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import jax

T = TypeVar("T", bound=Callable[..., Any])


def wide(function: T) -> T:
    """``function``, run with JAX's 64-bit types allowed; Ctrl-C at any moment leaves JAX as it was.

    Python may raise KeyboardInterrupt within the methods of JAX's own context, which then leaves the types allowed.
    """

    @wraps(function)
    def widely(*arguments: Any, **named: Any) -> Any:
        before = jax.config.jax_enable_x64  # type: ignore[attr-defined]
        try:
            with jax.enable_x64(True):
                return function(*arguments, **named)
        except BaseException:
            if jax.config.jax_enable_x64 != before:  # type: ignore[attr-defined]
                jax.enable_x64(before).__enter__()
            raise

    return widely  # type: ignore[return-value]
