"""Derivative nodes: they remember what is to be differentiated with respect to what; nothing is differentiated here.

A ``Derivative`` has as inputs its sources (what is differentiated), seeds (the vectors that a product with the jacobian is taken
with), wrt variables and held constants, all in the one graph, so that rewriting, cloning and printing treat it as any node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from croton.graph.clone import copy_node
from croton.graph.clone import rebuild as rebuild_graph
from croton.graph.core import Apply, Op, Type, Variable, origin
from croton.graph.walk import ancestors, toposort


@dataclass(frozen=True, eq=False)
class Mark(Op):
    """The input under a name of its own, for a derivative to be taken (or, with ``stop``, to end) just there.

    No rewrite looks through it, and no two are equal, so that merging leaves each alone.
    """

    stop: bool = False

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [x.type]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return context.marked(node, values[0])


@dataclass(frozen=True)
class Derivative(Op):
    """``form`` 'reverse': cotangents of the sources to the wrt; 'forward': tangents of the wrt to the sources; or 'jacobian'."""

    form: str
    sources: int
    seeds: int
    wrt: int
    types: tuple[Type, ...]

    def split(self, inputs: Sequence[Variable]) -> tuple[tuple[Variable, ...], ...]:
        """``inputs`` as (sources, seeds, wrt, held)."""
        a, b, c = self.sources, self.sources + self.seeds, self.sources + self.seeds + self.wrt
        return tuple(inputs[:a]), tuple(inputs[a:b]), tuple(inputs[b:c]), tuple(inputs[c:])

    def output_types(self, *inputs: Variable) -> Sequence[Type]:
        return self.types

    def connected(self, node: Apply) -> Sequence[bool]:
        _, _, _, held = self.split(node.inputs)
        return [True] * (len(node.inputs) - len(held)) + [False] * len(held)

    def rebuild(self, node: Apply, inputs: Sequence[Variable], substituted: Mapping[Variable, Variable]) -> Apply:
        """The derivative of the substituted graph along the paths that were there before.

        What replaces a variable is held constant where it would open a path from a wrt; a replaced wrt is differentiated at a
        mark on its replacement.
        """
        sources, seeds, wrt, held = self.split(node.inputs)
        marks = self._marks(sources, wrt, substituted)
        if not marks:
            return self.make_node(*inputs)
        _, new_seeds, _, _ = self.split(inputs)
        roots = rebuild_graph([*sources, *wrt, *held], {**substituted, **marks})
        a, b = len(sources), len(sources) + len(wrt)
        constants = [m for old, m in marks.items() if old not in wrt]
        return self.make_node(*roots[:a], *new_seeds, *roots[a:b], *roots[b:], *constants)

    def _marks(
        self, sources: Sequence[Variable], wrt: Sequence[Variable], substituted: Mapping[Variable, Variable]
    ) -> dict[Variable, Variable]:
        if not substituted:
            return {}
        cone = set(ancestors(sources))
        points = {w for w in wrt if w not in substituted}
        marks = {}
        for old, new in substituted.items():
            if old in wrt or (old in cone and not points.isdisjoint(ancestors([new]))):
                marks[old] = Mark().make_node(new).out
        return marks

    def __str__(self) -> str:
        return {"reverse": "grad", "forward": "Rop"}.get(self.form, self.form)


def settle(outputs: Sequence[Variable]) -> list[Variable]:
    """``outputs`` with every derivative taken at marks or at the graph's edge, and none with held constants.

    A derivative with respect to an intermediate variable gets a private copy of its sources, marked there, so that rewrites of the
    main graph neither lose the variable nor match across it. Nodes on the same sources share one copy.
    """
    current = list(outputs)
    while True:
        groups: dict[Any, list[Apply]] = {}
        for node in toposort(current):
            if isinstance(node.op, Derivative) and _unsettled(node):
                sources, seeds, _, held = node.op.split(node.inputs)
                groups.setdefault((node.op.form, sources, seeds, held), []).append(node)
        if not groups:
            return current
        first = next(iter(groups.values()))
        current = _follow(current, _settle_group(first))


def _unsettled(node: Apply) -> bool:
    _, _, wrt, held = node.op.split(node.inputs)  # type: ignore[attr-defined]
    return bool(held) or any(not _settled(w) for w in wrt)


def _settled(w: Variable) -> bool:
    return (w.owner is None and not is_discrete(w)) or (w.owner is not None and isinstance(w.owner.op, Mark))


def held_apart(held: Sequence[Variable], wrt: Sequence[Variable]) -> list[Variable]:
    """Those of ``held`` that a derivative must be stopped at; a wrt at the graph's edge has nothing behind it."""
    return [h for h in held if h not in wrt or not _settled(h)]


def is_discrete(v: Variable) -> bool:
    """Whether a variable's dtype is an integer's or a boolean's."""
    return getattr(v.type, "dtype", "float")[0] in "biu"


def float_uses(wrt: Variable, order: Sequence[Apply]) -> list[Variable]:
    """The floats that an integer variable becomes: what casts make directly of it, among the nodes of ``order``."""
    return [
        n.outputs[0]
        for n in order
        if n.inputs[:1] == (wrt,) and hasattr(n.op, "dtype") and not is_discrete(n.outputs[0])
    ]


def _settle_group(nodes: list[Apply]) -> dict[Variable, Variable]:
    op: Derivative = nodes[0].op  # type: ignore[assignment]
    sources, seeds, _, held = op.split(nodes[0].inputs)
    order = toposort(sources)
    targets: dict[Variable, list[Variable]] = {}
    for node in nodes:
        for w in op.split(node.inputs)[2] if node is nodes[0] else node.op.split(node.inputs)[2]:  # type: ignore[attr-defined]
            targets[w] = float_uses(w, order) if is_discrete(w) else [w]
    marks: dict[Variable, list[Mark]] = {h: [Mark(stop=True)] for h in held}
    for point in dict.fromkeys(p for points in targets.values() for p in points if not _settled(p)):
        marks.setdefault(point, []).append(Mark())
    new = _insert(sources, marks)
    new_sources = [new.get(v, v) for v in sources]
    results: dict[Variable, Variable] = {}
    for node in nodes:
        wrt = node.op.split(node.inputs)[2]  # type: ignore[attr-defined]
        with origin(node.place):
            results.update(zip(node.outputs, _at_marks(node, new_sources, seeds, wrt, targets, new), strict=True))
    return results


def _at_marks(
    node: Apply,
    sources: Sequence[Variable],
    seeds: Sequence[Variable],
    wrt: Sequence[Variable],
    targets: Mapping[Variable, list[Variable]],
    new: Mapping[Variable, Variable],
) -> list[Variable]:
    """The node's outputs, with derivatives at the marked ``targets`` of its wrt added up."""
    op: Derivative = node.op  # type: ignore[assignment]
    points = [new.get(p, p) for w in wrt for p in targets[w]]
    if op.form == "forward":
        if any(is_discrete(w) for w in wrt):
            raise TypeError(
                f"Rop with respect to an integer variable is not defined: {[w for w in wrt if is_discrete(w)]}"
            )
        return (
            Derivative("forward", len(sources), len(seeds), len(points), op.types)
            .make_node(*sources, *seeds, *points)
            .outputs
        )
    types = tuple(t for w, t in zip(wrt, op.types, strict=True) for _ in targets[w])
    taken = []
    if points:
        taken = (
            Derivative(op.form, len(sources), len(seeds), len(points), types)
            .make_node(*sources, *seeds, *points)
            .outputs
        )
    results, k = [], 0
    for w, type_ in zip(wrt, op.types, strict=True):
        own, k = taken[k : k + len(targets[w])], k + len(targets[w])
        results.append(Total(type_).make_node(w, *own).out if is_discrete(w) else own[0])
    return results


@dataclass(frozen=True)
class Total(Op):
    """The sum of the derivatives at the floats that an integer variable became; zeros of its shape where there are none."""

    type: Type

    def output_types(self, *inputs: Variable) -> Sequence[Type]:
        return [self.type]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return context.total(self.type, values[0], values[1:])


def _insert(outputs: Sequence[Variable], marks: Mapping[Variable, Sequence[Mark]]) -> dict[Variable, Variable]:
    """The copies that arise when each key of ``marks`` is seen, by all that uses it, through its marks."""
    new: dict[Variable, Variable] = {}
    order = toposort(outputs)
    for v in {v for node in order for v in node.inputs if v.owner is None} | set(outputs):
        if v in marks and v.owner is None:
            new[v] = _marked(v, marks[v])
    for node in order:
        if any(v in new for v in node.inputs):
            copy_node(node, [new.get(v, v) for v in node.inputs], new)
        for v in node.outputs:
            if v in marks:
                new[v] = _marked(new.get(v, v), marks[v])
    return new


def _marked(v: Variable, marks: Sequence[Mark]) -> Variable:
    for mark in marks:
        v = mark.make_node(v).out
    return v


def _follow(outputs: Sequence[Variable], replace: Mapping[Variable, Variable]) -> list[Variable]:
    """``outputs`` with variables replaced by others of the same value: derivatives follow without more ado."""
    new = dict(replace)
    for node in toposort(outputs, stop=replace):
        if any(v in new for v in node.inputs):
            copy_node(node, [new.get(v, v) for v in node.inputs], new)
    return [new.get(v, v) for v in outputs]
