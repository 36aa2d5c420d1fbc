"""Products over stacks, whole and for stacks divided over devices: the sums that NumPy makes."""

import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from croton.devices import dividing, mesh_for
from croton.tensor.stacks import product_of_stack, product_over_all

LENGTHS = st.integers(1, 4)


def drawn(seed, *shape):
    return np.random.RandomState(seed).randn(*shape)


@settings(max_examples=8)
@given(st.lists(LENGTHS, min_size=1, max_size=3), LENGTHS, LENGTHS, st.booleans())
def test_the_product_over_all_is_that_of_the_flattened_factors(leading, m, n, divided):
    with jax.enable_x64(True):
        a, b = drawn(0, *leading, m), drawn(1, *leading, n)
        with dividing(mesh_for(64) if divided else None):
            found = product_over_all(jax.numpy.asarray(a), jax.numpy.asarray(b))
        np.testing.assert_allclose(found, a.reshape(-1, m).T @ b.reshape(-1, n), rtol=1e-12)


def test_the_derivatives_of_a_stack_s_product_are_those_that_jax_finds():
    with jax.enable_x64(True):
        x, w, g = drawn(0, 3, 4, 2), drawn(1, 2, 5), drawn(2, 3, 4, 5)
        ours, theirs = (jax.vjp(f, x, w)[1](g) for f in (product_of_stack, lambda x, w: x @ w))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
