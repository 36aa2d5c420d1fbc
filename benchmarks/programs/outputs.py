"""The cost of many outputs: croton's hierarchical softmax and its full softmax, forward and in a training step."""

from collections.abc import Callable
from functools import partial
from math import ceil, sqrt
from typing import Any

import numpy as np

import croton
import croton.tensor as T

BATCH, WIDTH = 32, 64
RATE = 0.1


def forward(form: str, outputs: int) -> Callable[[], np.ndarray]:
    """Return a function that computes the target's probability, ``(BATCH,)``, for one batch."""
    x, target, probability, _ = _model(form, outputs)
    return partial(croton.function([x, target], probability), *_batch(outputs))


def step(form: str, outputs: int) -> Callable[[], np.ndarray]:
    """Return a function that makes one step of gradient descent on all parameters and gives its cost."""
    x, target, probability, parameters = _model(form, outputs)
    cost = -T.mean(T.log(probability))
    updates = [(p, p - RATE * slope) for p, slope in zip(parameters, croton.grad(cost, parameters), strict=True)]
    return partial(croton.function([x, target], cost, updates=updates), *_batch(outputs))


def describe() -> str:
    """Name croton's version and the sizes that stay the same."""
    return f"croton {croton.__version__}, batch {BATCH}, width {WIDTH}"


def _model(form: str, outputs: int) -> tuple[Any, Any, Any, list[Any]]:
    x, target = T.matrix("x"), T.ivector("target")
    if form == "full":
        parameters = _parameters((WIDTH, outputs), (outputs,))
        weights, bias = parameters
        probability = T.nnet.softmax(T.dot(x, weights) + bias)[T.arange(target.shape[0]), target]
        return x, target, probability, parameters
    classes = ceil(sqrt(outputs))
    each = ceil(outputs / classes)
    parameters = _parameters((WIDTH, classes), (classes,), (classes, WIDTH, each), (classes, each))
    probability = T.nnet.h_softmax(x, BATCH, outputs, classes, each, *parameters, target)
    return x, target, probability, parameters


def _parameters(*shapes: tuple[int, ...]) -> list[Any]:
    random = np.random.default_rng(7)
    return [croton.shared(0.05 * random.standard_normal(shape, dtype="float32"), borrow=True) for shape in shapes]


def _batch(outputs: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(8)
    x = random.standard_normal((BATCH, WIDTH), dtype="float32")
    return x, random.integers(0, outputs, BATCH, dtype="int32")
