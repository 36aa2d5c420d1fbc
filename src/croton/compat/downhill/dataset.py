"""Data sets whose minibatches keep their examples, as a loss may need that knows its rows by their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from croton.nets.training import data
from croton.nets.training.sources import Rows


class _Blocks(Rows):
    """Rows of which consecutive ones stay together: what is shuffled are the batches, a short last one excepted."""

    def _drawn(self) -> np.ndarray:
        full = self.examples - self.examples % self.batch_size
        order = np.arange(self.examples, dtype=self._index)
        blocks = order[:full].reshape(-1, self.batch_size)
        return np.concatenate([blocks[self.random.permutation(len(blocks))].ravel(), order[full:]])


class Dataset(data.Dataset):
    """Minibatches of arrays, or those that a callable returns. As downhill.Dataset.

    Arguments, as of ``croton.nets.training.data.Dataset``: ``inputs``, ``name``, ``batch_size`` (32),
    ``iteration_size``, ``axis`` (0), ``rng``. Each batch holds consecutive examples, always the same; only the order of
    the batches changes. A callable's batches are given out as they come.

    >>> import numpy as np
    >>> sorted(x.tolist() for x, in Dataset(np.arange(5), batch_size=2, rng=1))
    [[0, 1], [2, 3], [4]]
    """

    _rows = _Blocks

    def __init__(
        self,
        inputs: Any,
        name: str | None = None,
        batch_size: int = 32,
        iteration_size: int | None = None,
        axis: int = 0,
        rng: Any = None,
    ) -> None:
        super().__init__(inputs, name, batch_size, iteration_size, axis, rng)

    def iterate(self, shuffle: bool = True) -> Iterator[Any]:
        """One pass: batches, in a new order once all have been seen; with ``shuffle=False`` that does not change."""
        if callable(self.inputs) and self.batch_size is None:
            return (self.inputs() for _ in range(len(self)))
        return super().iterate(shuffle)


class Batches:
    """Batches that are there already, one after the other; each pass begins anew."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


def as_batches(given: Any) -> Any:
    """What ``iterate`` is given, as an iterable of batches, each a sequence of arrays.

    A data set is one; a list of lists is taken for batches, one of arrays for a data set of them; None gives one batch
    of nothing, for a loss without inputs.
    """
    if given is None:
        return Batches([[]])
    if isinstance(given, list | tuple) and all(isinstance(batch, list | tuple) for batch in given):
        return Batches(given)
    if isinstance(given, data.Dataset | Batches):
        return given
    return Dataset(given)
