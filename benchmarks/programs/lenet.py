"""The training step of the tutorial's convolutional network, with symbolic expressions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import croton
import croton.tensor as T
from benchmarks import data
from benchmarks.programs.lenet_start import RATE, start
from croton.tensor.pool import pool_2d


def train(folder: str, batch: int, steps: int, over: bool = False) -> Callable[[], Any]:
    """Return a function that trains the network for ``steps`` minibatches of ``batch`` images, giving their costs.

    With ``over`` the steps are one ``train.over(range(steps))``, else ``steps`` calls of ``train``.
    """
    images, labels = data.load(folder)
    images, labels = croton.shared(images, borrow=True), croton.shared(labels, borrow=True)
    p = {name: croton.shared(value, name=name) for name, value in start().items()}
    index, x, y = T.lscalar("index"), T.matrix("x"), T.ivector("y")

    maps = x.reshape((batch, 1, 28, 28))
    for number in "12":
        maps = pool_2d(T.nnet.conv2d(maps, p["W" + number], filter_flip=False), (2, 2), ignore_border=True)
        maps = T.tanh(maps + p["b" + number].dimshuffle("x", 0, "x", "x"))
    hidden = T.tanh(T.dot(maps.flatten(2), p["W3"]) + p["b3"])
    p_y_given_x = T.nnet.softmax(T.dot(hidden, p["W4"]) + p["b4"])
    cost = -T.mean(T.log(p_y_given_x)[T.arange(y.shape[0]), y])

    slopes = T.grad(cost, list(p.values()))
    rows = slice(index * batch, (index + 1) * batch)
    step = croton.function(
        [index],
        cost,
        updates=[(w, w - RATE * slope) for w, slope in zip(p.values(), slopes, strict=True)],
        givens={x: images[rows], y: labels[rows]},
    )
    if over:
        return partial(step.over, range(steps))
    return lambda: [step(i) for i in range(steps)]


def describe(library: str) -> str:
    """Name croton's version."""
    return f"{library} {croton.__version__}"
