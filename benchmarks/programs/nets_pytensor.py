"""The feed-forward networks of (h) written by hand for PyTensor: one function with updates, called on minibatches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.tensor.special import log_softmax

from benchmarks.networks import DECAY, MOMENTUM, RATE, WORKS, Work, data, partner, start

ACTIVATIONS = {"relu": lambda x: pt.maximum(x, 0), "tanh": pt.tanh, "out": lambda x: x}


def train(name: str, check: bool = False) -> Callable[[], float]:
    """Return a function that trains for an epoch; it tells the epoch's loss, with ``check`` the first minibatch's."""
    work = WORKS[name]
    images, labels = data(work)
    p = [{key: pytensor.shared(value, key) for key, value in of.items()} for of in start(work)]
    x, y = pt.matrix("x", dtype="float32"), pt.vector("y", dtype="int32")
    out = forward(work, p, x)
    if work.model == "Autoencoder":
        loss, inputs, arrays = pt.mean((out - x) ** 2), [x], [images]
    else:
        loss = -pt.mean(log_softmax(out, axis=-1)[pt.arange(y.shape[0]), y])
        inputs, arrays = [x, y], [images, labels]
    parameters = [value for of in p for value in of.values()]
    step = pytensor.function(inputs, loss, updates=updates(work.algo, parameters, pytensor.grad(loss, parameters)))
    told = float(pytensor.function(inputs, loss)(*[a[: work.batch] for a in arrays])) if check else None
    random = np.random.default_rng(1)

    def run() -> float:
        order, total = random.permutation(len(images)), 0.0
        for i in range(0, len(images), work.batch):
            rows = order[i : i + work.batch]
            total += step(*[a[rows] for a in arrays])
        return float(total) / work.steps if told is None else told

    return run


def forward(work: Work, p: Any, x: Any) -> Any:
    """Write what the last layer gives, before a softmax."""
    for place, ((form, _, act), of) in enumerate(zip(work.layers, p, strict=True)):
        weights = p[partner(work, place)]["w"].T if form == "tied" else of["w"]
        x = ACTIVATIONS[act](pt.dot(x, weights) + of["b"])
    return x


def updates(algo: str, parameters: list[Any], slopes: list[Any]) -> list[tuple[Any, Any]]:
    """Write plain gradient descent, or RMSProp with momentum."""
    rate, keep, momentum, tiny = (np.float32(a) for a in (RATE[algo], DECAY, MOMENTUM, 1e-8))
    if algo == "sgd":
        return [(p, p - rate * g) for p, g in zip(parameters, slopes, strict=True)]
    made = []
    for p, g in zip(parameters, slopes, strict=True):
        square, velocity = (pytensor.shared(np.zeros_like(p.get_value())) for _ in range(2))
        square_after = keep * square + (1 - keep) * g**2
        step = momentum * velocity + rate * g / pt.sqrt(square_after + tiny)
        made += [(square, square_after), (velocity, step), (p, p - step)]
    return made


def describe() -> str:
    """Name the version of PyTensor."""
    return f"pytensor {pytensor.__version__}"
