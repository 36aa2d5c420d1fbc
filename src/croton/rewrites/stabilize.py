"""Rules that keep values and derivatives right where the formula as written overflows, cancels or divides 0 by 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from croton.graph.core import Apply, Variable
from croton.graph.rewriting import Rule, same
from croton.rewrites.patterns import ADD, DIV, EXP, INV, LOG, LOG1P, MUL, NEG, SIGMOID, SUB, ew, number, rule
from croton.tensor.elemwise import erfc, expm1, log, log1p, log_erfc, mul_or_zero, neg
from croton.tensor.index import Subtensor
from croton.tensor.nnet.activations import sigmoid, softplus
from croton.tensor.nnet.losses import PickColumn
from croton.tensor.nnet.softmax import LogSoftmax, Softmax
from croton.tensor.reduce import Reduction
from croton.tensor.shape import DimShuffle, Reshape
from croton.tensor.variable import TensorVariable

# Ops that choose or rearrange elements: the logarithm may as well be taken before them.
_CHOOSING = (Subtensor, DimShuffle, Reshape, PickColumn)
# Products of more factors are not searched.
_MOST_FACTORS = 32


# --- logarithms ---


def _log_softmax(node: Apply) -> Variable | None:
    return LogSoftmax(node.op.axis)(node.inputs[0]) if isinstance(node.op, Softmax) else None


def _log_sigmoid(node: Apply) -> Variable | None:
    return neg(softplus(_minus(node.inputs[0]))) if SIGMOID(node.op) else None


def _log_sum_exp(node: Apply) -> Variable | None:
    powers = node.inputs[0].owner if isinstance(node.op, Reduction) and node.op.name == "sum" else None
    if powers is None or not EXP(powers.op):
        return None
    return Reduction("logsumexp", node.op.axis, node.op.keepdims)(powers.inputs[0])  # type: ignore[attr-defined]


def _before_choosing(x: Variable, take: Callable[[Apply], Variable | None]) -> Variable | None:
    """``take`` of what ``x`` chooses elements from, the same elements then chosen from that."""
    chosen = []
    while x.owner is not None and isinstance(x.owner.op, _CHOOSING):
        chosen.append(x.owner)
        x = x.owner.inputs[0]
    result = None if x.owner is None else take(x.owner)
    if result is not None:
        for node in reversed(chosen):
            result = node.op.make_node(result, *node.inputs[1:]).outputs[0]
    return result


def _log_rule(name: str, take: Callable[[Apply], Variable | None]) -> Rule:
    return Rule(name, LOG, lambda node: _before_choosing(node.inputs[0], take), frozenset({"stabilize"}))


def _has_stable_log(x: Variable) -> bool:
    return any(_before_choosing(x, take) is not None for take in (_log_softmax, _log_sigmoid, _log_sum_exp))


def _log_of_product(node: Apply) -> Variable | None:
    """log(a b) as log(a) + log(b), where each of these has a stable form."""

    def split(product: Apply) -> Variable | None:
        sign, factors = _factors(product.outputs[0])
        if sign < 0 or not 1 < len(factors) <= _MOST_FACTORS or not all(map(_has_stable_log, factors)):
            return None
        total = log(factors[0])
        for factor in factors[1:]:
            total = total + log(factor)
        return total

    return _before_choosing(node.inputs[0], split)


def _xlogy(node: Apply) -> Variable | None:
    """x log(y), 0 where x is, with log(y) where that has a stable form."""
    x, y = node.inputs
    return mul_or_zero(x, log(y)) if _has_stable_log(y) else None


def _log1p_of_minus(node: Apply) -> Variable | None:
    """log1p(-sigmoid(x)) as -softplus(x)."""
    inner = node.inputs[0].owner
    if inner is None or not NEG(inner.op):
        return None
    return _before_choosing(inner.inputs[0], lambda s: neg(softplus(s.inputs[0])) if SIGMOID(s.op) else None)


# --- the softmax and the sigmoid, written out ---


def _complement(node: Apply) -> Variable | None:
    """1 - sigmoid(x) as sigmoid(-x)."""
    one, y = node.inputs
    if number(one) != 1 or one.type.ndim > y.type.ndim:  # type: ignore[attr-defined]
        return None
    return _before_choosing(y, lambda s: sigmoid(_minus(s.inputs[0])) if SIGMOID(s.op) else None)


def _softmax_written_out(node: Apply) -> Variable | None:
    """exp(x) / sum(exp(x), along one axis) as softmax(x)."""
    top, bottom = node.inputs
    if top.owner is None or not EXP(top.owner.op) or bottom.owner is None:
        return None
    x = top.owner.inputs[0]
    ndim = x.type.ndim  # type: ignore[attr-defined]
    total: Apply | None = bottom.owner
    order: Any = None
    if isinstance(bottom.owner.op, DimShuffle):
        order, total = bottom.owner.op.new_order, bottom.owner.inputs[0].owner
    if total is None or not isinstance(total.op, Reduction) or total.op.name != "sum" or len(total.op.axis) != 1:
        return None
    (axis,) = total.op.axis
    restored = tuple("x" if k == axis else k - (k > axis) for k in range(ndim))
    if total.op.keepdims:
        aligned = order is None
    else:
        aligned = order == restored or (order is None and axis == 0)
    powers = total.inputs[0].owner
    if not aligned or powers is None or not EXP(powers.op) or not same(powers.inputs[0], x):
        return None
    return Softmax(axis - ndim)(x)


def _factors(x: Variable) -> tuple[int, list[Variable]]:
    """The sign and the factors of a product, those of products among them included. Long products are not searched."""
    sign, pending = 1, [x]
    found: list[Variable] = []
    while pending and len(found) + len(pending) <= _MOST_FACTORS:
        v = pending.pop()
        if v.owner is not None and MUL(v.owner.op):
            pending += reversed(v.owner.inputs)
        elif v.owner is not None and NEG(v.owner.op):
            sign = -sign
            pending.append(v.owner.inputs[0])
        else:
            found.append(v)
    return sign, found + pending


def _exp_times_sigmoid(node: Apply) -> Variable | None:
    """exp(x) sigmoid(-x) as sigmoid(x), anywhere in a product."""
    sign, factors = _factors(node.outputs[0])
    if len(factors) > _MOST_FACTORS:
        return None
    powers = [f for f in factors if f.owner is not None and EXP(f.owner.op)]
    curves = [f for f in factors if f.owner is not None and SIGMOID(f.owner.op)]
    for p in powers:
        for s in curves:
            x = p.owner.inputs[0]  # type: ignore[union-attr]
            if _opposite(x, s.owner.inputs[0]):  # type: ignore[union-attr]
                rest = list(factors)
                rest.remove(p)
                rest.remove(s)
                product: TensorVariable = sigmoid(x)
                for f in rest:
                    product = product * f
                return product if sign > 0 else neg(product)
    return None


def _opposite(a: Variable, b: Variable) -> bool:
    """Whether one of two variables is written as the negative of the other."""
    return any(y.owner is not None and NEG(y.owner.op) and same(y.owner.inputs[0], x) for x, y in ((a, b), (b, a)))


def _minus(x: Variable) -> TensorVariable:
    """-x, or y where x is written -y."""
    return x.owner.inputs[0] if x.owner is not None and NEG(x.owner.op) else neg(x)  # type: ignore[return-value]


_UNARY_SINGULAR = ew("log", "log2", "log10", "log1p", "sqrt", "inv")
_ONE_PLUS_EXP = (ADD, 1, (EXP, "x"))
_ERF, _ERFC, _XLOGY = ew("erf"), ew("erfc"), ew("xlogy0")
_STABILIZE = frozenset({"stabilize"})

STABILIZE: list[Rule] = [
    Rule("local_softmax_written_out", DIV, _softmax_written_out, _STABILIZE),
    rule(
        "local_inv_1_plus_exp",
        [(DIV, 1, _ONE_PLUS_EXP), (INV, _ONE_PLUS_EXP)],
        lambda x: sigmoid(_minus(x)),
        "stabilize",
    ),
    rule("local_ratio_over_1_plus_exp", [(DIV, "c", _ONE_PLUS_EXP)], lambda c, x: c * sigmoid(_minus(x)), "stabilize"),
    Rule("local_exp_times_sigmoid", MUL, _exp_times_sigmoid, _STABILIZE),
    Rule("local_1_minus_sigmoid", SUB, _complement, _STABILIZE),
    rule("local_log_1_plus_exp", [(LOG, _ONE_PLUS_EXP), (LOG1P, (EXP, "x"))], lambda x: softplus(x), "stabilize"),
    _log_rule("local_log_softmax", _log_softmax),
    _log_rule("local_log_sigmoid", _log_sigmoid),
    _log_rule("local_log_sum_exp", _log_sum_exp),
    Rule("local_log_of_product", LOG, _log_of_product, _STABILIZE),
    Rule("local_log1p_minus_sigmoid", LOG1P, _log1p_of_minus, _STABILIZE),
    Rule("local_xlogy", _XLOGY, _xlogy, _STABILIZE),
    rule("local_log_erfc", [(LOG, (_ERFC, "x"))], lambda x: log_erfc(x), "stabilize"),
    rule("local_1_minus_erf", [(SUB, 1, (_ERF, "x"))], lambda x: erfc(x), "stabilize"),
    rule("local_log_1_plus_x", [(LOG, (ADD, 1, "x"))], lambda x: log1p(x), "stabilize"),
    rule("local_log_1_minus_x", [(LOG, (SUB, 1, "x"))], lambda x: log1p(neg(x)), "stabilize"),
    rule("local_exp_minus_1", [(SUB, (EXP, "x"), 1), (ADD, -1, (EXP, "x"))], lambda x: expm1(x), "stabilize"),
]
