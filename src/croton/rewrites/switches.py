"""A derivative through what a choice (``switch``, ``maximum``, ``clip``) has not taken must be 0, not 0 times infinity.

In ``switch(x > 0, log(x), 0)`` at x = 0 the choice sends a derivative of 0 back to the logarithm, whose own is
infinite there: the product is NaN. So, where a derivative is to be taken, every op that can be singular is guarded:
nothing flows back through it where none of the choices that it leads to has taken it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from croton.graph.clone import copy_node
from croton.graph.core import Apply, Constant, Type, Variable, origin
from croton.graph.derivative import Derivative, Mark
from croton.graph.rewriting import Rule
from croton.graph.walk import toposort
from croton.tensor.basic import Cast, TensorOp
from croton.tensor.elemwise import Elemwise, check_broadcast, ge, gt, invert, isnan, lt, or_
from croton.tensor.nnet.activations import Activation, Elu
from croton.tensor.nnet.losses import SigmoidCrossentropy
from croton.tensor.reduce import Reduction
from croton.tensor.reduce import any as any_of
from croton.tensor.shape import DimShuffle

# A condition and whether it must hold; conditions that must be met together; and ways, of which one suffices, for a
# derivative to flow.
Literal = tuple[Variable, bool]
Way = tuple[Literal, ...]
Flow = tuple[Way, ...]
ALWAYS: Flow = ((),)
# What is longer is cut: fewer conditions let more flow, which is safe.
_MOST_WAYS, _MOST_CONDITIONS = 8, 8


def _first_of_two(compare: Callable[..., Any]) -> Callable[..., list[Way]]:
    def ways(x: Variable, y: Variable) -> list[Way]:
        first = or_(compare(x, y), isnan(x))
        return [((first, True),), ((first, False),)]

    return ways


def _clip(x: Variable, low: Variable, high: Variable) -> list[Way]:
    below, above = lt(x, low), gt(x, high)
    return [((below, False), (above, False)), ((below, True),), ((below, False), (above, True))]


# What must hold for each input of an op to be taken.
_CHOICES: dict[str, Callable[..., list[Way]]] = {
    "switch": lambda condition, x, y: [(), ((condition, True),), ((condition, False),)],
    "maximum": _first_of_two(ge),
    "minimum": _first_of_two(lambda x, y: ge(y, x)),
    "clip": _clip,
}

# Elementwise ops whose derivative can be infinite or NaN, at a finite point or at an infinite one.
_SINGULAR = frozenset(
    [
        *("log", "log2", "log10", "log1p", "sqrt", "sqr", "inv", "true_div", "mul", "pow", "exp", "exp2", "expm1",
        "sinh", "cosh"), *("tan", "arcsin", "arccos", "arccosh", "arctanh", "erfinv", "log_erfc", "gamma", "gammaln",
        "psi"), *("xlogx", "xlogy0", "mul_or_zero"),
    ]
)  # fmt: skip


def _is_singular(node: Apply) -> bool:
    if not isinstance(node.op, Elemwise) or node.op.name not in _SINGULAR:
        return False
    if node.op.name == "mul":
        return not any(isinstance(v, Constant) for v in node.inputs)
    return not (node.op.name == "true_div" and isinstance(node.inputs[1], Constant))


def _either(a: Flow, b: Flow) -> Flow:
    """Where a derivative flows by one of ``a`` and ``b``."""
    if () in a or () in b:
        return ALWAYS
    ways = {frozenset(way): way for way in (*a, *b)}
    while True:
        for p, q in combinations(ways, 2):
            if p <= q or q <= p:
                del ways[max(p, q, key=len)]
                break
            (left, right) = (p - q, q - p)
            if len(left) == len(right) == 1 and {(c, not held) for c, held in left} == right:
                # c and the rest, or not c and the rest: the rest.
                way = tuple(x for x in ways[p] if x in q)
                del ways[p], ways[q]
                ways[frozenset(way)] = way
                break
        else:
            return tuple(ways.values()) if len(ways) <= _MOST_WAYS and frozenset() not in ways else ALWAYS


def _narrowed(flow: Flow, way: Way) -> Flow:
    """Where, besides, the conditions of ``way`` hold."""
    return tuple(tuple(dict.fromkeys((*way, *old)))[:_MOST_CONDITIONS] for old in flow) if way else flow


def _back_through(node: Apply, flow: Flow) -> list[Flow]:
    """Where a derivative flows to each input of a node, when it flows to its output where ``flow`` says."""
    op = node.op
    if isinstance(op, Elemwise) and op.name in _CHOICES:
        return [_narrowed(flow, way) for way in _CHOICES[op.name](*node.inputs)]
    if isinstance(op, Guarded | Elemwise | Activation | Elu | SigmoidCrossentropy | Cast | Mark):
        return [flow] * len(node.inputs)
    if isinstance(op, DimShuffle | Reduction) and flow != ALWAYS:
        before = _before_dimshuffle if isinstance(op, DimShuffle) else _before_reduction
        return [_either((), tuple(tuple((before(node, c, held), True) for c, held in way) for way in flow))]
    return [ALWAYS] * len(node.inputs)


def _aligned(condition: Any, held: bool, ndim: int) -> Any:
    """Where a condition is as it must be, as a tensor of ``ndim`` dimensions."""
    condition = condition if held else invert(condition)
    extra = condition.ndim - ndim
    if extra > 0:
        return any_of(condition, axis=tuple(range(extra)))
    return condition.dimshuffle(*["x"] * -extra, *range(condition.ndim)) if extra else condition


def _before_dimshuffle(node: Apply, condition: Variable, held: bool) -> Variable:
    order: Any = node.op.new_order  # type: ignore[attr-defined]
    c = _aligned(condition, held, len(order))
    added = tuple(k for k, p in enumerate(order) if p == "x")
    c = any_of(c, axis=added) if added else c
    kept = [p for p in order if p != "x"]
    return c.dimshuffle(*[kept.index(k) if k in kept else "x" for k in range(node.inputs[0].type.ndim)])  # type: ignore[attr-defined]


def _before_reduction(node: Apply, condition: Variable, held: bool) -> Variable:
    op: Any = node.op
    c = _aligned(condition, held, node.outputs[0].type.ndim)  # type: ignore[attr-defined]
    if op.keepdims:
        return any_of(c, axis=op.axis, keepdims=True)
    kept = iter(range(c.ndim))
    return c.dimshuffle(*["x" if k in op.axis else next(kept) for k in range(node.inputs[0].type.ndim)])  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Guarded(TensorOp):
    """An elementwise op through which a derivative flows only in some ``ways``.

    A way is a set of (which condition, whether it holds). The inputs are the op's, then the conditions.
    """

    op: Elemwise
    ways: tuple[tuple[tuple[int, bool], ...], ...]

    def output_types(self, *inputs: Variable) -> Sequence[Type]:
        return self.op.output_types(*inputs[: self.op.row.nin])

    def connected(self, node: Apply) -> Sequence[bool]:
        return [k < self.op.row.nin for k in range(len(node.inputs))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        operands, conditions = values[: self.op.row.nin], values[self.op.row.nin :]
        check_broadcast(self.op.name, operands)
        shape = np.broadcast_shapes(*[np.shape(v) for v in operands])
        flows = jnp.zeros(shape, bool)
        for way in self.ways:
            taken = jnp.ones(shape, bool)
            for k, held in way:
                taken &= _shrunk(jnp.asarray(conditions[k]) == held, shape)
            flows |= taken
        guarded = [
            jnp.where(flows, v, jax.lax.stop_gradient(v)) if v.dtype.kind in "fc" and isinstance(v, jax.Array) else v
            for v in operands
        ]
        return self.op.lower(context, node, guarded)

    def __str__(self) -> str:
        return str(self.op)


def _shrunk(condition: Any, shape: tuple[int, ...]) -> Any:
    """Whether ``condition`` holds anywhere in what each element of ``shape`` is spread over."""
    extra = max(condition.ndim - len(shape), 0)
    condition = condition.any(tuple(range(extra)))
    offset = len(shape) - condition.ndim
    spread = tuple(k for k, n in enumerate(condition.shape) if n != 1 and shape[k + offset] == 1)
    return condition.any(spread, keepdims=True)


def _guards(order: Sequence[Apply], sources: Sequence[Variable]) -> dict[Apply, Flow]:
    """The nodes to guard, and where a derivative flows through each."""
    flows: dict[Variable, Flow] = dict.fromkeys(sources, ALWAYS)
    guards: dict[Apply, Flow] = {}
    for node in reversed(order):
        reached = [flows[v] for v in node.outputs if v in flows]
        if not reached:
            continue
        flow = reached[0] if len(node.outputs) == 1 else ALWAYS
        if flow != ALWAYS and _is_singular(node):
            guards[node] = flow
        back = zip(node.inputs, _back_through(node, flow), node.op.connected(node), strict=True)
        for v, own, connected in back:
            if connected and not isinstance(v, Constant) and getattr(v.type, "dtype", "f")[0] in "fc":
                flows[v] = _either(flows[v], own) if v in flows else own
    return guards


def _guard(node: Apply, flow: Flow, inputs: Sequence[Variable]) -> Variable:
    conditions = list(dict.fromkeys(c for way in flow for c, _ in way))
    ways = tuple(tuple((conditions.index(c), held) for c, held in way) for way in flow)
    with origin(node.place):
        twin = Guarded(node.op, ways)(*inputs, *conditions)  # type: ignore[arg-type]
    twin.name = node.outputs[0].name
    return twin


# Gradients of one cost share their sources: what was found for them is kept while they live. For each first source:
# all of them; what to take for each, None for itself; and for the marks inside.
_Found = tuple[list[Any], list[Variable | None], dict[Variable, Variable]]
_found: weakref.WeakKeyDictionary[Variable, _Found] = weakref.WeakKeyDictionary()


def _guarded(sources: tuple[Variable, ...]) -> dict[Variable, Variable]:
    """What to take for sources, and for the marks in them, so that the singular ops in them are guarded."""
    known, twins, marks = _found.get(sources[0], ([], [], {}))
    if [ref() for ref in known] != list(sources):
        order = toposort(sources)
        guards = _guards(order, sources)
        new: dict[Variable, Variable] = {}
        for node in order:
            inputs = [new.get(v, v) for v in node.inputs]
            if node in guards:
                new[node.outputs[0]] = _guard(node, guards[node], inputs)
            elif any(v in new for v in node.inputs):
                copy_node(node, inputs, new)
        twins = [new.get(v) for v in sources]
        marks = {v: new[v] for n in order if isinstance(n.op, Mark) for v in n.outputs if v in new}
        _found[sources[0]] = [weakref.ref(v) for v in sources], twins, marks
    return {**marks, **{v: twin for v, twin in zip(sources, twins, strict=True) if twin is not None}}


def _guard_sources(node: Apply) -> list[Variable] | None:
    new = _guarded(node.op.split(node.inputs)[0])  # type: ignore[attr-defined]
    return node.op.make_node(*[new.get(v, v) for v in node.inputs]).outputs if new else None


SWITCHES: list[Rule] = [
    Rule(
        "local_switch_flow",
        lambda op: isinstance(op, Derivative),
        _guard_sources,
        frozenset({"stabilize"}),
        phase=1,
    )
]
