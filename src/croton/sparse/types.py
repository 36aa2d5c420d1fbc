"""Sparse types and variables, and the way to them from SciPy's matrices."""

from __future__ import annotations

from typing import Any
from typing import cast as static_cast

import numpy as np

from croton.graph.core import Apply, Constant, SharedVariable, Type, Variable
from croton.settings import config
from croton.sparse.value import FORMATS, Sparse, inside, is_scipy, outside
from croton.sparse.variable import SparseMixin
from croton.tensor.types import DTYPES, upcast


class SparseType(Type):
    """Sparse matrices of one format, 'csr' or 'csc', and one dtype.

    Raises NotImplementedError for another format, TypeError for a dtype that SciPy's matrices do not have.

    >>> from croton.sparse import SparseType
    >>> x = SparseType('csr', 'float32')('x')
    >>> x.format, x.dtype, x.ndim
    ('csr', 'float32', 2)
    """

    ndim = 2
    broadcastable = (False, False)
    shape = (None, None)

    def __init__(self, format: str, dtype: str | None = None) -> None:
        if format not in FORMATS:
            raise NotImplementedError(
                f"sparse format {format!r}: only 'csr' and 'csc' are supported; convert the matrix"
            )
        dtype = config.floatX if dtype in (None, "floatX") else str(np.dtype(dtype))
        if dtype not in DTYPES or dtype == "float16":
            raise TypeError(f"unsupported dtype {dtype!r} for SparseType: it must be one that SciPy's matrices have")
        self.format, self.dtype = format, dtype

    def variable(self, owner: Apply | None = None, index: int | None = None, name: str | None = None) -> Variable:
        return SparseVariable(self, owner, index, name)

    def clone(self, format: str | None = None, dtype: str | None = None) -> SparseType:
        """The same type with another format or dtype."""
        return SparseType(format or self.format, dtype or self.dtype)

    def __eq__(self, other: object) -> bool:
        return type(other) is SparseType and (other.format, other.dtype) == (self.format, self.dtype)

    def __hash__(self) -> int:
        return hash((SparseType, self.format, self.dtype))

    def __repr__(self) -> str:
        return f"Sparse[{self.dtype}, {self.format}]"

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """``value`` as a SciPy matrix of this type, or a TypeError that says what is wrong with it.

        A matrix of another dtype is accepted where the dtype's values surely fit, or with ``allow_downcast``.
        """
        if isinstance(value, Sparse):
            value = outside(value)
        if isinstance(value, Variable):
            raise TypeError(f"expected a value for {self}, got the symbolic variable {value}: give a SciPy matrix")
        if not is_scipy(value):
            what = f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else f"{type(value).__name__}"
            raise TypeError(
                f"expected a SciPy matrix for {self}, got {what}: give scipy.sparse.{self.format}_matrix(x)"
            )
        if value.format != self.format:
            raise TypeError(
                f"expected a matrix of format {self.format} for {self}, got one of format {value.format} and shape "
                f"{value.shape}: give x.to{self.format}()"
            )
        if value.ndim != 2:
            raise TypeError(f"wrong number of dimensions: {self} has 2, got {value.ndim} with shape {value.shape}")
        given = str(value.dtype)
        if given == self.dtype:
            return value
        if strict or given not in DTYPES or not (allow_downcast or upcast(self.dtype, given) == self.dtype):
            raise TypeError(
                f"a value of type {self} cannot hold a matrix of dtype {given} without risking loss of precision: "
                f"give x.astype('{self.dtype}')" + ("" if strict else ", or allow it with allow_input_downcast=True")
            )
        return value.astype(self.dtype)


class SparseVariable(SparseMixin, Variable):
    """A symbolic sparse matrix.

    >>> import croton.sparse as S
    >>> x = S.csr_matrix('x', dtype='float32')
    >>> (x * 2).T.format
    'csc'
    """

    type: SparseType


class SparseConstant(SparseMixin, Constant):
    """A sparse matrix known while the graph is built; ``data`` is SciPy's."""

    type: SparseType

    def __str__(self) -> str:
        return self.name or f"SparseConstant{{{self.format},{self.dtype},shape={self.data.shape},nnz={self.data.nnz}}}"


class SparseTensorSharedVariable(SparseMixin, SharedVariable):
    """A sparse matrix that functions read and update.

    >>> import croton, scipy.sparse
    >>> w = croton.shared(scipy.sparse.csr_matrix([[0., 2.]]), 'w')
    >>> w.get_value().toarray()
    array([[0., 2.]])
    """

    type: SparseType

    def _checked(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Sparse:
        made: Sparse = inside(self.type.filter(value, strict=strict, allow_downcast=allow_downcast))
        return made

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The present value as a SciPy matrix of the caller's own."""
        return self.container.value.scipy()

    def filter_update(self, expression: Any) -> Variable:
        variable = as_sparse_or_tensor_variable(expression)
        if not self.type.accepts(variable.type):
            raise TypeError(
                f"an update must have the same type as the original shared variable: {self.name or 'it'} has type "
                f"{self.type}, the update {variable} has type {variable.type}"
            )
        return variable


def is_sparse(x: Any) -> bool:
    """Whether ``x`` is a sparse variable, or a sparse matrix of SciPy's."""
    return (isinstance(x, Variable) and isinstance(x.type, SparseType)) or is_scipy(x)


def as_sparse_variable(x: Any, name: str | None = None) -> SparseVariable:
    """``x`` itself if it is a sparse variable, or a constant of a SciPy matrix in one of the formats csr and csc.

    Raises TypeError for anything else. As theano.sparse.as_sparse_variable.

    >>> import croton.sparse as S, scipy.sparse
    >>> S.as_sparse_variable(scipy.sparse.csc_matrix([[1., 0.]])).type
    Sparse[float64, csc]
    """
    x = x.out if isinstance(x, Apply) else x
    if isinstance(x, Variable):
        if not isinstance(x.type, SparseType):
            raise TypeError(f"the variable {x} has type {x.type}, which is not sparse: use csr_from_dense")
        return static_cast(SparseVariable, x)
    if not is_scipy(x):
        raise TypeError(f"expected a sparse variable or a SciPy matrix, got {type(x).__name__} {x!r}")
    if x.format not in FORMATS or x.ndim != 2:
        raise TypeError(f"a sparse {x.format} matrix of shape {x.shape}: only csr and csc are supported: use x.tocsr()")
    # SciPy keeps its formats' arrays in arrays and matrices alike; here a constant is one matrix of its own.
    data = Sparse.of(x).scipy()
    return static_cast(SparseVariable, SparseConstant(SparseType(x.format, str(x.dtype)), data, name))


as_sparse = as_sparse_variable


def as_sparse_or_tensor_variable(x: Any, name: str | None = None) -> Any:
    """``x`` as a sparse variable if it is one or a SciPy matrix, else as a tensor variable.

    >>> import croton.sparse as S
    >>> S.as_sparse_or_tensor_variable([1.0, 2.0]).ndim
    1
    """
    from croton.tensor.basic import as_tensor_variable

    if is_sparse(x) or (isinstance(x, Apply) and is_sparse(x.out)):
        return as_sparse_variable(x, name)
    return as_tensor_variable(x, name)


def matrix(format: str, name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """A sparse matrix of a format and a dtype (floatX if None). As theano.sparse.matrix.

    >>> import croton.sparse as S
    >>> S.matrix('csc', 'x', 'float64').type
    Sparse[float64, csc]
    """
    return static_cast(SparseVariable, SparseType(format, dtype)(name))


def csr_matrix(name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """A sparse matrix held by rows (floatX if ``dtype`` is None). As theano.sparse.csr_matrix.

    >>> import croton, croton.sparse as S, scipy.sparse
    >>> x = S.csr_matrix('x', dtype='float64')
    >>> f = croton.function([x], S.structured_dot(x, [[1.0], [2.0]]))
    >>> f(scipy.sparse.csr_matrix([[0.0, 3.0]]))
    array([[6.]])
    """
    return matrix("csr", name, dtype)


def csc_matrix(name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """A sparse matrix held by columns (floatX if ``dtype`` is None). As theano.sparse.csc_matrix.

    >>> import croton.sparse as S
    >>> S.csc_matrix('x').format
    'csc'
    """
    return matrix("csc", name, dtype)


def bsr_matrix(name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """Raises NotImplementedError: matrices of blocks are not supported. As theano.sparse.bsr_matrix."""
    return matrix("bsr", name, dtype)


def csr_fmatrix(name: str | None = None) -> SparseVariable:
    """A float32 ``csr_matrix``."""
    return matrix("csr", name, "float32")


def csr_dmatrix(name: str | None = None) -> SparseVariable:
    """A float64 ``csr_matrix``."""
    return matrix("csr", name, "float64")


def csc_fmatrix(name: str | None = None) -> SparseVariable:
    """A float32 ``csc_matrix``."""
    return matrix("csc", name, "float32")


def csc_dmatrix(name: str | None = None) -> SparseVariable:
    """A float64 ``csc_matrix``."""
    return matrix("csc", name, "float64")
