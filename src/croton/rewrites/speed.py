"""Rules that make a program faster and leave its values unchanged."""

from __future__ import annotations

from croton.graph.core import Apply, Variable
from croton.graph.rewriting import Rule
from croton.rewrites.patterns import ADD, MUL, NEG, SIGMOID, ew, number, rule
from croton.tensor.elemwise import Elemwise, exp, inv, sqr, sqrt, tanh
from croton.tensor.nnet.activations import Activation, sigmoid
from croton.tensor.nnet.softmax import LogSoftmax, Softmax
from croton.tensor.reduce import Reduction

_POWERS = {2: sqr, 0.5: sqrt, -1: inv}
# Increasing functions: the largest element stands in the same place before and after.
_INCREASING = {exp.name, tanh.name}


def _pow_by_number(node: Apply) -> Variable | None:
    """x ** 2 as sqr(x), x ** 0.5 as sqrt(x), x ** -1 as inv(x)."""
    x, power = node.inputs
    op = _POWERS.get(number(power))
    if op is None or x.type.dtype[0] not in "fc" or power.type.ndim > x.type.ndim:  # type: ignore[attr-defined]
        return None
    return op(x)


def _argmax_before_softmax(node: Apply) -> Variable | None:
    """argmax(softmax(x)) as argmax(x), the softmax being over the axis that is searched."""
    inner = node.inputs[0].owner
    if not isinstance(node.op, Reduction) or node.op.name != "argmax" or inner is None:
        return None
    x = inner.inputs[0]
    if isinstance(inner.op, Softmax | LogSoftmax):
        return node.op(x) if node.op.axis == (inner.op.axis % x.type.ndim,) else None  # type: ignore[attr-defined]
    if isinstance(inner.op, Activation) and inner.op.name in ("sigmoid", "softplus"):
        return node.op(x)
    return node.op(x) if isinstance(inner.op, Elemwise) and inner.op.name in _INCREASING else None


SPEED: list[Rule] = [
    Rule("local_pow_by_number", ew("pow"), _pow_by_number, frozenset({"speed"})),
    Rule(
        "local_argmax_of_increasing", lambda op: isinstance(op, Reduction), _argmax_before_softmax, frozenset({"speed"})
    ),
    rule("local_double_negative", [(ew("neg"), (ew("neg"), "x"))], lambda x: x, "speed"),
    # An update gate's u * a + (1 - u) * b, after 1 - u has become sigmoid(-x): within a sum 1 - u is exact enough, and
    # one sigmoid does.
    rule(
        "local_update_gate",
        [(ADD, (MUL, (SIGMOID, "x"), "a"), (MUL, (SIGMOID, (NEG, "x")), "b"))],
        lambda x, a, b: sigmoid(x) * a + (1 - sigmoid(x)) * b,
        "speed",
        phase=1,
    ),
]
