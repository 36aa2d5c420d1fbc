"""From the graph that a user wrote to the one that is lowered."""

from __future__ import annotations

from collections.abc import Sequence

from croton.compile.modes import Mode
from croton.graph.core import Variable
from croton.graph.derivative import Derivative, settle
from croton.graph.nested import Graph, map_graphs, nodes_within
from croton.graph.rewriting import Rule, rewrite
from croton.graph.walk import toposort
from croton.loop.parts import spread
from croton.rewrites.loops import feed_parts, trim


def prepare(outputs: Sequence[Variable], mode: Mode) -> list[Variable]:
    """``outputs`` with derivatives settled and the mode's rewrites made, in the graphs inside ops too."""
    wanted = settle(outputs)
    differentiates = any(isinstance(n.op, Derivative) for n in nodes_within(toposort(wanted)))
    return _rewritten(wanted, [r for r in mode.rules() if differentiates or "derivative" not in r.tags])


def _rewritten(outputs: Sequence[Variable], rules: Sequence[Rule]) -> list[Variable]:
    outputs = rewrite(outputs, rules)
    outputs = trim(outputs)
    outputs = map_graphs(outputs, lambda graph: Graph(graph.inputs, spread(_rewritten(settle(graph.outputs), rules))))
    return feed_parts(outputs)
