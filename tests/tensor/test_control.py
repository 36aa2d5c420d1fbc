"""ifelse computes one branch and no other, in values and derivatives; assertions hold or raise, and then change
nothing.
"""

import pickle

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.gradient import verify_grad
from croton.loop import scan
from croton.printing import Print

x, y = T.dvectors("x", "y")
m = T.dmatrix("m")
i, n = T.lscalars("i", "n")


def traced(v):
    """A condition that only the running program knows."""
    return v.sum() > 0


@pytest.fixture
def seen():
    """A list, and a function that wraps an expression so that its name is added when it is computed."""
    names = []

    def watch(name, expression):
        return Print(name, global_fn=lambda op, _: names.append(op.message))(expression)

    return names, watch


# --- which branch, and what is computed ---


@pytest.mark.parametrize(
    ("condition", "inputs", "yes", "no"),
    [
        (traced(y), [], None, None),
        (x.shape[0] > 2, [], None, None),
        (T.gt(i, 0), [i], [1], [0]),
        (i, [i], [7], [0]),
        (T.dscalar("d"), None, [0.5], [0.0]),
    ],
    ids=["traced", "shape", "integer", "number", "float"],
)
def test_only_the_branch_taken_is_computed(seen, condition, inputs, yes, no):
    names, watch = seen
    inputs = [condition] if inputs is None else inputs
    given = [x, y, *inputs]
    f = croton.function(
        given, T.ifelse(condition, watch("then", x * 2), watch("else", x + 1)), on_unused_input="ignore"
    )
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0])
    np.testing.assert_array_equal(f(a, b, *(yes or [])), a * 2)
    assert names == ["then"]
    a, b = np.array([1.0, 2.0]), np.array([-1.0])
    np.testing.assert_array_equal(f(a, b, *(no or [])), a + 1)
    assert names == ["then", "else"]


@pytest.mark.parametrize("value", [1, 0, 0.5, np.bool_(False), np.nan])
def test_constants_decide_while_tracing(seen, value):
    names, watch = seen
    f = croton.function([x], T.ifelse(value, watch("then", x), watch("else", -x)))
    np.testing.assert_array_equal(f([1.0]), [1.0] if value else [-1.0])
    assert names == ["then" if value else "else"]


def test_a_condition_decided_on_the_host_compiles_once_for_each_answer():
    d = T.dscalar("d")
    f = croton.function([d, x], T.ifelse(d, x, -x))
    for value in (0.0, 0.25, 0.5, 0.0, 2.0):
        np.testing.assert_array_equal(f(value, [3.0]), [3.0 if value else -3.0])
    assert f.trace_count == 2


def test_what_is_needed_outside_too_is_computed_once(seen):
    names, watch = seen
    h = watch("h", T.exp(x))
    f = croton.function([x], [T.ifelse(traced(x), watch("then", h * 2), watch("else", h * 3)), h.sum()])
    f([1.0])
    assert names == ["h", "then"]


def test_lists_and_tuples():
    f = croton.function([x, m], T.ifelse(traced(x), [x, m], [-x, m + 1]))
    found = f([-1.0], [[1.0]])
    np.testing.assert_array_equal(found[0], [1.0])
    np.testing.assert_array_equal(found[1], [[2.0]])
    assert isinstance(T.ifelse(i, [x], [y]), list)
    assert isinstance(T.ifelse(i, (x, m), (y, m)), tuple)
    assert not isinstance(T.ifelse(i, x, y), list | tuple)


def test_nested(seen):
    names, watch = seen
    inner = T.ifelse(traced(y), watch("a", x + 1), watch("b", x + 2))
    f = croton.function([x, y], T.ifelse(traced(x), watch("c", inner * 2), watch("d", -x)))
    np.testing.assert_array_equal(f([1.0], [-1.0]), [6.0])
    np.testing.assert_array_equal(f([-1.0], [-1.0]), [1.0])
    assert names == ["b", "c", "d"]


def test_branches_of_different_shapes():
    out = T.ifelse(traced(y), x, T.concatenate([x, x]))
    f = croton.function([x, y], [out, croton.grad((out**2).sum(), x), T.arange(out.shape[0])])
    for sign, value, slope, count in ((1, [3.0], [6.0], [0]), (-1, [3.0, 3.0], [12.0], [0, 1])):
        for found, expected in zip(f([3.0], [sign]), (value, slope, count), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_many_calls_in_one_program():
    s = croton.shared(1.0, "s")
    t = T.dvector("t")
    f = croton.function([t], s, updates=[(s, T.ifelse(traced(t), s * 2, s + t[0]))])
    np.testing.assert_array_equal(f.over([[1.0], [-3.0], [1.0]]), [1.0, 2.0, -1.0])
    assert s.get_value() == -2.0
    assert f.trace_count == 1


@pytest.mark.parametrize("mode", ["FAST_RUN", "DebugMode", "NanGuardMode"])
def test_modes_that_run_op_by_op(mode):
    s = x.sum()
    f = croton.function([x], croton.grad(T.ifelse(s > 0, T.sqrt(s), s * 0), x), mode=mode)
    np.testing.assert_array_equal(f([0.0, 0.0]), [0.0, 0.0])
    np.testing.assert_array_equal(f([1.0, 3.0]), [0.25, 0.25])


def test_pickle_clone_and_print():
    out = T.ifelse(traced(x), x, -x, name="side")
    again = pickle.loads(pickle.dumps(out))
    assert str(again.owner.op) == "if{side}"
    assert croton.pp(T.ifelse(i, x, y)) == "if{}((i != 0), x, y)"
    swapped = croton.clone(out, {x: y - 5})
    np.testing.assert_array_equal(swapped.eval({y: np.array([1.0])}), [4.0])


# --- errors of the branch that is not taken ---


@pytest.mark.parametrize(
    "branch",
    [
        lambda: x[T.cast(x[0], "int64")],
        lambda: x[5],
        lambda: x[i],
        lambda: T.ifelse(x[0] > -100, x[T.cast(x[0], "int64")], x.sum()),
        lambda: T.dot(x, T.concatenate([x, x])),
        lambda: T.Assert("never")(x[0], x[0] < 0),
        lambda: T.arange(T.cast(1 // (i - 9), "int64")).sum() + x[0],
    ],
    ids=["data", "constant", "integer", "nested", "shapes", "assertion", "division"],
)
def test_an_error_counts_only_in_the_branch_that_is_taken(branch):
    state = croton.shared(0.0, "state")
    out = T.ifelse(traced(y), branch(), T.log(-y).sum())
    f = croton.function([x, y, i], out, updates=[(state, state + 1)], on_unused_input="ignore")
    arguments = np.array([9.0, 9.0]), 9
    assert f(arguments[0], [-1.0], arguments[1]) == 0.0
    assert state.get_value() == 1.0
    with pytest.raises((IndexError, ValueError, AssertionError, ZeroDivisionError)):
        f(arguments[0], [1.0], arguments[1])
    assert state.get_value() == 1.0


def test_checks_of_a_branch_name_the_one_that_failed():
    k, j = T.lvectors("k", "j")
    f = croton.function([x, k, j], T.ifelse(traced(x), x[k].sum() + x[j].sum(), x[j].sum()))
    with pytest.raises(IndexError, match=r"Built at .*test_control"):
        f([1.0], [0], [4])
    with pytest.raises(IndexError):
        f([1.0], [4], [0])
    assert f([-1.0], [4], [0]) == -1.0
    with pytest.raises(IndexError):
        f([-1.0], [0], [4])


# --- derivatives ---


def test_gradients_agree_with_differences():
    def both(a, b):
        return T.ifelse(traced(a), T.tanh(a) * b[0], a**3 + b.sum() * a)

    rng = np.random.RandomState(1)
    for sign in (1, -1):
        verify_grad(both, [sign * rng.uniform(0.2, 1, 3), rng.uniform(size=2)], n_tests=1, rng=rng)


def test_an_infinite_derivative_of_the_branch_not_taken_is_no_part_of_it():
    s = x.sum()
    out = T.ifelse(s > 0, T.log(s) + T.sqrt(s), s**2)
    g = croton.grad(out, x)
    f = croton.function([x], [out, g, T.grad(g[0], x), croton.Rop(out, x, T.ones_like(x))])
    for found, expected in zip(f([0.0, 0.0]), (0.0, [0, 0], [2, 2], 0.0), strict=True):
        np.testing.assert_array_equal(found, expected)
    first, second = 1 / 4 + 0.25, -1 / 16 - 1 / 32
    expected = (np.log(4) + 2, [first] * 2, [second] * 2, 2 * first)
    for found, true in zip(f([1.0, 3.0]), expected, strict=True):
        np.testing.assert_allclose(found, true, rtol=1e-12)


def test_jacobian_and_hessian():
    s = x.sum()
    out = T.ifelse(s > 0, x**2, T.log(x) * 0)
    f = croton.function([x], [croton.jacobian(out, x), croton.hessian(T.ifelse(s > 0, s**3, T.sqrt(s)), x)])
    found = f([1.0, 2.0])
    np.testing.assert_allclose(found[0], np.diag([2.0, 4.0]))
    np.testing.assert_allclose(found[1], np.full((2, 2), 18.0))


def test_with_respect_to_what_lies_inside_a_branch():
    h = x * 3
    out = T.ifelse(traced(x), (h**2).sum(), y.sum())
    f = croton.function([x, y], croton.grad(out, [h, y]), on_unused_input="ignore")
    for sign, of_h, of_y in ((1, 18.0, 0.0), (-1, 0.0, 1.0)):
        found = f([sign * 3.0], [1.0])
        np.testing.assert_array_equal(found[0], [of_h])
        np.testing.assert_array_equal(found[1], [of_y])


def test_the_parts_of_a_branch_that_do_not_move_are_left_to_it(seen):
    names, watch = seen
    out = T.ifelse(traced(y), (x * watch("then", T.exp(y))).sum(), (x * watch("else", T.cos(y))).sum())
    f = croton.function([x, y], croton.grad(out, x))
    np.testing.assert_allclose(f([1.0], [2.0]), np.exp([2.0]))
    assert names == ["then"]


def test_gradient_of_the_condition_is_zero():
    d = T.dscalar("d")
    assert croton.function([d, x], croton.grad(T.ifelse(d, x, 2 * x).sum(), d))(1.0, [1.0]) == 0.0


# --- what is refused ---


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((x, x, y), TypeError, "condition must be a scalar, .* not x of"),
        ((i, x, m), TypeError, "identical types, but x is .*vector.* and m is .*matrix"),
        ((i, x, T.fvector("f")), TypeError, "identical types, .*float32"),
        ((i, 1.0, 2), TypeError, "identical types"),
        ((i, [x, y], [y]), ValueError, r"2 \(then\) and 1 \(else\)"),
        ((i, [x, m], [m, x]), TypeError, "identical types"),
        ((True, x, y), T.AsTensorError, "boolean"),
        (("a", x, y), T.AsTensorError, "'a'"),
    ],
)
def test_wrong_use(arguments, error, says):
    with pytest.raises(error, match=says):
        T.ifelse(*arguments)


def test_static_lengths_that_differ_become_unknown():
    assert T.ifelse(i, T.drow("r"), m).broadcastable == (False, False)
    assert T.ifelse(i, T.ones((2, 3)), T.zeros((2, 4))).type.shape == (2, None)


# --- assertions ---


@pytest.mark.parametrize("conds", [(x.sum() > 0,), (x > 0,), (x.shape[0] > 0, x.max() > 0, 1), (n > 0,)])
def test_an_assertion_holds_or_raises_and_then_changes_nothing(conds):
    state = croton.shared(np.zeros(3), "state")
    f = croton.function(
        [x, n], T.Assert("out of range")(x * 2, *conds), updates=[(state, state + 1)], on_unused_input="ignore"
    )
    np.testing.assert_array_equal(f([1.0, 2.0], 1), [2.0, 4.0])
    np.testing.assert_array_equal(state.get_value(), np.ones(3))
    with pytest.raises(AssertionError, match=r"out of range\n(.*\n)*Built at .*test_control"):
        f([-1.0, -2.0], -1)
    np.testing.assert_array_equal(state.get_value(), np.ones(3))


def test_a_large_shared_value_is_not_consumed_by_a_function_with_an_assertion():
    state = croton.shared(np.zeros(1 << 18), "state")
    f = croton.function([x], [], updates=[(state, T.assert_op(state + 1, x[0] > 0))])
    for _ in range(2):
        with pytest.raises(AssertionError):
            f([-1.0])
    f([1.0])
    assert state.get_value().sum() == 1 << 18


def test_a_constant_that_is_false_raises_when_it_runs():
    f = croton.function([x], T.Assert("never")(x, 0))
    with pytest.raises(AssertionError, match="never"):
        f([1.0])
    assert croton.function([x], T.Assert()(x, 1))([1.0]) == 1.0


def test_the_derivative_goes_through_to_the_value_alone():
    d = T.dscalar("d")
    out = T.Assert()(x**2, d > 0).sum()
    f = croton.function([x, d], croton.grad(out, x))
    np.testing.assert_array_equal(f([3.0], 1.0), [6.0])
    with pytest.raises(AssertionError):
        f([3.0], -1.0)
    with pytest.raises(croton.gradient.DisconnectedInputError):
        croton.grad(T.Assert()(x, d).sum(), d)


def test_an_assertion_about_a_length_may_decide_shapes():
    f = croton.function([n], T.arange(T.Assert("negative")(n, n >= 0)))
    np.testing.assert_array_equal(f(2), [0, 1])
    with pytest.raises(AssertionError, match="negative"):
        f(-1)


def test_assertions_are_equal_by_their_message():
    assert T.Assert("a") == T.Assert("a") != T.Assert("b")
    assert str(T.Assert("a")(x, 1)) == "Assert{msg='a'}.0"


def test_constants_give_the_static_length():
    assert T.zeros(T.ifelse(1, 3, 4)).type.shape == (3,)
    assert T.zeros(T.ifelse(0, 3, 4)).type.shape == (4,)


def test_checks_that_some_shapes_alone_have_are_not_lost_after_others():
    k = T.lvector("k")
    f = croton.function([x, k], T.ifelse(x.shape[0] > 2, x[k].sum(), x.sum()))
    for _ in range(3):
        assert f([1.0], [9]) == 1.0
    with pytest.raises(IndexError):
        f([1.0, 2.0, 3.0], [9])


# --- in loops ---


def test_a_choice_in_each_step_of_a_loop(seen):
    names, watch = seen

    def step(v, total):
        return T.ifelse(v > 0, total + watch("root", T.sqrt(v)), total * 2)

    out, _ = scan(step, sequences=x, outputs_info=T.constant(1.0, dtype="float64"))
    f = croton.function([x], [out, croton.grad(out[-1], x)])
    found = f([4.0, -1.0, 9.0])
    np.testing.assert_allclose(found[0], [3.0, 6.0, 9.0])
    np.testing.assert_allclose(found[1], [0.5, 0.0, 1 / 6])
    forward = croton.function([x], [croton.Rop(out[-1], x, T.ones_like(x)), out[-1]])
    names.clear()
    assert forward([4.0, -1.0, 0.0])[1] == 12.0
    assert names == ["root"]


def test_an_assertion_in_a_step_of_a_loop():
    state = croton.shared(0.0, "state")
    out, _ = scan(lambda v: T.Assert("not positive")(v * 2, v > 0), sequences=x)
    f = croton.function([x], out, updates=[(state, state + 1)])
    np.testing.assert_array_equal(f([1.0, 2.0]), [2.0, 4.0])
    with pytest.raises(AssertionError, match="not positive"):
        f([1.0, -2.0, 3.0])
    assert state.get_value() == 1.0
