"""What need not be computed step by step: what is the same in every step, and products with the sequences' elements.

A product of each step's element with a matrix becomes one product with the whole sequence, before the loop, and so its
gradient one product after it. Only what feeds such a product leaves the loop: other things are cheaper where they are.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from croton.compile.layout import plain
from croton.graph.core import Apply, Constant, Variable
from croton.graph.walk import needed
from croton.loop.op import Scan
from croton.loop.parts import last_slice
from croton.tensor.index import Subtensor
from croton.tensor.linalg import Dot, MatMul
from croton.tensor.shape import kind

if TYPE_CHECKING:
    from croton.compile.lower import Check, Compute, Lowering


# What is computed for all steps together may take so many bytes, or eight times those of the sequences.
MOST = 1 << 28


@dataclass(frozen=True, eq=False)
class Plan:
    """The step's variables that are computed before the loop: once, or for all elements of the sequences together."""

    once: tuple[Variable, ...]
    together: tuple[Variable, ...]
    # What the steps themselves still read.
    used: frozenset[Variable]


def plan_of(op: Scan) -> Plan:
    """What leaves the loop."""
    slots = op.slots
    fixed = {v for n in op.graph.order for v in n.inputs if isinstance(v, Constant)} | set(slots.fixed)
    along = set(op.elements)
    inside: list[Apply] = []
    outside: dict[Variable, Apply] = {}
    heavy: list[Variable] = []
    # What only a branch needs is left to it.
    live = set(needed(op.graph.outputs, stop=op.graph.inputs))
    for node in op.graph.order:
        movable = (
            node in live
            and not node.op.tells
            and node.op.graph is None
            and len(node.op.always(node)) == len(node.inputs)
        )
        if movable and all(v in fixed for v in node.inputs):
            fixed.update(node.outputs)
        elif movable and all(v in fixed or v in along for v in node.inputs):
            along.update(node.outputs)
            outside.update((v, node) for v in node.outputs)
            if is_heavy(node):
                heavy += node.outputs
        else:
            inside.append(node)
    taken: set[Variable] = set()
    while heavy:
        v = heavy.pop()
        if v in outside and v not in taken:
            taken.add(v)
            heavy += outside[v].inputs
    inside += [n for n in dict.fromkeys(outside.values()) if not any(v in taken for v in n.outputs)]
    used = {v for n in inside for v in n.inputs} | set(op.graph.outputs)
    once = used | {v for t in taken for v in outside[t].inputs}
    return Plan(
        tuple(v for n in op.graph.order for v in n.outputs if v in once and v in fixed),
        tuple(v for n in op.graph.order for v in n.outputs if v in taken and v in used),
        frozenset(used),
    )


def is_heavy(node: Apply) -> bool:
    """Whether the node is cheaper for all steps together: a product, a choice by index, a part of each element."""
    if isinstance(node.op, Dot | MatMul):
        return True
    if isinstance(node.op, Subtensor) and any(isinstance(e, tuple) and e[0] == "array" for e in node.op.index):
        return True
    return last_slice(node) is not None


def products_of(op: Scan, fixed: Container[Variable]) -> tuple[Apply, ...]:
    """The products of the step with a matrix that is among ``fixed``."""
    return tuple(
        n
        for n in op.graph.order
        if isinstance(n.op, Dot)
        and n.inputs[1] in fixed
        and n.inputs[0] not in fixed
        and kind(n.inputs[1]).ndim == 2
        and kind(n.inputs[0]).ndim <= 2
    )


def by_left_factor(products: Sequence[Apply]) -> dict[Variable, list[Apply]]:
    """The products, by their left factors."""
    groups: dict[Variable, list[Apply]] = {}
    for p in products:
        groups.setdefault(p.inputs[0], []).append(p)
    return groups


class Merged:
    """Products with one left factor and several matrices, such as the gates', computed as one."""

    def __init__(self, products: Sequence[Apply], fixed: Mapping[Variable, Any]) -> None:
        self.groups = {a: ps for a, ps in by_left_factor(products).items() if len(ps) > 1}
        parts = {a: [fixed[p.inputs[1]] for p in ps] for a, ps in self.groups.items()}
        self.matrices = {a: jnp.concatenate(ms, 1) for a, ms in parts.items()}
        self.edges = {a: list(accumulate(m.shape[1] for m in ms))[:-1] for a, ms in parts.items()}

    def watch(self, child: Lowering) -> None:
        """Have ``child`` compute these products together."""
        found: dict[Apply, Any] = {}

        def together(node: Apply, given: Sequence[Any], compute: Compute) -> Sequence[Any]:
            group = self.groups.get(node.inputs[0], ()) if isinstance(node.op, Dot) else ()
            if node not in group:
                return compute(node, given)
            if node not in found:
                a = node.inputs[0]
                whole = jnp.dot(jnp.asarray(plain(given[0])), self.matrices[a])
                found.update(zip(group, jnp.split(whole, self.edges[a], -1), strict=True))
            return (found[node],)

        child.wrap(together)


class Hoisted:
    """The values of a plan, in the program that the loop is a part of."""

    def __init__(self, context: Lowering, op: Scan, xs: Sequence[Any], fixed: Sequence[Any]) -> None:
        self.plan = plan_of(op)
        child = context.child()
        self.env: dict[Variable, Any] = dict(zip(op.slots.fixed, fixed, strict=True))
        _cut_apart(self.plan.once, self.env)
        child.evaluate(self.plan.once, self.env)
        self.once = {v: plain(self.env[v]) for v in self.plan.once}
        self.checks: list[Check] = list(child.checks)
        self.stacked: dict[Variable, Any] = {}
        self.used = self.plan.used
        if self.plan.together:
            whole = dict(zip(op.elements, xs, strict=True))
            _cut_apart(self.plan.together, whole)
            self.stacked = {v: whole[v] for v in self.plan.together if v in whole}
            rest = [v for v in self.plan.together if v not in whole]
            if rest:
                self._together(context, op, xs, rest)

    def _together(self, context: Lowering, op: Scan, xs: Sequence[Any], wanted: Sequence[Any]) -> None:
        errors: list[Any] = []

        def one(*x: Any) -> Any:
            child = context.child()
            env = {**self.env, **dict(zip(op.elements, x, strict=True))}
            child.evaluate(wanted, env)
            errors[:] = [error for _, error in child.checks]
            return [jnp.asarray(plain(env[v])) for v in wanted], [jnp.asarray(c) for c, _ in child.checks]

        given = sum(x.nbytes for x in xs)
        if _room(jax.make_jaxpr(jax.vmap(one))(*xs)) > max(MOST, 8 * given):
            self.used = self.used.union(op.slots.fixed, op.elements, self.once)
            return
        stacked, conditions = jax.vmap(one)(*xs)
        self.stacked.update(zip(wanted, stacked, strict=True))
        self.checks += [(c.all(), error) for c, error in zip(conditions, errors, strict=True)]


def _room(program: Any) -> int:
    """How many bytes the results of a program's operations take together."""
    return sum(v.aval.size * v.aval.dtype.itemsize for eqn in program.eqns for v in eqn.outvars)


def _cut_apart(wanted: Sequence[Variable], env: dict[Variable, Any]) -> None:
    """Put into ``env`` the slices that divide a value there without a rest, by one split: its derivative then puts the
    parts together, where those of single slices would each be as large as the whole.
    """
    groups: dict[Variable, list[tuple[int, int, Variable]]] = {}
    for v in wanted:
        found = None if v.owner is None else last_slice(v.owner)
        if found is not None and (source := v.owner.inputs[0]) in env:  # type: ignore[union-attr]
            stop = env[source].shape[-1] if found[1] is None else found[1]
            groups.setdefault(source, []).append((found[0], stop, v))
    for source, parts in groups.items():
        value = env[source]
        edges = sorted({(a, b) for a, b, _ in parts})
        starts, stops = [a for a, _ in edges], [b for _, b in edges]
        if starts == [0, *stops[:-1]] and stops[-1] == value.shape[-1]:
            pieces = dict(zip(edges, jnp.split(jnp.asarray(value), stops[:-1], axis=-1), strict=True))
            env.update((v, pieces[a, b]) for a, b, v in parts)
