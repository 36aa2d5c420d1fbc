"""x = ±1e4 through logarithms, cross-entropies and their gradients, as programs write them, in both precisions."""

import numpy as np
import pytest

import croton
import croton.tensor as T

TOLERANCE = {"float32": 2e-6, "float64": 1e-13}
V = np.array([[-1e4, -100.0, -1.0, 0.0], [1.0, 30.0, 100.0, 1e4]])
TARGETS = (0.0, 0.25, 1.0)
ROWS = np.array([[1e4, 0.0, -1e4], [-1e4, 1e4, 1e4], [0.5, -0.25, 1.0], [-1e4, -1e4, -1e4]])
LABELS = np.array([2, 0, 1, 1])
DENSE = np.array([[0.0, 0.0, 1.0], [0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]])

nnet = T.nnet


def sigmoid(x):
    e = np.exp(-abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def logsoftmax(x):
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def check(found, true, dtype):
    """Equal up to rounding of what is summed up, of size 1 or more."""
    assert str(found.dtype) == dtype
    np.testing.assert_allclose(found, true, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def value_and_gradient(expression, inputs, values, dtype):
    """The expression and the gradient of its sum, with respect to the first input, at values of a dtype."""
    variables = [T.TensorType(dtype if v.dtype.kind == "f" else str(v.dtype), (False,) * v.ndim)(n) for n, v in inputs]
    y = expression(*variables)
    f = croton.function(variables, [y, croton.grad(y.sum(), variables[0])])
    return f(*[v.astype(dtype) if v.dtype.kind == "f" else v for v in values])


# Of v and targets t, in all ways that programs write it: -(t log sigmoid(v) + (1 - t) log(1 - sigmoid(v))).
BINARY = {
    "binary_crossentropy": lambda v, t: nnet.binary_crossentropy(nnet.sigmoid(v), t),
    "sigmoid_binary_crossentropy": nnet.sigmoid_binary_crossentropy,
    "by_hand": lambda v, t: (lambda o: -(t * T.log(o) + (1 - t) * T.log(1 - o)))(nnet.sigmoid(v)),
    "by_hand_with_minus": lambda v, t: (lambda o: -t * T.log(o) - (1.0 - t) * T.log(1.0 - o))(nnet.sigmoid(v)),
    "log1p": lambda v, t: (lambda o: -(t * T.log(o) + (1 - t) * T.log1p(-o)))(nnet.sigmoid(v)),
    "sigmoid_written_out": lambda v, t: nnet.binary_crossentropy(1 / (1 + T.exp(-v)), t),
    "dimshuffled": lambda v, t: (lambda o: -(t.T * T.log(o) + (1 - t.T) * T.log(1 - o)).T)(nnet.sigmoid(v).T),
    "softplus": lambda v, t: t * nnet.softplus(-v) + (1 - t) * nnet.softplus(v),
    "log_1_plus_exp": lambda v, t: t * T.log(1 + T.exp(-v)) + (1 - t) * T.log(1 + T.exp(v)),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", BINARY)
def test_binary_crossentropies(name, dtype):
    v = np.concatenate([V] * len(TARGETS))
    t = np.repeat(TARGETS, len(V))[:, None] * np.ones_like(v)
    y, dv = value_and_gradient(BINARY[name], [("v", v), ("t", t)], [v, t], dtype)
    check(y, softplus(v) - v * t, dtype)
    check(dv, sigmoid(v) - t, dtype)


def by_labels(log_p, y):
    return -log_p[T.arange(y.shape[0]), y]


def written_out(x):
    return T.exp(x) / T.exp(x).sum(axis=1, keepdims=True)


# Of rows x and labels y: -log softmax(x)[i, y_i].
LABELLED = {
    "crossentropy": lambda x, y: nnet.categorical_crossentropy(nnet.softmax(x), y),
    "crossentropy_1hot": lambda x, y: nnet.crossentropy_categorical_1hot(nnet.softmax(x), y),
    "crossentropy_softmax_1hot": lambda x, y: nnet.crossentropy_softmax_1hot(x, y)[0],
    "log_then_index": lambda x, y: by_labels(T.log(nnet.softmax(x)), y),
    "index_then_log": lambda x, y: -T.log(nnet.softmax(x)[T.arange(y.shape[0]), y]),
    "logsoftmax": lambda x, y: by_labels(nnet.logsoftmax(x), y),
    "written_out": lambda x, y: by_labels(T.log(written_out(x)), y),
    "dimshuffle": lambda x, y: by_labels(T.log(T.exp(x) / T.exp(x).sum(axis=1).dimshuffle(0, "x")), y),
    "one_hot": lambda x, y: nnet.categorical_crossentropy(nnet.softmax(x), T.to_one_hot(y, 3, x.dtype)),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", LABELLED)
def test_categorical_crossentropies_of_labels(name, dtype):
    y, dx = value_and_gradient(LABELLED[name], [("x", ROWS), ("y", LABELS)], [ROWS, LABELS], dtype)
    logs = logsoftmax(ROWS)
    check(y, -logs[np.arange(4), LABELS], dtype)
    check(dx, np.exp(logs) - np.eye(3)[LABELS], dtype)


# Of rows x and distributions p, with zeros among them: -sum_k p_k log softmax(x)_k.
SPREAD = {
    "crossentropy": lambda x, p: nnet.categorical_crossentropy(nnet.softmax(x), p),
    "by_hand": lambda x, p: -T.sum(p * T.log(nnet.softmax(x)), axis=1),
    "logsoftmax": lambda x, p: -(p * nnet.logsoftmax(x)).sum(axis=1),
    "written_out": lambda x, p: nnet.categorical_crossentropy(written_out(x), p),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", SPREAD)
def test_categorical_crossentropies_of_distributions(name, dtype):
    y, dx = value_and_gradient(SPREAD[name], [("x", ROWS), ("p", DENSE)], [ROWS, DENSE], dtype)
    logs = logsoftmax(ROWS)
    check(y, -(DENSE * logs).sum(axis=1), dtype)
    check(dx, np.exp(logs) - DENSE, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_two_level_softmax(dtype):
    """The likelihood of a target, though the probability itself be 0."""
    x, target = T.matrix("x", dtype), T.lvector("target")
    W1, W2 = np.array([[1.0, -1.0]], dtype), np.array([[[1.0, -1.0]], [[1.0, -1.0]]], dtype)
    p = nnet.h_softmax(x, 1, 4, 2, 2, W1, np.zeros(2, dtype), W2, np.zeros((2, 2), dtype), target)
    cost = -T.log(p).sum()
    found = croton.function([x, target], [cost, croton.grad(cost, x)])(np.array([[1e4]], dtype), [3])
    check(found[0], 4e4, dtype)
    check(found[1], [[4.0]], dtype)


def test_patterns_are_found_through_givens():
    """The minibatch idiom: what stands in the expression is replaced by a slice of shared data."""
    x, y, i = T.dmatrix("x"), T.lvector("y"), T.lscalar("i")
    data, labels = croton.shared(ROWS), croton.shared(LABELS)
    cost = -T.mean(T.log(nnet.softmax(x))[T.arange(y.shape[0]), y])
    part = {x: data[2 * i : 2 * i + 2], y: labels[2 * i : 2 * i + 2]}
    f = croton.function([i], [cost, croton.grad(cost, x)], givens=part)
    for k in range(2):
        logs, wanted = logsoftmax(ROWS[2 * k : 2 * k + 2]), LABELS[2 * k : 2 * k + 2]
        value, gradient = f(k)
        check(value, -logs[[0, 1], wanted].mean(), "float64")
        check(gradient, (np.exp(logs) - np.eye(3)[wanted]) / 2, "float64")
    # And where the pattern itself comes about by the replacement.
    v, o = T.dmatrix("v"), T.dmatrix("o")
    g = croton.function([v], T.log(o), givens={o: nnet.sigmoid(v)})
    check(g(V), -softplus(-V), "float64")


# --- the gradient with respect to a variable inside a pattern ---


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("form", ["log_then_index", "index_then_log", "crossentropy"])
def test_gradient_with_respect_to_the_probabilities(form, dtype):
    """d/dp of -log(p)[i, y_i] is -1/p there and 0 elsewhere, whatever p is; d/dx beside it is as true as alone."""
    x, y = T.matrix("x", dtype), T.lvector("y")
    p = nnet.softmax(x)
    cost = {
        "log_then_index": by_labels(T.log(p), y).mean(),
        "index_then_log": -T.log(p[T.arange(y.shape[0]), y]).mean(),
        "crossentropy": nnet.categorical_crossentropy(p, y).mean(),
    }[form]
    both = croton.grad(cost, [x, p])
    alone = croton.grad(cost, p)
    value, dx, dp, dp_alone = croton.function([x, y], [cost, *both, alone])(ROWS.astype(dtype), LABELS)
    logs = logsoftmax(ROWS)
    chosen = np.eye(3)[LABELS]
    check(value, -logs[np.arange(4), LABELS].mean(), dtype)
    check(dx, (np.exp(logs) - chosen) / 4, dtype)
    with np.errstate(divide="ignore"):
        true = np.where(chosen > 0, -1 / np.exp(logs) / 4, 0)
    check(dp, true, dtype)
    check(dp_alone, true, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_gradients_along_a_chain_taken_together(dtype):
    """log(sigmoid(2 v)) with respect to v, 2 v and the sigmoid, in one call and in one forward mode call."""
    v = T.vector("v", dtype)
    h = 2 * v
    s = nnet.sigmoid(h)
    log_s = T.log(s)
    gradients = croton.grad(log_s.sum(), [v, h, s])
    ones = T.ones_like(v)
    pushed = croton.gradient.Rop(log_s, [v, h], [ones, ones])
    values = np.array([-5e3, -0.5, 0.0, 2.0, 5e3], dtype)
    *found, tangent = croton.function([v], [*gradients, pushed])(values)
    true = sigmoid(-2.0 * values.astype("float64"))
    check(found[0], 2 * true, dtype)
    check(found[1], true, dtype)
    with np.errstate(divide="ignore"):
        check(found[2], 1 / sigmoid(2 * values), dtype)
    check(tangent, 3 * true, dtype)


def test_second_derivatives():
    """The hessian of a binary cross-entropy is s(1 - s), also where s is 1 to the last digit."""
    v = T.dvector("v")
    cost = nnet.binary_crossentropy(nnet.sigmoid(v), 0.25).sum()
    hessian = croton.function([v], croton.gradient.hessian(cost, v))
    values = np.array([-1e4, -40.0, 0.0, 40.0, 1e4])
    np.testing.assert_allclose(hessian(values), np.diag(sigmoid(values) * sigmoid(-values)), rtol=1e-13)


# --- 0 log(0) ---


def test_zero_times_the_logarithm_of_zero():
    """In the cross-entropies it is 0, and so are its derivatives, backward and forward."""
    o, t, p, q = T.dvector("o"), T.dvector("t"), T.dmatrix("p"), T.dmatrix("q")
    binary = nnet.binary_crossentropy(o, t)
    dense = nnet.categorical_crossentropy(q, p)
    wanted = [
        binary,
        croton.grad(binary.sum(), o),
        croton.gradient.Rop(binary, o, T.ones_like(o)),
        dense,
        croton.grad(dense.sum(), q),
        croton.gradient.Rop(dense, q, T.ones_like(q)),
    ]
    rows, targets = [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    b, db, rb, d, dd, rd = croton.function([o, t, p, q], wanted)(
        [0.0, 1.0, 0.0, 0.5], [0.0, 1.0, 1.0, 0.0], targets, rows
    )
    np.testing.assert_array_equal(b[[0, 1, 2]], [0, 0, np.inf])
    np.testing.assert_allclose(b[3], np.log(2))
    np.testing.assert_array_equal(db, [1, -1, -np.inf, 2])
    np.testing.assert_array_equal(rb, [1, -1, -np.inf, 2])
    np.testing.assert_allclose(d, [np.log(2), 0])
    np.testing.assert_array_equal(dd, [[0, 0, -2], [-1, 0, 0]])
    np.testing.assert_array_equal(rd, [-2, -1])
