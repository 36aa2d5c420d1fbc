"""What goes wrong with gradients, and the type of one that does not exist."""

from __future__ import annotations

from croton.graph.core import Type


class DisconnectedInputError(ValueError):
    """A gradient was asked for with respect to something that the cost does not depend on."""


class NullTypeGradError(TypeError):
    """A gradient was asked for that is not defined."""


class GradientError(Exception):
    """A gradient differs from the one found by finite differences."""


class DisconnectedType(Type):
    """The type of the gradient with respect to something that the cost does not depend on."""

    def __str__(self) -> str:
        return "DisconnectedType"

    def __eq__(self, other: object) -> bool:
        return type(other) is DisconnectedType

    def __hash__(self) -> int:
        return hash(DisconnectedType)


class NullType(Type):
    """The type of a derivative that does not exist: ``why``, and the class of the ``error`` to raise where it is used.

    As theano.gof.null_type.NullType.
    """

    def __init__(self, why: str = "the derivative is not defined", error: type[Exception] = NullTypeGradError) -> None:
        self.why, self.error = why, error

    def __eq__(self, other: object) -> bool:
        return type(other) is NullType

    def __hash__(self) -> int:
        return hash(NullType)

    def __repr__(self) -> str:
        return f"NullType({self.why})"
