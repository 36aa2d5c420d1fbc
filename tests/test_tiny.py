"""The whole of it in a few seconds: run this first."""

import pickle

import numpy as np

import croton
import croton.tensor as T


def test_an_expression_runs():
    x, y = T.dscalars("x", "y")
    assert croton.function([x, y], x**2 + T.exp(y))(3.0, 0.0) == 10.0


def test_a_gradient_is_right():
    x = T.dvector("x")
    cost = T.log(T.nnet.softmax(x)[0, 1])
    got = croton.function([x], croton.grad(cost, x))([0.0, 0.0])
    np.testing.assert_allclose(got, [-0.5, 0.5])


def test_a_logistic_regression_learns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)).astype("float32")
    labels = (X @ rng.normal(size=(5, 3))).argmax(1)
    x, y, i = T.matrix("x"), T.lvector("y"), T.lscalar("i")
    data, target = croton.shared(X), croton.shared(labels)
    W, b = croton.shared(np.zeros((5, 3), "float32"), "W"), croton.shared(np.zeros(3, "float32"), "b")
    p = T.nnet.softmax(T.dot(x, W) + b)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    errors = T.mean(T.neq(T.argmax(p, axis=1), y))
    train = croton.function(
        [i],
        cost,
        updates=[(v, v - 0.5 * g) for v, g in zip((W, b), croton.grad(cost, [W, b]), strict=True)],
        givens={x: data[i * 50 : (i + 1) * 50], y: target[i * 50 : (i + 1) * 50]},
    )
    test = croton.function([], errors, givens={x: data, y: target})
    before = test()
    assert abs(train(0) - np.log(3)) < 1e-6
    for _ in range(10):
        costs = train.over(range(4))
    assert costs.shape == (4,) and test() < 0.1 < before
    assert train.trace_count <= 2


def test_a_graph_prints_draws_and_pickles():
    x, w = T.dscalar("x"), croton.shared(2.0, "w")
    y = T.tanh(x * w)
    assert croton.pp(y) == "tanh((x * w))"
    assert "tanh" in croton.draw(y)
    y2, x2 = pickle.loads(pickle.dumps((y, x)))
    assert y2.eval({x2: 0.5}) == y.eval({x: 0.5}) == np.tanh(1.0)
