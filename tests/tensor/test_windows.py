"""Maxima of windows: croton's kernels beside what XLA computes without them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croton.native.build import compiler
from croton.tensor import windows
from croton.tensor.windows import Span, window_max

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to make the kernels with")


def spans(shape, n):
    return tuple([Span(a, n, n, 0, shape[a] // n) for a in (len(shape) - 2, len(shape) - 1)])


def pooled(x, g, n):
    """The maxima, and the images' gradient by g."""
    z, pull = jax.vjp(lambda x: window_max(x, spans(x.shape, n)), x)
    return z, pull(g)[0]


def lowered(function, *arguments):
    return jax.jit(function).lower(*arguments).as_text()


def images(shape, n, seed=0):
    """Whole numbers, so that many are equal, and the gradient of their windows' maxima."""
    rng = np.random.RandomState(seed)
    x = rng.randint(-3, 4, size=shape).astype("float32")
    return x, rng.normal(size=(*shape[:-2], shape[-2] // n, shape[-1] // n)).astype("float32")


@given(st.integers(1, 9), st.integers(4, 20), st.booleans(), st.integers(0, 99))
def test_kernels_beside_numpy(high, wide, hole, seed):
    n = 2
    count = -(-(1 << 14) // (n * n * high * wide))
    x, g = images((count, n * high, n * wide), n, seed)
    if hole:
        x[seed % count, seed % (n * high), seed % (n * wide)] = np.nan
    function = jax.jit(lambda x, g: pooled(x, g, n))
    text = function.lower(x, g).as_text()
    assert "croton_largest" in text and "croton_shares" in text
    found = function(x, g)
    blocks = x.reshape(count, high, n, wide, n)
    np.testing.assert_array_equal(found[0], blocks.max((2, 4)))
    hits = blocks == blocks.max((2, 4), keepdims=True)
    share = g[:, :, None, :, None] / np.maximum(hits.sum((2, 4), keepdims=True), 1)
    np.testing.assert_allclose(found[1], np.where(hits, share, 0).reshape(x.shape), rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "n", "dtype"),
    [
        ((40, 30, 30), 2, "float64"),
        ((400, 6, 8), 2, "int32"),
        ((3000, 4, 4), 2, "float32"),
        ((30, 30, 30), 3, "float32"),
    ]
    + [((9, 8, 8), 2, "float32")],
    ids=["double", "integers", "narrow", "large windows", "small"],
)
def test_what_is_left_to_xla(shape, n, dtype):
    with jax.enable_x64(True):
        x = images(shape, n)[0].astype(dtype)
        text = lowered(lambda x: window_max(x, spans(shape, n)), x)
    assert "croton" not in text


def test_windows_that_leave_cells_out_or_overlap_are_left_to_xla():
    x = np.zeros((60, 21, 20), "float32")
    for high in (Span(1, 2, 2, 0, 10), Span(1, 3, 2, 0, 10), Span(1, 3, 2, 1, 11)):
        assert "croton" not in lowered(lambda x, high=high: window_max(x, (high, Span(2, 2, 2, 0, 10))), x)


def test_derivatives_of_the_derivative_and_in_forward_mode():
    x, g = images((300, 8, 8), 2)
    f = lambda x, g: (window_max(x, spans(x.shape, 2)) ** 2 * g).sum()  # noqa: E731
    slope = jax.jit(jax.grad(f))
    _, along = jax.jit(lambda x, g: jax.jvp(lambda x: slope(x, g), (x,), (x + 1,)))(x, g)
    _, forward = jax.jit(lambda x, g: jax.jvp(lambda x: f(x, g), (x,), (x + 1,)))(x, g)
    np.testing.assert_allclose(forward, jnp.vdot(slope(x, g), x + 1), rtol=1e-4)
    # f is quadratic while the same cells stay the largest: the second derivative is 2 g times the shares' products.
    shared = pooled(x, 2 * g * jax.jvp(lambda x: window_max(x, spans(x.shape, 2)), (x,), (x + 1,))[1], 2)[1]
    np.testing.assert_allclose(along, shared, rtol=1e-4, atol=1e-5)


def test_of_a_batch_the_batch_is_one_more_axis():
    x, g = images((5, 100, 8, 8), 2)
    found = jax.jit(jax.vmap(lambda x, g: pooled(x, g, 2)))(x, g)
    for a, b in zip(found, pooled(x, g, 2), strict=True):
        np.testing.assert_array_equal(a, b)
    same = jax.vmap(lambda g: pooled(x[0], g, 2)[1])(g)
    np.testing.assert_array_equal(same[3], pooled(x[0], g[3], 2)[1])


def test_without_kernels_it_is_the_same(monkeypatch):
    x, g = images((300, 8, 8), 2)
    found = pooled(x, g, 2)
    monkeypatch.setattr(windows, "LEAST", 1 << 60)
    jax.clear_caches()
    for a, b in zip(found, pooled(x, g, 2), strict=True):
        np.testing.assert_array_equal(a, b)
