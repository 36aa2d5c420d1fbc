"""Convolution with filters of their own for each place of the maps: (out, rows, columns, in, kernel rows, columns)."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from croton.tensor.conv.geometry import Geometry


def correlate(x: Any, w: Any, g: Geometry) -> Any:
    """The maps ``y[n, o, p] = sum over c, k of w[o, p, c, k] x[n, c, p * stride + k * dilation - pad]``."""
    n, o, inner = x.shape[0], w.shape[0], w.shape[3]
    x = jnp.pad(x, [(0, 0), (0, 0), *g.pads])
    taken = []
    for i in range(g.kernel[0]):
        for j in range(g.kernel[1]):
            low = (i * g.dilations[0], j * g.dilations[1])
            high = tuple(a + (m - 1) * s + 1 for a, m, s in zip(low, g.out, g.strides, strict=True))
            taken.append(lax.slice(x, (0, 0, *low), (*x.shape[:2], *high), (1, 1, *g.strides)))
    patches = jnp.stack(taken, 2).reshape(n, g.groups, inner, *g.kernel, *g.out)
    own = w.reshape(g.groups, o // g.groups, *w.shape[1:])
    return jnp.einsum("ngcklpq,gopqckl->ngopq", patches, own).reshape(n, o, *g.out)
