"""Tensor variables: Python's operators and NumPy's method names over the ops."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from typing import cast as static_cast

import numpy as np

from croton.graph.core import Constant, SharedVariable, Variable, hooks
from croton.tensor.types import TensorType


def _function(name: str) -> Any:
    """A function of croton.tensor, found when first used: these modules and this one need each other."""
    function = _found.get(name)
    if function is None:
        function = _found[name] = getattr(importlib.import_module("croton.tensor"), name)
    return function


_found: dict[str, Any] = {}


class _TensorMixin:
    """What every symbolic tensor can do. ``==`` and ``!=`` compare identity; use T.eq and T.neq for elements."""

    type: TensorType
    name: str | None

    if TYPE_CHECKING:
        # Most methods and all operators are set below, from tables.
        def __getattr__(self, name: str) -> Any: ...

        _operator: Any = None
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operator
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _operator
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = __neg__ = __abs__ = _operator
        __lt__ = __le__ = __gt__ = __ge__ = _operator

    @property
    def dtype(self) -> str:
        return self.type.dtype

    @property
    def ndim(self) -> int:
        return self.type.ndim

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        return self.type.broadcastable

    @property
    def shape(self) -> TensorVariable:
        """The lengths of the dimensions, an int64 vector."""
        return _function("shape")(self)

    @property
    def size(self) -> TensorVariable:
        """The number of elements."""
        return _function("prod")(_function("shape")(self))

    @property
    def T(self) -> TensorVariable:
        return _function("transpose")(self)

    @property
    def real(self) -> TensorVariable:
        return _function("real")(self)

    @property
    def imag(self) -> TensorVariable:
        return _function("imag")(self)

    def __getitem__(self, index: Any) -> TensorVariable:
        return _function("subtensor")(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(f"{self} is symbolic and cannot be assigned to: use T.set_subtensor(x[index], value)")

    def __bool__(self) -> bool:
        owner = static_cast(Variable, self).owner
        if owner is not None and getattr(owner.op, "is_comparison", False):
            raise TypeError(
                "Variables do not support boolean operations: this comparison has no value until a function runs it"
            )
        return True

    def __len__(self) -> int:
        raise TypeError(f"{self} has no length until a function runs: use x.shape[0]")

    def __float__(self) -> float:
        raise TypeError(f"{self} has no value until a function runs: use x.eval() or function()")

    def __int__(self) -> int:
        raise TypeError(f"{self} has no value until a function runs: use x.eval() or function()")

    __index__ = __int__

    def __iter__(self) -> Iterator[TensorVariable]:
        if self.ndim == 0:
            raise TypeError(f"{self} is a scalar: it cannot be iterated over")
        length = _function("static_length")(self)
        if length is None:
            message = f"{self} cannot be iterated over: its length not known until a function runs, so index it: x[i]"
            raise (ValueError if self.ndim == 1 else TypeError)(message)
        return iter([self[k] for k in range(length)])

    def __contains__(self, item: Any) -> bool:
        raise TypeError(f"'in' has no value for the symbolic {self}: use T.any(T.eq(x, item))")

    # NumPy computes with our operators, not its own, when an array stands on the left.
    __array_priority__ = 1000
    __array_ufunc__ = None

    def reshape(self, shape: Any, ndim: int | None = None) -> TensorVariable:
        return _function("reshape")(self, shape, ndim)

    def dimshuffle(self, *pattern: Any) -> TensorVariable:
        if len(pattern) == 1 and isinstance(pattern[0], list | tuple):
            pattern = tuple(pattern[0])
        return _function("dimshuffle")(self, pattern)

    def transpose(self, *axes: Any) -> TensorVariable:
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return _function("transpose")(self, order or None)

    def norm(self, L: float | str, axis: Any = None, keepdims: bool = False) -> TensorVariable:
        return _function("norm")(self, L, axis, keepdims)

    def nonzero(self, return_matrix: bool = False) -> Any:
        return _function("nonzero")(self, return_matrix)

    def zeros_like(self, dtype: str | None = None) -> TensorVariable:
        return _function("zeros_like")(self, dtype)

    def ones_like(self, dtype: str | None = None) -> TensorVariable:
        return _function("ones_like")(self, dtype)

    def astype(self, dtype: str) -> TensorVariable:
        return _function("cast")(self, dtype)

    def copy(self, name: str | None = None) -> TensorVariable:
        copied = _function("tensor_copy")(self)
        copied.name = name
        return copied

    def get_scalar_constant_value(self) -> Any:
        return _function("get_scalar_constant_value")(self)


def _binary(name: str, swap: bool = False) -> Any:
    def method(self: Any, other: Any) -> Any:
        try:
            return _function(name)(*((other, self) if swap else (self, other)))
        except NotImplementedError:
            return NotImplemented

    return method


def _forward(name: str) -> Any:
    def method(self: Any, *args: Any, **keywords: Any) -> Any:
        return _function(name)(self, *args, **keywords)

    method.__name__ = name
    method.__doc__ = f"The function croton.tensor.{name} of this tensor and the arguments."
    return method


_OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "true_div", "floordiv": "int_div", "mod": "mod", "pow": "pow",
    "and": "and_", "or": "or_", "xor": "xor", "matmul": "matmul", "divmod": "divmod",
}  # fmt: skip
_COMPARISONS = {"lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}
_UNARY = {
    "neg": "neg",
    "abs": "abs_",
    "invert": "invert",
    "ceil": "ceil",
    "floor": "floor",
    "trunc": "trunc",
    "pos": "identity",
}
_METHODS = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "choose",
    "clip",
    "compress",
    "conj",
    "cumprod",
    "cumsum",
    "diagonal",
    "dot",
    "fill",
    "flatten",
    "max",
    "mean",
    "min",
    "prod",
    "ptp",
    "ravel",
    "repeat",
    "round",
    "searchsorted",
    "sort",
    "squeeze",
    "std",
    "sum",
    "swapaxes",
    "take",
    "trace",
    "var",
]

for _symbol, _name in _OPERATORS.items():
    setattr(_TensorMixin, f"__{_symbol}__", _binary(_name))
    setattr(_TensorMixin, f"__r{_symbol}__", _binary(_name, swap=True))
for _symbol, _name in _COMPARISONS.items():
    setattr(_TensorMixin, f"__{_symbol}__", _binary(_name))
for _symbol, _name in _UNARY.items():
    setattr(_TensorMixin, f"__{_symbol}__", _forward(_name))
for _name in _METHODS:
    setattr(_TensorMixin, _name, _forward(_name))


class TensorVariable(_TensorMixin, Variable):
    """A symbolic array.

    >>> import croton.tensor as T
    >>> x = T.matrix('x')
    >>> (x + 1).T.ndim
    2
    """

    type: TensorType


class TensorConstant(_TensorMixin, Constant):
    """An array known while the graph is built."""

    type: TensorType
    # The Python number it was made of, so that a float64 expression is not handed a float rounded to float32.
    literal: Any = None

    def signature(self) -> Any:
        data = np.asarray(self.data)
        if data.size <= 64:
            return (self.type, data.tobytes(), repr(self.literal))
        return (self.type, id(self.data))

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        data = np.asarray(self.data)
        text = str(data) if data.size <= 8 else f"{self.type}"
        return text.replace("\n", "")


class TensorSharedVariable(_TensorMixin, SharedVariable):
    """An array that functions read and update."""

    type: TensorType

    def _checked(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        # A copy: what a running program holds must be nobody else's.
        return np.array(self.type.filter(value, strict=strict, allow_downcast=allow_downcast))

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> np.ndarray:
        """The present value as a NumPy array: the caller's own, or, with ``borrow``,
        a read-only view where one is to be had.
        """
        value = hooks.to_host(self.container.value)
        if borrow:
            value = value.view()
            value.flags.writeable = False
            return value
        return np.array(value)

    def filter_update(self, expression: Any) -> Variable:
        from croton.tensor.basic import as_tensor_variable, constant

        if not isinstance(expression, Variable):
            expression = constant(self.type.filter(expression))
        expression = as_tensor_variable(expression)
        if not self.type.accepts(expression.type):
            hint = ""
            if expression.ndim == self.ndim and expression.dtype != self.dtype:
                hint = f": cast it with T.cast(update, '{self.dtype}')"
            raise TypeError(
                "an update must have the same type as the original shared variable: "
                f"{self.name or 'the shared variable'} has type {self.type}, "
                f"the update {expression} has type {expression.type}{hint}"
            )
        return expression

    def zero(self, borrow: bool = False) -> None:
        """Set every element to zero."""
        self.container.value = np.zeros_like(hooks.to_host(self.container.value))
