"""Bilinear upsampling of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable
from croton.tensor.shape import kind, static_value
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable

Ratio = tuple[int, int]


@dataclass(frozen=True)
class BilinearUpsampling(TensorOp):
    """Images with rows and columns more by a factor, a fraction (p, q) for each of the two; see
    :func:`bilinear_upsampling`.
    """

    ratios: tuple[Ratio, Ratio]
    batch_size: int | None = None
    channels: int | None = None

    def _check(self, shape: Sequence[int | None]) -> None:
        claims = (("batch_size", self.batch_size), ("num_input_channels", self.channels))
        for (what, claim), n in zip(claims, shape, strict=False):
            if None not in (claim, n) and claim != n:
                raise ValueError(f"bilinear_upsampling: {what} is {claim}, but the input has shape {tuple(shape)}")
        if 0 in shape[2:]:
            raise ValueError(f"bilinear_upsampling: there is nothing to enlarge in an input of shape {tuple(shape)}")

    def output_types(self, x: Variable) -> Sequence[Type]:
        shape = kind(x).shape
        self._check(shape)
        longer = [None if n is None else -(-n * p // q) for n, (p, q) in zip(shape[2:], self.ratios, strict=True)]
        first = [
            n if claim is None else claim for n, claim in zip(shape, (self.batch_size, self.channels), strict=False)
        ]
        return [TensorType(kind(x).dtype, shape=(*first, *longer))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x = jnp.asarray(values[0])
        self._check(x.shape)
        for axis, ratio in zip((2, 3), self.ratios, strict=True):
            x = _longer(x, axis, *ratio)
        return x


def _longer(x: Any, axis: int, p: int, q: int) -> Any:
    """``x`` interpolated along an axis at the places ``(m q - (p - 1) // 2) / p``, m = 0, 1 ..., its ends repeated."""
    n = x.shape[axis]
    x = jnp.moveaxis(x, axis, -1)
    ends = [(0, 0)] * (x.ndim - 1) + [(1, 1)]
    x = jnp.pad(x, ends, mode="edge")
    phases = []
    for j in range(p):
        place = j - (p - 1) // 2
        low, part = (0, (place + p) / p) if place < 0 else (1, place / p)
        phases.append(
            x[..., low : low + n] * (1 - part) + x[..., low + 1 : low + 1 + n] * part if part else x[..., low : low + n]
        )
    joined = jnp.stack(phases, -1).reshape(*x.shape[:-1], n * p)
    return jnp.moveaxis(joined[..., ::q], -1, axis)


def bilinear_upsampling(
    input: Any,
    ratio: Any = None,
    frac_ratio: Any = None,
    batch_size: int | None = None,
    num_input_channels: int | None = None,
    use_1D_kernel: bool = True,
) -> TensorVariable:
    """Images (batch, channels, rows, columns) with ``ratio`` times the rows and columns, by linear interpolation along
    both, the rows and columns at the ends repeated.

    With ratio r, element m of the result stands at ``(m - (r - 1) // 2) / r`` of the input. ``frac_ratio``: a ratio
    p / q as a pair (p, q), or one such pair for rows and one for columns; length n becomes n p / q, rounded up, and
    element m stands at ``(m q - (p - 1) // 2) / p`` (with the fraction reduced). ``batch_size`` and
    ``num_input_channels`` tell lengths before data is there. ``use_1D_kernel`` made the original interpolate along one
    axis after the other, which is done in any case. Raises ValueError for a ratio that is none, TypeError for an input
    that is no batch of floating images. As theano.tensor.nnet.abstract_conv.bilinear_upsampling.

    >>> import numpy as np
    >>> bilinear_upsampling(np.array([[[[0., 1.]]]]), 2).eval()
    array([[[[0. , 0.5, 1. , 1. ],
             [0. , 0.5, 1. , 1. ]]]])
    """
    if (ratio is None) == (frac_ratio is None):
        raise ValueError("bilinear_upsampling: give either ratio or frac_ratio")
    x = as_tensor_variable(input)
    if x.ndim != 4 or not x.dtype.startswith("float"):
        raise TypeError(f"bilinear_upsampling: input must be 4D tensor of floats: {x} has type {x.type}")
    if ratio is not None:
        if isinstance(ratio, Variable):
            ratio = static_value(ratio)
        ratios: Any = ((ratio, 1), (ratio, 1))
    else:
        ratios = frac_ratio
        if isinstance(ratios, tuple) and len(ratios) == 2 and not isinstance(ratios[0], tuple):
            ratios = (ratios, ratios)
    given = ratio if ratio is not None else frac_ratio
    pairs = isinstance(ratios, tuple) and len(ratios) == 2 and all(isinstance(r, tuple) and len(r) == 2 for r in ratios)
    if not pairs or not all(_positive(n) for r in ratios for n in r):
        raise ValueError(
            f"bilinear_upsampling: a ratio is a positive integer known when the graph is built, a frac_ratio a pair of "
            f"such or a pair of pairs, got {given!r}"
        )
    reduced = tuple((int(p) // math.gcd(int(p), int(q)), int(q) // math.gcd(int(p), int(q))) for p, q in ratios)
    return BilinearUpsampling(reduced, batch_size, num_input_channels)(x)  # type: ignore[arg-type]


def _positive(n: Any) -> bool:
    return np.ndim(n) == 0 and np.asarray(n).dtype.kind in "iu" and n > 0
