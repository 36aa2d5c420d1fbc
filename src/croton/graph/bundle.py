"""Pickling: a graph is written as flat lists, so that depth costs nothing and what is shared stays shared.

The first variable of a graph that a dump comes upon makes a Bundle of everything it depends on; each of those
variables is then written as (bundle, position), and the pickler's own memory sees to it that the bundle is written
once. That memory is also what keeps a bundle alive: variables refer to it weakly, so that the next dump begins afresh.
"""

from __future__ import annotations

import weakref
from typing import Any

from croton.graph.core import Apply, Constant, SharedVariable, Variable
from croton.graph.walk import ancestors, toposort

# What a variable's recipe says by other means, and what is nobody's business after it is written.
_WRITTEN_APART = frozenset(
    ("owner", "index", "type", "name", "_bundle", "_functions", "container", "data", "_default_update")
    + ("strict", "allow_downcast")
)


class Bundle:
    """A graph's variables in order, and, pickled, the recipe to build them again."""

    def __init__(self, variables: list[Variable]) -> None:
        self.variables = variables

    def __reduce__(self) -> Any:
        own = {v: k for k, v in enumerate(self.variables)}
        leaves: list[Any] = []
        nodes: list[Any] = []
        listed: set[Apply] = set()
        for k, v in enumerate(self.variables):
            if v.owner is None:
                leaves.append((k, _recipe(v)))
            elif v.owner not in listed:
                listed.add(v.owner)
                edges = [own.get(i, i) for i in v.owner.inputs]
                outputs = [(own[o], o.type, o.name) for o in v.owner.outputs]
                nodes.append((v.owner.op, edges, outputs, v.owner.place))
        # Tags may lead back to the graph, so they are written when the variables can be referred to.
        states = {k: state for k, v in enumerate(self.variables) if (state := _state(v))}
        news = [(k, _default_update(v)) for k, v in enumerate(self.variables)]
        updates = [(k, own.get(new, new)) for k, new in news if new is not None]
        return _restore, (len(self.variables), leaves, nodes), (states, updates)

    def __setstate__(self, state: Any) -> None:
        states, updates = state
        for k, attributes in states.items():
            self.variables[k].__dict__.update(attributes)
        for k, update in updates:
            self.variables[k]._default_update = self.variables[update] if isinstance(update, int) else update


def _default_update(v: Variable) -> Variable | None:
    return v.default_update if isinstance(v, SharedVariable) else None


def _state(variable: Variable) -> dict[str, Any]:
    state = {k: v for k, v in variable.__dict__.items() if k not in _WRITTEN_APART}
    if "_tag" in state and not vars(variable.tag):
        del state["_tag"]
    return state


def _recipe(leaf: Variable) -> tuple[Any, ...]:
    """The class of a leaf and the arguments that make it anew."""
    if isinstance(leaf, SharedVariable):
        return type(leaf), (leaf.name, leaf.type, None, leaf.strict, leaf.allow_downcast, leaf.container)
    if isinstance(leaf, Constant):
        return type(leaf), (leaf.type, leaf.data, leaf.name)
    return type(leaf), (leaf.type, None, None, leaf.name)


def _restore(count: int, leaves: list[Any], nodes: list[Any]) -> Bundle:
    variables: list[Any] = [None] * count
    for k, (cls, arguments) in leaves:
        variables[k] = cls(*arguments)
    for op, edges, outputs, place in nodes:
        made = [type_.variable(name=name) for _, type_, name in outputs]
        Apply(op, [variables[e] if isinstance(e, int) else e for e in edges], made, place)
        for (k, _, _), output in zip(outputs, made, strict=True):
            variables[k] = output
    return Bundle(variables)


def _pick(bundle: Bundle, k: int) -> Variable:
    return bundle.variables[k]


def _held(variable: Variable) -> tuple[Bundle, int] | None:
    """The living bundle that a variable belongs to, and its position there."""
    reference, k = variable.__dict__.get("_bundle", (None, 0))
    bundle = None if reference is None else reference()
    return None if bundle is None else (bundle, k)


class _Held:
    """As a set: the variables that a living bundle holds."""

    def __contains__(self, variable: object) -> bool:
        return isinstance(variable, Variable) and _held(variable) is not None


def _gather(variable: Variable) -> Bundle:
    """A bundle of what ``variable`` needs and no living bundle holds yet, default updates included."""
    held = _Held()
    wanted, found = [variable], dict[Variable, None]()
    while wanted:
        for v in ancestors(wanted, stop=held):
            if v not in held:
                found[v] = None
                found.update((twin, None) for twin in (v.owner.outputs if v.owner is not None else ()))
        updates = [new for v in found if (new := _default_update(v)) is not None]
        wanted = [u for u in updates if u not in found and u not in held]
    order = {v: None for v in found if v.owner is None}
    for node in toposort(list(found), stop=held):
        order.update((v, None) for v in node.outputs)
    bundle = Bundle(list(order))
    reference = weakref.ref(bundle)
    for k, v in enumerate(bundle.variables):
        v.__dict__["_bundle"] = (reference, k)
    return bundle


def reduce_variable(variable: Variable) -> Any:
    """What ``pickle`` and ``copy`` write for a variable."""
    held = _held(variable)
    if held is None:
        bundle = _gather(variable)
        held = bundle, variable.__dict__["_bundle"][1]
    return _pick, held
