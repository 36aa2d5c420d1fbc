"""Activations: dtypes, special values, slopes at the corners, learnable parameters."""

import numpy as np
import pytest

import croton
import croton.tensor as T

nnet = T.nnet
INF, NAN = np.inf, np.nan
ULTRA_LOW, ULTRA_HIGH = 0.00247262315663, 0.997527376843

UPGRADED = {
    "bool": "float32",
    "int8": "float32",
    "uint8": "float32",
    "int16": "float32",
    "uint16": "float32",
    "int32": "float64",
    "uint32": "float64",
    "int64": "float64",
    "uint64": "float64",
    "float16": "float16",
    "float32": "float32",
    "float64": "float64",
}
CURVES = ("sigmoid", "ultra_fast_sigmoid", "hard_sigmoid", "softplus", "softsign", "softminus", "elu")
AT_LEAST_32 = ("relu", "selu")


@pytest.mark.parametrize("name", [*CURVES, *AT_LEAST_32])
def test_dtypes(name):
    """Small integers become float32, larger ones float64; floats stay, but relu and selu know no float16."""
    variables = [T.TensorType(dtype, (False,))(dtype) for dtype in UPGRADED]
    outputs = [getattr(nnet, name)(v) for v in variables]
    expected = [
        "float32" if dtype == "float16" and name in AT_LEAST_32 else upgraded for dtype, upgraded in UPGRADED.items()
    ]
    assert [y.dtype for y in outputs] == expected
    found = croton.function(variables, outputs)(*[np.zeros(2, dtype) for dtype in UPGRADED])
    assert [str(y.dtype) for y in found] == expected


def test_the_floats_of_constants_follow_the_argument():
    """Whatever floatX is, a float32 stays one, and of a float64 the slopes and scales are exact to float64."""
    x32, x64 = T.fvector(), T.dvector()
    for floatX in ("float32", "float64"):
        with croton.config(floatX=floatX):
            for f in (nnet.relu, lambda x: nnet.relu(x, 0.1), nnet.elu, lambda x: nnet.elu(x, 0.1), nnet.selu):
                assert f(x32).dtype == "float32" and f(x64).dtype == "float64"
    leaky, scaled = croton.function([x64], [nnet.relu(x64, 0.1), nnet.selu(x64)])([-1000.0])
    assert leaky[0] == -100.0
    np.testing.assert_allclose(scaled, [-1.7580993408473766], rtol=1e-15)


# name: its values at NaN, inf and -inf
SPECIAL = {
    "sigmoid": [NAN, 1, 0],
    "ultra_fast_sigmoid": [ULTRA_LOW, ULTRA_HIGH, ULTRA_LOW],
    "hard_sigmoid": [NAN, 1, 0],
    "softplus": [NAN, INF, 0],
    "softsign": [NAN, NAN, NAN],
    "softminus": [NAN, 0, -INF],
    "relu": [NAN, INF, 0],
    "elu": [NAN, INF, -1],
    "selu": [NAN, INF, -1.7580993408473766],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_values(dtype):
    x = T.vector("x", dtype)
    ys = [getattr(nnet, name)(x) for name in SPECIAL]
    leaky = nnet.relu(x, 0.5)
    *found, half = croton.function([x], [*ys, leaky])(np.array([NAN, INF, -INF], dtype))
    for name, y in zip(SPECIAL, found, strict=True):
        np.testing.assert_allclose(y, SPECIAL[name], rtol=1e-5 if dtype == "float32" else 1e-11, err_msg=name)
    np.testing.assert_array_equal(half, [NAN, INF, -INF])


# name: (expression, x, its derivative there)
CORNERS = {
    "relu": (nnet.relu, [-1, 0, 1], [0, 0, 1]),
    "leaky": (lambda x: nnet.relu(x, 0.25), [-1, 0, 1], [0.25, 0.25, 1]),
    "identity": (lambda x: nnet.relu(x, 1), [-1, 0, 1], [1, 1, 1]),
    "elu": (lambda x: nnet.elu(x, 0.5), [-1, 0, 1], [0.5 / np.e, 0.5, 1]),
    "selu": (nnet.selu, [0, 1], [1.7580993408473766, 1.0507009873554805]),
    "infinite_relu": (nnet.relu, [-INF, INF], [0, 1]),
    "infinite_elu": (nnet.elu, [-INF, INF, 1000], [0, 1, 1]),
    "softsign": (nnet.softsign, [-INF, -3, 0, 1e4, INF], [0, 1 / 16, 1, 10001.0**-2, 0]),
    "softminus": (nnet.softminus, [-1e4, 0, 40], [1, 0.5, np.exp(-40)]),
}


@pytest.mark.parametrize("name", CORNERS)
def test_slopes(name):
    expression, x, true = CORNERS[name]
    v = T.dvector("v")
    slope = croton.function([v], croton.grad(expression(v).sum(), v))
    np.testing.assert_allclose(slope(np.array(x, float)), true, rtol=1e-14)


def test_the_ultra_fast_sigmoid():
    """Two pieces and a constant, odd about (0, 1/2); its slope is s(1 - s) of its own value, everywhere."""
    x = T.dvector("x")
    s = nnet.ultra_fast_sigmoid(x)
    values = np.linspace(-8, 8, 65)
    found, slope = croton.function([x], [s, croton.grad(s.sum(), x)])(values)
    h = abs(values) / 2
    low, middle = 1.5 * h / (1 + h), 0.935409070603099 + 0.0458812946797165 * (h - 1.7)
    z = np.where(h < 1.7, low, np.where(h < 3, middle, 0.99505475368673))
    np.testing.assert_allclose(found, (np.sign(values) * z + 1) / 2, rtol=1e-13)
    np.testing.assert_allclose(slope, found * (1 - found), rtol=1e-14)
    assert abs(found - 1 / (1 + np.exp(-values))).max() < 0.03
    np.testing.assert_allclose([found.min(), found.max()], [ULTRA_LOW, ULTRA_HIGH], rtol=1e-11)


def test_the_hard_sigmoid():
    x = T.dvector("x")
    s = nnet.hard_sigmoid(x)
    values = np.array([-3, -2.5, -1, 0, 1, 2.5, 3])
    found, slope = croton.function([x], [s, croton.grad(s.sum(), x)])(values)
    np.testing.assert_allclose(found, [0, 0, 0.3, 0.5, 0.7, 1, 1], rtol=1e-15)
    np.testing.assert_allclose(slope, [0, 0, 0.21, 0.25, 0.21, 0, 0], rtol=1e-14)


def test_a_learnable_slope():
    """PReLU: one slope per column in a shared vector, learnt by gradient descent until negative inputs are doubled."""
    x = T.dmatrix("x")
    alpha = croton.shared(np.array([0.25, 0.0, -1.0]), "alpha")
    y = nnet.relu(x, alpha)
    cost = T.mean((y - T.switch(x > 0, x, 2 * x)) ** 2)
    step = croton.function([x], cost, updates=[(alpha, alpha - 0.5 * croton.grad(cost, alpha))])
    data = np.array([[-1.0, -2.0, -1.5], [1.0, 3.0, -0.5], [0.0, -1.0, 2.0]])
    first = step(data)
    expected = ((np.array([0.25, 0.0, -1.0]) - 2) ** 2 * (np.minimum(data, 0) ** 2)).mean()
    np.testing.assert_allclose(first, expected, rtol=1e-14)
    for _ in range(300):
        step(data)
    np.testing.assert_allclose(alpha.get_value(), [2, 2, 2], rtol=1e-6)


def test_a_slope_variable_of_zero_makes_zero_of_minus_infinity():
    x, alpha = T.dvector("x"), T.dscalar("alpha")
    y = nnet.relu(x, alpha)
    f = croton.function([x, alpha], [y, *croton.grad(y.sum(), [x, alpha])])
    value, dx, dalpha = f([-INF, -2.0, 0.0, INF], 0.0)
    np.testing.assert_array_equal(value, [0, 0, 0, INF])
    np.testing.assert_array_equal(dx, [0, 0, 0, 1])
    assert dalpha == -INF
    assert f([-2.0, INF], 0.5)[2] == -2


def test_elu_with_a_variable():
    x, alpha = T.dvector("x"), T.dscalar("alpha")
    y = nnet.elu(x, alpha)
    value, dalpha = croton.function([x, alpha], [y, croton.grad(y.sum(), alpha)])([-1.0, 2.0], 0.5)
    np.testing.assert_allclose(value, [0.5 * np.expm1(-1), 2], rtol=1e-15)
    np.testing.assert_allclose(dalpha, np.expm1(-1), rtol=1e-15)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "softsign", "elu", "selu"])
def test_gradients_of_gradients(name):
    """Numerically, away from the corners; and for the smooth curves the third derivative at 0 too."""
    x = T.dvector("x")
    y = getattr(nnet, name)(x)
    slope = croton.grad(y.sum(), x)
    f = croton.function([x], [slope, croton.grad(slope.sum(), x)])
    values, step = np.array([-30.0, -2.0, -0.5, 0.5, 2.0, 30.0]), 1e-6
    numeric = (f(values + step)[0] - f(values - step)[0]) / (2 * step)
    np.testing.assert_allclose(f(values)[1], numeric, rtol=1e-6, atol=1e-9)


def test_third_derivative_of_the_sigmoid():
    x = T.dscalar("x")
    y = nnet.sigmoid(x)
    for _ in range(3):
        y = croton.grad(y, x)
    np.testing.assert_allclose(croton.function([x], y)(0.0), -0.125, rtol=1e-15)


@pytest.mark.parametrize("name", [*CURVES, *AT_LEAST_32])
def test_any_shape(name):
    x, s, empty = T.dtensor4("x"), T.dscalar("s"), T.dmatrix("e")
    outputs = [getattr(nnet, name)(v) for v in (x, s, empty)]
    f = croton.function([x, s, empty], outputs)
    values = np.linspace(-2, 2, 24).reshape(2, 3, 4, 1)
    y, scalar, none = f(values, 0.5, np.zeros((0, 3)))
    assert y.shape == values.shape and scalar.shape == () and none.shape == (0, 3)
    np.testing.assert_allclose(y[1, 0, 2, 0], f(values[1:, :1, 2:3], 0.0, np.zeros((0, 3)))[0].item(), rtol=1e-14)


def test_plain_arrays_and_lists_are_taken():
    assert nnet.hard_sigmoid(np.array([0.0])).eval() == [0.5]
    assert nnet.relu([-1.0, 2.0]).eval().tolist() == [0, 2]
    assert nnet.elu(3.0).eval() == 3


def test_shapes_that_disagree():
    x, a = T.dvector("x"), T.dvector("a")
    for f, name in ((nnet.relu, "mul_or_zero"), (nnet.elu, "elu")):
        with pytest.raises(ValueError, match=f"{name}: input dimension mismatch"):
            croton.function([x, a], f(x, a))(np.zeros(2), np.zeros(3))
