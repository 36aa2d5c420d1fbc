"""Batch normalization with the batch's own statistics and with given ones, against NumPy."""

import numpy as np
import pytest

import croton
import croton.tensor as T

train, given = T.nnet.batch_normalization_train, T.nnet.batch_normalization_test
RNG = np.random.RandomState(3)
X4 = RNG.randn(3, 2, 4, 5) * 2 + 1
# axes, as a tuple
AXES = [("per-activation", (0,)), ("spatial", (0, 2, 3)), ((0, 2), (0, 2)), ([3, 1], (1, 3)), ((0, 1, 2, 3),) * 2]


def parameters(axes, full, n=4):
    shape = [1 if a in axes else m for a, m in enumerate(X4.shape)]
    shape = shape if full else [m for a, m in enumerate(X4.shape) if a not in axes]
    return [RNG.rand(*shape) + 0.5 for _ in range(n)]


def spread(v, axes):
    return v.reshape([1 if a in axes else m for a, m in enumerate(X4.shape)])


@pytest.mark.parametrize("axes, numbers", AXES)
@pytest.mark.parametrize("full", [True, False])
def test_values(axes, numbers, full, agree):
    def reference(x, gamma, beta, running_mean, running_var):
        g, b, rm, rv = (spread(v, numbers) for v in (gamma, beta, running_mean, running_var))
        mean, var = x.mean(numbers, keepdims=True), x.var(numbers, keepdims=True)
        unbiased = x.var(numbers, keepdims=True, ddof=1)
        invstd = 1 / np.sqrt(var + 0.01)
        statistics = [mean, invstd, rm * 0.7 + mean * 0.3, rv * 0.7 + unbiased * 0.3]
        out = (x - mean) * invstd * g + b
        return [out, *[v.reshape(gamma.shape) for v in statistics], (x - rm) * g / np.sqrt(rv + 0.01) + b]

    def build(x, g, b, rm, rv):
        return [
            *train(x, g, b, axes, 0.01, 0.3, running_mean=rm, running_var=rv),
            given(x, g, b, rm, rv, axes, 0.01),
        ]

    agree(build, reference, X4, *parameters(numbers, full))


def test_defaults_and_dtypes():
    x, v = T.fmatrix("x"), T.fvector("v")
    out, mean, invstd = train(x, v, v)
    data = np.float32([[1, 2], [3, 8]])
    out, mean, invstd, other = croton.function([x, v], [out, mean, invstd, given(x, v, v, v, v)])(
        data, np.float32([1, 2])
    )
    assert {a.dtype for a in (out, mean, invstd, other)} == {np.dtype("float32")}
    np.testing.assert_array_equal(mean, [2, 5])
    np.testing.assert_allclose(invstd, 1 / np.sqrt([1.0001, 9.0001]), rtol=1e-6)
    np.testing.assert_allclose(out, (data - mean) * invstd * [1, 2] + [1, 2], rtol=1e-6)
    np.testing.assert_allclose(other, (data - [1, 2]) * [1, 2] / np.sqrt([1.0001, 2.0001]) + [1, 2], rtol=1e-6)
    wide = train(x, T.dvector(), v, running_mean=v, running_var=v, running_average_factor=T.dscalar())
    assert {w.dtype for w in wide} == {"float64"}
    assert {w.dtype for w in train(T.imatrix(), v, v)} == {"float64"}


def test_gradients(gradients_agree):
    gamma, beta, mean, var = parameters((0, 2, 3), False)
    gradients_agree(lambda x, g, b: train(x, g, b, "spatial", 0.01), X4, gamma, beta)
    gradients_agree(lambda *v: given(*v, axes="spatial"), X4[:2, :, :2, :2], gamma, beta, mean, var)


def test_second_derivatives():
    """Of the cost of a small batch, forward and reverse, against differences of the gradient."""
    x, v = T.dmatrices("x", "v")
    cost = (train(x, np.array([1.0, 2.0]), np.zeros(2))[0] ** 3).sum()
    gradient = croton.grad(cost, x)
    products = [croton.grad((gradient * v).sum(), x), croton.gradient.Rop(gradient, x, v)]
    f = croton.function([x, v], [gradient, *products])
    point, direction, step = RNG.randn(4, 2), RNG.randn(4, 2), 1e-6
    numeric = (f(point + step * direction, direction)[0] - f(point - step * direction, direction)[0]) / (2 * step)
    for found in f(point, direction)[1:]:
        np.testing.assert_allclose(found, numeric, rtol=1e-5, atol=1e-6)


def test_running_averages_as_updates():
    x = T.dmatrix("x")
    mean, var = croton.shared(np.zeros((1, 2)), "mean"), croton.shared(np.ones((1, 2)), "var")
    ones, zeros = np.ones((1, 2)), np.zeros((1, 2))
    out, *_, new_mean, new_var = train(x, ones, zeros, running_mean=mean, running_var=var, running_average_factor=0.5)
    step = croton.function([x], out, updates=[(mean, new_mean), (var, new_var)])
    batches = [RNG.randn(5, 2) + 3 for _ in range(3)]
    expected = [np.zeros(2), np.ones(2)]
    for batch in batches:
        step(batch)
        expected = [(a + b) / 2 for a, b in zip(expected, (batch.mean(0), batch.var(0, ddof=1)), strict=True)]
    np.testing.assert_allclose(mean.get_value(), expected[0][None], rtol=1e-12)
    np.testing.assert_allclose(var.get_value(), expected[1][None], rtol=1e-12)


def test_the_running_averages_and_the_factor_get_no_gradient():
    x, g, m, v, f = T.dmatrix("x"), *T.dvectors("g", "m", "v"), T.dscalar("f")
    *_, new_mean, new_var = train(x, g, g, running_mean=m, running_var=v, running_average_factor=f)
    cost = new_mean.sum() + new_var.sum()
    for wrt in (m, v, f, g):
        with pytest.raises(croton.gradient.DisconnectedInputError):
            croton.grad(cost, wrt)
    data = RNG.randn(3, 2)
    gradient = croton.function([x, g, m, v, f], croton.grad(cost, x), on_unused_input="ignore")
    found = gradient(data, *np.ones((3, 2)), 0.5)
    np.testing.assert_allclose(found, (1 / 3 + (data - data.mean(0))) * 0.5, rtol=1e-12)


def test_a_running_average_that_depends_on_the_inputs_gets_no_gradient_either():
    x = T.dmatrix("x")
    new_mean = train(x, x[0], x[0], running_mean=3 * x[0], running_var=x[0], running_average_factor=0.5)[3]
    found = croton.function([x], croton.grad(new_mean.sum(), x))(RNG.randn(4, 2))
    np.testing.assert_allclose(found, np.full((4, 2), 0.125), rtol=1e-12)


def test_the_variance_of_one_element_is_nan():
    x, v = T.dmatrix("x"), T.dvector("v")
    out, _, _, _, new_var = train(x, v, v, running_mean=v, running_var=v)
    out, new_var = croton.function([x, v], [out, new_var])([[1.0, 2.0]], [1.0, 1.0])
    assert (out == 1).all() and np.isnan(new_var).all()


X, V, S = T.matrix("x"), T.vector("v"), T.scalar("s")
BAD = [
    (lambda: train(X, V, V, axes="everywhere"), ValueError, "'per-activation', 'spatial' or a tuple of integers"),
    (lambda: train(X, V, V, axes=0), ValueError, "a tuple of integers, not 0"),
    (lambda: train(X, V, V, axes=()), ValueError, "at least one dimension from 0 to 1 of x"),
    (lambda: train(X, V, V, axes=(0, 2)), ValueError, r"got \(0, 2\)"),
    (lambda: train(X, V, V, axes=(-1,)), ValueError, r"got \(-1,\)"),
    (
        lambda: train(X, S, V),
        ValueError,
        r"train of x over axes \(0,\): gamma and beta must all have 1 .* got gamma of",
    ),
    (lambda: train(X, V, X), ValueError, "got beta of type"),
    (lambda: train(X, V, V, running_mean=V), ValueError, "must either both be given"),
    (lambda: train(X, V, V, running_mean=V, running_var=S), ValueError, "got running_var of type"),
    (lambda: given(X, V, V, S, V), ValueError, "got mean of type"),
    (lambda: train(X, V, V, epsilon=9e-6), ValueError, "epsilon must be at least 1e-5, got 9e-06"),
    (lambda: given(X, V, V, V, V, epsilon=np.nan), ValueError, "epsilon must be at least 1e-5, got nan"),
    (lambda: train(T.imatrix("i"), T.ivector(), T.ivector()), TypeError, "i of type .* must be floats"),
]


@pytest.mark.parametrize("build, kind, message", BAD)
def test_bad_arguments(build, kind, message):
    with pytest.raises(kind, match=message):
        build()


def test_parameters_whose_length_does_not_fit():
    y = train(X, V, V)[0]
    with pytest.raises(ValueError, match="mismatch"):
        croton.function([X, V], y)(np.ones((4, 2), "float32"), np.ones(3, "float32"))
    row = train(X, X, X)[0]
    with pytest.raises(ValueError, match="dimension 0 of x must have length 1"):
        croton.function([X], row)(np.ones((4, 2), "float32"))
