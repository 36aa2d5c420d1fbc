"""What people hold numbers in, and the way from there to arrays."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from croton.graph.core import SharedVariable, Variable
from croton.sparse.value import is_scipy

__all__ = ["as_array", "check_lengths", "is_array", "is_outside"]


def is_array(value: Any) -> bool:
    """Whether ``value`` is one array: NumPy's, JAX's, SciPy's sparse, pandas', a shared variable's, or like one."""
    if isinstance(value, np.ndarray | jax.Array | SharedVariable) or is_scipy(value) or hasattr(value, "to_numpy"):
        return True
    return is_outside(value)


def is_outside(value: Any) -> bool:
    """Whether the data lies outside memory: a ``np.memmap`` or a view of one, or an object that reads its rows from
    elsewhere (with ``shape``, ``dtype`` and item access, as h5py's).
    """
    if isinstance(value, np.ndarray):
        base: Any = value
        while isinstance(base, np.ndarray):
            base = base.base
        return isinstance(base, mmap.mmap)
    if isinstance(value, jax.Array | np.generic | Variable) or is_scipy(value) or hasattr(value, "to_numpy"):
        return False
    if not all(hasattr(value, name) for name in ("shape", "dtype", "__getitem__")):
        return False
    try:
        return np.dtype(value.dtype) is not None
    except TypeError:  # the types of another library, whose arrays are in memory
        return False


def as_array(value: Any, name: str = "data") -> Any:
    """The numbers of ``value`` as a NumPy array, a SciPy sparse matrix, or, for data outside memory, as they are.

    Takes arrays, nested lists, pandas frames and series, JAX arrays, and croton's shared variables. Raises TypeError
    for what holds no real numbers (objects, text, dates, complex numbers, masked entries), naming the columns of a
    frame, and ValueError for nested lists of differing lengths.

    >>> as_array([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    if isinstance(value, SharedVariable):
        value = value.get_value(borrow=True)
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise TypeError(
                f"{name}: a masked array with {np.ma.count_masked(value)} entries missing; fill or drop them"
            )
        value = value.data
    if not is_scipy(value) and not is_outside(value):
        value = _dense(value, name)
    if np.dtype(value.dtype).kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got dtype {value.dtype}; convert it, as with .astype(float)")
    return value


def _dense(value: Any, name: str) -> np.ndarray:
    if hasattr(value, "to_numpy") and hasattr(value, "isna"):
        return _of_columns(value, name)
    if callable(value):
        raise TypeError(
            f"{name}: expected an array, got {value!r}; a callable is given alone, and returns all arrays of a batch"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: rows of differing lengths make no array: {error}") from error
    if array.dtype.kind == "O":
        raise TypeError(
            f"{name}: expected real numbers, got {type(value).__name__} of objects (dtype object), the first "
            f"{array.ravel()[:1].tolist()}; convert it, as with np.asarray(..., float)"
        )
    return array


def _of_columns(frame: Any, name: str) -> np.ndarray:
    """The numbers of a frame or a series, in a type that holds those of all its columns; what is missing is NaN."""
    types: Any = getattr(frame, "dtypes", None)
    columns = dict(types.items()) if hasattr(types, "items") else {getattr(frame, "name", None): frame.dtype}
    bad = [f"{column!r} ({t})" for column, t in columns.items() if getattr(t, "kind", "O") not in "fiub"]
    if bad:
        raise TypeError(f"{name}: columns without real numbers: {', '.join(bad)}; encode or drop them")
    common = np.result_type(*[getattr(t, "numpy_dtype", t) for t in columns.values()]) if columns else np.dtype(float)
    if np.any(frame.isna()):
        return frame.to_numpy(np.result_type(common, np.float32), na_value=np.nan)
    return frame.to_numpy(common)


def check_lengths(arrays: Sequence[Any], names: Sequence[str], where: str, axis: int = 0) -> int:
    """The number of examples along ``axis``, the same in all arrays, and not 0. Raises ValueError otherwise."""
    for name, array in zip(names, arrays, strict=True):
        if len(array.shape) <= axis:
            raise ValueError(f"{where}: {name} has shape {array.shape}, and no axis {axis} along which examples lie")
    lengths = [int(array.shape[axis]) for array in arrays]
    if len(set(lengths)) > 1:
        told = ", ".join(f"{name} {array.shape}" for name, array in zip(names, arrays, strict=True))
        raise ValueError(f"{where}: arrays differ in their number of examples (axis {axis}): {told}; pass equally many")
    if not lengths or lengths[0] == 0:
        told = f"{names[0]} has shape {arrays[0].shape}" if lengths else "there are no arrays"
        raise ValueError(f"{where}: no examples: {told}; pass at least one")
    return lengths[0]
