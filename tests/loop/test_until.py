"""Loops that stop after the step in which a condition holds."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.loop import scan, until

x, w, z = T.dvector("x"), T.dscalar("w"), T.dscalar("z")
A = np.arange(8.0)


def growing(v, p, w):
    new = p * w + v
    return new, until(new > 10)


def steps_of(a, z, w):
    outs = []
    for v in a:
        z = z * w + v
        outs.append(z)
        if z > 10:
            break
    return np.array(outs)


stacked, _ = scan(growing, x, z, w)


def test_outputs_end_with_the_step_that_stops():
    two, _ = scan(lambda v: ([v, v * 2], until(v >= 4)), x)
    f = croton.function([x, z, w], [stacked, *two, stacked[-1], stacked.shape[0], stacked[::-1][0]])
    for arguments in [(A, 1.0, 1.5), (A, 1.0, 0.1), (A[:2], 0.0, 1.0), (A, 100.0, 1.0)]:
        wanted = steps_of(*arguments)
        out, a, b, last, n, first = f(*arguments)
        np.testing.assert_allclose(out, wanted)
        k = min(5, len(arguments[0]))
        np.testing.assert_array_equal(a, arguments[0][:k])
        np.testing.assert_array_equal(b, arguments[0][:k] * 2)
        assert last == wanted[-1] == first and n == len(wanted)


def test_where_only_the_last_value_is_read_one_program_serves_all():
    counts, _ = scan(lambda v, k: ([v, k + 1], until(v * w > 3)), x, [None, T.constant(0, dtype="int64")])
    f = croton.function([x, w], [counts[0][-1], counts[1][-1]])
    for factor, value, k in [(1.0, 4.0, 5), (2.0, 2.0, 3), (0.0, 7.0, 8), (3.5, 1.0, 2)]:
        assert f(A, factor) == [value, k]
    assert f.trace_count == 1


def test_how_the_condition_may_be_returned():
    c = croton.shared(0)
    for result in (
        lambda v: (v, until(v > 1)),
        lambda v: ([v], until(v > 1)),
        lambda v: ([v], {}, until(v > 1)),
        lambda v: ({}, [v], until(v > 1)),
        lambda v: [v, {c: c + 1}, until(v > 1)],
        lambda v: [v, until(T.cast(v > 1, "int8"))],
    ):
        out, _ = scan(result, x)
        np.testing.assert_array_equal(out.eval({x: A}), [0.0, 1.0, 2.0])
    out, updates = scan(lambda: ({c: c + 1}, until(c >= 3)), n_steps=100)
    assert out is None
    f = croton.function([], [], updates=updates)
    f()
    assert c.get_value() == 4
    f()
    assert c.get_value() == 5


def test_a_number_of_steps_is_the_most():
    out, _ = scan(lambda p: (p * 2, until(p > 20)), outputs_info=z, n_steps=T.iscalar("n"))
    n = out.owner.inputs[0]
    f = croton.function([z, n], out)
    np.testing.assert_array_equal(f(1.0, 3), [2.0, 4.0, 8.0])
    np.testing.assert_array_equal(f(1.0, 100), [2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    assert f(1.0, 0).shape == (0,)
    short, _ = scan(lambda v: (v, until(v > 1)), x, n_steps=100)
    np.testing.assert_array_equal(short.eval({x: A}), [0.0, 1.0, 2.0])


def test_shared_values_change_in_the_steps_that_are_made():
    total = croton.shared(0.0)
    _, updates = scan(lambda v: ({total: total + v}, until(v >= 3)), x)
    croton.function([x], [], updates=updates)(A)
    assert total.get_value() == 6.0


@pytest.mark.parametrize("read", ["all", "last", "both"])
def test_gradients(read, numeric):
    """By sequences, initial states and non-sequences; the steps that are not made have no part in it."""
    costs = {"all": T.sqr(stacked).sum(), "last": T.sqr(stacked[-1])}
    by_hand = {"all": lambda *a: (steps_of(*a) ** 2).sum(), "last": lambda *a: steps_of(*a)[-1] ** 2}
    names = ["all", "last"] if read == "both" else [read]
    cost = sum(costs[n] for n in names)
    f = croton.function([x, z, w], [cost, *croton.grad(cost, [x, z, w])])
    for arguments in [(A, 1.0, 1.5), (A, 1.0, 0.1)]:
        value, *found = f(*arguments)
        wanted = lambda *a: sum(by_hand[n](*a) for n in names)  # noqa: E731
        np.testing.assert_allclose(value, wanted(*arguments))
        for a, b in zip(found, numeric(wanted, *arguments), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_the_gradient_that_the_original_gets_wrong():
    out, _ = scan(lambda v: (T.sqr(v), until(v >= 3)), x)
    gradient = croton.grad(out.sum(), x)
    np.testing.assert_array_equal(gradient.eval({x: np.arange(1.0, 6.0)}), [2.0, 4.0, 6.0, 0.0, 0.0])


def test_further_derivatives():
    cost = T.sqr(stacked).sum()
    second = croton.grad(croton.grad(cost, w), w)
    forward = croton.Rop(stacked, w, T.ones_like(w))
    f = croton.function([x, z, w], [second, forward])
    h = 1e-4
    costs = [(steps_of(A, 1.0, 1.5 + d) ** 2).sum() for d in (-h, 0, h)]
    found, pushed = f(A, 1.0, 1.5)
    np.testing.assert_allclose(found, (costs[0] - 2 * costs[1] + costs[2]) / h**2, rtol=1e-5)
    np.testing.assert_allclose(pushed, (steps_of(A, 1.0, 1.5 + h) - steps_of(A, 1.0, 1.5 - h)) / (2 * h), rtol=1e-6)


def test_truncation_counts_from_the_last_step_made():
    out, _ = scan(growing, x, z, w, truncate_gradient=1)
    gradients = croton.grad(out.sum(), [x, z])
    gx, gz = croton.function([x, z, w], gradients)(A, 1.0, 1.5)
    made = len(steps_of(A, 1.0, 1.5))
    np.testing.assert_array_equal(gx, np.eye(8)[made - 1])
    assert gz == 0.0


def test_a_loop_inside_a_loop_that_stops():
    X = T.dmatrix("X")
    last, _ = scan(lambda r: scan(lambda v, p: (p + v, until(p + v > 2)), r, T.zeros_like(r[0]))[0][-1], X)
    np.testing.assert_array_equal(last.eval({X: [[1.0, 2.0, 4.0], [0.0, 1.0, 1.0]]}), [3.0, 2.0])


def test_the_condition_must_be_a_scalar():
    with pytest.raises(ValueError, match="until takes a scalar"):
        until(x > 1)
