"""Loops: what nobody reads is not collected."""

from __future__ import annotations

from collections.abc import Sequence

from croton.graph.clone import copy_node
from croton.graph.core import Apply, Variable, origin
from croton.graph.rewriting import Rule
from croton.graph.walk import toposort
from croton.loop.op import Scan
from croton.tensor.index import Subtensor


def _last_step(node: Apply) -> Variable | None:
    """The last element of a loop's stacked output as the loop's last value, for which nothing need be stacked."""
    stacked = node.inputs[0]
    loop = stacked.owner
    if node.op.index[0] != -1 or loop is None or not isinstance(loop.op, Scan):  # type: ignore[attr-defined]
        return None
    what, k = loop.op.wanted[stacked.index]  # type: ignore[index]
    if what != "all" or ("last", k) not in loop.op.wanted:
        return None
    last = loop.outputs[loop.op.wanted.index(("last", k))]
    rest = node.op.index[1:]  # type: ignore[attr-defined]
    return Subtensor(rest).make_node(last, *node.inputs[1:]).out if rest else last


def trim(outputs: Sequence[Variable]) -> list[Variable]:
    """``outputs`` with every loop computing only what is used of it."""
    order = toposort(outputs)
    used = {v for node in order for v in node.inputs} | set(outputs)
    new: dict[Variable, Variable] = {}
    for node in order:
        inputs = [new.get(v, v) for v in node.inputs]
        kept = [k for k, v in enumerate(node.outputs) if v in used]
        if isinstance(node.op, Scan) and len(kept) < len(node.outputs):
            with origin(node.place):
                twin = node.op.keeping(kept).make_node(*inputs)
            for k, fresh in zip(kept, twin.outputs, strict=True):
                fresh.name = node.outputs[k].name
                new[node.outputs[k]] = fresh
        elif any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            copy_node(node, inputs, new)
    return [new.get(v, v) for v in outputs]


LOOPS: list[Rule] = [
    Rule("local_scan_last", lambda op: isinstance(op, Subtensor) and bool(op.index), _last_step, frozenset({"speed"})),
]
