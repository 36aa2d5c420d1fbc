"""Updates: simultaneous, from old values, never sharing a buffer; default updates."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import function, shared


def test_outputs_see_old_values_and_all_updates_are_simultaneous():
    a, b = shared(1.0, "a"), shared(2.0, "b")
    f = function([], [a, b], updates=[(a, b), (b, a)])
    assert f() == [1.0, 2.0]
    assert (a.get_value(), b.get_value()) == (2.0, 1.0)
    assert f() == [2.0, 1.0] and f() == [1.0, 2.0]


@pytest.mark.parametrize("size", [3, 1_000_000])
def test_swaps_and_copies_of_arrays_share_no_buffer(size):
    a, b, c = (shared(np.full(size, float(k)), name) for k, name in enumerate("abc"))
    x = T.dvector("x")
    f = function([x], [a, b, x], updates=[(a, b), (b, a), (c, x)])
    given = np.full(size, 7.0)
    for turn in range(4):
        was = [v.get_value(borrow=True) for v in (a, b)]
        copies = [v.copy() for v in was]
        results = f(given)
        for result, copy in zip(results, copies, strict=False):
            np.testing.assert_array_equal(result, copy)
            result[:] = -1
        results[2][:] = -1
        np.testing.assert_array_equal(given, np.full(size, 7.0))
        np.testing.assert_array_equal(c.get_value(), given)
        for held, copy in zip(was, copies, strict=True):
            np.testing.assert_array_equal(held, copy)
        given[:] = 8.0
        np.testing.assert_array_equal(c.get_value(), np.full(size, 7.0))
        given[:] = 7.0
        assert (a.get_value()[0], b.get_value()[0]) == ((1, 0) if turn % 2 == 0 else (0, 1))


@pytest.mark.parametrize("size", [3, 1_000_000])
def test_one_value_into_many(size):
    a, b, c = shared(np.zeros(size)), shared(np.zeros(size)), shared(np.ones(size))
    new = c * 2
    f = function([], [new], updates=[(a, new), (b, new), (c, new)])
    out = f()[0]
    out[:] = -1
    for k in (4.0, 8.0):
        f()
        for v in (a, b, c):
            np.testing.assert_array_equal(v.get_value(), np.full(size, k))
    a.set_value(np.zeros(size))
    np.testing.assert_array_equal(b.get_value(), np.full(size, 8.0))


@pytest.mark.parametrize("size", [5, 2_000_000])
def test_a_shared_variable_read_and_copied_into_another(size):
    source, target = shared(np.arange(float(size))), shared(np.zeros(5))
    f = function([], [], updates=[(target, source)])
    g = function([], source.sum(), updates=[(source, source + 1)])
    f()
    for _ in range(3):
        g()
    np.testing.assert_array_equal(target.get_value(), np.arange(float(size)))
    np.testing.assert_array_equal(source.get_value(), np.arange(float(size)) + 3)


def test_two_variables_on_one_container():
    w = shared(np.zeros(3), "w")
    twin = w.clone()
    f = function([], w + twin, updates=[(w, w + 1)])
    for k in range(3):
        np.testing.assert_array_equal(f(), np.full(3, 2.0 * k))
    g = function([], [], updates=[(twin, w + 10)])
    g()
    g()
    np.testing.assert_array_equal(w.get_value(), np.full(3, 23.0))


def test_forms():
    w, x = shared(1.0, "w"), T.dscalar("x")
    for updates in ([(w, w + x)], {w: w + x}, {w: w + x}.items(), [[w, w + x]], ((w, w + x),)):
        w.set_value(1.0)
        assert function([x], [], updates=updates)(2.0) == []
        assert w.get_value() == 3.0
    function([], [], updates=[(w, 5)])()
    assert w.get_value() == 5.0
    function([], [], updates={w: np.float64(0.5)})()
    assert w.get_value() == 0.5


def test_shapes_may_change():
    w = shared(np.ones(1))
    f = function([], w.shape[0], updates=[(w, T.concatenate([w, w]))])
    assert [int(f()) for _ in range(4)] == [1, 2, 4, 8]


def test_refusals_leave_everything():
    w, f32, x = shared(1.0, "w"), shared(np.float32(1), "f"), T.dscalar("x")
    with pytest.raises(TypeError, match="update target must be a SharedVariable"):
        function([x], [], updates=[(x, x)])
    with pytest.raises(ValueError, match="updated twice"):
        function([], [], updates=[(w, w + 1), (w, w + 2)])
    with pytest.raises(ValueError, match="pairs"):
        function([], [], updates=(w, w + 1))
    for wrong in (T.dvector("v"), f32 * np.float64(0.1), np.ones(2), "much"):
        with pytest.raises(TypeError, match="(?i)type"):
            function([], [], updates=[(f32, wrong)])
    with pytest.raises(TypeError, match=r"T\.cast\(update, 'float32'\)"):
        function([], [], updates=[(f32, f32 * np.float64(0.1))])
    function([], [], updates=[(f32, f32 * 0.5)])()
    assert f32.get_value() == 0.5 and f32.get_value().dtype == "float32"


class TestDefaultUpdates:
    def counter(self):
        n = shared(np.int64(0), "n")
        n.default_update = n + 1
        return n

    def test_every_function_that_uses_the_variable_applies_it(self):
        n = self.counter()
        f = function([], n * 10)
        assert [f(), f()] == [0, 10] and n.get_value() == 2
        function([], T.constant(1))()
        assert n.get_value() == 2

    def test_an_update_of_ones_own_goes_first(self):
        n = self.counter()
        function([], n, updates=[(n, n + 100)])()
        assert n.get_value() == 100

    def test_left_out(self):
        n, m = self.counter(), self.counter()
        function([], n + m, no_default_updates=True)()
        assert (n.get_value(), m.get_value()) == (0, 0)
        function([], n + m, no_default_updates=[n])()
        assert (n.get_value(), m.get_value()) == (0, 1)

    def test_they_pull_in_others(self):
        n, m = self.counter(), shared(np.int64(0), "m")
        m.default_update = m + n
        f = function([], m)
        assert [f(), f(), f()] == [0, 0, 1] and n.get_value() == 3

    def test_reached_through_givens_and_updates(self):
        n, w, x = self.counter(), shared(0, "w"), T.lscalar("x")
        function([], [], updates=[(w, w + x)], givens={x: n})()
        assert n.get_value() == 1

    def test_checked_when_set(self):
        n = self.counter()
        with pytest.raises(TypeError):
            n.default_update = n * 0.5
        n.default_update = None
        function([], n)()
        assert n.get_value() == 0


class TestFailureChangesNothing:
    def test_shapes_that_disagree(self):
        x, w, n = T.dvector("x"), shared(np.zeros(3), "w"), shared(0, "n")
        f = function([x], w.sum(), updates=[(w, w + x), (n, n + 1)])
        f(np.ones(3))
        with pytest.raises(ValueError):
            f(np.ones(2))
        np.testing.assert_array_equal(w.get_value(), np.ones(3))
        assert n.get_value() == 1
        f(np.ones(3))
        np.testing.assert_array_equal(w.get_value(), np.full(3, 2.0))

    @pytest.mark.parametrize("size", [4, 1_000_000])
    def test_index_out_of_range(self, size):
        i, w, n = T.lvector("i"), shared(np.zeros(size), "w"), shared(0, "n")
        f = function([i], w[i] * 1, updates=[(w, T.inc_subtensor(w[i], 1.0)), (n, n + 1)])
        f([0, -1])
        for wrong in ([0, size], [-size - 1]):
            with pytest.raises(IndexError):
                f(wrong)
        assert w.get_value().sum() == 2 and n.get_value() == 1
        np.testing.assert_array_equal(f([0]), [1])

    def test_label_out_of_bounds(self):
        y, w = T.lvector("y"), shared(np.zeros((2, 3)), "w")
        cost = T.nnet.categorical_crossentropy(T.nnet.softmax(w), y).mean()
        f = function([y], cost, updates=[(w, w - croton.grad(cost, w))])
        with pytest.raises((ValueError, IndexError)):
            f([0, 3])
        np.testing.assert_array_equal(w.get_value(), np.zeros((2, 3)))
        f([0, 2])
        assert (w.get_value() != 0).any()
