"""Data sets: whatever can be cut into minibatches, in passes of so many of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from croton.nets.arrays import is_array
from croton.nets.training.blocks import Block, pick
from croton.nets.training.sources import Accept, Rows, Stream
from croton.nets.util import as_random_state

__all__ = ["Block", "Dataset", "pick"]

# The batches of one pass over what has no length: a callable without ``len``, or an iterator.
UNCOUNTED = 100


class Dataset:
    """Minibatches of data, in passes. As downhill.Dataset.

    >>> import numpy as np
    >>> data = Dataset([np.arange(10), np.arange(10) % 2], batch_size=4)
    >>> [len(x) for x, y in data]
    [4, 4, 2]
    >>> sorted(int(i) for x, _ in data for i in x)
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

    Arguments:
      ``inputs``: one of

      - an array, a list or tuple of arrays, or a dict of them, equally long along ``axis``: NumPy's, JAX's, nested
        lists within a list of arrays, pandas frames and series, SciPy's sparse matrices, shared variables;
      - arrays outside memory: ``np.memmap``, or objects that read rows from a file (with ``shape``, ``dtype`` and item
        access). Of these, and of arrays in memory of more than ``blocks.RESIDENT`` bytes in all, only parts are held
        at a time;
      - a callable without arguments that returns one batch: an array, or a list, tuple or dict of arrays;
      - an iterable of such batches: a generator (gone through once), or an object whose ``__iter__`` begins anew (gone
        through again and again);
      - another ``Dataset``, whose inputs are taken.
      ``name``: for messages. ``batch_size``: examples in a batch; 0 or less for all of them at once. The last batch
      may be shorter. Callables and iterables make their own batches.
      ``iteration_size``: batches in one pass; by default what there is, once, and for callables and iterators what
      ``len`` says, else 100 (iterators: or until they end; other iterables: until they end). If it differs from the
      number of batches there are, the next pass goes on where the last one ended.
      ``axis``: along which the examples lie.
      ``rng``: an int seed, a numpy RandomState or Generator (one number is drawn from it); None for seed 13.
      ``shuffle``: draw a new order of the examples for every pass through them; else they keep theirs.
      ``accept``: a function of a list (or dict) of arrays that returns a list of checked and cast ones, as
      ``checking.accept_all`` does: called at once for what is in memory, and for each batch of what is not.
      ``names``: what messages call the arrays, in order; the names of a dict go before.

    Attributes: ``name``, ``axis``, ``inputs``, ``batch_size`` (None for callables and iterables), ``iteration_size``
    (None where a pass goes until an iterable ends).

    Raises TypeError or ValueError for what is none of these, arrays that differ in length, and no data at all.
    """

    _count: ClassVar[int] = 0
    # What a subclass that draws other orders puts in its place.
    _rows: ClassVar[type[Rows]] = Rows

    def __init__(
        self,
        inputs: Any,
        name: str | None = None,
        batch_size: int = 32,
        iteration_size: int | None = None,
        axis: int = 0,
        rng: Any = None,
        shuffle: bool = True,
        accept: Accept | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        Dataset._count += 1
        self.name = name or f"dataset{Dataset._count}"
        self.axis = _whole(self.name, "axis", axis)
        if self.axis < 0:
            raise ValueError(f"{self.name}: axis={axis}: count the axis of the examples from the first, 0")
        size = _whole(self.name, "batch_size", batch_size)
        self.inputs: Any = inputs.inputs if isinstance(inputs, Dataset) else inputs
        arrays = _arrays(self.inputs, self.name)
        self._source: Rows | Stream
        if arrays is None:
            self._source = Stream(self.inputs, names, self.axis, accept, self.name)
        else:
            self._source = self._rows(arrays, names, size, self.axis, _own(rng), bool(shuffle), accept, self.name)
        self.batch_size: int | None = self._source.batch_size if isinstance(self._source, Rows) else None
        if iteration_size is not None and _whole(self.name, "iteration_size", iteration_size) < 1:
            raise ValueError(f"{self.name}: iteration_size={iteration_size}: a pass needs at least one batch")
        found: int | None = self._source.batches
        if found is None and isinstance(self._source, Stream) and (self._source.calls or self._source.once):
            found = UNCOUNTED
        if found == 0:
            raise ValueError(f"{self.name}: {self.inputs!r} has length 0: there are no batches")
        self.iteration_size: int | None = int(iteration_size) if iteration_size is not None else found

    def accept(self, accept: Accept | None) -> None:
        """Check the data with ``accept`` (see the class) from now on, in the place of an earlier check.

        The order and the position in the data stay. Raises what ``accept`` raises, and then changes nothing.
        """
        self._source.accept(accept)

    # --- passes ---

    def iterate(self, shuffle: bool = True) -> Iterator[list[Any]]:
        """One pass: lists of arrays. With ``shuffle=False`` no new order is drawn in it. As downhill's."""
        if isinstance(self._source, Rows):
            return self._source.take(len(self), keep=not shuffle)
        return self._source.take(self.iteration_size)

    def __iter__(self) -> Iterator[list[Any]]:
        return self.iterate()

    def __len__(self) -> int:
        """Batches in one pass. Raises TypeError where a pass goes until an iterable ends."""
        if self.iteration_size is None:
            raise TypeError(f"{self.name}: how many batches {self.inputs!r} gives is not known; pass iteration_size")
        return self.iteration_size

    def shuffle(self) -> None:
        """Draw a new order of the examples, and begin with its first. Raises TypeError for callables and iterables."""
        self._source.shuffle()

    def blocks(self) -> Iterator[Block]:
        """One pass as blocks of minibatches, for programs that make many steps in one call.

        Data in memory are in one block, and its ``arrays`` the same objects in every pass, with a block of its own for
        a short last batch. Other data come in blocks of at most ``blocks.BLOCK`` bytes, equal in shape where possible.
        """
        if isinstance(self._source, Rows):
            return self._source.blocks(len(self))
        return self._source.blocks(self.iteration_size)

    # --- what a checkpoint keeps ---

    @property
    def once(self) -> bool:
        """Whether the data can be gone through only once, as a generator can."""
        return isinstance(self._source, Stream) and self._source.once

    @property
    def resumable(self) -> bool:
        """Whether ``state`` and ``restore`` work: for arrays, not for callables and iterables."""
        return isinstance(self._source, Rows)

    def state(self) -> dict[str, Any]:
        """What the next passes depend on besides the data, as NumPy arrays and numbers.

        Raises TypeError for callables and iterables, whose position nobody knows.
        """
        return self._source.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on as after ``state()``: the next passes are the same.

        Raises ValueError, and changes nothing, if the state is of data of another size or with other settings, and
        TypeError for callables and iterables.

        >>> data = Dataset(np.arange(6), batch_size=3)
        >>> then = data.state()
        >>> first = [batch[0].tolist() for batch in data]
        >>> data.restore(then)
        >>> [batch[0].tolist() for batch in data] == first
        True
        """
        self._source.restore(state)


def _arrays(inputs: Any, name: str) -> Mapping[str, Any] | list[Any] | None:
    """The arrays, by name or in order, or None for what makes batches."""
    if is_array(inputs):
        return [inputs]
    if isinstance(inputs, Mapping):
        return {str(key): value for key, value in inputs.items()}
    if isinstance(inputs, list | tuple):
        if inputs and all(isinstance(i, int | float | np.number) for i in inputs):
            raise ValueError(f"{name}: a list of numbers; pass an array, or a list of arrays (each may be a list)")
        return list(inputs)
    if callable(inputs) or (isinstance(inputs, Iterable) and not isinstance(inputs, str | bytes)):
        return None
    raise TypeError(
        f"{name}: got {inputs!r}; pass an array, a list of arrays, a callable that returns a batch, or an iterable of "
        "batches"
    )


def _own(rng: Any) -> np.random.RandomState:
    """A stream of random numbers that nobody else draws from, so that its state can be kept and restored."""
    if rng is None or isinstance(rng, int | np.integer):
        return as_random_state(13 if rng is None else rng)
    return np.random.RandomState(as_random_state(rng).randint(2**31))


def _whole(name: str, key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}: {key}={value!r}: pass a whole number")
    return int(value)
