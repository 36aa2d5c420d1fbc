"""Lowering: a graph evaluated op by op, on NumPy arrays, JAX arrays or tracers alike.

Under ``jax.jit`` this is what makes the program; outside it, it runs the graph eagerly, for graphs whose shapes
depend on data. What depends only on constants and shapes is NumPy's throughout, so it is settled while tracing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from croton.compile.choice import choose
from croton.compile.layout import Transposed, lower_transposed, narrow_product, plain
from croton.compile.loops import in_step, run_loop
from croton.compile.signals import NeedsValue, tell
from croton.graph.core import Apply, Constant, Type, Variable
from croton.graph.derivative import Derivative, Mark, between
from croton.graph.walk import needed
from croton.sparse.value import inside, moved, moving

Env = dict[Variable, Any]
# A condition that must hold when the program has run, and the exception to raise if it does not.
Check = tuple[Any, Callable[[], Exception]]
# How a node's results come from its inputs' values.
Compute = Callable[[Apply, Sequence[Any]], Sequence[Any]]


class Lowering:
    """Evaluates graphs. ``bounds`` gives the slices that a call's integers decide, ``settled`` the variables known on
    the host.

    ``checks`` gathers the conditions met on the way. ``eager``: values may be looked at, for there is no program.
    ``tells``: whether what is to be told of values is told, as it is not where they are only worked out beforehand.
    """

    tells = True
    # Whether loops are run step by step, so that every value passes by.
    by_hand = False

    def __init__(
        self,
        bounds: Mapping[Any, Any] | None = None,
        settled: Mapping[Variable, np.ndarray] | None = None,
        eager: bool = False,
    ) -> None:
        self.bounds = bounds or {}
        self.settled = settled or {}
        self.eager = eager
        self.checks: list[Check] = []
        self.offsets: dict[Apply, Any] = {}
        # The derivatives being taken around what is evaluated, outermost first.
        self.forms: tuple[str, ...] = ()
        # Programs of loops, which an eager run compiles one by one.
        self.programs: dict[Any, Any] = {}
        self._computing: Compute = self.compute

    def wrap(self, around: Callable[[Apply, Sequence[Any], Compute], Sequence[Any]]) -> None:
        """Have every node computed by ``around(node, values, compute)``, ``compute`` being how it was done so far."""
        compute = self._computing
        self._computing = lambda node, values: around(node, values, compute)

    def child(self) -> Lowering:
        """A lowering for a part of the program that is traced by itself, such as a loop's step."""
        child = Lowering()
        child.forms, child.tells = self.forms, self.tells
        return child

    # --- what ops may ask of their context ---

    def check(self, condition: Any, node: Apply, error: Callable[[], Exception]) -> None:
        """Have ``error`` raised, about ``node``, unless ``condition`` (a boolean scalar) holds."""
        self.checks.append((condition, lambda: explain(error(), node, ())))

    def known(self, value: Any, node: Apply) -> np.ndarray:
        """``value`` as a NumPy array; only what is known on the host, or anything in an eager run."""
        if isinstance(value, np.ndarray):
            return value
        if self.eager:
            return np.asarray(jax.lax.stop_gradient(value))
        raise NeedsValue(f"{node.op} needs a value that only the running program knows")

    def loop(self, node: Apply, values: Sequence[Any]) -> tuple[Any, ...]:
        """The results of a `Scan` node; an error in a step says in which loop it is."""
        try:
            return run_loop(self, node, values)
        except Explained as error:
            in_step(error, node)
            raise

    def tell(self, action: Callable[[np.ndarray], None], value: Any) -> None:
        """Have ``action`` called with ``value`` each time that the program has computed it, in the program's order."""
        if self.tells:
            jax.debug.callback(partial(tell, action), plain(value), ordered=True)

    def marked(self, node: Apply, value: Any) -> Any:
        """The value of a Mark: stopped, or moved by the offset that is being differentiated with respect to."""
        if node.op.stop:  # type: ignore[attr-defined]
            return jax.lax.stop_gradient(value)
        offset = self.offsets.get(node)
        return value if offset is None else value + offset

    def total(self, type_: Type, like: Any, parts: Sequence[Any]) -> Any:
        """The sum of ``parts`` as a value of ``type_``, zeros of the shape of ``like`` where there are none."""
        dtype = type_.dtype  # type: ignore[attr-defined]
        return sum((p.astype(dtype) for p in parts), jnp.zeros(np.shape(like), dtype))

    # --- evaluation ---

    def evaluate(self, wanted: Iterable[Variable], env: Env) -> None:
        """Put the values of ``wanted`` into ``env``, from those that it has."""
        wanted = list(wanted)
        order = [n for n in needed(wanted, stop=env) if any(v not in env for v in n.outputs)]
        groups: dict[Any, list[Apply]] = {}
        for node in order:
            if isinstance(node.op, Derivative):
                sources, seeds, wrt, _ = node.op.split(node.inputs)
                key = (node.op.form, sources, seeds, wrt if node.op.form == "forward" else ())
                groups.setdefault(key, []).append(node)
        for group in groups.values():
            self._differentiate(group, order, wanted, env)
        for node in needed(wanted, stop=env) if groups else order:
            self.apply(node, env)

    def value(self, v: Variable, env: Env) -> Any:
        """The value of a variable that is at hand: evaluated before, settled on the host, or constant."""
        if v in env:
            return env[v]
        if v in self.settled:
            return self.settled[v]
        if isinstance(v, Constant):
            return inside(v.data)
        raise KeyError(f"{v} has no value")

    def apply(self, node: Apply, env: Env) -> None:
        """Compute one node's outputs into ``env``."""
        if all(v in self.settled for v in node.outputs) and not node.op.tells:
            env.update((v, self.settled[v]) for v in node.outputs)
            return
        if len(node.op.always(node)) < len(node.inputs):
            env.update(zip(node.outputs, choose(self, node, env), strict=True))
            return
        values = [self.value(v, env) for v in node.inputs]
        for k, v in enumerate(node.inputs):
            if v in node.op.structural(node):
                values[k] = self.known(self.settled.get(v, values[k]), node)
        results = self._computing(node, values)
        env.update(zip(node.outputs, results, strict=True))

    def compute(self, node: Apply, values: Sequence[Any]) -> Sequence[Any]:
        """The node's results from its inputs' values; errors name the op, the shapes and the line that built it."""
        try:
            results: Any = NotImplemented
            if any(type(v) is Transposed for v in values):
                results = lower_transposed(self, node, values)
                values = values if results is not NotImplemented else [plain(v) for v in values]
            if results is NotImplemented:
                results = narrow_product(node, values) if not self.eager else None
            if results is None:
                results = node.op.lower(self, node, values)
        except (NeedsValue, Explained):
            raise
        except Exception as error:
            raise explain(error, node, values) from error
        return results if isinstance(results, tuple) else (results,)

    def _differentiate(self, group: list[Apply], order: Sequence[Apply], wanted: Sequence[Variable], env: Env) -> None:
        """Evaluate derivative nodes on the same sources together, with one pass through what lies between."""
        op: Derivative = group[0].op  # type: ignore[assignment]
        sources, seeds, _, _ = op.split(group[0].inputs)
        wrt = list(dict.fromkeys(w for n in group for w in n.op.split(n.inputs)[2]))  # type: ignore[attr-defined]
        active = between(sources, wrt)
        inside = {v for n in active for v in n.outputs}
        # What only a branch needs is left to it, inside the pass.
        met = [n for n in needed(sources) if n in active]
        around = [v for n in met for v in n.op.always(n) if v not in inside] + [s for s in sources if s not in inside]
        self.evaluate([*around, *seeds, *[w for w in wrt if w not in inside]], env)
        users = [v for n in order if n not in active for v in n.op.always(n)]
        shared = [v for v in dict.fromkeys([*users, *wanted]) if v in inside and v not in env]
        # The leaves too: a derivative within this one may have its own way between the same nodes.
        base = {v: x for v, x in env.items() if v.owner is None}
        base.update((v, self.value(v, env)) for v in dict.fromkeys([*around, *wrt]) if v not in inside)
        conditions: list[Check] = []

        def inner(*points: Any) -> Any:
            return self._pass(active, sources, wrt, points, base, shared, conditions)

        start = [self._point(w, base, inside) for w in wrt]
        seed_values = [plain(self.value(s, env)) for s in seeds]
        self.forms, around_this = (*self.forms, op.form), self.forms
        try:
            by_node = self._form(op.form, inner, start, seed_values, sources, wrt, group, env, shared, conditions)
        finally:
            self.forms = around_this
        for node, values in by_node:
            env.update(zip(node.outputs, values, strict=True))

    def _point(self, w: Variable, base: Env, inside: set[Variable]) -> Any:
        if w in inside:
            # A mark: what it stands for is computed in the pass, so the derivative is taken at an offset of zero from
            # it.
            shape = self._shape(w.owner.inputs[0], base)  # type: ignore[union-attr]
            return jnp.zeros(shape, w.type.dtype)  # type: ignore[attr-defined]
        return moving(plain(base[w]))

    def _shape(self, v: Variable, base: Env) -> tuple[int, ...]:
        if v in base:
            return np.shape(base[v])

        def compute() -> Any:
            scratch = Lowering(self.bounds, self.settled, self.eager)
            scratch.tells = False
            env = dict(base)
            scratch.evaluate([v], env)
            return env[v]

        return np.shape(compute()) if self.eager else jax.eval_shape(compute).shape

    def _pass(
        self,
        active: Iterable[Apply],
        sources: Sequence[Variable],
        wrt: Sequence[Variable],
        points: Sequence[Any],
        base: Env,
        shared: Sequence[Variable],
        conditions: list[Check],
    ) -> Any:
        """The sources' values as a function of ``points``; also those of ``shared`` and of the checks met."""
        env = dict(base)
        held_checks, self.checks = self.checks, []
        held_offsets, self.offsets = self.offsets, dict(self.offsets)
        try:
            for w, p in zip(wrt, points, strict=True):
                if w.owner is not None and isinstance(w.owner.op, Mark) and w not in base:
                    self.offsets[w.owner] = p
                else:
                    env[w] = moved(base[w], p)
            self.evaluate([*sources, *shared], env)
            conditions[:] = self.checks
            return [jnp.asarray(plain(env[s])) for s in sources], ([env[v] for v in shared], [c for c, _ in conditions])
        finally:
            self.checks, self.offsets = held_checks, held_offsets

    def _form(
        self,
        form: str,
        inner: Callable[..., Any],
        start: Sequence[Any],
        seeds: Sequence[Any],
        sources: Sequence[Variable],
        wrt: Sequence[Variable],
        group: Sequence[Apply],
        env: Env,
        shared: Sequence[Variable],
        conditions: list[Check],
    ) -> Iterable[tuple[Apply, list[Any]]]:
        if form == "jacobian":
            taken, aux = jax.jacrev(
                lambda *p: (lambda out: (out[0][0], out[1]))(inner(*p)), tuple(range(len(wrt))), has_aux=True
            )(*start)
        elif form == "reverse":
            values, pull, aux = jax.vjp(inner, *start, has_aux=True)
            taken = pull([jnp.broadcast_to(s, v.shape).astype(v.dtype) for s, v in zip(seeds, values, strict=True)])
        else:
            tangents = [jnp.broadcast_to(s, p.shape).astype(p.dtype) for s, p in zip(seeds, start, strict=True)]
            _, pushed, aux = jax.jvp(inner, tuple(start), tuple(tangents), has_aux=True)
        handed, met = aux
        env.update(zip(shared, handed, strict=True))
        self.checks += [(c, error) for c, (_, error) in zip(met, conditions, strict=True)]
        if form == "forward":
            return [(n, list(pushed)) for n in group]
        by_wrt = {w: moved(env.get(w), t) for w, t in zip(wrt, taken, strict=True)}
        return [(n, [by_wrt[w] for w in n.op.split(n.inputs)[2]]) for n in group]  # type: ignore[attr-defined]


class Explained(Exception):
    """Mixed into the class of an error that already says which op and line it comes from."""


_explained: dict[type, type] = {}


def _is_own(error: Exception) -> bool:
    """Whether croton itself raised the error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("croton.")


def explain(error: Exception, node: Apply, values: Sequence[Any]) -> Exception:
    """``error`` of its own class, saying also which op it comes from, on what types and shapes, and who built it."""
    kind = type(error)
    if kind.__module__.startswith("jax") or (isinstance(error, TypeError) and values and not _is_own(error)):
        # JAX reports shapes that disagree as TypeErrors.
        kind = ValueError
    if kind not in _explained:
        # Deriving from both keeps the class that callers catch and marks it as done.
        try:
            # The class has no name of its own to be found by: it is pickled as the class it derives from.
            body = {
                "__module__": kind.__module__,
                "__str__": lambda e: e.args[0],
                "__reduce__": lambda e, kind=kind: (kind, e.args),
            }
            _explained[kind] = type(kind.__name__, (kind, Explained), body)
        except TypeError:
            return error
    lines = [str(error), f"Apply node that caused the error: {node}"]
    if values:
        lines.append(f"Inputs types: {[v.type for v in node.inputs]}")
        lines.append(f"Inputs shapes: {[tuple(np.shape(v)) for v in values]}")
    if node.place is not None:
        lines.append(f"Built at {node.place}")
    return _explained[kind]("\n".join(lines))


__all__ = ["Check", "Env", "Explained", "Lowering", "NeedsValue", "explain"]
