"""Replacing variables after differentiation replaces values: no new path of differentiation opens."""

import numpy as np
import pytest

import croton
import croton.tensor as T


def through_clone(expression, replace, inputs):
    f = croton.function(list(inputs), croton.clone(expression, replace), on_unused_input="ignore")
    return f(*inputs.values())


def through_givens(expression, replace, inputs):
    f = croton.function(list(inputs), expression, givens=replace, on_unused_input="ignore")
    return f(*inputs.values())


@pytest.mark.parametrize("put", [through_clone, through_givens])
class TestSubstitution:
    def test_an_input_by_an_expression_of_the_wrt(self, put):
        x, w = T.dscalars("x", "w")
        g = croton.grad(x * w, w)
        assert put(g, {x: 3 * w}, {w: 2.0}) == 6.0

    def test_used_beside_its_own_gradient(self, put):
        x, w = T.dscalars("x", "w")
        cost = x * w**2
        both = cost + croton.grad(cost, w)
        # 3w * w^2 + 2 (3w) w at w = 2.
        assert put(both, {x: 3 * w}, {w: 2.0}) == 24 + 24

    def test_the_wrt(self, put):
        x, w, u = T.dscalars("x", "w", "u")
        g = croton.grad(x * w**3, w)
        # Differentiated at the replacement, not with respect to what it is made of.
        assert put(g, {w: u**2}, {x: 2.0, u: 3.0}) == 2 * 3 * 81.0

    def test_the_wrt_and_what_meets_it_by_the_same(self, put):
        x, w, u = T.dscalars("x", "w", "u")
        g = croton.grad(x * w**2, w)
        assert put(g, {w: u, x: u}, {u: 3.0}) == 18.0

    def test_an_intermediate(self, put):
        x, w = T.dscalars("x", "w")
        h = T.exp(x * w)
        cost = h * w
        g = croton.grad(cost, w)
        # h is now a constant 5w: what is left of the derivative is h itself.
        assert put(g, {h: 5 * w}, {x: 1.0, w: 2.0}) == 10.0

    def test_an_intermediate_wrt(self, put):
        x, u = T.dscalars("x", "u")
        h = x**2
        g = croton.grad(h**3, h)
        assert put(g, {h: u + 1}, {u: 1.0, x: 7.0}) == 12.0

    def test_by_a_number(self, put):
        x, w = T.dscalars("x", "w")
        g = croton.grad(x * w**2, w)
        assert put(g, {x: T.constant(4.0, dtype="float64")}, {w: 1.5}) == 12.0

    def test_with_no_path_it_stays_one_graph(self, put):
        x, w, u = T.dscalars("x", "w", "u")
        g = croton.grad(T.tanh(x * w), w)
        np.testing.assert_allclose(put(g, {x: u * 2}, {u: 0.5, w: 0.3}), 1 - np.tanh(0.3) ** 2)

    def test_the_gradient_of_a_gradient(self, put):
        x, w = T.dscalars("x", "w")
        second = croton.grad(croton.grad(x * w**3, w), w)
        assert put(second, {x: 2 * w}, {w: 3.0}) == 6 * 6.0 * 3.0

    def test_two_gradients_of_one_cost(self, put):
        x, w, v = T.dscalars("x", "w", "v")
        gw, gv = croton.grad(x * w * v, [w, v])
        # x = w v: held in both.
        assert put(gw + gv, {x: w * v}, {w: 2.0, v: 3.0}) == 6 * 3 + 6 * 2

    def test_jacobians_and_products(self, put):
        x, w = T.dvectors("x", "w")
        y = x * w**2
        at = np.array([1.0, 2.0])
        J = croton.gradient.jacobian(y, w)
        np.testing.assert_allclose(put(J, {x: w}, {w: at}), np.diag(2 * at**2))
        R = croton.gradient.Rop(y, w, T.constant(np.array([1.0, 10.0])))
        np.testing.assert_allclose(put(R, {x: w}, {w: at}), [2.0, 80.0])

    def test_shared_variables(self, put):
        w, d = croton.shared(2.0, "w"), T.dscalar("d")
        g = croton.grad(w**3 * d, w)
        assert put(g, {d: w}, {}) == 24.0


def test_replaced_twice():
    x, w, u = T.dscalars("x", "w", "u")
    g = croton.grad(x * w**2, w)
    once = croton.clone(g, {x: u})
    assert croton.clone(once, {u: 3 * w}).eval({w: 2.0}) == 24.0
    held = croton.clone(g, {x: w})
    assert croton.clone(held, {w: u + 1}).eval({u: 2.0}) == 18.0
    moved = croton.clone(croton.clone(g, {w: u}), {u: x})
    assert moved.eval({x: 5.0}) == 50.0


def test_differentiated_after_substitution():
    x, w, u = T.dscalars("x", "w", "u")
    cost = croton.clone(x * w, {x: 3 * w})
    assert croton.grad(cost, w).eval({w: 2.0}) == 12.0
    # The gradient taken afterwards sees every path of the substituted gradient's value: g = 3w w' at w' = w, so 6w.
    g = croton.clone(croton.grad(x * w**2, w), {x: u})
    assert croton.grad(g, u).eval({u: 1.0, w: 4.0}) == 8.0
    assert croton.grad(g, w).eval({u: 3.0, w: 4.0}) == 6.0


def test_givens_reach_updates():
    x, w = T.dscalar("x"), croton.shared(2.0, "w")
    g = croton.grad(x * w, w)
    f = croton.function([], g, updates=[(w, w - g)], givens={x: 3 * w})
    assert f() == 6.0 and w.get_value() == -4.0


def test_minibatch_givens_leave_gradients_alone():
    data = croton.shared(np.arange(12.0).reshape(6, 2), "data")
    x, i, w = T.dmatrix("x"), T.lscalar("i"), croton.shared(np.ones(2), "w")
    cost = (T.dot(x, w) ** 2).mean()
    f = croton.function([i], croton.grad(cost, w), givens={x: data[2 * i : 2 * (i + 1)]})
    X = np.arange(12.0).reshape(6, 2)[2:4]
    np.testing.assert_allclose(f(1), 2 * X.T @ (X @ np.ones(2)) / 2)


def test_clone_without_sharing_inputs_follows_the_wrt():
    x, w = T.dscalar("x"), croton.shared(2.0, "w")
    g = croton.grad(x * w**2, w)
    copy = croton.clone(g, share_inputs=False)
    leaves = [v for v in croton.graph.inputs([copy]) if v.name == "x"]
    assert leaves[0] is not x and copy.eval({leaves[0]: 3.0}) == 12.0
