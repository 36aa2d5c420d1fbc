"""Walking a graph, never by recursion: chains of thousands of nodes are ordinary."""

from __future__ import annotations

from collections.abc import Container as Contains
from collections.abc import Iterable, Sequence

from croton.graph.core import Apply, Constant, SharedVariable, Variable


def toposort(outputs: Iterable[Variable], stop: Contains[Variable] = ()) -> list[Apply]:
    """The nodes needed for ``outputs``, each after those whose results it uses; not beyond variables in ``stop``.

    >>> import croton.tensor as T
    >>> x = T.scalar('x')
    >>> [str(node.op) for node in toposort([T.exp(x) + 1])]
    ['exp', 'add']
    """
    order: list[Apply] = []
    seen: set[int] = set()
    for output in outputs:
        if output in stop or output.owner is None or id(output.owner) in seen:
            continue
        seen.add(id(output.owner))
        stack = [(output.owner, iter(output.owner.inputs))]
        while stack:
            node, rest = stack[-1]
            for variable in rest:
                owner = variable.owner
                if owner is not None and id(owner) not in seen and variable not in stop:
                    seen.add(id(owner))
                    stack.append((owner, iter(owner.inputs)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def needed(outputs: Iterable[Variable], stop: Contains[Variable] = ()) -> list[Apply]:
    """As `toposort`, but for the nodes that only a branch needs which may not be taken."""
    outputs = list(outputs)
    order = toposort(outputs, stop)
    live = {v.owner for v in outputs if v not in stop}
    for node in reversed(order):
        if node in live:
            live.update(v.owner for v in node.op.always(node) if v not in stop)
    return [node for node in order if node in live]


def ancestors(outputs: Iterable[Variable], stop: Contains[Variable] = ()) -> list[Variable]:
    """Every variable that ``outputs`` depend on, themselves included, inputs before what uses them."""
    outputs = list(outputs)
    found: dict[Variable, None] = {}
    for node in toposort(outputs, stop):
        for variable in (*node.inputs, *node.outputs):
            found.setdefault(variable)
    for variable in outputs:
        found.setdefault(variable)
    return list(found)


def inputs(outputs: Iterable[Variable], stop: Contains[Variable] = ()) -> list[Variable]:
    """The variables at the graph's edge: those that no node computes, constants and shared variables included."""
    return [v for v in ancestors(outputs, stop) if v.owner is None or v in stop]


def explicit_inputs(outputs: Iterable[Variable]) -> list[Variable]:
    """The edge variables that need a value from outside: neither constant nor shared."""
    return [v for v in inputs(outputs) if not isinstance(v, Constant | SharedVariable)]


def reached(sources: Iterable[Variable], order: Sequence[Apply]) -> set[Variable]:
    """``sources`` and every variable that the nodes of ``order`` (sorted) compute from them."""
    found = set(sources)
    for node in order:
        if any(v in found for v in node.inputs):
            found.update(node.outputs)
    return found


def default_updates(outputs: Iterable[Variable], stop: Contains[Variable] = ()) -> dict[SharedVariable, Variable]:
    """What shared variables that ``outputs`` depend on become unless told otherwise; a loop's word goes first."""
    outputs = list(outputs)
    found = {s: new for n in toposort(outputs, stop) for s, new in n.op.default_updates(n).items()}
    for v in inputs(outputs, stop):
        if isinstance(v, SharedVariable) and v.default_update is not None:
            found.setdefault(v, v.default_update)
    return found
