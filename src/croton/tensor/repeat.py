"""Cutting tensors into pieces, repeating and moving their elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable
from croton.tensor.construct import arange, broadcast_to
from croton.tensor.elemwise import mod
from croton.tensor.reduce import normal_axis
from croton.tensor.select import take
from croton.tensor.shape import dimshuffle, flatten, kind, reshape, shape_padleft, static_length, static_value
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable


@dataclass(frozen=True)
class Split(TensorOp):
    """An array cut along an axis into pieces of given lengths."""

    pieces: int
    axis: int

    def output_types(self, x: Variable, sizes: Variable) -> Sequence[Type]:
        known, own = static_value(sizes), kind(x).shape
        lengths = [None] * self.pieces if known is None else [int(n) for n in known]
        return [TensorType(kind(x).dtype, shape=(*own[: self.axis], n, *own[self.axis + 1 :])) for n in lengths]

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[1:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, sizes = jnp.asarray(values[0]), values[1].tolist()
        if len(sizes) != self.pieces or min(sizes) < 0 or sum(sizes) != x.shape[self.axis]:
            raise ValueError(
                f"split: the {self.pieces} lengths {sizes} do not make up dimension {self.axis} of "
                f"an array of shape {tuple(x.shape)}"
            )
        return tuple(jnp.split(x, np.cumsum(sizes[:-1]), axis=self.axis))


def split(x: Any, splits_size: Any, n_splits: int, axis: int = 0) -> list[TensorVariable]:
    """``x`` cut along ``axis`` into ``n_splits`` pieces of the lengths ``splits_size``, which must add up to the whole.

    Raises ValueError where they do not, or where there are not ``n_splits`` of them.

    >>> import croton.tensor as T
    >>> [part.eval().tolist() for part in T.split(T.arange(3), [1, 2], 2)]
    [[0], [1, 2]]
    """
    x, sizes = as_tensor_variable(x), as_tensor_variable(splits_size)
    if sizes.ndim != 1 or sizes.dtype[0] not in "iu" or n_splits < 1:
        raise ValueError(
            f"split: the lengths must be a vector of {n_splits} integers, not {sizes} of type {sizes.type}"
        )
    if static_length(sizes) not in (None, n_splits):
        raise ValueError(f"split: {n_splits} pieces were asked for and {static_length(sizes)} lengths given")
    pieces = Split(n_splits, normal_axis(x, axis, "split")[0])(x, sizes)
    return pieces if n_splits > 1 else [pieces]


@dataclass(frozen=True)
class Repeat(TensorOp):
    """Each element, or slice along an axis, several times."""

    axis: int

    def output_types(self, x: Variable, repeats: Variable) -> Sequence[Type]:
        lengths = list(kind(x).shape)
        count = static_value(repeats)
        own = lengths[self.axis]
        if count is not None and count.ndim == 0 and own is not None:
            lengths[self.axis] = own * int(count)
        else:
            lengths[self.axis] = None if count is None or count.ndim == 0 else int(count.sum())
        return [TensorType(kind(x).dtype, shape=tuple(lengths))]

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[1:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, repeats = values
        if repeats.ndim and repeats.shape[0] not in (1, x.shape[self.axis]):
            raise ValueError(f"repeat: {repeats.shape[0]} counts for axis {self.axis} of shape {tuple(x.shape)}")
        counts = np.broadcast_to(repeats, (x.shape[self.axis],))
        return jnp.repeat(x, counts, axis=self.axis, total_repeat_length=int(counts.sum()))


def repeat(x: Any, repeats: Any, axis: int | None = None) -> TensorVariable:
    """Each element of ``x`` (flattened, or along ``axis``) ``repeats`` times: an integer,
    or a vector of one count each.

    >>> import croton.tensor as T
    >>> T.repeat(T.constant([1., 2.]), 2).eval()
    array([1., 1., 2., 2.])
    """
    x, repeats = as_tensor_variable(x), as_tensor_variable(repeats)
    if repeats.dtype[0] not in "biu" or repeats.ndim > 1:
        raise TypeError(
            f"repeat: repeats must be an integer or a vector of integers, not {repeats} of type {repeats.type}"
        )
    if axis is None:
        x, axis = flatten(x, 1) if x.ndim != 1 else x, 0
    return Repeat(normal_axis(x, axis, "repeat")[0])(x, repeats)


def tile(x: Any, reps: Any, ndim: int | None = None) -> TensorVariable:
    """``x`` laid ``reps`` times along each dimension; a scalar or missing counts concern the last dimensions,
    as in NumPy.

    >>> import croton.tensor as T
    >>> T.tile(T.constant([1., 2.]), 2).eval()
    array([1., 2., 1., 2.])
    """
    x = as_tensor_variable(x)
    if isinstance(reps, Variable) and kind(reps).ndim == 1:
        count = static_length(reps)
        if count is None and ndim is None:
            raise ValueError(f"tile: the length of the symbolic reps {reps} is unknown: give ndim")
        counts: list[Any] = [reps[k] for k in range(count if count is not None else ndim)]  # type: ignore[index, arg-type]
    else:
        counts = list(reps) if isinstance(reps, list | tuple | np.ndarray) else [reps]
    rank = max(ndim or 0, x.ndim, len(counts))
    if ndim is not None and ndim < max(x.ndim, len(counts)):
        raise ValueError(f"tile: ndim {ndim} is less than the dimensions of {x} or of reps")
    counts = [1] * (rank - len(counts)) + counts
    x = shape_padleft(x, rank - x.ndim) if x.ndim < rank else x
    if rank == 0:
        return x
    own = [x.type.shape[a] if x.type.shape[a] is not None else x.shape[a] for a in range(rank)]
    spread: list[Any] = [n for pair in zip(counts, own, strict=True) for n in pair]
    order: list[Any] = [p for a in range(rank) for p in ("x", a)]
    repeated = broadcast_to(dimshuffle(x, order), spread)
    return reshape(repeated, [c * n for c, n in zip(counts, own, strict=True)])


def roll(x: Any, shift: Any, axis: int | None = None) -> TensorVariable:
    """``x`` moved ``shift`` places along ``axis`` (flattened if None), what leaves at the end coming in at the start.

    >>> import croton.tensor as T
    >>> T.roll(T.arange(4), 1).eval()
    array([3, 0, 1, 2])
    """
    x = as_tensor_variable(x)
    if axis is None:
        return roll(flatten(x), shift, 0).reshape(x.shape, ndim=x.ndim) if x.ndim > 1 else roll(x, shift, 0)
    axis = normal_axis(x, axis, "roll")[0]
    n = x.shape[axis]
    return take(x, mod(arange(n) - shift, n), axis=axis)
