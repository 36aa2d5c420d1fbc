"""The largest few elements, how often integers occur, and positions in arrays as one number or as several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable, cast
from croton.tensor.elemwise import clip, int_div, mod
from croton.tensor.reduce import normal_axis
from croton.tensor.shape import kind, lengths_of, static_value
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable


@dataclass(frozen=True)
class TopK(TensorOp):
    """The k largest elements along an axis, descending, and where they were; if k < 0 the least, ascending."""

    axis: int
    idx_dtype: str

    def output_types(self, x: Variable, k: Variable) -> Sequence[Type]:
        known = static_value(k)
        shape = list(kind(x).shape)
        shape[self.axis] = None if known is None else abs(int(known))
        return [TensorType(kind(x).dtype, shape=tuple(shape)), TensorType(self.idx_dtype, shape=tuple(shape))]

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[1:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, k = jnp.asarray(values[0]), int(values[1])
        if not 0 < abs(k) <= x.shape[self.axis]:
            raise ValueError(
                f"topk of {node.inputs[0]}: kth must lie between 1 and {x.shape[self.axis]}, the length of axis "
                f"{self.axis}, or minus that; got {k}"
            )
        order = jnp.argsort(x, axis=self.axis, stable=True)
        order = jnp.flip(order, self.axis) if k > 0 else order
        order = jnp.take(order, np.arange(abs(k)), axis=self.axis)
        return jnp.take_along_axis(x, order, self.axis), order.astype(self.idx_dtype)


def topk_and_argtopk(
    x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> list[TensorVariable]:
    """The ``kth`` largest elements along ``axis`` (flattened if None), in descending order, and where they were.

    A negative ``kth`` asks for the least, in ascending order. ``kth`` may be symbolic; whether ``sorted`` is asked for
    or not, they are. Raises ValueError for a ``kth`` of 0 or beyond the length, when run.

    >>> import croton.tensor as T
    >>> [v.eval() for v in T.topk_and_argtopk(T.constant([1., 7., 5.]), 2)]
    [array([7., 5.]), array([1, 2])]
    """
    x, kth = as_tensor_variable(x), as_tensor_variable(kth)
    if kth.ndim or kth.dtype[0] not in "iu" or idx_dtype.lstrip("u") not in ("int8", "int16", "int32", "int64"):
        raise TypeError(f"topk takes a scalar integer kth and an integer idx_dtype, got {kth.type} and {idx_dtype!r}")
    if axis is None:
        x, axis = x.flatten(), 0
    return list(TopK(normal_axis(x, axis, "topk")[0], idx_dtype).make_node(x, kth).outputs)  # type: ignore[arg-type]


def topk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64") -> TensorVariable:
    """The first result of ``topk_and_argtopk``: the ``kth`` largest elements.

    >>> import croton.tensor as T
    >>> T.topk(T.constant([1., 7., 5.]), -2).eval()
    array([1., 5.])
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[0]


def argtopk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64") -> TensorVariable:
    """The second result of ``topk_and_argtopk``: where the ``kth`` largest elements are.

    >>> import croton.tensor as T
    >>> T.argtopk(T.constant([1., 7., 5.]), 2).eval()
    array([1, 2])
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[1]


@dataclass(frozen=True)
class BinCount(TensorOp):
    """How often each integer from 0 occurs in a vector, or the sum of the weights of its occurrences."""

    minlength: int
    weighted: bool
    data_dependent = True

    def output_types(self, x: Variable, *weights: Variable) -> Sequence[Type]:
        return [TensorType(kind(weights[0]).dtype if weights else "int64", (False,))]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False, True][: len(node.inputs)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x = context.known(values[0], node)
        if x.size and x.min() < 0:
            raise ValueError(f"bincount of {node.inputs[0]}: it has negative values, the least is {x.min()}")
        if self.weighted and values[1].shape != x.shape:
            raise ValueError(f"bincount: {x.shape[0]} numbers have weights of shape {tuple(values[1].shape)}")
        length = max(self.minlength, int(x.max()) + 1 if x.size else 0)
        added = jnp.asarray(values[1]) if self.weighted else jnp.asarray(1, "int64")
        return jnp.zeros(length, added.dtype).at[x].add(added)


def bincount(x: Any, weights: Any = None, minlength: int | None = None, assert_nonneg: bool = False) -> TensorVariable:
    """For each integer from 0 up to the largest in the vector ``x`` how often it occurs; at least for ``minlength``.

    With ``weights``, a vector too, the sum of the weights where it occurs, of their dtype. Negative integers raise
    ValueError when run, asked for or not. The length depends on the data, so a function using this runs op by op.

    >>> import croton.tensor as T
    >>> T.bincount(T.constant([0, 2, 2])).eval()
    array([1, 0, 2])
    """
    x = as_tensor_variable(x)
    if x.ndim != 1 or x.dtype[0] not in "iu":
        raise TypeError(f"bincount takes a vector of integers, got {x} of type {x.type}")
    least = 0 if minlength is None else int(minlength)
    if weights is None:
        return BinCount(least, False)(x)
    weights = as_tensor_variable(weights)
    if weights.ndim != 1:
        raise TypeError(f"bincount: weights must be a vector, got {weights} of type {weights.type}")
    return BinCount(least, True)(x, weights)


@dataclass(frozen=True)
class Below(TensorOp):
    """Integers from 0 to below n, from integers and n; others raise ValueError when the program has run."""

    def output_types(self, x: Variable, n: Variable) -> Sequence[Type]:
        return [TensorType("int64", shape=kind(x).shape)]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False, False]

    def checked(self, node: Apply) -> Sequence[Variable]:
        """The integers."""
        return node.inputs[:1]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, n = jnp.asarray(values[0]).astype("int64"), values[1]
        context.check(
            jnp.all((x >= 0) & (x < n)), node, lambda: ValueError(f"an index is out of bounds: {node.inputs[0]}")
        )
        return x


def _strides(name: str, dims: Any, order: str) -> tuple[list[Any], list[Any]]:
    """The lengths of an array's dimensions, and how far apart in memory neighbours along each are."""
    vector, lengths = lengths_of(dims, name)
    if lengths is None:
        raise ValueError(f"{name}: the length of dims, {dims}, must be known while the graph is built")
    if order not in ("C", "F"):
        raise ValueError(f"{name}: order must be 'C' or 'F', not {order!r}")
    sizes = [vector[k] if n is None else n for k, n in enumerate(lengths)]
    inner = [sizes[k + 1 :] if order == "C" else sizes[:k] for k in range(len(sizes))]
    return sizes, [prod(part, start=1) for part in inner]


def unravel_index(indices: Any, dims: Any, order: str = "C") -> tuple[TensorVariable, ...]:
    """For positions in an array of shape ``dims`` laid out in order 'C' or 'F', the index along each dimension (int64).

    ``dims``: ints and symbolic scalars, or an integer vector of known length. Positions out of bounds raise ValueError
    when run.

    >>> import croton.tensor as T
    >>> [v.eval() for v in T.unravel_index(T.constant([5, 7]), (3, 4))]
    [array([1, 1]), array([1, 3])]
    """
    indices = as_tensor_variable(indices)
    if indices.dtype[0] not in "iu":
        raise TypeError(f"unravel_index: the positions must be integers, got {indices} of type {indices.type}")
    sizes, strides = _strides("unravel_index", dims, order)
    checked = Below()(indices, cast(as_tensor_variable(prod(sizes, start=1)), "int64"))
    return tuple(mod(int_div(checked, step), n) for n, step in zip(sizes, strides, strict=True))


def ravel_multi_index(
    multi_index: Sequence[Any], dims: Any, mode: str | Sequence[str] = "raise", order: str = "C"
) -> TensorVariable:
    """The inverse of ``unravel_index``: positions (int64) from the indices along each dimension.

    ``mode``, one or one for each dimension: what an index out of bounds means: 'raise' (ValueError when run), 'wrap' or
    'clip'.

    >>> import croton.tensor as T
    >>> T.ravel_multi_index(([1, 2], [1, 3]), (3, 4)).eval()
    array([ 5, 11])
    """
    sizes, strides = _strides("ravel_multi_index", dims, order)
    modes = [mode] * len(sizes) if isinstance(mode, str) else list(mode)
    parts = [as_tensor_variable(v) for v in multi_index]
    if not len(parts) == len(sizes) == len(modes) or not parts:
        raise ValueError(
            f"ravel_multi_index: {len(parts)} indices and {len(modes)} modes for {len(sizes)} dimensions: give "
            "one for each"
        )
    total: Any = 0
    for part, n, step, how in zip(parts, sizes, strides, modes, strict=True):
        if part.dtype[0] not in "iu":
            raise TypeError(f"ravel_multi_index: the indices must be integers, got {part} of type {part.type}")
        if how == "raise":
            inside = Below()(part, cast(as_tensor_variable(n), "int64"))
        elif how in ("wrap", "clip"):
            wide = cast(part, "int64")
            inside = mod(wide, n) if how == "wrap" else clip(wide, 0, n - 1)
        else:
            raise ValueError(f"ravel_multi_index: mode {how!r} is none of 'raise', 'wrap', 'clip'")
        total = total + inside * step
    return cast(total, "int64")
