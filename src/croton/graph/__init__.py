"""The expression graph: variables, the nodes between them, and what can be done without knowing their meaning."""

from croton.graph.clone import clone
from croton.graph.core import Apply, Constant, Container, Op, SharedVariable, Type, Variable
from croton.graph.draw import draw
from croton.graph.printing import debugprint, pp
from croton.graph.walk import ancestors, explicit_inputs, inputs, toposort

__all__ = [
    "Apply",
    "Constant",
    "Container",
    "Op",
    "SharedVariable",
    "Type",
    "Variable",
    "ancestors",
    "clone",
    "debugprint",
    "draw",
    "explicit_inputs",
    "inputs",
    "pp",
    "toposort",
]
