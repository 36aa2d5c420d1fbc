"""Losses of outputs that are quantities: squared and absolute errors, and the discrepancy of two samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from croton import tensor as T
from croton.graph.core import Variable
from croton.nets.losses.base import Loss, not_zero


class MeanSquaredError(Loss):
    """The mean of (y - t)² over all elements; weighted, Σ w (y - t)² / Σ w. As theanets.losses.MeanSquaredError."""

    __extra_registration_keys__ = ("mse",)

    def __call__(self, outputs: Mapping[str, Variable]) -> Any:
        output = self._output(outputs)
        return self._average(T.sqr(output - self._goal(output)))


class MeanAbsoluteError(Loss):
    """The mean of |y - t| over all elements; weighted, Σ w |y - t| / Σ w. As theanets.losses.MeanAbsoluteError."""

    __extra_registration_keys__ = ("mae",)

    def __call__(self, outputs: Mapping[str, Variable]) -> Any:
        output = self._output(outputs)
        return self._average(abs(output - self._goal(output)))


class MaximumMeanDiscrepancy(Loss):
    """mean K(t, t') - 2 mean K(t, y) + mean K(y, y') over all pairs in the batch (Gretton et al. 2007). Alias ``mmd``.

    ``kernel``: the width s of exp(-|a - b|² / s), or a function from two arrays of rows, (n, ..., size), to
    the values of all pairs, (n, n, ...); a function cannot be saved. Weights are of the target's shape: a row's weight
    is the mean of its own, a pair's the product of its rows'. Memory grows with the square of the batch. As
    theanets.losses.MaximumMeanDiscrepancy, which ignored weights.
    """

    __extra_registration_keys__ = ("mmd",)
    options = ("kernel",)

    def __init__(self, kernel: float | Callable[[Any, Any], Any] = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not callable(kernel) and (not isinstance(kernel, int | float | np.number) or not kernel > 0):
            raise TypeError(
                f"loss 'mmd': kernel={kernel!r}: pass the kernel's width, above 0, or a function of two arrays"
            )
        self.kernel = kernel if callable(kernel) else float(kernel)

    def _pairs(self, a: Any, b: Any) -> Any:
        if callable(self.kernel):
            return self.kernel(a, b)
        gap = a.dimshuffle(0, "x", *range(1, a.ndim)) - b
        return T.exp(T.sum(T.sqr(gap), axis=-1) / -self.kernel)

    def _pair_average(self, values: Any) -> Any:
        if self._weights is None:
            return T.mean(values)
        row = T.mean(self._share(), axis=-1)
        pair = row.dimshuffle(0, "x", *range(1, row.ndim)) * row
        return T.sum(pair * values) / not_zero(T.sum(pair))

    def __call__(self, outputs: Mapping[str, Variable]) -> Any:
        y = self._output(outputs)
        t = self._goal(y)
        return sum(c * self._pair_average(self._pairs(a, b)) for c, a, b in ((1, t, t), (-2, t, y), (1, y, y)))
