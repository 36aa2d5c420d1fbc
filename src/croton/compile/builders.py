"""Expressions used like ops: a graph that is put in the place of each call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from croton.compile.ops import as_input
from croton.graph.clone import rebuild
from croton.graph.core import Constant, SharedVariable, Variable
from croton.graph.errors import MissingInputError
from croton.graph.walk import explicit_inputs


class OpFromGraph:
    """``OpFromGraph(inputs, outputs)`` called on other inputs is ``outputs`` computed from those.

    The graph takes the place of the call, whatever ``inline`` says, so that rewrites and derivatives see all of it.
    Shared variables in it stay what they are. Derivatives of one's own (``lop_overrides``, ``grad_overrides``,
    ``rop_overrides``) are not taken: write a `UserOp` with a ``grad``.

    Raises TypeError for inputs that are no plain variables, and at a call for others of another type; MissingInputError
    where ``outputs`` need further inputs. As theano.OpFromGraph.

    >>> import croton, croton.tensor as T
    >>> x, y = T.dscalars('x', 'y')
    >>> hypotenuse = croton.compile.OpFromGraph([x, y], [T.sqrt(x ** 2 + y ** 2)])
    >>> hypotenuse(3.0, hypotenuse(x, 0.0)).eval({x: 4.0})
    array(5.)
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        inline: bool = False,
        lop_overrides: Any = "default",
        grad_overrides: Any = "default",
        rop_overrides: Any = "default",
        connection_pattern: Any = None,
        name: str | None = None,
    ) -> None:
        if (lop_overrides, grad_overrides, rop_overrides, connection_pattern) != (*["default"] * 3, None):
            raise NotImplementedError(
                "OpFromGraph with derivatives of its own is not supported: write an op with perform and grad"
            )
        for v in inputs:
            if not isinstance(v, Variable) or isinstance(v, Constant | SharedVariable):
                raise TypeError(f"an input of OpFromGraph must be a variable, neither constant nor shared, not {v!r}")
        missing = [v for v in explicit_inputs(outputs) if not any(v is i for i in inputs)]
        if missing:
            raise MissingInputError(f"OpFromGraph needs {', '.join(map(str, missing))} too: add them to its inputs")
        self.inputs, self.outputs, self.name = list(inputs), list(outputs), name

    def __call__(self, *inputs: Any) -> Any:
        if len(inputs) != len(self.inputs):
            raise TypeError(f"{self} takes {len(self.inputs)} inputs, {len(inputs)} were given")
        given = [
            as_input(v, own.type, f"the input {own} of {self}") for v, own in zip(inputs, self.inputs, strict=True)
        ]
        outputs = rebuild(self.outputs, dict(zip(self.inputs, given, strict=True)))
        return outputs[0] if len(outputs) == 1 else outputs

    def __str__(self) -> str:
        return self.name or "OpFromGraph"
