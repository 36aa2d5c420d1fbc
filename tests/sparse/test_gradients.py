import numpy as np
import pytest
import scipy.sparse

import croton
import croton.sparse as S
import croton.tensor as T
from croton.gradient import DisconnectedInputError, verify_grad

RNG = np.random.RandomState(1)
X = scipy.sparse.random(6, 5, 0.4, format="csr", random_state=2)
Y = scipy.sparse.random(6, 5, 0.3, format="csc", random_state=3)
P = np.zeros((6, 5))
P[X.nonzero()] = 1


def with_data(data):
    """X with other entries."""
    return S.CSR(data, X.indices, X.indptr, [6, 5])


def test_by_what_is_dense():
    """A sum of all the products, so that one program checks them."""

    def products(w, v, s):
        total = S.dot(X, w) + S.structured_dot(Y, w) + S.dot(w.T, X.T).T + S.usmm(s[0], X, w, S.dot(Y, w))
        places = S.mul(X, v) + S.true_div(X, v) + S.row_scale(X, s) + S.col_scale(Y, v[0]) + S.sampling_dot(v, v[:5], X)
        more = S.csr_from_dense(v) * X + S.structured_pow(X, v) + S.structured_maximum(Y, v / 9)
        product = S.structured_dot(S.square_diagonal(s), S.csc_from_dense(v))
        return T.sqr(total).sum() + S.sqr(places + more).sum() + S.dot(X, v[1]).sum() + T.sqr(product.toarray()).sum()

    verify_grad(products, [RNG.randn(5, 3), RNG.rand(6, 5) + 1, RNG.rand(6) + 1])


def test_by_the_entries_of_a_matrix():
    """Through every kind of op on sparse matrices."""

    def chain(data):
        x = with_data(data)
        rest = S.structured_exp(x) + S.sqrt(S.sp_ones_like(x) + S.sqr(x)) - S.tanh(x[::-1][::-1]) + x * x
        inner = S.structured_dot(rest, Y.T) + S.structured_dot(x, x.T)
        sums = S.sp_sum(rest, 0).sum() + T.sqr(S.sp_sum(inner, 1)).sum() + S.diag(rest[:5]).sum() + rest[2, 3]
        stacked = S.hstack([rest, S.vstack([x[4:], x[:4]])])
        return sums + T.sqr(S.dot(stacked, np.arange(10.0))).sum() + T.sqr(S.dense_from_sparse(rest) - 1).sum()

    verify_grad(chain, [X.data + 0.5])


def test_by_a_sparse_variable():
    """By its entries: the gradient has the pattern of the matrix."""
    x, w = S.csr_matrix("x", "float64"), T.dmatrix("w")
    weights = RNG.randn(5, 3)
    cost = T.sqr(S.structured_dot(x, w)).sum()
    found = croton.function([x, w], [croton.grad(cost, x), croton.grad(S.csm_data(x).sum(), x)])(X, weights)
    dense = X.toarray()
    np.testing.assert_allclose(found[0].toarray(), P * (2 * dense @ weights @ weights.T), rtol=1e-12)
    np.testing.assert_array_equal(found[1].toarray(), P)
    assert all(f.format == "csr" and f.nnz == X.nnz for f in found)


def test_training_the_entries_of_a_shared_matrix():
    """Against the same steps in NumPy; the matrix neither grows nor is compiled for anew."""
    w = croton.shared(X, "w")
    inputs, targets = RNG.randn(5, 4), RNG.randn(6, 4)
    cost = T.sqr(S.dot(w, inputs) - targets).mean()
    step = croton.function([], cost, updates=[(w, w - 0.3 * croton.grad(cost, w))])
    dense = X.toarray()
    for _ in range(5):
        error = dense @ inputs - targets
        assert float(step()) == pytest.approx((error**2).mean())
        dense -= 0.3 * P * (2 * error @ inputs.T / error.size)
    np.testing.assert_allclose(w.get_value().toarray(), dense, rtol=1e-10, atol=1e-12)
    assert w.get_value().nnz == X.nnz
    assert step.trace_count == 1


def test_second_derivatives_jacobians_and_rop():
    x, w, v = S.csr_matrix("x", "float64"), T.dmatrix("w"), T.dmatrix("v")
    hidden = T.tanh(S.dot(x, w))
    slope = croton.grad(hidden.sum(), w)
    jacobian = croton.jacobian(hidden[:, 0], w)
    by_entries = croton.grad(croton.grad(hidden.sum(), x).sum(), w)
    outputs = [croton.grad(T.sqr(slope).sum(), w), jacobian, croton.Rop(hidden, w, v), by_entries]
    weights, direction, dense = RNG.randn(5, 3), RNG.randn(5, 3), X.toarray()
    second, rows, pushed, mixed = croton.function([x, w, v], outputs)(X, weights, direction)
    value = np.tanh(dense @ weights)
    first = dense.T @ (1 - value**2)
    np.testing.assert_allclose(second, 2 * dense.T @ (-2 * value * (1 - value**2) * (dense @ first)), rtol=1e-9)
    np.testing.assert_allclose(rows[:, :, 0], (1 - value[:, :1] ** 2) * dense, rtol=1e-9)
    assert not rows[:, :, 1:].any()
    np.testing.assert_allclose(pushed, (1 - value**2) * (dense @ direction), rtol=1e-9)
    # sum over the pattern of (1 - tanh(xw)^2) w': its derivative by w in two parts.
    expected = P.T @ (1 - value**2) + dense.T @ (-2 * value * (1 - value**2) * (P @ weights))
    np.testing.assert_allclose(mixed, expected, rtol=1e-9)


def test_infinite_slopes_at_room_do_not_spread():
    """Room in a program's matrix is zeros at its last place, where the quotient here is 0 / 0."""
    x, v = S.csr_matrix("x", "float64"), T.dmatrix("v")
    assert X[5, 4] == 0
    divisor = np.ones((6, 5))
    divisor[5, 4] = 0
    cost = S.sp_sum(S.sqrt(x)) + S.sp_sum(S.sqr(S.true_div(x, v)))
    by_x, by_v = croton.function([x, v], croton.grad(cost, [x, v]))(X, divisor)
    np.testing.assert_allclose(by_x.data, 0.5 / np.sqrt(X.data) + 2 * X.data, rtol=1e-12)
    np.testing.assert_allclose(by_v, -2 * X.toarray() ** 2, rtol=1e-12)


def test_connected_or_not():
    x, d, w = S.csr_matrix("x", "float64"), T.dvector("d"), T.dmatrix("w")
    cost = S.dot(S.sp_ones_like(x) + S.sp_zeros_like(x), w).sum() + x.shape.sum()
    for wrt in (x, d):
        with pytest.raises(DisconnectedInputError):
            croton.grad(cost, wrt)
    zero = croton.grad(cost, x, disconnected_inputs="ignore").eval({x: X})
    assert (zero.shape, zero.nnz) == (X.shape, 0)
    held = croton.grad((S.dot(x * 2, w)).sum() * w.sum(), w, consider_constant=[x * 2])
    assert np.isfinite(held.eval({x: X, w: np.ones((5, 1))})).all()


def test_what_has_no_derivative():
    x, i = S.csr_matrix("x", "float64"), S.csr_matrix("i", "int64")
    for cost, wrt in ((S.sp_sum(x * 2), x * 2), (S.sp_sum(S.cast(i, "float64")), i)):
        with pytest.raises(TypeError, match="by the sparse"):
            croton.grad(cost, wrt)
    with pytest.raises(TypeError, match="by the sparse x"):
        croton.jacobian(S.sp_sum(x, 0), x)
    with pytest.raises(T.AsTensorError, match="sparse"):
        croton.Rop(S.sp_sum(x), x, x)
