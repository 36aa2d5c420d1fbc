"""Programs: a graph compiled by XLA once for each combination of shapes, its shared values read and updated."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from croton.compile.alike import Body, body
from croton.compile.dividing import Dividing
from croton.compile.host import HostPlan
from croton.compile.layout import plain
from croton.compile.lower import Lowering, NeedsValue
from croton.compile.memory import compiled
from croton.compile.modes import DebugMode, Mode, MonitorMode, NanGuardMode
from croton.compile.monitor import MonitoredLowering
from croton.compile.nanguard import GuardedLowering
from croton.compile.prepare import prepare
from croton.compile.signals import hear
from croton.compile.wide import wide
from croton.graph.core import SharedVariable, Variable, hooks
from croton.graph.derivative import Derivative
from croton.graph.walk import inputs as edge
from croton.graph.walk import toposort
from croton.settings import config
from croton.sparse.types import SparseType
from croton.sparse.value import Sparse, fitted, on_device


def to_device(value: Any) -> Any:
    """A shared value as a JAX array of its own dtype; must be called where 64 bits are enabled."""
    # NumPy copies and JAX takes the copy as it is: JAX's own copying compiles a program for each shape.
    return (
        jax.tree.map(lambda x: jax.device_put(np.array(x)), value) if isinstance(value, np.ndarray | Sparse) else value
    )


def to_host(value: Any) -> Any:
    """A shared value as a NumPy array, or whatever else it is."""
    return np.asarray(value) if isinstance(value, jax.Array) else value


hooks.to_host = to_host

# A program consumes the buffers of what it updates from so many bytes on; below, the memory saved is not worth the
# care.
DONATED = 1 << 20

# Held from reading the shared values to storing their updates: two threads doing so at once would lose a step.
turn = threading.RLock()


def store(containers: Sequence[Any], values: Sequence[Any]) -> None:
    """Put each value into its container, all or none: the loop runs in C, where no signal is handled."""
    list(map(setattr, containers, repeat("value"), values))


class Uninterrupted:
    """While it lasts, Ctrl-C waits: between a program that consumes its arguments and the storing of its results."""

    def __enter__(self) -> None:
        self.before: Any = None
        self.seen: tuple[Any, ...] | None = None
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self.before = signal.signal(signal.SIGINT, self._note)

    def _note(self, *arguments: Any) -> None:
        self.seen = arguments

    def __exit__(self, *_: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)
            if self.seen is not None:
                self.before(*self.seen)


class Program:
    """``outputs`` and ``updates`` (shared variable, expression) as functions of ``inputs``."""

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        updates: Sequence[tuple[SharedVariable, Variable]],
        mode: Mode,
    ) -> None:
        wanted = prepare([*outputs, *[new for _, new in updates]], mode)
        self.inputs = list(inputs)
        self.outputs, self.news = wanted[: len(outputs)], wanted[len(outputs) :]
        updated = [s for s, _ in updates]
        self.updated = updated
        read = [v for v in edge(wanted) if isinstance(v, SharedVariable) and v not in updated]
        self.shared = [*read, *updated]
        self.containers = [s.container for s in self.shared]
        self.first_updated = len(read)
        self.written = self.containers[self.first_updated :]
        self.plan = HostPlan(wanted, self.inputs, self.shared)
        self.planned = bool(self.plan)
        self.mode = mode
        self.eager = self.plan.eager or isinstance(mode, NanGuardMode | DebugMode | MonitorMode)
        ops = [n.op for n in toposort(wanted)]
        self.tells = any(op.tells for op in ops)
        self.checked = self.tells or self._is_checked(wanted)
        self.sparse = any(isinstance(v.type, SparseType) for v in (*self.inputs, *self.shared))
        # What is differentiated may call kernels, and the examples of its loops be divided over several devices.
        differentiated = any(isinstance(op, Derivative) for op in ops)
        self.divides = differentiated and not self.tells and not self.sparse
        self.traces = 0
        self._loops: dict[Any, Any] = {}
        self.quick: Callable[[list[Any]], Sequence[Any]] | None = None
        self._compiled_before = False
        self._compiled: dict[Any, tuple[Callable[..., Any], list[Any], bool]] = {}
        self.body: Body | None = None

    def _is_checked(self, wanted: Sequence[Variable]) -> bool:
        """Whether the running program may find an index or a label wrong: then it must not consume what it updates."""
        return any(v not in self.plan.fixed for n in toposort(wanted) for v in getattr(n.op, "checked", _nothing)(n))

    def share(self) -> None:
        """From now on use, and leave behind, what is compiled for equal graphs on other shared variables."""
        if not (self.planned or self.eager or self.tells):
            self.body = body(self.inputs, self.shared, [*self.outputs, *self.news])
        if self.body is not None:
            # Equal graphs may be asked for different outputs and updates.
            asked = len(self.outputs), self.first_updated
            self._compiled, self._compiled_before = self.body.compiled.setdefault(asked, {}), True

    # --- one call ---

    @wide
    def __call__(self, values: Sequence[Any]) -> Sequence[Any]:
        """Run once: returns the outputs as JAX arrays (or NumPy ones) and stores the updates."""
        with turn:
            arguments = [*values, *self.shared_values()]
            if self.eager:
                return self._run_eagerly(arguments)
            key: tuple[Any, ...] = ()
            try:
                if self.planned:
                    key, starts = self.plan.settle(values, arguments[len(values) :])
                    arguments.append(starts)
                found = self._compiled.get(key)
                if found is None:
                    found = self._compile(key, arguments)
                run, errors, consumes = found
                if consumes:
                    with Uninterrupted():
                        outputs, *news, flags = run(*arguments)
                        store(self.written, list(map(fitted, news)) if self.sparse else news)
                else:
                    outputs, *news, flags = self._run_unconsumed(run, errors, arguments)
            except NeedsValue:
                self.eager = True
                return self._run_eagerly(arguments)
            if self.tells:
                hear((outputs, news))
            if errors:
                raise_failed(flags, errors)
            if not consumes:
                store(self.written, list(map(fitted, news)) if self.sparse else news)
            return outputs

    def _run_unconsumed(self, run: Any, errors: list[Any], arguments: list[Any]) -> Any:
        """A program's results; where one serves every call and nothing is checked, ``quick`` is set for the next."""
        if self.planned or self.checked or self._compiled_before or self.sparse:
            return run(*arguments)
        plain = run
        if isinstance(run, Dividing):
            plain = run.way(arguments)
            if isinstance(plain, Mesh):
                return run(*arguments)
        self._compiled_before = True
        narrow = all(np.dtype(a.dtype).itemsize <= 4 for a in arguments)
        program = compiled(plain.lower(*arguments)) if narrow else run
        results = program(*arguments)
        if not errors:
            self.quick = self._quickly(program, narrow, run)
        return results

    def _quickly(self, program: Any, narrow: bool, run: Any) -> Callable[[list[Any]], Any]:
        """``__call__`` with nothing left to decide: in small functions Python's share is what counts.

        A compiled ``program`` of 32-bit arguments needs no 64-bit context; given other shapes it raises TypeError, and
        from then on ``run``, which compiles for each, takes its place.
        """
        containers, written, array = self.containers, self.written, np.ndarray
        one = len(written) == 1

        def quick(arguments: list[Any]) -> Sequence[Any]:
            with turn:
                for container in containers:
                    value = container.value
                    if type(value) is array:
                        value = container.value = to_device(value)
                    arguments.append(value)
                try:
                    results = program(*arguments)
                except NeedsValue:
                    self.quick, self.eager = None, True
                    return self._run_eagerly(arguments)
                except TypeError:
                    if program is run:
                        raise
                    self.quick = self._quickly(run, False, run)
                    return self.quick(arguments[: len(self.inputs)])
                if one:
                    written[0].value = results[1]
                else:
                    store(written, results[1:-1])
                return results[0]

        return quick if narrow else wide(quick)

    def shared_values(self) -> list[Any]:
        """The values of the shared variables, brought to the device where they are not there yet."""
        values = []
        for container in self.containers:
            value = container.value
            if type(value) is np.ndarray or (type(value) is Sparse and type(value.data) is np.ndarray):
                value = container.value = to_device(value)
            values.append(value)
        return values

    def _compile(self, key: Any, arguments: Sequence[Any]) -> tuple[Callable[..., Any], list[Any], bool]:
        errors: list[Any] = []
        first, last = len(self.inputs) + self.first_updated, len(self.inputs) + len(self.shared)

        # A program that others use too must not hold this one, and with it the values of its variables.
        trace = self.trace if self.body is None else partial(evaluate, self.body, len(self.outputs))
        planned = self.planned

        def traced(*arguments: Any) -> Any:
            starts = arguments[last] if planned else None
            outputs, news, flags = trace(key, starts, arguments[:last], errors)
            return (outputs, *news, flags)

        consumes = not self.checked and sum(a.nbytes for a in arguments[first:last]) >= DONATED
        if len(self._compiled) >= config.structures_kept:
            self._compiled.pop(next(iter(self._compiled)))
        donated = tuple(range(first, last)) if consumes else ()
        run = Dividing(traced, donated) if self.divides else jax.jit(traced, donate_argnums=donated, keep_unused=True)
        self._compiled[key] = run, errors, consumes
        return self._compiled[key]

    def trace(self, key: Any, starts: Any, leaves: Sequence[Any], errors: list[Any]) -> Any:
        """(outputs, new shared values, flags of the checks) from traced leaves; ``errors`` gets what the flags mean."""
        self.traces += 1
        return evaluate(self, len(self.outputs), key, starts, leaves, errors)

    @property
    def wanted(self) -> list[Variable]:
        return [*self.outputs, *self.news]

    def _eager_lowering(self) -> Lowering:
        if isinstance(self.mode, NanGuardMode):
            return GuardedLowering(self.mode)
        return MonitoredLowering(self.mode) if isinstance(self.mode, MonitorMode) else Lowering(eager=True)

    def _run_eagerly(self, arguments: Sequence[Any]) -> list[Any]:
        lowering = self._eager_lowering()
        lowering.programs = self._loops
        leaves = [jax.tree.map(jnp.array, v) for v in arguments[: len(self.inputs)]]
        known = [*leaves, *arguments[len(self.inputs) : len(self.inputs) + len(self.shared)]]
        env: dict[Variable, Any] = dict(zip([*self.inputs, *self.shared], known, strict=True))
        lowering.evaluate([*self.outputs, *self.news], env)
        if self.tells:
            hear()
        for condition, error in lowering.checks:
            if not bool(condition):
                raise error()
        outputs = [lowering.value(v, env) for v in self.outputs]
        store(self.written, [fitted(jax.tree.map(jnp.array, lowering.value(v, env))) for v in self.news])
        return outputs


def evaluate(of: Program | Body, count: int, key: Any, starts: Any, leaves: Sequence[Any], errors: list[Any]) -> Any:
    """``Program.trace``; the first ``count`` of what is wanted are outputs, the others new shared values."""
    lowering = Lowering(of.plan.bounds(key, starts), of.plan.settled(key)) if isinstance(of, Program) else Lowering()
    env = dict(zip([*of.inputs, *of.shared], leaves, strict=True))
    lowering.evaluate(of.wanted, env)
    values = [on_device(plain(lowering.value(v, env))) for v in of.wanted]
    errors[:] = [error for _, error in lowering.checks]
    flags = jnp.stack([jnp.asarray(c) for c, _ in lowering.checks]) if errors else ()
    return values[:count], _own(values[count:], leaves), flags


def _own(news: Sequence[Any], leaves: Sequence[Any]) -> list[Any]:
    """New shared values that share their buffers with nothing else."""
    taken = {id(leaf) for leaf in jax.tree.leaves(leaves)}
    parts, form = jax.tree.flatten(news)
    owned = []
    for new in parts:
        owned.append(jnp.copy(new) if id(new) in taken else new)
        taken.add(id(new))
    made: list[Any] = jax.tree.unflatten(form, owned)
    return made


def _nothing(_: Any) -> tuple[Variable, ...]:
    return ()


def raise_failed(flags: Any, errors: Sequence[Callable[[], Exception]]) -> None:
    """Raise the error of the first check that failed."""
    for passed, error in zip(np.asarray(flags), errors, strict=True):
        if not passed:
            raise error()
