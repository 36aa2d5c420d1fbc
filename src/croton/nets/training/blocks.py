"""Blocks: many minibatches handed over at once, for programs that make many steps in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from croton.native.rows import copied, taken
from croton.sparse.value import Sparse, is_scipy, room_for

__all__ = ["BLOCK", "RESIDENT", "Block", "Stacker", "pick"]

#: Data of more bytes than this are not kept on the device, but brought there in blocks.
RESIDENT = 1 << 30
#: The bytes of such a block, at most (but for one minibatch that is larger).
BLOCK = 32 << 20


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive minibatches: ``arrays``, and ``order``, int32 of shape (S, b), the rows of each of S minibatches.

    ``lasting``: the arrays are the same objects in every pass. ``axis``: where examples lie. ``length``: how many
    minibatches blocks of this kind have at most. An array that is a ``Sparse`` is a stack: each of its parts has a
    leading axis that counts the minibatches.
    """

    arrays: list[Any]
    order: np.ndarray
    lasting: bool = False
    axis: int = 0
    length: int = 0

    @property
    def table(self) -> np.ndarray:
        """``order``, with zeros up to ``length``: for programs, to which every other shape is a compilation."""
        spare = max(self.length - len(self.order), 0)
        return np.pad(self.order, ((0, spare), (0, 0)))

    def batch(self, k: int) -> list[Any]:
        """The arrays of the ``k``-th minibatch, as NumPy arrays, or ``Sparse`` where stacked."""
        return [
            jax.tree.map(lambda part: part[k], a) if isinstance(a, Sparse) else np.take(a, self.order[k], self.axis)
            for a in self.arrays
        ]


def pick(array: Any, rows: Any, k: Any, axis: int = 0) -> Any:
    """Within a program: the ``k``-th minibatch, ``rows`` of an array along ``axis``, or a part of a stack."""
    if isinstance(array, Sparse):
        return jax.tree.map(lambda part: jax.lax.dynamic_index_in_dim(part, k, keepdims=False), array)
    if axis == 0 and copied(array):
        return taken(array, rows)
    return jnp.asarray(array).at[(slice(None),) * axis + (rows,)].get(mode="promise_in_bounds")


def _steps(bytes_each: int, batches: int | None) -> int:
    """How many minibatches to put into a block: if possible so that all blocks have equally many."""
    most = max(1, BLOCK // max(bytes_each, 1))
    if batches is None or batches <= most:
        return batches or most
    return next((k for k in range(most, (most - 1) // 2, -1) if batches % k == 0), most)


@dataclass
class Stacker:
    """Makes blocks of batches, of as few shapes as can be, since each is a compilation for whoever takes them.

    ``rooms``: for each sparse array, the room that all batches so far fit into. ``steps``: for each shape of a batch,
    how many to a block. ``made``: the shapes of which there has been such a block.
    """

    axis: int
    rooms: dict[int, int] = field(default_factory=dict)
    steps: dict[Any, int] = field(default_factory=dict)
    made: set[Any] = field(default_factory=set)

    def blocks(self, batches: Iterable[list[Any]], count: int | None) -> Iterator[Block]:
        """Batches in blocks of one shape; ``count``: how many of one shape to expect, if that is known."""
        gathered: list[list[Any]] = []
        held: Any = None
        for batch in batches:
            shape = tuple((is_scipy(a), a.shape, np.dtype(a.dtype).name) for a in batch)
            if gathered and (shape != held or len(gathered) == self.steps[held]):
                yield self._block(gathered, held)
                gathered = []
            if not gathered:
                held = shape
                self.steps.setdefault(shape, _steps(self._size(batch), count))
            gathered.append(batch)
        if gathered:
            yield self._block(gathered, held)

    def _block(self, batches: Sequence[Sequence[Any]], shape: Any) -> Block:
        """A block of these batches, its arrays made as long as those of the blocks before it."""
        if len(batches) == self.steps[shape]:
            self.made.add(shape)
        steps = self.steps[shape] if shape in self.made else len(batches)
        length = batches[0][0].shape[self.axis]
        rows = np.arange(len(batches) * length, dtype=np.int32).reshape(len(batches), length)
        columns = enumerate(zip(*batches, strict=True))
        return Block([self._stack(i, parts, steps) for i, parts in columns], rows, axis=self.axis, length=steps)

    def _stack(self, index: int, parts: Sequence[Any], steps: int) -> Any:
        spare = steps - len(parts)
        if is_scipy(parts[0]):
            self.rooms[index] = max(self.rooms.get(index, 0), *(room_for(p.nnz) for p in parts))
            made = [Sparse.of(p, self.rooms[index]) for p in parts]
            return jax.tree.map(lambda *a: np.stack([*a, *[np.zeros_like(a[0])] * spare]), *made)
        return np.concatenate([*parts, *[np.zeros_like(parts[0])] * spare], axis=self.axis)

    def _size(self, batch: Sequence[Any]) -> int:
        """The bytes of one minibatch within a block."""
        return sum(
            max(self.rooms.get(i, 0), a.nnz) * (a.dtype.itemsize + 9) if is_scipy(a) else a.nbytes
            for i, a in enumerate(batch)
        )
