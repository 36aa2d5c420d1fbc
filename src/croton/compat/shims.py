"""Small functions of the old system that croton itself has no use for."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray


def _asarray(a: Any, dtype: DTypeLike, order: Literal["K", "A", "C", "F"] | None = None) -> NDArray[Any]:
    """``a`` as an array of ``dtype``, which may be the name ``'floatX'``.

    >>> _asarray([1, 2], 'float32')
    array([1., 2.], dtype=float32)
    """
    if isinstance(dtype, str) and dtype == "floatX":
        from croton.settings import config

        dtype = config.floatX
    return np.asarray(a, dtype=dtype, order=order)
