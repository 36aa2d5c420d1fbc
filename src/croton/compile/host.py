"""What a call must work out on the host before it can run: the values that decide shapes, the bounds of slices.

Constants and shapes settle themselves while tracing. Left are the values that depend on the integers of the call:
they are computed here, in NumPy. Lengths become part of what a program is compiled for; starts of slices become its
arguments, so that the minibatch idiom ``X[i * n:(i + 1) * n]`` compiles once for all i.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from croton.compile.lower import Lowering, explain
from croton.compile.wide import wide
from croton.graph.core import Apply, Constant, SharedVariable, Variable
from croton.graph.walk import ancestors, needed, toposort
from croton.tensor.index import Part, _Indexed, slice_bounds
from croton.tensor.shape import Shape

# What one call settles: the key a program is compiled for, the traced starts, and the host's values.
Settled = tuple[tuple[Any, ...], np.ndarray]


class _Beforehand(Lowering):
    """Works out what must be known before a call runs."""

    tells = False


class HostPlan:
    """Which values of a graph depend on a call's integers and decide shapes, and how to compute them.

    ``eager`` is true where a shape depends on what only the running program knows.
    """

    def __init__(self, outputs: Sequence[Variable], inputs: Sequence[Variable], shared: Sequence[Variable]) -> None:
        self.inputs, self.shared = list(inputs), list(shared)
        order = toposort(outputs)
        # What only a branch needs: an error in it counts when the branch is taken.
        self.optional = set(order) - set(needed(outputs))
        self.fixed, self.called = _kinds(order, inputs, shared)
        self.values: list[Variable] = []
        self.slices: list[tuple[Apply, Part]] = []
        self.eager = False
        known = self.fixed | self.called
        for node in order:
            self._look(node, known)
        self.values = list(dict.fromkeys(self.values))
        self.needed = [*self.values, *[v for _, p in self.slices for v in p.inputs if v not in self.fixed]]
        below = set(ancestors(self.needed, stop={v for n in order if isinstance(n.op, Shape) for v in n.inputs}))
        self.reads = [k for k, v in enumerate(self.inputs) if v in below]
        self.reads_shared = [k for k, v in enumerate(self.shared) if v in below]
        self._shapes: dict[Any, Any] = {}
        self._memory: dict[Any, Settled] = {}

    def __bool__(self) -> bool:
        return bool(self.values or self.slices)

    def _look(self, node: Apply, known: set[Variable]) -> None:
        for v in node.op.structural(node):
            if v not in known:
                self.eager = True
            elif v in self.called:
                self.values.append(v)
        if len(node.op.always(node)) < len(node.inputs):
            self.values += [v for v in node.op.always(node) if v in self.called]
        if node.op.data_dependent and not all(v in self.fixed for v in node.inputs):
            self.eager = True
        if isinstance(node.op, _Indexed):
            for part in node.op.bounds(node):
                if all(v in self.fixed for v in part.inputs):
                    continue
                if node in self.optional and not isinstance(part.entry, tuple):
                    continue
                if all(v in known for v in part.inputs):
                    self.slices.append((node, part))
                elif isinstance(part.entry, tuple):
                    self.eager = True

    def settle(self, inputs: Sequence[np.ndarray], shared: Sequence[Any]) -> Settled:
        """The key and the starts for one call, from its arguments and the shared values; remembered."""
        memory_key = (
            tuple([inputs[k].tobytes() for k in self.reads]),
            tuple([np.asarray(shared[k]).tobytes() for k in self.reads_shared]),
            tuple([v.shape for v in inputs]),
            tuple([v.shape for v in shared]),
        )
        found = self._memory.get(memory_key)
        if found is None:
            if len(self._memory) > 10_000:
                self._memory.clear()
            found = self._memory[memory_key] = self._settle(inputs, shared)
        return found

    def _settle(self, inputs: Sequence[np.ndarray], shared: Sequence[Any]) -> Settled:
        lowering = _Beforehand()
        leaves: dict[Variable, Any] = dict(zip(self.inputs, inputs, strict=True))
        leaves.update(zip(self.shared, shared, strict=True))
        env: dict[Variable, Any] = {v: np.asarray(leaves[v]) for v in self.called if v in leaves}
        cuts: dict[Any, tuple[int, int, int]] = {}
        for node in toposort(self.needed):
            try:
                self._host_node(node, env, leaves, cuts, lowering)
            except Exception:
                if node not in self.optional:
                    raise
        key: list[Any] = [(env[v].tobytes(), env[v].shape) if v in env else None for v in self.values]
        starts = []
        for node, part in self.slices:
            try:
                start, *rest = self._cut(node, part, env, leaves, cuts)
            except Exception:
                if node not in self.optional:
                    raise
                start, rest = 0, []
            key.append(tuple(rest) or None)
            starts.append(start)
        return tuple(key), np.asarray(starts, "int64")

    def _host_node(self, node: Apply, env: dict[Variable, Any], leaves: Any, cuts: Any, lowering: Lowering) -> None:
        if isinstance(node.op, Shape):
            env[node.outputs[0]] = np.asarray(self.shape_of(node.inputs[0], env, leaves, cuts), "int64")
        elif all(v in env or isinstance(v, Constant) for v in node.inputs) and node.op.host:
            lowering.apply(node, env)

    def _cut(self, node: Apply, part: Part, env: Any, leaves: Any, cuts: Any) -> tuple[int, int, int]:
        numbers = [int(env[v] if v in env else np.asarray(v.data)) for v in part.inputs]  # type: ignore[attr-defined]
        n = self.shape_of(node.inputs[0], env, leaves, cuts)[part.axis]
        if isinstance(part.entry, tuple):
            found = slice_bounds(part.entry, numbers, n)
        else:
            if not -n <= numbers[0] < n:
                message = (
                    f"index {numbers[0]} is out of bounds for dimension {part.axis} of {node.inputs[0]}, of length {n}"
                )
                raise explain(IndexError(message), node, ())
            found = (numbers[0] % n, 1, 1)
        cuts[node, part.position] = found
        return found

    def shape_of(self, v: Variable, env: Any, leaves: Any, cuts: Any) -> tuple[int, ...]:
        """The shape of any variable of the graph, found without computing it."""
        if v in leaves:
            return leaves[v].shape
        if isinstance(v, Constant):
            return np.shape(v.data)
        if v in env:
            return env[v].shape
        order = toposort([v])
        upstream = {k for n, p in self.slices for k in [(n, p.position)] if n in set(order)}
        for node, part in self.slices:
            if (node, part.position) in upstream and (node, part.position) not in cuts:
                for below in toposort(part.inputs):
                    self._host_node(below, env, leaves, cuts, _Beforehand())
                self._cut(node, part, env, leaves, cuts)
        edge = [leaf for leaf in ancestors([v]) if leaf in leaves]
        settled = {s: env[s] for s in self.values if s in env}
        bounds = {k: cuts[k] for k in upstream}
        key = (
            v,
            tuple((leaves[e].shape, leaves[e].nbytes) for e in edge),
            tuple((s, x.tobytes()) for s, x in settled.items()),
            tuple((k, b[1:]) for k, b in sorted(bounds.items(), key=lambda item: id(item[0][0]))),
        )
        if key not in self._shapes:
            self._shapes[key] = _abstract_shape(v, edge, leaves, settled, bounds)
        return self._shapes[key]

    def bounds(self, key: tuple[Any, ...], starts: Any) -> dict[Any, Any]:
        """The slices of a program compiled for ``key``, their starts taken from the traced vector ``starts``."""
        own = key[len(self.values) :]
        return {(n, p.position): (starts[k], *own[k]) for k, (n, p) in enumerate(self.slices) if own[k]}

    def settled(self, key: tuple[Any, ...]) -> dict[Variable, np.ndarray]:
        """The host's values that a program compiled for ``key`` has built in."""
        return {
            v: np.frombuffer(found[0], v.type.dtype).reshape(found[1])  # type: ignore[attr-defined]
            for v, found in zip(self.values, key, strict=False)
            if found is not None
        }


@wide
def _abstract_shape(v: Variable, edge: Sequence[Variable], leaves: Any, settled: Any, bounds: Any) -> tuple[int, ...]:
    def compute(*values: Any) -> Any:
        lowering = Lowering(bounds, settled)
        env: dict[Variable, Any] = dict(zip(edge, values, strict=True))
        lowering.evaluate([v], env)
        return env[v]

    structs = [jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), leaves[e]) for e in edge]
    return jax.eval_shape(compute, *structs).shape


def _kinds(
    order: Sequence[Apply], inputs: Sequence[Variable], shared: Sequence[Variable]
) -> tuple[set[Variable], set[Variable]]:
    """The variables that constants and shapes alone decide, and those that the call's integers decide too."""
    fixed: set[Variable] = set()
    called: set[Variable] = {v for v in (*inputs, *shared) if _may_decide(v)}
    for node in order:
        fixed.update(v for v in node.inputs if isinstance(v, Constant))
        if isinstance(node.op, Shape):
            fixed.update(node.outputs)
        elif node.op.host and all(v in fixed or v in called for v in node.inputs):
            (called if any(v in called for v in node.inputs) else fixed).update(node.outputs)
    return fixed, called


def _may_decide(v: Variable) -> bool:
    """Whether a leaf's value is looked at on the host: small integers, and scalars of any kind."""
    ndim = getattr(v.type, "ndim", None)
    if isinstance(v, SharedVariable):
        return ndim == 0 and v.type.dtype[0] in "biu"  # type: ignore[attr-defined]
    return ndim == 0 or (ndim == 1 and v.type.dtype[0] in "iu")  # type: ignore[attr-defined]
