"""The programs written as symbolic expressions: one text for croton, Theano and PyTensor.

Runs on every Python from 3.7, the newest that Theano knows.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import data

TINY = 10


def train(library: str, folder: str, steps: int = data.STEPS, over: bool = False) -> Callable[[], Any]:
    """Return a function that trains the tutorial's logistic regression for ``steps`` minibatches, giving their costs.

    With ``over`` the steps are one ``train.over(range(steps))``, else ``steps`` calls of ``train``.
    """
    lib, T = importlib.import_module(library), importlib.import_module(library + ".tensor")
    images, labels = data.load(folder)
    images, labels = lib.shared(images, borrow=True), lib.shared(labels, borrow=True)
    weights = lib.shared(np.zeros((data.PIXELS, data.CLASSES), "float32"), name="W", borrow=True)
    bias = lib.shared(np.zeros(data.CLASSES, "float32"), name="b", borrow=True)
    index, x, y = T.lscalar(), T.matrix("x"), T.ivector("y")

    p_y_given_x = _softmax(library, T)(T.dot(x, weights) + bias)
    cost = -T.mean(T.log(p_y_given_x)[T.arange(y.shape[0]), y])
    slope_w, slope_b = T.grad(cost=cost, wrt=[weights, bias])
    rows = slice(index * data.BATCH, (index + 1) * data.BATCH)
    step = lib.function(
        inputs=[index],
        outputs=cost,
        updates=[(weights, weights - data.RATE * slope_w), (bias, bias - data.RATE * slope_b)],
        givens={x: images[rows], y: labels[rows]},
    )
    if over:
        return partial(step.over, range(steps))
    return lambda: [step(i) for i in range(steps)]


def tiny(library: str, calls: int) -> Callable[[], Any]:
    """Return a function that makes ``calls`` calls of ``2 x + state`` with the update ``state + 1``."""
    lib, T = importlib.import_module(library), importlib.import_module(library + ".tensor")
    state, x = lib.shared(np.zeros(TINY, "float32"), name="state"), T.vector("x")
    call = lib.function([x], x * 2 + state, updates=[(state, state + 1)])
    argument = np.arange(TINY, dtype="float32")

    def run() -> Any:
        for _ in range(calls):
            result = call(argument)
        return result

    assert run().flags.writeable
    return run


def describe(library: str) -> str:
    """Name the library's version and, where it has a choice, what compiles its functions."""
    lib = importlib.import_module(library)
    if library == "croton":
        return "croton " + lib.__version__
    linker = type(lib.compile.mode.get_default_mode().linker).__name__
    blas = lib.config.blas.ldflags if library == "theano" else lib.config.blas__ldflags
    return f"{library} {lib.__version__}, {linker}, blas '{blas}'"


def _softmax(library: str, T: Any) -> Callable[[Any], Any]:
    if library == "pytensor":
        return partial(importlib.import_module("pytensor.tensor.special").softmax, axis=-1)
    return T.nnet.softmax
