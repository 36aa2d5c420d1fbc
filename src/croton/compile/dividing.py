"""Functions with the gradient of a large loop, whose examples are divided over the devices of a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import jax
from jax.sharding import Mesh

from croton.devices import at_home, dividing, everywhere, held_whole, mesh_for

# A call whose loops multiply and add less often goes forward sooner than its arguments reach several devices.
LEAST_WORK = 5e8

_asked: ContextVar[list[tuple[int, float]] | None] = ContextVar("asked", default=None)


def ask(examples: int, work: float) -> None:
    """While a program is traced: here is a loop with so many examples, 1 if they depend on each other, and products."""
    if (asked := _asked.get()) is not None:
        asked.append((examples, work))


@contextmanager
def _asking() -> Iterator[list[tuple[int, float]]]:
    asked: list[tuple[int, float]] = []
    token = _asked.set(asked)
    try:
        yield asked
    finally:
        _asked.reset(token)


class Dividing:
    """``traced`` as a compiled function, which divides the examples of its loops where they ask for it.

    How many there are shows when it is traced; it is traced once more, for several devices, if they are to be divided.
    """

    def __init__(self, traced: Callable[..., Any], donated: Sequence[int]) -> None:
        self.plain = jax.jit(traced, donate_argnums=tuple(donated), keep_unused=True)
        self.traced = traced
        self._meshes: dict[Any, Mesh | None] = {}
        self._divided: dict[Mesh, Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        mesh = self.mesh(arguments)
        if mesh is None:
            return self.plain(*arguments)
        with dividing(mesh):
            if mesh not in self._divided:
                self._divided[mesh] = jax.jit(partial(self._whole, mesh), keep_unused=True)
            found = self._divided[mesh](*everywhere(mesh, arguments))
        return at_home(found)

    def mesh(self, arguments: Sequence[Any]) -> Mesh | None:
        """The devices to divide the examples of these arguments over; None where one is to do it all."""
        key = tuple((a.shape, str(a.dtype)) for a in arguments)
        if key not in self._meshes:
            with _asking() as asked:
                self.plain.trace(*arguments)
            examples = {n for n, _ in asked}
            divides = len(examples) == 1 and sum(work for _, work in asked) >= LEAST_WORK
            self._meshes[key] = mesh_for(examples.pop()) if divides else None
        return self._meshes[key]

    def _whole(self, mesh: Mesh, *arguments: Any) -> Any:
        return held_whole(mesh, self.traced(*arguments))
