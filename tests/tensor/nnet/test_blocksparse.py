"""Products of blocks against loops over the blocks."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.tensor.nnet.blocksparse import sparse_block_dot, sparse_block_outer

RNG = np.random.RandomState(0)
W, H, B = RNG.randn(3, 4, 5, 2), RNG.randn(6, 2, 5), RNG.randn(4, 2)
ROWS, COLUMNS = RNG.randint(-1, 3, (6, 2)), RNG.randint(0, 4, (6, 3))  # some of them repeated


def dot(W, h, rows, b, columns):
    out = b[columns]
    for n, j, i in np.ndindex(*columns.shape, rows.shape[1]):
        out[n, j] += h[n, i] @ W[rows[n, i], columns[n, j]]
    return out


def outer(o, x, y, rows, columns, alpha=1.0):
    out = o.copy()
    for n, i, j in np.ndindex(*rows.shape, columns.shape[1]):
        out[rows[n, i], columns[n, j]] += alpha * np.outer(x[n, i], y[n, j])
    return out


def test_sparse_block_dot(agree, gradients_agree):
    agree(sparse_block_dot, dot, W, H, ROWS, B, COLUMNS)
    agree(sparse_block_dot, dot, *[a.astype(a.dtype.name.replace("64", "32")) for a in (W, H, ROWS, B, COLUMNS)])
    agree(sparse_block_dot, lambda W, h, r, b, c: dot(W, h[None], r[None], b, c[None]), W, H[0], ROWS[0], B, COLUMNS[0])
    gradients_agree(sparse_block_dot, W, H[:2], ROWS[:2], B, COLUMNS[:2])


def test_sparse_block_outer(agree, gradients_agree):
    y = RNG.randn(6, 3, 2)
    agree(sparse_block_outer, outer, W, H, y, ROWS, COLUMNS)
    agree(lambda *v: sparse_block_outer(*v[:5], alpha=v[5]), outer, W, H, y, ROWS, COLUMNS, np.float64(0.5))
    gradients_agree(sparse_block_outer, W[:, :, :2], H[:2, :, :2], y[:2], ROWS[:2], COLUMNS[:2])


def test_the_outer_product_is_the_gradient_of_the_dot_product():
    w, g = T.tensor4("w", dtype="float64"), RNG.randn(6, 3, 2)
    z = sparse_block_dot(w, H, ROWS, B, COLUMNS)
    found = croton.function([w], croton.grad(None, w, known_grads={z: T.constant(g)}))(W)
    np.testing.assert_allclose(found, outer(np.zeros_like(W), H, g, ROWS, COLUMNS), rtol=1e-12)


def test_bad_arguments():
    w, h, b, i = T.tensor4("w"), T.tensor3("h"), T.matrix("b"), T.lmatrix("i")
    for build, message in (
        (lambda: sparse_block_dot(h, h, i, b, i), "sparse_block_dot: W must have 4 dimensions, got h"),
        (lambda: sparse_block_dot(w, w, i, b, i), "h must have 3 dimensions"),
        (lambda: sparse_block_dot(w, h, T.lvector("v"), b, i), "inputIdx must have 2 dimensions, got v"),
        (lambda: sparse_block_dot(w, h, i, b, b), "outputIdx must be integers, got b"),
        (lambda: sparse_block_outer(w, h, b, i, i), "sparse_block_outer: y must have 3 dimensions"),
    ):
        with pytest.raises(TypeError, match=message):
            build()
    f = croton.function([i], sparse_block_dot(W, H, i, B, COLUMNS))
    with pytest.raises(IndexError):
        f(np.full((6, 2), 3))
