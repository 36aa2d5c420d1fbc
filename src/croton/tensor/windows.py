"""Maxima and sums over windows of an array, in JAX, with derivatives of any order and in both directions.

On a CPU, XLA's own forms (``reduce_window``, and ``select_and_scatter`` for the gradient) take four to thirty times as
long as these. The forward pass folds strided slices, one for each place in the window. The backward pass spreads the
windows' cotangents over a view of the array in blocks of one step, (..., blocks, step, ...), where each cell meets
every window that it lies in at a fixed distance in blocks: so it is one elementwise program without a scatter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import product
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from croton.native.library import usable

# Windows of more cells are folded axis by axis.
MANY_CELLS = 64
# Arrays of fewer cells are left to XLA.
LEAST = 1 << 14


@dataclass(frozen=True)
class Span:
    """The windows along one axis: window i begins at cell ``i * step - before`` and has ``size`` cells."""

    axis: int
    size: int
    step: int
    before: int
    count: int

    @property
    def turns(self) -> int:
        """In how many windows one cell can lie."""
        return -(-self.size // self.step)

    @property
    def blocks(self) -> int:
        """How many blocks of one step the windows reach over."""
        return self.count - 1 + self.turns


Spans = tuple[Span, ...]


def window_max(x: Any, spans: Spans) -> Any:
    """The largest element of each window; cells outside ``x`` are none. The gradient is shared among equal largest."""
    return _each(_max, x, spans)


def window_sum(x: Any, spans: Spans) -> Any:
    """The sum of each window; cells outside ``x`` are 0."""
    return _each(_sum, x, spans)


def largest_only(x: Any, spans: Spans) -> Any:
    """``x`` where it is the largest of its window, which is only one, else 0."""
    v = _in_blocks(_cover(x, spans, _nothing(x)), spans)
    hits = _hits(v, window_max(x, spans), spans, (0,) * len(spans))
    kept = jnp.where(hits, v, jnp.zeros((), x.dtype)).reshape([_covered(x, spans, a) for a in range(x.ndim)])
    pads = [(0, 0, 0)] * x.ndim
    for s in spans:
        pads[s.axis] = (-s.before, x.shape[s.axis] + s.before - kept.shape[s.axis], 0)
    return lax.pad(kept, jnp.zeros((), x.dtype), pads)


def _each(fold: Callable[[Any, Spans], Any], x: Any, spans: Spans) -> Any:
    """Small windows that do not overlap are folded at once, others axis by axis: measured to be the faster ways."""
    if all(s.turns == 1 for s in spans) and prod(s.size for s in spans) <= MANY_CELLS:
        return fold(x, spans)
    for s in spans:
        x = fold(x, (s,))
    return x


def _lowest(x: Any) -> Any:
    kind = x.dtype.kind
    return jnp.asarray(-np.inf if kind == "f" else False if kind == "b" else np.iinfo(x.dtype).min, x.dtype)


def _nothing(x: Any) -> Any:
    """What equals no element, where there is such a thing."""
    return jnp.asarray(np.nan, x.dtype) if x.dtype.kind == "f" else _lowest(x)


def _covered(x: Any, spans: Spans, axis: int) -> int:
    return next((s.blocks * s.step for s in spans if s.axis == axis), x.shape[axis])


def _cover(x: Any, spans: Spans, fill: Any) -> Any:
    """``x`` padded, or cut off behind, so that it is made of the windows' blocks."""
    pads = [(0, 0, 0)] * x.ndim
    for s in spans:
        pads[s.axis] = (s.before, s.blocks * s.step - s.before - x.shape[s.axis], 0)
    return lax.pad(x, fill, pads) if any(map(any, pads)) else x


def _slices(cells: Sequence[Any], s: Span) -> list[Any]:
    """For each place in the windows of an axis, the elements of all windows there."""
    end = (s.count - 1) * s.step + 1
    return [lax.slice_in_dim(c, k, k + end, s.step, axis=s.axis) for c in cells for k in range(s.size)]


def _in_blocks(x: Any, spans: Spans) -> Any:
    """``x`` with each axis of windows in two: its blocks, and the place in the block."""
    steps = {s.axis: s.step for s in spans}
    return x.reshape([n for a, m in enumerate(x.shape) for n in ((m // steps[a], steps[a]) if a in steps else (m,))])


def _turns(spans: Spans) -> Iterator[tuple[int, ...]]:
    return product(*[range(s.turns) for s in spans])


def _spread(z: Any, spans: Spans, turn: Sequence[int]) -> Any:
    """For each block, the value of the window that began ``turn`` blocks before it; 0 where there is none."""
    pads = [(0, 0, 0)] * z.ndim
    for s, k in zip(spans, turn, strict=True):
        pads[s.axis] = (k, s.turns - 1 - k, 0)
    z = lax.pad(z, jnp.zeros((), z.dtype), pads) if any(map(any, pads)) else z
    split = {s.axis for s in spans}
    return z.reshape([n for a, m in enumerate(z.shape) for n in ((m, 1) if a in split else (m,))])


def _places(ndim: int, spans: Spans, turn: Sequence[int]) -> np.ndarray | None:
    """Which places of a block lie in the window that began ``turn`` blocks before it; None for all."""
    inside = None
    for n, (s, k) in enumerate(zip(spans, turn, strict=True)):
        here = np.arange(s.step) + k * s.step < s.size
        if not here.all():
            here = here.reshape([-1 if a == s.axis + n + 1 else 1 for a in range(ndim)])
            inside = here if inside is None else inside & here
    return inside


def _hits(v: Any, z: Any, spans: Spans, turn: Sequence[int]) -> Any:
    """Where the blocks ``v`` equal the value of their window."""
    equal = v == _spread(z, spans, turn)
    inside = _places(v.ndim, spans, turn)
    return equal if inside is None else equal & inside


def _gather(t: Any, spans: Spans, masks: Sequence[Any]) -> Any:
    """The sums over all windows of the blocks ``t``, for each turn only where its mask (None: everywhere) is true."""
    places = tuple(s.axis + n + 1 for n, s in enumerate(spans))
    total = None
    for turn, mask in zip(_turns(spans), masks, strict=True):
        part = (t if mask is None else jnp.where(mask, t, jnp.zeros((), t.dtype))).sum(places, dtype=t.dtype)
        for s, k in zip(spans, turn, strict=True):
            part = lax.slice_in_dim(part, k, k + s.count, axis=s.axis)
        total = part if total is None else total + part
    return total


# --- the maximum, and its derivative: primitives, so that a kernel can take their place on a CPU ---


def _max(x: Any, spans: Spans) -> Any:
    return _largest.bind(x, spans=spans)


def _largest_of(x: Any, spans: Spans) -> Any:
    covered = _cover(x, spans, _lowest(x))
    for s in spans:
        covered = reduce(jnp.maximum, _slices([covered], s))
    return covered


def _shared(x: Any, t: Any, spans: Spans, back: bool) -> Any:
    """For each window the mean of the ``t`` of its largest cells; ``back``: of windows' ``t``, their cells' shares."""
    if back:
        alone = partial(_shared, x, spans=spans, back=False)
        made: Any = jax.linear_transpose(alone, jax.ShapeDtypeStruct(x.shape, t.dtype))(t)[0]
        return made
    z = _largest_of(x, spans)
    covered = _cover(x, spans, _nothing(x))
    v = _in_blocks(covered, spans)
    masks = [_hits(v, z, spans, turn) for turn in _turns(spans)]
    cells = [covered]
    for s in spans:
        cells = _slices(cells, s)
    equal = reduce(jnp.add, [(c == z).astype(t.dtype) for c in cells])
    t = _in_blocks(_cover(t, spans, jnp.zeros((), t.dtype)), spans)
    # A window that holds a NaN has no largest element, and no gradient.
    return _gather(t, spans, masks) / jnp.maximum(equal, 1)


def _has_kernel(x: Any, spans: Spans) -> bool:
    """Whether these are windows of 2 x 2 beside each other, over whole images."""
    return (
        x.dtype == np.float32
        and x.size >= LEAST
        and x.shape[-1] >= 8
        and list(spans) == [Span(a, 2, 2, 0, x.shape[a] // 2) for a in (x.ndim - 2, x.ndim - 1)]
        and all(x.shape[s.axis] % 2 == 0 for s in spans)
        and usable()
    )


def _kernel(name: str, kind: Any, *values: Any) -> Any:
    return jax.ffi.ffi_call(name, kind)(*values, code=np.array([], "int32"))


def _largest_on_cpu(x: Any, spans: Spans) -> Any:
    if not _has_kernel(x, spans):
        return _largest_of(x, spans)
    return _kernel("croton_largest", jax.ShapeDtypeStruct(_shape(x, spans), x.dtype), x)


def _shared_on_cpu(x: Any, t: Any, spans: Spans, back: bool) -> Any:
    if not back or t.dtype != np.float32 or not _has_kernel(x, spans):
        return _shared(x, t, spans, back)
    return _kernel("croton_shares", jax.ShapeDtypeStruct(x.shape, x.dtype), x, t)


def _shape(x: Any, spans: Spans) -> tuple[int, ...]:
    counts = {s.axis: s.count for s in spans}
    return tuple([counts.get(a, n) for a, n in enumerate(x.shape)])


def _primitive(name: str, meaning: Callable[..., Any], on_cpu: Callable[..., Any], shape: Callable[..., Any]) -> Any:
    made = Primitive(name)
    made.def_impl(jax.jit(made.bind, static_argnames=("spans", "back")))
    made.def_abstract_eval(shape)
    mlir.register_lowering(made, mlir.lower_fun(meaning, multiple_results=False))
    mlir.register_lowering(made, mlir.lower_fun(on_cpu, multiple_results=False), platform="cpu")

    def batch(args: Any, dims: Any, *, spans: Spans, **how: Any) -> Any:
        n = next(a.shape[d] for a, d in zip(args, dims, strict=True) if d is not None)
        fronts = [batching.bdim_at_front(a, d, n) for a, d in zip(args, dims, strict=True)]
        return made.bind(*fronts, spans=tuple([replace(s, axis=s.axis + 1) for s in spans]), **how), 0

    batching.primitive_batchers[made] = batch
    return made


_largest = _primitive("window_max", _largest_of, _largest_on_cpu, lambda x, spans: x.update(shape=_shape(x, spans)))
_share = _primitive(
    "window_share",
    _shared,
    _shared_on_cpu,
    lambda x, t, spans, back: t.update(shape=x.shape if back else _shape(x, spans)),
)


def _largest_jvp(primals: Any, tangents: Any, spans: Spans) -> Any:
    (x,), (t,) = primals, tangents
    return _max(x, spans), _share.bind(x, t, spans=spans, back=False)


def _share_jvp(primals: Any, tangents: Any, **how: Any) -> Any:
    # Which cells are the largest does not change with x, but where it jumps.
    (x, t), (_, dt) = primals, tangents
    out = _share.bind(x, t, **how)
    return out, jnp.zeros_like(out) if type(dt) is ad.Zero else _share.bind(x, dt, **how)


def _share_transpose(ct: Any, x: Any, t: Any, *, spans: Spans, back: bool) -> Any:
    return [None, None if type(ct) is ad.Zero else _share.bind(x, ct, spans=spans, back=not back)]


ad.primitive_jvps[_largest] = _largest_jvp
ad.primitive_jvps[_share] = _share_jvp
ad.primitive_transposes[_share] = _share_transpose


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _sum(x: Any, spans: Spans) -> Any:
    covered = _cover(x, spans, jnp.zeros((), x.dtype))
    for s in spans:
        covered = reduce(jnp.add, _slices([covered], s))
    return covered


@_sum.defjvp
def _sum_jvp(spans: Spans, primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    t = _in_blocks(_cover(t, spans, jnp.zeros((), t.dtype)), spans)
    return _sum(x, spans), _gather(t, spans, [_places(t.ndim, spans, turn) for turn in _turns(spans)])
