"""The networks of (h) written by hand for JAX: one jitted optax step with donated state for each minibatch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.nn import sigmoid

from benchmarks.networks import DECAY, MOMENTUM, RATE, WORKS, Work, data, partner, start

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "linear": lambda x: x, "out": lambda x: x}
OPTIMIZERS = {
    "sgd": lambda rate: optax.sgd(rate),
    "rmsprop": lambda rate: optax.rmsprop(rate, decay=DECAY, momentum=MOMENTUM),
}


def train(name: str, check: bool = False) -> Callable[[], float]:
    """Return a function that trains for an epoch; it tells the epoch's loss, with ``check`` the first minibatch's."""
    work = WORKS[name]
    x, y = data(work)
    p: Any = jax.tree.map(jnp.asarray, start(work))
    optimizer = OPTIMIZERS[work.algo](RATE[work.algo])
    state = optimizer.init(p)
    random = np.random.default_rng(1)
    objective = partial(loss, work)
    first = float(objective(p, x[: work.batch], y[: work.batch])) if check else None

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(p: Any, state: Any, total: jax.Array, x: jax.Array, y: jax.Array) -> Any:
        value, slopes = jax.value_and_grad(objective)(p, x, y)
        updates, state = optimizer.update(slopes, state, p)
        return optax.apply_updates(p, updates), state, total + value

    def run() -> float:
        nonlocal p, state
        order, total = random.permutation(len(x)), jnp.zeros(())
        for i in range(0, len(x), work.batch):
            rows = order[i : i + work.batch]
            p, state, total = step(p, state, total, x[rows], y[rows])
        jax.block_until_ready(p)
        mean = float(total) / work.steps
        return mean if first is None else first

    return run


def loss(work: Work, p: Any, x: Any, y: Any) -> jax.Array:
    """Compute the mean cross-entropy of a classifier, or the mean squared error of an autoencoder."""
    out = forward(work, p, x)
    if work.model == "Autoencoder":
        return jnp.mean((out - x) ** 2)
    return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()


def forward(work: Work, p: Any, x: jax.Array) -> jax.Array:
    """Compute what the last layer gives, before a softmax."""
    for place, ((form, size, act), of) in enumerate(zip(work.layers, p, strict=True)):
        if form == "ff":
            x = x @ of["w"] + of["b"]
        elif form == "tied":
            x = x @ p[partner(work, place)]["w"].T + of["b"]
        elif form == "conv":
            x = lax.conv_general_dilated(x, of["w"], (1, 1), "VALID", dimension_numbers=("NHWC", "OIHW", "NHWC"))
            x = x + of["b"]
        elif form == "pool":
            window = 1, size, size, 1
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
        elif form == "flat":
            x = x.reshape(len(x), -1)
        else:
            x = over_time(form, size, of, x)
        x = ACTIVATIONS[act](x) if form not in CELLS else x
    return x


def rnn(h: Any, z: Any, of: Any) -> Any:
    """Compute the state after a step from the state before and the projected input, twice: to go on, and to show."""
    h = jnp.tanh(z + h @ of["hh"])
    return h, h


def lstm(state: Any, z: Any, of: Any) -> Any:
    """Compute the state after a step and the output, with peepholes."""
    h, c = state
    i, f, g, o = jnp.split(z + h @ of["hh"], 4, axis=1)
    c = sigmoid(f + of["cf"] * c) * c + sigmoid(i + of["ci"] * c) * jnp.tanh(g)
    h = sigmoid(o + of["co"] * c) * jnp.tanh(c)
    return (h, c), h


def gru(h: Any, z: Any, of: Any) -> Any:
    """Compute the state after a step, twice: to go on, and to show."""
    units = h.shape[1]
    zr, zu, zh = jnp.split(z, 3, axis=1)
    dr, du = jnp.split(h @ of["hh"][:, : 2 * units], 2, axis=1)
    r, u = sigmoid(zr + dr), sigmoid(zu + du)
    h = (1 - u) * h + u * jnp.tanh(zh + (r * h) @ of["hh"][:, 2 * units :])
    return h, h


CELLS = {"rnn": rnn, "lstm": lstm, "gru": gru}


def over_time(form: str, units: int, of: Any, x: jax.Array) -> jax.Array:
    """Compute a recurrent layer's outputs (batch, time, units) with ``lax.scan``."""
    zero = jnp.zeros((len(x), units))
    first = (zero, zero) if form == "lstm" else zero
    z = jnp.swapaxes(x, 0, 1) @ of["xh"] + of["b"]
    _, outputs = lax.scan(lambda state, z: CELLS[form](state, z, of), first, z)
    return jnp.swapaxes(outputs, 0, 1)


def describe() -> str:
    """Name the versions of JAX and optax."""
    return f"jax {jax.__version__}, optax {optax.__version__}"
