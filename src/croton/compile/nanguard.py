"""NanGuard: op by op, looking at every value, in the forward pass and, on a tape of its own, in the reverse pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from croton.compile.choice import taken
from croton.compile.lower import Env, Lowering
from croton.compile.modes import NanGuardMode
from croton.graph.core import Apply, Variable
from croton.graph.derivative import Derivative, between
from croton.sparse.value import Sparse, moved, moving
from croton.tensor.control import IfElse

BIG = 1e10


class GuardedLowering(Lowering):
    """An eager lowering that raises AssertionError at the first op whose result, or whose derivative, is not sound."""

    by_hand = True

    def __init__(self, mode: NanGuardMode) -> None:
        super().__init__(eager=True)
        self.mode = mode

    def compute(self, node: Apply, values: Sequence[Any]) -> Sequence[Any]:
        results = super().compute(node, values)
        for result in results:
            self.inspect(result, node, "the output of", values)
        return results

    def inspect(self, value: Any, node: Apply, what: str, given: Sequence[Any]) -> None:
        """AssertionError if a concrete float ``value`` holds NaN (or infinity, or huge numbers, where they count as
        errors).
        """
        value = value.data if isinstance(value, Sparse) else value
        if isinstance(value, jax.core.Tracer) or not jnp.issubdtype(jnp.asarray(value).dtype, jnp.inexact):
            return
        array = np.asarray(value)
        if array.size == 0:
            return
        faults = [
            ("NaN", self.mode.nan_is_error and np.isnan(array).any()),
            ("Inf", self.mode.inf_is_error and np.isinf(array).any()),
            ("Big value", self.mode.big_is_error and (np.abs(array[np.isfinite(array)]) > BIG).any()),
        ]
        for name, found in faults:
            if found:
                text = ", ".join(_brief(v) for v in given)
                raise AssertionError(
                    f"{name} detected in {what} {node.op}: {node}\nits inputs are: {text}\nBuilt at "
                    f"{node.place or 'an unknown place'}"
                )

    def _differentiate(self, group: list[Apply], order: Sequence[Apply], wanted: Sequence[Variable], env: Env) -> None:
        op: Derivative = group[0].op  # type: ignore[assignment]
        if op.form != "reverse":
            super()._differentiate(group, order, wanted, env)
            for node in group:
                for v in node.outputs:
                    self.inspect(env[v], node, "the result of", ())
            return
        self._reverse_on_tape(group, env)

    def _reverse_on_tape(self, group: list[Apply], env: Env) -> None:
        op: Derivative = group[0].op  # type: ignore[assignment]
        sources, seeds, _, _ = op.split(group[0].inputs)
        wrt = list(dict.fromkeys(w for n in group for w in n.op.split(n.inputs)[2]))  # type: ignore[attr-defined]
        active = between(sources, wrt)
        self.evaluate([*sources, *seeds, *wrt], env)
        cotangents: dict[Variable, Any] = {}
        for source, seed in zip(sources, seeds, strict=True):
            value = jnp.asarray(self.value(source, env))
            _add(cotangents, source, jnp.broadcast_to(self.value(seed, env), value.shape).astype(value.dtype))
        for node in reversed(list(active)):
            if any(v in cotangents for v in node.outputs):
                self._pull(node, cotangents, env)
        for node in group:
            for v, w in zip(node.outputs, node.op.split(node.inputs)[2], strict=True):  # type: ignore[attr-defined]
                own = self.value(w, env)
                env[v] = moved(own, cotangents.get(w, jnp.zeros_like(moving(own))))

    def _pull(self, node: Apply, cotangents: dict[Variable, Any], env: Env) -> None:
        """Add to the inputs' cotangents what comes back through one node."""
        if isinstance(node.op, Derivative):
            self._pull_whole(node, cotangents, env)
            return
        if isinstance(node.op, IfElse):
            for v, source in zip(node.outputs, taken(self, node, env) or (), strict=True):
                if v in cotangents:
                    _add(cotangents, source, cotangents[v])
            return
        values = [self.value(v, env) for v in node.inputs]
        floats = [k for k, v in enumerate(values) if _moves(v)]

        def forward(*points: Any) -> Any:
            given = list(values)
            for k, v in zip(floats, points, strict=True):
                given[k] = moved(given[k], v)
            self.forms, around = (*self.forms, "reverse"), self.forms
            try:
                return list(map(moving, Lowering.compute(self, node, given)))
            finally:
                self.forms = around

        outputs, pull = jax.vjp(forward, *[moving(values[k]) for k in floats])
        seeds = [
            cotangents.get(
                v,
                np.zeros(o.shape, jax.dtypes.float0) if not jnp.issubdtype(o.dtype, jnp.inexact) else jnp.zeros_like(o),
            )
            for v, o in zip(node.outputs, map(jnp.asarray, outputs), strict=True)
        ]
        for k, g in zip(floats, pull(seeds), strict=True):
            self.inspect(g, node, f"the derivative, with respect to input {k}, of", values)
            _add(cotangents, node.inputs[k], g)

    def _pull_whole(self, node: Apply, cotangents: dict[Variable, Any], env: Env) -> None:
        """Back through a derivative node as a whole: JAX differentiates it again, from the leaves it depends on."""
        sources, seeds, inner_wrt, _ = node.op.split(node.inputs)  # type: ignore[attr-defined]
        leaves = [v for v in dict.fromkeys([*_edge(sources, env), *inner_wrt, *seeds]) if _moves(self.value(v, env))]
        fixed = {v: x for v, x in env.items() if v.owner is None}

        def forward(*points: Any) -> Any:
            inner = {**fixed, **{v: moved(self.value(v, env), p) for v, p in zip(leaves, points, strict=True)}}
            lowering = Lowering(eager=True)
            lowering.forms = (*self.forms, "reverse")
            lowering.evaluate(node.outputs, inner)
            return [moving(inner[v]) for v in node.outputs]

        outputs, pull = jax.vjp(forward, *[moving(self.value(v, env)) for v in leaves])
        seeds_back = [cotangents.get(v, jnp.zeros_like(o)) for v, o in zip(node.outputs, outputs, strict=True)]
        for v, g in zip(leaves, pull(seeds_back), strict=True):
            self.inspect(g, node, f"the second derivative, with respect to {v}, of", ())
            _add(cotangents, v, g)


def _edge(sources: Iterable[Variable], env: Env) -> list[Variable]:
    from croton.graph.walk import inputs

    return [v for v in inputs(sources) if v in env]


def _moves(value: Any) -> bool:
    return jnp.issubdtype(moving(value).dtype, jnp.inexact)


def _add(cotangents: dict[Variable, Any], v: Variable, g: Any) -> None:
    cotangents[v] = cotangents[v] + g if v in cotangents else g


def _brief(value: Any) -> str:
    array = np.asarray(value.data if isinstance(value, Sparse) else value)
    return f"{array}" if array.size <= 4 else f"{array.dtype}{array.shape} from {array.min()} to {array.max()}"
