"""Shared variables that change from step to step: by the step's updates, and as states of random streams."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.loop import scan
from croton.tensor.random import MRG_RandomStreams, RandomStreams

x = T.dvector("x")
STREAMS = [MRG_RandomStreams, RandomStreams]


def test_shared_values_change_with_each_step():
    c, d = croton.shared(1.0, "c"), croton.shared(np.arange(2.0), "d")
    out, updates = scan(lambda v: ([c * v, d.sum()], [(c, c + v), (d, d * c)]), x)
    assert list(updates) == [c, d]
    f = croton.function([x], out, updates=updates)
    a, b = f([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(a, [1.0, 4.0, 12.0])
    np.testing.assert_array_equal(b, [1.0, 1.0, 2.0])
    assert c.get_value() == 7.0
    np.testing.assert_array_equal(d.get_value(), [0.0, 8.0])
    unchanged = croton.function([x], out)
    np.testing.assert_array_equal(unchanged([1.0])[0], [7.0])
    assert c.get_value() in (7.0, 8.0)


def test_an_update_of_one_shared_variable_read_outside():
    """The loop begins with the value before the call; outside the loop, too, that value is seen."""
    c = croton.shared(2.0)
    out, updates = scan(lambda: (c, {c: c * 3}), n_steps=3)
    f = croton.function([], [out, c + 0.5], updates=updates)
    first, seen = f()
    np.testing.assert_array_equal(first, [2.0, 6.0, 18.0])
    assert seen == 2.5 and c.get_value() == 54.0


def test_gradients_by_shared_values_that_change():
    c = croton.shared(2.0)
    out, _ = scan(lambda v: (v * c**2, {c: c * v}), x)
    through, _ = scan(lambda v: (c, {c: c + v**2}), x)
    outputs = [*croton.grad(out.sum(), [x, c]), croton.grad(through.sum(), x)]
    gx, gc, only = croton.function([x], outputs)([1.0, 3.0, 2.0])
    np.testing.assert_array_equal(only, [4.0, 6.0, 0.0])

    def cost(a, c):
        total = 0.0
        for v in a:
            total, c = total + v * c**2, c * v
        return total

    a, h = np.array([1.0, 3.0, 2.0]), 1e-6
    np.testing.assert_allclose(gc, (cost(a, 2 + h) - cost(a, 2 - h)) / (2 * h), rtol=1e-6)
    for k in range(3):
        e = np.eye(3)[k] * h
        np.testing.assert_allclose(gx[k], (cost(a + e, 2.0) - cost(a - e, 2.0)) / (2 * h), rtol=1e-6)


def test_updates_of_two_loops():
    c = croton.shared(0.0)
    _, one = scan(lambda: {c: c + 1}, n_steps=2)
    _, two = scan(lambda: {c: c + 2}, n_steps=2)
    with pytest.raises(KeyError, match="Collision"):
        one + two
    d = croton.shared(0.0)
    _, other = scan(lambda: {d: d + 5}, n_steps=2)
    croton.function([], [], updates=one + other)()
    assert c.get_value() == 2.0 and d.get_value() == 10.0


def test_updates_through_loops_in_loops():
    c = croton.shared(0)

    def outer(k):
        inner, updates = scan(lambda: (c, {c: c + 1}), n_steps=2)
        return inner, updates

    out, updates = scan(outer, T.arange(3))
    np.testing.assert_array_equal(croton.function([], out, updates=updates)(), [[0, 1], [2, 3], [4, 5]])
    assert c.get_value() == 6


@pytest.mark.parametrize("streams", STREAMS)
def test_draws_in_steps_are_those_of_calls_one_after_another(streams):
    rng, same = streams(7), streams(7)
    out, updates = scan(lambda: rng.uniform((3,)), n_steps=4)
    f = croton.function([], out, updates=updates)
    one = croton.function([], same.uniform((3,)))
    draws = np.concatenate([f(), f()])
    np.testing.assert_array_equal(draws, [one() for _ in range(8)])
    assert len(np.unique(draws)) == draws.size


@pytest.mark.parametrize("streams", STREAMS)
def test_forgotten_updates_are_made_all_the_same(streams):
    rng, same = streams(7), streams(7)
    out, _ = scan(lambda p: p + rng.normal((2,)), outputs_info=T.zeros((2,)), n_steps=3)
    f = croton.function([], out[-1])
    one = croton.function([], same.normal((2,)))
    for _ in range(2):
        np.testing.assert_allclose(f(), sum(one() for _ in range(3)), rtol=1e-5)


def test_a_draw_passed_in_or_drawn_outside_is_one_draw():
    rng = MRG_RandomStreams(3)
    with croton.config(floatX="float64"):
        mask = rng.binomial((4,), p=0.5)
        passed, u1 = scan(lambda m, k: m * k, non_sequences=mask, sequences=x)
        passed_twice, u2 = scan(lambda k, m: m + 0 * k + mask, x, None, mask)
    f = croton.function([x], [mask, passed, passed_twice], updates=u1 + u2)
    masks = set()
    for _ in range(8):
        m, rows, twice = f([1.0, 2.0, 3.0])
        np.testing.assert_array_equal(rows, np.outer([1, 2, 3], m))
        np.testing.assert_array_equal(twice, [2 * m] * 3)
        masks.add(tuple(m))
    assert len(masks) > 1


def test_draws_of_each_chain_in_a_loop_in_a_loop():
    """Gibbs chains inside a loop over data, whose updates come through both; each draw is another."""
    rng = RandomStreams(5)

    def chain(v):
        inner, updates = scan(lambda p: p * 0.5 + rng.uniform(()), outputs_info=T.cast(v, "float32"), n_steps=2)
        return inner, updates

    out, updates = scan(chain, x)
    f = croton.function([x], out, updates=updates)
    a, b = f([0.0, 0.0, 0.0]), f([0.0, 0.0, 0.0])
    assert len(np.unique([a, b])) == 12
    forgotten = croton.function([x], scan(chain, x)[0])
    assert not np.array_equal(forgotten([0.0]), forgotten([0.0]))


def test_gradient_past_draws():
    """What is drawn is a constant; the same draws are used for values and derivatives."""
    rng = MRG_RandomStreams(1)
    w = T.dscalar("w")

    def step(p, w):
        u = rng.normal(())
        return [p * w + u * w, u]

    with croton.config(floatX="float64"):
        (out, drawn), updates = scan(step, None, [T.constant(0, dtype="float64"), None], w, 3)
    value, draws, gradient = croton.function([w], [out[-1], drawn, croton.grad(out[-1], w)], updates=updates)(0.5)

    def end(w):
        p = 0.0
        for u in draws:
            p = p * w + u * w
        return p

    np.testing.assert_allclose(value, end(0.5))
    np.testing.assert_allclose(gradient, (end(0.5 + 1e-6) - end(0.5 - 1e-6)) / 2e-6, rtol=1e-6)


def test_gradient_through_the_parameter_of_a_draw():
    rng, w = MRG_RandomStreams(1), T.dscalar("w")
    bits, _ = scan(lambda: T.cast(rng.binomial((2,), p=w), "float64") * w, n_steps=3)
    with pytest.raises(croton.gradient.NullTypeGradError, match="bernoulli"):
        croton.grad(bits.sum(), w)
    fine, _ = scan(lambda: croton.gradient.disconnected_grad(rng.binomial((2,), p=w)) * w, n_steps=3)
    croton.grad(fine.sum(), w)
    chained, _ = scan(lambda p: rng.binomial((), p=p, dtype="float64"), outputs_info=w, n_steps=2)
    with pytest.raises(croton.gradient.NullTypeGradError):
        croton.grad(chained[-1], w)
    assert croton.grad(chained[-1], w, null_gradients="return") is None


def test_a_hamiltonian_step():
    """Gradients inside nested loops, momenta drawn outside, a step size kept in a shared variable."""
    rng = RandomStreams(11)
    place = croton.shared(np.array([[1.0, -1.0], [0.5, 2.0]]), "place")
    size = croton.shared(np.float64(0.1), "size")

    def energy(q):
        return 0.5 * T.sqr(q).sum(axis=1) + 0.1 * (q**4).sum(axis=1)

    def leap(q, p, step):
        p = p - step * croton.grad(energy(q).sum(), q)
        return [q + step * p, p]

    with croton.config(floatX="float64"):
        momentum = rng.normal((2, 2))
    half = momentum - size / 2 * croton.grad(energy(place).sum(), place)
    (qs, _), inner = scan(leap, None, [place, half], [size], n_steps=5)
    assert not inner
    new = croton.gradient.disconnected_grad(qs[-1])
    accept = energy(new).mean()
    f = croton.function([], [momentum, new, accept], updates=[(place, new), (size, size * 0.9)])
    q, e = place.get_value(), 0.1
    p, found, _ = f()
    p = p - e / 2 * (q + 0.4 * q**3)
    for _ in range(5):
        p = p - e * (q + 0.4 * q**3)
        q = q + e * p
    np.testing.assert_allclose(found, q, rtol=1e-12)
    np.testing.assert_allclose(place.get_value(), q, rtol=1e-12)
    np.testing.assert_allclose(size.get_value(), 0.09)
