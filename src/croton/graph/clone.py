"""Copying a graph with some of its variables replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from croton.graph.core import Apply, Variable, origin
from croton.graph.walk import toposort


def rebuild(outputs: Sequence[Variable], replace: Mapping[Variable, Variable], values: bool = True) -> list[Variable]:
    """``outputs`` with each key of ``replace`` replaced by its value, all at once.

    Nodes that no replacement reaches are shared with the original graph. Replacements are not themselves searched.
    ``values``: whether they change values, so that derivatives become those of what was replaced; else they are other
    names for the same, and derivatives stay those of the very nodes that the rest of the graph uses.
    """
    new: dict[Variable, Variable] = dict(replace)
    for node in toposort(outputs, stop=replace):
        changed = any(v in new for v in node.inputs)
        if changed:
            copy_node(node, [new.get(v, v) for v in node.inputs], new, replace if values else None)
    return [new.get(v, v) for v in outputs]


def copy_node(
    node: Apply,
    inputs: Sequence[Variable],
    new: dict[Variable, Variable],
    substituted: Mapping[Variable, Variable] | None = None,
) -> Apply:
    """``node`` on other inputs, noted in ``new``; its outputs keep their names, tags and place.

    ``substituted`` are the replacements that change values (a user's wish), for ops that hold graphs.
    """
    with origin(node.place):
        twin = node.op.rebuild(node, inputs, substituted or {})
    for old, fresh in zip(node.outputs, twin.outputs, strict=True):
        if fresh.name is None:
            fresh.name = old.name
        if "_tag" in old.__dict__:
            fresh.tag.__dict__.update(old.tag.__dict__)
        new.setdefault(old, fresh)
    return twin


def clone(output: Any, replace: Any = None, strict: bool = True, share_inputs: bool = True) -> Any:
    """A copy of an expression, or of a list of them, in which variables are replaced.

    Arguments: ``output``, a variable or a list or dict of them; ``replace``, a dict or pairs old -> new;
    ``strict``, whether a replacement must have its variable's dtype and rank (TypeError); ``share_inputs``, whether
    the copy keeps the inputs and shared variables or gets new ones (a new shared variable still holds the same value).

    Gradients in the graph are taken before the replacement: replacing x by 3w in ``grad(x * w, w)`` gives 3w, not 6w.

    >>> import croton, croton.tensor as T
    >>> x, y = T.dscalars('x', 'y')
    >>> croton.clone(x ** 2, {x: y + 1}).eval({y: 2.0})
    array(9.)
    """
    from croton.graph.walk import inputs

    pairs = dict(replace or {})
    if isinstance(output, dict):
        names = list(output)
        return dict(zip(names, clone([output[n] for n in names], pairs, strict, share_inputs), strict=True))
    single = isinstance(output, Variable)
    outputs = [output] if single else list(output)
    for old, new in pairs.items():
        if not isinstance(old, Variable) or not isinstance(new, Variable):
            raise TypeError(f"clone replaces variables by variables, not {old!r} by {new!r}")
        if strict and not old.type.accepts(new.type):
            raise TypeError(
                f"clone cannot replace {old} of type {old.type} by {new} of type {new.type}: pass strict=False"
            )
    if not share_inputs:
        for leaf in inputs(outputs, stop=pairs):
            if leaf not in pairs:
                pairs[leaf] = leaf.clone()
    cloned = rebuild(outputs, pairs)
    return cloned[0] if single else cloned
