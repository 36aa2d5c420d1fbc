"""Loops in modes, on devices' ways around a function, in text, in pickles, in copies of graphs."""

import pickle

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.loop import scan, until
from croton.tensor.random import MRG_RandomStreams

x, w = T.dvector("x"), T.dscalar("w")
U = croton.shared(np.array([[0.5, -0.2], [0.1, 0.3]]), "U")
A = np.arange(1.0, 5.0)


def program():
    """A loop of most kinds of things: (inputs, outputs, updates)."""
    rng = MRG_RandomStreams(2)
    count = croton.shared(0.0, "count")

    def step(v, p, q, c):
        h = T.tanh(T.dot(p, U) + v * c) + 0 * T.cast(rng.uniform((2,)), "float64")
        return [h, q * 0.5 + h.sum(), h[0] * v], {count: count + v}

    outs, updates = scan(step, x, [T.zeros((2,), "float64"), T.constant(0, dtype="float64"), None], w)
    stopped, _ = scan(
        lambda v, p: (p * w + v, until(p * w + v > 4)), x, T.constant(0, dtype="float64"), truncate_gradient=2
    )
    cost = outs[0].sum() + outs[1][-1] * outs[2][-1] + stopped.sum()
    return [x, w], [cost, outs[2][-1], stopped[-1], stopped, *croton.grad(cost, [x, w, U])], updates, count


@pytest.mark.parametrize(
    "mode", [croton.NanGuardMode(), croton.DebugMode(), "FAST_COMPILE"], ids=["nanguard", "debug", "compile"]
)
def test_every_mode_gives_the_same(mode):
    inputs, outputs, updates, count = program()
    wanted = croton.function(inputs, outputs)(A, 0.7)
    assert count.get_value() in (0.0, 10.0)
    count.set_value(0.0)
    f = croton.function(inputs, outputs, updates=updates, mode=mode)
    for found, value in zip(f(A, 0.7), wanted, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-10)
    assert count.get_value() == 10.0


def test_nan_inside_a_step_is_found():
    out, _ = scan(lambda v, p: T.log(v) * p + 1, x, w)
    f = croton.function([x, w], T.switch(T.isnan(out[-1]), 0.0, out[-1]), mode=croton.NanGuardMode())
    f(A, 1.0)
    with pytest.raises(AssertionError, match="NaN detected in the output of log"):
        f([1.0, -1.0, 2.0], 1.0)
    g = croton.function([x, w], out, mode=croton.NanGuardMode())
    with pytest.raises(AssertionError, match="Inf detected in the output of log"):
        g([1.0, 0.0], 1.0)


def test_no_steps_in_nanguard():
    out, _ = scan(lambda v, p: p + T.dot(v, U), T.dmatrix("X"), T.zeros((2,), "float64"))
    rows = out.owner.inputs[0]
    f = croton.function([rows], [out, T.dot(out, U)], mode=croton.NanGuardMode())
    assert [v.shape for v in f(np.ones((0, 2)))] == [(0, 2), (0, 2)]


def test_a_loop_in_over():
    total = croton.shared(0.0)
    out, _ = scan(lambda v, p: p * w + v, x, T.constant(0, dtype="float64"))
    f = croton.function([x, w], out[-1], updates=[(total, total + out[-1])])
    rows = np.arange(6.0).reshape(3, 2)
    single = [f(r, 0.5) for r in rows]
    assert total.get_value() == sum(single)
    total.set_value(0.0)
    np.testing.assert_allclose(f.over(rows, np.full(3, 0.5)), single)
    np.testing.assert_allclose(total.get_value(), sum(single))


def test_functions_and_variables_pickle():
    inputs, outputs, updates, _ = program()
    f = croton.function(inputs, outputs, updates=updates)
    g = pickle.loads(pickle.dumps(f))
    for a, b in zip(f(A, 0.7), g(A, 0.7), strict=True):
        np.testing.assert_array_equal(a, b)
    x2, w2, cost, gradient = pickle.loads(pickle.dumps([x, w, outputs[0], outputs[4]]))
    h = croton.function([x2, w2], [cost, gradient])
    np.testing.assert_allclose(h(A, 0.7)[0], f(A, 0.7)[0])
    again = croton.function([x2, w2], croton.grad(cost, x2))
    np.testing.assert_allclose(again(A, 0.7), h(A, 0.7)[1])


def test_a_captured_variable_is_replaced():
    y, z = T.dvector("y"), T.dscalar("z")
    out, _ = scan(lambda v, p: p * w + v * T.exp(z), x, z)
    swapped = croton.clone(out, {w: w * 2, x: y + 1})
    replaced = croton.clone(out, {z: y[0]})
    f = croton.function([x, w, y, z], [out, swapped, replaced])
    g = croton.function([y, z], out, givens={x: y * 2, w: T.constant(3, dtype="float64")})

    def by_hand(x, w, z):
        p, rows = z, []
        for v in x:
            p = p * w + v * np.exp(z)
            rows.append(p)
        return rows

    a = np.array([1.0, 2.0])
    for found, wanted in zip(
        [*f(A, 0.5, a, 0.1), g(a, 0.1)],
        [by_hand(A, 0.5, 0.1), by_hand(a + 1, 1.0, 0.1), by_hand(A, 0.5, 1.0), by_hand(a * 2, 3.0, 0.1)],
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted)


def test_the_step_is_printed():
    out, _ = scan(lambda v, p: T.tanh(T.dot(p, U) + v), x, T.zeros((2,), "float64"), name="walk")
    text = croton.debugprint(out[-1] * 2, file="str")
    assert "Scan{walk}" in text and "tanh" in text and text.index("Inner graph") < text.index("tanh")
    assert text.count("Inner graph") == 1
    inner, _ = scan(
        lambda r: scan(lambda v, p: T.exp(p) + v, r, w, name="within")[0][-1], T.dmatrix("X"), name="around"
    )
    text = croton.debugprint([inner, out], file="str")
    assert text.count("Inner graph") == 3
    assert [text.count(f"Inner graph of Scan{{{n}}}") for n in ("around", "within", "walk")] == [1, 1, 1]
    assert "Scan{walk}" in croton.pp(out) and "x" in croton.pp(out)
    f = croton.function([x], out[-1])
    assert "Inner graph of Scan{walk}" in croton.debugprint(f, file="str")
    assert "walk" in croton.draw(out)


def test_test_values():
    with croton.config(compute_test_value="raise"):
        a, b = T.dvector("a"), T.dmatrix("b")
        a.tag.test_value, b.tag.test_value = A, np.ones((3, 4))
        seen = []

        def step(r, lag, p, before, c):
            seen.extend(v.tag.test_value.shape for v in (r, lag, p, before))
            return p * c + r * lag, before + p.sum()

        (h, s), _ = scan(
            step, [b, dict(input=b, taps=-1)], [a, dict(initial=a[:2], taps=[-2])], T.constant(2.0, dtype="float64")
        )
        assert seen == [(4,), (4,), (4,), ()]
        assert h.tag.test_value.shape == (2, 4) and s.tag.test_value.shape == (2,)
        np.testing.assert_array_equal(h.tag.test_value[0], A * 2 + 1)
        gradient = croton.grad(h.sum(), a)
        np.testing.assert_array_equal(gradient.tag.test_value, np.full(4, 6.0))
        with pytest.raises(ValueError):
            scan(lambda r, p: p + T.dot(r, b), b, a)


def test_equal_loops_in_one_function_are_independent():
    def sums(v):
        return scan(lambda e, p: p + T.exp(e), v, T.constant(0, dtype="float64"))[0]

    f = croton.function([x], [sums(x), sums(x)[-1], sums(x * 2).sum()])
    a, b, c = f(A)
    np.testing.assert_allclose(a, np.cumsum(np.exp(A)))
    np.testing.assert_allclose([b, c], [a[-1], np.cumsum(np.exp(2 * A)).sum()])
