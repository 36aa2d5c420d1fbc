"""Matrix products with sparse matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from croton.graph.core import Apply, Op, Type, Variable
from croton.sparse.basic import Pick, cast, csr_from_dense, dense_from_sparse, in_format, transpose
from croton.sparse.kernel import entries_times, sampled_products
from croton.sparse.math import _two, sp_ones_like
from croton.sparse.places import entries, holding, sparse_type
from croton.sparse.types import SparseVariable, as_sparse_variable, is_sparse
from croton.tensor import cast as dense_cast
from croton.tensor.basic import as_tensor_variable
from croton.tensor.types import TensorType, upcast
from croton.tensor.variable import TensorVariable


@dataclass(frozen=True)
class SparseDot(Op):
    """The product of a sparse matrix with a dense matrix or vector of its dtype."""

    def output_types(self, x: Variable, y: Variable) -> Sequence[Type]:
        return [TensorType(sparse_type(x).dtype, shape=(None, *y.type.shape[1:]))]  # type: ignore[attr-defined]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, y = values[0], jnp.asarray(values[1])
        if x.shape[1] != y.shape[0]:
            raise ValueError(
                f"dot: shapes {x.shape} and {y.shape} not aligned: {x.shape[1]} (dim 1) != {y.shape[0]} (dim 0)"
            )
        columns = y if y.ndim == 2 else y[:, None]
        data, rows, cols = jnp.asarray(x.data), jnp.asarray(x.rows), jnp.asarray(x.cols)
        product = entries_times(data, rows, cols, columns, x.shape[0])
        return product if y.ndim == 2 else product[:, 0]


@dataclass(frozen=True)
class RowProducts(Op):
    """x y' at the places of a sparse matrix's entries: a vector as ``Entries``."""

    def output_types(self, x: Variable, y: Variable, p: Variable) -> Sequence[Type]:
        return [TensorType(x.type.dtype, (False,))]  # type: ignore[attr-defined]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, y, p = jnp.asarray(values[0]), jnp.asarray(values[1]), values[2].merged()
        if p.shape != (x.shape[0], y.shape[0]) or x.shape[1] != y.shape[1]:
            raise ValueError(
                f"sampling_dot: x {x.shape} times the transpose of y {y.shape} does not have the shape {p.shape} of p"
            )
        return sampled_products(x, y, jnp.asarray(p.rows), jnp.asarray(p.cols))

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, True, False]


def _one_dtype(x: Any, y: Any) -> tuple[Any, Any]:
    common = upcast(x.dtype, y.dtype)
    common = upcast(common, "int8") if common == "bool" else common
    return tuple(cast(v, common) if is_sparse(v) else dense_cast(v, common) for v in (x, y))  # type: ignore[return-value]


def dot(x: Any, y: Any) -> TensorVariable:
    """The dense product of two matrices, or of a matrix and a vector, one of them sparse or both.

    ValueError at run time where the shapes do not fit. As theano.sparse.dot.

    >>> import croton.sparse as S, scipy.sparse
    >>> x = scipy.sparse.csr_matrix([[0., 2.]])
    >>> S.dot(x, [3., 4.]).eval(), S.dot([[5.]], x).eval()
    (array([8.]), array([[ 0., 10.]]))
    """
    x, y = _one_dtype(*_two("dot", x, y))
    for v in (x, y):
        if v.ndim not in (1, 2):
            raise TypeError(f"sparse.dot takes matrices and vectors, {v} has {v.ndim} dimensions")
    if is_sparse(x):
        made: TensorVariable = SparseDot()(x, dense_from_sparse(y) if is_sparse(y) else y)
        return made
    turned: TensorVariable = SparseDot()(transpose(y), x.T)
    return turned.T


def structured_dot(x: Any, y: Any) -> Any:
    """The product of two matrices: dense if one of them is, sparse (in the format of ``x``) if both are sparse.

    Derivatives by a sparse matrix are by the entries it stores. Raises TypeError where none is sparse,
    NotImplementedError for a vector. As theano.sparse.structured_dot.

    >>> import croton.sparse as S, scipy.sparse
    >>> S.structured_dot(scipy.sparse.csr_matrix([[0., 2.]]), [[3.], [4.]]).eval()
    array([[8.]])
    """
    x, y = _two("structured_dot", x, y)
    if x.ndim != 2 or y.ndim != 2:
        raise NotImplementedError(f"structured_dot takes matrices, not {x.type} and {y.type}: use sparse.dot")
    return _sparse_product(x, y) if is_sparse(x) and is_sparse(y) else dot(x, y)


def true_dot(x: Any, y: Any, grad_preserves_dense: bool = True) -> SparseVariable:
    """The sparse product of two matrices, one of them sparse or both. As theano.sparse.true_dot.

    ``grad_preserves_dense`` is accepted: a derivative has the form of what it is taken by. While a program runs, the
    result has room for all elements.
    """
    x, y = _two("true_dot", x, y)
    if x.ndim != 2 or y.ndim != 2:
        raise TypeError(f"true_dot takes matrices, not {x.type} and {y.type}")
    return _sparse_product(*(v if is_sparse(v) else csr_from_dense(v) for v in (x, y)))


def _sparse_product(x: Any, y: Any) -> SparseVariable:
    """Sparse times sparse: an entry wherever entries meet, though their products may add up to 0."""
    x, y = _one_dtype(x, in_format(y, x.format))
    meets = dot(sp_ones_like(x), sp_ones_like(y))
    made: SparseVariable = Pick(x.format)(dot(x, y), meets)
    return made


def sampling_dot(x: Any, y: Any, p: Any) -> SparseVariable:
    """p * (x y'), elementwise, computed at the entries of the sparse ``p`` only; x is (n, k), y (m, k), p (n, m).

    As theano.sparse.sampling_dot.

    >>> import croton.sparse as S, scipy.sparse
    >>> S.sampling_dot([[1., 2.]], [[3., 4.], [5., 6.]], scipy.sparse.csr_matrix([[0., 1.]])).toarray().eval()
    array([[ 0., 17.]])
    """
    x, y, p = as_tensor_variable(x), as_tensor_variable(y), as_sparse_variable(p)
    if x.ndim != 2 or y.ndim != 2:
        raise TypeError(f"sampling_dot takes dense matrices, not {x.type} and {y.type}")
    x, y = _one_dtype(x, y)
    return holding(p, entries(p) * RowProducts()(x, y, p))


def usmm(alpha: Any, x: Any, y: Any, z: Any) -> TensorVariable:
    """z + alpha x y, dense, for matrices x and y one of which is sparse, and a scalar alpha. As theano.sparse.usmm."""
    made: TensorVariable = as_tensor_variable(z) + as_tensor_variable(alpha) * dot(x, y)
    return made


__all__ = ["SparseDot", "dot", "sampling_dot", "structured_dot", "true_dot", "usmm"]
