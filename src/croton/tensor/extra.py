"""Less common functions of arrays: closeness, grids, differences, covariances, diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable, cast
from croton.tensor.construct import arange, broadcast_to
from croton.tensor.elemwise import abs_, and_, eq, int_div, invert, isinf, isnan, le, maximum, mod, neq, or_
from croton.tensor.linalg import dot
from croton.tensor.reduce import all as all_of
from croton.tensor.reduce import mean, normal_axis
from croton.tensor.shape import concatenate, kind, stack, static_length
from croton.tensor.sort import argsort
from croton.tensor.types import upcast
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

    def __init__(self, name: str, dense: bool, doc: str) -> None:
        self.name, self.dense, self.__doc__ = name, dense, doc

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


mgrid = _Grid(
    "mgrid", True, "mgrid[a:b, c:d:step]: for each axis, its coordinate at every point, as a list of tensors."
)
ogrid = _Grid("ogrid", False, "ogrid[a:b, c:d:step]: for each axis, its coordinates, of length 1 along the others.")


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
    last = cast(M, "float64") - 1
    return 1 - abs_(2 * cast(arange(M), "float64") - last) / maximum(last, 1)


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
