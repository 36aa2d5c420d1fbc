"""Where minibatches come from: rows of arrays, in memory or outside it, and streams of ready batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from croton.nets.checking import as_array, check_lengths, is_array, is_outside
from croton.sparse.value import Sparse, is_scipy, room_for

__all__ = ["BLOCK", "RESIDENT", "Block", "Rows", "Stream", "pick"]

#: Data of more bytes than this are not kept on the device, but brought there in blocks.
RESIDENT = 1 << 30
#: The bytes of such a block, at most (but for one minibatch that is larger).
BLOCK = 32 << 20

Accept = Callable[[Any], list[Any]]


@dataclass(frozen=True)
class Block:
    """Consecutive minibatches: ``arrays``, and ``order``, int32 of shape (S, b), the rows of each of S minibatches.

    ``lasting``: the arrays are the same objects in every pass. ``axis``: where examples lie. An array that is a
    ``Sparse`` is a stack: each of its parts has a leading axis that counts the minibatches.
    """

    arrays: list[Any]
    order: np.ndarray
    lasting: bool = False
    axis: int = 0

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
    return jnp.asarray(array).at[(slice(None),) * axis + (rows,)].get(mode="promise_in_bounds")


def _steps(bytes_each: int, batches: int | None) -> int:
    """How many minibatches to put into a block: if possible so that all blocks have equally many."""
    most = max(1, BLOCK // max(bytes_each, 1))
    if batches is None or batches <= most:
        return batches or most
    return next((k for k in range(most, (most - 1) // 2, -1) if batches % k == 0), most)


@dataclass
class _Stacker:
    """Makes blocks of batches. ``rooms`` remembers, for each sparse array, the room that all so far fit into."""

    axis: int
    rooms: dict[int, int] = field(default_factory=dict)

    def block(self, batches: Sequence[Sequence[Any]], steps: int) -> Block:
        """A block of equally long batches, its arrays as long as ``steps`` of them."""
        length = batches[0][0].shape[self.axis]
        rows = np.arange(len(batches) * length, dtype=np.int32).reshape(len(batches), length)
        columns = enumerate(zip(*batches, strict=True))
        return Block([self._stack(i, parts, steps) for i, parts in columns], rows, axis=self.axis)

    def _stack(self, index: int, parts: Sequence[Any], steps: int) -> Any:
        spare = steps - len(parts)
        if is_scipy(parts[0]):
            self.rooms[index] = max(self.rooms.get(index, 0), *(room_for(p.nnz) for p in parts))
            made = [Sparse.of(p, self.rooms[index]) for p in parts]
            return jax.tree.map(lambda *a: np.stack([*a, *[np.zeros_like(a[0])] * spare]), *made)
        return np.concatenate([*parts, *[np.zeros_like(parts[0])] * spare], axis=self.axis)

    def size(self, batch: Sequence[Any]) -> int:
        """The bytes of one minibatch within a block."""
        return sum(
            max(self.rooms.get(i, 0), a.nnz) * (a.dtype.itemsize + 9) if is_scipy(a) else a.nbytes
            for i, a in enumerate(batch)
        )


class Rows:
    """Minibatches of rows of arrays, in an order drawn anew whenever all rows have been used."""

    def __init__(
        self,
        arrays: Mapping[str, Any] | Sequence[Any],
        names: Sequence[str] | None,
        batch_size: int,
        axis: int,
        random: np.random.RandomState,
        reshuffle: bool,
        accept: Accept | None,
        where: str,
    ) -> None:
        self.keys = list(arrays) if isinstance(arrays, Mapping) else None
        given = list(arrays.values()) if isinstance(arrays, Mapping) else list(arrays)
        names = self.keys or _names(given, names)
        self.raw = [as_array(a, f"{where}: {name}") for a, name in zip(given, names, strict=True)]
        if axis and any(is_scipy(a) for a in self.raw):
            raise ValueError(f"{where}: the examples of a sparse matrix are its rows; axis={axis} does not fit")
        self.raw = [a.tocsr() if is_scipy(a) else a for a in self.raw]
        self.axis, self.where, self.random, self.reshuffle = axis, where, random, reshuffle
        self.examples = check_lengths(self.raw, names, where, axis)
        self.batch_size = min(batch_size, self.examples) if batch_size > 0 else self.examples
        self.batches = -(-self.examples // self.batch_size)
        self.at = 0
        self.order = self._drawn() if reshuffle else np.arange(self.examples, dtype=self._index)
        self.accept(accept)

    # --- order ---

    @property
    def _index(self) -> str:
        return "int32" if self.examples < 2**31 else "int64"

    def _drawn(self) -> np.ndarray:
        return self.random.permutation(self.examples).astype(self._index)

    def shuffle(self) -> None:
        """Draw a new order, and begin with its first batch."""
        self.order, self.at = self._drawn(), 0

    def _plan(self, count: int, keep: bool) -> list[np.ndarray]:
        """The rows of the next ``count`` batches, in runs that no new order interrupts."""
        runs = []
        while count:
            if self.at >= self.batches:
                self.order = self._drawn() if self.reshuffle and not keep else self.order
                self.at = 0
            now = min(count, self.batches - self.at)
            runs.append(self.order[self.at * self.batch_size : (self.at + now) * self.batch_size])
            self.at += now
            count -= now
        return runs

    # --- arrays ---

    def accept(self, accept: Accept | None) -> None:
        """Check and cast the data: at once what is in memory, batch by batch what is not, or is sparse."""

        def check(arrays: list[Any]) -> list[Any]:
            if accept is None:
                return arrays
            return accept(dict(zip(self.keys, arrays, strict=True)) if self.keys else arrays)

        arrays, stacker = self.raw, _Stacker(self.axis)
        outside = any(is_outside(a) for a in self.raw)
        lasting = not outside and _resident(self.raw)
        if lasting:
            arrays = check(self.raw)
            lasting = _resident(arrays)
        if not lasting:
            arrays = self.raw
            self._look(check, stacker, 1 if outside else self.examples)
        self.arrays, self.lasting, self.stacker, self.check = arrays, lasting, stacker, check

    def _look(self, check: Accept, stacker: _Stacker, until: int) -> None:
        """Check the rows before ``until``, a part at a time, and count the entries of those that are sparse."""
        width = sum(8 * int(np.prod(a.shape)) for a in self.raw) // self.examples
        rows = max(1, BLOCK // max(1, width))
        entries: dict[int, list[np.ndarray]] = {}
        for start in range(0, until, rows):
            part = np.arange(start, min(start + rows, until))
            try:
                accepted = check([self._gather(a, part) for a in self.raw])
            except (TypeError, ValueError) as error:
                shapes = ", ".join(str(tuple(a.shape)) for a in self.raw)
                error.add_note(f"(examples {start} to {part[-1]} were checked, of arrays of shape {shapes})")
                raise
            for i, a in enumerate(accepted):
                if is_scipy(a):
                    entries.setdefault(i, []).append(np.diff(a.tocsr().indptr))
        for i, counts in entries.items() if until == self.examples else ():
            # No batch has more entries than the fullest rows together: one room, and so one program, for all.
            stacker.rooms[i] = room_for(int(np.sort(np.concatenate(counts))[-self.batch_size :].sum()))

    def _gather(self, array: Any, rows: np.ndarray) -> Any:
        """These rows of an array; of one outside memory, in the order in which they lie there."""
        before = (slice(None),) * self.axis
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            found = array[(*before, slice(int(rows[0]), int(rows[-1]) + 1))]
        elif is_outside(array):
            by_place = np.argsort(rows)
            found = np.take(np.asarray(array[(*before, rows[by_place])]), np.argsort(by_place), self.axis)
        else:
            found = array[rows] if is_scipy(array) else np.take(array, rows, self.axis)
        return found if is_scipy(found) else np.asarray(found)

    def _batch(self, rows: np.ndarray) -> list[Any]:
        found = [self._gather(a, rows) for a in self.arrays]
        return found if self.lasting else self.check(found)

    # --- batches ---

    def take(self, count: int, keep: bool) -> Iterator[list[Any]]:
        """The next ``count`` batches; new orders are drawn unless ``keep``."""
        runs, size = self._plan(count, keep), self.batch_size
        return (self._batch(rows[at : at + size]) for rows in runs for at in range(0, len(rows), size))

    def blocks(self, count: int) -> Iterator[Block]:
        """The next ``count`` batches in blocks, the order of all of them drawn at once."""
        if not self.lasting:
            return _grouped(self.take(count, keep=False), count, self.stacker)
        orders = []
        for rows in self._plan(count, keep=False):
            cut = len(rows) // self.batch_size * self.batch_size
            orders += [rows[:cut].reshape(-1, self.batch_size), rows[None, cut:]]
        return (Block(self.arrays, order, lasting=True, axis=self.axis) for order in orders if order.size)

    # --- what a checkpoint keeps ---

    def state(self) -> dict[str, Any]:
        """Order, position and random state."""
        _, keys, at, *_ = self.random.get_state(legacy=True)
        place = {"order": self.order.copy(), "at": self.at, "batch_size": self.batch_size, "reshuffle": self.reshuffle}
        return {**place, "keys": np.array(keys), "key_at": int(at)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``. Raises ValueError, changing nothing, if it belongs to other data."""
        order = np.asarray(state["order"])
        then = (len(order), int(state["batch_size"]), bool(state["reshuffle"]))
        now = (self.examples, self.batch_size, self.reshuffle)
        if then != now:
            told = [
                "{} examples in batches of {}, {}".format(n, b, "reshuffled" if r else "in order")
                for n, b, r in (then, now)
            ]
            raise ValueError(f"{self.where}: the state is of {told[0]}; the data are {told[1]}: resume with the same")
        self.random.set_state(("MT19937", np.asarray(state["keys"], np.uint32), int(state["key_at"]), 0, 0.0))
        self.order, self.at = order.astype(self._index), int(state["at"])


class Stream:
    """Minibatches that somebody else makes: a callable's results, or the items of an iterable."""

    def __init__(
        self,
        source: Callable[[], Any] | Iterable[Any],
        names: Sequence[str] | None,
        axis: int,
        accept: Accept | None,
        where: str,
    ) -> None:
        self.source, self.axis, self.where = source, axis, where
        self.calls = callable(source)
        self.once = not self.calls and iter(source) is source  # type: ignore[arg-type]
        self.batches = _length(source)
        self.stacker = _Stacker(axis)
        self.names, self._accept = names, accept
        self._open: Iterator[Any] | None = None

    def accept(self, accept: Accept | None) -> None:
        """Check and cast batches as they come."""
        self._accept = accept

    def _checked(self, batch: Any) -> list[Any]:
        if not isinstance(batch, Mapping | list | tuple) and not is_array(batch):
            raise TypeError(f"{self.where}: a batch is an array, a list of arrays or a dict of them, got {batch!r}")
        keys = list(batch) if isinstance(batch, Mapping) else None
        parts = list(batch.values()) if isinstance(batch, Mapping) else [batch] if is_array(batch) else list(batch)
        names = keys or _names(parts, self.names)
        arrays = [as_array(a, f"{self.where}: {name}") for a, name in zip(parts, names, strict=True)]
        check_lengths(arrays, names, self.where, self.axis)
        if self._accept is None:
            return arrays
        return self._accept(dict(zip(keys, arrays, strict=True)) if keys else arrays)

    def _begin(self) -> Iterator[Any]:
        source: Any = self.source
        return (source() for _ in itertools.repeat(None)) if self.calls else iter(source)

    def _fresh(self, count: int | None) -> Iterator[Any]:
        """The next ``count`` items, beginning anew where a source that allows it ends, or all until then."""
        if self._open is None or (count is None and not self.once):
            self._open = self._begin()
        made, before = 0, -1
        while True:
            for item in itertools.islice(self._open, None if count is None else count - made):
                made += 1
                yield item
            if made == count or (made and (self.once or count is None)):
                return
            if self.once:
                raise ValueError(
                    f"{self.where}: the iterator has ended, and can be gone through only once; pass arrays, a callable "
                    "that returns a batch, or an object whose __iter__ begins anew"
                )
            if made == before or count is None:
                raise ValueError(f"{self.where}: iterating over {self.source!r} gives no batches")
            self._open, before = self._begin(), made

    def take(self, count: int | None, keep: bool = True) -> Iterator[list[Any]]:
        """The next ``count`` batches, or all until the end."""
        return map(self._checked, self._fresh(count))

    def blocks(self, count: int | None) -> Iterator[Block]:
        """The same in blocks, each of batches of one shape."""
        return _grouped(self.take(count), count, self.stacker)

    def shuffle(self) -> None:
        """Refuse: batches come in the order in which they are made."""
        raise TypeError(f"{self.where}: batches from a callable or an iterable come in their own order")

    def state(self) -> dict[str, Any]:
        """Refuse: a stream's position is not known."""
        raise TypeError(
            f"{self.where}: the position in a callable or an iterable cannot be kept; pass arrays to resume"
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Refuse, as ``state``."""
        self.state()


def _grouped(batches: Iterator[list[Any]], count: int | None, stacker: _Stacker) -> Iterator[Block]:
    """Batches, ``count`` of them if that is known, in blocks of batches of one shape."""
    gathered: list[list[Any]] = []
    seen: set[Any] = set()
    steps = 0

    def block() -> Block:
        shape = _shapes(gathered[0])
        # Every shape costs a compilation: a last block that is shorter than those before it gets their length.
        made = stacker.block(gathered, steps if (shape, steps) in seen else len(gathered))
        seen.add((shape, len(gathered)))
        gathered.clear()
        return made

    for number, batch in enumerate(batches):
        if gathered and (len(gathered) == steps or _shapes(batch) != _shapes(gathered[0])):
            yield block()
        if not gathered:
            steps = _steps(stacker.size(batch), None if count is None else count - number)
        gathered.append(batch)
    if gathered:
        yield block()


def _shapes(batch: Sequence[Any]) -> tuple[Any, ...]:
    return tuple((is_scipy(a), a.shape, np.dtype(a.dtype).name) for a in batch)


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return None


def _names(arrays: Sequence[Any], names: Sequence[str] | None) -> list[str]:
    """The names that messages give the arrays."""
    return list(names) if names and len(names) == len(arrays) else [f"array {i}" for i in range(len(arrays))]


def _resident(arrays: Sequence[Any]) -> bool:
    """Whether the arrays are such as to be kept whole on the device."""
    return not any(is_scipy(a) for a in arrays) and sum(a.nbytes for a in arrays) <= RESIDENT
