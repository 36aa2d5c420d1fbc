"""Sparse matrices in expressions: SciPy's matrices as inputs, constants and shared values, and what works on them."""

from croton.sparse.basic import *  # noqa: F403
from croton.sparse.basic import __all__ as _basic
from croton.sparse.csm import *  # noqa: F403
from croton.sparse.csm import __all__ as _csm
from croton.sparse.math import *  # noqa: F403
from croton.sparse.math import __all__ as _math
from croton.sparse.products import *  # noqa: F403
from croton.sparse.products import __all__ as _products
from croton.sparse.subtensor import SparseSubtensor, sparse_subtensor
from croton.sparse.types import (
    SparseConstant,
    SparseTensorSharedVariable,
    SparseType,
    SparseVariable,
    as_sparse,
    as_sparse_or_tensor_variable,
    as_sparse_variable,
    bsr_matrix,
    csc_dmatrix,
    csc_fmatrix,
    csc_matrix,
    csr_dmatrix,
    csr_fmatrix,
    csr_matrix,
    matrix,
)

__all__ = [
    "SparseConstant", "SparseSubtensor", "SparseTensorSharedVariable", "SparseType", "SparseVariable", "as_sparse",
    "as_sparse_or_tensor_variable", "as_sparse_variable", "bsr_matrix", "csc_dmatrix", "csc_fmatrix", "csc_matrix",
    "csr_dmatrix", "csr_fmatrix", "csr_matrix", "matrix", "sparse_subtensor",
    *_basic, *_csm, *_math, *_products,
]  # fmt: skip
