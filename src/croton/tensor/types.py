"""TensorType: the dtype and the static shape of an array-valued variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from croton.graph.core import Type, Variable
from croton.settings import config

DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
Shape = tuple[int | None, ...]


def upcast(*dtypes: str) -> str:
    """The dtype that holds values of all of ``dtypes``: NumPy's promotion of arrays."""
    return str(np.result_type(*[np.dtype(d) for d in dtypes]))


class TensorType(Type):
    """Arrays of one dtype and rank. A dimension's length may be known (1 is what broadcasts) or None.

    ``TensorType('float32', (False, True))`` and ``TensorType('float32', shape=(None, 1))`` are the same type: Theano's
    broadcastable pattern says only which dimensions have length one.

    >>> from croton.tensor import TensorType
    >>> x = TensorType('float32', (False, True))('x')
    >>> x.ndim, x.broadcastable
    (2, (False, True))
    """

    def __init__(
        self,
        dtype: str,
        broadcastable: Sequence[bool] | None = None,
        name: str | None = None,
        sparse_grad: bool = False,
        *,
        shape: Shape | None = None,
    ) -> None:
        if dtype == "floatX":
            dtype = config.floatX
        try:
            dtype = str(np.dtype(dtype))
        except TypeError:
            dtype = str(dtype)
        if dtype not in DTYPES:
            raise TypeError(f"unsupported dtype {dtype!r} for TensorType: it must be one of {', '.join(DTYPES)}")
        if sparse_grad:
            raise NotImplementedError("TensorType(sparse_grad=True): sparse gradients are not supported")
        if (broadcastable is None) == (shape is None):
            raise TypeError("TensorType takes either a broadcastable pattern or a shape")
        self.dtype: str = dtype
        if shape is None:
            shape = tuple(1 if b else None for b in broadcastable)  # type: ignore[union-attr]
        self.shape: Shape = shape
        self.name = name
        self.numpy_dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        return tuple(n == 1 for n in self.shape)

    def variable(self, owner: Any = None, index: int | None = None, name: str | None = None) -> Variable:
        from croton.tensor.variable import TensorVariable

        return TensorVariable(self, owner, index, name)

    def clone(self, dtype: str | None = None, broadcastable: Sequence[bool] | None = None) -> TensorType:
        """The same type with another dtype or pattern."""
        if broadcastable is not None:
            return TensorType(dtype or self.dtype, broadcastable)
        return TensorType(dtype or self.dtype, shape=self.shape)

    def accepts(self, other: Type) -> bool:
        return (
            isinstance(other, TensorType)
            and other.dtype == self.dtype
            and other.ndim == self.ndim
            and all(a is None or b is None or a == b for a, b in zip(self.shape, other.shape, strict=True))
        )

    def __eq__(self, other: object) -> bool:
        return type(other) is TensorType and other.dtype == self.dtype and other.shape == self.shape

    def __hash__(self) -> int:
        return hash((self.dtype, self.shape))

    def __reduce__(self) -> Any:
        return _make_type, (self.dtype, self.shape, self.name)

    def __repr__(self) -> str:
        known = [str(n) for n in self.shape if n is not None]
        names = {0: "scalar", 1: "vector", 2: "matrix", 3: "tensor3", 4: "tensor4", 5: "tensor5"}
        if not known and self.ndim in names:
            return f"TensorType({self.dtype}, {names[self.ndim]})"
        return f"TensorType({self.dtype}, ({', '.join('?' if n is None else str(n) for n in self.shape)}))"

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> np.ndarray:
        """``value`` as an array of this type, or a TypeError that says what is wrong with it.

        An array of another dtype is accepted where the dtype's values surely fit; a Python number or a list where its
        values do not change; a Python float where this type is floatX; anything with ``allow_downcast``.
        """
        if isinstance(value, Variable):
            raise TypeError(
                f"expected a value for {self}, got the symbolic variable {value}: give a number or an array"
            )
        if isinstance(value, np.ndarray) and value.dtype == self.numpy_dtype:
            array = value
        elif strict:
            raise TypeError(f"{self} takes exactly an array of {self.dtype} (strict), got {_describe(value)}")
        else:
            array = self._convert(value, allow_downcast)
        if array.ndim != self.ndim:
            raise TypeError(
                f"wrong number of dimensions: expected {self.ndim}, got {array.ndim} with shape {array.shape}"
            )
        for axis, known in enumerate(self.shape):
            if known is not None and array.shape[axis] != known:
                raise TypeError(
                    f"dimension {axis} must have length {known} in {self}, got an array of shape {array.shape}"
                )
        return array

    def _convert(self, value: Any, allow_downcast: bool | None) -> np.ndarray:
        try:
            given = np.asarray(value)
        except ValueError as error:
            raise TypeError(f"expected {self}, got {_describe(value)}: {error}") from None
        if given.dtype.kind not in "biufcV" or (given.dtype.kind == "V" and given.dtype.name != "bfloat16"):
            raise TypeError(f"expected {self}, got {_describe(value)}")
        if allow_downcast:
            return given.astype(self.dtype)
        fits = upcast(self.dtype, str(given.dtype)) == self.dtype
        if isinstance(value, np.ndarray) or (hasattr(value, "dtype") and getattr(value, "ndim", 0) > 0):
            if fits:
                return given.astype(self.dtype)
        else:
            if type(value) is float and self.dtype == config.floatX and allow_downcast is None:
                return np.asarray(value, self.dtype)
            with np.errstate(over="ignore", invalid="ignore"):
                cast = given.astype(self.dtype)
            if fits or np.array_equal(cast, given, equal_nan=given.dtype.kind in "fc"):
                return cast
        raise TypeError(
            f"a value of type {self} cannot hold {_describe(value)} without risking loss of precision: "
            f"cast it (numpy.asarray(value, dtype='{self.dtype}')) or allow it with allow_input_downcast=True"
        )


def _make_type(dtype: str, shape: Shape, name: str | None) -> TensorType:
    return TensorType(dtype, name=name, shape=shape)


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return f"an array of dtype {value.dtype} and shape {value.shape}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) < 60 else text[:57] + '...'}"


def broadcast_shapes(what: Any, shapes: Sequence[Shape]) -> Shape:
    """The static shape of an elementwise result, as NumPy would broadcast; ValueError where lengths surely disagree."""
    ndim = max((len(s) for s in shapes), default=0)
    result: list[int | None] = []
    for axis in range(-ndim, 0):
        lengths = {s[axis] for s in shapes if len(s) >= -axis} - {1}
        known = lengths - {None}
        if len(known) > 1:
            raise ValueError(
                f"{what}: input dimension mismatch: shapes {', '.join(map(str, shapes))} do not broadcast together"
            )
        result.append(known.pop() if known else None if lengths else 1)
    return tuple(result)
