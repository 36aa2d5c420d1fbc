"""``shared``: variables with values of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from croton.graph.core import GenericType, SharedVariable, Variable
from croton.sparse.types import SparseTensorSharedVariable, SparseType
from croton.sparse.value import FORMATS, is_scipy
from croton.tensor.random.draws import STATE
from croton.tensor.random.state import RandomStateSharedVariable
from croton.tensor.types import DTYPES, TensorType
from croton.tensor.variable import TensorSharedVariable


def shared(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    borrow: bool = False,
    broadcastable: Sequence[bool] | None = None,
    target: str | None = None,
) -> Any:
    """A shared variable that begins with a copy of ``value``: an array, a number or a SciPy matrix in
    the format csr or csc, whose dtype it keeps, a NumPy RandomState, or any other object.

    ``strict`` and ``allow_downcast`` say what ``set_value`` takes; ``broadcastable`` which dimensions always have
    length 1 (none if None). ``borrow`` is accepted: the value is copied all the same, so that no program ever works
    on an array of yours. ``target`` must be None or 'cpu'. Raises TypeError for a symbolic value. As theano.shared.

    >>> import croton
    >>> w = croton.shared(0.5, 'w')
    >>> w.set_value(2)
    >>> w.get_value()
    array(2.)
    """
    if isinstance(value, Variable):
        raise TypeError(f"shared variables hold values, not symbolic ones: got {value}")
    if target not in (None, "cpu"):
        raise TypeError(f"shared(target={target!r}): only None and 'cpu' are known; JAX decides where values live")
    if is_scipy(value) and value.format in FORMATS and value.ndim == 2:
        type_ = SparseType(value.format, str(value.dtype))
        return SparseTensorSharedVariable(name, type_, value, strict, allow_downcast)
    if isinstance(value, np.random.RandomState):
        return RandomStateSharedVariable(name, STATE, value, strict, allow_downcast)
    dtype = _dtype_of(value)
    if dtype is None:
        return SharedVariable(name, GenericType(), value, strict, allow_downcast)
    pattern = tuple(broadcastable) if broadcastable is not None else (False,) * np.ndim(value)
    return TensorSharedVariable(name, TensorType(dtype, pattern), np.asarray(value, dtype), strict, allow_downcast)


def _dtype_of(value: Any) -> str | None:
    if isinstance(value, bool | int | float | complex | np.ndarray | np.generic) or hasattr(value, "__jax_array__"):
        dtype = str(np.asarray(value).dtype)
        return dtype if dtype in DTYPES else None
    if hasattr(value, "dtype") and hasattr(value, "__array__") and str(value.dtype) in DTYPES:
        return str(value.dtype)
    return None
