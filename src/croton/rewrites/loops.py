"""Loops: what nobody reads is not collected, and what is used in parts is computed in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from croton.graph.clone import copy_node, rebuild
from croton.graph.core import Apply, Variable, origin
from croton.graph.nested import Graph
from croton.graph.rewriting import Rule
from croton.graph.walk import toposort
from croton.loop.op import Scan
from croton.loop.parts import Part, of_product
from croton.tensor.index import Subtensor
from croton.tensor.shape import Shape


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
    used = {v for node in toposort(outputs) for v in node.inputs} | set(outputs)

    def change(node: Apply, inputs: Sequence[Variable]) -> dict[Variable, Variable] | None:
        kept = [k for k, v in enumerate(node.outputs) if v in used]
        if len(kept) == len(node.outputs):
            return None
        twin = node.op.keeping(kept).make_node(*inputs)  # type: ignore[attr-defined]
        return dict(zip([node.outputs[k] for k in kept], twin.outputs, strict=True))

    return _changed(outputs, change)


def feed_parts(outputs: Sequence[Variable]) -> list[Variable]:
    """``outputs`` with loops fed by parts of a sequence instead of by the whole, where the steps use only parts of it.

    So it is where the sequence is a product or a sum with one, ``dot(x, W) + b``, that nothing else uses: its parts are
    products with columns of W, and the whole is never written to memory, to be cut there.
    """
    users: dict[Variable, int] = dict.fromkeys(outputs, 2)
    for node in toposort(outputs):
        if not isinstance(node.op, Shape):
            for v in node.inputs:
                users[v] = users.get(v, 0) + 1

    def change(node: Apply, inputs: Sequence[Variable]) -> dict[Variable, Variable] | None:
        sequences = node.op.split(node.inputs).sequences  # type: ignore[attr-defined]
        cuts = {k: parts for k, parts in _used_parts(node.op).items() if users[sequences[k]] == 1}  # type: ignore[arg-type]
        if not cuts:
            return None
        fed = _fed(node.op, inputs, cuts)  # type: ignore[arg-type]
        return None if fed is None else dict(zip(node.outputs, fed.outputs, strict=True))

    return _changed(outputs, change)


def _changed(
    outputs: Sequence[Variable], change: Callable[[Apply, Sequence[Variable]], dict[Variable, Variable] | None]
) -> list[Variable]:
    """``outputs`` with loops changed: what ``change`` makes of a loop's outputs on other inputs, None for the same."""
    new: dict[Variable, Variable] = {}
    for node in toposort(outputs):
        inputs = [new.get(v, v) for v in node.inputs]
        made = None
        if isinstance(node.op, Scan):
            with origin(node.place):
                made = change(node, inputs)
        if made is not None:
            for old, fresh in made.items():
                fresh.name = old.name
            new.update(made)
        elif any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            copy_node(node, inputs, new)
    return [new.get(v, v) for v in outputs]


def _used_parts(op: Scan) -> dict[int, dict[Part, list[Variable]]]:
    """For each sequence, by position, of which a step uses several parts and nothing else, the variables they are."""
    found = {}
    for k, slots in enumerate(op.slots.sequences):
        users = [n for n in op.graph.order if slots[0] in n.inputs]
        parts: dict[Part, list[Variable]] = {}
        for n in users:
            if isinstance(n.op, Part):
                parts.setdefault(n.op, []).append(n.out)
        apart = all(isinstance(n.op, Part) for n in users) and slots[0] not in op.graph.outputs
        if len(slots) == 1 and len(parts) > 1 and apart:
            found[k] = parts
    return found


def _fed(op: Scan, inputs: Sequence[Variable], cuts: dict[int, dict[Part, list[Variable]]]) -> Apply | None:
    """The loop fed with these parts of sequences where they can be computed by themselves; None if none can."""
    given = op.split(inputs)
    fed: list[tuple[Variable, tuple[int, ...], Sequence[Variable]]] = []
    instead: dict[Variable, Variable] = {}
    for k, whole in enumerate(zip(given.sequences, op.sequences, op.slots.sequences, strict=True)):
        x, taps, _ = whole
        parts = [(taken, of_product(x, part)) for part, taken in cuts.get(k, {}).items()]
        found = [(taken, value) for taken, value in parts if value is not None]
        if not found or len(found) < len(parts):
            fed.append(whole)
            continue
        for taken, value in found:
            slot = taken[0].type()
            instead.update(dict.fromkeys(taken, slot))
            value.name = x.name and f"a part of {x.name}"
            fed.append((value, taps, [slot]))
    if not instead:
        return None
    slots = [*[s for _, _, own in fed for s in own], *op.graph.inputs[sum(map(len, op.sequences)) :]]
    step = Graph(slots, rebuild(op.graph.outputs, instead, values=False))
    made = replace(op, step=step, sequences=tuple(taps for _, taps, _ in fed))
    steps = inputs[: int(op.counted)]
    return made.make_node(*steps, *[x for x, _, _ in fed], *inputs[len(steps) + len(given.sequences) :])


LOOPS: list[Rule] = [
    Rule("local_scan_last", lambda op: isinstance(op, Subtensor) and bool(op.index), _last_step, frozenset({"speed"})),
]
