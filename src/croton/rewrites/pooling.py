"""The largest of what an increasing function makes of a window is what it makes of the window's largest element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from croton.graph.core import Apply, Variable
from croton.graph.rewriting import Rule
from croton.rewrites.patterns import ADD, MUL, number
from croton.tensor.basic import constant_value
from croton.tensor.elemwise import Elemwise, switch
from croton.tensor.nnet.activations import Activation
from croton.tensor.pool import Pool
from croton.tensor.shape import DimShuffle, kind

# Functions whose slope is 0 wherever rounding gives two elements one value.
_INCREASING = {"tanh", "sigmoid", "softplus"}


def _pool_first(node: Apply) -> Variable | None:
    """max-pool(f(x)) as f(max-pool(x)), for increasing f, and max-pool(x + b) as max-pool(x) + b.

    The maps that are pooled are a fraction of those before. Looks through an exchange of axes.
    """
    x, *sizes = node.inputs
    if type(node.op) is not Pool or node.op.mode != "max" or constant_value(sizes[2]) != 0:
        return None
    order = list(range(kind(x).ndim))
    if x.owner is not None and isinstance(x.owner.op, DimShuffle) and set(x.owner.op.new_order) == set(order):
        order, x = list(x.owner.op.new_order), x.owner.inputs[0]  # type: ignore[arg-type]
    made = x.owner
    if made is None or not isinstance(made.op, Elemwise | Activation):
        return None

    def moved(v: Any) -> Any:
        missing = len(order) - v.ndim
        return v.dimshuffle([axis - missing if axis >= missing else "x" for axis in order])

    def pooled(v: Any) -> Any:
        return node.op.make_node(moved(v), *sizes).out

    if made.op.name in _INCREASING:
        return made.op(pooled(made.inputs[0]))
    return _sum_with_biases(made, node.op.ndim, moved, pooled) if ADD(made.op) else _rectifier(made, pooled)


def _sum_with_biases(made: Apply, ndim: int, moved: Callable[..., Any], pooled: Callable[..., Any]) -> Variable | None:
    """A sum of which all terms but one are the same within an image."""
    terms = [moved(v) for v in made.inputs]
    within = [k for k, v in enumerate(terms) if any(n != 1 for n in kind(v).shape[-ndim:])]
    if len(within) != 1:
        return None
    (k,) = within
    return made.op.make_node(*[pooled(v) if j == k else terms[j] for j, v in enumerate(made.inputs)]).out


def _rectifier(made: Apply, pooled: Callable[..., Any]) -> Variable | None:
    """switch(x <= 0, 0, x), or with a multiple of x that is not negative in the place of 0."""
    if made.op.name != "switch" or made.inputs[0].owner is None:  # type: ignore[attr-defined]
        return None
    condition, low, x = made.inputs[0].owner, *made.inputs[1:]
    if condition.op.name != "le" or condition.inputs[0] is not x or number(condition.inputs[1]) != 0:  # type: ignore[attr-defined]
        return None
    largest = pooled(x)
    if number(low) != 0:
        slopes = [v for v in low.owner.inputs if v is not x] if low.owner is not None and MUL(low.owner.op) else []
        if len(slopes) != 1 or len(low.owner.inputs) != 2 or (number(slopes[0]) or -1) < 0:  # type: ignore[union-attr]
            return None
        low = slopes[0] * largest
    return switch(condition.op(largest, condition.inputs[1]), low, largest)


POOLING: list[Rule] = [
    Rule("local_pool_before_increasing", lambda op: isinstance(op, Pool), _pool_first, frozenset({"speed"}))
]
