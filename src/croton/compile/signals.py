"""What passes between a program and the call that runs it, besides results: values that tracing lacks, what is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np


class NeedsValue(Exception):
    """A value was needed on the host that only the running program knows."""


# Errors met in telling, to be raised when the program has run.
_errors: list[BaseException] = []


def tell(action: Callable[[np.ndarray], None], value: Any) -> None:
    """Call ``action`` with ``value`` as an array; an error is kept for `hear`, as XLA would make another of it."""
    try:
        action(np.asarray(value))
    except BaseException as error:
        keep(error)


def keep(error: BaseException) -> None:
    """Keep an error that Python code met while a program called it, for `hear` to raise."""
    _errors.append(error)


def hear(results: Any = None) -> None:
    """Wait until a program has its ``results`` and has told all it has to tell; raise the first error met in that."""
    jax.block_until_ready(results)
    jax.effects_barrier()
    if _errors:
        error = _errors[0]
        _errors.clear()
        raise error
