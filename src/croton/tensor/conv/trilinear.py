"""Convolution as one primitive: a form linear in images, filters and maps, of which any two give the third.

With images x ``(N, C, *image)``, filters w ``(O, C / groups, *kernel)`` and maps y ``(N, O, *out)`` the form is

    F(x, w, y) = sum over n, o, c, p, k of y[n, o, p] w[o, c, k] x[n, c, p * stride + k * dilation - pad]

Its derivative with respect to y is the correlation of x and w, that with respect to x or w the gradient of it. So the
derivatives of the primitive of any order, forward and reverse, are the primitive again, and each of its three forms can
be computed in the way that is fastest for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from croton.native.library import usable
from croton.tensor.conv import products
from croton.tensor.conv.geometry import Geometry

IMAGES, FILTERS, MAPS = 0, 1, 2


def correlate(x: Any, w: Any, geometry: Geometry) -> Any:
    """The maps: each filter's correlation with the images, ``(N, O, *out)``."""
    return _form.bind(x, w, wanted=MAPS, geometry=geometry)


def images_gradient(w: Any, y: Any, geometry: Geometry) -> Any:
    """The derivative of ``sum(y * correlate(x, w))`` with respect to x, ``(N, C, *image)``."""
    return _form.bind(w, y, wanted=IMAGES, geometry=geometry)


def filters_gradient(x: Any, y: Any, geometry: Geometry) -> Any:
    """The derivative of ``sum(y * correlate(x, w))`` with respect to w, ``(O, C / groups, *kernel)``."""
    return _form.bind(x, y, wanted=FILTERS, geometry=geometry)


def _shape(wanted: int, a: Sequence[int], b: Sequence[int], g: Geometry) -> tuple[int, ...]:
    """The shape of what is wanted, from the shapes of the two others."""
    if wanted == MAPS:
        return (a[0], b[0], *g.out)
    if wanted == IMAGES:
        return (b[0], a[1] * g.groups, *g.image)
    return (b[1], a[1] // g.groups, *g.kernel)


def _by_xla(a: Any, b: Any, wanted: int, geometry: Geometry) -> Any:
    """XLA's own convolution, and what JAX makes of it."""
    g = geometry

    def maps(x: Any, w: Any) -> Any:
        return lax.conv_general_dilated(x, w, g.strides, g.pads, rhs_dilation=g.dilations, feature_group_count=g.groups)

    if wanted == MAPS:
        return maps(a, b)
    alone = (lambda x: maps(x, a)) if wanted == IMAGES else (lambda w: maps(a, w))
    like = jax.ShapeDtypeStruct(_shape(wanted, a.shape, b.shape, g), a.dtype)
    return jax.linear_transpose(alone, like)(b)[0]


# A product is made of as many slices as the kernel has lengths; with more than so many, compiling them takes seconds.
SLICES = 64


def _on_cpu(a: Any, b: Any, wanted: int, geometry: Geometry) -> Any:
    """By products of matrices, which on a CPU are about as fast as XLA's convolution or up to ten times as fast, and in
    a loop (an epoch in one program, a scan), where XLA runs its own without vectors, up to a hundred times.
    """
    if _has_kernel(a, b, geometry):
        return _by_kernel(a, b, wanted, geometry)
    if sum(geometry.kernel) > SLICES:
        return _by_xla(a, b, wanted, geometry)
    form = {MAPS: products.maps, IMAGES: products.images, FILTERS: products.filters}[wanted]
    # The barriers keep XLA from drawing what is around the products into their loops; a tenth of a training step.
    a, b = lax.optimization_barrier((a, b))
    return lax.optimization_barrier(form(a, b, geometry))


def _has_kernel(a: Any, b: Any, geometry: Geometry) -> bool:
    fits = len(geometry.kernel) == 2 and geometry.groups == 1 and a.size > 0 and b.size > 0
    return fits and a.dtype == b.dtype == np.float32 and usable()


def _by_kernel(a: Any, b: Any, wanted: int, geometry: Geometry) -> Any:
    """By croton's own kernel, which gathers patches where it multiplies them. It knows no padding."""
    g = geometry
    whole = tuple(n + sum(p) for n, p in zip(g.image, g.pads, strict=True))
    if wanted == IMAGES:
        kind = (b.shape[0], a.shape[1], *whole)
    else:
        kind = _shape(wanted, a.shape, b.shape, g)
        a = jnp.pad(a, [(0, 0), (0, 0), *g.pads]) if whole != g.image else a
    name = {MAPS: "croton_maps", IMAGES: "croton_images", FILTERS: "croton_filters"}[wanted]
    call = jax.ffi.ffi_call(name, jax.ShapeDtypeStruct(kind, a.dtype))
    made = call(a, b, code=np.array([*g.strides, *g.dilations], "int32"))
    if wanted != IMAGES or whole == g.image:
        return made
    (top, _), (left, _) = g.pads
    return made[:, :, top : top + g.image[0], left : left + g.image[1]]


_form = Primitive("convolution_form")
_form.def_impl(jax.jit(_form.bind, static_argnames=("wanted", "geometry")))
_form.def_abstract_eval(lambda a, b, wanted, geometry: a.update(shape=_shape(wanted, a.shape, b.shape, geometry)))
mlir.register_lowering(_form, mlir.lower_fun(_by_xla, multiple_results=False))
mlir.register_lowering(_form, mlir.lower_fun(_on_cpu, multiple_results=False), platform="cpu")


def _jvp(primals: Any, tangents: Any, **form: Any) -> Any:
    (a, b), (da, db) = primals, tangents
    parts = [] if type(da) is ad.Zero else [_form.bind(da, b, **form)]
    parts += [] if type(db) is ad.Zero else [_form.bind(a, db, **form)]
    return _form.bind(a, b, **form), sum(parts[1:], parts[0])


def _transpose(ct: Any, a: Any, b: Any, *, wanted: int, geometry: Geometry) -> Any:
    if type(ct) is ad.Zero:
        return [None, None]
    given = [slot for slot in (IMAGES, FILTERS, MAPS) if slot != wanted]
    which = 0 if ad.is_undefined_primal(a) else 1
    known = {wanted: ct, given[1 - which]: b if which == 0 else a}
    operands = [known[slot] for slot in sorted(known)]
    found = _form.bind(*operands, wanted=given[which], geometry=geometry)
    return [found, None] if which == 0 else [None, found]


# Where a batch of problems differs in two of the three arrays, it becomes so many more images, channels of the images
# or filters: per array the axis that grows, and whether the groups divide that axis. Where all three differ, the
# groups themselves become so many more.
_GROWS: dict[tuple[int, ...], dict[int, tuple[int, bool]]] = {
    (IMAGES, MAPS): {IMAGES: (0, False), MAPS: (0, False)},
    (IMAGES, FILTERS): {IMAGES: (1, True), FILTERS: (1, False)},
    (FILTERS, MAPS): {FILTERS: (0, True), MAPS: (1, True)},
    (IMAGES, FILTERS, MAPS): {IMAGES: (1, False), FILTERS: (0, False), MAPS: (1, False)},
}


def _fold(value: Any, axis: int, groups: int) -> Any:
    """The batch axis 0 made part of ``axis`` (counted without it), within each of ``groups`` equal parts of that."""
    shape = value.shape[1:]
    split = value.reshape(value.shape[0], *shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
    moved = jnp.moveaxis(split, 0, axis + 1)
    return moved.reshape(*shape[:axis], value.shape[0] * shape[axis], *shape[axis + 1 :])


def _unfold(value: Any, axis: int, groups: int, n: int) -> Any:
    """What :func:`_fold` has folded, with the batch as axis 0 again."""
    shape = value.shape
    split = value.reshape(*shape[:axis], groups, n, shape[axis] // groups // n, *shape[axis + 1 :])
    return jnp.moveaxis(split, axis + 1, 0).reshape(n, *shape[:axis], shape[axis] // n, *shape[axis + 1 :])


def _batch(args: Any, dims: Any, *, wanted: int, geometry: Geometry) -> Any:
    g = geometry
    n = next(a.shape[d] for a, d in zip(args, dims, strict=True) if d is not None)
    given = [slot for slot in (IMAGES, FILTERS, MAPS) if slot != wanted]
    batched = tuple(sorted([wanted, *[s for s, d in zip(given, dims, strict=True) if d is not None]]))
    fronts = [a if d is None else batching.bdim_at_front(a, d, n) for a, d in zip(args, dims, strict=True)]
    places = {s: (axis, g.groups if divided else 1) for s, (axis, divided) in _GROWS[batched].items()}
    folded = [_fold(v, *places[s]) if s in batched else v for s, v in zip(given, fronts, strict=True)]
    if len(batched) == 3:
        g = replace(g, groups=g.groups * n)
    return _unfold(_form.bind(*folded, wanted=wanted, geometry=g), *places[wanted], n), 0


ad.primitive_jvps[_form] = _jvp
ad.primitive_transposes[_form] = _transpose
batching.primitive_batchers[_form] = _batch
