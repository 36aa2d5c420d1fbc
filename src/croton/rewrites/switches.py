"""A switch whose branch is singular: the derivative of the branch that is not taken must be 0, not 0 times infinity.

In ``switch(x > 0, log(x), 0)`` at x = 0 the branch's derivative is infinite, and the zero that the switch sends back becomes NaN
on its way. So a singular branch is computed from inputs through which a derivative flows only where the branch is taken.
"""

from __future__ import annotations

from croton.graph.clone import copy_node
from croton.graph.core import Apply, Op, Variable
from croton.graph.rewriting import Rule
from croton.graph.walk import toposort
from croton.rewrites.patterns import ew
from croton.tensor.elemwise import Elemwise, flow_where, invert
from croton.tensor.nnet.activations import Activation

# Elementwise ops with a derivative that can be infinite, or NaN, at a point where a program might stand.
_SINGULAR = {
    "log", "log2", "log10", "log1p", "sqrt", "inv", "true_div", "pow", "arcsin", "arccos", "arccosh", "arctanh", "erfinv", "log_erfc",
    "xlogx", "xlogy0", "gamma", "gammaln", "psi", "exp", "exp2", "expm1", "sinh", "cosh", "sqr", "mul", "tan", "mul_or_zero",
}  # fmt: skip


def _elementwise(op: Op) -> bool:
    return isinstance(op, Elemwise | Activation) or type(op).__name__ == "Cast"


def _branch(branch: Variable, taken: Variable) -> Variable | None:
    """``branch`` computed from inputs masked by ``taken``; None if nothing in it is singular."""
    cone = [n for n in toposort([branch], stop=_edge(branch))]
    if not any(isinstance(n.op, Elemwise) and n.op.name in _SINGULAR for n in cone):
        return None
    if any(isinstance(n.op, Elemwise) and n.op.name == "flow_where" and n.inputs[0] is taken for n in cone):
        return None
    new: dict[Variable, Variable] = {}
    inside = {v for n in cone for v in n.outputs}
    for node in cone:
        inputs = []
        for v in node.inputs:
            if v not in inside and v not in new and _flows(v):
                new[v] = flow_where(taken, v)
            inputs.append(new.get(v, v))
        if any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            copy_node(node, inputs, new)
    return new.get(branch)


def _flows(v: Variable) -> bool:
    from croton.graph.core import Constant

    return not isinstance(v, Constant) and v.type.dtype[0] == "f"  # type: ignore[attr-defined]


def _edge(branch: Variable) -> set[Variable]:
    """Where the elementwise part that computes ``branch`` begins."""
    edge: set[Variable] = set()
    pending, seen = [branch], set()
    while pending:
        v = pending.pop()
        if v in seen:
            continue
        seen.add(v)
        if v.owner is None or not _elementwise(v.owner.op):
            edge.add(v)
        else:
            pending += v.owner.inputs
    return edge


def _mask_branches(node: Apply) -> Variable | None:
    condition, a, b = node.inputs
    shape = node.outputs[0].type.shape  # type: ignore[attr-defined]
    if len(shape) != condition.type.ndim and condition.type.ndim:  # type: ignore[attr-defined]
        return None
    new_a, new_b = _branch(a, condition), None
    inverse = next((n for n in (b.owner,) if n is not None), None)
    if inverse is not None:
        new_b = _branch(b, invert(condition)) if not _already(b) else None
    if new_a is None and new_b is None:
        return None
    return node.op(condition, new_a or a, new_b or b)


def _already(branch: Variable) -> bool:
    return any(isinstance(n.op, Elemwise) and n.op.name == "flow_where" for n in toposort([branch], stop=_edge(branch)))


SWITCHES: list[Rule] = [Rule("local_switch_flow", ew("switch"), _mask_branches, frozenset({"stabilize"}))]
