"""What a training writes while it runs, so that it can go on where it was cut."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class State:
    """A training between two steps: ``arrays`` by name, and plain ``values``."""

    arrays: Mapping[str, np.ndarray]
    values: Mapping[str, Any]

    def like(self, part: str, model: Any, exact: bool = True) -> Any:
        """The arrays ``part/0``, ``part/1``, ... in the structure of ``model``.

        Raises ValueError where their number, a dtype or (where ``exact``) a shape is another.
        """
        leaves, form = jax.tree.flatten(model)
        names = [f"{part}/{k}" for k in range(len(leaves))]
        found = [self.arrays.get(n) for n in names]
        for name, a, b in zip(names, found, leaves, strict=True):
            if a is None or a.dtype != b.dtype or a.ndim != b.ndim or (exact and a.shape != b.shape):
                have = "nothing" if a is None else f"{a.dtype} of shape {a.shape}"
                raise ValueError(
                    f"resume: the checkpoint has {have} for {name}, where this training has {b.dtype} of "
                    f"shape {b.shape}: "
                    "it was written with another network, algorithm or data; build the same, or train without resume="
                )
        if f"{part}/{len(leaves)}" in self.arrays:
            raise ValueError(
                f"resume: the checkpoint has more {part} than this training: it was written by another one"
            )
        return jax.tree.unflatten(form, [jnp.array(a) for a in found])

    def under(self, part: str) -> dict[str, Any]:
        """What stands under ``part/``."""
        both = {**self.values, **self.arrays}
        return {k.partition("/")[2]: v for k, v in both.items() if k.startswith(f"{part}/")}


class Saver:
    """Writes a training's state beside the network, when it is time.

    ``path``: a file's name, in which ``{}`` becomes the time in seconds; None for no files. ``every``: an int, epochs;
    a float, minutes. ``write`` is given the path and the state.
    """

    def __init__(self, path: Any, every: float, write: Callable[[Any, State], None]) -> None:
        self.path, self.every, self._write = path, every, write
        self._last = time.monotonic()

    @property
    def wanted(self) -> bool:
        """Whether anything is written at all."""
        return self.path is not None

    def after(self, epoch: int, state: Callable[[], State]) -> None:
        """Epoch number ``epoch`` is over."""
        if isinstance(self.every, int):
            if self.wanted and epoch > 0 and epoch % self.every == 0:
                self.final(state())
        else:
            self.within(state)

    def within(self, state: Callable[[], State]) -> None:
        """Some steps of an epoch are done."""
        if self.wanted and isinstance(self.every, float) and time.monotonic() - self._last >= 60 * self.every:
            self.final(state())

    def final(self, state: State) -> None:
        """Write now."""
        target = self.path
        if isinstance(target, str | Path) and "{}" in str(target):
            target = str(target).replace("{}", str(int(time.time())))
        self._write(target, state)
        self._last = time.monotonic()
