"""What data a network may be given: each array is compared with what its variable expects, and cast to it.

The same checks serve whole data sets and single batches, and come before anything is computed.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from croton.graph.core import SharedVariable, Variable
from croton.nets.registry import nearest
from croton.sparse.value import is_scipy

__all__ = ["Expected", "accept", "accept_all", "as_array", "check_lengths", "is_array", "is_outside"]


@dataclass(frozen=True)
class Expected:
    """What one variable of a network takes.

    ``name``: the variable's. ``ndim``: the number of axes, examples first. ``dtype``: what the data becomes: a float
    type for real data, an integer type for labels. ``width``: the size of the last axis. ``shape``: the sizes of one
    example's axes where more than the width is known, None for those that are free. ``classes``: labels are from 0 to
    below this number. ``sparse``: ``'csr'`` or ``'csc'`` for a variable that is a sparse matrix. ``weights``: the
    array weighs examples or elements, so it cannot be negative. ``time``: axis 1 counts time steps, of which all such
    arrays have equally many.
    """

    name: str
    ndim: int
    dtype: str
    width: int | None = None
    shape: tuple[int | None, ...] | None = None
    classes: int | None = None
    sparse: str | None = None
    weights: bool = False
    time: bool = False

    @property
    def real(self) -> bool:
        """Whether the variable takes real numbers, rather than integers."""
        return np.dtype(self.dtype).kind == "f"

    @property
    def sizes(self) -> tuple[int | None, ...]:
        """The size of each axis after the first, None where it is free.

        >>> Expected("in", 3, "float32", width=5).sizes
        (None, 5)
        """
        if self.shape is not None:
            return self.shape
        free: tuple[int | None, ...] = (None,) * (self.ndim - 1)
        return (*free[:-1], self.width) if free else ()

    def described(self) -> str:
        """The expected shape in words, such as ``(examples, time steps, 5)``."""
        names = ["examples", *("time steps" if self.time and i == 0 else "any" for i in range(self.ndim - 1))]
        sizes = [name if size is None else str(size) for name, size in zip(names, (None, *self.sizes), strict=True)]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


# --- from what people have to arrays ---


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
    columns: Any = getattr(value, "dtypes", None)
    if hasattr(columns, "items") and hasattr(value, "to_numpy"):
        bad = [f"{c!r} ({d})" for c, d in columns.items() if getattr(d, "kind", "O") not in "fiub"]
        if bad:
            raise TypeError(f"{name}: columns without real numbers: {', '.join(bad)}; encode or drop them")
    if callable(value):
        raise TypeError(
            f"{name}: expected an array, got {value!r}; a callable is given alone, and returns all arrays of a batch"
        )
    try:
        array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    except ValueError as error:
        raise ValueError(f"{name}: rows of differing lengths make no array: {error}") from error
    if array.dtype.kind == "O":
        raise TypeError(
            f"{name}: expected real numbers, got {type(value).__name__} of objects (dtype object), the first "
            f"{array.ravel()[:1].tolist()}; convert it, as with np.asarray(..., float)"
        )
    return array


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


# --- from arrays to what variables take ---


def accept_all(expected: Sequence[Expected], arrays: Any, where: str) -> list[Any]:
    """The arrays of a data set or of one batch, checked and cast, in the order of ``expected``.

    Arguments:
      ``expected``: one row for each variable. ``arrays``: as many arrays in that order, a dict from their names to
      arrays, or, for one variable, the array itself. ``where``: what the data is for, to begin messages with.

    Raises TypeError or ValueError, naming the variable, what was given and what to pass instead, for a wrong number of
    arrays, ranks, sizes and lengths, for data that holds no real numbers, NaN or infinities, for labels that are not
    integers or out of range, for negative weights, and for arrays that disagree in time steps.

    >>> rows = [Expected("in", 2, "float32", width=3), Expected("target", 1, "int32", classes=2)]
    >>> [a.dtype.name for a in accept_all(rows, [np.ones((4, 3)), np.array([0, 1, 1, 0])], "train")]
    ['float32', 'int32']
    >>> accept_all(rows, [np.ones((4, 3)), np.array([0, 1, 2, 0])], "train")
    Traceback (most recent call last):
    ...
    ValueError: train: target holds label 2 at [2]; labels are from 0 to 1 for 2 classes
    """
    given = _matched(expected, arrays, where)
    accepted = [accept(e, array, where) for e, array in zip(expected, given, strict=True)]
    check_lengths(accepted, [e.name for e in expected], where)
    timed = [(e.name, array) for e, array in zip(expected, accepted, strict=True) if e.time]
    if len({array.shape[1] for _, array in timed}) > 1:
        told = ", ".join(f"{name} {array.shape}" for name, array in timed)
        raise ValueError(f"{where}: arrays differ in their number of time steps (axis 1): {told}; pass equally many")
    return accepted


def _matched(expected: Sequence[Expected], arrays: Any, where: str) -> list[Any]:
    names = [e.name for e in expected]
    if isinstance(arrays, Mapping):
        for name in arrays:
            if name not in names:
                raise ValueError(f"{where}: there is no variable {name!r}: {nearest(name, names)}")
        missing = [name for name in names if name not in arrays]
        if missing:
            raise ValueError(f"{where}: data for {', '.join(missing)} is missing; got {', '.join(map(repr, arrays))}")
        return [arrays[name] for name in names]
    given = [arrays] if is_array(arrays) else list(arrays)
    if len(given) != len(names):
        raise ValueError(
            f"{where}: expected {len(names)} arrays ({', '.join(names)}), got {len(given)}; pass a list with one array "
            "for each, in this order"
        )
    return given


def accept(expected: Expected, array: Any, where: str) -> Any:
    """One array, checked and cast: a NumPy array of ``expected.dtype``, or a SciPy matrix for a sparse variable.

    Real data of any real, integer or boolean type is cast; labels may be of any integer type, or boolean. Raises as
    ``accept_all``.
    """
    said = f"{where}: {expected.name}"
    array = as_array(array, said)
    _check_kind(expected, array, said)
    _check_shape(expected, array, said)
    if is_scipy(array):
        array = array.tocsc() if expected.sparse == "csc" else array.tocsr()
    if expected.sparse is None:
        array = array.toarray() if is_scipy(array) else array[:] if is_outside(array) else array
        return _cast(expected, np.asarray(array), said)
    import scipy.sparse

    made = getattr(scipy.sparse, f"{expected.sparse}_matrix")(array)
    data = _cast(expected, made.data, said, made)
    return made if data is made.data else type(made)((data, made.indices, made.indptr), shape=made.shape)


def _check_kind(expected: Expected, array: Any, said: str) -> None:
    kind = np.dtype(array.dtype).kind
    if not expected.real and kind == "f":
        raise TypeError(f"{said} takes integers (labels count from 0), got dtype {array.dtype}; pass .astype('int32')")


def _check_shape(expected: Expected, array: Any, said: str) -> None:
    shape, wanted = tuple(array.shape), expected.described()
    if len(shape) != expected.ndim:
        raise ValueError(f"{said} has shape {shape}, expected {wanted}{_advice(expected, array)}")
    for axis, size in enumerate(expected.sizes, 1):
        if size is not None and shape[axis] != size:
            raise ValueError(f"{said} has shape {shape}, expected {wanted}: axis {axis} must have size {size}")
    for axis, length in enumerate(shape):
        if length == 0:
            what = (
                "examples" if axis == 0 else "time steps" if axis == 1 and expected.time else f"entries on axis {axis}"
            )
            raise ValueError(f"{said} has shape {shape}: there are no {what}; pass at least one")


def _advice(expected: Expected, array: Any) -> str:
    """What to pass instead of an array of another rank."""
    shape = tuple(array.shape)
    if not expected.real and len(shape) == expected.ndim + 1 and not is_outside(array):
        if shape[-1] == 1:
            return "; pass labels[..., 0], without the last axis"
        dense = array.toarray() if is_scipy(array) else array
        if shape[-1] == expected.classes or ((dense == 0) | (dense == 1)).all():
            return "; labels that are one-hot become class numbers by labels.argmax(axis=-1)"
    if len(shape) == expected.ndim - 1:
        one = "; for one example pass x[None]"
        return one + (", for one feature x[..., None]" if expected.sizes[-1:] in ((1,), (None,)) else "")
    return ""


def _cast(expected: Expected, array: np.ndarray, said: str, matrix: Any = None) -> np.ndarray:
    """The array in the expected type, after a look at its values; ``matrix`` is the sparse one whose data they are."""
    if not expected.real:
        _check_labels(expected, array, said)
        return np.asarray(array, expected.dtype)
    with np.errstate(over="ignore"):
        cast = np.asarray(array, expected.dtype)
    finite = np.isfinite(cast)
    if not finite.all():
        place, value = _first(~finite, array, matrix)
        big = "" if not np.isfinite(value) else f" (too large for {expected.dtype})"
        count = int(finite.size - finite.sum())
        raise ValueError(
            f"{said} holds {count} value{'s' * (count > 1)} that {'are' if count > 1 else 'is'} not finite, the first "
            f"{value}{big} at {place}; drop or replace {'them' if count > 1 else 'it'}"
        )
    if expected.weights and (cast < 0).any():
        place, value = _first(cast < 0, array, matrix)
        raise ValueError(f"{said} holds a negative weight, {value} at {place}; weights are from 0 up")
    return cast


def _check_labels(expected: Expected, labels: np.ndarray, said: str) -> None:
    limit = expected.classes or np.iinfo(expected.dtype).max + 1
    wrong = (labels < 0) | (labels >= limit) if labels.dtype.kind != "b" else labels >= limit
    if wrong.any():
        place, value = _first(wrong, labels)
        many = f"for {limit} classes" if expected.classes else f"in {expected.dtype}"
        raise ValueError(f"{said} holds label {value} at {place}; labels are from 0 to {limit - 1} {many}")


def _first(wrong: np.ndarray, array: np.ndarray, matrix: Any = None) -> tuple[list[int], Any]:
    """The place and the value of the first entry that is wrong."""
    at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    if matrix is None:
        return [int(i) for i in at], array[at].item()
    entries = matrix.tocoo()
    return [int(entries.row[at[0]]), int(entries.col[at[0]])], array[at].item()
