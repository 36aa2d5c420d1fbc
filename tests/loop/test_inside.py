"""What a step may hold: checks, prints, choices, shapes that move, sparse matrices."""

import numpy as np
import pytest
import scipy.sparse

import croton
import croton.sparse as S
import croton.tensor as T
from croton.loop import scan, until
from croton.printing import Print

x, w = T.dvector("x"), T.dscalar("w")
k = T.ivector("k")
A = np.arange(1.0, 5.0)


def counted(outputs, inputs):
    """A function that counts its calls in a shared variable, which a failed call must leave alone."""
    calls = croton.shared(0)
    return croton.function(inputs, outputs, updates=[(calls, calls + 1)]), calls


@pytest.mark.parametrize("form", ["value", "grad", "last", "stop", "far"])
def test_an_index_out_of_range_inside_a_step(form):
    table = croton.shared(np.arange(6.0).reshape(3, 2), "table")

    def step(i, p):
        new = T.tanh(p * table[i].sum() + x[i])
        return (new, until(new > 100)) if form == "stop" else new

    out, _ = scan(step, k, w)
    if form == "far":
        out, _ = scan(lambda i: table[i].sum() + x[i] * w, k)
    cost = out[-1] if form == "last" else out.sum()
    f, calls = counted(croton.grad(cost, [table, x]) if form == "grad" else cost, [k, x, w])
    f([0, 2, -1], A, 0.1)
    for wrong in ([0, 3, 1], [-4, 0, 0], [0, 0, 7]):
        with pytest.raises(IndexError, match="out of bounds"):
            f(wrong, A, 0.1)
    assert calls.get_value() == 1


@pytest.mark.parametrize("stops", [False, True])
def test_an_assertion_inside_a_step(stops):
    def step(v, p):
        new = T.Assert("v must not be negative")(p + T.sqrt(v), v >= 0)
        return (new, until(new > 100)) if stops else new

    out, _ = scan(step, x, w)
    f, calls = counted([out, croton.grad(out[-1], w)], [x, w])
    f(A, 1.0)
    with pytest.raises(AssertionError, match="must not be negative"):
        f([1.0, -1.0, 2.0], 1.0)
    assert calls.get_value() == 1
    # The step that would fail is not made.
    if stops:
        f([1e5, -1.0], 1.0)


def test_an_assertion_in_a_loop_in_a_loop():
    X = T.dmatrix("X")
    out, _ = scan(lambda r: scan(lambda v: T.Assert("positive")(v, v > 0), r)[0].sum(), X)
    f, calls = counted([out, croton.grad(out.sum(), X)], [X])
    np.testing.assert_array_equal(f([[1.0, 2.0], [3.0, 4.0]])[0], [3.0, 7.0])
    with pytest.raises(AssertionError, match="positive"):
        f([[1.0, 2.0], [-3.0, 4.0]])
    assert calls.get_value() == 1


def test_prints_once_for_each_step(capfd):
    def lines(f, *arguments):
        f(*arguments)
        return [line for line in capfd.readouterr().out.splitlines() if line.startswith("state")]

    out, _ = scan(lambda v, p: Print("state")(T.tanh(p * w + v)), x, T.constant(0.0, dtype="float64"))
    element, _ = scan(lambda v, p: T.tanh(p + T.dot(Print("state")(v * 2), T.ones((1, 1)))[0]), x.dimshuffle(0, "x"), w)
    value = lines(croton.function([x, w], out), A, 0.5)
    assert len(value) == 4 and "0.76159" in value[0]
    assert len(lines(croton.function([x, w], [out[-1], *croton.grad(out.sum(), [x, w])]), A, 0.5)) == 4
    assert len(lines(croton.function([x, w], croton.grad(out.sum(), [x, w])), A, 0.5)) == 4
    assert len(lines(croton.function([x, w], [element, croton.grad(element.sum(), x)]), A, 0.5)) == 4
    stopped, _ = scan(lambda v: (Print("state")(v), until(v > 1)), x)
    assert len(lines(croton.function([x], stopped), A)) == 2
    assert len(lines(croton.function([x], stopped[-1]), A)) == 2
    assert len(lines(croton.function([x], croton.grad(stopped[-1], x)), A)) == 2
    read_alone, _ = scan(lambda v: [v, Print("state")(v)], x)
    assert len(lines(croton.function([x], read_alone[1][-1]), A)) == 4


def test_a_choice_inside_a_step_leaves_out_the_other_branch():
    table = T.dvector("table")

    def step(i, p):
        return p * T.ifelse(T.lt(i, 2), table[i], T.constant(1.0, dtype="float64"))

    out, _ = scan(step, k, w)
    W = T.dmatrix("W")
    rows, _ = scan(lambda i, p: p + T.ifelse(T.lt(i, 2), T.dot(W[i], W), T.ones_like(W[0])), k, W[0])
    fixed, _ = scan(lambda v, p: p + T.ifelse(T.lt(w, 1), v, T.Assert("w is small")(v, w < 2)), x, w)
    f = croton.function([k, w, table, W], [out, croton.grad(out[-1], table), rows, croton.grad(rows.sum(), W)])
    M = np.array([[1.0, 2.0], [3.0, 4.0]])
    a, g, r, gW = f([0, 5, 1], 2.0, [3.0, 4.0], M)
    np.testing.assert_array_equal(a, [6.0, 6.0, 24.0])
    np.testing.assert_array_equal(g, [8.0, 6.0])
    np.testing.assert_array_equal(r, np.cumsum([M[0] @ M, np.ones(2), M[1] @ M], 0) + M[0])
    assert gW.shape == (2, 2)
    with pytest.raises(IndexError):
        f([0, -5, 1], 2.0, [3.0, 4.0], M)
    h = croton.function([x, w], fixed)
    np.testing.assert_array_equal(h(A, 0.0), np.cumsum(A))
    np.testing.assert_array_equal(h(A, 1.5), 1.5 + np.cumsum(A))
    with pytest.raises(AssertionError, match="small"):
        h(A, 3.0)


def test_shapes_that_an_outer_integer_decides():
    n = T.iscalar("n")
    out, _ = scan(lambda v: v * T.arange(n), x)
    part, _ = scan(lambda v: v * x[:n].sum() + T.zeros((n,)).sum(), x)
    f = croton.function([x, n], [out, part, croton.grad(part.sum(), x)])
    for size in (2, 3, 0):
        a, b, g = f(A, size)
        np.testing.assert_array_equal(a, np.outer(A, np.arange(size)))
        np.testing.assert_array_equal(b, A * A[:size].sum())
        np.testing.assert_allclose(g, A[:size].sum() + (np.arange(4) < size) * A.sum())


def test_shapes_that_change_from_step_to_step():
    sums, _ = scan(lambda i, p: p + x[:i].sum() * w, k, T.constant(0, dtype="float64"))
    lasts, _ = scan(lambda i: T.arange(i, dtype="float64").sum() * w, k)
    found, _ = scan(lambda v: x[(x > v).nonzero()].sum() * w, x)
    cost = sums[-1] + lasts[-1] + found[-1]
    inputs = [x, k, w]
    f = croton.function(inputs, [sums, lasts, found, lasts[-1], *croton.grad(cost, [x, w])])
    for at in ([0, 1, 3], [4, 4]):
        s, sizes, n, last, gx, gw = f(A, at, 2.0)
        np.testing.assert_array_equal(s, np.cumsum([A[:i].sum() * 2 for i in at]))
        np.testing.assert_array_equal(sizes, [sum(range(i)) * 2.0 for i in at])
        np.testing.assert_array_equal(n, [A[v < A].sum() * 2 for v in A])
        assert last == sizes[-1]
        np.testing.assert_allclose(gw, (s[-1] + sizes[-1] + n[-1]) / 2)
        np.testing.assert_array_equal(gx, [2.0 * sum(j < i for i in at) for j in range(4)])
    only = croton.function([x], scan(lambda v: x[(x > v).nonzero()].sum() + v, x)[0][-1])
    assert only(A) == 4.0
    unstackable, _ = scan(lambda i: T.arange(i), k)
    with pytest.raises(ValueError, match="different shapes"):
        unstackable.eval({k: [1, 2]})


def test_a_sparse_matrix_in_a_step():
    m = S.csr_matrix("m", "float64")
    X = T.dmatrix("X")
    out, _ = scan(lambda p, c: T.tanh(S.dot(m, p) + c), None, X, X, n_steps=3)
    dense, _ = scan(lambda p: T.tanh(T.dot(T.constant(D), p) + X), None, X, n_steps=3)
    f = croton.function([m, X], [out[-1], croton.grad(out[-1].sum(), X), dense[-1], croton.grad(dense[-1].sum(), X)])
    a, ga, b, gb = f(scipy.sparse.csr_matrix(D), np.ones((3, 2)))
    np.testing.assert_allclose(a, b)
    np.testing.assert_allclose(ga, gb)


D = np.array([[0.0, 0.5, 0.0], [0.3, 0.0, 0.0], [0.0, 0.0, -0.2]])


def test_subtensors_are_set_in_states():
    """A table that the steps fill, with a place that each step decides."""

    def step(i, v, table):
        return T.set_subtensor(table[i], v * table[i - 1])

    tables, _ = scan(step, [T.arange(1, 5), x], T.ones((5,), "float64"))
    f = croton.function([x], [tables[-1], croton.grad(tables[-1][4], x)])
    table, gradient = f(A)
    np.testing.assert_array_equal(table, [1.0, 1.0, 2.0, 6.0, 24.0])
    np.testing.assert_array_equal(gradient, 24 / A)


def test_derivatives_inside_a_step():
    """The jacobian and the hessian row by row, and steps of gradient descent, differentiated in their turn."""
    y = T.tanh(x * x[::-1])
    rows, _ = scan(lambda i, y, x: croton.grad(y[i], x), T.arange(y.shape[0]), None, [y, x])
    closed, _ = scan(lambda i: croton.grad(y[i], x), T.arange(y.shape[0]))
    slope = croton.grad((x**3).sum() * x[0], x)
    second, _ = scan(lambda i: croton.grad(slope[i], x), T.arange(x.shape[0]))
    path, _ = scan(lambda q, r: q - r * croton.grad((q**4).sum(), q), None, x, w, n_steps=3)
    outputs = [rows, closed, second, path[-1], *croton.grad(path[-1].sum(), [x, w])]
    outputs += [croton.jacobian(y, x), croton.hessian((x**3).sum() * x[0], x)]
    f = croton.function([x, w], outputs)
    a = np.array([0.5, 0.2, -0.3])
    J, C, H, end, gx, gr, jac, hess = f(a, 0.1)
    np.testing.assert_allclose(J, jac)
    np.testing.assert_allclose(C, jac)
    np.testing.assert_allclose(H, hess)

    def descend(a, r):
        for _ in range(3):
            a = a - r * 4 * a**3
        return a

    np.testing.assert_allclose(end, descend(a, 0.1))
    np.testing.assert_allclose(gr, (descend(a, 0.1 + 1e-6) - descend(a, 0.1 - 1e-6)).sum() / 2e-6, rtol=1e-6)
    np.testing.assert_allclose(gx, (descend(a + 1e-6, 0.1) - descend(a - 1e-6, 0.1)) / 2e-6, rtol=1e-6)
