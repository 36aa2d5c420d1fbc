"""The product of a sparse and a dense matrix, and its derivatives, as a primitive of JAX.

Written as a gather and a scatter, JAX would differentiate it by holding every product of an entry and a row of the
dense matrix at once; for large matrices that is slow, and does not fit. Here the derivative by the dense side is the
same product with rows and columns exchanged, and each is made in pieces that stay in a processor's cache.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

# How many products are held at once. Measured on matrices of 6,400 to 100,000 entries: 4 MB of floats is best or near.
PIECE = 1 << 19
# A matrix that has an entry in every so many places, or in more, is multiplied as a dense one, which is then faster.
DENSE = 12

_primitive = Primitive("croton_sparse_product")


def entries_times(data: Any, to: Any, source: Any, dense: Any, n: int) -> Any:
    """The (n, k) matrix whose row r is the sum of ``data[e] * dense[source[e]]`` over the entries e with to[e] = r.

    ``data``, ``to`` and ``source`` are vectors of one length, the latter two of integers within bounds; ``dense`` is
    (m, k), of the dtype of ``data``.
    """
    data, to, source, dense = map(jnp.asarray, (data, to, source, dense))
    return _primitive.bind(data, to, source, dense, n=n)


def sampled_products(left: Any, right: Any, rows: Any, cols: Any) -> Any:
    """The vector of ``left[rows[e]] . right[cols[e]]`` over entries e, for matrices of k columns each, made in
    pieces.
    """
    left, right = jnp.asarray(left), jnp.asarray(right)
    k = left.shape[1]
    if 0 in left.shape or 0 in right.shape or not len(rows):
        return jnp.zeros(len(rows), left.dtype)
    if len(rows) * k <= PIECE:
        return (_rows(left, rows) * _rows(right, cols)).sum(1)
    pieces = _pieces(max(1, PIECE // k), rows, cols)
    return lax.map(lambda at: (_rows(left, at[0]) * _rows(right, at[1])).sum(1), pieces).reshape(-1)[: len(rows)]


def _rows(matrix: Any, which: Any) -> Any:
    return matrix.at[which].get(mode="promise_in_bounds")


def _pieces(length: int, *vectors: Any) -> tuple[Any, ...]:
    return tuple(jnp.pad(v, (0, -len(v) % length)).reshape(-1, length) for v in vectors)


def _meaning(data: Any, to: Any, source: Any, dense: Any, *, n: int) -> Any:
    m, k = dense.shape
    start = jnp.zeros((n, k), dense.dtype)
    if 0 in (n, m, k, len(data)):
        return start
    if n * m <= DENSE * len(data) and jnp.issubdtype(data.dtype, jnp.inexact) and k > 1:
        return jnp.zeros((n, m), dense.dtype).at[to, source].add(data, mode="promise_in_bounds") @ dense

    def add(total: Any, piece: Any) -> Any:
        own, at, by = piece
        return total.at[at].add(own[:, None] * _rows(dense, by), mode="promise_in_bounds"), None

    if len(data) * k <= PIECE:
        return add(start, (data, to, source))[0]
    return lax.scan(add, start, _pieces(max(1, PIECE // k), data, to, source))[0]


@_primitive.def_abstract_eval
def _abstract(data: Any, to: Any, source: Any, dense: Any, *, n: int) -> Any:
    return jax.core.ShapedArray((n, dense.shape[1]), dense.dtype)


def _transpose(cotangent: Any, data: Any, to: Any, source: Any, dense: Any, *, n: int) -> tuple[Any, ...]:
    if type(cotangent) is ad.Zero:
        return None, None, None, None
    if ad.is_undefined_primal(data):
        return sampled_products(cotangent, dense, to, source), None, None, None
    return None, None, None, entries_times(data, source, to, cotangent, dense.aval.shape[0])


def _batch(arguments: Any, axes: Any, *, n: int) -> Any:
    data, to, source, dense = arguments
    if all(axis is None for axis in axes[:3]):
        # All the dense matrices side by side make one product.
        side_by_side = jnp.moveaxis(dense, axes[3], -1)
        m, k, count = side_by_side.shape
        result = entries_times(data, to, source, side_by_side.reshape(m, k * count), n)
        return result.reshape(n, k, count), 2
    front = [a if b is None else jnp.moveaxis(a, b, 0) for a, b in zip(arguments, axes, strict=True)]
    mapped = [k for k, axis in enumerate(axes) if axis is not None]

    def one(own: Any) -> Any:
        given = list(front)
        for k, value in zip(mapped, own, strict=True):
            given[k] = value
        data, to, source, dense = given
        return entries_times(data, to, source, dense, n)

    return lax.map(one, [front[k] for k in mapped]), 0


_primitive.def_impl(jax.jit(_meaning, static_argnames="n"))
mlir.register_lowering(_primitive, mlir.lower_fun(_meaning, multiple_results=False))
ad.defjvp(
    _primitive,
    lambda t, data, to, source, dense, n: entries_times(t, to, source, dense, n),
    None,
    None,
    lambda t, data, to, source, dense, n: entries_times(data, to, source, t, n),
)
ad.primitive_transposes[_primitive] = _transpose
batching.primitive_batchers[_primitive] = _batch
