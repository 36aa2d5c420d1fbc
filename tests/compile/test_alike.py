"""Programs of equal graphs are shared: between other values, not between other uses of the same graph."""

import numpy as np

import croton
import croton.tensor as T


def made(value, updating):
    s, a = croton.shared(np.float32(value), "s"), T.fscalar("a")
    f = croton.function([a], [a * 2], updates=[(s, s + a)]) if updating else croton.function([a], [a * 2, s + a])
    f._program.share()
    return f, s


def test_equal_graphs_share_and_keep_their_own_values():
    (f, s), (g, t) = made(1, True), made(10, True)
    assert f._program.body is g._program.body
    f(2), g(3)
    assert (s.get_value(), t.get_value()) == (3, 13)


def test_an_update_is_not_taken_for_an_output():
    f, s = made(1, False)
    g, t = made(1, True)
    assert len(f(2)) == 2 and s.get_value() == 1
    assert len(g(2)) == 1 and t.get_value() == 3
