"""``grad``: its keywords, what it may be taken with respect to, and its errors."""

import warnings

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.gradient import (
    DisconnectedInputError,
    DisconnectedType,
    NullTypeGradError,
    consider_constant,
    disconnected_grad,
    grad_clip,
    grad_scale,
    undefined_grad,
    zero_grad,
)


def values(expressions, inputs):
    """All expressions' values, by one function."""
    f = croton.function(list(inputs), expressions, on_unused_input="ignore")
    return f(*inputs.values())


def test_the_form_of_wrt_comes_back():
    x, y = T.dscalars("x", "y")
    cost = x**2 * y
    assert isinstance(croton.grad(cost, x), croton.Variable)
    assert type(croton.grad(cost, [x, y])) is list
    assert type(croton.grad(cost, (x, y))) is tuple
    assert croton.grad(cost, []) == []
    with pytest.raises(TypeError, match="order"):
        croton.grad(cost, {x, y})
    with pytest.raises(TypeError, match="variables"):
        croton.grad(cost, [x, 3])


def test_dtypes_and_types():
    x, i, f, r = T.dvector("x"), T.ivector("i"), T.fvector("f"), T.drow("r")
    cost = (x * i * f).sum() + (r * 2.0).sum()
    gx, gi, gf, gr = croton.grad(cost, [x, i, f, r])
    assert (gx.dtype, gi.dtype, gf.dtype) == ("float64", croton.config.floatX, "float32")
    assert gr.broadcastable == (True, False)


def test_names():
    x, y = T.dscalars("x", "y")
    cost = x * y
    assert croton.grad(cost, x).name is None
    cost.name = "c"
    assert croton.grad(cost, x).name == "(dc/dx)"
    assert croton.grad(cost, x, add_names=False).name is None


@pytest.mark.parametrize(
    ("cost", "message"),
    [(T.dvector("v"), "cost must be a scalar"), (T.iscalar("n"), "float")],
)
def test_what_is_no_cost(cost, message):
    with pytest.raises(TypeError, match=message):
        croton.grad(cost, cost)


def test_nothing_to_differentiate():
    x = T.dscalar("x")
    with pytest.raises((ValueError, AssertionError), match="known_grads"):
        croton.grad(None, x)


def test_cost_as_its_own_wrt():
    x = T.dscalar("x")
    cost = x**2
    assert values([croton.grad(x, x), croton.grad(cost, cost)], {x: 3.0}) == [1.0, 1.0]


class TestDisconnected:
    def test_policies(self):
        x, y = T.dvector("x"), T.dvector("y")
        cost = x.sum()
        with pytest.raises(DisconnectedInputError, match="y"):
            croton.grad(cost, [x, y])
        assert issubclass(DisconnectedInputError, ValueError)
        with pytest.warns(UserWarning, match="does not depend on y"):
            croton.grad(cost, [x, y], disconnected_inputs="warn")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gy = croton.grad(cost, y, disconnected_inputs="ignore")
        assert (gy.eval({y: [1.0, 2.0]}) == [0, 0]).all()
        assert croton.grad(cost, y, disconnected_inputs="ignore", return_disconnected="None") is None
        stand_in = croton.grad(cost, [x, y], disconnected_inputs="ignore", return_disconnected="Disconnected")[1]
        assert isinstance(stand_in.type, DisconnectedType)

    @pytest.mark.parametrize("name", ["disconnected_inputs", "return_disconnected", "null_gradients"])
    def test_unknown_policies(self, name):
        x = T.dscalar("x")
        with pytest.raises(ValueError, match=name):
            croton.grad(x**2, x, **{name: "zeros"})

    @pytest.mark.parametrize(
        "build",
        [
            lambda x: x.shape[0].astype("float64"),
            lambda x: T.argmax(x).astype("float64"),
            lambda x: T.zeros_like(x).sum(),
            lambda x: disconnected_grad(x).sum(),
            lambda x: T.arange(x.shape[0]).sum().astype("float64"),
        ],
    )
    def test_paths_that_carry_no_derivative(self, build):
        x = T.dvector("x")
        with pytest.raises(DisconnectedInputError):
            croton.grad(build(x), x)

    @pytest.mark.parametrize(
        "build",
        [
            lambda x: T.round(x).sum(),
            lambda x: T.sgn(x).sum(),
            lambda x: T.floor(x).sum() + T.ceil(x).sum(),
            lambda x: T.gt(x, 0).sum().astype("float64"),
            lambda x: T.cast(T.cast(x, "int32"), "float64").sum(),
            lambda x: zero_grad(x).sum(),
        ],
    )
    def test_zero_is_not_disconnected(self, build):
        x = T.dvector("x")
        assert (croton.grad(build(x), x).eval({x: [0.3, -1.2]}) == [0, 0]).all()


class TestConsiderConstant:
    def test_held_variables_carry_no_derivative(self):
        x, y = T.dscalars("x", "y")
        h = x * y
        cost = h * x
        free, held, held_leaf = values(
            [
                croton.grad(cost, x),
                croton.grad(cost, x, consider_constant=[h]),
                croton.grad(cost, x, consider_constant=[y]),
            ],
            {x: 3.0, y: 5.0},
        )
        assert (free, held, held_leaf) == (30.0, 15.0, 30.0)

    def test_all_paths_held_is_disconnected(self):
        x = T.dscalar("x")
        h = T.exp(x)
        with pytest.raises(DisconnectedInputError):
            croton.grad(h**2, x, consider_constant=[h])

    def test_held_and_wrt_at_once(self):
        x = T.dscalar("x")
        h = x**2
        gh = croton.grad(h**3, h, consider_constant=[x])
        assert gh.eval({x: 2.0}) == 48.0

    def test_a_held_wrt_has_its_gradient_but_passes_none_on(self):
        x = T.dscalar("x")
        h = x**2
        cost = h**3 + x
        gh, gx = croton.grad(cost, [h, x], consider_constant=[h])
        jh, jx = croton.gradient.jacobian(cost, [h, x], consider_constant=[h])
        leaf = croton.grad(cost, x, consider_constant=[x])
        assert values([gh, gx, jh, jx, leaf], {x: 2.0}) == [48.0, 1.0, 48.0, 1.0, 193.0]
        with pytest.raises(DisconnectedInputError):
            croton.grad(h**3, [h, x], consider_constant=[h])

    def test_the_two_kinds_of_gradient_stay_apart(self):
        x = T.dscalar("x")
        h = T.exp(x)
        cost = h * x
        pairs = values(
            [croton.grad(cost, x), croton.grad(cost, x, consider_constant=[h]), croton.grad(cost, x)], {x: 1.0}
        )
        np.testing.assert_allclose(pairs, [2 * np.e, np.e, 2 * np.e])


class TestKnownGrads:
    def test_without_a_cost(self):
        x, g = T.dvector("x"), T.dvector("g")
        h = x**2
        assert list(croton.grad(None, x, known_grads={h: g}).eval({x: [1.0, 2.0], g: [3.0, 4.0]})) == [6.0, 16.0]

    def test_with_a_cost_the_known_one_replaces_what_is_behind_it(self):
        x, y = T.dscalars("x", "y")
        h = x * y
        cost = T.exp(h) + x
        got = croton.grad(cost, x, known_grads={h: T.constant(10.0, dtype="float64")})
        # The known gradient stands for all that comes through h: 10 y; the path that avoids h adds 1.
        assert got.eval({x: 0.3, y: 2.0}) == 21.0

    def test_the_known_one_itself(self):
        x = T.dscalar("x")
        h = x**2
        gh, gx = croton.grad(None, [h, x], known_grads={h: T.constant(7.0, dtype="float64")})
        assert values([gh, gx], {x: 3.0}) == [7.0, 42.0]

    def test_the_cost_may_be_known(self):
        x = T.dscalar("x")
        cost = x**2
        assert croton.grad(cost, x, known_grads={cost: T.constant(10.0, dtype="float64")}).eval({x: 3.0}) == 60.0

    def test_several_that_follow_one_another(self):
        x = T.dscalar("x")
        a = x * 3.0
        b = a**2
        ga = T.constant(100.0, dtype="float64")
        gb = T.constant(1.0, dtype="float64")
        # What is known of a includes what comes from b.
        assert croton.grad(None, x, known_grads={a: ga, b: gb}).eval({x: 1.0}) == 300.0

    def test_wrong_rank(self):
        x = T.dvector("x")
        with pytest.raises((ValueError, TypeError), match="dimensions"):
            croton.grad(None, x, known_grads={x**2: T.dmatrix("g")})


class TestIntermediate:
    def test_alone_nested_and_with_leaves(self):
        x, y = T.dscalars("x", "y")
        a = x * y
        b = T.exp(a)
        cost = b * a + x
        at = {x: 0.5, y: 2.0}
        alone = [croton.grad(cost, v) for v in (a, b, x)]
        together = croton.grad(cost, [a, b, x, y])
        e = np.e
        np.testing.assert_allclose(values(alone, at), [2 * e, 1.0, 2 * e * 2 + 1])
        np.testing.assert_allclose(values(together, at), [2 * e, 1.0, 2 * e * 2 + 1, 2 * e * 0.5])

    def test_inside_a_stabilized_pattern(self):
        x, y = T.dmatrix("x"), T.ivector("y")
        p = T.nnet.softmax(x)
        cost = -T.log(p)[T.arange(y.shape[0]), y].sum()
        gp, gx = croton.grad(cost, [p, x])
        at = np.log([[0.2, 0.3, 0.5]])
        for_p, for_x, value = values([gp, gx, cost], {x: at, y: np.array([1], "int32")})
        np.testing.assert_allclose(for_p, [[0, -1 / 0.3, 0]])
        np.testing.assert_allclose(for_x, [[0.2, -0.7, 0.5]])
        np.testing.assert_allclose(value, -np.log(0.3))

    def test_a_shared_variable_and_a_part_of_it(self):
        w = croton.shared(np.array([1.0, 2.0, 3.0]), "w")
        part = w[1:]
        gw, gpart = croton.grad((part**2).sum() + w.sum(), [w, part])
        full, own = values([gw, gpart], {})
        assert list(full) == [1, 5, 7] and list(own) == [4, 6]


class TestIntegers:
    def test_the_gradient_goes_to_the_float_that_the_integer_became(self):
        i = T.ivector("i")
        g = croton.grad((i * 1.5).sum(), i)
        assert g.dtype == "float32" and list(g.eval({i: [1, 2]})) == [1.5, 1.5]

    def test_several_uses_add_up(self):
        i, x = T.lscalar("i"), T.dscalar("x")
        cost = T.exp(i) * x + i * x**2
        gi, gx = croton.grad(cost, [i, x])
        got = values([gi, gx], {i: 1, x: 2.0})
        np.testing.assert_allclose(got, [2 * np.e + 4, np.e + 4], rtol=1e-6)

    def test_integer_arithmetic_has_zero_gradient(self):
        i = T.ivector("i")
        g = croton.grad((i * 2).sum().astype("float64") * 1.0, i)
        assert list(g.eval({i: [1, 2]})) == [0, 0]

    def test_indices_are_disconnected(self):
        x, i = T.dvector("x"), T.lscalar("i")
        with pytest.raises(DisconnectedInputError):
            croton.grad(x[i], i)


class TestIdentities:
    def test_values_pass_and_derivatives_change(self):
        x = T.dvector("x")
        forms = [disconnected_grad(x), zero_grad(x), grad_clip(x, -1, 0.5), grad_scale(x, -2)]
        at = np.array([3.0, -4.0])
        for same in values(forms, {x: at}):
            np.testing.assert_array_equal(same, at)
        gradients = [croton.grad((v * x**2).sum(), x) for v in forms]
        # d/dx of v x^2 is 2 v x plus what comes back through v, whose incoming gradient is x^2 = (9, 16).
        for got, through in zip(values(gradients, {x: at}), [0, 0, 0.5, [-18, -32]], strict=True):
            np.testing.assert_allclose(got, 2 * at * at + through)

    def test_clip_of_small_and_negative_gradients(self):
        x, k = T.dvector("x"), np.array([0.3, -0.2, 7.0, -7.0])
        g = croton.grad((grad_clip(x, -1, 1) * k).sum(), x)
        np.testing.assert_allclose(g.eval({x: np.zeros(4)}), [0.3, -0.2, 1, -1])

    def test_float32_stays_float32(self):
        x = T.fscalar("x")
        assert croton.grad(grad_clip(x, -1, 1) * grad_scale(x, 0.1), x).eval({x: 0.25}).dtype == "float32"

    def test_clip_bounds_in_order(self):
        with pytest.raises(ValueError, match="above"):
            grad_clip(T.dscalar(), 1, -1)

    def test_undefined(self):
        x, y = T.dscalars("x", "y")
        cost = undefined_grad(x) * y
        assert issubclass(NullTypeGradError, TypeError)
        with pytest.raises(NullTypeGradError, match="x"):
            croton.grad(cost, x)
        assert croton.grad(cost, y).eval({x: 3.0, y: 1.0}) == 3.0
        gx, gy = croton.grad(cost, [x, y], null_gradients="return")
        assert gx is None
        assert gy.eval({x: 3.0, y: 1.0}) == 3.0
        # No derivative comes to the op without one, so nothing is undefined.
        assert croton.grad(disconnected_grad(cost) * x, x).eval({x: 3.0, y: 2.0}) == 6.0

    def test_deprecated_name(self):
        x = T.dscalar("x")
        with pytest.warns(DeprecationWarning, match="zero_grad"):
            held = consider_constant(x)
        assert croton.grad(held * x, x).eval({x: 3.0}) == 3.0

    def test_linear_identities_pass_forward_derivatives(self):
        x = T.dscalar("x")
        one = T.constant(1.0, dtype="float64")
        assert croton.gradient.Rop(grad_clip(x, -1, 1) * 5, x, one).eval({x: 2.0}) == 5.0


class TestSpecialPoints:
    """Derivatives at the points that the contract names."""

    @pytest.mark.parametrize(
        ("build", "point", "wanted"),
        [
            (lambda x: T.maximum(x, 0).sum(), [0.0], [1]),
            (lambda x: T.maximum(0, x).sum(), [0.0], [0]),
            (lambda x: T.switch(x > 0, x, 0).sum(), [0.0], [0]),
            (lambda x: T.clip(x, -1, 1).sum(), [-1.0, 1.0, 2.0], [1, 1, 0]),
            (lambda x: abs(x).sum(), [0.0, -2.0], [0, -1]),
            (lambda x: T.prod(x), [0.0, 2.0, 3.0], [6, 0, 0]),
            (lambda x: T.sqrt(x).sum(), [0.0], [np.inf]),
            (lambda x: x.norm(2), [0.0, 0.0], [0, 0]),
            (lambda x: (x % 3).sum(), [5.0], [1]),
            (lambda x: T.switch(x > 0, T.log(x), 0).sum(), [0.0, 2.0], [0, 0.5]),
            (lambda x: (x**2).sum(), [0.0, 3.0], [0, 6]),
            (lambda x: (x**0).sum(), [0.0], [0]),
        ],
    )
    def test_points(self, build, point, wanted):
        x = T.dvector("x")
        np.testing.assert_array_equal(croton.grad(build(x), x).eval({x: np.array(point)}), wanted)

    def test_ties_of_max_share_one(self):
        x = T.dvector("x")
        g = croton.grad(T.max(x), x).eval({x: [2.0, 1.0, 2.0]})
        assert g.sum() == 1 and g[1] == 0 and (g >= 0).all()

    def test_powers_of_zero(self):
        x, y = T.dscalars("x", "y")
        gx, gy = croton.grad(x**y, [x, y])
        assert values([gx, gy], {x: 0.0, y: 2.0}) == [0.0, 0.0]
        assert np.isnan(values([gy], {x: -1.5, y: 2.0})[0])
