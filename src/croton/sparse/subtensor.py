"""Parts of sparse matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from croton.graph.core import Apply
from croton.sparse.types import as_sparse_variable
from croton.sparse.value import Sparse, index_dtype
from croton.tensor.index import Part, _entry, _Indexed, _Selection, slice_bounds
from croton.tensor.types import TensorType


@dataclass(frozen=True)
class SparseSubtensor(_Indexed):
    """A part of a sparse matrix: two slices give a sparse matrix, two integers one element."""

    index: tuple[Any, ...]
    first = 1

    def make_node(self, *inputs: Any) -> Apply:
        x = as_sparse_variable(inputs[0])
        sliced = isinstance(self.index[0], tuple)
        return Apply(self, [x, *inputs[1:]], [(x.type if sliced else TensorType(x.dtype, ()))()])

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x: Sparse = values[0]
        valid, forward = jnp.asarray(x.valid), True
        places: list[Any] = []
        shape: list[int] = []
        for part, where in zip(self.parts(node), x.parts[1:3], strict=True):
            start, length, step = self._cut(context, node, values, part, x.shape[part.axis])
            offset = jnp.asarray(where, "int64") - start
            new = offset // step
            valid = valid & (offset == new * step) & (new >= 0) & (new < length)
            places.append(new)
            shape.append(length)
            forward = forward and step > 0
        data = jnp.where(valid, x.data, jnp.zeros((), x.dtype))
        if not isinstance(self.index[0], tuple):
            return data.any() if x.dtype == bool else data.sum(dtype=x.dtype)
        last = [max(n - 1, 0) for n in shape]
        rows, cols = [jnp.where(valid, p, n).astype(index_dtype(shape)) for p, n in zip(places, last, strict=True)]
        return Sparse(data, rows, cols, valid, (shape[0], shape[1]), x.format, x.canonical and forward)

    def _cut(self, context: Any, node: Apply, values: Sequence[Any], part: Part, n: int) -> tuple[Any, int, int]:
        """(start, length, step) along one dimension of length ``n``."""
        if part.inputs and (node, part.position) in context.bounds:
            found: tuple[Any, int, int] = context.bounds[node, part.position]
            return found
        own = [values[part.offset + k] for k in range(len(part.inputs))]
        if isinstance(part.entry, tuple):
            return slice_bounds(part.entry, [int(context.known(v, node)) for v in own], n)
        where = jnp.asarray(own[0]) if own else jnp.asarray(part.entry, "int64")
        return _Selection.checked(context, node, where, n, part.axis), 1, 1

    def __str__(self) -> str:
        return f"SparseSubtensor[{self._index_text()}]"


def sparse_subtensor(x: Any, index: Any) -> Any:
    """``x[a:b]`` and ``x[a:b, c:d]``, sparse, or ``x[i, j]``, a scalar; bounds and steps may be symbolic integers.

    A slice keeps the room of ``x`` while a program runs: to train on parts of a large matrix, pass them as inputs.
    Raises NotImplementedError for other indices, as x[i] (a sparse vector: use x[i:i + 1]) and lists of rows.

    >>> import croton.sparse as S, scipy.sparse
    >>> x = S.as_sparse(scipy.sparse.csr_matrix([[0., 1.], [2., 0.]]))
    >>> x[1, 0].eval(), x[1:].toarray().eval()
    (array(2.), array([[2., 0.]]))
    """
    x = as_sparse_variable(x)
    items = index if isinstance(index, tuple) else (index,)
    if len(items) == 1 and isinstance(items[0], slice):
        items = (items[0], slice(None))
    scalars = [not isinstance(i, slice) and getattr(i, "ndim", 0) == 0 for i in items]
    if len(items) != 2 or any(i is None or i is Ellipsis or isinstance(i, list | tuple) for i in items):
        raise NotImplementedError(
            f"{x} is indexed with {index!r}: a sparse matrix takes x[a:b], x[a:b, c:d] or x[i, j]"
        )
    if not all(isinstance(i, slice) for i in items) and not all(scalars):
        raise NotImplementedError(
            f"{x} is indexed with {index!r}, which would be a sparse vector: use x[i:i + 1, c:d], or x[i, j]"
        )
    found = [_entry(i, x) for i in items]
    return SparseSubtensor(tuple(e for e, _ in found))(x, *[v for _, own in found for v in own])
