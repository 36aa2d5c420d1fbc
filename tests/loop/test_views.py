"""map, reduce, foldl and foldr."""

import numpy as np

import croton
import croton.tensor as T
from croton import loop

x, y = T.dvector("x"), T.dvector("y")


def test_views():
    zero = T.constant(0, dtype="float64")
    squares, u1 = loop.map(lambda v, w, s: v * w - s, [x, y], non_sequences=x[0])
    backwards, u2 = loop.map(lambda v: v, x, go_backwards=True, name="back")
    reduced, u3 = loop.reduce(lambda v, a: a * 2 + v, x, zero)
    (total, product), u4 = loop.reduce(lambda v, s, p, k: [s + v, p * v * k], [x], [zero, zero + 1], [y[1]])
    left, u5 = loop.foldl(lambda v, a: a * 2 + v, x, zero)
    right, u6 = loop.foldr(lambda v, a: a * 2 + v, x, zero)
    turned, u7 = loop.reduce(lambda v, a: a * 2 + v, x, zero, go_backwards=True)
    assert not any([u1, u2, u3, u4, u5, u6, u7])
    gradients = croton.grad(left + right, x)
    f = croton.function([x, y], [squares, backwards, reduced, total, product, left, right, turned, gradients])
    a, b = np.array([1.0, 2.0, 3.0]), np.array([3.0, 5.0, 7.0])
    wanted = [a * b - 1, a[::-1], 11.0, 6.0, 6.0 * 125, 11.0, 17.0, 17.0, [5.0, 4.0, 5.0]]
    for found, value in zip(f(a, b), wanted, strict=True):
        np.testing.assert_allclose(found, value)


def test_updates_of_views():
    c = croton.shared(0.0)
    out, updates = loop.map(lambda v: (v + c, {c: c + v}), x)
    np.testing.assert_array_equal(croton.function([x], out, updates=updates)([1.0, 2.0]), [1.0, 3.0])
    assert c.get_value() == 3.0
