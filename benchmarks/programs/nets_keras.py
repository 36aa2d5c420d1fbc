"""The networks of (h) in Keras on JAX: its own layers, compiled and fitted for an epoch."""

from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np
from keras import layers, ops

from benchmarks.networks import DECAY, GATES, MOMENTUM, RATE, WINDOW, WORKS, Work, data, partner, start

CELLS = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
OPTIMIZERS = {
    "sgd": lambda rate: keras.optimizers.SGD(rate),
    "rmsprop": lambda rate: keras.optimizers.RMSprop(rate, rho=DECAY, momentum=MOMENTUM),
}


class Tied(layers.Layer):
    """The transpose of another layer, with a bias of its own."""

    def __init__(self, partner: Any, activation: str) -> None:
        super().__init__()
        self._kernel, self._activation = lambda: partner.kernel, keras.activations.get(activation)

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the bias."""
        self.bias = self.add_weight(shape=(self._kernel().shape[0],), initializer="zeros")

    def call(self, x: Any) -> Any:
        """Multiply by the partner's weights, transposed."""
        return self._activation(ops.matmul(x, ops.transpose(self._kernel())) + self.bias)


def train(name: str, check: bool = False) -> Callable[[], float]:
    """Return a function that trains for an epoch; it tells the epoch's loss, with ``check`` the first minibatch's."""
    work = WORKS[name]
    x, y = data(work)
    net = build(work)
    autoencoder = work.model == "Autoencoder"
    loss = "mean_squared_error" if autoencoder else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(optimizer=OPTIMIZERS[work.algo](RATE[work.algo]), loss=loss)
    target = x if autoencoder else y
    rows = slice(work.batch)
    first = net.evaluate(x[rows], target[rows], batch_size=work.batch, verbose=0) if check else None

    def run() -> float:
        told = net.fit(x, target, batch_size=work.batch, epochs=1, verbose=0).history["loss"][0]
        return float(told if first is None else first)

    return run


def build(work: Work) -> keras.Sequential:
    """Build the network with the first weights that every contender has."""
    net = keras.Sequential([layers.Input(work.inputs)])
    for place, (form, size, act) in enumerate(work.layers):
        act = "linear" if act == "out" else act
        if form == "ff":
            net.add(layers.Dense(size, activation=act))
        elif form == "tied":
            net.add(Tied(net.layers[partner(work, place)], act))
        elif form == "conv":
            net.add(layers.Conv2D(size, WINDOW, activation=act))
        elif form in CELLS:
            net.add(CELLS[form](size, return_sequences=True))
        else:
            net.add(layers.MaxPooling2D(size) if form == "pool" else layers.Flatten())
    for layer, (form, *_), of in zip(net.layers, work.layers, start(work), strict=True):
        layer.set_weights([_fit(form, key, of[key]) for key in ("w", "xh", "hh", "b") if key in of])
    return net


def describe() -> str:
    """Name the versions of Keras and JAX."""
    return f"keras {keras.__version__} on jax {jax.__version__}"


def _fit(form: str, key: str, value: np.ndarray) -> np.ndarray:
    if form == "conv" and key == "w":
        return value.transpose(2, 3, 1, 0)
    if form == "gru":  # its z comes first, and keeps the state, where that of the others lets the new one in
        r, z, h = np.split(value, GATES[form], axis=-1)
        value = np.concatenate([-z, r, h], axis=-1)
        return np.stack([value, np.zeros_like(value)]) if key == "b" else value
    return value
