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
    state: Any = jax.enable_x64
    # So JAX tells what holds for this thread, if anything has been said for it alone.
    exact = hasattr(state, "get_local") and hasattr(state, "set_local")

    @wraps(function)
    def widely(*arguments: Any, **named: Any) -> Any:
        before = state.get_local() if exact else jax.config.jax_enable_x64  # type: ignore[attr-defined]
        try:
            with state(True):
                return function(*arguments, **named)
        except BaseException:
            if exact:
                state.set_local(before)
            else:
                state(before).__enter__()
            raise

    return widely  # type: ignore[return-value]
