"""What rules are written with: tests for ops, and a rule from a pattern and a replacement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from croton.graph.core import Apply, Op, Variable
from croton.graph.rewriting import Pattern, Rule, match
from croton.tensor.basic import cast, constant_value
from croton.tensor.elemwise import Elemwise
from croton.tensor.nnet.activations import Activation


def ew(*names: str) -> Callable[[Op], bool]:
    """Whether an op is one of the named elementwise ops."""
    return lambda op: isinstance(op, Elemwise) and op.name in names


def curve(name: str) -> Callable[[Op], bool]:
    """Whether an op is the named activation."""
    return lambda op: isinstance(op, Activation) and op.name == name


ADD, SUB, MUL, DIV, NEG, INV = ew("add"), ew("sub"), ew("mul"), ew("true_div"), ew("neg"), ew("inv")
EXP, LOG, LOG1P = ew("exp"), ew("log"), ew("log1p")
SIGMOID = curve("sigmoid")


def number(x: Variable) -> Any:
    """The number that a constant of one element stands for, or None: a longer one gives the result its shape."""
    return constant_value(x) if all(n == 1 for n in x.type.shape) else None  # type: ignore[attr-defined]


def rule(
    name: str, patterns: list[Pattern], replacement: Callable[..., Variable | None], *tags: str, phase: int = 0
) -> Rule:
    """A rule that replaces a node of any of the forms ``patterns`` by ``replacement(**what the names stand for)``."""
    roots = [p[0] for p in patterns]

    def apply(node: Apply) -> Variable | None:
        out = node.outputs[0]
        for pattern in patterns:
            found: dict[str, Variable] = {}
            if match(pattern, out, found, number):
                result = replacement(**found)
                # A number of shape (1, 1) may have given the result dimensions that its replacement would lack.
                if result is not None and result.type.ndim == out.type.ndim:  # type: ignore[attr-defined]
                    return cast(result, out.type.dtype)  # type: ignore[attr-defined]
        return None

    return Rule(name, lambda op: any(test(op) for test in roots), apply, frozenset(tags), phase)
