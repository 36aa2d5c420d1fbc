"""Shapes that depend on data: functions run op by op, and are right all the same."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import function, shared

X = np.array([1.0, -2.0, 0.0, 3.0, -2.0])


def test_reading():
    x = T.dvector("x")
    (places,) = T.nonzero(x)
    f = function([x], [places, x[x > 0], x[places].sum(), x[x > 0].shape[0], T.flatnonzero(x)])
    got = f(X)
    for value, want in zip(got, [[0, 1, 3, 4], [1, 3], 0.0, 2, [0, 1, 3, 4]], strict=True):
        np.testing.assert_array_equal(value, want)
    np.testing.assert_array_equal(f(np.zeros(2))[1], [])
    assert got[1].flags.writeable


def test_matrices_and_masks_over_rows():
    m = T.dmatrix("m")
    M = np.arange(6.0).reshape(3, 2) - 2
    f = function([m], [m[m > 0], m[m.sum(axis=1) > 0], T.nonzero(m, return_matrix=True), T.nonzero_values(m)])
    for value, want in zip(f(M), [M[M > 0], M[M.sum(1) > 0], np.array(M.nonzero()), M[M != 0]], strict=True):
        np.testing.assert_array_equal(value, want)


def test_gradients():
    x, w = T.dvector("x"), shared(2.0, "w")
    kept = x[x > 0] * w
    cost = (kept**2).sum() / kept.shape[0]
    gx, gw = function([x], croton.grad(cost, [x, w]))(X)
    np.testing.assert_allclose(gx, [4, 0, 0, 12, 0])
    np.testing.assert_allclose(gw, 2 * 2 * (1 + 9) / 2)
    by_kept = function([x], croton.grad(cost, kept))(X)
    np.testing.assert_allclose(by_kept, [2, 6])
    second = function([x], croton.grad(croton.grad(cost, x).sum(), w))(X)
    np.testing.assert_allclose(second, 2 * 2 * (1 + 3))


def test_updates_and_failures():
    x, n, s = T.dvector("x"), shared(np.int64(0), "n"), shared(np.zeros(2), "s")
    f = function([x], x[x > 0], updates=[(n, n + T.nonzero(x)[0].shape[0]), (s, s + x[x > 0])])
    f(X)
    f(X)
    assert n.get_value() == 8
    np.testing.assert_array_equal(s.get_value(), [2, 6])
    with pytest.raises(ValueError):
        f(np.ones(5))
    assert n.get_value() == 8
    np.testing.assert_array_equal(s.get_value(), [2, 6])


def test_writing_by_mask_is_one_program():
    x = T.dvector("x")
    f = function([x], [T.set_subtensor(x[x < 0], 0.0), T.switch(x < 0, 0.0, x)])
    a, b = f(X)
    np.testing.assert_array_equal(a, b)
    f(-X)
    assert f.trace_count == 1


def test_a_shape_from_a_computed_number():
    x, n = T.dvector("x"), T.lscalar("n")
    f = function([x, n], [T.zeros((n, 2)), T.arange(n), x[: T.argmax(x)], T.alloc(1.0, n)])
    zeros, counted, part, ones = f(X, 3)
    assert zeros.shape == (3, 2) and ones.shape == (3,)
    np.testing.assert_array_equal(counted, [0, 1, 2])
    np.testing.assert_array_equal(part, X[:3])


def test_a_length_from_a_shared_number():
    n, x = shared(np.int64(2), "n"), T.dvector("x")
    f = function([x], x[:n], updates=[(n, n + 1)])
    assert [len(f(X)) for _ in range(3)] == [2, 3, 4]


def test_the_labels_that_occur():
    y = T.lvector("y")
    matrix, order = function([y], T.nnet.confusion_matrix(y, y))([7, 2, 7])
    np.testing.assert_array_equal(order, [2, 7])
    np.testing.assert_array_equal(matrix, np.diag([1, 2]))
