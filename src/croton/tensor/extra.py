"""Less common functions of arrays: comparison, grids, differences, diagonals, the largest few, counts, positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable, cast
from croton.tensor.construct import arange, broadcast_to
from croton.tensor.elemwise import abs_, and_, clip, eq, int_div, invert, isinf, isnan, le, mod, neq, or_
from croton.tensor.linalg import dot
from croton.tensor.reduce import all as all_of
from croton.tensor.reduce import mean, normal_axis
from croton.tensor.shape import concatenate, kind, lengths_of, stack, static_length, static_value
from croton.tensor.sort import argsort
from croton.tensor.types import TensorType, upcast
from croton.tensor.variable import TensorVariable


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> TensorVariable:
    """Where |a - b| <= atol + rtol |b|, or both are the same infinity, or both NaN if ``equal_nan``.

    >>> import croton.tensor as T
    >>> T.isclose(T.constant([1., 2.]), T.constant([1.000001, 2.1])).eval()
    array([ True, False])
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    near = and_(le(abs_(a - b), atol + rtol * abs_(b)), invert(or_(isinf(a), isinf(b))))
    close = or_(near, eq(a, b))
    return or_(close, and_(isnan(a), isnan(b))) if equal_nan else close


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> TensorVariable:
    """Whether all elements are close, in the sense of ``isclose``.

    >>> import croton.tensor as T
    >>> T.allclose(T.constant([1., 2.]), T.constant([1.000001, 2.1])).eval()
    array(False)
    """
    return all_of(isclose(a, b, rtol, atol, equal_nan))


def ceil_intdiv(a: Any, b: Any) -> TensorVariable:
    """The least integer not below a / b, for integers.

    >>> import croton.tensor as T
    >>> T.ceil_intdiv(T.constant(7), T.constant(2)).eval()
    array(4, dtype=int8)
    """
    quotient = int_div(a, b)
    return quotient + cast(neq(mod(a, b), 0), quotient.dtype)


def stacklists(arg: Any) -> TensorVariable:
    """Lists of lists of tensors of one shape as one tensor, a dimension for each depth.

    >>> import croton.tensor as T
    >>> T.stacklists([[T.constant(1.), 2.], [3., 4.]]).shape.eval()
    array([2, 2])
    """
    return stack([stacklists(part) for part in arg]) if isinstance(arg, list | tuple) else as_tensor_variable(arg)


def is_flat(var: Any, outdim: int = 1) -> bool:
    """Whether ``var`` has ``outdim`` dimensions.

    >>> import croton.tensor as T
    >>> T.is_flat(T.vector()), T.is_flat(T.matrix())
    (True, False)
    """
    return bool(as_tensor_variable(var).ndim == outdim)


def get_vector_length(v: Any) -> int:
    """The length of a vector where the graph tells it, else ValueError.

    >>> import croton.tensor as T
    >>> T.get_vector_length(T.matrix().shape)
    2
    """
    v = as_tensor_variable(v)
    if v.ndim != 1:
        raise TypeError(f"get_vector_length takes a vector, got {v} of type {v.type}")
    length = static_length(v)
    if length is None:
        raise ValueError(f"get_vector_length: length not known: {v} of type {v.type}")
    return length


class _Grid:
    """What is indexed with slices to give coordinates: those of every point, or of each axis alone."""

    def __init__(self, name: str, dense: bool) -> None:
        self.name, self.dense = name, dense

    def __getitem__(self, slices: Any) -> list[TensorVariable]:
        parts = slices if isinstance(slices, tuple) else (slices,)
        if not all(isinstance(s, slice) and s.stop is not None for s in parts):
            raise TypeError(f"{self.name} is indexed with slices that have an end, got {slices!r}")
        if any(isinstance(s.step, complex) for s in parts):
            raise NotImplementedError(f"{self.name}: a complex step, for a number of points, is not supported")
        lines = [arange(0 if s.start is None else s.start, s.stop, 1 if s.step is None else s.step) for s in parts]
        open_ = [v.dimshuffle(*[0 if a == k else "x" for a in range(len(lines))]) for k, v in enumerate(lines)]
        return [broadcast_to(v, [w.shape[0] for w in lines]) for v in open_] if self.dense else open_

    def __repr__(self) -> str:
        return self.name


mgrid = _Grid("mgrid", dense=True)
"""``mgrid[a:b, c:d:step]``: a list of matrices, the first and the second coordinate of every point; any rank."""
ogrid = _Grid("ogrid", dense=False)
"""``ogrid[a:b, c:d:step]``: as ``mgrid``, each coordinate with length 1 in the other dimensions."""


def diff(x: Any, n: int = 1, axis: int = -1) -> TensorVariable:
    """The differences x[i + 1] - x[i] along ``axis``, taken ``n`` times.

    >>> import croton.tensor as T
    >>> T.diff(T.constant([1., 4., 9.])).eval()
    array([3., 5.])
    """
    x = as_tensor_variable(x)
    if n < 0:
        raise ValueError(f"diff: n must be at least 0, got {n}")
    (axis,) = normal_axis(x, axis, "diff")
    before = (slice(None),) * axis
    for _ in range(n):
        x = x[(*before, slice(1, None))] - x[(*before, slice(None, -1))]
    return x


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: None = None,
    aweights: None = None,
) -> TensorVariable:
    """The covariances of the rows of ``m`` (and of ``y``), or of the columns if not ``rowvar``.

    The sums of products are over n - ddof, where ``ddof`` is 1, or 0 with ``bias``. Weights are not supported.

    >>> import croton.tensor as T
    >>> T.cov(T.constant([[0., 2.], [4., 0.]])).eval()
    array([[ 2., -4.],
           [-4.,  8.]])
    """
    if fweights is not None or aweights is not None:
        raise NotImplementedError("cov: fweights and aweights are not supported")
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"cov: ddof must be an integer, got {ddof}")
    rows = [_rows("cov", v, rowvar) for v in (m, y) if v is not None]
    dtype = upcast(*[v.dtype for v in rows], "float32")
    x = concatenate([cast(v, dtype) for v in rows], axis=0)
    x = x - mean(x, axis=1, keepdims=True)
    less = (0 if bias else 1) if ddof is None else int(ddof)
    return dot(x, x.T) / cast(x.shape[1] - less, dtype)


def _rows(name: str, v: Any, rowvar: bool) -> TensorVariable:
    v = as_tensor_variable(v)
    if v.ndim > 2:
        raise ValueError(f"{name} takes vectors and matrices, got {v} of type {v.type}")
    return v.dimshuffle("x", 0) if v.ndim == 1 else v if rowvar else v.T


def bartlett(M: Any) -> TensorVariable:
    """The triangle of ``M`` points that is 0 at both ends and 1 in the middle, a float64 vector.

    >>> import croton.tensor as T
    >>> T.bartlett(5).eval()
    array([0. , 0.5, 1. , 0.5, 0. ])
    """
    M = as_tensor_variable(M)
    if M.ndim or M.dtype[0] not in "iu":
        raise TypeError(f"bartlett takes a scalar integer, got {M} of type {M.type}")
    half = cast(clip(cast(M, "int64") - 1, 1, None), "float64") / 2
    point = cast(arange(M), "float64") + (half if static_value(M) == 1 else cast(eq(M, 1), "float64") * half)
    return 1 - abs_(point / half - 1)


def inverse_permutation(perm: Any) -> TensorVariable:
    """The permutation (along the last axis, of the dtype of ``perm``) that undoes ``perm``.

    >>> import croton.tensor as T
    >>> T.inverse_permutation(T.constant([2, 0, 1])).eval()
    array([1, 2, 0])
    """
    perm = as_tensor_variable(perm)
    if perm.dtype[0] not in "iu" or perm.ndim == 0:
        raise TypeError(f"inverse_permutation takes integers, got {perm} of type {perm.type}")
    return cast(argsort(perm, axis=-1), perm.dtype)


@dataclass(frozen=True)
class FillDiagonal(TensorOp):
    """An array with the elements of a diagonal replaced by a number. Inputs: the array, the number, the offset."""

    def output_types(self, a: Variable, value: Variable, offset: Variable) -> Sequence[Type]:
        return [kind(a)]

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[2:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, True, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        a, offset = jnp.asarray(values[0]), int(values[2])
        if a.ndim > 2 and len(set(a.shape)) > 1:
            raise ValueError(f"fill_diagonal: all dimensions of {node.inputs[0]} must be equal, got {tuple(a.shape)}")
        places = np.arange(max(0, min(a.shape[0] + min(offset, 0), a.shape[1] - max(offset, 0))))
        rest = [places + max(offset, 0)] * (a.ndim - 1)
        return a.at[(places - min(offset, 0), *rest)].set(jnp.asarray(values[1]))


def fill_diagonal(a: Any, val: Any) -> TensorVariable:
    """``a`` with ``val`` on its diagonal; of more than two dimensions all must be of one length.

    >>> import croton.tensor as T
    >>> T.fill_diagonal(T.zeros((2, 3)), 1).eval()
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    return _fill("fill_diagonal", a, val, 0)


def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> TensorVariable:
    """The matrix ``a`` with ``val`` on the diagonal ``offset`` places to the right of the main one.

    >>> import croton.tensor as T
    >>> T.fill_diagonal_offset(T.zeros((2, 3)), 1, 1).eval()
    array([[0., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    if as_tensor_variable(a).ndim != 2:
        raise TypeError(f"fill_diagonal_offset takes a matrix, got {a} of type {as_tensor_variable(a).type}")
    return _fill("fill_diagonal_offset", a, val, offset)


def _fill(name: str, a: Any, val: Any, offset: Any) -> TensorVariable:
    a, val, offset = map(as_tensor_variable, (a, val, offset))
    if a.ndim < 2 or val.ndim or offset.ndim or offset.dtype[0] not in "iu":
        raise TypeError(
            f"{name} takes a tensor of at least 2 dimensions and scalars, got {a.type}, {val.type}, {offset.type}"
        )
    if upcast(a.dtype, val.dtype) != a.dtype:
        raise TypeError(
            f"{name}: {val} of dtype {val.dtype} does not fit into {a} of dtype {a.dtype}: cast one of them"
        )
    return FillDiagonal()(a, cast(val, a.dtype), offset)


@dataclass(frozen=True)
class TopK(TensorOp):
    """The k largest elements along an axis in descending order, and where they were; ascending from the least if k < 0."""

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
    """For each integer from 0 up to the largest in the vector ``x`` (at least ``minlength`` of them) how often it occurs.

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
            f"ravel_multi_index: {len(parts)} indices and {len(modes)} modes for {len(sizes)} dimensions; there must be "
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
