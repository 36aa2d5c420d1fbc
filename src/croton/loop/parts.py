"""Parts of the last dimension: the gates of a recurrent layer, which are computed together and used apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from croton.graph.clone import copy_node
from croton.graph.core import Apply, Type, Variable
from croton.graph.walk import toposort
from croton.tensor.basic import TensorOp
from croton.tensor.elemwise import is_elemwise
from croton.tensor.index import SYMBOL, Subtensor
from croton.tensor.linalg import Dot
from croton.tensor.shape import kind, static_value
from croton.tensor.types import TensorType


@dataclass(frozen=True)
class Part(TensorOp):
    """The elements from ``start`` to ``stop`` along the last dimension, or all if it has length one and broadcasts.

    ``stop`` is None for the end.
    """

    start: int
    stop: int | None

    def output_types(self, x: Variable) -> Sequence[Type]:
        *others, n = kind(x).shape
        if n not in (None, 1):
            n = max(min(n if self.stop is None else self.stop, n) - self.start, 0)
        return [TensorType(kind(x).dtype, shape=(*others, n))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        (x,) = values
        return x if x.shape[-1] == 1 else x[..., self.start : self.stop]


def last_slice(node: Apply) -> tuple[int, int | None] | None:
    """(start, stop) of a node that takes a fixed slice of the last dimension only; None for any other."""
    if isinstance(node.op, Part):
        return node.op.start, node.op.stop
    if not isinstance(node.op, Subtensor) or len(node.op.index) != kind(node.inputs[0]).ndim or not node.op.index:
        return None
    *others, last = node.op.index
    if any(e != ("slice", None, None, None) for e in others) or not isinstance(last, tuple) or last[0] != "slice":
        return None
    symbols = iter(node.inputs[1:])
    bounds = [static_value(next(symbols)) if bound == SYMBOL else bound for bound in last[1:]]
    if bounds[2] not in (None, 1) or any(
        b is None and asked is not None for b, asked in zip(bounds, last[1:], strict=True)
    ):
        return None
    start, stop = int(bounds[0] or 0), None if bounds[1] is None else int(bounds[1])
    if start < 0 or (stop is not None and stop <= start) or (start, stop) == (0, None):
        return None
    return start, stop


def spread(outputs: Sequence[Variable]) -> list[Variable]:
    """``outputs`` with the parts taken before sums and products instead of after: of a matrix, its columns.

    Where only parts of ``x + dot(h, U)`` are used, x and U are cut, once, and each gate is computed by itself.
    """
    outputs = list(outputs)
    while True:
        order = toposort(outputs)
        cuts = {n: cut for n in order if (cut := last_slice(n)) is not None}
        whole = set(outputs) | {v for n in order if n not in cuts for v in n.inputs}
        new: dict[Variable, Variable] = {}
        for node in order:
            inputs = [new.get(v, v) for v in node.inputs]
            earlier = None
            if node in cuts and node.inputs[0] not in whole:
                earlier = _from_parts(inputs[0].owner, partial(_taken, Part(*cuts[node])))
            if earlier is None and node in cuts and len(inputs) > 1:
                # The bounds are known, so it does not depend on what they were written with, a state's shape perhaps.
                whole_axes = [("slice", None, None, None)] * (kind(inputs[0]).ndim - 1)
                earlier = Subtensor((*whole_axes, ("slice", *cuts[node], None))).make_node(inputs[0]).out
            if earlier is not None:
                new[node.outputs[0]] = earlier
            elif any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
                copy_node(node, inputs, new)
        if not new:
            return outputs
        outputs = [new.get(v, v) for v in outputs]


def _taken(part: Part, x: Variable) -> Variable:
    return part.make_node(x).out


def of_product(x: Variable, part: Part) -> Variable | None:
    """The part of a product with a matrix, or of a sum with one, from the columns of the matrix; None for others."""
    if not _has_product(x):
        return None

    def take(v: Variable) -> Variable:
        found = of_product(v, part)
        return _taken(part, v) if found is None else found

    return _from_parts(x.owner, take)


def _has_product(x: Variable) -> bool:
    if x.owner is None:
        return False
    if is_elemwise(x.owner.op, "add", "sub"):
        return any(_has_product(v) for v in x.owner.inputs)
    return isinstance(x.owner.op, Dot) and kind(x.owner.inputs[1]).ndim == 2


def _from_parts(node: Apply | None, take: Callable[[Variable], Variable]) -> Variable | None:
    """The part of the node's result, from the parts that ``take`` takes of what it is computed from."""
    if node is None:
        return None
    if isinstance(node.op, Dot) and kind(node.inputs[1]).ndim == 2:
        return node.op.make_node(node.inputs[0], take(node.inputs[1])).out
    if is_elemwise(node.op, "add", "sub", "mul"):
        return node.op.make_node(*[take(v) if kind(v).ndim else v for v in node.inputs]).out
    return None
