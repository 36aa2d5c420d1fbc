"""The same programs written by hand for JAX."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import data

TINY = 10


def train(folder: str, steps: int = data.STEPS) -> Callable[[], list[float]]:
    """Return a function that trains the logistic regression for ``steps`` minibatches, reading back each cost."""
    images, labels = map(jnp.asarray, data.load(folder))
    parameters = jnp.zeros((data.PIXELS, data.CLASSES)), jnp.zeros(data.CLASSES)

    @partial(jax.jit, donate_argnums=0)
    def step(parameters: Any, images: jax.Array, labels: jax.Array, index: int) -> Any:
        x = lax.dynamic_slice_in_dim(images, index * data.BATCH, data.BATCH)
        y = lax.dynamic_slice_in_dim(labels, index * data.BATCH, data.BATCH)

        def cost(parameters: Any) -> jax.Array:
            weights, bias = parameters
            return -jnp.mean(jax.nn.log_softmax(x @ weights + bias)[jnp.arange(data.BATCH), y])

        value, slopes = jax.value_and_grad(cost)(parameters)
        return value, jax.tree.map(lambda p, slope: p - data.RATE * slope, parameters, slopes)

    def run() -> list[float]:
        nonlocal parameters
        costs = []
        for i in range(steps):
            value, parameters = step(parameters, images, labels, i)
            costs.append(float(value))
        return costs

    return run


def tiny(calls: int) -> Callable[[], np.ndarray]:
    """Return a function that makes ``calls`` calls of ``2 x + state``, waiting for each result and copying it."""
    state, argument = jnp.zeros(TINY), np.arange(TINY, dtype="float32")
    call = jax.jit(lambda state, x: (x * 2 + state, state + 1), donate_argnums=0)

    def run() -> np.ndarray:
        nonlocal state
        for _ in range(calls):
            result, state = call(state, argument)
            copied = np.array(result)
        return copied

    assert run().flags.writeable
    return run


def describe() -> str:
    """Name the version of JAX."""
    return f"jax {jax.__version__}"
