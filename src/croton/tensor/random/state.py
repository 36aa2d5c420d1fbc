"""The shared variable that holds a stream's state, and what its ``get_value`` gives."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from croton.graph.core import hooks
from croton.tensor.random.draws import STATE
from croton.tensor.variable import TensorSharedVariable

Seed = int | Sequence[int] | None


def key_words(entropy: Any, number: int) -> np.ndarray:
    """The first state of stream ``number`` of a seed: its key is drawn by numpy.random.SeedSequence."""
    key = np.random.SeedSequence(entropy, spawn_key=(number,)).generate_state(2, np.uint32)
    return np.asarray([*key, 0], "uint32")


class StreamState(np.ndarray):
    """A stream's state: two words of key and the number of draws made, with the methods of numpy.random.RandomState
    that old programs use on what ``get_value`` gives them.

    >>> from croton.tensor.random import RandomStreams
    >>> u = RandomStreams(seed=1).uniform((2,))
    >>> state = u.rng.get_value()
    >>> state.seed(8)
    >>> u.rng.set_value(state)
    """

    def seed(self, seed: Seed = None) -> None:
        """Begin anew from a seed, in place."""
        self[:] = key_words(seed, 0)

    def get_state(self) -> np.ndarray:
        """A copy of the numbers."""
        return np.array(self)

    def set_state(self, state: Any) -> None:
        """Take over what ``get_state`` gave."""
        self[:] = STATE.filter(np.asarray(state))


class RandomStateSharedVariable(TensorSharedVariable):
    """A shared variable that holds the state of one stream of random numbers.

    Its value is three uint32 numbers; ``set_value`` also takes a numpy.random.RandomState, from whose state the
    stream then begins (the numbers drawn are not NumPy's).
    """

    def _checked(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        if isinstance(value, np.random.RandomState):
            value = key_words(deepcopy(value).randint(0, 1 << 32, 8, "uint64").tolist(), 0)
        return super()._checked(np.asarray(value), strict, allow_downcast)

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> np.ndarray:
        """A copy of the present state."""
        return np.array(hooks.to_host(self.container.value)).view(StreamState)
