"""The networks that (h) and (i) train: a row each, with their data, first weights and products.

Runs on every Python from 3.7, the newest that Theano knows.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
"""How many blocks of columns the matrices of a recurrent layer have: i, f, g, o in an lstm, r, z, h in a gru."""
WINDOW = 5
"""The side of the windows of convolutions."""
RATE = {"sgd": 0.01, "rmsprop": 1e-4}
MOMENTUM = 0.9
"""Of RMSProp; SGD has none."""
DECAY = 0.5 ** (1 / 14)
"""How much of the average squared gradient RMSProp keeps."""


class Layer(NamedTuple):
    """One layer: its form, its size (the side of the window of a pool) and its activation, "out" for the model's."""

    form: str
    size: int = 0
    act: str = "linear"


class Work(NamedTuple):
    """One network and how it is trained: ``inputs`` is the shape of one example, an epoch has ``steps`` minibatches."""

    model: str
    inputs: tuple[int, ...]
    layers: tuple[Layer, ...]
    batch: int
    algo: str
    steps: int


def _classifier(*sizes: int, act: str = "out") -> tuple[Layer, ...]:
    return (*[Layer("ff", size, act) for size in sizes], Layer("ff", 10, "out"))


def _cell(form: str, units: int) -> tuple[Layer, ...]:
    return Layer(form, units, "tanh"), Layer("ff", 50, "out")


IMAGE, SERIES, TEXT = (784,), (100, 10), (100, 60)
MLP, SMALL = _classifier(500, act="tanh"), _classifier(100, act="relu")
CODE = Layer("ff", 256, "relu"), Layer("ff", 64, "relu")
UNTIED = *CODE, Layer("ff", 256, "relu"), Layer("ff", 784, "out")
TIED = *CODE, Layer("tied", 256, "relu"), Layer("tied", 784, "out")
CONVOLUTIONS = Layer("conv", 20, "relu"), Layer("pool", 2), Layer("conv", 50, "relu"), Layer("pool", 2), Layer("flat")
LENET = CONVOLUTIONS + MLP
CHARACTERS = Layer("gru", 100, "tanh"), Layer("ff", 1000, "relu"), Layer("ff", 60, "out")

WORKS = {
    "logistic-600": Work("Classifier", IMAGE, _classifier(), 600, "sgd", 80),
    "mlp-20": Work("Classifier", IMAGE, MLP, 20, "sgd", 400),
    "classifier-64": Work("Classifier", IMAGE, SMALL, 64, "rmsprop", 600),
    "autoencoder": Work("Autoencoder", IMAGE, UNTIED, 64, "rmsprop", 120),
    "autoencoder-tied": Work("Autoencoder", IMAGE, TIED, 64, "rmsprop", 120),
    "mlp-1": Work("Classifier", IMAGE, MLP, 1, "sgd", 1000),
    "classifier-1": Work("Classifier", IMAGE, SMALL, 1, "rmsprop", 1000),
    "rnn-20": Work("Classifier", SERIES, _cell("rnn", 20), 64, "rmsprop", 40),
    "lstm-128": Work("Classifier", SERIES, _cell("lstm", 128), 64, "rmsprop", 6),
    "gru-128": Work("Classifier", SERIES, _cell("gru", 128), 64, "rmsprop", 6),
    "lstm-320": Work("Classifier", SERIES, _cell("lstm", 320), 64, "rmsprop", 6),
    "lenet-64": Work("Classifier", (28, 28, 1), LENET, 64, "sgd", 16),
    "lenet-500": Work("Classifier", (28, 28, 1), LENET, 500, "sgd", 6),
    "characters": Work("Classifier", TEXT, CHARACTERS, 64, "rmsprop", 6),
}


def data(work: Work, seed: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Draw the data of an epoch: float32 inputs, and labels as int32, one for each example or each of its steps.

    Images have a fifth of their pixels lit, a series is of normal numbers, a text of one-hot characters.
    """
    random, rows = np.random.RandomState(seed), work.batch * work.steps
    classes = work.layers[-1].size
    labels = random.randint(0, classes, (rows, work.inputs[0]) if recurrent(work) else rows).astype("int32")
    if work.inputs == TEXT:
        return np.eye(TEXT[1], dtype="float32")[random.randint(0, TEXT[1], (rows, TEXT[0]))], labels
    if recurrent(work):
        return random.normal(size=(rows, *work.inputs)).astype("float32"), labels
    x = np.empty((rows, *work.inputs), "float32")
    for i in range(0, rows, work.batch):  # all at once would take memory that (i) would count
        drawn = random.randint(0, 1280, (work.batch, *work.inputs))
        x[i : i + work.batch] = drawn * (drawn < 256) / 256.0
    return x, labels


def recurrent(work: Work) -> bool:
    """Tell whether the examples are sequences."""
    return len(work.inputs) == 2


def shapes(work: Work) -> list[dict[str, tuple[int, ...]]]:
    """Name the parameters of each layer and their shapes. Filters are (out, in, rows, columns)."""
    found: list[dict[str, tuple[int, ...]]] = []
    size, side = work.inputs[-1], work.inputs[0]
    for form, n, _ in work.layers:
        of: dict[str, tuple[int, ...]] = {}
        if form == "ff":
            of = {"w": (size, n), "b": (n,)}
        elif form == "tied":
            of = {"b": (n,)}
        elif form == "conv":
            of, side = {"w": (n, size, WINDOW, WINDOW), "b": (n,)}, side - WINDOW + 1
        elif form in GATES:
            wide = GATES[form] * n
            of = {"xh": (size, wide), "hh": (n, wide), "b": (wide,)}
            if form == "lstm":
                of.update({name: (n,) for name in ("ci", "cf", "co")})
        found.append(of)
        if form == "pool":
            side //= n
        else:
            size = side * side * size if form == "flat" else n
    return found


def start(work: Work, seed: int = 3) -> list[dict[str, np.ndarray]]:
    """Draw the first parameters of each layer, float32: normal matrices of deviation 1 / sqrt(in + out), and zeros."""
    random = np.random.RandomState(seed)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) == 1:
            return np.zeros(shape, "float32")
        return random.normal(0, 1 / sqrt((shape[0] + shape[1]) * float(np.prod(shape[2:]))), shape).astype("float32")

    return [{name: draw(shape) for name, shape in of.items()} for of in shapes(work)]


def partner(work: Work, place: int) -> int:
    """Return the place of the layer whose weights a tied layer at ``place`` has."""
    return len(work.layers) - 1 - place
