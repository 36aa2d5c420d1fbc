"""Derivatives of convolutions of both directions and any order, and batches of them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import croton
import croton.tensor as T
from croton.gradient import Rop, jacobian, verify_grad
from croton.tensor import conv
from croton.tensor.conv import trilinear
from croton.tensor.conv.geometry import Geometry

R = np.random.RandomState(0)
X, W = R.randn(2, 4, 5, 4), R.randn(4, 2, 3, 2)
OPTIONS = {"border_mode": ((1, 0), 1), "subsample": (2, 1), "filter_dilation": (1, 2), "num_groups": 2}


def test_gradient():
    verify_grad(lambda x, w: conv.conv2d(x, w, **OPTIONS), [X, W], n_tests=1)


def test_gradients_of_the_gradients():
    y = R.randn(2, 4, 2, 4)
    inputs = partial(conv.conv2d_grad_wrt_inputs, input_shape=(2, 4, 5, 4), **OPTIONS)
    weights = partial(conv.conv2d_grad_wrt_weights, filter_shape=(4, 2, 3, 2), **OPTIONS)
    verify_grad(lambda y, w: inputs(y, w), [y, W], n_tests=1)
    verify_grad(lambda x, y: weights(x, y), [X, y], n_tests=1)


def test_second_derivatives():
    def slope(x, w):
        return T.concatenate([g.flatten() for g in T.grad((conv.conv2d(x, w, **OPTIONS) ** 3).sum(), [x, w])])

    verify_grad(slope, [X, W], n_tests=1, rel_tol=1e-3, abs_tol=1e-3)


def test_gradient_of_three_dimensions():
    x, w = R.randn(1, 2, 3, 4, 3), R.randn(2, 2, 2, 2, 2)
    verify_grad(lambda x, w: conv.conv3d(x, w, border_mode="half", subsample=(1, 2, 1)), [x, w], n_tests=1)


def test_forward_mode_and_jacobian():
    x, w, dx, dw = T.dtensor4(), T.dtensor4(), T.dtensor4(), T.dtensor4()
    out = conv.conv2d(x, w, **OPTIONS)
    total = out.sum(axis=(0, 2, 3))
    values = croton.function(
        [x, w, dx, dw],
        [
            Rop(out, [x, w], [dx, dw]),
            conv.conv2d(dx, w, **OPTIONS),
            conv.conv2d(x, dw, **OPTIONS),
            *jacobian(total, [x, w]),
        ]
        + [g for k in range(4) for g in T.grad(total[k], [x, w])],
    )(X, W, R.randn(*X.shape), R.randn(*W.shape))
    pushed, one, other, jx, jw, *rows = values
    np.testing.assert_allclose(pushed, one + other)
    np.testing.assert_allclose(jx, rows[::2])
    np.testing.assert_allclose(jw, rows[1::2])


def test_batches_of_convolutions_are_convolutions():
    """vmap over any of the arrays, of each of the three forms."""
    groups = 2
    g = Geometry((5, 4), (3, 2), ((1, 0), (1, 1)), (2, 1), (1, 2), groups)
    shapes = [(2, 4, 5, 4), (6, 4 // groups, 3, 2), (2, 6, *g.out)]
    arrays = [jnp.asarray(R.randn(3, *s), "float32") for s in shapes]
    for wanted in range(3):
        form = jax.jit(partial(trilinear._form.bind, wanted=wanted, geometry=g))
        a, b = (arrays[k] for k in range(3) if k != wanted)
        for axes in [(0, None), (None, 1), (1, 0)]:
            given = [v[1] if k is None else jnp.moveaxis(v, 0, k) for v, k in zip((a, b), axes, strict=True)]
            each = [[v if k is None else jnp.take(v, n, k) for v, k in zip(given, axes, strict=True)] for n in range(3)]
            found = jax.vmap(form, axes)(*given)
            np.testing.assert_allclose(found, [form(*e) for e in each], rtol=2e-4, atol=2e-4)


def test_other_devices_than_a_cpu_get_xlas_own_convolution():
    g = Geometry((8, 8), (3, 3), ((0, 0),) * 2, (1, 1), (1, 1), 1)
    x, w = jnp.zeros((2, 3, 8, 8), "float32"), jnp.zeros((4, 3, 3, 3), "float32")
    slope = jax.jit(jax.grad(lambda x, w: (trilinear.correlate(x, w, g) ** 2).sum(), (0, 1)))
    text = {p: slope.trace(x, w).lower(lowering_platforms=(p,)).as_text() for p in ("cpu", "cuda", "tpu")}
    assert [text[p].count("stablehlo.convolution") for p in ("cpu", "cuda", "tpu")] == [0, 3, 3]
    # In groups, which croton's kernels do not know.
    long = Geometry((1, 200), (1, 100), ((0, 0),) * 2, (1, 1), (1, 1), 3)
    x, w = jnp.zeros((2, 3, 1, 200), "float32"), jnp.zeros((6, 1, 1, 100), "float32")
    # Slices by the hundred would take seconds to compile.
    assert "stablehlo.convolution" in jax.jit(partial(trilinear.correlate, geometry=long)).lower(x, w).as_text()
