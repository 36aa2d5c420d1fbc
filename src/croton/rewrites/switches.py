"""A derivative through what a choice (``switch``, an index) has not taken must be 0, not 0 times infinity."""

from __future__ import annotations

from croton.graph.core import Apply, Constant, Op, Variable
from croton.graph.rewriting import Rule
from croton.tensor.elemwise import Elemwise
from croton.tensor.guarded import Guarded

# Elementwise ops whose derivative can be infinite or NaN, at a finite point or at an infinite one.
_SINGULAR = {
    "log", "log2", "log10", "log1p", "sqrt", "sqr", "inv", "true_div", "mul", "pow", "exp", "exp2", "expm1", "sinh",
    "cosh", "tan", "arcsin", "arccos", "arccosh", "arctanh", "erfinv", "log_erfc", "gamma", "gammaln", "psi", "xlogx",
    "xlogy0", "mul_or_zero",
}  # fmt: skip


def _is_singular(op: Op) -> bool:
    return type(op) is Elemwise and op.name in _SINGULAR


def _guard(node: Apply) -> Variable | None:
    name = node.op.name  # type: ignore[attr-defined]
    factors = {"mul": node.inputs, "true_div": node.inputs[1:]}.get(name, ())
    if any(isinstance(v, Constant) for v in factors) or node.outputs[0].type.dtype[0] != "f":  # type: ignore[attr-defined]
        return None
    return Guarded(name).make_node(*node.inputs).out


SWITCHES: list[Rule] = [
    Rule("local_switch_flow", _is_singular, _guard, frozenset({"stabilize", "derivative"}), phase=1),
]
