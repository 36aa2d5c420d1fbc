"""Graphs inside ops: a loop's step is a graph of its own, whose inputs the loop feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from croton.graph.clone import copy_node
from croton.graph.core import Apply, Op, Variable, origin
from croton.graph.walk import toposort


class Graph:
    """``outputs`` as a function of ``inputs``: nothing else at its edge but constants."""

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.order = toposort(self.outputs, stop=set(self.inputs))

    def __reduce__(self) -> Any:
        return Graph, (self.inputs, self.outputs)


def nodes_within(order: Sequence[Apply]) -> Iterator[Apply]:
    """The nodes of ``order`` and those of the graphs inside them, at any depth."""
    for node in order:
        yield node
        if node.op.graph is not None:
            yield from nodes_within(node.op.graph.order)


def map_graphs(outputs: Sequence[Variable], change: Callable[[Graph], Graph]) -> list[Variable]:
    """``outputs`` with ``change`` applied to the graph of each op that has one; equal ops stay equal."""
    new: dict[Variable, Variable] = {}
    changed: dict[Op, Op] = {}
    for node in toposort(outputs):
        inputs = [new.get(v, v) for v in node.inputs]
        if node.op.graph is not None:
            if node.op not in changed:
                changed[node.op] = node.op.with_graph(change(node.op.graph))
            with origin(node.place):
                twin = changed[node.op].make_node(*inputs)
            for old, fresh in zip(node.outputs, twin.outputs, strict=True):
                fresh.name = old.name
                new[old] = fresh
        elif any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            copy_node(node, inputs, new)
    return [new.get(v, v) for v in outputs]
