"""A derivative through what a choice (``switch``, an index) has not taken must be 0, not 0 times infinity."""

from __future__ import annotations

import numpy as np

from croton.graph.core import Apply, Constant, Op, Variable
from croton.graph.rewriting import Rule
from croton.tensor.basic import Cast
from croton.tensor.elemwise import Elemwise
from croton.tensor.guarded import Guarded
from croton.tensor.index import Subtensor
from croton.tensor.linalg import Dot
from croton.tensor.nnet.softmax import Softmax
from croton.tensor.shape import DimShuffle, Reshape

_ARRANGING = (Subtensor, DimShuffle, Reshape, Dot, Cast)

# Elementwise ops whose derivative can be infinite or NaN, at a finite point or at an infinite one.
_SINGULAR = {
    "log", "log2", "log10", "log1p", "sqrt", "sqr", "inv", "true_div", "mul", "pow", "exp", "exp2", "expm1", "sinh",
    "cosh", "tan", "arcsin", "arccos", "arccosh", "arctanh", "erfinv", "log_erfc", "gamma", "gammaln", "psi", "xlogx",
    "xlogy0", "mul_or_zero",
}  # fmt: skip


def _is_singular(op: Op) -> bool:
    return type(op) is Elemwise and op.name in _SINGULAR


# Ops whose results lie between -1 and 1, and those that make finite numbers of finite numbers, barring overflow.
_BOUNDED = ("tanh", "sigmoid", "ultra_fast_sigmoid", "hard_sigmoid", "sin", "cos", "erf", "sgn")
_KEEPING = ("add", "sub", "neg", "mul", "sqr", "maximum", "minimum", "abs_", "clip")
# So far back it is looked for where a value comes from.
_FAR = 64


def _is_finite(v: Variable) -> bool:
    """Whether ``v`` cannot be infinite. What a loop's step is fed with is taken to be finite: loops need to be fast."""
    stack, seen = [v], set[Variable]()
    while stack:
        v = stack.pop()
        if v in seen:
            continue
        seen.add(v)
        if len(seen) > _FAR:
            return False
        if isinstance(v, Constant):
            if not np.isfinite(v.data).all():
                return False
        elif v.owner is None:
            if not getattr(v.tag, "in_loop", False):
                return False
        elif getattr(v.owner.op, "name", "") in _BOUNDED or isinstance(v.owner.op, Softmax):
            continue
        elif getattr(v.owner.op, "name", "") in _KEEPING or isinstance(v.owner.op, _ARRANGING):
            stack += v.owner.inputs
        else:
            return False
    return True


def _guard(node: Apply) -> Variable | None:
    name = node.op.name  # type: ignore[attr-defined]
    if name in ("mul", "sqr") and all(map(_is_finite, node.inputs)):
        return None
    factors = {"mul": node.inputs, "true_div": node.inputs[1:]}.get(name, ())
    if any(isinstance(v, Constant) for v in factors) or node.outputs[0].type.dtype[0] != "f":  # type: ignore[attr-defined]
        return None
    return Guarded(name).make_node(*node.inputs).out


SWITCHES: list[Rule] = [
    Rule("local_switch_flow", _is_singular, _guard, frozenset({"stabilize", "derivative"}), phase=1),
]
