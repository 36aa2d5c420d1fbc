"""What is wrong with a loop is said with the loop, the variable and the shapes, before it runs where that is known."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.loop import foldl, scan, until

x, s = T.dvector("x"), T.dscalar("s")
X = T.dmatrix("X")
ZERO = T.constant(0, dtype="float64", name="zero")


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: scan(lambda v, p: p + v, x, T.constant(0, name="start"), name="walk"), ValueError,
         ["walk", "start", "has dtype int8", "(`fn`)", "has dtype float64"]),
        (lambda: scan(lambda v, p: T.cast(p + v, "float32"), x, s), ValueError, ["scan", "s", "float64", "float32"]),
        (lambda: scan(lambda v, p: p + v, X, s), ValueError, ["output 0", "s", "cannot hold"]),
        (lambda: scan(lambda v, p: p + v, T.zeros((3, 4)), T.zeros((1,)), name="walk"), ValueError, ["walk", "cannot"]),
        (lambda: scan(lambda v, p: [v, p[:, 0] + v], x, [None, X]), ValueError, ["output 1", "X", "cannot hold"]),
        (lambda: scan(lambda v, p: p + v, T.zeros((3, 4)), T.zeros((5,))), ValueError, []),
        (lambda: scan(lambda v: [v, v], x, [None]), ValueError,
         ["2 outputs", "1 entries", "Please provide None as outputs_info for any output that does not feed back"]),
        (lambda: scan(lambda v: v, x, [None, None]), ValueError, ["1 outputs", "Please provide None"]),
        (lambda: scan(lambda v, p: p, x, dict(initial=x, taps=[1])), ValueError, ["output 0", "negative"]),
        (lambda: scan(lambda v, p: p, x, dict(initial=x, taps=[0])), ValueError, ["output 0", "negative"]),
        (lambda: scan(lambda v, p: p, x, dict(initial=x, taps=[-1, -1])), ValueError, ["output 0", "[-1, -1]"]),
        (lambda: scan(lambda v, p: p, x, dict(initial=x, taps=[])), ValueError, ["taps"]),
        (lambda: scan(lambda v, p: p, x, dict(initial=x, taps=[-1.5])), ValueError, ["taps", "-1.5"]),
        (lambda: scan(lambda v, p: p, x, dict(taps=[-1])), ValueError, ["output 0", "no initial"]),
        (lambda: scan(lambda v, p: p, x, dict(initial=s, taps=[-2])), ValueError, ["s", "2 steps back"]),
        (lambda: scan(lambda v, p, q: p, x, dict(initial=T.zeros((3,)), taps=[-1, -2])), ValueError, ["length 2"]),
        (lambda: scan(lambda v, p: p, x, dict(initial=s, tap=[-1])), ValueError, ["unknown", "tap"]),
        (lambda: scan(lambda v: v, dict(input=x, taps=[0, 0])), ValueError, ["sequence 0", "[0, 0]"]),
        (lambda: scan(lambda v: v, dict(inputs=x)), ValueError, ["sequence 0", "inputs"]),
        (lambda: scan(lambda v: v, dict(taps=[0])), ValueError, ["sequence 0", "None"]),
        (lambda: scan(lambda v: v, [x, None]), ValueError, ["sequence 1", "None"]),
        (lambda: scan(lambda v: v, s), ValueError, ["sequence 0", "s", "scalar"]),
        (lambda: scan(lambda: 1.0, name="idle"), ValueError, ["idle", "neither sequences nor n_steps"]),
        (lambda: scan(lambda p: p, outputs_info=s, n_steps=2.5), ValueError, ["n_steps", "2.5"]),
        (lambda: scan(lambda p: p, outputs_info=s, n_steps=s), ValueError, ["n_steps", "s"]),
        (lambda: scan(lambda p: p, outputs_info=s, n_steps=T.ivector("v")), ValueError, ["n_steps", "v"]),
        (lambda: scan(lambda p: p, outputs_info=s, n_steps=True), TypeError, []),
        (lambda: scan(lambda p: p, outputs_info=s, n_steps=-2), IndexError, ["-2", "negative"]),
        (lambda: scan(lambda v: {x: v}, x), TypeError, ["updates x", "shared"]),
        (lambda: scan(lambda v: [(x, v)], x), TypeError, ["shared"]),
        (lambda: scan(lambda v: ([v], [(x, v)]), x), TypeError, ["shared"]),
        (lambda: scan(lambda v, p: p + v, x, ZERO, truncate_gradient=0), ValueError, ["truncate_gradient", "0"]),
        (lambda: scan(lambda v, p: p + v, x, ZERO, truncate_gradient=1.5), ValueError, ["truncate_gradient", "1.5"]),
        (lambda: scan(lambda v: v, "abc"), TypeError, []),
        (lambda: scan(lambda v: object(), x), TypeError, []),
        (lambda: scan(lambda v: v * s, x, strict=True, name="walk"), croton.MissingInputError,
         ["walk", "strict", "s", "non_sequences"]),
        (lambda: foldl(lambda v, p: p + X, x, X[0]), ValueError, ["output 0"]),
        (lambda: until(x), ValueError, ["scalar", "x"]),
    ],
)  # fmt: skip
def test_known_when_built(build, error, words):
    with pytest.raises(error) as caught:
        build()
    message = str(caught.value)
    if not words or "until" not in message:
        assert not words or "scan" in message
    for word in words:
        assert word in message


def test_a_shared_variable_updated_twice():
    c, d = croton.shared(1.0, "c"), croton.shared(np.float32(1), "d")
    with pytest.raises(KeyError, match="Collision"):
        scan(lambda v: [(c, c + 1), (c, c + 2)], x)
    with pytest.raises(TypeError, match="same type"):
        scan(lambda v: {d: d + v}, x)
    with pytest.raises(TypeError, match="same type"):
        scan(lambda v: {c: x}, x)


def raises(error, outputs, inputs, *arguments):
    calls = croton.shared(0)
    f = croton.function(inputs, outputs, updates=[(calls, calls + 1)])
    with pytest.raises(error) as caught:
        f(*arguments)
    assert calls.get_value() == 0
    return str(caught.value)


def test_a_sequence_shorter_than_the_number_of_steps():
    for out in (
        scan(lambda v, p: p + v, x, ZERO, n_steps=5, name="walk")[0],
        scan(lambda v: v * 2, x, n_steps=5, name="walk")[0],
        scan(lambda a, b: a + b, dict(input=x, taps=[-1, 1]), n_steps=T.constant(5), name="walk")[0],
    ):
        for outputs in (out, out[-1], croton.grad(out.sum(), x)):
            message = raises(ValueError, outputs, [x], np.arange(4.0))
            assert "Sequence is shorter than the required number of steps" in message
            assert "walk" in message and "x" in message and "(4,)" in message and "5" in message


def test_shapes_that_do_not_fit_when_it_runs():
    y = T.dvector("y")
    out, _ = scan(lambda v, p: p + v, X, y, name="walk")
    message = raises(ValueError, out, [X, y], np.ones((3, 4)), np.ones(1))
    assert "walk" in message and "y" in message and "(1,)" in message and "(4,)" in message
    growing, _ = scan(lambda p: T.concatenate([p, p]), outputs_info=y, n_steps=2, name="grow")
    message = raises(ValueError, growing, [y], np.ones(2))
    assert "grow" in message and "y" in message and "(2,)" in message and "(4,)" in message
    lagged, _ = scan(lambda p, q: p + q, outputs_info=dict(initial=y, taps=[-1, -3]), n_steps=2, name="lag")
    message = raises(ValueError, lagged, [y], np.ones(2))
    assert "lag" in message and "y" in message and "(2,)" in message and "3" in message
    c = croton.shared(np.ones(2), "c")
    _, updates = scan(lambda: {c: T.concatenate([c, c])}, n_steps=2, name="push")
    f = croton.function([], [], updates=updates)
    with pytest.raises(ValueError, match="push") as caught:
        f()
    assert "c" in str(caught.value) and "(2,)" in str(caught.value) and "(4,)" in str(caught.value)
    assert c.get_value().shape == (2,)
    stacked, _ = scan(lambda v: T.dot(v, X), X, name="product")
    message = raises(ValueError, stacked, [X], np.ones((3, 4)))
    assert "Dot" in message and "(4,)" in message and "(3, 4)" in message


def test_a_negative_number_of_steps_when_it_runs():
    n = T.iscalar("n")
    out, _ = scan(lambda p: p + 1, outputs_info=s, n_steps=n, name="walk")
    message = raises(IndexError, out, [s, n], 0.0, -1)
    assert "walk" in message and "n" in message and "-1" in message


def test_there_is_no_last_value_of_no_steps():
    out, _ = scan(lambda v: v * 2, x, name="walk")
    last, _ = scan(lambda v: (v, until(v > 1)), x, name="walk")
    for outputs in (out[-1], last[-1]):
        raises(IndexError, outputs, [x], np.ones(0))
