"""Saying more, or less, of a tensor's static shape than the graph knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable
from croton.tensor.reduce import normal_axis
from croton.tensor.shape import kind, lengths_of
from croton.tensor.types import Shape as StaticShape
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable


@dataclass(frozen=True)
class SpecifyShape(TensorOp):
    """The input, with lengths claimed for its dimensions; a false claim is an error at run time."""

    lengths: StaticShape
    error: type[Exception] = ValueError

    def output_types(self, x: Variable) -> Sequence[Type]:
        own = kind(x).shape
        return [
            TensorType(
                kind(x).dtype, shape=tuple(b if a is None else a for a, b in zip(self.lengths, own, strict=True))
            )
        ]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        (x,) = values
        for axis, length in enumerate(self.lengths):
            if length is not None and x.shape[axis] != length:
                raise self.error(
                    f"dimension {axis} of {node.inputs[0]} must have length {length}, its shape is {tuple(x.shape)}"
                )
        return x


@dataclass(frozen=True)
class Unbroadcast(TensorOp):
    """The input, with dimensions no longer said to have length 1."""

    axes: tuple[int, ...]

    def output_types(self, x: Variable) -> Sequence[Type]:
        own = kind(x).shape
        return [TensorType(kind(x).dtype, shape=tuple(None if a in self.axes else n for a, n in enumerate(own)))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return values[0]


def specify_shape(x: Any, shape: Any) -> TensorVariable:
    """``x``, said to have the lengths ``shape`` (ints, or None for unknown); AssertionError at run time if it has not.

    >>> import croton.tensor as T
    >>> T.specify_shape(T.matrix(), (2, 1)).broadcastable
    (False, True)
    """
    x = as_tensor_variable(x)
    _, lengths = lengths_of(
        [-1 if n is None else n for n in shape] if isinstance(shape, list | tuple) else shape, "specify_shape"
    )
    if lengths is None or len(lengths) != x.ndim:
        raise ValueError(f"specify_shape of {x}: {shape} does not have its {x.ndim} dimensions")
    return SpecifyShape(tuple(None if n is None or n < 0 else n for n in lengths), AssertionError)(x)


def addbroadcast(x: Any, *axes: int) -> TensorVariable:
    """``x`` with the dimensions ``axes`` said to have length 1; ValueError at run time where they have not.

    >>> import croton.tensor as T
    >>> T.addbroadcast(T.matrix(), 0).broadcastable
    (True, False)
    """
    x = as_tensor_variable(x)
    chosen = normal_axis(x, axes, "addbroadcast")
    return SpecifyShape(tuple(1 if a in chosen else None for a in range(x.ndim)))(x) if axes else x


def unbroadcast(x: Any, *axes: int) -> TensorVariable:
    """``x`` with the dimensions ``axes`` no longer said to have length 1.

    >>> import croton.tensor as T
    >>> T.unbroadcast(T.row(), 0).broadcastable
    (False, False)
    """
    x = as_tensor_variable(x)
    return Unbroadcast(normal_axis(x, axes, "unbroadcast"))(x) if axes else x


def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> TensorVariable:
    """``x`` with exactly the dimensions marked in ``broadcastable`` said to have length 1.

    >>> import croton.tensor as T
    >>> T.patternbroadcast(T.matrix(), (False, True)).broadcastable
    (False, True)
    """
    x = as_tensor_variable(x)
    if len(broadcastable) != x.ndim:
        raise ValueError(
            f"patternbroadcast of {x}: the pattern {tuple(broadcastable)} does not have its {x.ndim} dimensions"
        )
    loose = unbroadcast(x, *[a for a in range(x.ndim) if x.broadcastable[a] and not broadcastable[a]])
    return addbroadcast(loose, *[a for a in range(x.ndim) if broadcastable[a] and not loose.broadcastable[a]])
