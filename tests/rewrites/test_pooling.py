"""Pooling comes before an increasing function and a bias: fewer elements, the same numbers."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import Mode
from croton.graph.walk import toposort
from croton.tensor.pool import Pool, pool_2d
from croton.tensor.shape import DimShuffle

RNG = np.random.RandomState(2)
# Few values, so that windows have equal largest elements, some of them 0.
IMAGES = RNG.randint(-3, 3, (2, 3, 4, 6)) / 2
BIAS = np.array([0.5, 0, -1])
WHERE = {"x": T.dtensor4("x"), "b": T.dvector("b")}


def pooled(x, **keywords):
    return pool_2d(x, (2, 2), ignore_border=True, **keywords)


def channels_last(f):
    return lambda x, b: pooled(f(x.dimshuffle(0, 2, 3, 1), b).dimshuffle(0, 3, 1, 2))


def with_bias(x, b):
    return x + b.dimshuffle(0, "x", "x")


MOVED = {
    "tanh": lambda x, b: pooled(T.tanh(x)),
    "sigmoid": lambda x, b: pooled(T.nnet.sigmoid(x)),
    "softplus": lambda x, b: pooled(T.nnet.softplus(x)),
    "relu": lambda x, b: pooled(T.nnet.relu(x)),
    "leaky relu": lambda x, b: pooled(T.nnet.relu(x, 0.1)),
    "bias": lambda x, b: pooled(with_bias(x, b)),
    "relu of bias": lambda x, b: pooled(T.nnet.relu(with_bias(x, b))),
    "two biases, overlapping": lambda x, b: pooled(T.tanh(with_bias(x, b) + 0.25), stride=(1, 1)),
    "channels last": channels_last(lambda x, b: T.nnet.relu(x + b)),
    "a border": lambda x, b: pool_2d(T.tanh(with_bias(x, b)), (3, 4), ignore_border=False),
}
LEFT = {
    "a function that falls": lambda x, b: pooled(T.sqr(x)),
    "a slope below 0": lambda x, b: pooled(T.nnet.relu(x, -0.1)),
    "means": lambda x, b: pooled(T.tanh(x), mode="average_exc_pad"),
    "padding": lambda x, b: pooled(T.tanh(x), pad=(1, 1)),
    "a term for each place": lambda x, b: pooled(x + T.sqr(x)),
    "another switch": lambda x, b: pooled(T.switch(T.le(x, 1), 0, x)),
}


def results(expression, **keywords):
    out = expression(**WHERE)
    slopes = croton.grad(
        (out * T.arange(out.size).reshape(out.shape)).sum(), [*WHERE.values()], disconnected_inputs="ignore"
    )
    f = croton.function([*WHERE.values()], [out, *slopes], on_unused_input="ignore", **keywords)
    return f, f(IMAGES, BIAS)


def pools(expression):
    """The inputs of the poolings in the compiled graph, behind changes of axes."""
    f = croton.function([*WHERE.values()], expression(**WHERE), on_unused_input="ignore")
    found = []
    for node in toposort(f._program.outputs):
        if isinstance(node.op, Pool):
            x = node.inputs[0]
            while x.owner is not None and isinstance(x.owner.op, DimShuffle):
                x = x.owner.inputs[0]
            found.append(x)
    return found


@pytest.mark.parametrize("name", MOVED)
def test_what_is_pooled_is_what_the_function_was_of(name):
    (x,) = pools(MOVED[name])
    assert x.owner is None


@pytest.mark.parametrize("name", LEFT)
def test_other_functions_are_pooled_as_they_are(name):
    (x,) = pools(LEFT[name])
    assert x.owner is not None


@pytest.mark.parametrize("name", [*MOVED, *LEFT])
def test_values_and_gradients_are_those_of_the_graph_as_written(name):
    expression = {**MOVED, **LEFT}[name]
    as_written = Mode(optimizer=None)
    for a, b in zip(results(expression)[1], results(expression, mode=as_written)[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
