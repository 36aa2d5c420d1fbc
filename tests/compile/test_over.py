"""``f.over``: many calls in one program."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import function, shared


def steps(batch=4, rows=20):
    """A training step on minibatches of shared data, as the tutorial writes it; and its parameters."""
    rng = np.random.default_rng(0)
    X, Y = shared(rng.normal(size=(rows, 3)), "X"), shared(rng.integers(0, 2, rows), "Y")
    x, y, i = T.dmatrix("x"), T.lvector("y"), T.lscalar("i")
    W, b = shared(np.zeros((3, 2)), "W"), shared(np.zeros(2), "b")
    p = T.nnet.softmax(T.dot(x, W) + b)
    cost = -T.log(p)[T.arange(y.shape[0]), y].mean()
    gW, gb = croton.grad(cost, [W, b])
    part = slice(i * batch, (i + 1) * batch)
    f = function([i], [cost, gb], updates=[(W, W - 0.5 * gW), (b, b - 0.5 * gb)], givens={x: X[part], y: Y[part]})
    return f, W, b


def test_same_numbers_as_calls_and_updates_carried():
    f, W, b = steps()
    singly = [f(i) for i in [0, 1, 2, 3, 4, 2]]
    ends = W.get_value(), b.get_value()
    f, W, b = steps()
    costs, gradients = f.over([0, 1, 2, 3, 4, 2])
    assert type(costs) is np.ndarray and costs.flags.writeable
    np.testing.assert_allclose(costs, [c for c, _ in singly], rtol=1e-12)
    np.testing.assert_allclose(gradients, [g for _, g in singly], rtol=1e-10)
    for got, want in zip((W.get_value(), b.get_value()), ends, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)
    # Once more over the same range makes no new program.
    traces = f.trace_count
    f.over([4, 3, 2, 1, 0, 2])
    assert f.trace_count == traces


def test_a_clipped_last_batch_is_a_program_of_its_own():
    f, W, _ = steps(batch=8)
    singly = [f(i)[0] for i in range(3)]
    end = W.get_value()
    f, W, _ = steps(batch=8)
    np.testing.assert_allclose(f.over(range(3))[0], singly, rtol=1e-12)
    np.testing.assert_allclose(W.get_value(), end, rtol=1e-12)
    again = f.trace_count
    f.over(range(3))
    assert f.trace_count == again


def test_several_sequences_of_every_kind():
    x, k, n = T.dvector("x"), T.dscalar("k"), T.lscalar("n")
    s = shared(0.0, "s")
    f = function([x, k, n], {"sum": (x * k).sum() + n, "s": s}, updates=[(s, s + k)])
    rows = np.arange(8.0).reshape(4, 2)
    got = f.over(rows, [1.0, 2.0, 3.0, 4.0], range(4))
    np.testing.assert_array_equal(got["sum"], rows.sum(1) * [1, 2, 3, 4] + np.arange(4))
    np.testing.assert_array_equal(got["s"], [0, 1, 3, 6])
    assert s.get_value() == 10.0
    # Arguments of several shapes, in runs.
    mixed = f.over([np.ones(2), np.ones(3), np.ones(3)], (1.0, 1.0, 2.0), iter([0, 0, 0]))
    np.testing.assert_array_equal(mixed["sum"], [2, 3, 6])


def test_a_single_call_and_no_outputs():
    x, s = T.dscalar("x"), shared(1.0, "s")
    f = function([x], [], updates=[(s, s * x)])
    assert f.over([3.0]) == [] and s.get_value() == 3.0
    assert f.over([2.0, 2.0]) == [] and s.get_value() == 12.0
    g = function([x], x * s)
    np.testing.assert_array_equal(g.over([1.0, 2.0]), [12, 24])
    np.testing.assert_array_equal(f.over(np.array([0.5])), [])


def test_swaps_are_simultaneous_in_every_step():
    x, a, b = T.dscalar("x"), shared(1.0), shared(2.0)
    f = function([x], a, updates=[(a, b), (b, a + x)])
    singly = [function([x], a, updates=[(a, b), (b, a + x)])(v) for v in (0.0, 1.0, 0.0, 5.0)]
    ends = a.get_value(), b.get_value()
    a.set_value(1.0)
    b.set_value(2.0)
    np.testing.assert_array_equal(f.over([0.0, 1.0, 0.0, 5.0]), singly)
    assert (a.get_value(), b.get_value()) == ends


def test_arguments_are_checked():
    x, y = T.dscalar("x"), T.lscalar("y")
    f = function([x, y], x * y)
    with pytest.raises(ValueError, match="lengths 2, 3"):
        f.over([1.0, 2.0], range(3))
    with pytest.raises(TypeError, match="2 inputs"):
        f.over([1.0])
    with pytest.raises(TypeError, match="Bad input argument"):
        f.over([1.0, "a"], [1, 2])
    with pytest.raises(TypeError, match="Bad input argument"):
        f.over([1.0], [1.5])
    with pytest.raises(TypeError, match="no inputs"):
        function([], shared(1.0)).over()


def test_outputs_that_cannot_be_stacked_are_an_error_before_anything_runs():
    x, s = T.dvector("x"), shared(0.0, "s")
    f = function([x], x * 2, updates=[(s, s + 1)])
    with pytest.raises(ValueError, match=r"output 0 has shape \(2,\) in call 0 and \(3,\) in call 1"):
        f.over([np.ones(2), np.ones(3)])
    assert s.get_value() == 0.0
    i, data = T.lscalar("i"), shared(np.arange(5.0))
    g = function([i], data[2 * i : 2 * i + 2], updates=[(s, s + 1)])
    with pytest.raises(ValueError, match="stacked"):
        g.over(range(3))
    assert s.get_value() == 0.0
    np.testing.assert_array_equal(g.over(range(2)), [[0, 1], [2, 3]])


def test_an_error_in_one_call_leaves_every_shared_value():
    i, s, data = T.lscalar("i"), shared(0.0, "s"), shared(np.arange(4.0), "data")
    f = function([i], data[i], updates=[(s, s + data[i])])
    with pytest.raises(IndexError):
        f.over([0, 1, 4, 2])
    assert s.get_value() == 0.0
    v, w = T.lvector("v"), shared(np.zeros(4), "w")
    g = function([v], w.sum(), updates=[(w, T.inc_subtensor(w[v], 1.0)), (s, s + 1)])
    with pytest.raises(IndexError):
        g.over([[0, 1], [1, 2], [3, 4]])
    assert s.get_value() == 0.0 and (w.get_value() == 0).all()
    g.over([[0, 1], [1, 2]])
    np.testing.assert_array_equal(w.get_value(), [1, 2, 1, 0])


def test_shapes_that_grow_from_call_to_call():
    x, w = T.dscalar("x"), shared(np.ones(1), "w")
    f = function([x], w.sum(), updates=[(w, T.concatenate([w, x.dimshuffle("x")]))])
    np.testing.assert_array_equal(f.over([2.0, 3.0]), [1, 3])
    np.testing.assert_array_equal(w.get_value(), [1, 2, 3])


def test_functions_that_run_op_by_op():
    x, s = T.dvector("x"), shared(0.0, "s")
    f = function([x], x[x > 0].sum(), updates=[(s, s + T.nonzero(x)[0].shape[0])])
    np.testing.assert_array_equal(f.over([[1.0, -1.0], [2.0, 3.0]]), [1, 5])
    assert s.get_value() == 4.0


def test_default_updates_advance():
    x, n = T.dscalar("x"), shared(0.0, "n")
    n.default_update = n + 1
    np.testing.assert_array_equal(function([x], n * x).over([1.0, 1.0, 2.0]), [0, 1, 4])
    assert n.get_value() == 3.0


def test_inputs_with_an_update_carry_their_values():
    x, state = T.dscalars("x", "state")
    f = croton.function([x, croton.In(state, value=1.0, update=state + x)], state * 10)
    np.testing.assert_array_equal([f(1.0), f(2.0)], [10, 20])
    np.testing.assert_array_equal(f.over([1.0, 2.0, 3.0]), [40, 50, 70])
    assert f["state"] == 10
