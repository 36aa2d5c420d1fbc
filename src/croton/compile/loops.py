"""Loops while a program runs: a `Scan` becomes ``lax.scan``, or a ``while_loop`` where it may stop early.

Where the step cannot be one program (its shapes depend on data, or every value is to be looked at), it is run step by
step on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from croton.compile.hoist import Hoisted, Merged, products_of
from croton.compile.layout import plain
from croton.compile.reverse import Reverse, reversible
from croton.compile.signals import NeedsValue
from croton.graph.core import Apply, Variable
from croton.loop.op import Scan, span

if TYPE_CHECKING:
    from croton.compile.lower import Lowering


def in_step(error: Exception, node: Apply) -> Exception:
    """``error``, saying also in which loop it arose."""
    error.args = (f"{error.args[0]}\nInside a step of {node}", *error.args[1:])
    return error


def run_loop(context: Lowering, node: Apply, values: Sequence[Any]) -> tuple[Any, ...]:
    """The values of a scan node's outputs."""
    loop = Loop(context, node, values)
    if context.by_hand:
        return loop.wanted(*loop.by_hand())
    if not context.eager:
        return loop.wanted(*loop.as_program())
    try:
        return loop.wanted(*loop.compiled())
    except NeedsValue:
        return loop.wanted(*loop.by_hand())


# The stacked outputs (None: not wanted), and the carry after the last step.
Result = tuple[list[Any], Any]


class Feed(NamedTuple):
    """What the steps are fed with besides the carry: values that stay the same, and stacks of one value for each."""

    fixed: Mapping[Variable, Any]
    xs: Mapping[Variable, Any]


class Loop:
    """One loop on given values.

    The carry is (past values of each output that feeds back, oldest first; shared values; last values of other outputs
    that are wanted).
    """

    def __init__(self, context: Lowering, node: Apply, values: Sequence[Any]) -> None:
        self.context, self.node = context, node
        self.op: Scan = node.op  # type: ignore[assignment]
        values = [plain(v) for v in values]
        given, names = self.op.split(values), self.op.split(node.inputs)
        self.n = self._steps(given, names)
        self.xs = [x for x, t in zip(given.sequences, self.op.sequences, strict=True) for x in self._cut(x, t)]
        self.fixed = list(given.fixed)
        self.feeds = [k for k, t in enumerate(self.op.taps) if t]
        self.collected = {k for what, k in self.op.wanted if what == "all"}
        self.kept = [k for what, k in self.op.wanted if what == "last" and k not in self.feeds]
        self.errors: list[Callable[[], Exception]] = []
        self.names = names
        past = [self._past(x, k) for x, k in zip(given.initial, self.feeds, strict=True)]
        self.before: tuple[Any, Any, list[Any]] = (
            past,
            [jnp.asarray(v) for v in given.shared],
            [None] * len(self.kept),
        )

    # --- what it is given ---

    def _steps(self, given: Any, names: Any) -> int:
        op = self.op
        lengths = [x.shape[0] - span(t)[1] for x, t in zip(given.sequences, op.sequences, strict=True)]
        if not op.counted:
            return max(0, min(lengths))
        n = int(self.context.known(given.steps, self.node))
        if n < 0:
            raise IndexError(f"{op}: n_steps, {names.steps}, is {n}: it cannot be negative")
        for x, v, length in zip(names.sequences, given.sequences, lengths, strict=True):
            if length < n and not op.until:
                raise ValueError(
                    f"{op}: Sequence is shorter than the required number of steps: {x} of shape {v.shape} "
                    f"has elements for {max(length, 0)} steps, n_steps is {n}"
                )
        return max(0, min([n, *lengths])) if op.until else n

    def _cut(self, x: Any, taps: Sequence[int]) -> list[Any]:
        """For each tap the elements that the steps get, in the steps' order."""
        low, _ = span(taps)
        whole = len(x)
        parts = []
        for tap in taps:
            first = tap - low
            if self.op.backwards:
                # The last elements first; what is left over is left at the beginning.
                last = whole - span(taps)[1] + first
                parts.append(jnp.flip(x[last - self.n : last], 0))
            else:
                parts.append(x[first : first + self.n])
        return [jnp.asarray(p) for p in parts]

    def _past(self, x: Any, k: int) -> tuple[Any, ...]:
        lags = self.op.lags(k)
        if self.op.taps[k] == (-1,):
            return (jnp.asarray(x),)
        if x.shape[0] != lags:
            raise ValueError(
                f"{self.op}: output {k} looks {lags} steps back, so its initial state "
                f"{self.names.initial[self.feeds.index(k)]} must be of that length along its first dimension: its "
                f"shape is {x.shape}"
            )
        return tuple(jnp.asarray(x[j]) for j in range(lags))

    @cached_property
    def start(self) -> Any:
        """The carry before the first step of a program."""
        shapes = self._shapes_of_one_step() if self.kept else []
        return *self.before[:2], [jnp.zeros(shapes[k].shape, shapes[k].dtype) for k in self.kept]

    def _shapes_of_one_step(self) -> list[Any]:
        def one(*x: Any) -> Any:
            child = self.context.child()
            child.tells = False
            feed = self.feed(x, self.fixed)
            return self.evaluate(child, self.before, feed.xs, feed.fixed)[0]

        return jax.eval_shape(one, *_elements(self.xs))

    # --- one step ---

    def feed(self, xs: Sequence[Any], fixed: Sequence[Any]) -> Feed:
        """The step's variables that are fed from outside, with their values."""
        return Feed(dict(zip(self.op.slots.fixed, fixed, strict=True)), dict(zip(self.op.elements, xs, strict=True)))

    def carried(self, carry: Any) -> dict[Variable, Any]:
        """The step's variables that the carry holds."""
        past, shared, _ = carry
        slots, op = self.op.slots, self.op
        env = dict(zip(slots.shared, shared, strict=True))
        for values, k in zip(past, self.feeds, strict=True):
            env.update((s, values[t]) for s, t in zip(slots.initial[k], op.taps[k], strict=True))
        return env

    def evaluate(
        self, child: Lowering, carry: Any, x: Mapping[Variable, Any], fixed: Mapping[Variable, Any]
    ) -> tuple[Any, Any, Any]:
        """(outputs, the carry after the step, whether to stop) of one step."""
        op, env = self.op, {**self.carried(carry), **x, **fixed}
        child.evaluate(op.graph.outputs, env)
        found = [jnp.asarray(plain(child.value(v, env)), v.type.dtype) for v in op.graph.outputs]  # type: ignore[attr-defined]
        outs = found[: len(op.taps)]
        return outs, self.advance(carry, outs, found), found[-1] if op.until else None

    def advance(self, carry: Any, outs: Sequence[Any], found: Sequence[Any]) -> Any:
        """The carry after a step with these outputs; ValueError where one does not fit its state."""
        past, shared, _ = carry
        op = self.op
        for values, k in zip(past, self.feeds, strict=True):
            if values[-1].shape != outs[k].shape:
                raise ValueError(
                    f"{op}: output {k} changes its shape: the state it comes from, "
                    f"{self.names.initial[self.feeds.index(k)]}, has shape {values[-1].shape}, what the step makes of "
                    f"it, {op.outputs[k]}, has shape {outs[k].shape}; give it an initial state of that shape"
                )
        news = found[len(op.taps) : len(op.taps) + op.shared]
        for variable, was, now in zip(self.names.shared, shared, news, strict=True):
            if was.shape != now.shape:
                raise ValueError(
                    f"{op}: a step updates the shared variable {variable}, of shape {was.shape}, to shape {now.shape}"
                )
        moved = [(*values[1:], outs[k]) for values, k in zip(past, self.feeds, strict=True)]
        return moved, list(news), [outs[k] for k in self.kept]

    def step(self, feed: Feed) -> Callable[[Any, Any], Any]:
        """A step for ``lax.scan`` over the values of ``feed.xs``: it gives the wanted outputs, the conditions of its
        checks, and whether to stop.
        """

        merged = None if self.context.forms else Merged(_products(self.op, feed), feed.fixed)

        def one(carry: Any, x: Any) -> Any:
            child = self.context.child()
            if merged is not None:
                merged.watch(child)
            outs, carry, stop = self.evaluate(child, carry, dict(zip(feed.xs, x, strict=True)), feed.fixed)
            return carry, (self.only_collected(outs), self.conditions(child), stop)

        return one

    def only_collected(self, outs: Sequence[Any]) -> list[Any]:
        return [o if k in self.collected else None for k, o in enumerate(outs)]

    def conditions(self, child: Lowering) -> tuple[Any, ...]:
        self.errors[:] = [error for _, error in child.checks]
        return tuple(jnp.asarray(c) for c, _ in child.checks)

    # --- all steps ---

    def as_program(self) -> Result:
        """All steps as a part of the program being traced."""
        if not self.op.until:
            stacked, conditions, carry = self.scan(self.n, self.start, self.xs, self.fixed)
        else:
            if self.context.forms or self.collected:
                raise NeedsValue(f"{self.op}: how many steps it makes must be known before")
            _, stacked, conditions, carry = self.loop_while(self.start, self.xs, self.fixed)
        self._check(conditions)
        return stacked, carry

    def scan(self, n: int, start: Any, xs: Any, fixed: Any) -> tuple[Any, Any, Any]:
        """(stacked outputs, conditions, carry) of ``n`` steps."""
        return (self._in_pieces if self.op.checkpoint else self._at_once)(n, start, xs, fixed)

    def _at_once(self, n: int, start: Any, xs: Any, fixed: Any) -> tuple[Any, Any, Any]:
        """The same, the gradient cut off where it is to be truncated."""
        hoisted = Hoisted(self.context, self.op, xs, fixed)
        feed = self.feed(xs, fixed)
        used = hoisted.used
        feed = Feed(
            {v: x for v, x in {**feed.fixed, **hoisted.once}.items() if v in used},
            {v: x for v, x in {**feed.xs, **hoisted.stacked}.items() if v in used},
        )
        cut = n - self.op.truncate
        if self.op.truncate == -1 or cut <= 0 or not self.context.forms:
            outs, conditions, last = self._scan(n, start, feed)
        else:
            held = lax.stop_gradient
            early = Feed(_held(feed.fixed), {v: held(x[:cut]) for v, x in feed.xs.items()})
            first, fine, middle = self._scan(cut, held(start), early)
            late = Feed(feed.fixed, {v: x[cut:] for v, x in feed.xs.items()})
            rest, conditions, last = self._scan(n - cut, held(middle), late)
            outs = jax.tree.map(lambda a, b: jnp.concatenate([held(a), b]), first, rest)
            conditions = tuple(map(jnp.concatenate, zip(fine, conditions, strict=True)))
        self.errors[:0] = [error for _, error in hoisted.checks]
        return outs, (*[c for c, _ in hoisted.checks], *conditions), last

    def _in_pieces(self, n: int, start: Any, xs: Any, fixed: Any) -> tuple[Any, Any, Any]:
        """The same in pieces, of which only the carry and the last outputs are kept, even for derivatives."""
        size = self.op.checkpoint

        def piece(length: int, carry: Any, xs: Any) -> Any:
            outs, conditions, carry = self._at_once(length, carry, xs, fixed)
            return carry, (jax.tree.map(lambda o: o[-1], outs), tuple((c != 0).all() for c in conditions))

        whole, rest = divmod(n, size)
        if rest and not self.op.padding:
            raise ValueError(
                f"{self.op} makes {n} steps, not a multiple of save_every_N={size}: choose another, or padding=True"
            )
        run = jax.checkpoint(piece, static_argnums=0)
        parts = [x[: whole * size].reshape(whole, size, *x.shape[1:]) for x in xs]
        carry, (outs, conditions) = lax.scan(lambda c, x: run(size, c, x), start, parts, length=whole)
        if rest:
            carry, (last, fine) = run(rest, carry, [x[whole * size :] for x in xs])
            outs = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), outs, last)
            conditions = tuple(jnp.append(a, b) for a, b in zip(conditions, fine, strict=True))
        return outs, conditions, carry

    def _scan(self, n: int, start: Any, feed: Feed) -> tuple[Any, Any, Any]:
        if self.context.forms == ("reverse",) and n > 1 and reversible(self.op):
            return Reverse(self, n, start, feed)()
        carry, (outs, conditions, _) = lax.scan(self.step(feed), start, list(feed.xs.values()), length=n)
        return outs, conditions, carry

    def loop_while(self, start: Any, xs: Any, fixed: Any) -> tuple[Any, Any, Any, Any]:
        """(number of steps, stacked outputs, conditions, carry), stopping after the step that says so."""
        feed = self.feed(xs, fixed)
        one = self.step(feed)
        shapes = jax.eval_shape(one, start, _elements(xs))[1]
        room = [None if s is None else jnp.zeros((self.n, *s.shape), s.dtype) for s in shapes[0]]
        fine = tuple(jnp.ones((), bool) for _ in shapes[1])
        if self.n == 0:
            return 0, room, fine, start

        def going(state: Any) -> Any:
            i, stop, *_ = state
            return (i < self.n) & ~stop

        def body(state: Any) -> Any:
            i, _, carry, outs, fine = state
            now = [lax.dynamic_index_in_dim(x, i, 0, False) for x in xs]
            carry, (found, conditions, stop) = one(carry, now)
            outs = [
                None if r is None else lax.dynamic_update_index_in_dim(r, o, i, 0)
                for r, o in zip(outs, found, strict=True)
            ]
            return i + 1, stop != 0, carry, outs, tuple(a & b for a, b in zip(fine, conditions, strict=True))

        i, _, carry, outs, fine = lax.while_loop(going, body, (jnp.int32(0), jnp.asarray(False), start, room, fine))
        return i, outs, fine, carry

    def compiled(self) -> Result:
        """All steps as a program of its own, for a function that runs op by op."""
        n = self.n
        arrays = (self.start, self.xs, self.fixed)
        if self.op.until:
            if not any(isinstance(v, jax.core.Tracer) for v in jax.tree.leaves(arrays)):
                steps, stacked, conditions, carry = self._program("while", self.loop_while)(*arrays)
                self._check(conditions)
                return [None if s is None else s[: int(steps)] for s in stacked], carry
            n = self._steps_made(arrays)
            arrays = (self.start, [x[:n] for x in self.xs], self.fixed)
        run = self._program(n, lambda *a: self.scan(n, *a))
        stacked, conditions, carry = run(*arrays)
        self._check(conditions)
        return stacked, carry

    def _steps_made(self, arrays: Any) -> int:
        """How many steps it makes, which must be known before they are differentiated; they tell nothing yet."""
        tells, self.context.tells = self.context.tells, False
        try:
            return int(self._program("count", self.loop_while)(*lax.stop_gradient(arrays))[0])
        finally:
            self.context.tells = tells

    def _program(self, kind: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` of (start, xs, fixed) compiled, and kept for the next call with the same host values."""
        host = [k for k, v in enumerate(self.fixed) if isinstance(v, np.ndarray)]
        told = tuple((k, self.fixed[k].shape, self.fixed[k].tobytes()) for k in host)
        key = (self.op, kind, self.n, told, self.context.forms)
        programs = self.context.programs
        if key not in programs:

            def on_arrays(start: Any, xs: Any, moving: Any) -> Any:
                fixed = list(self.fixed)
                for k, v in moving.items():
                    fixed[k] = v
                return function(start, xs, fixed)

            programs[key] = jax.jit(on_arrays), self.errors
        run, self.errors = programs[key]
        return lambda start, xs, fixed: run(start, xs, {k: v for k, v in enumerate(fixed) if k not in host})

    def by_hand(self) -> Result:
        """All steps one after another on the host."""
        rows: list[list[Any]] = [[] for _ in self.op.taps]
        carry: Any = self.before
        n = self._steps_by_hand() if self.op.until and self.op.truncate > 0 and self.context.forms else self.n
        for i, (outs, after) in enumerate(self._walk(self.context, n)):
            carry = after
            if self.op.checkpoint == 0 or i + 1 == n or (i + 1) % self.op.checkpoint == 0:
                for row, o in zip(rows, outs, strict=True):
                    row.append(o)
        return [self._stack(row, k) if k in self.collected else None for k, row in enumerate(rows)], carry

    def _walk(self, child: Lowering, n: int) -> Iterator[tuple[list[Any], Any]]:
        """Outputs and carry of each of at most ``n`` steps, the gradient cut off where it is to be truncated."""
        carry, feed = self.before, self.feed(self.xs, self.fixed)
        for i in range(n):
            outs, carry, stop = self.evaluate(child, carry, {v: x[i] for v, x in feed.xs.items()}, feed.fixed)
            if n - i > self.op.truncate > 0:
                outs, carry = lax.stop_gradient((outs, carry))
            yield outs, carry
            if stop is not None and bool(self.context.known(stop, self.node)):
                break

    def _steps_by_hand(self) -> int:
        """How many steps it makes."""
        child = self.context.child()
        child.eager, child.tells = True, False
        return sum(1 for _ in self._walk(child, self.n))

    def _stack(self, row: Sequence[Any], k: int) -> Any:
        shapes = {o.shape for o in row}
        if len(shapes) > 1:
            raise ValueError(
                f"{self.op}: output {k}, {self.op.outputs[k]}, has different shapes in different steps: "
                f"{', '.join(str(o.shape) for o in row[:3])} ...: they cannot be stacked"
            )
        if row:
            return jnp.stack(row)
        one = self._shapes_of_one_step()[k]
        return jnp.zeros((0, *one.shape), one.dtype)

    def _check(self, conditions: Sequence[Any]) -> None:
        for k, condition in enumerate(conditions):
            # Which error is known only when the step has been traced, which by now it has.
            # The comparison ends what JAX takes for derivatives of the condition.
            self.context.checks.append((jnp.all(condition != 0), partial(self._located, self.errors[k])))

    def _located(self, make: Callable[[], Exception]) -> Exception:
        return in_step(make(), self.node)

    def wanted(self, stacked: Sequence[Any], carry: Any) -> tuple[Any, ...]:
        """The node's outputs."""
        past, shared, kept = carry

        def last(k: int) -> Any:
            if self.n == 0 and self.op.lags(k) == 0:
                raise IndexError(f"{self.op} makes no steps: there is no last value of output {k}")
            return past[self.feeds.index(k)][-1] if k in self.feeds else kept[self.kept.index(k)]

        take = {"all": lambda k: stacked[k], "last": last, "shared": lambda k: shared[k]}
        return tuple(take[what](k) for what, k in self.op.wanted)


def _elements(xs: Sequence[Any]) -> list[Any]:
    """The shapes and dtypes of one element of each."""
    return [jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for x in xs]


def _products(op: Scan, feed: Feed) -> Sequence[Apply]:
    return products_of(op, {v for v, x in feed.fixed.items() if not isinstance(x, np.ndarray)})


def _held(fixed: Mapping[Variable, Any]) -> dict[Variable, Any]:
    return {v: x if isinstance(x, np.ndarray) else lax.stop_gradient(x) for v, x in fixed.items()}
