"""Narrow products computed transposed, and what follows from them kept so until something needs rows again.

On XLA's CPU back end a product with few columns, such as (600, 784) by (784, 10), takes about half the time as (10,
784) by (784, 600), and the same again for the gradient of the weights. ``Transposed`` holds such a result;
elementwise ops, softmax, picking a column from each row, and reductions work on it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from croton.graph.core import Apply, Op
from croton.tensor.elemwise import Elemwise
from croton.tensor.index import Subtensor
from croton.tensor.linalg import Dot
from croton.tensor.nnet.softmax import LogSoftmax, Softmax
from croton.tensor.reduce import Reduction

# A product is narrow with at most so many columns, from at least so many rows and inner terms.
COLUMNS, ROWS, INNER = 32, 64, 64


@jax.tree_util.register_pytree_node_class
class Transposed:
    """A matrix held as its transpose, ``flat``."""

    ndim = 2

    def __init__(self, flat: Any) -> None:
        self.flat = flat

    @property
    def shape(self) -> tuple[int, int]:
        return self.flat.shape[1], self.flat.shape[0]

    @property
    def dtype(self) -> Any:
        return self.flat.dtype

    def tree_flatten(self) -> Any:
        return (self.flat,), None

    @classmethod
    def tree_unflatten(cls, _: Any, children: Any) -> Transposed:
        return cls(children[0])


def plain(value: Any) -> Any:
    """``value`` with its rows in order again."""
    return value.flat.T if isinstance(value, Transposed) else value


def narrow_product(node: Apply, values: Sequence[Any]) -> Transposed | None:
    """The product of a node that is one, held transposed, if it is narrow and runs where that is faster."""
    if not isinstance(node.op, Dot):
        return None
    x, w = values
    if (
        getattr(x, "ndim", 0) != 2
        or getattr(w, "ndim", 0) != 2
        or isinstance(x, Transposed)
        or x.shape[1] != w.shape[0]
    ):
        return None
    if not (w.shape[1] <= COLUMNS and x.shape[0] >= ROWS and w.shape[0] >= INNER) or x.dtype.kind != "f":
        return None
    if jax.default_backend() != "cpu":
        return None
    # The barrier keeps XLA from folding the transpose back into the product, which would make it the slow one again.
    turned = lax.optimization_barrier(jnp.asarray(plain(w)).T)
    return Transposed(lax.dot_general(turned, jnp.asarray(x), (((1,), (1,)), ((), ()))))


def lower_transposed(context: Any, node: Apply, values: Sequence[Any]) -> Any:
    """What the node computes from ``values``, some of them transposed, without turning them; NotImplemented where it
    cannot.
    """
    op: Op = node.op
    if isinstance(op, Elemwise):
        turned = [_turn(v) for v in values]
        return NotImplemented if any(t is None for t in turned) else Transposed(op.lower(context, node, turned))
    if isinstance(op, Softmax | LogSoftmax) and op.axis == -1:
        return Transposed(type(op)(0).lower(context, node, [values[0].flat]))
    if isinstance(op, Reduction) and node.outputs[0].type.ndim == 0:  # type: ignore[attr-defined]
        return (
            Reduction(op.name, (0, 1)).lower(context, node, [values[0].flat])
            if op.name in _ORDERLESS
            else NotImplemented
        )
    if isinstance(op, Reduction) and not op.keepdims and len(op.axis) == 1:
        return Reduction(op.name, (1 - op.axis[0],)).lower(context, node, [values[0].flat])
    if isinstance(op, Subtensor):
        return op.pick(context, node, values, values[0].flat, 0)
    return NotImplemented


# Reductions to a scalar whose result does not depend on where an element stands.
_ORDERLESS = ("sum", "prod", "max", "min", "all", "any", "logsumexp")


def _turn(value: Any) -> Any:
    """``value`` as it combines elementwise with a transposed matrix; None where turning it would cost a copy of a
    matrix.
    """
    if isinstance(value, Transposed):
        return value.flat
    if value.ndim == 0:
        return value
    if value.ndim == 1:
        return value[:, None]
    if value.ndim == 2 and 1 in value.shape:
        return value.T
    return value.T if value.ndim == 2 and isinstance(value, np.ndarray) else None
