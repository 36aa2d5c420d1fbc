"""The three forms of a convolution as products of matrices, which XLA's CPU back end computes fastest.

The patches of the images, a column for each position of the filters, are gathered by slices, one axis after the other,
and multiplied at once. Their matrix holds each element of an image as often as the kernel has elements, so the images
are taken a few at a time, as many as have patches that fit into the cache: with more the time goes into memory, for
500 images of the second layer of LeNet four times that of the product.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from croton.tensor.conv.geometry import Geometry

# The bytes of patches that are held at a time.
HELD = 3 << 20


def maps(x: Any, w: Any, g: Geometry) -> Any:
    """The maps ``(N, O, *out)`` of images and filters."""
    flat = _flat_filters(w, g)

    def some(x: Any) -> Any:
        y = lax.dot_general(flat, _patches(x, g), (((2,), (1,)), ((0,), (0,))))
        return y.reshape(w.shape[0], x.shape[0], *g.out).swapaxes(0, 1)

    return _in_parts(some, [x], _per_image(w, g), total=False)


def images(w: Any, y: Any, g: Geometry) -> Any:
    """The images' gradient ``(N, C, *image)``, from filters and the maps' gradient."""
    flat = _flat_filters(w, g)

    def some(y: Any) -> Any:
        columns = lax.dot_general(flat, _flat_maps(y, g), (((1,), (1,)), ((0,), (0,))))
        return _overlaid(columns, w.shape[1], y.shape[0], g)

    return _in_parts(some, [y], _per_image(w, g), total=False)


def filters(x: Any, y: Any, g: Geometry) -> Any:
    """The filters' gradient ``(O, C / groups, *kernel)``, from images and the maps' gradient."""
    inner = x.shape[1] // g.groups

    def some(x: Any, y: Any) -> Any:
        return lax.dot_general(_flat_maps(y, g), _patches(x, g), (((2,), (2,)), ((0,), (0,))))

    held = math.prod((x.shape[1], *g.kernel, *g.out)) * x.dtype.itemsize
    flat = _in_parts(some, [x, y], held, total=True)
    split = flat.reshape(y.shape[1], *g.kernel[::-1], inner)
    return split.transpose(0, split.ndim - 1, *range(split.ndim - 2, 0, -1))


def _per_image(w: Any, g: Geometry) -> int:
    """The bytes of the patches of an image."""
    return math.prod((w.shape[1] * g.groups, *g.kernel, *g.out)) * w.dtype.itemsize


def _in_parts(form: Callable[..., Any], arrays: list[Any], each: int, total: bool) -> Any:
    """``form`` of some images after the other, each with ``each`` bytes of patches: the results joined, or their sum.

    The last part is filled up with zeros, which give nothing.
    """
    n = arrays[0].shape[0]
    parts = max(1, math.ceil(n * each / HELD))
    size = math.ceil(n / parts) if n else 0
    if size in (0, n):
        return form(*arrays)
    parts = math.ceil(n / size)
    filled = [jnp.pad(a, [(0, parts * size - n)] + [(0, 0)] * (a.ndim - 1)) for a in arrays]
    split = [a.reshape(parts, size, *a.shape[1:]) for a in filled]
    if total:
        first = form(*[s[0] for s in split])
        return lax.fori_loop(
            1, parts, lambda k, sofar: sofar + form(*[lax.dynamic_index_in_dim(s, k, 0, False) for s in split]), first
        )
    joined = lax.map(lambda some: form(*some), split)
    return joined.reshape(parts * size, *joined.shape[2:])[:n]


def _patches(x: Any, g: Geometry) -> Any:
    """The matrix of patches ``(groups, kernel * C / groups, N * out)``, the kernel's last axis first."""
    x = jnp.pad(x, [(0, 0), (0, 0), *g.pads]) if any(map(any, g.pads)) else x
    x = x.swapaxes(0, 1)
    x = x.reshape(g.groups, x.shape[0] // g.groups, *x.shape[1:])
    dims = len(g.kernel)
    for axis, (k, n, s, d) in enumerate(zip(g.kernel, g.out, g.strides, g.dilations, strict=True)):
        at = x.ndim - dims + axis
        x = jnp.stack([lax.slice_in_dim(x, i * d, i * d + (n - 1) * s + 1, s, at) for i in range(k)], 1)
    return x.reshape(g.groups, math.prod(x.shape[1 : -dims - 1]), math.prod(x.shape[-dims - 1 :]))


def _overlaid(columns: Any, inner: int, n: int, g: Geometry) -> Any:
    """Images ``(N, C, *image)`` from their patches, overlapping elements added: the transpose of :func:`_patches`."""
    x = columns.reshape(g.groups, *g.kernel[::-1], inner, n, *g.out)
    dims = len(g.kernel)
    zero = jnp.zeros((), x.dtype)
    for axis in reversed(range(dims)):
        k, m, length = g.kernel[axis], g.out[axis], g.image[axis]
        s, d, (before, _) = g.strides[axis], g.dilations[axis], g.pads[axis]
        at = x.ndim - dims + axis - 1
        shifted = []
        for i in range(k):
            low = i * d - before
            config = [(0, 0, 0)] * (x.ndim - 1)
            config[at] = (low, length - low - (m - 1) * s - 1, s - 1)
            shifted.append(lax.pad(x[:, i], zero, config))
        x = sum(shifted[1:], shifted[0])
    return x.reshape(g.groups * inner, *x.shape[2:]).swapaxes(0, 1)


def _flat_filters(w: Any, g: Geometry) -> Any:
    """Filters as a matrix ``(groups, O / groups, kernel * C / groups)``, in the order of :func:`_patches`."""
    turned = w.transpose(0, *range(w.ndim - 1, 1, -1), 1)
    return turned.reshape(g.groups, w.shape[0] // g.groups, math.prod(w.shape[1:]))


def _flat_maps(y: Any, g: Geometry) -> Any:
    """Maps as a matrix ``(groups, O / groups, N * out)``."""
    turned = y.swapaxes(0, 1)
    return turned.reshape(g.groups, y.shape[1] // g.groups, math.prod((y.shape[0], *y.shape[2:])))
