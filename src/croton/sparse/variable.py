"""What every symbolic sparse matrix can do: operators and methods, over the functions of croton.sparse."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from croton.sparse.types import SparseType


def _function(name: str) -> Any:
    return getattr(importlib.import_module("croton.sparse"), name)


class SparseMixin:
    """Attributes and operators of sparse variables. ``==`` and ``!=`` compare identity."""

    type: SparseType

    # Arrays and SciPy's matrices on the left leave the operation to these operators.
    __array_priority__ = 1000.0
    __array_ufunc__ = None

    @property
    def dtype(self) -> str:
        return self.type.dtype

    @property
    def format(self) -> str:
        return self.type.format

    @property
    def ndim(self) -> int:
        return 2

    @property
    def shape(self) -> Any:
        """The numbers of rows and columns, an int64 vector."""
        return _function("sparse_shape")(self)

    @property
    def size(self) -> Any:
        """The number of entries that are stored."""
        return _function("csm_data")(self).size

    @property
    def T(self) -> Any:
        """The transpose, in the other format."""
        return _function("transpose")(self)

    def transpose(self) -> Any:
        return _function("transpose")(self)

    def toarray(self) -> Any:
        """The same matrix, dense."""
        return _function("dense_from_sparse")(self)

    todense = toarray

    def astype(self, dtype: str) -> Any:
        return _function("cast")(self, dtype)

    def sum(self, axis: int | None = None) -> Any:
        return _function("sp_sum")(self, axis)

    def zeros_like(self) -> Any:
        return _function("sp_zeros_like")(self)

    def dot(self, other: Any) -> Any:
        return _function("dot")(self, other)

    def __getitem__(self, index: Any) -> Any:
        return _function("sparse_subtensor")(self, index)

    def __iter__(self) -> Any:
        raise TypeError(f"the sparse {self} cannot be iterated over: take rows as x[i:i + 1]")

    def __len__(self) -> int:
        raise TypeError(f"{self} has no length until a function runs: use x.shape[0]")

    def __bool__(self) -> bool:
        return True

    def __neg__(self) -> Any:
        return _function("neg")(self)

    def __add__(self, other: Any) -> Any:
        return _function("add")(self, other)

    def __radd__(self, other: Any) -> Any:
        return _function("add")(other, self)

    def __sub__(self, other: Any) -> Any:
        return _function("sub")(self, other)

    def __rsub__(self, other: Any) -> Any:
        return _function("sub")(other, self)

    def __mul__(self, other: Any) -> Any:
        return _function("mul")(self, other)

    def __rmul__(self, other: Any) -> Any:
        return _function("mul")(other, self)

    def __truediv__(self, other: Any) -> Any:
        return _function("true_div")(self, other)

    def __matmul__(self, other: Any) -> Any:
        return _function("dot")(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return _function("dot")(other, self)
