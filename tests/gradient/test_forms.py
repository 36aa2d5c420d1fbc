"""Jacobians, Hessians, products with them, derivatives of derivatives, and verify_grad."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.gradient import (
    DisconnectedInputError,
    GradientChange,
    GradientError,
    Lop,
    Rop,
    disconnected_grad,
    grad_scale,
    hessian,
    jacobian,
    subgraph_grad,
    verify_grad,
)

A = np.random.default_rng(0).normal(size=(3, 3))
POINT = np.array([0.3, -0.7, 1.1])
VECTOR = np.array([1.0, 2.0, -0.5])


def values(expressions, inputs):
    f = croton.function(list(inputs), expressions, on_unused_input="ignore")
    return f(*inputs.values())


def test_second_and_third_derivatives():
    x = T.dscalar("x")
    first = croton.grad(x**4, x)
    second = croton.grad(first, x)
    third = croton.grad(second, x)
    mixed = croton.grad(first * second, x)
    assert values([first, second, third, mixed], {x: 2.0}) == [32.0, 48.0, 48.0, 48.0**2 + 32.0 * 48.0]


def test_gradient_of_a_cost_that_holds_a_gradient():
    x, w = T.dscalars("x", "w")
    cost = T.tanh(x * w)
    penalty = cost + croton.grad(cost, x) ** 2
    got = croton.grad(penalty, w).eval({x: 0.4, w: 0.9})

    def f(w):
        t = np.tanh(0.4 * w)
        return t + (w * (1 - t * t)) ** 2

    np.testing.assert_allclose(got, (f(0.9 + 1e-6) - f(0.9 - 1e-6)) / 2e-6, rtol=1e-7)


def test_orders_mixed_over_leaves_and_intermediates():
    x = T.dscalar("x")
    h = x**2
    cost = h**3 * x
    by_h = croton.grad(cost, h)
    at_x = 1.5
    got = values(
        [croton.grad(by_h, x), croton.grad(by_h, h), croton.grad(croton.grad(cost, x), h), croton.grad(by_h * h, x)],
        {x: at_x},
    )
    hv = at_x**2
    # dcost/dx seen as a function of x and h is h^3 + 3 h^2 x 2x.
    np.testing.assert_allclose(got, [15 * at_x**4, 6 * hv * at_x, 3 * hv**2 + 12 * hv * at_x**2, 21 * at_x**6])


def test_jacobian():
    x, s = T.dvector("x"), T.dscalar("s")
    y = T.tanh(T.dot(A, x)) * s
    slope = 1 - np.tanh(A @ POINT) ** 2
    by_x, by_s = jacobian(y, [x, s])
    got_x, got_s, scalar = values([by_x, by_s, jacobian(y.sum(), x)], {x: POINT, s: 2.0})
    np.testing.assert_allclose(got_x, 2 * slope[:, None] * A)
    np.testing.assert_allclose(got_s, np.tanh(A @ POINT))
    np.testing.assert_allclose(scalar, (2 * slope[:, None] * A).sum(0))


def test_jacobian_of_a_matrix_wrt_and_of_an_intermediate():
    W, x = T.dmatrix("W"), T.dvector("x")
    h = T.dot(W, x)
    by_W, by_h = values([jacobian(h**2, W), jacobian(h**2, h)], {W: A, x: POINT})
    hv = A @ POINT
    np.testing.assert_allclose(by_W, np.einsum("i,ij,k->ijk", 2 * hv, np.eye(3), POINT))
    np.testing.assert_allclose(by_h, np.diag(2 * hv))


def test_jacobian_refuses_and_warns():
    x, y = T.dvector("x"), T.dvector("y")
    with pytest.raises(AssertionError, match="scalar or a vector"):
        jacobian(T.outer(x, x), x)
    with pytest.raises(DisconnectedInputError):
        jacobian(x * 2, y)
    zero = jacobian(x * 2, y, disconnected_inputs="ignore")
    np.testing.assert_array_equal(zero.eval({x: POINT, y: [1.0, 2.0]}), np.zeros((3, 2)))
    held = jacobian(x * T.exp(x), x, consider_constant=[T.exp(x)])
    assert held.ndim == 2


def test_hessian():
    x, y = T.dvector("x"), T.dvector("y")
    cost = T.exp(T.dot(x, y)) + (x**3).sum()
    hx, hy = hessian(cost, [x, y])
    got_x, got_y = values([hx, hy], {x: POINT, y: VECTOR})
    e = np.exp(POINT @ VECTOR)
    np.testing.assert_allclose(got_x, e * np.outer(VECTOR, VECTOR) + np.diag(6 * POINT))
    np.testing.assert_allclose(got_y, e * np.outer(POINT, POINT))
    with pytest.raises(AssertionError, match="vectors"):
        hessian(T.dmatrix("m").sum(), T.dmatrix("m"))
    linear = hessian((x * VECTOR).sum(), x)
    np.testing.assert_array_equal(linear.eval({x: POINT}), np.zeros((3, 3)))


def test_products_with_the_jacobian_from_both_sides():
    x = T.dvector("x")
    v = T.dvector("v")
    y = T.sin(T.dot(A, x)) * x.sum()
    J, left, right = values([jacobian(y, x), Lop(y, x, v), Rop(y, x, v)], {x: POINT, v: VECTOR})
    np.testing.assert_allclose(left, VECTOR @ J)
    np.testing.assert_allclose(right, J @ VECTOR)


def test_products_of_several_at_once():
    x, W = T.dvector("x"), T.dmatrix("W")
    f = [T.dot(W, x), (W**2).sum(), T.exp(x)]
    dx, dW = np.array([1.0, -1, 2]), np.arange(9.0).reshape(3, 3)
    at = {x: POINT, W: A}
    for got, want in zip(
        values(Rop(f, [x, W], [T.constant(dx), T.constant(dW)]), at),
        [A @ dx + dW @ POINT, (2 * A * dW).sum(), np.exp(POINT) * dx],
        strict=True,
    ):
        np.testing.assert_allclose(got, want)
    seeds = [T.constant(VECTOR), T.constant(2.0, dtype="float64"), T.constant(dx)]
    by_x, by_W = values(Lop(f, [x, W], seeds), at)
    np.testing.assert_allclose(by_x, VECTOR @ A + dx * np.exp(POINT))
    np.testing.assert_allclose(by_W, np.outer(VECTOR, POINT) + 4 * A)


def test_hessian_vector_products_in_each_way():
    x, v = T.dvector("x"), T.dvector("v")
    cost = T.log(T.exp(T.dot(A, x)).sum())
    g = croton.grad(cost, x)
    H, forward, reverse, twice = values(
        [hessian(cost, x), Rop(g, x, v), Lop(g, x, v), croton.grad((g * v).sum(), x)], {x: POINT, v: VECTOR}
    )
    for product in (forward, reverse, twice):
        np.testing.assert_allclose(product, H @ VECTOR)


def test_gauss_newton_product():
    W, x, v = T.dmatrix("W"), T.dvector("x"), T.dmatrix("v")
    s = T.dot(W, x)
    p = T.nnet.softmax(s)
    Jv = Rop(s, W, v)
    HJv = croton.grad(T.sum(p[0] * disconnected_grad(Jv)), s)
    got = Lop(s, W, HJv).eval({W: A, x: POINT, v: np.eye(3)})
    q = np.exp(A @ POINT) / np.exp(A @ POINT).sum()
    np.testing.assert_allclose(got, np.outer((np.diag(q) - np.outer(q, q)) @ POINT, POINT))


def test_rop_disconnected_and_mismatched():
    x, y = T.dvector("x"), T.dvector("y")
    with pytest.raises(DisconnectedInputError, match="does not depend"):
        Rop(y * 2, x, x)
    zero = Rop([x * 2, y * 2], x, x, disconnected_outputs="ignore")
    got = values(zero, {x: POINT, y: VECTOR})
    np.testing.assert_allclose(got, [2 * POINT, 0 * POINT])
    assert Rop(y, x, x, disconnected_outputs="ignore", return_disconnected="None") is None
    with pytest.raises(ValueError, match="one for each"):
        Rop(x, [x, y], [x])
    with pytest.raises(ValueError, match="dimensions"):
        Rop(x, x, T.dmatrix())
    with pytest.raises(DisconnectedInputError):
        Lop(y, x, y)


def test_rop_with_respect_to_an_intermediate():
    x = T.dvector("x")
    h = T.exp(x)
    np.testing.assert_allclose(Rop(h**2 + x, h, T.constant(VECTOR)).eval({x: POINT}), 2 * np.exp(POINT) * VECTOR)


def test_subgraph_grad():
    x, w1, w2 = T.dvector("x"), T.dscalar("w1"), T.dscalar("w2")
    a = T.tanh(x * w1)
    b = (a * w2).sum()
    cost = b**2
    top_wrt, top_end = subgraph_grad([w2], [a], cost=cost)
    known = dict(zip([a], top_end, strict=True))
    low_wrt, low_end = subgraph_grad([w1], [x], start=known)
    direct = croton.grad(cost, [w2, w1, x])
    at = {x: POINT, w1: 0.5, w2: 2.0}
    for got, want in zip(values([*top_wrt, *low_wrt, *low_end], at), values(direct, at), strict=True):
        np.testing.assert_allclose(got, want)
    _wrt, end, from_start, from_cost = subgraph_grad([w2], [a], start={b: T.constant(1.0)}, cost=cost, details=True)
    both, plain, part = values([end[0], from_start[0], from_cost[0]], at)
    np.testing.assert_allclose(both, plain + part)
    with pytest.raises(ValueError, match="start"):
        subgraph_grad([w2], [a])


class TestVerifyGrad:
    def test_right_gradients_pass(self):
        verify_grad(lambda x, y: T.tanh(T.dot(x, y)), [A, A.T])
        verify_grad(T.exp, [POINT.astype("float32")], rng=np.random.RandomState(3), n_tests=1)
        verify_grad(lambda x: x.sum(), [np.float64(2.0)])

    @pytest.mark.parametrize("factor", [0.0, 1.01, -1.0])
    def test_wrong_gradients_are_caught(self, factor):
        with pytest.raises(GradientError, match="central differences"):
            verify_grad(lambda x: grad_scale(T.sin(x), factor), [POINT], n_tests=1)

    def test_a_wrong_input_is_named(self):
        with pytest.raises(GradientError, match="input 1"):
            verify_grad(lambda x, y: x * GradientChange("scale", 2.0)(y), [POINT, VECTOR], n_tests=1)

    def test_nan_gradients_are_wrong(self):
        with pytest.raises(GradientError):
            verify_grad(lambda x: x + T.sqrt(x * 0), [POINT], n_tests=1)

    def test_tolerances_and_steps(self):
        loose = {"abs_tol": 1.0, "rel_tol": 1.0}
        verify_grad(lambda x: grad_scale(T.sin(x), 1.01), [POINT], n_tests=1, **loose)
        with pytest.raises(GradientError):
            verify_grad(lambda x: T.exp(5 * x), [POINT], n_tests=1, eps=0.5)

    def test_what_it_takes(self):
        with pytest.raises(TypeError, match="floats"):
            verify_grad(T.exp, [np.arange(3)])
        with pytest.raises(TypeError, match="float64"):
            verify_grad(T.exp, [POINT], out_type="float32")

    def test_the_points_are_left_alone(self):
        point = POINT.copy()
        verify_grad(T.exp, [point], n_tests=1)
        np.testing.assert_array_equal(point, POINT)
