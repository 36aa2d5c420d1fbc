"""Programs of equal graphs are compiled once: networks of one shape differ in their values, not in their programs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from croton.graph.clone import rebuild
from croton.graph.core import Constant, Variable
from croton.graph.walk import toposort

# Graphs whose programs are kept, the latest used.
KEPT = 64

_known: OrderedDict[Any, Body] = OrderedDict()
_guard = threading.Lock()


def signature(leaves: Sequence[Variable], wanted: Sequence[Variable]) -> Any:
    """Equal for graphs that compute the same from leaves of the same types and names; None where that is not known."""
    number: dict[Variable, Any] = {v: k for k, v in enumerate(leaves)}
    described: list[Any] = [(v.type, v.name) for v in leaves]

    def place(v: Variable) -> Any:
        return v.signature() if isinstance(v, Constant) else number[v]

    for node in toposort(wanted):
        if node.op.tells:
            return None
        described.append((node.op, *map(place, node.inputs), *[v.type for v in node.outputs]))
        for v in node.outputs:
            number[v] = len(number)
    described.append(tuple(map(place, wanted)))
    key = tuple(described)
    try:
        hash(key)
    except TypeError:
        return None
    return key


class Body:
    """A graph on leaves of its own, which hold no values, and the programs made of it."""

    def __init__(self, inputs: Sequence[Variable], shared: Sequence[Variable], wanted: Sequence[Variable]) -> None:
        own = {v: v.type.variable(name=v.name) for v in (*inputs, *shared)}
        self.inputs, self.shared = [own[v] for v in inputs], [own[v] for v in shared]
        self.wanted = rebuild(wanted, own, values=False)
        self.compiled: dict[Any, Any] = {}
        #: What others make of the graph and keep with it.
        self.kept: dict[Any, Any] = {}


def body(inputs: Sequence[Variable], shared: Sequence[Variable], wanted: Sequence[Variable]) -> Body | None:
    """The body that graphs like this one share; None where the graph cannot be compared."""
    key = signature([*inputs, *shared], wanted)
    if key is None:
        return None
    key = (len(inputs), key)
    with _guard:
        found = _known.pop(key, None) or Body(inputs, shared, wanted)
        _known[key] = found
        if len(_known) > KEPT:
            _known.popitem(last=False)
    return found
