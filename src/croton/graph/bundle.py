"""Pickling: a graph is written as flat lists, so that depth costs nothing and what is shared stays shared.

The first variable of a graph to be pickled makes a Bundle of everything it depends on; each of those variables is then
written as (bundle, position), and the pickler's own memory sees to it that the bundle is written once.
"""

from __future__ import annotations

from typing import Any

from croton.graph.core import Apply, Constant, SharedVariable, Variable
from croton.graph.walk import ancestors, toposort


class Bundle:
    """A graph's variables in order, and, pickled, the recipe to build them again."""

    def __init__(self, variables: list[Variable], updates: list[tuple[Variable, Variable]]) -> None:
        self.variables = variables
        self.updates = updates

    def __reduce__(self) -> Any:
        own = {v: k for k, v in enumerate(self.variables)}
        leaves: list[Any] = []
        nodes: list[Any] = []
        listed: set[int] = set()
        for k, variable in enumerate(self.variables):
            node = variable.owner
            if node is None:
                described = getattr(variable, "default_update", None) is not None
                leaves.append((k, _describe(variable) if described else variable))
            elif id(node) not in listed:
                listed.add(id(node))
                edges = [own[v] if v in own else v for v in node.inputs]
                outputs = [(own.get(v), v.type, v.name, _tags(v)) for v in node.outputs]
                nodes.append((node.op, edges, outputs, node.place))
        return _restore, (len(self.variables), leaves, nodes, [(own[s], own[u]) for s, u in self.updates])


def _tags(variable: Variable) -> dict[str, Any]:
    hidden = (
        "owner",
        "index",
        "type",
        "name",
        "_tag",
        "_bundle",
        "container",
        "data",
        "_default_update",
        "strict",
        "allow_downcast",
    )
    state = {k: v for k, v in variable.__dict__.items() if k not in hidden}
    if variable.__dict__.get("_tag") is not None and vars(variable.tag):
        state["_tag"] = variable.tag
    return state


def _describe(leaf: Variable) -> tuple[Any, ...]:
    cls = type(leaf)
    if isinstance(leaf, SharedVariable):
        return cls, (leaf.name, leaf.type, None, leaf.strict, leaf.allow_downcast, leaf.container), _tags(leaf)
    if isinstance(leaf, Constant):
        return cls, (leaf.type, leaf.data, leaf.name), _tags(leaf)
    return cls, (leaf.type, None, None, leaf.name), _tags(leaf)


def _build(description: tuple[Any, ...]) -> Variable:
    cls, arguments, state = description
    variable = cls(*arguments)
    variable.__dict__.update(state)
    return variable


def _restore(count: int, leaves: list[Any], nodes: list[Any], updates: list[Any]) -> Bundle:
    variables: list[Any] = [None] * count
    for k, description in leaves:
        variables[k] = description if isinstance(description, Variable) else _build(description)
    for op, edges, outputs, place in nodes:
        made = []
        for _, type_, name, state in outputs:
            output = type_.variable(name=name)
            output.__dict__.update(state)
            made.append(output)
        Apply(op, [variables[e] if isinstance(e, int) else e for e in edges], made, place)
        for (k, *_), output in zip(outputs, made, strict=True):
            if k is not None:
                variables[k] = output
    for s, u in updates:
        variables[s]._default_update = variables[u]
    bundle = Bundle(variables, [(variables[s], variables[u]) for s, u in updates])
    for k, variable in enumerate(variables):
        variable._bundle = (bundle, k)
    return bundle


def _pick(bundle: Bundle, k: int) -> Variable:
    return bundle.variables[k]


def _gather(variable: Variable) -> Bundle:
    """A bundle of what ``variable`` needs and no valid bundle holds yet, default updates of shared variables included."""
    wanted, found, updates = [variable], {}, []
    while wanted:
        for v in ancestors(wanted):
            if v not in found and not _valid(v):
                found[v] = None
                for twin in () if v.owner is None else v.owner.outputs:
                    found.setdefault(twin)
        updates = [
            (s, s.default_update) for s in found if isinstance(s, SharedVariable) and s.default_update is not None
        ]
        wanted = [u for _, u in updates if u not in found]
    order: dict[Variable, None] = {v: None for v in found if v.owner is None}
    for node in toposort(list(found)):
        order.update((v, None) for v in node.outputs if v in found)
    bundle = Bundle(list(order), updates)
    for k, v in enumerate(bundle.variables):
        v.__dict__["_bundle"] = (bundle, k)
    return bundle


def _valid(variable: Variable) -> bool:
    held = variable.__dict__.get("_bundle")
    return held is not None and all(s.default_update is u for s, u in held[0].updates if isinstance(s, SharedVariable))


def reduce_variable(variable: Variable) -> Any:
    """What ``pickle`` and ``copy`` write for a variable."""
    if variable.owner is None and getattr(variable, "default_update", None) is None:
        return _build, (_describe(variable),)
    if not _valid(variable):
        _gather(variable)
    return _pick, variable.__dict__["_bundle"]
