"""Each rewrite shows the number that is wrong without it, and the true one with it, in both precisions."""

import math

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import Mode
from croton.graph.walk import toposort
from croton.rewrites import RULES

DTYPES = ("float32", "float64")
sigmoid, softmax = T.nnet.sigmoid, T.nnet.softmax


def slope(expression):
    """The derivative of the expression's sum, in the place of its value."""
    return lambda x: croton.grad(expression(x).sum(), x)


def log_sigmoid_pair(x):
    return T.log(sigmoid(x) * sigmoid(x + 1))


# rule: (expression of a matrix x, x, its true value)
STABLE = {
    "local_softmax_written_out": (
        lambda x: T.exp(x) / T.exp(x).sum(axis=1, keepdims=True),
        [[1e4, 1e4, -1e4]],
        [[0.5, 0.5, 0.0]],
    ),
    "local_inv_1_plus_exp": (lambda x: T.log(1 / (1 + T.exp(-x))), [[-1e4, 0.0]], [[-1e4, -math.log(2)]]),
    "local_ratio_over_1_plus_exp": (
        lambda x: T.log(sigmoid(x) / (1 + T.exp(x))),
        [[-1e4, 0.0, 1e4]],
        [[-1e4, -2 * math.log(2), -1e4]],
    ),
    "local_exp_times_sigmoid": (lambda x: -x * T.exp(x) * sigmoid(-x), [[-1e4, 1e4]], [[0.0, -1e4]]),
    "local_1_minus_sigmoid": (lambda x: 1 - sigmoid(x), [[-1e4, 50.0]], [[1.0, math.exp(-50)]]),
    "local_log_1_plus_exp": (lambda x: T.log(1 + T.exp(x)), [[-1e4, 0.0, 1e4]], [[0.0, math.log(2), 1e4]]),
    "local_log_softmax": (lambda x: T.log(softmax(x)), [[1e4, 0.0, -1e4]], [[0.0, -1e4, -2e4]]),
    "local_log_sigmoid": (lambda x: T.log(sigmoid(x)), [[-1e4, 0.0, 1e4]], [[-1e4, -math.log(2), 0.0]]),
    "local_log_sum_exp": (
        lambda x: T.log(T.exp(x).sum(axis=0)),
        [[1e4, -1e4], [1e4, -1e4]],
        [1e4 + math.log(2), -1e4 + math.log(2)],
    ),
    "local_log_of_product": (log_sigmoid_pair, [[-1e4]], [[-19999.0]]),
    "local_log1p_minus_sigmoid": (lambda x: T.log1p(-sigmoid(x)), [[-1e4, 1e4]], [[0.0, -1e4]]),
    "local_xlogy": (lambda x: T.nnet.binary_crossentropy(sigmoid(x), 1), [[-1e4, 1e4]], [[1e4, 0.0]]),
    "local_log_erfc": (lambda x: T.log(T.erfc(x)), [[-1e4, 30.0]], [[math.log(2), -903.9741171106439]]),
    "local_1_minus_erf": (lambda x: 1 - T.erf(x), [[-1.0, 6.0]], [[1.8427007929497148, 2.1519736712498913e-17]]),
    "local_log_1_plus_x": (lambda x: T.log(1 + x), [[1e-20, 1.0]], [[1e-20, math.log(2)]]),
    "local_log_1_minus_x": (lambda x: T.log(1 - x), [[1e-20, 0.5]], [[-1e-20, -math.log(2)]]),
    "local_exp_minus_1": (lambda x: T.exp(x) - 1, [[1e-20, 1.0]], [[1e-20, math.e - 1]]),
    "local_switch_flow": (slope(lambda x: T.switch(x > 0, T.log(x), x)), [[2.0, 0.0]], [[0.5, 1.0]]),
    # sigmoid(40) and sigmoid(60) are both 1 to the last digit.
    "local_argmax_of_increasing": (lambda x: T.argmax(sigmoid(x), axis=1) * x[0, 0] / x[0, 0], [[40.0, 60.0]], [1.0]),
}

# rule: (expression, x, the name of an op that is gone with the rule)
FAST = {
    "local_pow_by_number": (lambda x: x**2 + x**0.5 + x**-1, [[0.25, 2.0]], "pow"),
    "local_update_gate": (
        lambda x: sigmoid(x) * x + (1 - sigmoid(x)) * T.tanh(x),
        [[-40.0, 0.25, 40.0]],
        str(sigmoid(-T.dmatrix()).owner.inputs[0].owner.op),
    ),
    "local_double_negative": (lambda x: T.neg(T.neg(x)), [[0.25, 2.0]], "neg"),
    "local_scan_last": (lambda x: croton.scan(lambda row: row * 2, x)[0][-1], [[1.0], [2.0]], "Subtensor{-1}"),
}

# rule: (x, what the sigmoid becomes): by name only
NAMED = {
    "local_ultra_fast_sigmoid": ([[-1e4, -2.0, 0.0, 5.0]], T.nnet.ultra_fast_sigmoid),
    "local_hard_sigmoid": ([[-1e4, -2.0, 0.0, 5.0]], T.nnet.hard_sigmoid),
}


def compiled(expression, dtype, mode):
    x = T.matrix("x", dtype)
    return croton.function([x], expression(x), mode=mode)


def close(found, true, dtype):
    tolerance = {"float32": 2e-6, "float64": 2e-14}[dtype]
    return found.shape == np.shape(true) and np.allclose(found, true, rtol=tolerance, atol=np.finfo(dtype).tiny)


def test_every_rule_is_tested():
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    elsewhere = {"local_pool_before_increasing"}  # tests/rewrites/test_pooling.py
    assert set(names) == {*STABLE, *FAST, *NAMED, *elsewhere}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", STABLE)
def test_true_with_the_rule_and_wrong_without(name, dtype):
    expression, x, true = STABLE[name]
    x = np.asarray(x, dtype)
    assert close(compiled(expression, dtype, Mode())(x), true, dtype)
    assert not close(compiled(expression, dtype, Mode().excluding(name))(x), true, dtype)


@pytest.mark.parametrize("name", FAST)
def test_faster_and_the_same(name):
    expression, x, op = FAST[name]

    def run(mode):
        f = compiled(expression, "float64", mode)
        ops = {str(node.op) for node in toposort(f._program.outputs)}
        return f(np.asarray(x)), op in ops

    (fast, there), (slow, was_there) = run(Mode()), run(Mode().excluding(name))
    assert was_there and not there
    np.testing.assert_allclose(fast, slow, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMED)
def test_only_by_name(name, dtype):
    x, curve = NAMED[name]
    x = np.asarray(x, dtype)
    exact, approximate = compiled(sigmoid, dtype, Mode())(x), compiled(curve, dtype, Mode())(x)
    assert not np.allclose(exact, approximate, rtol=1e-4)
    assert np.array_equal(compiled(sigmoid, dtype, Mode().including(name))(x), approximate)
    assert np.array_equal(compiled(sigmoid, dtype, Mode().including("late", "stabilize"))(x), exact)
    with croton.config(optimizer_including=name):
        assert np.array_equal(compiled(sigmoid, dtype, None)(x), approximate)
        assert np.array_equal(compiled(sigmoid, dtype, Mode().excluding(name))(x), exact)


@pytest.mark.parametrize("name", NAMED)
def test_approximations_come_after_stabilization(name):
    x, curve = T.dvector("x"), NAMED[name][1]
    s = sigmoid(x)
    outputs = [T.log(s), croton.grad(s.sum(), x), croton.grad(T.log(s).sum(), x), T.log(1 - s), curve(x)]
    values = np.array([-1e4, -3.0, 0.5, 1e4])
    log_s, ds, dlog_s, log_1_minus_s, approximate = croton.function([x], outputs, mode=Mode().including(name))(values)
    np.testing.assert_allclose(log_s, -np.logaddexp(0, -values), rtol=1e-14)
    np.testing.assert_allclose(log_1_minus_s, -np.logaddexp(0, values), rtol=1e-14)
    np.testing.assert_allclose(dlog_s, [1, 1 / (1 + math.exp(-3)), 1 / (1 + math.exp(0.5)), 0], rtol=1e-14)
    np.testing.assert_allclose(ds, approximate * (1 - approximate), rtol=1e-14)


def test_a_tag_and_no_rewrites_at_all():
    expression, x, true = STABLE["local_log_softmax"]
    x = np.asarray(x, "float64")
    for mode in (Mode().excluding("stabilize"), Mode(optimizer="None")):
        assert not close(compiled(expression, "float64", mode)(x), true, "float64")
    for mode in (Mode(optimizer="None").including("local_log_softmax"), Mode(optimizer="fast_compile")):
        assert close(compiled(expression, "float64", mode)(x), true, "float64")
    with croton.config(optimizer_excluding="local_log_softmax"):
        assert not close(compiled(expression, "float64", None)(x), true, "float64")


def test_what_is_not_simplified():
    x = T.dvector("x")
    f = croton.function([x], [x / x, x - x, 0 * x, T.log(T.exp(x)), T.exp(T.log(x)), T.sqrt(T.sqr(x))])
    ratio, difference, nothing, log_exp, exp_log, root = f([np.nan, np.inf, 0.0, -3.0])
    assert np.isnan(ratio).tolist() == [True, True, True, False] and ratio[3] == 1
    assert np.isnan(difference).tolist() == [True, True, False, False]
    assert np.isnan(nothing).tolist() == [True, True, False, False]
    np.testing.assert_array_equal(log_exp, [np.nan, np.inf, 0, -3])
    np.testing.assert_array_equal(np.isnan(exp_log), [True, False, False, True])
    np.testing.assert_array_equal(root, [np.nan, np.inf, 0, 3])


def test_a_number_that_gives_the_result_its_shape_stays():
    """Not even where the other operand is as long in some calls, or has as many dimensions."""
    row, x, ones = T.dvector("row"), T.dmatrix("x"), np.ones((2, 3))
    outputs = [1 / (np.ones((1, 1)) + T.exp(-row))]
    for v in (row, x):
        outputs += [T.log(ones + T.exp(v)), ones - sigmoid(v), v ** np.full((2, 3), 2.0), T.exp(v) - ones]
    first, *found = croton.function([row, x], outputs)([0.0], [[0.0]])
    assert first.shape == (1, 1)
    for y, value in zip(found, [math.log(2), 0.5, 0, 0] * 2, strict=True):
        np.testing.assert_allclose(y, np.full((2, 3), value), rtol=1e-15)


def test_patterns_at_other_places_and_orders():
    """The patterns turned around, along other axes, in products with signs, and behind what rearranges elements."""
    x = T.dmatrix("x")
    e = T.exp(x)
    values = np.array([[1e4, -1e4], [0.0, 3.0]])
    shifted = values - values.max(axis=1, keepdims=True)
    log_rows = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    down = values - values.max(axis=0)
    soft_down = np.exp(down) / np.exp(down).sum(axis=0)
    plus = np.maximum(values, 0) + np.log1p(np.exp(-abs(values)))
    cases = [
        (T.log(e / e.sum(axis=1).dimshuffle(0, "x")), log_rows),
        (e / e.sum(axis=0), soft_down),
        (e / e.sum(axis=0).dimshuffle("x", 0), soft_down),
        (T.log(T.exp(x) + 1), plus),
        (T.log1p(T.exp(x)), plus),
        (T.exp(x) / (1 + T.exp(x)), np.exp(values - plus)),
        (T.exp(-x) / (T.exp(-x) + 1), np.exp(-plus)),
        (T.log(T.exp(x) / (1 + T.exp(x))), values - plus),
        (T.log(1 / (1 + T.exp(-x))), values - plus),
        (T.log(1 / (T.exp(x) + 1)), -plus),
        (T.log(T.inv(1 + T.exp(-x))), values - plus),
        (T.log(softmax(x)).T[::-1], log_rows.T[::-1]),
        (T.log(softmax(x).T[::-1]), log_rows.T[::-1]),
        (T.log(softmax(x).reshape((4,))[1:]), log_rows.reshape(4)[1:]),
        (T.log(T.sum(e)), np.array(1e4)),
        (T.log(e.sum(axis=1, keepdims=True)), np.array([[1e4], [math.log(1 + math.exp(3))]])),
        (x * (-T.exp(-x)) * sigmoid(x), -values * np.exp(-plus)),
        (T.exp(x) * (1 - sigmoid(x)), np.exp(values - plus)),
    ]
    found = croton.function([x], [expression for expression, _ in cases])(values)
    for k, (y, (_, true)) in enumerate(zip(found, cases, strict=True)):
        np.testing.assert_allclose(y, true, rtol=1e-13, atol=1e-300, err_msg=str(k))


def test_a_complement_is_exact_beside_its_sigmoid():
    x = T.dvector("x")
    p = sigmoid(x)
    odds, complement, opposite = croton.function([x], [T.log((1 - p) / p), 1 - p, sigmoid(-x)])([-50.0, 50.0])
    np.testing.assert_allclose(odds, [50, -50], rtol=1e-14)
    np.testing.assert_allclose(complement, [1, math.exp(-50)], rtol=1e-14)
    np.testing.assert_allclose(opposite, [1, math.exp(-50)], rtol=1e-14)
