"""The same recurrent networks written by hand for JAX: ``lax.scan``, differentiated by JAX."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.nn import sigmoid

from benchmarks.programs.recurrent_start import RATE, minibatch, start


def rnn(h: Any, z: Any, U: Any) -> Any:
    """Compute the state after a step from the state before and the projected input."""
    return jnp.tanh(z + h @ U)


def lstm(state: Any, z: Any, U: Any) -> Any:
    """Compute the output and the cell after a step; the gates are i, f, g, o."""
    h, c = state
    i, f, g, o = jnp.split(z + h @ U, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
    return sigmoid(o) * jnp.tanh(c), c


def gru(h: Any, z: Any, U: Any) -> Any:
    """Compute the state after a step; the gates are r, u, n."""
    units = h.shape[1]
    zr, zu, zn = jnp.split(z, 3, axis=1)
    dr, du = jnp.split(h @ U[:, : 2 * units], 2, axis=1)
    r, u = sigmoid(zr + dr), sigmoid(zu + du)
    n = jnp.tanh(zn + (r * h) @ U[:, 2 * units :])
    return u * h + (1 - u) * n


def train(cell: str, units: int, batch: int, time: int, steps: int) -> Callable[[], list[float]]:
    """Return a function that makes ``steps`` training steps of a layer whose cost is the mean square of its outputs."""
    after = {"rnn": rnn, "lstm": lstm, "gru": gru}[cell]
    zero = jnp.zeros((batch, units), "float32")
    first = (zero, zero) if cell == "lstm" else zero

    def outputs(p: Any, x: Any) -> jax.Array:
        def step(state: Any, z: Any) -> Any:
            state = after(state, z, p["U"])
            return state, state[0] if cell == "lstm" else state

        return lax.scan(step, first, x @ p["W"] + p["b"])[1]

    call = _descend(outputs, start(cell, units), minibatch(time, batch))
    return lambda: [call() for _ in range(steps)]


def last(units: int, batch: int, time: int) -> Callable[[], float]:
    """Return a function that makes one training step of an LSTM whose cost is the mean square of its last output."""
    zero = jnp.zeros((batch, units), "float32")

    def outputs(p: Any, x: Any) -> jax.Array:
        def step(state: Any, x: Any) -> Any:
            return lstm(state, x @ p["W"] + p["b"], p["U"]), None

        return lax.scan(step, (zero, zero), x)[0][0]

    return _descend(outputs, start("lstm", units), minibatch(time, batch))


def describe() -> str:
    """Name the version of JAX."""
    return f"jax {jax.__version__}"


def _descend(outputs: Any, weights: dict[str, np.ndarray], x: np.ndarray) -> Callable[[], float]:
    @partial(jax.jit, donate_argnums=0)
    def step(p: Any, x: jax.Array) -> Any:
        value, slopes = jax.value_and_grad(lambda p: jnp.square(outputs(p, x)).mean())(p)
        return value, jax.tree.map(lambda w, slope: w - RATE * slope, p, slopes)

    p = {name: jnp.asarray(value) for name, value in weights.items()}

    def call() -> float:
        nonlocal p
        value, p = step(p, x)
        return float(value)

    return call
