"""What a pass begins with."""

import jax
import numpy as np
import optax
import pytest

from croton.nets.training import engine, optimizers

PARAMS = [np.arange(6, dtype="float32").reshape(2, 3), np.arange(4, dtype="float64")]


def same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("algo", optimizers.known())
def test_first_state_is_known_without_a_program(algo, monkeypatch):
    monkeypatch.setattr(engine, "compiled", None)
    optimizer = optimizers.build(algo, momentum=0.9)
    with jax.enable_x64(True):
        same(engine.first_state(optimizer, PARAMS), optimizer.init(PARAMS))


def test_first_state_that_depends_on_the_parameters():
    optimizer = optax.GradientTransformation(lambda params: jax.tree.map(lambda p: 2 * p, params), None)
    with jax.enable_x64(True):
        same(engine.first_state(optimizer, PARAMS), [2 * p for p in PARAMS])
