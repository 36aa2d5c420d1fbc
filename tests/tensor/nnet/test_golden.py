"""The functions of nnet against the numbers recorded from the original, and against the true values.

Every entry is held to its truth, computed in long double by formulas that do not overflow; and to the recorded number
wherever that is itself true. The places where it is not are few, and ``EXCEPTIONS`` says which they may be.
"""

from pathlib import Path

import numpy as np
import pytest

import croton
import croton.tensor as T

GOLDEN = Path(__file__).parents[2] / "golden"
RECORDED = {name: dict(np.load(GOLDEN / f"nnet_{name}.npz")) for name in ("float64", "float32")}
TOLERANCE = {"float64": 1e-9, "float32": 2e-5}


# --- the truth, in long double ---


def sigmoid(x):
    e = np.exp(-abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def slope(x):
    """The derivative of the sigmoid."""
    return sigmoid(x) * sigmoid(-x)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def logsoftmax(x):
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def softmax(x):
    return np.exp(logsoftmax(x))


def onehot(x, labels):
    return (labels[:, None] == np.arange(x.shape[1])).astype(x.dtype)


def weighted(x):
    w, s = np.arange(x.shape[1]), softmax(x)
    return s * w, s * (w - (s * w).sum(axis=1, keepdims=True))


def weighted_logs(x):
    w = np.arange(x.shape[1])
    return logsoftmax(x) * w, w - softmax(x) * w.sum()


def labelled(x, labels):
    """-log softmax at the labels, and the gradient of its sum."""
    return -(logsoftmax(x) * onehot(x, labels)).sum(axis=1), softmax(x) - onehot(x, labels)


def leaky(x, alpha):
    return np.where(x > 0, x, alpha * x), np.where(x > 0, 1, alpha)


def elu(x, alpha, scale=1):
    low = np.minimum(x, 0)
    return scale * np.where(x > 0, x, alpha * np.expm1(low)), scale * np.where(x > 0, 1, alpha * np.exp(low))


def crossentropy(o, t):
    return -(t * np.log(o) + (1 - t) * np.log1p(-o)), (o - t) / (o * (1 - o))


def hard(x):
    s = np.clip(x / 5 + 0.5, 0, 1)
    return s, s * (1 - s)


SCALE, ALPHA = np.longdouble("1.0507009873554804934193349852946"), np.longdouble("1.6732632423543772848170429916717")
TENTH = np.longdouble("0.1")
of_sigmoid = lambda o, t: (softplus(o) - o * t, sigmoid(o) - t)  # noqa: E731
nnet = T.nnet

# name: (the expression, its value and the gradient of its sum with respect to its first argument)
ENTRIES = {
    "sigmoid": (nnet.sigmoid, lambda x: (sigmoid(x), slope(x))),
    "hard_sigmoid": (nnet.hard_sigmoid, hard),
    "softplus": (nnet.softplus, lambda x: (softplus(x), sigmoid(x))),
    "relu": (nnet.relu, lambda x: leaky(x, 0)),
    "relu_leaky": (lambda x: nnet.relu(x, 0.1), lambda x: leaky(x, TENTH)),
    "relu_one": (lambda x: nnet.relu(x, 1), lambda x: (x, np.ones_like(x))),
    "elu": (nnet.elu, lambda x: elu(x, 1)),
    "elu_half": (lambda x: nnet.elu(x, 0.5), lambda x: elu(x, 0.5)),
    "selu": (nnet.selu, lambda x: elu(x, ALPHA, SCALE)),
    "log_sigmoid": (lambda x: T.log(nnet.sigmoid(x)), lambda x: (-softplus(-x), sigmoid(-x))),
    "log_one_minus_sigmoid": (lambda x: T.log(1 - nnet.sigmoid(x)), lambda x: (-softplus(x), -sigmoid(x))),
    "log1p_exp": (lambda x: T.log1p(T.exp(x)), lambda x: (softplus(x), sigmoid(x))),
    "log_one_plus_exp": (lambda x: T.log(1 + T.exp(x)), lambda x: (softplus(x), sigmoid(x))),
    "softsign": (nnet.softsign, lambda x: (x / (1 + abs(x)), (1 + abs(x)) ** -2)),
    "softmax_weighted": (lambda x: nnet.softmax(x) * T.arange(5, dtype=x.dtype), weighted),
    "logsoftmax": (lambda x: nnet.logsoftmax(x) * T.arange(5, dtype=x.dtype), weighted_logs),
    "log_of_softmax": (lambda x: T.log(nnet.softmax(x)) * T.arange(5, dtype=x.dtype), weighted_logs),
    "cce_softmax_labels": (lambda x, y: nnet.categorical_crossentropy(nnet.softmax(x), y), labelled),
    "cce_softmax_dense": (
        lambda x, p: nnet.categorical_crossentropy(nnet.softmax(x), p),
        lambda x, p: (-(p * logsoftmax(x)).sum(axis=1), softmax(x) * p.sum(axis=1, keepdims=True) - p),
    ),
    "nll_indexing": (
        lambda x, y: -T.mean(T.log(nnet.softmax(x))[T.arange(y.shape[0]), y]),
        lambda x, y: tuple(part.sum(axis=None if k == 0 else ()) / len(x) for k, part in enumerate(labelled(x, y))),
    ),
    "binary_crossentropy": (nnet.binary_crossentropy, crossentropy),
    "sigmoid_binary_crossentropy": (nnet.sigmoid_binary_crossentropy, of_sigmoid),
    "bce_of_sigmoid": (lambda o, t: nnet.binary_crossentropy(nnet.sigmoid(o), t), of_sigmoid),
    "cce_dense": (nnet.categorical_crossentropy, lambda q, p: (-(p * np.log(q)).sum(axis=1), -p / q)),
}

# Where a recorded number may be untrue, from the first argument: beyond the original's cut-offs, where 1 - s had lost
# its digits, and where croton departs from the original.
BEYOND = lambda x: x >= 10  # noqa: E731
EXCEPTIONS = {
    **dict.fromkeys(
        ("sigmoid", "softplus", "log_sigmoid", "log_one_minus_sigmoid", "log1p_exp", "log_one_plus_exp"), BEYOND
    ),
    "sigmoid_binary_crossentropy": BEYOND,
    "relu": lambda x: x == 0,
    "relu_leaky": lambda x: x == 0,
    "hard_sigmoid": lambda x: abs(x) <= 2.5,
}


def arguments(name, dtype):
    """The recorded arguments of an entry: NumPy arrays."""
    recorded = RECORDED[dtype]
    if f"{name}/x" in recorded:
        return [recorded[f"{name}/x"]]
    return [recorded[key] for key in (f"{name}/in0", f"{name}/in1") if key in recorded]


def long(x):
    return x.astype(np.longdouble) if x.dtype.kind == "f" else x


def computed(expression, values):
    variables = [T.TensorType(str(v.dtype), (False,) * v.ndim)(f"in{k}") for k, v in enumerate(values)]
    y = expression(*variables)
    return croton.function(variables, [y, croton.grad(y.sum(), variables[0])])(*values)


def near(found, expected, dtype, curve):
    """Which elements agree.

    A curve is held to its relative error alone, down to the smallest normal number; where rows are summed up, an error
    of the size of the rounding of 1 is allowed besides.
    """
    smallest = np.finfo(dtype).tiny if curve else 8 * np.finfo(dtype).eps
    return np.isclose(found.astype(np.longdouble), expected, TOLERANCE[dtype], smallest)


def test_every_entry_is_tested():
    for recorded in RECORDED.values():
        assert {key.split("/")[0] for key in recorded} == {*ENTRIES, "h_softmax_10_4_3", "h_softmax_12_3_4"}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ENTRIES)
def test_values_and_gradients(name, dtype):
    expression, truth = ENTRIES[name]
    values = arguments(name, dtype)
    found = computed(expression, values)
    expected = truth(*map(long, values))
    curve = values[0].ndim == 1
    for what, y, true in zip(("y", "dx"), found, expected, strict=True):
        assert str(y.dtype) == dtype and y.shape == true.shape
        wrong = ~near(y, true, dtype, curve)
        assert not wrong.any(), (what, y[wrong], true[wrong])
        untrue = ~near(RECORDED[dtype][f"{name}/{what}"], true, dtype, curve)
        if untrue.any():
            assert not (untrue & ~EXCEPTIONS[name](values[0])).any(), what


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("outputs", "classes", "per_class"), [(10, 4, 3), (12, 3, 4)])
def test_two_level_softmax(outputs, classes, per_class, dtype):
    name = f"h_softmax_{outputs}_{classes}_{per_class}"
    recorded = {key.split("/")[1]: v for key, v in RECORDED[dtype].items() if key.startswith(name)}
    x, target, *weights = variables = [
        T.TensorType(str(recorded[k].dtype), (False,) * recorded[k].ndim)(k)
        for k in ("x", "target", "W1", "b1", "W2", "b2")
    ]
    sizes = (len(recorded["x"]), outputs, classes, per_class)
    every = nnet.h_softmax(x, *sizes, *weights)
    own = nnet.h_softmax(x, *sizes, *weights, target)
    wrt = [x, *weights]
    f = croton.function(variables, [every, own, *croton.grad(-T.log(own).sum(), wrt)])
    found = f(*[recorded[v.name] for v in variables])
    keys = ["all", "only_target", *[f"d_{v.name}" for v in wrt]]
    for key, y in zip(keys, found, strict=True):
        expected = recorded[key][:, None] if key == "only_target" else recorded[key]
        assert str(y.dtype) == dtype and y.shape == expected.shape
        assert near(y, expected, dtype, False).all(), key
