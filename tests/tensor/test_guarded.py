"""Guarded ops: the plain derivatives of every order, except that zero times infinity is zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from croton.rewrites.switches import _SINGULAR
from croton.tensor.elemwise import ROWS
from croton.tensor.guarded import guard

POINTS = {1: (np.array([0.3, 0.7]),), 2: (np.array([0.3, 0.7]), np.array([1.5, 0.4]))}


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", sorted(_SINGULAR))
def test_derivatives_are_the_plain_ones(name):
    row = ROWS[name]
    values = POINTS[row.nin]
    if name == "arccosh":
        values = (values[0] + 1,)

    def plain(*v):
        return row.meaning(jnp, *v).sum()

    guarded_op = guard(lambda *v: row.meaning(jnp, *v))

    def guarded(*v):
        return guarded_op(*v).sum()

    every = tuple(range(row.nin))
    for derive in (jax.grad, jax.hessian, lambda f, n: jax.jacfwd(jax.jacrev(jax.hessian(f, 0), 0), 0)):
        expected, found = (jax.tree.leaves(derive(f, every)(*values)) for f in (plain, guarded))
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


def test_zero_times_infinity_is_zero_in_every_order():
    log = guard(jnp.log)

    def masked(x):
        return jnp.where(x > 0, log(x), 0.0).sum()

    x = jnp.array([0.0, 2.0])
    first = jax.grad(masked)
    second = jax.grad(lambda v: first(v).sum())
    third = jax.grad(lambda v: second(v).sum())
    for found, true in ((first(x), [0, 0.5]), (second(x), [0, -0.25]), (third(x), [0, 0.25])):
        np.testing.assert_array_equal(found, true)
    np.testing.assert_array_equal(jax.vmap(first)(x[:, None])[:, 0], [0, 0.5])
    np.testing.assert_array_equal(jax.jit(jax.hessian(masked))(x), np.diag([0, -0.25]))


def test_operands_that_broadcast():
    divide = guard(lambda a, b: a / b)
    a, b = np.array([[1.0], [2.0]]), np.array([4.0, 5.0, 8.0])
    for k in (0, 1):
        found, true = (jax.grad(lambda *v, f=f: f(*v).sum(), k)(a, b) for f in (divide, lambda a, b: a / b))
        np.testing.assert_allclose(found, true, rtol=1e-14)
