"""The three ops by which a dense expression works on what a sparse matrix stores, and those that drop entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Op, Type, Variable
from croton.sparse.types import SparseType, SparseVariable
from croton.sparse.value import Sparse
from croton.tensor.types import TensorType


def sparse_type(x: Variable) -> SparseType:
    """The sparse type of ``x``."""
    assert isinstance(x.type, SparseType)
    return x.type


def _harmless(data: Any) -> Any:
    """What stands for the data of room: a number at which functions and their derivatives are finite."""
    kind = np.dtype(data.dtype).kind
    return jnp.asarray(0.5 if kind in "fc" else 1, data.dtype)


@dataclass(frozen=True)
class Entries(Op):
    """The data of a sparse matrix as a vector, as long as its room, for elementwise functions."""

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [TensorType(sparse_type(x).dtype, (False,))]

    def lower(self, context: Any, node: Apply, values: Sequence[Sparse]) -> Any:
        x = values[0].merged()
        return jnp.where(x.valid, x.data, _harmless(x.data))


@dataclass(frozen=True)
class At(Op):
    """The elements of a dense array, broadcast, at the places of a sparse matrix's entries: a vector as ``Entries``."""

    def output_types(self, y: Variable, x: Variable) -> Sequence[Type]:
        return [TensorType(y.type.dtype, (False,))]  # type: ignore[attr-defined]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        y, x = jnp.asarray(values[0]), values[1].merged()
        if y.ndim > 2 or any(a not in (1, b) for a, b in zip(y.shape, x.shape[2 - y.ndim :], strict=False)):
            raise ValueError(
                f"input dimension mismatch: a dense array of shape {y.shape} does not broadcast to the shape "
                f"{x.shape} of the sparse matrix {node.inputs[1]}"
            )
        if 0 in x.shape or not len(x):
            return jnp.zeros(len(x), y.dtype)
        places = (x.rows, x.cols)[2 - y.ndim :]
        index = tuple(p if n > 1 else 0 for p, n in zip(places, y.shape, strict=True))
        return jnp.where(x.valid, y[index], _harmless(y))

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False]


@dataclass(frozen=True)
class Holding(Op):
    """A sparse matrix with the places of the first input and the data of the second, a vector as ``Entries``."""

    def output_types(self, x: Variable, data: Variable) -> Sequence[Type]:
        return [SparseType(sparse_type(x).format, data.type.dtype)]  # type: ignore[attr-defined]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return values[0].merged().holding(jnp.broadcast_to(values[1], (len(values[0]),)))

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False, True]


@dataclass(frozen=True)
class DropZeros(Op):
    """The same matrix without the entries that are zero."""

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [x.type]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x = values[0].merged()
        return x.holding(jnp.asarray(x.data), x.data != 0)


def entries(x: Variable) -> Any:
    """The data of ``x`` for elementwise functions."""
    return Entries()(x)


def holding(x: Variable, data: Any) -> SparseVariable:
    """A matrix with the places of ``x`` and other data."""
    made: SparseVariable = Holding()(x, data)
    return made
