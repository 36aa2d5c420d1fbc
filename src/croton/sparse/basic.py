"""The shape of a sparse matrix, its way from dense matrices and back, its other forms, and joining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton import tensor as T
from croton.graph.core import Apply, Op, Type, Variable
from croton.sparse.places import DropZeros, entries, holding, sparse_type
from croton.sparse.types import SparseType, SparseVariable, as_sparse_variable
from croton.sparse.value import Sparse, index_dtype
from croton.tensor.basic import TensorOp, as_tensor_variable
from croton.tensor.shape import Shape
from croton.tensor.types import TensorType, upcast
from croton.tensor.variable import TensorVariable

# Theano's flag of whether SciPy was there.
enable_sparse = True


@dataclass(frozen=True)
class SparseShape(Shape):
    """The numbers of rows and columns of a sparse matrix."""

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [as_sparse_variable(inputs[0])], [TensorType("int64", shape=(2,))()])

    def __str__(self) -> str:
        return "Shape"


def sparse_shape(x: Any) -> TensorVariable:
    """The numbers of rows and columns of ``x``, an int64 vector; known without computing ``x``."""
    made: TensorVariable = SparseShape()(x)
    return made


# --- between dense and sparse ---


@dataclass(frozen=True)
class DenseFromSparse(Op):
    """A sparse matrix as a dense one."""

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [TensorType(sparse_type(x).dtype, (False, False))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return values[0].dense()


def dense_from_sparse(x: Any) -> TensorVariable:
    """``x`` as a dense matrix. As theano.sparse.dense_from_sparse.

    >>> import croton.sparse as S, scipy.sparse
    >>> S.dense_from_sparse(scipy.sparse.csc_matrix([[0., 1.]])).eval()
    array([[0., 1.]])
    """
    made: TensorVariable = DenseFromSparse()(as_sparse_variable(x))
    return made


@dataclass(frozen=True)
class Pick(TensorOp):
    """The elements of a dense matrix where a second one is not zero, as a sparse matrix with room for all of them."""

    format: str

    def output_types(self, x: Variable, where: Variable) -> Sequence[Type]:
        return [SparseType(self.format, x.type.dtype)]  # type: ignore[attr-defined]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        turned = self.format == "csc"
        x, where = (jnp.asarray(v).T if turned else jnp.asarray(v) for v in values)
        rows, cols = (a.ravel() for a in np.indices(x.shape, index_dtype(x.shape)))
        whole = Sparse(x.ravel(), rows, cols, np.ones(x.size, bool), (x.shape[0], x.shape[1]), "csr", True)
        made = whole.holding(whole.data, where.ravel() != 0)
        return made.turned() if turned else made


def csr_from_dense(x: Any) -> SparseVariable:
    """The elements of a dense matrix that are not zero, as a csr matrix. As theano.sparse.csr_from_dense.

    While a program runs it has room for all elements, so that it takes more memory there than ``x``.

    >>> import croton.sparse as S
    >>> S.csr_from_dense([[0., 1.]]).eval().nnz
    1
    """
    return _from_dense("csr", x)


def csc_from_dense(x: Any) -> SparseVariable:
    """The elements of a dense matrix that are not zero, as a csc matrix; as ``csr_from_dense``."""
    return _from_dense("csc", x)


def _from_dense(format: str, x: Any) -> SparseVariable:
    x = as_tensor_variable(x)
    if x.ndim != 2:
        raise TypeError(f"{format}_from_dense takes a matrix, {x} has {x.ndim} dimensions")
    made: SparseVariable = Pick(format)(x, x)
    return made


@dataclass(frozen=True)
class Transpose(Op):
    """The transpose of a sparse matrix, in the other format."""

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [sparse_type(x).clone(format="csc" if sparse_type(x).format == "csr" else "csr")]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return values[0].turned()


def transpose(x: Any) -> SparseVariable:
    """The transpose of ``x``, in the other format (of a csr matrix, a csc). As theano.sparse.transpose.

    >>> import croton.sparse as S
    >>> S.transpose(S.csr_matrix('x')).format
    'csc'
    """
    made: SparseVariable = Transpose()(as_sparse_variable(x))
    return made


@dataclass(frozen=True)
class InFormat(Op):
    """The same matrix in another format."""

    format: str

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [sparse_type(x).clone(format=self.format)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x: Sparse = values[0]
        return Sparse(*x.parts, x.shape, self.format, False)


def in_format(x: Any, format: str) -> SparseVariable:
    """``x`` in the format 'csr' or 'csc'."""
    x = as_sparse_variable(x)
    return x if x.format == format else InFormat(format)(x)


def cast(variable: Any, dtype: str) -> SparseVariable:
    """A sparse matrix with its entries converted to ``dtype``. As theano.sparse.cast.

    >>> import croton.sparse as S
    >>> S.cast(S.csr_matrix('x'), 'float64').dtype
    'float64'
    """
    x = as_sparse_variable(variable)
    converted = SparseType(x.format, dtype)
    return x if converted == x.type else holding(x, T.cast(entries(x), converted.dtype))


def remove0(x: Any) -> SparseVariable:
    """``x`` without the entries that are stored and zero. As theano.sparse.remove0.

    >>> import croton.sparse as S, scipy.sparse
    >>> x = scipy.sparse.csr_matrix(([0., 1.], ([0, 0], [0, 1])))
    >>> x.nnz, S.remove0(x).eval().nnz
    (2, 1)
    """
    made: SparseVariable = DropZeros()(as_sparse_variable(x))
    return made


# Indices are in order in every result here.
clean = remove0


# --- joining ---


@dataclass(frozen=True)
class Stack(Op):
    """Sparse matrices of one dtype side by side (axis 1) or one below the other (axis 0)."""

    axis: int
    format: str

    def output_types(self, *blocks: Variable) -> Sequence[Type]:
        return [SparseType(self.format, sparse_type(blocks[0]).dtype)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        along, across = self.axis, 1 - self.axis
        if len({b.shape[across] for b in values}) > 1:
            raise ValueError(
                f"{self}: the blocks have {', '.join(str(b.shape[across]) for b in values)} "
                f"{'rows' if across == 0 else 'columns'}: they must have equally many"
            )
        ends = np.cumsum([b.shape[along] for b in values])
        shape = [0, 0]
        shape[along], shape[across] = int(ends[-1]), values[0].shape[across]
        index = index_dtype(shape)
        places = [[jnp.asarray(p, index) for p in (b.rows, b.cols)] for b in values]
        for own, start in zip(places[1:], ends[:-1], strict=True):
            own[along] = own[along] + int(start)
        rows, cols = (jnp.concatenate([own[k] for own in places]) for k in (0, 1))
        data, valid = (jnp.concatenate([getattr(b, name) for b in values]) for name in ("data", "valid"))
        return Sparse(data, rows, cols, valid, (shape[0], shape[1]), self.format, False)

    def __str__(self) -> str:
        return "hstack" if self.axis == 1 else "vstack"


def _stack(axis: int, blocks: Sequence[Any], format: str | None, dtype: str | None) -> SparseVariable:
    if not isinstance(blocks, list | tuple) or not blocks:
        raise TypeError(f"{Stack(axis, 'csr')} takes a list of sparse matrices, not {blocks!r}")
    parts = [as_sparse_variable(b) for b in blocks]
    common = SparseType(format or "csc", dtype or upcast(*[b.dtype for b in parts]))
    made: SparseVariable = Stack(axis, common.format)(*[cast(b, common.dtype) for b in parts])
    return made


def hstack(blocks: Sequence[Any], format: str | None = None, dtype: str | None = None) -> SparseVariable:
    """Sparse matrices side by side, in ``format`` (csc if None) and ``dtype`` (one that holds them all if None).

    ValueError at run time where the numbers of rows differ. As theano.sparse.hstack.

    >>> import croton.sparse as S, scipy.sparse
    >>> x = scipy.sparse.csr_matrix([[0., 1.]])
    >>> S.hstack([x, x]).toarray().eval()
    array([[0., 1., 0., 1.]])
    """
    return _stack(1, blocks, format, dtype)


def vstack(blocks: Sequence[Any], format: str | None = None, dtype: str | None = None) -> SparseVariable:
    """Sparse matrices one below the other; as ``hstack``."""
    return _stack(0, blocks, format, dtype)


__all__ = [
    "DenseFromSparse", "cast", "clean", "csc_from_dense", "csr_from_dense", "dense_from_sparse", "enable_sparse",
    "hstack", "remove0", "sparse_shape", "transpose", "vstack",
]  # fmt: skip
