"""How fast the machine is: rates of float32 products and of updates in memory, by NumPy, JAX or PyTorch."""

import importlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

LARGE, SMALL = (1024, 2048), ((64, 128), (128, 512))
"""The sides of the large square products, and the shapes of the small one's two matrices."""


def measure(library: str, sizes: list[int]) -> Callable[[], dict[str, Any]]:
    """Return a function that tells flops a second of "large" and "small" products, and bytes a second of updates.

    An update is ``p += q`` in place over float32 arrays of each of the ``sizes``: two reads and a write of 4 bytes.
    """
    product, update = {"numpy": _numpy, "jax": _jax, "torch": _torch}[library]()
    random = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return random.standard_normal(shape, dtype="float32")

    def run() -> dict[str, Any]:
        large = max(2 * n**3 / best(product(draw(n, n), draw(n, n))) for n in LARGE)
        (m, k), (_, n) = SMALL
        small = 2 * m * k * n / best(product(draw(m, k), draw(k, n)))
        memory = {str(size): 12 * size / best(update(draw(size), draw(size))) for size in sizes}
        return {"large": large, "small": small, "memory": memory}

    return run


def best(work: Callable[[], Any], least: float = 0.3) -> float:
    """Time the work: the shortest of five means over repetitions that last ``least`` seconds together."""
    start, times = time.perf_counter(), 0
    while time.perf_counter() - start < least / 5 or times < 2:
        work()
        times += 1
    means = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(times):
            work()
        means.append((time.perf_counter() - start) / times)
    return min(means)


def describe(library: str) -> str:
    """Name the library's version."""
    return f"{library} {importlib.import_module(library).__version__}"


def _numpy() -> tuple[Any, Any]:
    def product(a: np.ndarray, b: np.ndarray) -> Any:
        return partial(np.matmul, a, b, out=np.empty((len(a), b.shape[1]), "float32"))

    return product, lambda p, q: partial(np.add, p, q, out=p)


def _jax() -> tuple[Any, Any]:
    import jax
    import jax.numpy as jnp

    times, add = jax.jit(jnp.matmul), jax.jit(jnp.add, donate_argnums=0)

    def product(a: Any, b: Any) -> Any:
        a, b = jnp.asarray(a), jnp.asarray(b)
        return lambda: times(a, b).block_until_ready()

    def update(p: Any, q: Any) -> Any:
        state, q = [jnp.asarray(p)], jnp.asarray(q)

        def once() -> None:
            state[0] = add(state[0], q).block_until_ready()

        return once

    return product, update


def _torch() -> tuple[Any, Any]:
    import torch

    def product(a: Any, b: Any) -> Any:
        a, b = torch.from_numpy(a), torch.from_numpy(b)
        return partial(torch.matmul, a, b, out=torch.empty(len(a), b.shape[1]))

    return product, lambda p, q: partial(torch.from_numpy(p).add_, torch.from_numpy(q))
