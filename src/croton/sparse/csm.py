"""Sparse matrices made of SciPy's three vectors, and taken apart into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Op, Type, Variable
from croton.sparse.places import sparse_type
from croton.sparse.types import SparseType, as_sparse_variable
from croton.sparse.value import Sparse, index_dtype
from croton.tensor.basic import as_tensor_variable
from croton.tensor.shape import lengths_of
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable


@dataclass(frozen=True)
class CSM(Op):
    """The sparse matrix of ``format`` with the given data, minor indices, pointers and shape: SciPy's three vectors.

    ``CSM(format)(data, indices, indptr, shape)``; the shape must be known before the program runs. Derivatives flow to
    ``data``. ValueError where the vectors do not describe a matrix of that shape. As theano.sparse.CSM.

    >>> import croton.sparse as S
    >>> S.CSR([1., 2.], [1, 0], [0, 1, 2], [2, 2]).toarray().eval()
    array([[0., 1.],
           [2., 0.]])
    """

    format: str

    def make_node(self, *inputs: Any) -> Apply:
        data, indices, indptr, shape = inputs
        parts = [as_tensor_variable(v) for v in (data, indices, indptr)]
        for name, v in zip(("data", "indices", "indptr"), parts, strict=True):
            if v.ndim != 1 or (name != "data" and v.dtype[0] not in "iu"):
                raise TypeError(
                    f"{self}: {name} must be a vector{'' if name == 'data' else ' of integers'}, not {v.type}"
                )
        vector, lengths = lengths_of(shape, str(self))
        if lengths is not None and len(lengths) != 2:
            raise TypeError(f"{self}: a sparse matrix has 2 dimensions, the shape {shape} has {len(lengths)}")
        return Apply(self, [*parts, vector], [SparseType(self.format, parts[0].dtype)()])

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[3:]

    def checked(self, node: Apply) -> Sequence[Variable]:
        """The vectors that are compared with the shape when the program runs."""
        return node.inputs[1:3]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False, False, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        data, indices, indptr, lengths = values
        shape = int(lengths[0]), int(lengths[1])
        lines, width = shape if self.format == "csr" else shape[::-1]
        if len(indptr) != lines + 1 or len(indices) != len(data):
            raise ValueError(
                f"{self}: {len(data)} data, {len(indices)} indices and {len(indptr)} pointers do not make a matrix of "
                f"shape {shape}: there must be as many indices as data, and {lines + 1} pointers"
            )
        self._check(context, node, indices, indptr, len(data), width)
        where = np.arange(len(data))
        xp: Any = np if isinstance(indptr, np.ndarray) else jnp
        major = xp.clip(xp.searchsorted(indptr, where, side="right") - 1, 0, max(lines - 1, 0))
        index = index_dtype(shape)
        major, minor = major.astype(index), indices.astype(index)
        ordered = all(isinstance(v, np.ndarray) for v in (indices, indptr)) and bool(
            ((np.diff(minor) > 0) | (np.diff(major) > 0)).all()
        )
        rows, cols = (major, minor) if self.format == "csr" else (minor, major)
        valid = where < indptr[-1]
        return Sparse(jnp.where(valid, data, 0).astype(data.dtype), rows, cols, valid, shape, self.format, ordered)

    def _check(self, context: Any, node: Apply, indices: Any, indptr: Any, count: int, width: int) -> None:
        def error() -> Exception:
            return ValueError(
                f"{self}: the indices must lie between 0 and {width - 1}, the pointers begin with 0, never fall and "
                f"end with at most {count}"
            )

        conditions = [
            ((indices >= 0) & (indices < width)).all(),
            (indptr[0] == 0) & (indptr[-1] <= count) & (indptr[1:] >= indptr[:-1]).all(),
        ]
        for condition in conditions:
            if not isinstance(condition, np.generic | np.ndarray):
                context.check(condition, node, error)
            elif not condition:
                raise error()

    def __str__(self) -> str:
        return self.format.upper()


CSR, CSC = CSM("csr"), CSM("csc")


@dataclass(frozen=True)
class CSMProperties(Op):
    """SciPy's three vectors and the shape of a sparse matrix."""

    data_dependent = True

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [
            TensorType(sparse_type(x).dtype, (False,)),
            *[TensorType("int32", (False,))] * 2,
            TensorType("int32", shape=(2,)),
        ]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x = values[0].merged()
        (kept,) = np.nonzero(context.known(x.valid, node))
        rows, cols = jnp.asarray(x.rows)[kept], jnp.asarray(x.cols)[kept]
        major, minor = (rows, cols) if x.format == "csr" else (cols, rows)
        lines = x.shape[0 if x.format == "csr" else 1]
        pointers = jnp.searchsorted(major, np.arange(lines + 1))
        shape = np.asarray(x.shape, "int32")
        return jnp.asarray(x.data)[kept], minor.astype("int32"), pointers.astype("int32"), shape

    def __str__(self) -> str:
        return "csm_properties"


def csm_properties(csm: Any) -> list[TensorVariable]:
    """[data, indices, indptr, shape] of a sparse matrix, as SciPy names them.

    Their lengths depend on the matrix, so a function that uses them runs op by op, and slower. As
    theano.sparse.csm_properties.

    >>> import croton.sparse as S, scipy.sparse
    >>> data, indices, indptr, shape = S.csm_properties(scipy.sparse.csr_matrix([[0., 3.], [0., 0.]]))
    >>> data.eval(), indptr.eval()
    (array([3.]), array([0, 1, 1], dtype=int32))
    """
    made: list[TensorVariable] = CSMProperties()(as_sparse_variable(csm))
    return made


def csm_data(csm: Any) -> TensorVariable:
    """The entries' values: ``csm_properties(csm)[0]``."""
    return csm_properties(csm)[0]


def csm_indices(csm: Any) -> TensorVariable:
    """The entries' columns (csr) or rows (csc): ``csm_properties(csm)[1]``."""
    return csm_properties(csm)[1]


def csm_indptr(csm: Any) -> TensorVariable:
    """Where the entries of each row (csr) or column (csc) begin: ``csm_properties(csm)[2]``."""
    return csm_properties(csm)[2]


def csm_shape(csm: Any) -> TensorVariable:
    """The numbers of rows and columns, int32: ``csm_properties(csm)[3]``."""
    return csm_properties(csm)[3]


__all__ = [
    "CSC", "CSM", "CSR", "CSMProperties", "csm_data", "csm_indices", "csm_indptr", "csm_properties", "csm_shape",
]  # fmt: skip
