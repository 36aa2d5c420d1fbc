"""Sparse matrices as arguments, defaults, givens, constants and shared values of functions."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse

import croton
import croton.sparse as S
import croton.tensor as T

X = scipy.sparse.random(6, 5, 0.4, format="csr", random_state=2)
W = np.random.RandomState(0).randn(5, 3)


@pytest.fixture(scope="module")
def product():
    x = S.csr_matrix("x", "float32")
    return croton.function([x], S.structured_dot(x, W.astype("float32")), name="product")


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array"])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_what_is_accepted(product, kind, dtype):
    given = getattr(scipy.sparse, kind)(np.eye(6, 5, dtype=dtype))
    np.testing.assert_array_equal(product(given), np.eye(6, 5) @ W.astype("float32"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.eye(5, dtype="float32"), r"got an array of shape \(5, 5\): give scipy.sparse.csr_matrix\(x\)"),
        ([[1.0]], r"got list: give scipy.sparse.csr_matrix"),
        (X.astype("float32").tocsc(), r"of format csc and shape \(6, 5\): give x.tocsr\(\)"),
        (X.astype("float32").tocoo(), r"of format coo and shape \(6, 5\): give x.tocsr\(\)"),
        (X, r"dtype float64 without risking loss of precision: give x.astype\('float32'\), or allow it"),
        (S.csr_matrix("y", "float32"), "got the symbolic variable y"),
    ],
)
def test_what_is_refused(product, given, message):
    with pytest.raises(TypeError, match=rf"function 'product' at index 0 \(0-based\), x: (.|\n)*{message}"):
        product(given)


def test_an_array_of_one_dimension(product):
    if not hasattr(scipy.sparse.csr_array(np.eye(2)), "ndim") or scipy.sparse.csr_array([1.0]).ndim == 2:
        pytest.skip("this SciPy's csr_array always has two dimensions")
    with pytest.raises(TypeError, match="wrong number of dimensions: .* has 2, got 1"):
        product(scipy.sparse.csr_array(np.ones(5, "float32")))


def test_downcast_and_strict():
    x = S.csr_matrix("x", "float32")
    downcast = croton.function([x], S.sp_sum(x), allow_input_downcast=True)
    assert downcast(X) == pytest.approx(X.sum())
    strict = croton.function([croton.In(x, strict=True)], S.sp_sum(x))
    with pytest.raises(TypeError, match=r"int8 without risking loss of precision: give x.astype\('float32'\)$"):
        strict(X.astype("int8"))


def test_batches_of_differing_entries_compile_a_bounded_number_of_programs():
    """From 50 to 150 entries: no more than the sizes that room is given in."""
    x = S.csr_matrix("x", "float64")
    run = croton.function([x], S.dot(x, np.eye(30)))
    for count in range(50, 150):
        given = scipy.sparse.csr_matrix((np.ones(count), (np.arange(count) % 8, np.arange(count) % 30)), (8, 30))
        np.testing.assert_array_equal(run(given), given.toarray())
    assert 1 < run.trace_count <= 8
    before = run.trace_count
    run(given)
    assert run.trace_count == before


def test_defaults_givens_and_constants():
    x, y = S.csr_matrix("x", "float64"), T.dvector("y")
    mine = X.copy()
    run = croton.function([y, croton.In(x, value=mine, name="matrix")], S.dot(x, y))
    given = croton.function([y], S.dot(x, y), givens={x: mine})
    constant = croton.function([y], S.dot(mine, y))
    mine.data[:] = 0
    expected = X @ np.ones(5)
    for found in (run(np.ones(5)), run(np.ones(5), matrix=X), given(np.ones(5)), constant(np.ones(5))):
        np.testing.assert_allclose(found, expected)
    np.testing.assert_array_equal(run["matrix"].toarray(), X.toarray())
    with pytest.raises(TypeError, match="expected a SciPy matrix"):
        croton.In(x, value=np.eye(2))
    with pytest.raises(TypeError, match="expected a SciPy matrix"):
        croton.function([y], S.dot(x, y), givens={x: np.eye(5)})


def test_an_input_with_an_update():
    x = S.csr_matrix("x", "float64")
    run = croton.function([croton.In(x, value=X, update=x * 2)], S.sp_sum(x))
    assert [float(run()) for _ in range(3)] == pytest.approx([X.sum(), 2 * X.sum(), 4 * X.sum()])


# --- shared values ---


@pytest.mark.parametrize("made", [scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_shared(made):
    mine = made(X, copy=True)
    w = croton.shared(mine, "w")
    assert type(w) is S.SparseTensorSharedVariable and isinstance(w, croton.SharedVariable)
    assert (w.format, w.dtype, w.ndim, w.name) == (mine.format, "float64", 2, "w")
    mine.data[:] = 0
    value = w.get_value()
    np.testing.assert_array_equal(value.toarray(), X.toarray())
    value.data[:] = 0
    np.testing.assert_array_equal(w.get_value(borrow=True).toarray(), X.toarray())


def test_set_value_checks():
    w = croton.shared(X, "w")
    run = croton.function([], S.dot(w, W))
    run()
    for wrong in (X.toarray(), X.tocsc(), X.astype("complex128"), 3):
        with pytest.raises(TypeError):
            w.set_value(wrong)
        np.testing.assert_array_equal(w.get_value().toarray(), X.toarray())
    w.set_value(X[:2])
    np.testing.assert_allclose(run(), X[:2] @ W)


def test_updates_whose_pattern_grows():
    """What a sum of two patterns adds to the room of a stored matrix is taken off again."""
    w, seen = croton.shared(scipy.sparse.csr_matrix((4, 4)), "w"), np.zeros((4, 4))
    x = S.csr_matrix("x", "float64")
    run = croton.function([x], S.sp_sum(w), updates=[(w, w + x)])
    for k in range(12):
        given = np.zeros((4, 4))
        given[k % 4, k // 4] = given[0, 0] = k
        assert float(run(scipy.sparse.csr_matrix(given))) == seen.sum()
        seen += given
    np.testing.assert_array_equal(w.get_value().toarray(), seen)
    assert w.get_value().has_canonical_format
    assert run.trace_count <= 2


def test_updates_of_other_types_are_refused():
    w, d = croton.shared(X, "w"), T.dmatrix("d")
    for wrong in (w.T, S.cast(w, "float32"), w + d):
        with pytest.raises(TypeError, match=r"original shared variable: w has type Sparse\[float64, csr\]"):
            croton.function([d], [], updates=[(w, wrong)], on_unused_input="ignore")


def test_two_shared_values_of_one_pattern_do_not_share_their_memory():
    a, b = croton.shared(X, "a"), croton.shared(X * 3, "b")
    swap = croton.function([], updates=[(a, b), (b, a * 1)])
    swap()
    swap()
    np.testing.assert_allclose(a.get_value().toarray(), X.toarray())
    parts = [p for s in (a, b) for p in s.container.value.parts]
    assert len({p.unsafe_buffer_pointer() for p in parts}) == len(parts)


# --- the rest of what functions do ---


def test_outputs_keep_their_form():
    x = S.csc_matrix("x", "float64")
    given = X.tocsc()
    assert isinstance(croton.function([x], x)(given), scipy.sparse.csc_matrix)
    assert isinstance(croton.function([x], [x.T])(given)[0], scipy.sparse.csr_matrix)
    found = croton.function([x], {"a": x, "b": S.sp_sum(x)})(given)
    assert found["a"].format == "csc" and isinstance(found["b"], np.ndarray)
    found["a"].data[:] = 0
    assert given.data.all()


def test_eval_clone_printing_and_names():
    x, y, w = S.csr_matrix("x", "float64"), S.csr_matrix("y", "float64"), T.dmatrix("w")
    cost = S.structured_dot(x, w).sum()
    np.testing.assert_allclose(cost.eval({x: X, w: W}), (X @ W).sum())
    np.testing.assert_allclose(croton.clone(cost, {x: y * 2}).eval({y: X, w: W}), 2 * (X @ W).sum())
    with pytest.raises(TypeError, match="clone cannot replace x"):
        croton.clone(cost, {x: w})
    assert "SparseDot [id B]" in croton.debugprint(cost, file="str")
    assert croton.pp(S.dot(x, w)) == "SparseDot(x, w)"
    assert str(S.as_sparse(X)) == f"SparseConstant{{csr,float64,shape=(6, 5),nnz={X.nnz}}}"
    assert (str(x), str(S.csr_matrix(dtype="int8"))) == ("x", "<Sparse[int8, csr]>")
    assert isinstance(x, S.SparseVariable) and isinstance(x.clone(), S.SparseVariable)


def test_pickling_and_copying():
    w, x = croton.shared(X, "w"), S.csr_matrix("x", "float64")
    run = croton.function([x], S.sp_sum(x * w), updates=[(w, w * 2)])
    run(X)
    twin = pickle.loads(pickle.dumps(run))
    assert float(twin(X)) == float(run(X)) == pytest.approx(2 * (X.toarray() ** 2).sum())
    other = croton.shared(X * 10, "other")
    swapped = run.copy(swap={w: other})
    assert float(swapped(X)) == pytest.approx(10 * (X.toarray() ** 2).sum())
    constant, variable = pickle.loads(pickle.dumps([S.as_sparse(X) * x, x]))
    np.testing.assert_allclose(constant.eval({variable: X}).toarray(), X.toarray() ** 2)
    assert copy.copy(w).get_value().shape == X.shape


def test_nanguard_and_debug_mode():
    x, w = S.csr_matrix("x", "float64"), T.dmatrix("w")
    cost = T.tanh(S.dot(S.sqr(x), w)).sum()
    # Room stands at the last place, where the divisor is 0 and no entry is.
    divisor = np.ones((6, 5))
    divisor[5, 4] = X[5, 4]
    outputs = [*croton.grad(cost, [x, w]), S.structured_log(x), S.dot(x, w), x / divisor]
    plain = croton.function([x, w], outputs)(X, W)
    for mode in (croton.NanGuardMode(), croton.DebugMode()):
        for a, b in zip(croton.function([x, w], outputs, mode=mode)(X, W), plain, strict=True):
            if scipy.sparse.issparse(b):
                a, b = a.toarray(), b.toarray()
            np.testing.assert_allclose(a, b, rtol=1e-12)
    guarded = croton.function([x], S.dot(S.structured_log(x), W), mode=croton.NanGuardMode())
    with pytest.raises(AssertionError, match="NaN detected in the output of log"):
        guarded(-X)


def test_over():
    x, i, w = S.csr_matrix("x", "float64"), T.lscalar("i"), croton.shared(X, "w")
    with pytest.raises(NotImplementedError, match="over: function .* sparse x"):
        croton.function([x], S.sp_sum(x)).over([X])
    rows = croton.function([i], S.sp_sum(w[i : i + 1]))
    np.testing.assert_allclose(rows.over(range(6)), X.toarray().sum(1))


def test_test_values():
    with croton.config(compute_test_value="raise"):
        x, w = S.csr_matrix("x", "float64"), T.dmatrix("w")
        x.tag.test_value, w.tag.test_value = X, W
        np.testing.assert_allclose(S.dot(x * 2, w).tag.test_value, 2 * X @ W)
        with pytest.raises(ValueError, match="not aligned"):
            S.dot(x.T, w)


def test_logistic_regression_learns_what_it_learns_from_dense_rows():
    """The same minibatches, sparse and dense: the same weights after 60 steps, and few programs."""
    rng = np.random.RandomState(0)
    data = scipy.sparse.random(200, 40, 0.1, format="csr", random_state=4)
    labels = (data @ rng.randn(40) > 0).astype("int64")
    y = T.lvector("y")
    weights = []
    for x, rows, times in (
        (S.csr_matrix("x", "float64"), data, S.structured_dot),
        (T.dmatrix("x"), data.toarray(), T.dot),
    ):
        w, b = croton.shared(np.zeros((40, 2)), "w"), croton.shared(np.zeros(2), "b")
        cost = T.nnet.categorical_crossentropy(T.nnet.softmax(times(x, w) + b), y).mean()
        by_w, by_b = croton.grad(cost, [w, b])
        train = croton.function([x, y], cost, updates=[(w, w - by_w), (b, b - by_b)])
        costs = [float(train(rows[k : k + 20], labels[k : k + 20])) for _ in range(6) for k in range(0, 200, 20)]
        assert costs[-1] < 0.8 * costs[0]
        assert train.trace_count <= 4
        weights.append(w.get_value())
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-9, atol=1e-12)


def test_old_names():
    """What programs import from theano.sparse."""
    from croton.compat.modules import find
    from croton.compat.names import MODULES

    for module in ("theano.sparse", "theano.sparse.basic", "theano.sparse.type", "theano.sparse.sharedvar"):
        for name, row in MODULES[module].items():
            assert find(row) is not None, f"{module}.{name}"
