"""Looking at expressions and their values: graphs as text, and values printed when they are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from croton.graph.core import Apply, Type, Variable
from croton.graph.draw import draw
from croton.graph.printing import debugprint, min_informative_str, pp
from croton.tensor.basic import TensorOp


def print_attributes(op: Print, value: Any) -> None:
    """Print a line for each of the op's ``attrs``: its message, the attribute's name and value; methods are called."""
    for attr in op.attrs:
        found = getattr(value, attr)
        print(op.message, attr, "=", found() if callable(found) else found)


class Print(TensorOp):
    """``Print(message)(x)`` is ``x``, and prints its value each time that a function computes it.

    Arguments: ``message``, what each line begins with; ``attrs``, which attributes of the NumPy array to print, and
    which of its methods to call ('shape', 'min', 'mean' ...); ``global_fn``, a function of this op and the array that
    is called instead of printing. As theano.printing.Print.

    >>> import croton, croton.tensor as T
    >>> from croton.printing import Print
    >>> x = T.dvector('x')
    >>> f = croton.function([x], Print('x is', attrs=('__str__', 'shape'))(x).sum())
    >>> f([1.0, 2.0])
    x is __str__ = [1. 2.]
    x is shape = (2,)
    array(3.)
    """

    host = True
    tells = True

    def __init__(
        self,
        message: str = "",
        attrs: Sequence[str] = ("__str__",),
        global_fn: Callable[[Print, Any], None] = print_attributes,
    ) -> None:
        self.message, self.attrs, self.global_fn = message, tuple(attrs), global_fn

    def _props(self) -> tuple[Any, ...]:
        return self.message, self.attrs, self.global_fn

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._props() == self._props()

    def __hash__(self) -> int:
        return hash((type(self), self._props()))

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [x.type]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        if context is not None:  # a value looked at while the graph is built is not told
            context.tell(partial(self.global_fn, self), values[0])
        return values[0]

    def __str__(self) -> str:
        return f"Print{{message={self.message!r}, attrs={self.attrs}}}"


__all__ = ["Print", "debugprint", "draw", "min_informative_str", "pp", "print_attributes"]
