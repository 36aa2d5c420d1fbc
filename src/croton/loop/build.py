"""``scan``: from a function that writes one step to a node that runs all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from croton.graph.core import Apply, Constant, SharedVariable, Variable
from croton.graph.derivative import Derivative, between, follow, settle
from croton.graph.errors import MissingInputError
from croton.graph.nested import Graph
from croton.graph.updates import OrderedUpdates
from croton.graph.walk import ancestors, default_updates, reached, toposort
from croton.loop.op import Scan
from croton.settings import config
from croton.tensor.basic import as_tensor_variable
from croton.tensor.shape import kind
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable


class until:
    """Returned last by a scan's step: stop after the step in which ``condition`` holds. As theano.scan_module.until."""

    def __init__(self, condition: Any) -> None:
        self.condition = as_tensor_variable(condition)
        if self.condition.ndim:
            raise ValueError(f"until takes a scalar condition, got {condition} of type {self.condition.type}")


def scan(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
    profile: Any = False,
    allow_gc: bool | None = None,
    strict: bool = False,
    return_list: bool = False,
) -> tuple[Any, OrderedUpdates]:
    """A loop: ``fn`` writes one step, which is run once for each element of the sequences, or ``n_steps`` times.

    Arguments:
      ``fn``: called once, with variables for: each tap of each sequence, in order; the past values of each output
      that feeds back, tap by tap; the non-sequences. It returns the step's outputs (a variable or a list), updates of
      shared variables (a dict or pairs), both in either order, and, last, perhaps ``until(condition)``.
      ``sequences``: a variable or a list of them, iterated along their first dimension; or
      ``dict(input=, taps=)`` with the offsets of the elements that each step gets (0 if not given).
      ``outputs_info``: for each output, None if it does not feed back, else its initial state; or
      ``dict(initial=, taps=)`` with negative offsets (-1 if not given); for taps other than -1 alone the first
      dimension of ``initial`` is time, as long as the furthest tap.
      ``non_sequences``: passed to each step as they are; other variables may be used in ``fn`` without naming them.
      ``n_steps``: an int or an integer scalar; if None, as many as the shortest sequence allows. With ``until``, the
      most.
      ``truncate_gradient``: derivatives flow through so many last steps only; -1: through all.
      ``go_backwards``: iterate over the sequences from their end; outputs stay in the order of the steps.
      ``strict``: whether ``fn`` may use only what it is passed. ``return_list``: a list even for a single output.
      ``name``: of the loop, for messages. ``mode``, ``profile`` and ``allow_gc`` change nothing that is computed.

    Returns (outputs, updates): each output's values stacked along a new first dimension, initial states not among
    them; a single output bare, none as None; and the final values of the shared variables that the steps change, to be
    passed to ``function``.

    Raises ValueError where outputs and their initial states disagree in dtype or rank, and for unfit sequences, taps
    or numbers of steps; MissingInputError in ``strict``; when run, ValueError for sequences shorter than ``n_steps``
    and for states that change their shape. As theano.scan.

    >>> import croton, croton.tensor as T
    >>> k, a = T.iscalar('k'), T.dvector('a')
    >>> powers, updates = croton.scan(lambda p, a: p * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k)
    >>> croton.function([a, k], powers[-1], updates=updates)([1., 2., 3.], 4)
    array([ 1., 16., 81.])
    """
    return build(
        fn, sequences, outputs_info, non_sequences, n_steps, truncate_gradient, go_backwards, name, strict, return_list
    )


def build(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any,
    n_steps: Any,
    truncate_gradient: int,
    go_backwards: bool,
    name: str | None,
    strict: bool,
    return_list: bool,
    checkpoint: int = 0,
    padding: bool = True,
) -> tuple[Any, OrderedUpdates]:
    """``scan``; with ``checkpoint``, ``scan_checkpoints``."""
    what = f"scan {name!r}" if name else "scan"
    seqs = [_Sequence(given, k, what) for k, given in enumerate(_listed(sequences))]
    states = [_State(given, k, what) for k, given in enumerate(_listed(outputs_info))]
    others = [as_tensor_variable(v) if not isinstance(v, Variable) else v for v in _listed(non_sequences)]
    steps = _steps(n_steps, seqs, what)
    if not isinstance(truncate_gradient, int | np.integer) or truncate_gradient == 0 or truncate_gradient < -1:
        raise ValueError(f"{what}: truncate_gradient must be -1 or a positive int, not {truncate_gradient!r}")
    feeds = [s for s in states if s.taps]
    arguments = [*[v for s in seqs for v in s.slots], *[v for s in feeds for v in s.slots]]
    outs, news, condition = _returned(fn(*arguments, *others), what)
    with config(compute_test_value="off"):
        states = _matched(states, outs, bool(_listed(outputs_info)), what)
        _add_default_updates(outs, news, condition, others)
        if checkpoint and condition is not None:
            raise ValueError(f"{what}: a loop with checkpoints cannot stop early: leave out until(), or use scan")
        stop = [] if condition is None else [as_tensor_variable(condition)]
        roots = [*outs, *news.values(), *stop]
        graph, fixed = _cut(roots, arguments, list(news), others)
        if strict:
            _refuse_captured(fixed, others, what)
    op = Scan(
        graph,
        tuple(s.taps for s in seqs),
        tuple(s.taps for s in states),
        len(news),
        steps is not None,
        go_backwards,
        int(truncate_gradient),
        condition is not None,
        checkpoint,
        padding,
        name,
        (
            *[("all", k) for k in range(len(outs))],
            *[("last", k) for k in range(len(outs))],
            *[("shared", k) for k in range(len(news))],
        ),
    )
    node = op.make_node(
        *([] if steps is None else [steps]), *[s.input for s in seqs], *[s.initial for s in feeds], *news, *fixed
    )
    results = node.outputs[: len(outs)]
    updates = OrderedUpdates(zip(news, node.outputs[2 * len(outs) :], strict=True))
    if return_list or len(results) > 1:
        return results, updates
    return (results[0] if results else None), updates


# --- what is given ---


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _taps(given: Any, default: int, what: str) -> tuple[int, ...]:
    taps = [default] if given is None else _listed(given)
    if not taps or not all(isinstance(t, int | np.integer) for t in taps) or len(set(taps)) < len(taps):
        raise ValueError(f"{what}: taps must be different ints, not {given!r}")
    return tuple(int(t) for t in taps)


def _known_keys(given: Mapping[str, Any], keys: Sequence[str], what: str) -> None:
    unknown = set(given) - set(keys)
    if unknown:
        raise ValueError(f"{what}: unknown {sorted(unknown)}: the keys are {', '.join(keys)}")


class _Sequence:
    """A sequence, its taps, and the step's variables for them."""

    def __init__(self, given: Any, k: int, what: str) -> None:
        what = f"{what}: sequence {k}"
        taps = None
        if isinstance(given, Mapping):
            _known_keys(given, ("input", "taps"), what)
            given, taps = given.get("input"), given.get("taps")
        if given is None:
            raise ValueError(f"{what} is None: give a variable, or dict(input=..., taps=...)")
        self.input = as_tensor_variable(given)
        if not self.input.ndim:
            raise ValueError(
                f"{what}, {self.input}, is a scalar of type {self.input.type}: there is nothing to iterate"
            )
        self.taps = _taps(taps, 0, what)
        type_ = TensorType(self.input.dtype, shape=kind(self.input).shape[1:])
        self.slots = [_slot(type_, self.input, t, self.input) for t in self.taps]


class _State:
    """What an output feeds back: its initial state and taps (none: it does not), and the step's variables for them."""

    def __init__(self, given: Any, k: int, what: str) -> None:
        what = f"{what}: output {k}"
        taps = None
        if isinstance(given, Mapping):
            _known_keys(given, ("initial", "taps"), f"{what}: outputs_info")
            given, taps = given.get("initial"), given.get("taps")
            if given is None and taps is not None:
                raise ValueError(f"{what} has taps {taps} but no initial state to begin with: give initial=...")
        self.taps: tuple[int, ...] = ()
        self.slots: list[Variable] = []
        if given is None:
            return
        self.initial = as_tensor_variable(given)
        self.taps = _taps(taps, -1, what)
        if max(self.taps) >= 0:
            raise ValueError(f"{what} has taps {list(self.taps)}: they must be negative, for past values")
        type_ = kind(self.initial)
        if self.taps != (-1,):
            depth = -min(self.taps)
            if not type_.ndim or type_.shape[0] not in (None, depth):
                raise ValueError(
                    f"{what} looks {depth} steps back, so the first dimension of its initial state {self.initial} must "
                    f"be time, of length {depth}: its type is {type_}"
                )
            type_ = TensorType(type_.dtype, shape=type_.shape[1:])
        self.slots = [_slot(type_, self.initial, t, self.initial if self.taps != (-1,) else None) for t in self.taps]


def _slot(type_: TensorType, outer: TensorVariable, tap: int, rows: Variable | None) -> Variable:
    """The step's variable for one tap of ``outer``, with a test value where that has one."""
    moment = "t" if tap == 0 else f"t{tap:+d}"
    slot = type_(None if outer.name is None else f"{outer.name}[{moment}]")
    slot.tag.in_loop = True
    value = getattr(outer.tag, "test_value", None)
    if value is None and isinstance(outer, SharedVariable | Constant):
        value = outer.get_value() if isinstance(outer, SharedVariable) else outer.data
    if value is not None and config.compute_test_value != "off" and (rows is None or len(value)):
        slot.tag.test_value = value if rows is None else value[0]
    return slot


def _steps(given: Any, seqs: Sequence[_Sequence], what: str) -> TensorVariable | None:
    if given is None:
        if not seqs:
            raise ValueError(f"{what} has neither sequences nor n_steps: nothing says how many steps to make")
        return None
    steps = as_tensor_variable(given)
    if steps.ndim or steps.dtype[0] not in "iu":
        raise ValueError(f"{what}: n_steps must be an int or an integer scalar, not {given} of type {steps.type}")
    if isinstance(steps, Constant) and steps.data < 0:
        raise IndexError(f"{what}: n_steps is {int(steps.data)}: it cannot be negative")
    return steps


# --- what the step returns ---


def _returned(result: Any, what: str) -> tuple[list[TensorVariable], dict[SharedVariable, Variable], Variable | None]:
    """A step's outputs, updates and condition to stop."""
    condition = None
    if isinstance(result, until):
        result, condition = None, result.condition
    elif isinstance(result, list | tuple) and result and isinstance(result[-1], until):
        condition = result[-1].condition
        result = result[0] if len(result) == 2 else result[:-1]
    outputs, updates = result, None
    if _is_updates(result):
        outputs, updates = None, result
    elif isinstance(result, list | tuple) and len(result) == 2:
        a, b = result
        if _is_updates(b) and not _is_updates(a):
            outputs, updates = a, b
        elif _is_updates(a) and not _is_updates(b):
            outputs, updates = b, a
    listed = list(outputs) if isinstance(outputs, list | tuple) else _listed(outputs)
    outs = [_output(v, what) for v in listed]
    news: dict[SharedVariable, Variable] = {}
    items: Iterable[Any] = updates.items() if isinstance(updates, Mapping) else updates or ()
    for target, new in items:
        if not isinstance(target, SharedVariable):
            raise TypeError(f"{what}: the step updates {target!r}: only shared variables can be updated")
        if target in news and news[target] is not new:
            raise KeyError("Collision", target)
        news[target] = target.filter_update(new if isinstance(new, Variable) else as_tensor_variable(new))
    return outs, news, condition


def _output(given: Any, what: str) -> TensorVariable:
    if isinstance(given, list | tuple):
        raise TypeError(
            f"{what}: the step returns {given!r} as an output: an output must be a variable; in updates, pairs "
            "(variable, new value), the variables must be shared"
        )
    return as_tensor_variable(given)


def _is_updates(given: Any) -> bool:
    if isinstance(given, Mapping):
        return True
    return (
        isinstance(given, list | tuple)
        and bool(given)
        and all(isinstance(p, list | tuple) and len(p) == 2 and isinstance(p[0], SharedVariable) for p in given)
    )


def _matched(states: list[_State], outs: Sequence[TensorVariable], told: bool, what: str) -> list[_State]:
    """``states`` for all outputs; ValueError where one cannot hold what the step makes of it."""
    if not told:
        return [_State(None, k, what) for k in range(len(outs))]
    if len(states) != len(outs):
        raise ValueError(
            f"{what}: the step returns {len(outs)} outputs, outputs_info has {len(states)} entries. Please provide "
            "None as outputs_info for any output that does not feed back"
        )
    for k, (state, out) in enumerate(zip(states, outs, strict=True)):
        if not state.taps:
            continue
        was, now = kind(state.slots[0]), kind(out)
        if was.dtype != now.dtype:
            raise ValueError(
                f"{what}: the initial state of output {k}, {state.initial}, has dtype {was.dtype}, while the result of "
                f"the inner function (`fn`), {out}, has dtype {now.dtype}: cast one of them"
            )
        if not was.accepts(now):
            raise ValueError(
                f"{what}: the initial state of output {k}, {state.initial}, cannot hold what the step makes of it: the "
                f"state is a {was}, the step's output {out} a {now}"
            )
    return states


def _add_default_updates(
    outs: Sequence[Variable],
    news: dict[SharedVariable, Variable],
    condition: Variable | None,
    others: Sequence[Variable],
) -> None:
    """Let every shared variable with a default update, a random stream's state above all, change with each step.

    What the step is passed as a non-sequence stays the same in all of them.
    """
    stop = set(others)
    while True:
        roots = [*outs, *news.values(), *([] if condition is None else [condition])]
        more = {v: new for v, new in default_updates(roots, stop).items() if v not in news}
        if not more:
            return
        news.update(more)


# --- the step as a graph of its own ---


def _cut(
    roots: Sequence[Variable],
    slots: Sequence[Variable],
    shared: Sequence[SharedVariable],
    others: Sequence[Variable],
) -> tuple[Graph, list[Variable]]:
    """The graph of one step and the variables it takes from outside: what does not change is left outside."""
    roots = settle(roots)
    order = toposort(roots)
    moving = reached([*slots, *shared], toposort(roots, stop=set(others)))
    inside = {n for n in order if any(v in moving for v in n.outputs)}
    while True:
        # What is differentiated inside must be there, up to what it is differentiated by.
        held = [n for n in inside if isinstance(n.op, Derivative)]
        more = {m for n in held for m in between(*_ends(n)) if m not in inside}
        if not more:
            break
        inside |= more
    made = {v for n in inside for v in n.outputs}
    own = {*slots, *shared}
    edge = dict.fromkeys(v for n in order if n in inside for v in n.inputs if v not in made)
    edge.update(dict.fromkeys(v for v in roots if v not in made))
    fixed = [v for v in edge if v not in own and not isinstance(v, Constant)]
    fresh: dict[Variable, Variable] = {v: _stand_in(v) for v in [*shared, *fixed]}
    graph = Graph([*slots, *fresh.values()], follow(roots, fresh))
    return graph, fixed


def _ends(node: Apply) -> tuple[Sequence[Variable], Sequence[Variable]]:
    sources, _, wrt, _ = node.op.split(node.inputs)  # type: ignore[attr-defined]
    return sources, wrt


def _stand_in(v: Variable) -> Variable:
    fresh = v.type.variable(name=v.name)
    fresh.tag.in_loop = True
    return fresh


def _refuse_captured(fixed: Sequence[Variable], allowed: Sequence[Variable], what: str) -> None:
    known = set(allowed)
    for v in ancestors(fixed, stop=known):
        if v.owner is None and v not in known and not isinstance(v, Constant):
            raise MissingInputError(
                f"{what} is strict, but its step uses {v} (of type {v.type}), which it is not passed: add it to "
                "non_sequences, or leave out strict=True"
            )


__all__ = ["build", "scan", "until"]
