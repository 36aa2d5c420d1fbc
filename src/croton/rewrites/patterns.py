"""What rules are written with: tests for ops, and a rule from a pattern and a replacement."""

from __future__ import annotations

from collections.abc import Callable

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


def rule(name: str, patterns: list[Pattern], replacement: Callable[..., Variable | None], *tags: str) -> Rule:
    """A rule that replaces a node of any of the forms ``patterns`` by ``replacement(**what the names stand for)``."""
    roots = [p[0] for p in patterns]

    def apply(node: Apply) -> Variable | None:
        out = node.outputs[0]
        for pattern in patterns:
            found: dict[str, Variable] = {}
            if match(pattern, out, found, constant_value):
                result = replacement(**found)
                if result is not None:
                    return cast(result, out.type.dtype)  # type: ignore[attr-defined]
        return None

    return Rule(name, lambda op: any(test(op) for test in roots), apply, frozenset(tags))
