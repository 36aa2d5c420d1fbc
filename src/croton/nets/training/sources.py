"""Where minibatches come from: rows of arrays, in memory or outside it, and streams of ready batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from croton.nets.arrays import as_array, check_lengths, is_array, is_outside
from croton.nets.training import blocks
from croton.nets.training.blocks import Block, Stacker
from croton.sparse.value import is_scipy, room_for

__all__ = ["Exhausted", "Rows", "Stream"]

Accept = Callable[[Any], list[Any]]


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

        arrays, stacker = self.raw, Stacker(self.axis)
        outside = any(is_outside(a) for a in self.raw)
        lasting = not outside and _resident(self.raw)
        if lasting:
            arrays = check(self.raw)
            lasting = _resident(arrays)
        if not lasting:
            arrays = self.raw
            self._look(check, stacker, 1 if outside else self.examples)
        self.arrays, self.lasting, self.stacker, self.check = arrays, lasting, stacker, check

    def _look(self, check: Accept, stacker: Stacker, until: int) -> None:
        """Check the rows before ``until``, a part at a time, and count the entries of those that are sparse."""
        width = sum(8 * int(np.prod(a.shape)) for a in self.raw) // self.examples
        rows = max(1, blocks.BLOCK // max(1, width))
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
        return self._batches(self._plan(count, keep))

    def _batches(self, runs: Sequence[np.ndarray]) -> Iterator[list[Any]]:
        size = self.batch_size
        return (self._batch(rows[at : at + size]) for rows in runs for at in range(0, len(rows), size))

    def blocks(self, count: int) -> Iterator[Block]:
        """The next ``count`` batches in blocks, the order of all of them drawn at once."""
        runs = self._plan(count, keep=False)
        if not self.lasting:
            full = sum(len(rows) // self.batch_size for rows in runs)
            return self.stacker.blocks(self._batches(runs), max(full, 1))
        orders = []
        for rows in runs:
            cut = len(rows) // self.batch_size * self.batch_size
            orders += [rows[:cut].reshape(-1, self.batch_size), rows[None, cut:]]
        most = min(count, self.examples // self.batch_size)
        return (
            Block(
                self.arrays, order, lasting=True, axis=self.axis, length=1 if order.shape[1] < self.batch_size else most
            )
            for order in orders
            if order.size
        )

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


class Exhausted(ValueError):
    """An iterator that can be gone through only once has ended."""


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
        self.stacker = Stacker(axis)
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
                raise Exhausted(
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
        return self.stacker.blocks(self.take(count), count)

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
    return not any(is_scipy(a) for a in arrays) and sum(a.nbytes for a in arrays) <= blocks.RESIDENT
