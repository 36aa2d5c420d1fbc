"""NanGuardMode names the op, and the line, that made the first NaN."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import NanGuardMode, function, shared


def caught(inputs, outputs, values, mode="NanGuardMode", **keywords):
    f = function(inputs, outputs, mode=mode, **keywords)
    with pytest.raises(AssertionError) as error:
        f(*values)
    return str(error.value)


def line_of(mark):
    with open(__file__, encoding="utf-8") as lines:
        return next(k for k, line in enumerate(lines, 1) if line.rstrip().endswith(f"# {mark}"))


def test_forward():
    x = T.dvector("x")
    h = T.log(x)  # log of a negative number
    text = caught([x], T.exp(h).sum(), [[1.0, -1.0]])
    assert text.startswith("NaN detected in the output of log")
    assert f"{__file__}:{line_of('log of a negative number')}" in text


def test_nothing_to_find():
    x, w = T.dvector("x"), shared(np.ones(2), "w")
    cost = T.log(T.exp(x * w).sum())
    f = function([x], cost, updates=[(w, w - croton.grad(cost, w))], mode=NanGuardMode())
    plain = function([x], [cost, croton.grad(cost, w)])
    want, gradient = plain([0.5, 1.0])
    np.testing.assert_allclose(f([0.5, 1.0]), want)
    np.testing.assert_allclose(w.get_value(), 1 - gradient)


def test_infinities_and_big_values_on_request():
    x = T.dscalar("x")
    assert caught([x], 1 / x, [0.0]).startswith("Inf detected in the output of true_div")
    assert caught([x], x * 1e20, [1.0]).startswith("Big value detected in the output of mul")
    lax = NanGuardMode(nan_is_error=True, inf_is_error=False, big_is_error=False)
    assert function([x], 1 / x, mode=lax)(0.0) == np.inf
    assert function([x], x * 1e20, mode=lax)(1.0) == 1e20
    blind = NanGuardMode(nan_is_error=False, inf_is_error=False, big_is_error=False)
    assert np.isnan(function([x], T.log(x), mode=blind)(-1.0))


def test_a_derivative_that_is_infinite_where_the_value_is_not():
    x = T.dvector("x")
    root = T.sqrt(x)  # sqrt at 0
    text = caught([x], croton.grad(root.sum(), x), [[1.0, 0.0]])
    assert text.startswith("Inf detected in the derivative, with respect to input 0, of sqrt")
    assert f"{__file__}:{line_of('sqrt at 0')}" in text


def test_zero_times_infinity_in_a_derivative():
    x = T.dvector("x")
    cost = T.sqrt(x * 0).sum()
    lax = NanGuardMode(inf_is_error=False)
    text = caught([x], croton.grad(cost, x), [[1.0]], mode=lax)
    assert text.startswith("NaN detected in the derivative") and "mul" in text


def test_in_a_gradient_of_a_gradient():
    x = T.dscalar("x")
    root = T.sqrt(x)
    first = croton.grad(root**3, x)
    text = caught([x], croton.grad(first, x), [0.0])
    assert "derivative" in text and ("sqrt" in text or "grad" in text)
    second = function([x], croton.grad(croton.grad(x**4, x), x), mode=NanGuardMode(big_is_error=False))
    assert second(2.0) == 48.0


def test_jacobians_and_forward_products():
    x = T.dvector("x")
    y = T.sqrt(x)
    assert "jacobian" in caught([x], croton.gradient.jacobian(y, x), [[0.0, 1.0]])
    assert "Rop" in caught([x], croton.gradient.Rop(y, x, T.ones_like(x)), [[0.0, 1.0]])


def test_a_failure_changes_nothing():
    x, w, n = T.dscalar("x"), shared(1.0, "w"), shared(0, "n")
    caught([x], T.log(x * w), [-1.0], updates=[(w, w + 1), (n, n + 1)])
    assert w.get_value() == 1.0 and n.get_value() == 0


def test_stable_patterns_are_stabilized_here_too():
    x = T.dvector("x")
    cost = -T.log(T.nnet.sigmoid(x)).sum()
    f = function([x], [cost, croton.grad(cost, x)], mode="NanGuardMode")
    value, gradient = f([-1e4, 1e4])
    assert value == 1e4
    np.testing.assert_array_equal(gradient, [-1, 0])


def test_with_respect_to_an_intermediate():
    x = T.dvector("x")
    h = x * 2
    f = function([x], croton.grad((h**2).sum(), [h, x]), mode="NanGuardMode")
    for got, want in zip(f([1.0, 2.0]), [[4, 8], [8, 16]], strict=True):
        np.testing.assert_array_equal(got, want)


def test_shared_state_is_not_consumed():
    i, w = T.lvector("i"), shared(np.zeros(3), "w")
    f = function([i], w[i], updates=[(w, T.inc_subtensor(w[i], 1.0))], mode="NanGuardMode")
    f([0])
    with pytest.raises(IndexError):
        f([3])
    np.testing.assert_array_equal(w.get_value(), [1, 0, 0])
