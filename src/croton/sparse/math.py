"""Arithmetic and elementwise functions of sparse matrices, sums, and diagonals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from croton import tensor as T
from croton.graph.core import Apply, Op, Type, Variable
from croton.sparse.basic import cast, dense_from_sparse, in_format, remove0
from croton.sparse.csm import CSC
from croton.sparse.places import At, entries, holding, sparse_type
from croton.sparse.types import SparseVariable, as_sparse_or_tensor_variable, as_sparse_variable, is_sparse
from croton.sparse.value import Sparse
from croton.tensor.basic import as_tensor_variable
from croton.tensor.types import TensorType, upcast
from croton.tensor.variable import TensorVariable

# --- arithmetic ---


@dataclass(frozen=True)
class AddSS(Op):
    """The sum of two sparse matrices of one type."""

    def output_types(self, x: Variable, y: Variable) -> Sequence[Type]:
        return [x.type]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, y = values
        _same_shape("add", x, y)
        if all(a is b for a, b in zip(x.parts[1:], y.parts[1:], strict=True)):
            # A matrix and one derived of it entry by entry, as an update adds them: the room must not grow.
            return x.holding(jnp.asarray(x.data) + jnp.asarray(y.data))
        data, rows, cols, valid = (
            jnp.concatenate([jnp.asarray(a), jnp.asarray(b)]) for a, b in zip(x.parts, y.parts, strict=True)
        )
        return Sparse(data, rows, cols, valid, x.shape, x.format, False)


@dataclass(frozen=True)
class MulSS(Op):
    """The elementwise product of two sparse matrices of one type: it has the entries that both have."""

    def output_types(self, x: Variable, y: Variable) -> Sequence[Type]:
        return [x.type]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, y = (v.merged() for v in values)
        _same_shape("mul", x, y)
        if not len(y):
            return x.holding(jnp.zeros_like(x.data), False)
        # Room stands between entries, so keys are sorted anew.
        keys, others = x.keys(), y.keys()
        order = jnp.argsort(others)
        found = order[jnp.clip(jnp.searchsorted(others[order], keys), 0, len(y) - 1)]
        both = (others[found] == keys) & y.valid[found]
        return x.holding(jnp.asarray(x.data) * jnp.asarray(y.data)[found], both)


def _same_shape(name: str, x: Sparse, y: Sparse) -> None:
    if x.shape != y.shape:
        raise ValueError(f"{name}: sparse matrices of shapes {x.shape} and {y.shape}: they must be equal")


def _two(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Both as variables, one of them sparse; two sparse ones of one type, the first's format."""
    x, y = as_sparse_or_tensor_variable(x), as_sparse_or_tensor_variable(y)
    if not (is_sparse(x) or is_sparse(y)):
        raise TypeError(f"sparse.{name} takes at least one sparse matrix, got {x} and {y}: use tensor.{name}")
    if is_sparse(x) and is_sparse(y):
        common = upcast(x.dtype, y.dtype)
        return cast(x, common), cast(in_format(y, x.format), common)
    return x, y


def add(x: Any, y: Any) -> Any:
    """x + y: sparse if both are sparse (in the format of x), else dense. As theano.sparse.add.

    >>> import croton.sparse as S, scipy.sparse
    >>> x = scipy.sparse.csr_matrix([[0., 1.]])
    >>> S.add(x, x).toarray().eval(), S.add(x, [[1., 1.]]).eval()
    (array([[0., 2.]]), array([[1., 2.]]))
    """
    x, y = _two("add", x, y)
    if is_sparse(x) and is_sparse(y):
        return AddSS()(x, y)
    return _dense(x) + _dense(y)


def sub(x: Any, y: Any) -> Any:
    """x - y: sparse if both are sparse (in the format of x), else dense. As theano.sparse.sub."""
    x, y = _two("sub", x, y)
    if is_sparse(x) and is_sparse(y):
        return AddSS()(x, neg(y))
    return _dense(x) - _dense(y)


def _dense(x: Any) -> Any:
    return dense_from_sparse(x) if is_sparse(x) else x


def mul(x: Any, y: Any) -> SparseVariable:
    """The elementwise product, sparse; a dense factor (a scalar too) is broadcast to the sparse one's shape.

    With a dense factor the result has the entries of the sparse one. As theano.sparse.mul.

    >>> import croton.sparse as S, scipy.sparse
    >>> S.mul(scipy.sparse.csr_matrix([[0., 1.]]), [[5., 6.]]).toarray().eval()
    array([[0., 6.]])
    """
    x, y = _two("mul", x, y)
    if is_sparse(x) and is_sparse(y):
        made: SparseVariable = MulSS()(x, y)
        return made
    return _on_entries(T.mul, x, y) if is_sparse(x) else _on_entries(T.mul, y, x)


def true_div(x: Any, y: Any) -> SparseVariable:
    """A sparse matrix divided elementwise by a dense scalar or array: it has the entries of ``x``.

    Raises TypeError for a sparse divisor, whose zeros would divide.

    >>> import croton.sparse as S, scipy.sparse
    >>> (S.as_sparse(scipy.sparse.csr_matrix([[0., 1.]])) / 2).toarray().eval()
    array([[0. , 0.5]])
    """
    if is_sparse(y):
        raise TypeError(f"{x} cannot be divided by the sparse {y}: it is zero where it has no entry")
    return _on_entries(T.true_div, as_sparse_variable(x), as_tensor_variable(y))


def neg(x: Any) -> SparseVariable:
    """-x. As theano.sparse.neg."""
    return _on_entries(T.neg, as_sparse_variable(x))


def _on_entries(function: Callable[..., Any], x: Any, *others: Any) -> SparseVariable:
    """``function`` of the entries of x, and of the elements of dense arrays at their places."""
    return holding(x, function(entries(x), *[_at(x, y) for y in others]))


def _at(x: Any, y: Any) -> Any:
    if y.ndim == 0:
        return y
    if y.ndim > 2:
        raise TypeError(f"{y} has {y.ndim} dimensions: it cannot be combined with the sparse matrix {x}")
    return At()(y, x)


def row_scale(x: Any, s: Any) -> SparseVariable:
    """Each row of the sparse ``x`` times the element of the vector ``s`` of its number. As theano.sparse.row_scale.

    >>> import croton.sparse as S, scipy.sparse
    >>> S.row_scale(scipy.sparse.csr_matrix([[1., 1.], [0., 1.]]), [2., 3.]).toarray().eval()
    array([[2., 2.],
           [0., 3.]])
    """
    return _scale("row_scale", x, s, (0, "x"))


def col_scale(x: Any, s: Any) -> SparseVariable:
    """Each column of the sparse ``x`` times the element of the vector ``s`` of its number."""
    return _scale("col_scale", x, s, ("x", 0))


def _scale(name: str, x: Any, s: Any, pattern: tuple[Any, ...]) -> SparseVariable:
    s = as_tensor_variable(s)
    if s.ndim != 1:
        raise TypeError(f"sparse.{name} takes a vector of factors, {s} has {s.ndim} dimensions")
    return mul(as_sparse_variable(x), s.dimshuffle(*pattern))


# --- elementwise functions ---

# Functions that are 0 at 0, and those of Theano's that are applied to the entries though they are not.
_KEEPING = {
    "rint": T.round_half_to_even,
    **{name: getattr(T, name) for name in ("sin", "tan", "arcsin", "arctan", "sinh", "arcsinh", "tanh", "arctanh")},
    **{name: getattr(T, name) for name in ("sgn", "ceil", "floor", "trunc", "deg2rad", "rad2deg")},
    **{name: getattr(T, name) for name in ("log1p", "expm1", "sqr", "sqrt")},
}
_STRUCTURED = {
    "structured_sigmoid": T.nnet.sigmoid,
    "structured_exp": T.exp,
    "structured_log": T.log,
    "structured_pow": T.pow,
    "structured_add": T.add,
    "structured_maximum": T.maximum,
    "structured_minimum": T.minimum,
}


def _function(name: str, function: Any) -> Callable[..., SparseVariable]:
    def of_entries(x: Any, *others: Any) -> SparseVariable:
        return _on_entries(function, as_sparse_variable(x), *[as_tensor_variable(y) for y in others])

    def one(x: Any) -> SparseVariable:
        return of_entries(x)

    def two(x: Any, y: Any) -> SparseVariable:
        return of_entries(x, y)

    made: Callable[..., SparseVariable] = two if getattr(function, "row", None) and function.row.nin == 2 else one
    what = "and a dense array y, broadcast, at their places" if made is two else "(what is not stored stays 0)"
    made.__name__ = made.__qualname__ = name
    made.__doc__ = f"{function} of the entries of a sparse matrix {what}. As theano.sparse.{name}."
    return made


_TABLE = {name: _function(name, function) for name, function in {**_KEEPING, **_STRUCTURED}.items()}
globals().update(_TABLE)


def sp_ones_like(x: Any) -> SparseVariable:
    """Ones where the sparse ``x`` has entries. As theano.sparse.sp_ones_like.

    >>> import croton.sparse as S, scipy.sparse
    >>> S.sp_ones_like(scipy.sparse.csr_matrix([[0., 3.]])).toarray().eval()
    array([[0., 1.]])
    """
    x = as_sparse_variable(x)
    return holding(x, T.ones_like(entries(x)))


def sp_zeros_like(x: Any) -> SparseVariable:
    """A matrix of the type and shape of the sparse ``x`` without entries. As theano.sparse.sp_zeros_like."""
    x = as_sparse_variable(x)
    return remove0(holding(x, T.zeros_like(entries(x))))


# --- sums and diagonals ---


@dataclass(frozen=True)
class SumAlong(Op):
    """The sums of a sparse matrix over an axis, or of all; with ``diagonal``, its diagonal."""

    axis: int | None
    diagonal: bool = False

    def output_types(self, x: Variable) -> Sequence[Type]:
        dtype = sparse_type(x).dtype
        return [TensorType(dtype, () if self.axis is None else (False,))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x = values[0]
        data = jnp.asarray(x.data)
        if self.axis is None:
            return data.sum(dtype=data.dtype)
        length = min(x.shape) if self.diagonal else x.shape[1 - self.axis]
        if self.diagonal:
            data = jnp.where(x.rows == x.cols, data, jnp.zeros((), data.dtype))
        start = jnp.zeros(length, data.dtype)
        return start.at[x.cols if self.axis == 0 else x.rows].add(data, mode="drop")

    def __str__(self) -> str:
        return "diag" if self.diagonal else f"sp_sum{{{self.axis}}}"


def sp_sum(x: Any, axis: int | None = None, sparse_grad: bool = False) -> TensorVariable:
    """The sum of a sparse matrix over ``axis`` (0, 1, or all if None), dense; integers are summed in 64 bits.

    ``sparse_grad`` is accepted: a derivative by a sparse matrix is always by its entries. As theano.sparse.sp_sum.

    >>> import croton.sparse as S, scipy.sparse
    >>> S.sp_sum(scipy.sparse.csr_matrix([[1., 2.], [0., 3.]]), axis=0).eval()
    array([1., 5.])
    """
    x = as_sparse_variable(x)
    if axis not in (None, 0, 1, -1, -2):
        raise ValueError(f"sp_sum: axis must be 0, 1 or None for a matrix, not {axis!r}")
    if x.dtype[0] in "bi":
        x = cast(x, "int64")
    elif x.dtype[0] == "u":
        x = cast(x, "uint64")
    made: TensorVariable = SumAlong(None if axis is None else axis % 2)(x)
    return made


def diag(x: Any) -> TensorVariable:
    """The diagonal of a sparse matrix, a dense vector. As theano.sparse.diag.

    >>> import croton.sparse as S, scipy.sparse
    >>> S.diag(scipy.sparse.csr_matrix([[1., 2.], [0., 3.]])).eval()
    array([1., 3.])
    """
    x = as_sparse_variable(x)
    if x.dtype == "bool":
        raise TypeError(f"diag: the sparse matrix {x} is of booleans: cast it to an integer")
    made: TensorVariable = SumAlong(1, diagonal=True)(x)
    return made


def square_diagonal(diag: Any) -> SparseVariable:
    """The square csc matrix with the vector ``diag`` on its diagonal. As theano.sparse.square_diagonal.

    >>> import croton.sparse as S
    >>> S.square_diagonal([1., 2.]).toarray().eval()
    array([[1., 0.],
           [0., 2.]])
    """
    diag = as_tensor_variable(diag)
    if diag.ndim != 1:
        raise TypeError(f"square_diagonal takes a vector, {diag} has {diag.ndim} dimensions")
    n = diag.shape[0]
    made: SparseVariable = CSC(diag, T.arange(n), T.arange(n + 1), [n, n])
    return made


__all__ = [
    "add",
    "col_scale",
    "diag",
    "mul",
    "neg",
    "row_scale",
    "sp_ones_like",
    "sp_sum",
    "sp_zeros_like",
    "square_diagonal",
    "sub",
    "true_div",
    *_TABLE,
]
