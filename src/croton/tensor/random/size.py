"""The ``size`` argument of random draws: how many numbers, in what shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from croton.graph.core import Variable
from croton.tensor.basic import as_tensor_variable, cast
from croton.tensor.elemwise import add
from croton.tensor.shape import kind, lengths_of, shape
from croton.tensor.types import Shape as StaticShape
from croton.tensor.variable import TensorVariable

Size = tuple[TensorVariable, StaticShape]


def free_size(what: str, size: Any, ndim: int | None, parameters: Sequence[TensorVariable]) -> Size:
    """``size`` as an int64 vector and its static lengths, by the rules of ``RandomStreams``.

    None means the shape to which the parameters broadcast, and so does -1 for one dimension; a vector of unknown
    length needs ``ndim``. Raises TypeError for what is no size, ValueError where ``ndim`` or the parameters disagree.
    """
    if size is None:
        vector, lengths = _of_parameters(parameters)
    elif isinstance(size, list | tuple) or (isinstance(size, np.ndarray) and size.ndim == 1):
        entries = [int(n) if isinstance(n, np.generic) else n for n in size]
        entries = [_auto(what, k, len(entries), parameters) if _is_int(n, -1) else n for k, n in enumerate(entries)]
        _check_lengths(what, entries, 0)
        vector, lengths = _listed(what, entries)
    elif isinstance(size, Variable) and getattr(size.type, "ndim", None) == 1:
        vector, lengths = _symbolic(what, size, ndim)
    else:
        raise TypeError(
            f"{what}: size must be a tuple or list of integers and scalars, an integer vector or None, not {size!r}"
        )
    _check_rank(what, ndim, lengths)
    most = max((p.ndim for p in parameters), default=0)
    if most > len(lengths):
        raise ValueError(
            f"{what}: the size {size} has {len(lengths)} dimensions, fewer than the {most} of "
            f"{next(p for p in parameters if p.ndim == most)}"
        )
    return vector, lengths


def strict_size(what: str, size: Any, ndim: int | None) -> Size:
    """``size`` by the rules of ``MRG_RandomStreams.uniform``: a tuple of positive integers and scalars, or a vector."""
    if isinstance(size, tuple):
        entries = [int(n) if isinstance(n, np.generic) else n for n in size]
        _check_lengths(what, entries, 1)
        vector, lengths = _listed(what, entries)
    elif isinstance(size, Variable) and getattr(size.type, "ndim", None) == 1:
        vector, lengths = _symbolic(what, size, ndim)
    else:
        raise TypeError(
            f"{what}: size must be a tuple of integers and scalars, or an integer vector, not {size!r} of type "
            f"{type(size).__name__}"
        )
    _check_rank(what, ndim, lengths)
    return vector, lengths


def loose_size(what: str, size: Any, ndim: int | None) -> Size:
    """``size`` by the rules of ``MRG_RandomStreams.normal``: also an integer, a scalar, or a list; else ValueError."""
    if isinstance(size, int | np.integer) or (isinstance(size, Variable) and getattr(size.type, "ndim", None) == 0):
        size = (size,)
    elif isinstance(size, list) or (isinstance(size, np.ndarray) and size.ndim == 1):
        size = tuple(size)
    elif not isinstance(size, tuple | Variable) or getattr(getattr(size, "type", None), "ndim", 1) != 1:
        raise ValueError(f"{what}: size must be an integer, a tuple, a list or an integer vector, not {size!r}")
    return strict_size(what, size, ndim)


def _of_parameters(parameters: Sequence[TensorVariable]) -> Size:
    if not parameters:
        return as_tensor_variable(np.zeros(0, "int64")), ()
    template = parameters[0] if len(parameters) == 1 else add(*parameters)
    return shape(template), template.type.shape


def _auto(what: str, k: int, rank: int, parameters: Sequence[TensorVariable]) -> Any:
    """What -1 in place ``k`` of a size of length ``rank`` stands for."""
    covering = [(p, k + p.ndim - rank) for p in parameters if k >= rank - p.ndim]
    if not covering:
        raise ValueError(f"{what}: -1 in place {k} of the size stands for the length of no parameter's dimension")
    for p, axis in covering:
        if not p.broadcastable[axis]:
            known = p.type.shape[axis]
            return shape(p)[axis] if known is None else known
    return 1


def _check_lengths(what: str, entries: Sequence[Any], least: int) -> None:
    for n in entries:
        if isinstance(n, int) and n < least:
            raise ValueError(f"{what}: the size {tuple(entries)} contains {n}: a length must be at least {least}")


def _listed(what: str, entries: Sequence[Any]) -> Size:
    vector, lengths = lengths_of(entries, what)
    assert lengths is not None
    return vector, lengths


def _symbolic(what: str, size: Variable, ndim: int | None) -> Size:
    if kind(size).dtype[0] not in "iu":
        raise TypeError(f"{what}: size must be a vector of integers, not {size} of type {size.type}")
    vector, lengths = lengths_of(size, what)
    if lengths is None:
        if ndim is None:
            raise ValueError(f"{what}: the length of the size {size} is unknown: give ndim, the number of dimensions")
        lengths = (None,) * ndim
    _check_lengths(what, [n for n in lengths if n is not None], 0)
    return cast(vector, "int64"), lengths


def _check_rank(what: str, ndim: int | None, lengths: StaticShape) -> None:
    if ndim is not None and ndim != len(lengths):
        raise ValueError(f"{what}: ndim is {ndim}, but the size has {len(lengths)} dimensions")


def _is_int(n: Any, value: int) -> bool:
    return isinstance(n, int) and n == value
