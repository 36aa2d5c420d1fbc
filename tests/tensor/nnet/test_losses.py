"""Cross-entropies and what belongs to them: values, dtypes, errors, labels out of range."""

import numpy as np
import pytest

import croton
import croton.tensor as T

nnet = T.nnet
X = np.array([[0.5, -1.0, 2.0], [1.0, 1.0, -3.0]])
B = np.array([0.25, 0.0, -1.0])
Y = np.array([2, 0])


def probabilities(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def nll(x, y):
    return -np.log(probabilities(x))[np.arange(len(y)), y]


def test_binary_crossentropy():
    o, t = T.dmatrix("o"), T.dmatrix("t")
    outputs, targets = np.array([[0.25, 1.0, 0.0, 0.0]]), np.array([[0.5, 1.0, 0.0, 1.0]])
    found = croton.function([o, t], nnet.binary_crossentropy(o, t))(outputs, targets)
    np.testing.assert_allclose(found, [[-0.5 * np.log(0.25 * 0.75), 0, 0, np.inf]], rtol=1e-14)


def test_sigmoid_binary_crossentropy():
    o, t = T.dmatrix("o"), T.dmatrix("t")
    y = nnet.sigmoid_binary_crossentropy(o, t)
    f = croton.function([o, t], [y, *croton.grad(y.sum(), [o, t])])
    value, do, dt = f([[-1000.0, 1000.0, 0.0, 1.0]], [[1.0, 1.0, 0.5, 0.25]])
    np.testing.assert_allclose(value, [[1000, 0, np.log(2), np.log1p(np.exp(-1)) + 0.75]], rtol=1e-14)
    np.testing.assert_allclose(do, [[-1, 0, 0, 1 / (1 + np.exp(-1)) - 0.25]], rtol=1e-14)
    np.testing.assert_array_equal(dt, [[1000, -1000, 0, -1]])


def test_sigmoid_binary_crossentropy_of_integers_and_shapes():
    o, t = T.fmatrix("o"), T.bvector("t")
    y = nnet.sigmoid_binary_crossentropy(o, t)
    assert y.dtype == "float32" and nnet.sigmoid_binary_crossentropy(o, T.lvector()).dtype == "float64"
    found = croton.function([o, t], y)(np.zeros((2, 3), "float32"), np.array([0, 1, 1], "int8"))
    np.testing.assert_allclose(found, np.full((2, 3), np.log(2)), rtol=1e-6)
    with pytest.raises(ValueError, match="sigmoid_binary_crossentropy: input dimension mismatch"):
        croton.function([o, t], y)(np.zeros((2, 3), "float32"), np.array([0, 1], "int8"))


def test_categorical_crossentropy_of_distributions():
    q, p, q3, p3 = T.dmatrix("q"), T.dmatrix("p"), T.dtensor3("q3"), T.dtensor3("p3")
    codes, true = probabilities(X), np.array([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])
    f = croton.function([q, p, q3, p3], [nnet.categorical_crossentropy(q, p), nnet.categorical_crossentropy(q3, p3)])
    expected = -(true * np.log(codes)).sum(axis=-1)
    flat, cube = f(codes, true, codes[None], true[None])
    np.testing.assert_allclose(flat, expected, rtol=1e-14)
    np.testing.assert_allclose(cube, expected[None], rtol=1e-14)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_categorical_crossentropy_of_labels(dtype):
    q, y = T.dmatrix("q"), T.vector("y", dtype)
    codes = probabilities(X)
    cost = nnet.categorical_crossentropy(q, y)
    value, gradient = croton.function([q, y], [cost, croton.grad(cost.sum(), q)])(codes, Y.astype(dtype))
    np.testing.assert_allclose(value, nll(X, Y), rtol=1e-14)
    np.testing.assert_allclose(gradient, np.where(np.eye(3)[Y] > 0, -1 / codes, 0), rtol=1e-14)


def test_a_probability_of_zero_that_is_not_asked_for():
    """Neither it nor an infinite loss beside it makes NaN of anything."""
    q, y = T.dmatrix("q"), T.lvector("y")
    cost = nnet.categorical_crossentropy(q, y)
    value, gradient = croton.function([q, y], [cost, croton.grad(cost.sum(), q)])([[0.0, 1.0], [0.0, 1.0]], [1, 0])
    np.testing.assert_array_equal(value, [0, np.inf])
    np.testing.assert_array_equal(gradient, [[0, -1], [-np.inf, 0]])


def test_what_is_no_categorical_crossentropy():
    q, y = T.dmatrix("q"), T.lvector("y")
    with pytest.raises(
        TypeError, match="rank mismatch between coding and true distributions: q has 2 dimensions, t has 3"
    ):
        nnet.categorical_crossentropy(q, T.dtensor3("t"))
    for bad in (T.bvector("t"), T.vector("t", "uint8"), T.dvector("t")):
        with pytest.raises(TypeError, match="integer vector required for argument: true_one_of_n.*T.cast"):
            nnet.categorical_crossentropy(q, bad)
    with pytest.raises(TypeError, match="matrix required for argument: coding_dist"):
        nnet.crossentropy_categorical_1hot(T.dtensor3("q"), T.lmatrix("t"))
    with pytest.raises(TypeError, match="integer vector required"):
        nnet.crossentropy_categorical_1hot(q, T.lscalar("t"))
    assert nnet.categorical_crossentropy(q, y).ndim == 1


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_fused_crossentropy(dtype):
    x, b, y = T.dmatrix("x"), T.dvector("b"), T.vector("y", dtype)
    cost, p, best = nnet.crossentropy_softmax_argmax_1hot_with_bias(x, b, y)
    f = croton.function([x, b, y], [cost, p, best, *croton.grad(cost.sum(), [x, b])])
    value, found, position, dx, db = f(X, B, Y.astype(dtype))
    np.testing.assert_allclose(value, nll(X + B, Y), rtol=1e-13)
    np.testing.assert_allclose(found, probabilities(X + B), rtol=1e-13)
    np.testing.assert_array_equal(position, (X + B).argmax(axis=1))
    np.testing.assert_allclose(dx, probabilities(X + B) - np.eye(3)[Y], rtol=1e-13)
    np.testing.assert_allclose(db, dx.sum(axis=0), rtol=1e-13)


def test_the_forms_of_the_fused_crossentropy():
    x, b, y = T.dmatrix("x"), T.dvector("b"), T.lvector("y")
    with_bias = nnet.crossentropy_softmax_max_and_argmax_1hot_with_bias(x, b, y)
    outputs = [
        *nnet.crossentropy_softmax_1hot_with_bias(x, b, y),
        *nnet.crossentropy_softmax_1hot(x, y),
        *with_bias,
        *nnet.crossentropy_softmax_max_and_argmax_1hot(x, y),
    ]
    found = croton.function([x, b, y], outputs)(X, B, Y)
    p, p_bias = probabilities(X), probabilities(X + B)
    expected = [
        *(nll(X + B, Y), p_bias),
        *(nll(X, Y), p),
        *(nll(X + B, Y), p_bias, p_bias.max(axis=1), p_bias.argmax(axis=1)),
        *(nll(X, Y), p, p.max(axis=1), p.argmax(axis=1)),
    ]
    for value, true in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, true, rtol=1e-13)


def test_what_is_no_fused_crossentropy():
    x, b, y = T.dmatrix("x"), T.dvector("b"), T.lvector("y")
    f = nnet.crossentropy_softmax_argmax_1hot_with_bias
    for bad, message in [
        ((b, b, y), "x must be 2-d tensor of floats, got b"),
        ((T.lmatrix("k"), b, y), "x must be 2-d tensor of floats, got k"),
        ((x, x, y), "b must be 1-d tensor of floats, got x"),
        ((x, y, y), "b must be 1-d tensor of floats, got y"),
        ((x, b, b), r"y_idx must be 1-d tensor of \(u\)ints, got b"),
        ((x, b, T.lmatrix("k")), r"y_idx must be 1-d tensor of \(u\)ints, got k"),
    ]:
        with pytest.raises(ValueError, match=message):
            f(*bad)
    with pytest.raises(ValueError, match="x must be 2-d tensor of floats, got b"):
        nnet.crossentropy_softmax_1hot(b, y)
    g = croton.function([x, b, y], f(x, b, y)[0])
    with pytest.raises(ValueError, match="b must have same number of columns as x"):
        g(X, B[:2], Y)
    with pytest.raises(ValueError, match="b must have same number of columns as x"):
        g(X, B[:1], Y)
    with pytest.raises(ValueError, match=r"number of rows in x \(2\) does not match length of y \(1\)"):
        g(X, B, Y[:1])


FORMS = {
    "categorical_crossentropy": lambda x, y: nnet.categorical_crossentropy(nnet.softmax(x), y),
    "crossentropy_softmax_1hot": lambda x, y: nnet.crossentropy_softmax_1hot(x, y)[0],
    "probabilities": lambda x, y: nnet.crossentropy_categorical_1hot(abs(x), y),
}


@pytest.mark.parametrize("name", FORMS)
def test_labels_out_of_range(name):
    """The error says so and where; shared values stay as they were; the function works again afterwards."""
    x, y = T.dmatrix("x"), T.lvector("y")
    w = croton.shared(np.ones((2, 3)), "w")
    cost = FORMS[name](x * w, y).mean()
    f = croton.function([x, y], cost, updates=[(w, w - croton.grad(cost, w))])
    for bad in ([0, 3], [-1, 0], [0, 2**40]):
        with pytest.raises(ValueError, match="y_i value out of bounds") as caught:
            f(X, bad)
        assert __file__ in str(caught.value)
        np.testing.assert_array_equal(w.get_value(), np.ones((2, 3)))
    f(X, [0, 2])
    assert not np.array_equal(w.get_value(), np.ones((2, 3)))


def test_labels_of_a_small_dtype_among_many_columns():
    """int8 holds no more than 127; the columns it cannot name are there all the same."""
    x, y = T.dmatrix("x"), T.bvector("y")
    cost = nnet.crossentropy_softmax_1hot(x, y)[0]
    f = croton.function([x, y], [cost, croton.grad(cost.sum(), x)])
    values = np.linspace(0, 1, 600).reshape(2, 300)
    value, gradient = f(values, np.array([127, 5], "int8"))
    np.testing.assert_allclose(value, nll(values, [127, 5]), rtol=1e-13)
    np.testing.assert_allclose(gradient, probabilities(values) - np.eye(300)[[127, 5]], rtol=1e-10)
    with pytest.raises(ValueError, match="y_i value out of bounds"):
        f(values, np.array([127, -5], "int8"))


def test_no_rows_at_all():
    x, y = T.dmatrix("x"), T.lvector("y")
    cost = nnet.categorical_crossentropy(nnet.softmax(x), y)
    value, gradient = croton.function([x, y], [cost, croton.grad(cost.sum(), x)])(
        np.zeros((0, 3)), np.zeros(0, "int64")
    )
    assert value.shape == (0,) and gradient.shape == (0, 3)


def test_labels_get_no_gradient():
    x, y = T.dmatrix("x"), T.lvector("y")
    cost = nnet.categorical_crossentropy(nnet.softmax(x), y).sum()
    with pytest.raises(croton.gradient.DisconnectedInputError):
        croton.grad(cost, y)


def test_the_gradient_as_an_expression():
    dy, sm, y = T.dvector("dy"), T.dmatrix("sm"), T.lvector("y")
    p = probabilities(X)
    scalar = nnet.crossentropy_softmax_1hot_with_bias_dx(T.constant(2.0), sm, y)
    f = croton.function([dy, sm, y], [nnet.crossentropy_softmax_1hot_with_bias_dx(dy, sm, y), scalar])
    for weights in ([2.0, 3.0], [5.0]):
        found, twice = f(weights, p, Y)
        np.testing.assert_allclose(found, np.array(weights)[:, None] * (p - np.eye(3)[Y]), rtol=1e-14)
        np.testing.assert_allclose(twice, 2 * (p - np.eye(3)[Y]), rtol=1e-14)
    with pytest.raises(ValueError, match="y_i value out of bounds"):
        f([1.0], p, [0, 3])
    with pytest.raises(TypeError, match="dy must be a vector or scalar, sm a matrix, y_idx an integer vector"):
        nnet.crossentropy_softmax_1hot_with_bias_dx(sm, sm, y)


def test_columns_put_in_front():
    x, v = T.fmatrix("x"), T.dscalar("v")
    outputs = [nnet.prepend_scalar_to_each_row(v, x), nnet.prepend_0_to_each_row(x), nnet.prepend_1_to_each_row(x)]
    data = np.array([[1, 2], [3, 4]], "float32")
    for y, first in zip(croton.function([x, v], outputs)(data, 7.0), (7, 0, 1), strict=True):
        assert y.dtype == "float32"
        np.testing.assert_array_equal(y, [[first, 1, 2], [first, 3, 4]])
    with pytest.raises(TypeError, match="takes a scalar and a matrix"):
        nnet.prepend_scalar_to_each_row(x, v)


def test_confusion_matrix():
    a, p = T.lvector("a"), T.lvector("p")
    f = croton.function([a, p], nnet.confusion_matrix(a, p))
    counts, order = f([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2])
    np.testing.assert_array_equal(counts, [[2, 0, 0], [0, 0, 1], [1, 0, 2]])
    np.testing.assert_array_equal(order, [0, 1, 2])
    assert counts.dtype == "int64"
    counts, order = f([5, -1], [7, 7])
    np.testing.assert_array_equal(counts, [[0, 0, 1], [0, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(order, [-1, 5, 7])
    with pytest.raises(ValueError, match="confusion_matrix takes vectors"):
        nnet.confusion_matrix(a, T.lmatrix())
