"""Softmax, its logarithm, and the two-level softmax: shapes, special values, errors."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

import croton
import croton.tensor as T

nnet = T.nnet
INF, NAN = np.inf, np.nan


def true_softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@pytest.fixture(scope="module")
def both():
    x = T.dmatrix("x")
    outputs = [nnet.softmax(x), nnet.logsoftmax(x), nnet.softmax_graph(x), T.special.softmax(x, 0)]
    return croton.function([x], outputs)


@given(hnp.arrays("float64", hnp.array_shapes(min_dims=2, max_dims=2, max_side=3), elements=st.floats(-1e4, 1e4)))
def test_rows(both, x):
    p, log_p, graph, down = both(x)
    np.testing.assert_allclose(p, true_softmax(x), rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    shifted = x - x.max(axis=1, keepdims=True)
    np.testing.assert_allclose(
        log_p, shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), rtol=1e-13, atol=1e-13
    )
    np.testing.assert_array_equal(graph, p)
    np.testing.assert_allclose(down, true_softmax(x, 0), rtol=1e-13, atol=1e-300)


def test_infinities(both):
    """A row with NaN or +inf is NaN, and so is one that is -inf throughout; a single -inf has probability 0."""
    rows = np.array([[-INF, 0, 0], [INF, 0, 0], [NAN, 0, 0], [-INF, -INF, -INF], [-INF, -INF, 3]])
    p, log_p, _, _ = both(rows)
    np.testing.assert_array_equal(p, [[0, 0.5, 0.5], [NAN] * 3, [NAN] * 3, [NAN] * 3, [0, 0, 1]])
    np.testing.assert_array_equal(np.isnan(log_p), np.isnan(p))
    np.testing.assert_allclose(log_p[0], [-INF, -np.log(2), -np.log(2)])
    np.testing.assert_array_equal(log_p[4], [-INF, -INF, 0])


def test_a_choice_that_is_ruled_out_gets_no_gradient():
    """-inf among the scores: probability 0, and a derivative of 0, not NaN."""
    x = T.dmatrix("x")
    cost = -T.log(nnet.softmax(x))[0, 1]
    value, gradient = croton.function([x], [cost, croton.grad(cost, x)])([[-INF, 0.0, 0.0]])
    np.testing.assert_allclose(value, np.log(2))
    np.testing.assert_array_equal(gradient, [[0, -0.5, 0.5]])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (1, 1)])
def test_shapes_without_elements(shape):
    x = T.dmatrix("x")
    outputs = [nnet.softmax(x), nnet.logsoftmax(x), croton.grad(nnet.softmax(x).sum(), x)]
    for y in croton.function([x], outputs)(np.zeros(shape)):
        assert y.shape == shape


def test_a_vector_becomes_a_row():
    x = T.dvector("x")
    outputs = [
        nnet.softmax(x),
        nnet.logsoftmax(x),
        T.special.softmax(x),
        T.special.log_softmax(x),
        nnet.softmax(x, axis=0),
    ]
    assert [y.ndim for y in outputs] == [2, 2, 1, 1, 1]
    values = np.array([1.0, 2.0, 4.0])
    found = croton.function([x], outputs)(values)
    p = true_softmax(values)
    for y, true in zip(found, [p[None], np.log(p)[None], p, np.log(p), p], strict=True):
        np.testing.assert_allclose(y, true, rtol=1e-14)
    assert nnet.softmax(x).broadcastable == (True, False)


def test_higher_ranks_and_other_axes():
    x = T.dtensor3("x")
    outputs = [nnet.softmax(x), nnet.logsoftmax(x), *[T.special.softmax(x, axis=a) for a in (0, 1, 2, -3, None)]]
    values = np.random.default_rng(1).normal(size=(2, 3, 4))
    found = croton.function([x], outputs)(values)
    for y, axis in zip(found[2:6], (0, 1, 2, -3), strict=True):
        np.testing.assert_allclose(y, true_softmax(values, axis), rtol=1e-14)
    np.testing.assert_allclose(found[0], true_softmax(values), rtol=1e-14)
    np.testing.assert_allclose(found[1], np.log(true_softmax(values)), rtol=1e-13)
    np.testing.assert_allclose(found[6], np.exp(values) / np.exp(values).sum(), rtol=1e-14)


def test_logarithm_of_a_softmax_over_other_axes():
    x = T.dmatrix("x")
    outputs = [T.log(T.special.softmax(x, 0)), T.log(T.special.softmax(x, None)), T.special.log_softmax(x, 0)]
    down, everything, direct = croton.function([x], outputs)([[1e4, 1.0], [-1e4, 1.0]])
    np.testing.assert_allclose(down, [[0, -np.log(2)], [-2e4, -np.log(2)]], rtol=1e-14)
    np.testing.assert_allclose(direct, down, rtol=1e-14)
    np.testing.assert_allclose(everything, [[0, -9999], [-2e4, -9999]], rtol=1e-14)


def test_derivatives():
    x, v = T.dmatrix("x"), T.dmatrix("v")
    p, log_p = nnet.softmax(x), nnet.logsoftmax(x)
    outputs = [croton.gradient.Rop(y, x, v) for y in (p, log_p)] + [croton.gradient.Lop(y, x, v) for y in (p, log_p)]
    rng = np.random.default_rng(0)
    values, vectors = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    forward, log_forward, backward, log_backward = croton.function([x, v], outputs)(values, vectors)
    s = true_softmax(values)
    weighted = (s * vectors).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(forward, s * (vectors - weighted), rtol=1e-12)
    np.testing.assert_allclose(backward, s * (vectors - weighted), rtol=1e-12)
    np.testing.assert_allclose(log_forward, vectors - weighted, rtol=1e-12)
    np.testing.assert_allclose(log_backward, vectors - s * vectors.sum(axis=1, keepdims=True), rtol=1e-12)


def test_product_of_the_hessian_and_a_vector():
    """What Hessian-free training needs: R-op of a gradient, and of the softmax twice."""
    x, v = T.dmatrix("x"), T.dmatrix("v")
    cost = nnet.categorical_crossentropy(nnet.softmax(x), T.constant([1])).sum()
    product = croton.gradient.Rop(croton.grad(cost, x), x, v)
    values, vector = np.array([[0.5, -1.0, 2.0]]), np.array([[1.0, 2.0, -1.0]])
    s = true_softmax(values)
    found = croton.function([x, v], product)(values, vector)
    np.testing.assert_allclose(found, s * vector - s * (s * vector).sum(), rtol=1e-12)


@pytest.mark.parametrize("f", [nnet.softmax, nnet.logsoftmax])
def test_what_is_no_softmax(f):
    for bad in (T.imatrix("labels"), T.dscalar("labels"), T.bvector("labels")):
        with pytest.raises(ValueError, match="x must be a tensor of floats of at least one dimension, got labels"):
            f(bad)
    with pytest.raises(ValueError, match="axis 2 is out of range for labels, which has 2 dimensions"):
        f(T.dmatrix("labels"), axis=2)


def test_softmax_with_bias():
    x, b = T.dmatrix("x"), T.dvector("b")
    y = nnet.softmax_with_bias(x, b)
    found = croton.function([x, b], y)([[1.0, 2.0]], [0.5, -1e4])
    np.testing.assert_allclose(found, [[1, 0]])
    for bad in ((b, b), (x, x)):
        with pytest.raises(ValueError, match="takes a matrix x and a vector b"):
            nnet.softmax_with_bias(*bad)


# --- the two-level softmax ---


def two_level(n_outputs, n_classes, n_per, features=5, batch=4):
    """Random weights, and all probabilities by NumPy."""
    rng = np.random.default_rng(3)
    shapes = [(batch, features), (features, n_classes), (n_classes,), (n_classes, features, n_per), (n_classes, n_per)]
    x, W1, b1, W2, b2 = arrays = [rng.normal(size=shape) for shape in shapes]
    within = true_softmax(np.einsum("bf,cfp->bcp", x, W2) + b2)
    every = (true_softmax(x @ W1 + b1)[:, :, None] * within).reshape(batch, -1)[:, :n_outputs]
    return arrays, every


@pytest.mark.parametrize(("n_outputs", "n_classes", "n_per"), [(6, 2, 3), (10, 4, 3), (5, 5, 1), (3, 1, 3)])
def test_two_levels(n_outputs, n_classes, n_per):
    """Outputs beyond n_outputs are left out, so rows may sum to less than 1; a target's is its column of all."""
    arrays, every = two_level(n_outputs, n_classes, n_per)
    variables = [T.dmatrix("x"), T.dmatrix("W1"), T.dvector("b1"), T.dtensor3("W2"), T.dmatrix("b2")]
    t = T.lvector("t")
    x, *weights = variables
    sizes = (4, n_outputs, n_classes, n_per)
    alone = nnet.h_softmax(x, *sizes, *weights)
    chosen = nnet.h_softmax(x, *sizes, *weights, t)
    column = nnet.h_softmax(x, *sizes, *weights, target=t.dimshuffle(0, "x"))
    labels = np.array([0, n_outputs - 1, 1, n_outputs // 2])
    found = croton.function([*variables, t], [alone, chosen, column])(*arrays, labels)
    np.testing.assert_allclose(found[0], every, rtol=1e-12)
    for y in found[1:]:
        assert y.shape == (4, 1)
        np.testing.assert_allclose(y[:, 0], every[np.arange(4), labels], rtol=1e-12)


def test_two_levels_with_symbolic_sizes():
    arrays, every = two_level(10, 4, 3)
    x, n = T.dmatrix("x"), T.lscalar("n")
    y = nnet.h_softmax(x, x.shape[0], n, 4, 3, *arrays[1:])
    np.testing.assert_allclose(croton.function([x, n], y)(arrays[0], 7), every[:, :7], rtol=1e-12)


def test_two_levels_of_integers():
    """Seed programs pass integer features with float weights."""
    arrays, _ = two_level(6, 2, 3)
    x, t = T.imatrix("x"), T.imatrix("t")
    y = nnet.h_softmax(x, 4, 6, 2, 3, *arrays[1:], t)
    f = croton.function([x, t], [y, nnet.h_softmax(x, 4, 6, 2, 3, *arrays[1:])])
    labels = np.array([[5], [0], [3], [2]], "int32")
    chosen, every = f(np.arange(20, dtype="int32").reshape(4, 5) % 3, labels)
    np.testing.assert_allclose(chosen, np.take_along_axis(every, labels, 1), rtol=1e-12)


def test_training_on_targets_finds_them():
    arrays, _ = two_level(6, 2, 3)
    x, *weights = [croton.shared(a) for a in arrays]
    labels = np.array([5, 0, 3, 2])
    cost = -T.mean(T.log(nnet.h_softmax(x, 4, 6, 2, 3, *weights, labels)))
    step = croton.function([], cost, updates=[(w, w - croton.grad(cost, w)) for w in weights])
    first = step()
    for _ in range(60):
        last = step()
    assert last < 0.1 * first
    every = nnet.h_softmax(x, 4, 6, 2, 3, *weights)
    np.testing.assert_array_equal(croton.function([], T.argmax(every, axis=1))(), labels)


def test_what_is_no_two_level_softmax():
    arrays, _ = two_level(6, 2, 3)
    with pytest.raises(ValueError, match="2 classes of 3 outputs are fewer than n_outputs = 7"):
        nnet.h_softmax(arrays[0], 4, 7, 2, 3, *arrays[1:])
    with pytest.raises(TypeError, match="target must be integers, got t of dtype float64"):
        nnet.h_softmax(arrays[0], 4, 6, 2, 3, *arrays[1:], T.dvector("t"))


def test_targets_out_of_range():
    """They are told, and nothing is updated."""
    arrays, _ = two_level(5, 2, 3)
    t, count = T.lvector("t"), croton.shared(0)
    y = nnet.h_softmax(arrays[0], 4, 5, 2, 3, *arrays[1:], t)
    f = croton.function([t], y, updates=[(count, count + 1)])
    f([0, 1, 2, 4])
    for bad in (5, 6, -1):
        with pytest.raises(
            ValueError, match="y_i value out of bounds: labels must lie between 0 and 4, as there are 5 outputs"
        ):
            f([0, 1, 2, bad])
    assert count.get_value() == 1
