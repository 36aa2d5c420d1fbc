"""Ops whose derivative can be infinite, guarded: where no derivative comes back, none goes on.

In ``switch(x > 0, log(x), 0)`` at x = 0 the choice sends a derivative of 0 back to the logarithm, whose own is
infinite there, and the product of the two is NaN. A guarded op takes that product to be 0, in derivatives of any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from croton.graph.core import Apply
from croton.tensor.elemwise import Elemwise, check_broadcast


def _meaning(slope: Any, t: Any) -> Any:
    return jnp.where(t == 0, jnp.zeros_like(t), slope * t)


# slope t, and 0 where t is. A primitive, because it must be differentiated as what it stands for: linear in t.
_product = Primitive("zero_keeping_product")
_product.def_impl(jax.jit(_meaning))
_product.def_abstract_eval(lambda slope, t: t)
mlir.register_lowering(_product, mlir.lower_fun(_meaning, multiple_results=False))


def _jvp(primals: Any, tangents: Any) -> Any:
    (slope, t), (d_slope, dt) = primals, tangents
    out = _product.bind(slope, t)
    parts = [] if type(d_slope) is ad.Zero else [_product.bind(d_slope, t)]
    parts += [] if type(dt) is ad.Zero else [_product.bind(slope, dt)]
    return out, sum(parts[1:], parts[0])


def _transpose(ct: Any, slope: Any, t: Any) -> Any:
    if type(ct) is ad.Zero:
        return [None, None]
    return [None, _product.bind(slope, ct)] if ad.is_undefined_primal(t) else [_product.bind(ct, t), None]


def _batch(args: Any, dims: Any) -> Any:
    n = next(a.shape[d] for a, d in zip(args, dims, strict=True) if d is not None)
    return _product.bind(*[batching.bdim_at_front(a, d, n) for a, d in zip(args, dims, strict=True)]), 0


ad.primitive_jvps[_product] = _jvp
ad.primitive_transposes[_product] = _transpose
batching.primitive_batchers[_product] = _batch


def guard(meaning: Callable[..., Any]) -> Callable[..., Any]:
    """``meaning``, elementwise, with the product rule above in its derivatives."""

    @jax.custom_jvp
    def guarded(*values: Any) -> Any:
        return meaning(*values)

    def rule(values: Any, tangents: Any) -> Any:
        out = guarded(*values)
        total = jnp.zeros_like(out)
        for k, t in enumerate(tangents):
            if type(t) is not jax.custom_derivatives.SymbolicZero:
                total += _product.bind(slope(k)(*values), jnp.broadcast_to(t, out.shape))
        return out, total

    @cache
    def slope(k: int) -> Callable[..., Any]:
        def derivative(*values: Any) -> Any:
            shape = jnp.broadcast_shapes(*[v.shape for v in values])
            moving = jnp.broadcast_to(values[k], shape)
            alone = lambda v: meaning(*values[:k], v, *values[k + 1 :])  # noqa: E731
            return jax.jvp(alone, (moving,), (jnp.ones_like(moving),))[1]

        return guard(derivative)

    guarded.defjvp(rule, symbolic_zeros=True)
    return guarded


@cache
def _guarded_row(name: str) -> Callable[..., Any]:
    row = Elemwise(name).row
    return guard(lambda *values: row.meaning(jnp, *values))


@dataclass(frozen=True)
class Guarded(Elemwise):
    """The elementwise op of a row, guarded."""

    host = False

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        check_broadcast(self.name, values)
        return _guarded_row(self.name)(*map(jnp.asarray, values))
