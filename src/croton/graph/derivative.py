"""Derivative nodes: they remember what is to be differentiated with respect to what; nothing is differentiated here.

A ``Derivative`` has as inputs its sources (what is differentiated), seeds (the vectors that a product with the
jacobian is taken with), wrt variables and held constants, all in the one graph, so that rewriting, cloning and
printing treat it as any node.
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
    """Derivatives of sources by wrt: ``form`` 'reverse' (seeded at the sources), 'forward' (at the wrt), 'jacobian'."""

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

        What replaces a variable is held constant where it would open a path from a wrt; a replaced wrt is
        differentiated at a mark on its replacement.
        """
        sources, _seeds, wrt, held = self.split(node.inputs)
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

    A derivative with respect to an intermediate variable gets a private copy of its sources, marked there, so that
    rewrites of the main graph neither lose the variable nor match across it. Nodes on the same sources share one copy.
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
        current = follow(current, _settle_group(first))


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


def between(sources: Sequence[Variable], wrt: Sequence[Variable]) -> dict[Apply, None]:
    """The nodes between wrt and sources, in order: those whose values depend on a wrt."""
    order = toposort(sources)
    starts = {w for w in wrt if w.owner is None}
    marks = {w.owner for w in wrt if w.owner is not None}
    reach = set(starts)
    active: dict[Apply, None] = {}
    for node in order:
        if node in marks or any(v in reach for v in node.inputs):
            reach.update(node.outputs)
            active[node] = None
    return active


def _settle_group(nodes: list[Apply]) -> dict[Variable, Variable]:
    op: Derivative = nodes[0].op  # type: ignore[assignment]
    sources, _, _, held = op.split(nodes[0].inputs)
    order = toposort(sources)
    wrt = [w for node in nodes for w in node.op.split(node.inputs)[2]]  # type: ignore[attr-defined]
    targets = {w: float_uses(w, order) if is_discrete(w) else [w] for w in wrt}
    points = list(dict.fromkeys(p for found in targets.values() for p in found))
    views: list[View] = []
    for layer in _layers(order, points):
        marks: dict[Variable, list[Mark]] = {h: [Mark(stop=True)] for h in held}
        for point in layer:
            if not _settled(point):
                marks.setdefault(point, []).append(Mark())
        new = _insert(sources, marks)
        views.append(([new.get(v, v) for v in sources], {p: new.get(p, p) for p in layer}))
    results: dict[Variable, Variable] = {}
    for node in nodes:
        with origin(node.place):
            results.update(zip(node.outputs, _at_marks(node, views, targets), strict=True))
    return results


# Copies of the sources, and, for the points that are marked in them, where to differentiate.
View = tuple[list[Variable], dict[Variable, Variable]]


def _layers(order: Sequence[Apply], points: Sequence[Variable]) -> list[list[Variable]]:
    """``points`` in groups none of which holds two that depend on each other; those that need no mark come first.

    A mark hides what lies above it from what lies below, where rewrites must see both: each point is differentiated
    in a copy that has no other mark on the way.
    """
    free = [p for p in points if _settled(p)]
    open_ = {p for p in points if not _settled(p)}
    level: dict[Variable, int] = {}
    above: dict[Variable, int] = {}
    for node in order:
        most = max((above.get(v, 0) for v in node.inputs), default=0)
        for v in node.outputs:
            above[v] = most + (v in open_)
            if v in open_:
                level[v] = most
    marked = [
        [p for p in points if p in open_ and level.get(p, 0) == k] for k in range(max(level.values(), default=0) + 1)
    ]
    return [layer for layer in (free, *marked) if layer]


def _at_marks(node: Apply, views: Sequence[View], targets: Mapping[Variable, list[Variable]]) -> list[Variable]:
    """The node's outputs: derivatives at the points of each view, added up where several belong to one wrt."""
    op: Derivative = node.op  # type: ignore[assignment]
    _, seeds, wrt, _ = op.split(node.inputs)
    if op.form == "forward":
        return _forward_at_marks(op, seeds, wrt, views)
    type_of = {p: t for w, t in zip(wrt, op.types, strict=True) for p in targets[w]}
    taken: dict[Variable, Variable] = {}
    for sources, places in views:
        own = [p for p in type_of if p in places]
        if own:
            twin = Derivative(op.form, len(sources), len(seeds), len(own), tuple(type_of[p] for p in own))
            taken.update(zip(own, twin.make_node(*sources, *seeds, *[places[p] for p in own]).outputs, strict=True))
    return [
        Total(t).make_node(w, *[taken[p] for p in targets[w]]).out if is_discrete(w) else taken[w]
        for w, t in zip(wrt, op.types, strict=True)
    ]


def _forward_at_marks(
    op: Derivative, seeds: Sequence[Variable], wrt: Sequence[Variable], views: Sequence[View]
) -> list[Variable]:
    """The sum over all views of the tangents that come from their points."""
    if any(is_discrete(w) for w in wrt):
        raise TypeError(f"Rop with respect to an integer variable is not defined: {[w for w in wrt if is_discrete(w)]}")
    parts: list[list[Variable]] = []
    for sources, places in views:
        own = [(places[w], s) for w, s in zip(wrt, seeds, strict=True) if w in places]
        if own:
            twin = Derivative("forward", len(sources), len(own), len(own), op.types)
            parts.append(twin.make_node(*sources, *[s for _, s in own], *[p for p, _ in own]).outputs)
    if len(parts) == 1:
        return parts[0]
    return [Total(t).make_node(first, first, *rest).out for t, first, *rest in zip(op.types, *parts, strict=True)]


@dataclass(frozen=True)
class Total(Op):
    """The sum of the derivatives at the floats that an integer variable became; zeros where there are none."""

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


def follow(outputs: Sequence[Variable], replace: Mapping[Variable, Variable]) -> list[Variable]:
    """``outputs`` with variables replaced by others of the same value: derivatives follow without more ado."""
    new = dict(replace)
    for node in toposort(outputs, stop=replace):
        if any(v in new for v in node.inputs):
            copy_node(node, [new.get(v, v) for v in node.inputs], new)
    return [new.get(v, v) for v in outputs]
