"""Products made together with what is computed for each example, beside the same by XLA."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croton.native import each, heads
from croton.native.build import compiler
from croton.native.library import ready
from croton.native.products import with_products

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to make the kernels with")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(each, "LEAST", 0)
    monkeypatch.setattr(heads, "LEAST", 0)


def numbers(*shape, seed=0):
    return np.random.RandomState(seed).normal(size=shape).astype("float32")


def labels(*shape, below):
    return np.random.RandomState(9).randint(0, below, shape).astype("int32")


def cross_entropy(scores, y):
    right = jnp.arange(scores.shape[-1]) == y[..., None]
    return -jnp.where(right, jax.nn.log_softmax(scores), 0).sum(-1).mean()


def loss(x, w, b, y):
    return cross_entropy(x @ w + b, y)


slopes = jax.value_and_grad(loss, argnums=(0, 1, 2))


def text_and_results(function, *arguments):
    """The program as XLA has it in the end, and what it computes."""
    compiled = jax.jit(lambda *a: with_products(function, *a), keep_unused=True).lower(*arguments).compile()
    assert ready()
    return compiled.as_text(), compiled(*arguments)


def as_by_xla(function, found, *arguments):
    expected = jax.jit(function)(*arguments)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6), found, expected)


def same(function, *arguments, alone=True):
    """Check the results against XLA's, and whether no product is left beside the function of C."""
    text, found = text_and_results(function, *arguments)
    assert text.count('"croton_each"') == 1
    assert alone == (" dot(" not in text and "ynn_fusion" not in text and "croton_product" not in text)
    as_by_xla(function, found, *arguments)
    return text


@settings(max_examples=8, deadline=None)
@given(
    examples=st.integers(2, 150),
    terms=st.integers(1, 40),
    features=st.integers(2, 70),
    wanted=st.sampled_from([(), (0,), (1,), (0, 1, 2)]),
)
def test_scores_and_both_gradients(examples, terms, features, wanted):
    arguments = numbers(examples, terms), numbers(terms, features, seed=1), numbers(features, seed=2)
    y = labels(examples, below=features)
    same(jax.value_and_grad(loss, argnums=wanted) if wanted else loss, *arguments, y)


@pytest.mark.parametrize(("steps", "batch"), [(7, 9), (5, 64), (33, 2), (1, 40), (40, 1), (12, 12)])
def test_inputs_and_their_gradient_lie_step_by_step(steps, batch):
    def function(x, w, b, y):
        value, (back, *others) = slopes(jnp.transpose(x, (1, 0, 2)), w, b, y)
        return value, jnp.transpose(back, (1, 0, 2)), others

    arguments = numbers(steps, batch, 12), numbers(12, 20, seed=1), numbers(20, seed=2)
    text = same(function, *arguments, labels(batch, steps, below=20))
    assert "transpose(" not in text


@pytest.mark.parametrize(
    ("examples", "terms", "features"),
    [(9000, 24, 35), (100, 400, 33), (70, 20, 400), (64, 17, 17), (33, 1, 33)],
)
def test_in_parts_of_examples_and_of_terms(examples, terms, features):
    arguments = numbers(examples, terms), numbers(terms, features, seed=1), numbers(features, seed=2)
    same(slopes, *arguments, labels(examples, below=features))


def test_two_in_one_program():
    def function(x, v, w, b, y):
        hidden = x @ v
        return slopes(x, v, b, y), slopes(jnp.tanh(hidden), w, b, y)

    arguments = numbers(90, 12), numbers(12, 12, seed=1), numbers(12, 12, seed=3), numbers(12, seed=2)
    y = labels(90, below=12)
    text, found = text_and_results(function, *arguments, y)
    assert text.count('"croton_each"') == 2
    as_by_xla(function, found, *arguments, y)


def test_weights_that_are_turned_ones():
    def function(x, w, b, y):
        value, (back, grown, bias) = slopes(x, w.T, b, y)
        return value, back, grown.T, bias

    arguments = numbers(50, 6), numbers(11, 6, seed=1), numbers(11, seed=2), labels(50, below=11)
    text, found = text_and_results(function, *arguments)
    assert text.count('"croton_each"') == 1
    as_by_xla(function, found, *arguments)


def test_scores_that_others_read_are_made_by_themselves():
    def function(x, w, b, y):
        scores = x @ w
        return cross_entropy(scores + b, y), scores

    arguments = numbers(50, 6), numbers(6, 11, seed=1), numbers(11, seed=2), labels(50, below=11)
    same(function, *arguments, alone=False)


def test_a_gradient_that_others_read_is_written_too():
    def function(x, w, b, y):
        value, slope = jax.value_and_grad(lambda scores: cross_entropy(scores + b, y))(x @ w)
        return value, slope @ w.T, x.T @ slope, slope

    arguments = numbers(50, 6), numbers(6, 11, seed=1), numbers(11, seed=2), labels(50, below=11)
    same(function, *arguments, alone=False)


def test_a_gradient_multiplied_by_other_weights_is_multiplied_by_them():
    def function(x, w, b, y, other):
        value, slope = jax.value_and_grad(lambda scores: cross_entropy(scores + b, y))(x @ w)
        return value, slope @ other.T, (2 * x).T @ slope

    arguments = numbers(50, 6), numbers(6, 11, seed=1), numbers(11, seed=2), labels(50, below=11)
    same(function, *arguments, numbers(6, 11, seed=3), alone=False)


def test_scores_that_are_no_numbers_stay_so():
    x = numbers(70, 6)
    x[3] = np.inf
    arguments = x, numbers(6, 11, seed=1), numbers(11, seed=2), labels(70, below=11)
    text, (value, (back, grown, bias)) = text_and_results(slopes, *arguments)
    assert " dot(" not in text and "ynn_fusion" not in text
    assert np.isnan(value) and np.isnan(back[3]).all() and np.isfinite(np.delete(back, 3, 0)).all()
    assert np.isnan(grown).all() and np.isnan(bias).all()


@pytest.mark.parametrize("room", ["TERMS", "WEIGHTS", "LEAST"])
def test_what_is_too_large_or_too_small_is_left(room, monkeypatch):
    monkeypatch.setattr(heads, room, {"LEAST": 1 << 30}.get(room, 4))
    arguments = numbers(50, 6), numbers(6, 11, seed=1), numbers(11, seed=2), labels(50, below=11)
    same(slopes, *arguments, alone=False)
