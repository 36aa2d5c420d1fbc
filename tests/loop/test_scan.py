"""What each of scan's arguments means, against plain loops over NumPy arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T
from croton.graph.updates import OrderedUpdates
from croton.loop import scan

x, y, z = T.dvector("x"), T.dvector("y"), T.dvector("z")
X = T.dmatrix("X")
A, B = np.arange(8.0) ** 1.5, np.linspace(1, 2, 6)


def loop(step, sequences=(), initial=(), n=None, backwards=False):
    """A loop in NumPy: ``sequences`` are (array, taps), ``initial`` are (array, taps) or None."""
    lengths = [len(a) + min(*t, 0) - max(*t, 0) for a, t in sequences]
    n = min(lengths) if n is None else n
    past = [list(np.atleast_1d(i[0])) if i is not None and i[1] != [-1] else i and [i[0]] for i in initial]
    start = [p and len(p) for p in past]
    collected = None
    for t in range(n):
        given = []
        for a, taps in sequences:
            whole = len(a)
            for tap in taps:
                if backwards:
                    given.append(a[whole - 1 - t - max(*taps, 0) + tap])
                else:
                    given.append(a[t - min(*taps, 0) + tap])
        for p, i in zip(past, initial, strict=True):
            if i is not None:
                given += [p[tap] for tap in i[1]]
        outs = step(*given)
        collected = collected or [[] for _ in outs]
        for k, o in enumerate(outs):
            collected[k].append(o)
            if k < len(past) and past[k] is not None:
                past[k].append(o)
    assert all(p is None or len(p) == s + n for p, s in zip(past, start, strict=True))
    return [np.array(c) for c in collected or []]


taps = st.lists(st.integers(-3, 3), min_size=1, max_size=3, unique=True)


@settings(max_examples=6)
@given(
    first=taps,
    second=taps,
    state=st.lists(st.integers(-3, -1), min_size=1, max_size=3, unique=True),
    steps=st.sampled_from([None, None, 1, 2]),
    backwards=st.booleans(),
)
def test_taps_of_sequences_and_states(first, second, state, steps, backwards):
    weights = np.linspace(0.3, 0.9, len(first) + len(second) + len(state))

    def step(*given):
        assert len(given) == len(weights)
        return [sum(w * v for w, v in zip(weights, given, strict=True)), given[0] * given[-1]]

    depth = -min(state)
    outputs, updates = scan(
        step,
        sequences=[dict(input=x, taps=first), dict(input=y, taps=second)],
        outputs_info=[dict(initial=z if state != [-1] else z[0], taps=state), None],
        n_steps=steps,
        go_backwards=backwards,
    )
    start = np.arange(1.0, depth + 1)
    a, b = np.arange(9.0) ** 1.5, np.linspace(1, 2, 8)
    expected = loop(step, [(a, first), (b, second)], [(start if state != [-1] else 1.0, state), None], steps, backwards)
    found = croton.function([x, y, z], outputs)(a, b, start)
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-12)
    assert isinstance(updates, OrderedUpdates) and not updates


def test_what_sequences_may_be():
    s = croton.shared(B)
    one, _ = scan(lambda v: v * 2, x)
    taps_int, _ = scan(lambda v: v * 2, dict(input=x, taps=-2))
    without, _ = scan(lambda v, w: v * w, [dict(input=x), dict(input=x, taps=None)])
    tupled, _ = scan(lambda v, w: v + w, (x, s))
    array, _ = scan(lambda v, w: v * w, [x, B])
    rows, _ = scan(lambda r, v: r * v, [X, x[::-1]])
    whole, _ = scan(lambda k, v: x[k] - v, [T.arange(x.shape[0]), x], n_steps=x.shape[0] - 1)
    f = croton.function([x, X], [one, taps_int, without, tupled, array, rows, whole])
    M = np.arange(6.0).reshape(3, 2)
    expected = [A * 2, A[:6] * 2, A * A, A[:6] + B, A[:6] * B, M * A[::-1][:3, None], np.zeros(7)]
    for found, wanted in zip(f(A, M), expected, strict=True):
        np.testing.assert_allclose(found, wanted)


def test_what_outputs_info_may_be():
    s = croton.shared(np.float64(2))
    with croton.config(floatX="float64"):
        number, _ = scan(lambda v, p: p + v, x, 1.0)
    array, _ = scan(lambda v, p: p + v, x, np.float64(1))
    shared, _ = scan(lambda v, p: p * v, x, s)
    short, _ = scan(lambda v, p: p - v, x, [dict(initial=z[0])])
    (a, b, c), _ = scan(lambda v, p, q: [v, p + v, q * p], x, [None, z[0], dict(initial=z[1], taps=-1)])
    (d, e), _ = scan(lambda v: [v, -v], x, [None, None])
    (g, h), _ = scan(lambda v: [v, -v], x, [{}, dict(initial=None)])
    rows, _ = scan(lambda v, p: p * v, x, T.ones((2, 3), "float64"))
    integer, _ = scan(lambda k, p: p + k, T.arange(3), T.constant(0, dtype="int64"))
    outputs = [number, array, shared, short, a, b, c, d, e, g, h, rows, integer]
    found = croton.function([x, z], outputs)(A, [1.0, 2.0])
    sums = 1 + np.cumsum(A)
    products = np.cumprod(A)
    before = np.concatenate([[1.0], sums[:-1]])
    wanted = [sums, sums, 2 * products, 2 - sums, A, sums, 2 * np.cumprod(before), A, -A, A, -A]
    wanted += [products[:, None, None] * np.ones((2, 3)), [0, 1, 3]]
    for f, w in zip(found, wanted, strict=True):
        np.testing.assert_allclose(f, w)
    assert found[-1].dtype == "int64"


def test_what_the_step_may_use_besides():
    """Non-sequences in their order, numbers among them; captured variables and what is made of them."""
    w = croton.shared(np.float64(3), "w")
    outer = T.tanh(y) * w
    named, _ = scan(lambda v, p, a, b, c: p * a + v * b + c, x, z[0], [w, 2.0, y[0]])
    caught, _ = scan(lambda v, p: p * w + v * outer[1] + T.exp(y).sum(), x, z[0])
    alone, _ = scan(lambda: y * w, n_steps=2)
    given_back, _ = scan(lambda v, a: [a, w, 1.5, v], x, None, w)
    f = croton.function([x, y, z], [named, caught, alone, *given_back])
    at = A[:4]

    def wanted(value):
        t = np.tanh(B[1]) * value
        return [
            *loop(lambda v, p: [p * value + v * 2 + B[0]], [(at, [0])], [(0.5, [-1])]),
            *loop(lambda v, p: [p * value + v * t + np.exp(B).sum()], [(at, [0])], [(0.5, [-1])]),
            [B * value, B * value],
            *[np.full(4, value), np.full(4, value), np.full(4, 1.5), at],
        ]

    for value in (3.0, -1.0):
        w.set_value(value)
        for found, expected in zip(f(at, B, [0.5]), wanted(value), strict=True):
            np.testing.assert_allclose(found, expected)


def test_a_number_of_steps_that_the_call_decides_compiles_once_for_each_shape():
    n = T.iscalar("n")
    powers, _ = scan(lambda p, a: p * a, outputs_info=T.ones_like(x), non_sequences=x, n_steps=n)
    firsts, _ = scan(lambda v: v + 1, x, n_steps=n)
    f = croton.function([x, n], [powers, firsts, powers[-1]])
    for steps in (3, 5, 3, 1, 3):
        stack, first, last = f(A, steps)
        np.testing.assert_allclose(stack, [A ** (k + 1) for k in range(steps)])
        np.testing.assert_allclose(first, A[:steps] + 1)
        np.testing.assert_allclose(last, A**steps)
    assert f.trace_count == 3
    by_length, _ = scan(lambda v, p: p + v, X, T.zeros_like(X[0]))
    g = croton.function([X], by_length)
    for rows in (2, 3, 2, 3):
        np.testing.assert_allclose(g(np.ones((rows, 2))), np.cumsum(np.ones((rows, 2)), 0))
    assert g.trace_count == 2


@pytest.mark.parametrize("steps", [1, np.int64(1), T.constant(1), T.constant(1, dtype="uint8")])
def test_a_number_of_steps_known_before(steps):
    out, _ = scan(lambda v, p: p + v, x, T.constant(0, dtype="float64"), n_steps=steps)
    assert out.type.shape == (1,)
    np.testing.assert_array_equal(out.eval({x: [4.0, 5.0]}), [4.0])


def test_no_steps():
    n = T.iscalar("n")
    (states, outs), _ = scan(lambda v, p: [p + v, v * 2], x, [z[0], None], n_steps=n)
    counted, _ = scan(lambda p: p * 2, outputs_info=y, n_steps=n)
    short, _ = scan(lambda a, b: a - b, dict(input=x, taps=[-3, 3]))
    cost = states.sum() + counted.sum() + outs.sum()
    f = croton.function([x, y, z, n], [states, outs, counted, short, *croton.grad(cost, [x, y, z])])
    s, o, c, e, gx, gy, gz = f(A, B, [1.0], 0)
    assert s.shape == o.shape == (0,) and c.shape[0] == 0 and e.shape == (2,)
    assert not gx.any() and not gy.any() and not gz.any() and gx.shape == A.shape
    assert f(A[:4], B, [1.0], 0)[3].shape == (0,)
    last = croton.function([x, z], scan(lambda v, p: p + v, x, z[0])[0][-1], allow_input_downcast=True)
    assert last([1.0, 2.0], [3.0]) == 6.0


def test_forms_of_what_is_returned():
    c = croton.shared(0.0)
    single, updates = scan(lambda v: v, x)
    assert single.ndim == 1 and not updates
    for result in ([x[0]], (x[0],)):
        assert scan(lambda v, result=result: result, x)[0].ndim == 1
    assert isinstance(scan(lambda v: v, x, return_list=True)[0], list)
    assert isinstance(scan(lambda v: (v, v), x)[0], list)
    assert scan(lambda v: [], x)[0] is None
    assert scan(lambda v: None, x)[0] is None
    assert scan(lambda v: [], x, return_list=True)[0] == []
    changes = [{c: c + 1}, [(c, c + 1)], [[c, c + 1]], ((c, c + 1),), OrderedUpdates([(c, c + 1)])]
    for change in changes:
        for result in ((x[0], change), (change, x[0]), ([x[0]], change), (change, [x[0]]), ((x[0],), change)):
            out, updates = scan(lambda v, result=result: result, x)
            assert out.ndim == 1 and list(updates) == [c]
        out, updates = scan(lambda v, change=change: change, x)
        assert out is None and list(updates) == [c]
        outs, updates = scan(lambda v, change=change: ([v, v], change), x)
        assert len(outs) == 2 and list(updates) == [c]
    assert scan(lambda v: (None, {c: c + 1}), x)[0] is None
    assert scan(lambda v: ([v], {}), x)[0].ndim == 1


def test_outputs_know_their_types_and_their_node():
    (a, b), _ = scan(lambda v, p: [p + 1, T.cast(v, "int8")], X, [T.zeros((3,), "float64"), None], n_steps=4)
    assert a.type.shape == (4, 3) and a.dtype == "float64"
    assert b.dtype == "int8" and b.ndim == 2 and b.type.shape[0] == 4
    between, _ = scan(lambda v, w: v + w, dict(input=T.zeros((7, 2)), taps=[-2, 1]))
    assert between.type.shape == (4, 2)
    shorter, _ = scan(lambda v, w: v + w, [T.zeros((7,)), dict(input=T.zeros((5,)), taps=-2)])
    assert shorter.type.shape == (3,)
    named, _ = scan(lambda v: v, X, name="walk")
    assert "walk" in str(named.owner.op) and "Scan" in type(named.owner.op).__name__
    assert X in named.owner.inputs


def test_options_that_change_nothing_are_taken():
    out, _ = scan(lambda v: v + 1, x, mode=croton.Mode(), profile=True, allow_gc=False)
    np.testing.assert_array_equal(out.eval({x: [1.0]}), [2.0])


def test_strict():
    w = croton.shared(np.float64(2), "w")
    out, _ = scan(lambda v, p, a, b: p * a + v * b.sum(), x, z[0], [w, y], strict=True)
    assert out.eval({x: [1.0], y: [1.0, 1.0], z: [3.0]}) == 8.0
    scan(lambda v: v * 2 + T.constant(1.0), x, strict=True)


def test_loops_in_loops():
    """The inner loop over a part of the outer one's element, with states of both and captured variables."""
    w = croton.shared(0.5, "w")

    def row(r, total, scale):
        inner, _ = scan(lambda v, p, t: p * w + v * t + y[0], r, T.zeros_like(r[0]), total)
        return total + inner[-1] * scale, inner

    (totals, all_), _ = scan(row, X, [T.constant(1, dtype="float64"), None], 0.1)
    gradient = croton.grad(totals.sum(), [X, w, y])
    f = croton.function([X, y], [totals, all_, *gradient])
    M, at = np.arange(6.0).reshape(3, 2) / 5, np.array([0.3])

    def by_hand(M, w, y):
        total, totals, rows = 1.0, [], []
        for r in M:
            p, inner = 0.0, []
            for v in r:
                p = p * w + v * total + y
                inner.append(p)
            total = total + inner[-1] * np.float32(0.1)
            totals.append(total)
            rows.append(inner)
        return np.array(totals), np.array(rows)

    totals_, rows_, gX, gw, gy = f(M, at)
    np.testing.assert_allclose(totals_, by_hand(M, 0.5, 0.3)[0])
    np.testing.assert_allclose(rows_, by_hand(M, 0.5, 0.3)[1])
    h = 1e-6
    np.testing.assert_allclose(
        gw, (by_hand(M, 0.5 + h, 0.3)[0].sum() - by_hand(M, 0.5 - h, 0.3)[0].sum()) / (2 * h), rtol=1e-6
    )
    np.testing.assert_allclose(
        gy[0], (by_hand(M, 0.5, 0.3 + h)[0].sum() - by_hand(M, 0.5, 0.3 - h)[0].sum()) / (2 * h), rtol=1e-6
    )
    E = np.zeros_like(M)
    for at_ in np.ndindex(M.shape):
        up, down = M.copy(), M.copy()
        up[at_] += h
        down[at_] -= h
        E[at_] = (by_hand(up, 0.5, 0.3)[0].sum() - by_hand(down, 0.5, 0.3)[0].sum()) / (2 * h)
    np.testing.assert_allclose(gX, E, rtol=1e-6)
