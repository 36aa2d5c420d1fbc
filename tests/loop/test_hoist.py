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
