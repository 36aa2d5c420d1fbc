"""The inputs and outputs of a function: how they are given, and how arguments are checked."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from croton.graph.core import SharedVariable, Type, Variable
from croton.sparse.value import inside, is_scipy
from croton.tensor.types import TensorType


class In:
    """An input of a function: its variable, and how it is passed.

    ``value``: taken where the call gives none; ``name``: for passing it by keyword, the variable's if None;
    ``update``: an expression whose value is stored, after each call, as the value for the next; ``strict``: take
    exactly the variable's dtype;
    ``allow_downcast``: True takes any number and casts it, False not even Python floats for float32; ``borrow``: a
    promise not to change an array while the call runs, which saves nothing here, for arguments are read before the
    call returns;
    ``mutable``: accepted, since an argument's array is never written to.

    >>> import croton, croton.tensor as T
    >>> x, y = T.dscalars('x', 'y')
    >>> f = croton.function([x, croton.In(y, value=1.0)], x + y)
    >>> f(2.0), f(2.0, 5.0)
    (array(3.), array(7.))
    """

    def __init__(
        self,
        variable: Variable,
        name: str | None = None,
        value: Any = None,
        update: Any = None,
        mutable: bool | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
        autoname: bool = True,
        implicit: bool | None = None,
        borrow: bool | None = None,
        shared: bool = False,
    ) -> None:
        if implicit or shared:
            raise NotImplementedError(
                "In(implicit=True) and In(shared=True) are internal to Theano: use a shared variable"
            )
        if not isinstance(variable, Variable):
            raise TypeError(f"In takes a variable, not {variable!r}")
        if mutable and borrow is False:
            raise AssertionError("In: an input that is mutable is borrowed: do not pass borrow=False with mutable=True")
        self.variable = variable
        self.name = name if name is not None or not autoname else variable.name
        self.strict, self.allow_downcast = strict, allow_downcast
        self.mutable, self.borrow = bool(mutable), bool(borrow or mutable)
        self.value = None if value is None else _checked_default(variable, value, strict, allow_downcast)
        self.update = update
        if update is not None and not (isinstance(update, Variable) and variable.type.accepts(update.type)):
            raise TypeError(f"In: the update {update} of {variable} must be a variable of its type {variable.type}")


class Out:
    """An output of a function. ``borrow`` is accepted: results are the caller's own all the same."""

    def __init__(self, variable: Variable, borrow: bool = False) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"Out takes a variable, not {variable!r}")
        self.variable, self.borrow = variable, borrow


def Param(
    variable: Variable,
    default: Any = None,
    name: str | None = None,
    mutable: bool = False,
    strict: bool = False,
    allow_downcast: bool | None = None,
    implicit: bool | None = None,
    borrow: bool | None = None,
) -> In:
    """An old name of ``In``; warns."""
    warnings.warn("Param is deprecated: use In(variable, value=...)", DeprecationWarning, stacklevel=2)
    return In(variable, name, default, None, mutable, strict, allow_downcast, implicit=implicit, borrow=borrow)


def _checked_default(variable: Variable, value: Any, strict: bool, allow_downcast: bool | None) -> Any:
    if isinstance(value, SharedVariable):
        return value
    checked = variable.type.filter(value, strict=strict, allow_downcast=allow_downcast)
    return checked.copy() if is_scipy(checked) else np.array(checked)


def exact_form(variable: Variable) -> tuple[Any, int]:
    """The dtype and rank of arrays that an input takes as they are; (None, 0) where there is more to check."""
    type_: Any = variable.type
    plain = isinstance(type_, TensorType) and type_.ndim > 0 and all(n is None for n in type_.shape)
    return (type_.numpy_dtype, type_.ndim) if plain else (None, 0)


def accept_for(given: In, position: int, function_name: str) -> Callable[[Any], np.ndarray]:
    """What turns an argument into an array of the input's type; the quick way first."""
    type_: Type = given.variable.type
    dtype, ndim = getattr(type_, "numpy_dtype", None), getattr(type_, "ndim", -1)
    strict, downcast = given.strict, given.allow_downcast
    integer = ndim == 0 and dtype is not None and dtype.kind == "i" and not strict
    limit = np.iinfo(dtype).max if integer else 0

    def accept(value: Any) -> np.ndarray:
        if integer and type(value) is int and 0 <= value <= limit:
            return np.array(value, dtype)
        try:
            array = type_.filter(value, strict=strict, allow_downcast=downcast)
        except TypeError as error:
            raise TypeError(
                f"Bad input argument to function {function_name!r} at index {position} (0-based), "
                f"{given.name or given.variable}: {error}"
            ) from None
        if ndim == 0:
            return np.array(array)
        return inside(array) if is_scipy(array) else array

    return accept
