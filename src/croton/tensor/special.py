"""Softmax over any axis, keeping the shape."""

from __future__ import annotations

from typing import Any

from croton.tensor.nnet.softmax import special_softmax
from croton.tensor.variable import TensorVariable


def softmax(x: Any, axis: int | None = -1) -> TensorVariable:
    """exp(x) over its sum along ``axis`` (of all elements if None), of the shape of ``x``.

    >>> import croton.tensor as T
    >>> T.special.softmax(T.constant([0., 0.])).eval()
    array([0.5, 0.5])
    """
    return special_softmax(x, axis)


def log_softmax(x: Any, axis: int | None = -1) -> TensorVariable:
    """The logarithm of ``softmax``, accurate for large inputs.

    >>> import croton.tensor as T
    >>> T.special.log_softmax(T.constant([0., 1e4])).eval()
    array([-10000.,      0.])
    """
    return special_softmax(x, axis, log=True)


__all__ = ["log_softmax", "softmax"]
