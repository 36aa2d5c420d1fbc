"""Rules that keep values and derivatives right where the formula as written overflows, cancels or divides zero by zero."""

from __future__ import annotations

from typing import Any

from croton.graph.core import Apply, Variable
from croton.graph.rewriting import Rule, same
from croton.rewrites.patterns import (
    ADD,
    DIV,
    EXP,
    INV,
    LOG,
    LOG1P,
    MUL,
    NEG,
    SIGMOID,
    SUB,
    ew,
    rule,
)
from croton.tensor.basic import constant_value
from croton.tensor.elemwise import erfc, expm1, log1p, log_erfc, mul_or_zero, neg
from croton.tensor.index import Subtensor
from croton.tensor.nnet.activations import sigmoid, softplus
from croton.tensor.nnet.losses import PickColumn
from croton.tensor.nnet.softmax import LogSoftmax, Softmax
from croton.tensor.reduce import Reduction
from croton.tensor.shape import DimShuffle, Reshape
from croton.tensor.variable import TensorVariable

# Ways in which log, exp and the like see through a change of shape or a choice of elements.
_CHOOSING = (Subtensor, DimShuffle, Reshape, PickColumn)


def _log_of(x: Variable) -> Variable | None:
    """log(x) in a stable form, where x has one."""
    node = x.owner
    if node is None:
        return None
    if isinstance(node.op, Softmax):
        return LogSoftmax(node.op.axis)(node.inputs[0])
    if SIGMOID(node.op):
        return -softplus(-node.inputs[0])  # type: ignore[operator]
    if isinstance(node.op, _CHOOSING):
        inner = _log_of(node.inputs[0])
        return None if inner is None else node.op.make_node(inner, *node.inputs[1:]).outputs[0]
    return _log_of_complement(node)


def _log_of_complement(node: Apply) -> Variable | None:
    """log(1 - sigmoid(x)) as -softplus(x)."""
    if not (SUB(node.op) and constant_value(node.inputs[0]) == 1):
        return None
    return _log_complement(node.inputs[1])


def _log_complement(s: Variable) -> Variable | None:
    if s.owner is not None and SIGMOID(s.owner.op):
        return -softplus(s.owner.inputs[0])
    return None


def _log(node: Apply) -> Variable | None:
    return _log_of(node.inputs[0])


def _log1p_of_minus(node: Apply) -> Variable | None:
    inner = node.inputs[0].owner
    return _log_complement(inner.inputs[0]) if inner is not None and NEG(inner.op) else None


def _xlogy(node: Apply) -> Variable | None:
    """x log(y), 0 where x is, with log(y) in a stable form."""
    x, y = node.inputs
    stable = _log_of(y)
    return None if stable is None else mul_or_zero(x, stable)


def _softmax_written_out(node: Apply) -> Variable | None:
    """exp(x) / sum(exp(x), kept axis) as softmax(x)."""
    top, bottom = node.inputs
    if top.owner is None or not EXP(top.owner.op) or bottom.owner is None:
        return None
    x = top.owner.inputs[0]
    ndim = x.type.ndim  # type: ignore[attr-defined]
    total = bottom.owner
    order: Any = None
    if isinstance(total.op, DimShuffle):
        order, total = total.op.new_order, total.inputs[0].owner  # type: ignore[assignment]
    if total is None or not isinstance(total.op, Reduction) or total.op.name != "sum" or len(total.op.axis) != 1:
        return None
    (axis,) = total.op.axis
    kept = [k if k < axis else k - 1 for k in range(ndim)]
    expected = None if total.op.keepdims else tuple("x" if k == axis else kept[k] for k in range(ndim))
    powers = total.inputs[0]
    if order != expected or powers.owner is None or not EXP(powers.owner.op) or not same(powers.owner.inputs[0], x):
        return None
    return Softmax(axis - ndim)(x)


def _logsumexp(node: Apply) -> Variable | None:
    """log(sum(exp(x))) without overflow."""
    total = node.inputs[0].owner
    if total is None or not isinstance(total.op, Reduction) or total.op.name != "sum":
        return None
    powers = total.inputs[0].owner
    if powers is None or not EXP(powers.op):
        return None
    return Reduction("logsumexp", total.op.axis, total.op.keepdims)(powers.inputs[0])


def _factors(x: Variable) -> list[Variable]:
    """The factors of a product, those of products among them included."""
    found, pending = [], [x]
    while pending:
        v = pending.pop()
        if v.owner is not None and MUL(v.owner.op):
            pending += v.owner.inputs
        else:
            found.append(v)
    return found


def _exp_times_sigmoid(node: Apply) -> Variable | None:
    """exp(x) sigmoid(-x) as sigmoid(x), anywhere in a product."""
    factors = _factors(node.outputs[0])
    if len(factors) > 32:
        return None
    powers = [f for f in factors if f.owner is not None and EXP(f.owner.op)]
    curves = [f for f in factors if f.owner is not None and SIGMOID(f.owner.op)]
    for p in powers:
        for s in curves:
            x, minus_x = p.owner.inputs[0], s.owner.inputs[0]  # type: ignore[union-attr]
            if _opposite(x, minus_x):
                rest = [f for f in factors if f is not p and f is not s]
                product: Any = sigmoid(x)
                for f in rest:
                    product = product * f
                return product
    return None


def _opposite(a: Variable, b: Variable) -> bool:
    """Whether one of two variables is written as the negative of the other."""
    for x, y in ((a, b), (b, a)):
        if y.owner is not None and NEG(y.owner.op) and same(y.owner.inputs[0], x):
            return True
    return False


def _minus(x: Variable) -> TensorVariable:
    """-x, or y where x is written -y."""
    return x.owner.inputs[0] if x.owner is not None and NEG(x.owner.op) else neg(x)  # type: ignore[return-value]


def _one_minus_erf(node: Apply) -> Variable | None:
    one, e = node.inputs
    if constant_value(one) == 1 and e.owner is not None and ew("erf")(e.owner.op):
        return erfc(e.owner.inputs[0])
    return None


_ONE_PLUS_EXP = (ADD, 1, (EXP, "x"))

STABILIZE: list[Rule] = [
    # The softmax and the sigmoid, where they are written out.
    Rule("local_softmax_written_out", DIV, _softmax_written_out, frozenset({"stabilize"})),
    rule(
        "local_inv_1_plus_exp",
        [(DIV, 1, _ONE_PLUS_EXP), (INV, _ONE_PLUS_EXP)],
        lambda x: sigmoid(_minus(x)),
        "stabilize",
    ),
    rule("local_exp_over_1_plus_exp", [(DIV, (EXP, "x"), _ONE_PLUS_EXP)], lambda x: sigmoid(x), "stabilize"),
    rule("local_ratio_over_1_plus_exp", [(DIV, "c", _ONE_PLUS_EXP)], lambda c, x: c * sigmoid(_minus(x)), "stabilize"),
    Rule("local_exp_times_sigmoid", MUL, _exp_times_sigmoid, frozenset({"stabilize"})),
    # Logarithms.
    rule("local_log_1_plus_exp", [(LOG, _ONE_PLUS_EXP), (LOG1P, (EXP, "x"))], lambda x: softplus(x), "stabilize"),
    Rule("local_log_of_softmax_or_sigmoid", LOG, _log, frozenset({"stabilize"})),
    Rule("local_log1p_minus_sigmoid", LOG1P, _log1p_of_minus, frozenset({"stabilize"})),
    Rule("local_xlogy_of_softmax_or_sigmoid", ew("xlogy0"), _xlogy, frozenset({"stabilize"})),
    Rule("local_log_sum_exp", LOG, _logsumexp, frozenset({"stabilize"})),
    rule("local_log_erfc", [(LOG, (ew("erfc"), "x"))], lambda x: log_erfc(x), "stabilize"),
    Rule("local_one_minus_erf", SUB, _one_minus_erf, frozenset({"stabilize"})),
    rule("local_log_1_plus_x", [(LOG, (ADD, 1, "x"))], lambda x: log1p(x), "stabilize"),
    rule("local_log_1_minus_x", [(LOG, (SUB, 1, "x"))], lambda x: log1p(neg(x)), "stabilize"),
    rule("local_exp_minus_1", [(SUB, (EXP, "x"), 1)], lambda x: expm1(x), "stabilize"),
]
