"""What data a network may be given: each array is compared with what its variable expects, and cast to it.

The same checks serve whole data sets and single batches, and come before anything is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from croton.nets.arrays import as_array, check_lengths, is_array, is_outside
from croton.nets.registry import nearest
from croton.sparse.value import is_scipy

__all__ = ["Expected", "accept", "accept_all"]


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
        count = f"{len(names)} array{'s' * (len(names) != 1)} ({', '.join(names)})"
        raise ValueError(
            f"{where}: expected {count}, got {len(given)}; pass a list with one array for each, in this order"
        )
    return given


def accept(expected: Expected, array: Any, where: str) -> Any:
    """One array, checked and cast: a NumPy array of ``expected.dtype``, or a SciPy matrix for a sparse variable.

    Real data of any real, integer or boolean type is cast; labels may be of any integer type, or boolean. Raises as
    ``accept_all``. Where the last axis is to have size 1, as for a mask or targets of one output, it may be left out.
    """
    said = f"{where}: {expected.name}"
    array = as_array(array, said)
    one = expected.real and expected.ndim > 1 and expected.sizes[-1] == 1
    if one and len(array.shape) == expected.ndim - 1 and not is_scipy(array):
        array = array[:][..., None]
    _check_shape(expected, array, said)
    _check_kind(expected, array, said)
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
        shifted = expected.classes and labels.min() == 1 and labels.max() == limit
        hint = ": they seem to count from 1, subtract 1" if shifted else ""
        raise ValueError(f"{said} holds label {value} at {place}; labels are from 0 to {limit - 1} {many}{hint}")


def _first(wrong: np.ndarray, array: np.ndarray, matrix: Any = None) -> tuple[list[int], Any]:
    """The place and the value of the first entry that is wrong."""
    at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    if matrix is None:
        return [int(i) for i in at], array[at].item()
    entries = matrix.tocoo()
    return [int(entries.row[at[0]]), int(entries.col[at[0]])], array[at].item()
