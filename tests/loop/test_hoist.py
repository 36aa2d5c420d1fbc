"""What is computed before a loop, once or for all steps together."""

import jax
import numpy as np

import croton
import croton.tensor as T
from croton.compile import hoist


def stacks(f, *arguments):
    """The shapes of all arrays of the program outside its loops."""
    program = f._program
    with jax.enable_x64(True):
        traced = jax.make_jaxpr(lambda *a: program.trace((), None, a, [])[:1])(*arguments, *program.shared_values())
    return {v.aval.shape for eqn in traced.eqns for v in eqn.outvars}


def layer():
    x = T.dmatrix("x")
    W = croton.shared(np.arange(12.0).reshape(3, 4), "W")
    y, _ = croton.scan(lambda row, h: T.tanh(T.dot(row, W) / 100 + h), x, T.zeros(4, "float64"))
    return croton.function([x], y[-1]), croton.function([x], T.grad(y.sum(), W))


def test_a_product_with_the_elements_is_one_product_before_the_loop():
    assert (5, 4) in stacks(layer()[0], np.ones((5, 3)))


def test_a_product_that_would_take_too_much_memory_stays_in_the_loop(monkeypatch):
    x = np.random.RandomState(0).normal(size=(5, 3))
    expected = [f(x) for f in layer()]
    monkeypatch.setattr(hoist, "_room", lambda program: hoist.MOST + 1)
    last, slope = layer()
    assert (5, 4) not in stacks(last, x)
    for f, right in zip((last, slope), expected, strict=True):
        np.testing.assert_allclose(f(x), right, rtol=1e-12)


def test_room_counts_what_every_operation_makes():
    program = jax.make_jaxpr(lambda x: (x * 2).sum())(np.ones((10, 4), "float32"))
    assert hoist._room(program) == 4 * (40 + 1)


def test_a_slice_beyond_the_only_column_is_empty_whoever_wrote_its_bounds():
    z = T.dtensor3("z")
    zero = T.zeros((4, 1), "float64")

    def step(z, h):
        n = h.shape[1]
        return h + z[:, n : 2 * n].sum(axis=1, keepdims=True) + z[:, n:].sum(axis=1, keepdims=True) + z[:, :n]

    h, _ = croton.scan(step, z, zero)
    f = croton.function([z], [h[-1], T.grad(h.sum(), z)])
    for columns in (1, 3):
        given = np.random.RandomState(0).normal(size=(2, 4, columns))
        last, slope = f(given)
        each = given[..., :1] + given[..., 1:2].sum(-1, keepdims=True) + given[..., 1:].sum(-1, keepdims=True)
        np.testing.assert_allclose(last, each.sum(0), rtol=1e-12)
        counts = np.array([1, 2, 1])[:columns] * np.array([2, 1])[:, None, None]
        np.testing.assert_allclose(slope, np.broadcast_to(counts, given.shape))


def test_gates_to_the_end_of_matrix_and_sequence_are_cut_before_the_loop():
    z, U = T.dtensor3("z"), croton.shared(np.random.RandomState(1).normal(size=(3, 6)), "U")

    def step(z, h):
        n = h.shape[1]
        return T.tanh(z[:, :n] + T.dot(h, U[:, :n])) * T.tanh(z[:, n:] + T.dot(h, U[:, n:]))

    h, _ = croton.scan(step, z, T.zeros((4, 3), "float64"))
    f = croton.function([z], [h[-1], *T.grad(h.sum(), [z, U])])
    given = np.random.RandomState(2).normal(size=(5, 4, 6))
    assert (5, 4, 3) in stacks(f, given)
    state, matrix = np.zeros((4, 3)), U.get_value()
    for row in given:
        state = np.tanh(row[:, :3] + state @ matrix[:, :3]) * np.tanh(row[:, 3:] + state @ matrix[:, 3:])
    np.testing.assert_allclose(f(given)[0], state, rtol=1e-12)
