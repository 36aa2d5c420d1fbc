"""Narrow products are computed transposed: the numbers must be those of the plain form, whatever follows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.compile import layout

ROWS, INNER, COLUMNS = 96, 80, 10
rng = np.random.RandomState(3)
X = rng.randn(ROWS, INNER)
W = rng.randn(INNER, COLUMNS)
B = rng.randn(COLUMNS)
LABELS = rng.randint(0, COLUMNS, ROWS)


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


# what follows the product z, symbolically, and in NumPy
FOLLOWING = {
    "nothing": (lambda z: z, lambda z: z),
    "bias": (lambda z: z + B, lambda z: z + B),
    "bias in front": (lambda z: B - z, lambda z: B - z),
    "column": (lambda z: z * T.constant(X[:, :1]), lambda z: z * X[:, :1]),
    "matrix": (lambda z: z * T.constant(X[:, :10]), lambda z: z * X[:, :10]),
    "two products": (lambda z: z * T.tanh(z), lambda z: z * np.tanh(z)),
    "log softmax": (lambda z: T.nnet.logsoftmax(z), log_softmax),
    "softmax over rows": (lambda z: T.special.softmax(z, 0), lambda z: np.exp(log_softmax(z.T)).T),
    "picked": (
        lambda z: T.nnet.logsoftmax(z)[T.arange(ROWS), T.constant(LABELS)],
        lambda z: log_softmax(z)[np.arange(ROWS), LABELS],
    ),
    "sum": (lambda z: T.tanh(z).sum(), lambda z: np.tanh(z).sum()),
    "sum of columns": (lambda z: z.sum(axis=0), lambda z: z.sum(axis=0)),
    "row maxima": (lambda z: z.max(axis=1), lambda z: z.max(axis=1)),
    "kept": (lambda z: z.mean(axis=1, keepdims=True), lambda z: z.mean(axis=1, keepdims=True)),
    "argmax of all": (lambda z: z.argmax(), lambda z: z.argmax()),
    "best columns": (lambda z: z.argmax(axis=1), lambda z: z.argmax(axis=1)),
    "rows": (lambda z: z[3:40:2], lambda z: z[3:40:2]),
    "turned": (lambda z: z.T, lambda z: z.T),
    "product": (lambda z: T.dot(z, T.constant(W.T)), lambda z: z @ W.T),
    "from the left": (lambda z: T.dot(T.constant(X.T), z), lambda z: X.T @ z),
    "shape": (lambda z: z.shape, lambda z: np.array(z.shape)),
    "flat": (lambda z: z.flatten(), lambda z: z.ravel()),
    "cast": (lambda z: T.cast(z, "float32"), lambda z: z.astype("float32")),
    "joined": (lambda z: T.concatenate([z, z], axis=1), lambda z: np.concatenate([z, z], axis=1)),
}


def test_the_products_tested_here_are_narrow():
    node = T.dot(T.constant(X), T.constant(W)).owner
    held = layout.narrow_product(node, [jnp.asarray(X), jnp.asarray(W)])
    assert jax.default_backend() != "cpu" or isinstance(held, layout.Transposed)
    assert layout.narrow_product(node, [jnp.asarray(X[:20]), jnp.asarray(W)]) is None, "few rows"
    assert layout.narrow_product(node, [jnp.asarray(X), jnp.asarray(np.tile(W, 8))]) is None, "many columns"


@pytest.mark.parametrize("name", FOLLOWING)
def test_what_follows_a_narrow_product(name):
    symbolic, plain = FOLLOWING[name]
    x, w = T.dmatrices("x", "w")
    found = croton.function([x, w], symbolic(T.dot(x, w)))(X, W)
    expected = plain(X @ W)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(
        found, expected, rtol=2e-6 if name == "cast" else 1e-10, atol=1e-6 if name == "cast" else 1e-12
    )


@pytest.mark.parametrize("name", ["bias", "two products", "log softmax", "picked", "from the left", "rows"])
def test_gradients_through_a_narrow_product(name):
    symbolic, _ = FOLLOWING[name]
    x, w = T.dmatrices("x", "w")
    cost = T.sqr(symbolic(T.dot(x, w))).sum()
    narrow = croton.function([x, w], croton.grad(cost, [x, w]))
    # The same product in rows too few to be narrow, part by part: for these costs the parts' gradients add up.
    if name == "from the left":
        gap = (X.T @ X) * 2
        np.testing.assert_allclose(narrow(X, W)[1], gap @ (X.T @ X) @ W, rtol=1e-9)
        return
    plain = croton.function([x, w], croton.grad(cost, [x, w]), mode=croton.DebugMode())
    for a, b in zip(narrow(X, W), plain(X, W), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_labels_out_of_range_are_found_in_a_transposed_product():
    x, w, y = T.dmatrix("x"), T.dmatrix("w"), T.lvector("y")
    f = croton.function([x, w, y], T.nnet.logsoftmax(T.dot(x, w))[T.arange(y.shape[0]), y])
    wrong = LABELS.copy()
    np.testing.assert_allclose(
        f(X, W, wrong - COLUMNS), log_softmax(X @ W)[np.arange(ROWS), wrong - COLUMNS], rtol=1e-10
    )
    wrong[5] = COLUMNS
    with pytest.raises(IndexError, match="dimension 1"):
        f(X, W, wrong)
