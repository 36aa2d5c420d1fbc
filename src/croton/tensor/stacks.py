"""Products over stacks of matrices, as the gradients of weights are that serve many time steps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from croton import devices


def product_over_all(a: Any, b: Any) -> Any:
    """The sum of a[k]ᵀ b[k] over the whole stack: of shape (m, n) from (..., m) and (..., n)."""
    m, n = a.shape[-1], b.shape[-1]
    if devices.current() is None:
        return lax.dot_general(a.reshape(-1, m), b.reshape(-1, n), (((0,), (0,)), ((), ())))
    # To flatten a stack divided over devices it would have to be brought together. Left as it is, XLA copies the first
    # factor to turn it: let that be the smaller one.
    along = tuple(range(a.ndim - 1))
    return jnp.tensordot(a, b, (along, along)) if m <= n else jnp.tensordot(b, a, (along, along)).T


@jax.custom_vjp
def product_of_stack(x: Any, w: Any) -> Any:
    """x w for a stack x of matrices; its derivative by w is one product over the whole stack."""
    return jnp.dot(x, w)


product_of_stack.defvjp(
    lambda x, w: (jnp.dot(x, w), (x, w)),
    lambda known, g: (jnp.dot(g, known[1].T), product_over_all(known[0], g)),
)
