"""The op behind every loop: a step graph, what it is fed with, and which of its results are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from croton.graph.core import Apply, Constant, Op, SharedVariable, Type, Variable
from croton.graph.nested import Graph
from croton.tensor.basic import constant_value
from croton.tensor.index import Subtensor
from croton.tensor.shape import Shape, kind
from croton.tensor.types import TensorType


class Parts(NamedTuple):
    """What a loop's inputs (or their values) are."""

    steps: Any
    sequences: tuple[Any, ...]
    initial: tuple[Any, ...]
    shared: tuple[Any, ...]
    fixed: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Scan(Op):
    """A loop over ``step``.

    The step's inputs are, in order: for each sequence one slot for each of its taps; for each output that feeds back
    one slot for each of its taps; the shared variables that change; what stays the same (fixed). Its outputs: the
    loop's outputs, the new shared values, and, with ``until``, the condition to stop after.
    ``taps`` holds each output's taps, () where it does not feed back. With ``checkpoint`` only every so many steps an
    output is collected, and the steps between are computed again for derivatives; without ``padding`` a rest of fewer
    steps is an error. ``wanted`` are the node's outputs: ('all', k), output k of every step; ('last', k), of the last
    step; ('shared', k), the final value of a shared variable.
    """

    step: Graph
    sequences: tuple[tuple[int, ...], ...]
    taps: tuple[tuple[int, ...], ...]
    shared: int
    counted: bool
    backwards: bool
    truncate: int
    until: bool
    checkpoint: int
    padding: bool
    name: str | None
    wanted: tuple[tuple[str, int], ...]

    @property
    def graph(self) -> Graph:
        return self.step

    def split(self, inputs: Sequence[Any]) -> Parts:
        """The node's inputs, or their values, by what they are."""
        a = int(self.counted)
        b = a + len(self.sequences)
        c = b + sum(1 for t in self.taps if t)
        d = c + self.shared
        steps = inputs[0] if self.counted else None
        return Parts(steps, tuple(inputs[a:b]), tuple(inputs[b:c]), tuple(inputs[c:d]), tuple(inputs[d:]))

    @cached_property
    def slots(self) -> Parts:
        """The step's inputs by what feeds them: for each sequence and each output a tuple, one slot for each tap."""
        rest = list(self.graph.inputs)

        def take(n: int) -> tuple[Variable, ...]:
            taken = tuple(rest[:n])
            del rest[:n]
            return taken

        sequences = tuple(take(len(t)) for t in self.sequences)
        initial = tuple(take(len(t)) for t in self.taps)
        shared = take(self.shared)
        return Parts(None, sequences, initial, shared, tuple(rest))

    @cached_property
    def elements(self) -> tuple[Variable, ...]:
        """The slots of all sequences, one after another."""
        return tuple(s for group in self.slots.sequences for s in group)

    @property
    def outputs(self) -> tuple[Variable, ...]:
        """The step's outputs that the loop collects."""
        return self.graph.outputs[: len(self.taps)]

    @property
    def news(self) -> tuple[Variable, ...]:
        """The step's new shared values."""
        return self.graph.outputs[len(self.taps) : len(self.taps) + self.shared]

    def lags(self, k: int) -> int:
        """How many past values of output ``k`` the step looks back at."""
        return -min(self.taps[k], default=0)

    # --- what a node of it is ---

    def output_types(self, *inputs: Variable) -> Sequence[Type]:
        length = self._length(inputs)
        types = {"all": lambda k: _stacked(self.outputs[k], length), "last": lambda k: kind(self.outputs[k])}
        return [types[what](k) if what in types else _shared_type(self, inputs, k) for what, k in self.wanted]

    def _length(self, inputs: Sequence[Variable]) -> int | None:
        if self.until:
            return None
        n = self._steps(inputs)
        return n if n is None or not self.checkpoint else -(-n // self.checkpoint)

    def _steps(self, inputs: Sequence[Variable]) -> int | None:
        parts = self.split(inputs)
        if self.counted:
            return constant_value(parts.steps)
        found = []
        for x, taps in zip(parts.sequences, self.sequences, strict=True):
            n = kind(x).shape[0]
            if n is None:
                return None
            found.append(n - span(taps)[1])
        return max(min(found), 0)

    def with_graph(self, graph: Graph) -> Scan:
        return replace(self, step=graph)

    def keeping(self, kept: Sequence[int]) -> Scan:
        """The same loop with only some of its outputs, by position."""
        return replace(self, wanted=tuple(self.wanted[k] for k in kept))

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return context.loop(node, values)

    @property
    def data_dependent(self) -> bool:  # type: ignore[override]
        return self._moving_shapes or (self.until and any(what == "all" for what, _ in self.wanted))

    @property
    def tells(self) -> bool:  # type: ignore[override]
        return any(n.op.tells for n in self.graph.order)

    def structural(self, node: Apply) -> Sequence[Variable]:
        """The number of steps, and what decides shapes inside the step."""
        parts = self.split(node.inputs)
        own = [x for x, slot in zip(parts.fixed, self.slots.fixed, strict=True) if slot in self._deciding]
        return [parts.steps, *own] if self.counted else own

    @cached_property
    def _deciding(self) -> set[Variable]:
        """The step's inputs whose values decide shapes inside it."""
        stack = [v for n in self.graph.order for v in n.op.structural(n)]
        for node in self.graph.order:
            if isinstance(node.op, Subtensor):
                stack += [v for p in node.op.bounds(node) if isinstance(p.entry, tuple) for v in p.inputs]
        seen: set[Variable] = set()
        while stack:
            v = stack.pop()
            if v in seen:
                continue
            seen.add(v)
            if v.owner is not None and not isinstance(v.owner.op, Shape):
                stack += v.owner.inputs
        return seen.intersection(self.graph.inputs)

    @cached_property
    def _moving_shapes(self) -> bool:
        """Whether shapes may change from step to step, or depend on data."""
        return bool(self._deciding.difference(self.slots.fixed)) or any(n.op.data_dependent for n in self.graph.order)

    def checked(self, node: Apply) -> Sequence[Variable]:
        """All inputs, if anything inside the step is compared with bounds when it runs."""
        for inner in self.graph.order:
            if any(not isinstance(v, Constant) for v in getattr(inner.op, "checked", lambda _: ())(inner)):
                return node.inputs
        return ()

    def default_updates(self, node: Apply) -> Mapping[SharedVariable, Variable]:
        parts = self.split(node.inputs)
        finals = {k: node.outputs[j] for j, (what, k) in enumerate(self.wanted) if what == "shared"}
        return {v: finals[k] for k, v in enumerate(parts.shared) if isinstance(v, SharedVariable) and k in finals}

    def connected(self, node: Apply) -> Sequence[bool]:
        return self.connected_from(node, node.outputs)

    def connected_from(self, node: Apply, outputs: Sequence[Variable]) -> Sequence[bool]:
        reach = self._reach(self._asked(node, outputs))
        return [any(s in reach for s in group) for group in self._groups]

    def undefined_by(self, node: Apply, outputs: Sequence[Variable]) -> Sequence[Apply | None]:
        reach = self._reach(self._asked(node, outputs))
        blamed: dict[Variable, Apply] = {}
        for inner in self.graph.order:
            hit = [v for v in inner.outputs if v in reach]
            for v, culprit in zip(inner.inputs, inner.op.undefined_by(inner, hit), strict=True) if hit else ():
                if culprit is not None:
                    blamed.update((s, culprit) for s in self._reach([v]))
        return [next((blamed[s] for s in group if s in blamed), None) for group in self._groups]

    @cached_property
    def _groups(self) -> list[tuple[Variable, ...]]:
        """For each of the node's inputs, the step's variables that it feeds."""
        slots = self.slots
        each = [(s,) for s in (*slots.shared, *slots.fixed)]
        return [*[()] * self.counted, *slots.sequences, *[g for g in slots.initial if g], *each]

    def _asked(self, node: Apply, outputs: Sequence[Variable]) -> list[Variable]:
        """The step's results that these outputs of the node are made of."""
        asked = {id(v) for v in outputs}
        start = [w for v, w in zip(node.outputs, self.wanted, strict=True) if id(v) in asked]
        return [self.news[k] if what == "shared" else self.outputs[k] for what, k in start]

    def _reach(self, start: Sequence[Variable]) -> set[Variable]:
        """The step's variables to which a derivative of those of ``start`` can flow, through any number of steps."""
        found = set(start)
        while True:
            reach = set(found)
            for node in reversed(self.graph.order):
                hit = [v for v in node.outputs if v in reach]
                if hit:
                    reach.update(v for v, c in zip(node.inputs, node.op.connected_from(node, hit), strict=True) if c)
            back = {x for x, group in zip(self.outputs, self.slots.initial, strict=True) if reach.intersection(group)}
            back |= {x for x, s in zip(self.news, self.slots.shared, strict=True) if s in reach}
            if back <= found:
                return reach
            found |= back

    def __str__(self) -> str:
        return f"Scan{{{self.name}}}" if self.name else "Scan"


def span(taps: Sequence[int]) -> tuple[int, int]:
    """The least tap, and by how much a sequence of these taps is longer than the loop."""
    low, high = min(*taps, 0), max(*taps, 0)
    return low, high - low


def _stacked(x: Variable, length: int | None) -> Type:
    return TensorType(kind(x).dtype, shape=(length, *kind(x).shape))


def _shared_type(op: Scan, inputs: Sequence[Variable], k: int) -> Type:
    """The type of the shared variable ``k``."""
    return op.split(inputs).shared[k].type
