"""Functions with gradients: by croton's kernels, or the examples of a large loop divided over a CPU's devices."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from croton.compile.memory import compiled
from croton.devices import at_home, dividing, everywhere, held_whole, mesh_for
from croton.native.library import ready, wanted
from croton.native.products import LoopLeft, with_products

log = logging.getLogger("croton")

# A call whose loops multiply and add less often goes forward sooner than its arguments reach several devices; one whose
# loops and other products do is left to XLA.
LEAST_WORK, LEAST_KERNEL = 5e8, 1e6
# What is taken in one piece and is larger, the C library (glibc) gives back to the system when it is free.
KEPT = 32 << 20

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
    """``traced`` as a compiled function that calls kernels, or whose loops' examples are divided where they ask for it.

    How many there are shows when it is traced; it is traced once more if no kernel can run a loop of single precision.
    """

    def __init__(self, traced: Callable[..., Any], donated: Sequence[int]) -> None:
        self.traced = traced
        self._plain = jax.jit(traced, donate_argnums=tuple(donated), keep_unused=True)
        self._native = jax.jit(self._with_kernels, donate_argnums=tuple(donated), keep_unused=True)
        self._ways: dict[Any, Any] = {}
        self._divided: dict[Mesh, Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        way = self.way(arguments)
        if not isinstance(way, Mesh):
            return way(*arguments)
        with dividing(way):
            if way not in self._divided:
                self._divided[way] = jax.jit(partial(self._whole, way), keep_unused=True)
            found = self._divided[way](*everywhere(way, arguments))
        return at_home(found)

    def way(self, arguments: Sequence[Any]) -> Any:
        """How calls with such arguments are made: by this function of JAX's, or divided over this mesh's devices."""
        key = tuple([(a.shape, a.dtype) for a in arguments])
        if key not in self._ways:
            self._ways[key] = self._found(arguments)
        return self._ways[key]

    def _found(self, arguments: Sequence[Any]) -> Any:
        with _asking() as asked:
            if wanted() and any(a.dtype == np.float32 for a in arguments):
                try:
                    self._native.trace(*arguments)
                except LoopLeft as left:
                    log.debug("loops are left to XLA: %s", left)
                else:
                    mesh = _mesh(asked)
                    if ready() and (mesh is None or not self._gives_back(arguments)):
                        return self._native
                asked.clear()
            self._plain.trace(*arguments)
        mesh = _mesh(asked)
        return self._plain if mesh is None else mesh

    def _gives_back(self, arguments: Sequence[Any]) -> bool:
        """Whether kernels would take memory that is new in each call, page by page, and half of it would be kept."""
        analysis = compiled(self._native.lower(*arguments)).memory_analysis()
        return analysis is not None and KEPT < analysis.temp_size_in_bytes <= 2 * KEPT

    def _with_kernels(self, *arguments: Any) -> Any:
        return with_products(
            self.traced, *arguments, whole=True, worth=lambda n: n + _work(_asked.get() or []) >= LEAST_KERNEL
        )

    def _whole(self, mesh: Mesh, *arguments: Any) -> Any:
        return held_whole(mesh, self.traced(*arguments))


def _mesh(asked: Sequence[tuple[int, float]]) -> Mesh | None:
    """The devices over which it pays to divide the examples of loops that have asked."""
    examples = {n for n, _ in asked}
    return mesh_for(examples.pop()) if len(examples) == 1 and _work(asked) >= LEAST_WORK else None


def _work(asked: Sequence[tuple[int, float]]) -> float:
    return sum(work for _, work in asked)
