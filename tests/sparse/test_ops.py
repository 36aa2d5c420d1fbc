"""Every op against SciPy or NumPy on the dense matrices, over matrices with anything in them."""

import numpy as np
import pytest
import scipy.sparse
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.sparse as S
import croton.tensor as T

RNG = np.random.RandomState(3)
W, V, ROW, COLUMN = RNG.randn(5, 3), RNG.randn(6, 5) + 3, RNG.randn(5), RNG.randn(6)

# Functions applied to entries, where an entry of any value is allowed, and those only where it is positive or small.
ANYWHERE = {
    name: getattr(np, name)
    for name in ("sin", "tan", "sinh", "arcsinh", "arctan", "tanh", "rint", "ceil", "floor", "trunc")
} | {"sgn": np.sign, "deg2rad": np.deg2rad, "rad2deg": np.rad2deg, "expm1": np.expm1, "sqr": np.square}
STRUCTURED = {"structured_exp": np.exp, "structured_sigmoid": scipy.special.expit}
INSIDE = {"arcsin": np.arcsin, "arctanh": np.arctanh, "log1p": np.log1p, "sqrt": np.sqrt, "structured_log": np.log}
TWO = {
    "structured_pow": (np.power, 2.0),
    "structured_add": (np.add, 1.5),
    "structured_maximum": (np.maximum, V),
    "structured_minimum": (np.minimum, ROW),
}


def dense(value):
    return value.toarray() if scipy.sparse.issparse(value) else value


def agree(found, expected):
    """``expected``: by name, the array to find, or (array, format, pattern) of the sparse matrix to find."""
    for (name, want), value in zip(expected.items(), found, strict=True):
        if isinstance(want, tuple):
            want, format, pattern = want
            assert scipy.sparse.issparse(value), name
            assert (value.format, value.shape, str(value.dtype)) == (format, want.shape, str(want.dtype)), name
            assert value.has_canonical_format, name
            np.testing.assert_array_equal(pattern_of(value), pattern, err_msg=f"{name}: entries")
        else:
            assert isinstance(value, np.ndarray), name
        np.testing.assert_allclose(dense(value), want, rtol=1e-12, atol=1e-12, err_msg=name)


def pattern_of(matrix):
    kept = np.zeros(matrix.shape, bool)
    places = matrix.tocoo()
    kept[places.row, places.col] = True
    return kept


@pytest.fixture(scope="module")
def everything():
    x, y = S.csr_matrix("x", "float64"), S.csc_matrix("y", "float64")
    c = S.csr_matrix("c", "float64")
    expressions = {
        "dot": S.dot(x, W),
        "dot of a dense matrix": S.dot(W.T, x.T),
        "dot with a vector": x.dot(ROW),
        "dot of a vector": S.dot(COLUMN, x),
        "dot of two": x @ y.T,
        "structured_dot": S.structured_dot(x, W),
        "structured_dot, dense first": S.structured_dot(W.T, y.T),
        "structured_dot of two": S.structured_dot(x, y.T),
        "true_dot": S.true_dot(x, W),
        "usmm": S.usmm(2.0, x, W, np.ones((6, 3))),
        "sampling_dot": S.sampling_dot(V, V[:5], x),
        "add": x + y,
        "add, again": (x + x) + y,
        "sub": y - x,
        "add dense": x + V,
        "dense sub": V - x,
        "dense add": T.constant(V) + x,
        "mul": x * y,
        "mul dense": S.mul(V, x),
        "mul scalar": 2 * x,
        "div": x / V,
        "neg": -y,
        "row_scale": S.row_scale(x, COLUMN),
        "col_scale": S.col_scale(y, ROW),
        "transpose": y.T,
        "cast": S.cast(x, "float32"),
        "hstack": S.hstack([x, y]),
        "vstack": S.vstack([y, x], format="csr", dtype="complex128"),
        "dense_from_sparse": y.toarray(),
        "csr_from_dense": S.csr_from_dense(S.dense_from_sparse(x)),
        "csc_from_dense": S.csc_from_dense(S.dense_from_sparse(x)),
        "remove0": S.remove0(x),
        "clean": S.clean(y),
        "ones": S.sp_ones_like(x),
        "zeros": S.sp_zeros_like(y),
        "sum": x.sum(),
        "sum 0": S.sp_sum(x, axis=0),
        "sum 1": S.sp_sum(y, axis=-1),
        "diag": S.diag(x[:5]),
        "rows": x[1:4],
        "part": x[-4:, ::2],
        "backwards": y[::-1, 3:0:-1],
        "element": x[2, -1],
        "shape": x.shape,
        **{name: getattr(S, name)(x) for name in (*ANYWHERE, *STRUCTURED)},
        **{name: getattr(S, name)(x, other) for name, (_, other) in TWO.items()},
        **{name: getattr(S, name)(c) for name in INSIDE},
    }
    return croton.function([x, y, c], list(expressions.values())), list(expressions)


def expectations(x, y):
    d, e, p, q = x.toarray(), y.toarray(), pattern_of(x), pattern_of(y)
    small = np.where(p, 0.9 * np.tanh(np.abs(d)) + 0.05, 0)
    meets = p.astype(int) @ q.T.astype(int) > 0
    entry = {
        "dot": d @ W,
        "dot of a dense matrix": W.T @ d.T,
        "dot with a vector": d @ ROW,
        "dot of a vector": COLUMN @ d,
        "dot of two": d @ e.T,
        "structured_dot": d @ W,
        "structured_dot, dense first": W.T @ e.T,
        "structured_dot of two": (d @ e.T, "csr", meets),
        "true_dot": (d @ W, "csr", np.repeat(p.any(1)[:, None], 3, 1)),
        "usmm": 1 + 2 * d @ W,
        "sampling_dot": (d * (V @ V[:5].T), "csr", p),
        "add": (d + e, "csr", p | q),
        "add, again": (2 * d + e, "csr", p | q),
        "sub": (e - d, "csc", p | q),
        "add dense": d + V,
        "dense sub": V - d,
        "dense add": V + d,
        "mul": (d * e, "csr", p & q),
        "mul dense": (d * V, "csr", p),
        "mul scalar": (2 * d, "csr", p),
        "div": (d / V, "csr", p),
        "neg": (-e, "csc", q),
        "row_scale": (d * COLUMN[:, None], "csr", p),
        "col_scale": (e * ROW, "csc", q),
        "transpose": (e.T, "csr", q.T),
        "cast": (d.astype("float32"), "csr", p),
        "hstack": (np.hstack([d, e]), "csc", np.hstack([p, q])),
        "vstack": (np.vstack([e, d]).astype(complex), "csr", np.vstack([q, p])),
        "dense_from_sparse": e,
        "csr_from_dense": (d, "csr", d != 0),
        "csc_from_dense": (d, "csc", d != 0),
        "remove0": (d, "csr", d != 0),
        "clean": (e, "csc", e != 0),
        "ones": (p.astype(float), "csr", p),
        "zeros": (np.zeros_like(e), "csc", np.zeros_like(q)),
        "sum": np.asarray(d.sum()),
        "sum 0": d.sum(0),
        "sum 1": e.sum(1),
        "diag": np.diag(d[:5]),
        "rows": (d[1:4], "csr", p[1:4]),
        "part": (d[-4:, ::2], "csr", p[-4:, ::2]),
        "backwards": (e[::-1, 3:0:-1], "csc", q[::-1, 3:0:-1]),
        "element": np.asarray(d[2, -1]),
        "shape": np.array(d.shape),
        **{name: (np.where(p, f(d), 0), "csr", p) for name, f in (ANYWHERE | STRUCTURED).items()},
        **{name: (np.where(p, f(d, other), 0), "csr", p) for name, (f, other) in TWO.items()},
        **{name: (np.where(p, f(np.where(p, small, 0.5)), 0), "csr", p) for name, f in INSIDE.items()},
    }
    positive = x.copy()
    positive.sum_duplicates()
    positive.data = 0.9 * np.tanh(np.abs(positive.data)) + 0.05
    return entry, positive


@settings(max_examples=20)
@given(st.data())
def test_ops(matrices, everything, data):
    run, names = everything
    x, y = data.draw(matrices()), data.draw(matrices(format="csc"))
    x_, y_ = x.copy(), y.copy()
    x_.sum_duplicates()
    y_.sum_duplicates()
    expected, positive = expectations(x_, y_)
    agree(run(x, y, positive), {name: expected[name] for name in names})


def test_one_program_serves_them_all(everything):
    run, _ = everything
    a = scipy.sparse.csr_matrix((6, 5))
    b = scipy.sparse.csr_matrix(np.arange(30.0).reshape(6, 5) * (np.arange(30).reshape(6, 5) % 2))
    run(a, a.tocsc(), a)
    run(b, b.tocsc(), b)
    assert run.trace_count == 1


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0)])
def test_matrices_without_elements(shape):
    x = S.csr_matrix("x", "float64")
    n, m = shape
    w = np.ones((m, 2))
    outputs = [S.dot(x, w), S.structured_dot(x.T, np.ones((n, 2))), x + x, x * x, x * 2, S.structured_exp(x)]
    run = croton.function([x], [*outputs, x.sum(), S.sp_sum(x, 0), x.toarray(), S.hstack([x, x]), S.dot(x, x.T)])
    found = run(scipy.sparse.csr_matrix(shape))
    shapes = [(n, 2), (m, 2), shape, shape, shape, shape, (), (m,), shape, (n, 2 * m), (n, n)]
    assert [f.shape for f in found] == shapes
    assert all(not dense(f).any() for f in found)


def test_dtypes():
    """The dtype of a result follows NumPy's promotion; sums of integers are in 64 bits."""
    i, f = S.csr_matrix("i", "int8"), S.csr_matrix("f", "float32")
    d = T.dmatrix("d")
    assert (i + f).dtype == "float32"
    assert (i * d).dtype == "float64"
    assert (f * 2).dtype == "float32"
    assert (f * np.float64(2)).dtype == "float64"
    assert (i / 2).dtype == croton.config.floatX
    assert S.dot(f, d).dtype == "float64"
    assert S.dot(i, T.bmatrix()).dtype == "int8"
    assert S.structured_dot(i, f.T).dtype == "float32"
    assert S.sp_sum(i).dtype == "int64"
    assert S.sin(i).dtype == "float32"
    assert S.hstack([i, f]).dtype == "float32"
    whole = scipy.sparse.csr_matrix(np.array([[100, 100]], "int8"))
    found = croton.function([i], [S.sp_sum(i, 1), S.dot(i, np.ones((2, 1), "int32")), i + i])(whole)
    assert [f.dtype for f in found] == ["int64", "int32", "int8"]
    assert [dense(f).ravel().tolist() for f in found] == [[200], [200], [-56, -56]]


def test_booleans():
    b = S.csr_matrix("b", "bool")
    given = scipy.sparse.csr_matrix(np.array([[True, False], [True, True]]))
    run = croton.function([b], [b + b, S.dot(b, b.T), b.toarray(), b[1, 0], S.sp_sum(b)])
    total, product, whole, element, count = run(given)
    np.testing.assert_array_equal(total.toarray(), given.toarray())
    np.testing.assert_array_equal(product, [[1, 1], [1, 2]])
    np.testing.assert_array_equal(whole, given.toarray())
    assert element and count == 3


# --- the three vectors ---


@settings(max_examples=5)
@given(st.data())
def test_csm_and_its_properties(matrices, csm, data):
    matrix = data.draw(matrices(dtype="float64"))
    found = csm(matrix.data, matrix.indices.astype("int32"), matrix.indptr.astype("int32"), matrix)
    merged = matrix.copy()
    merged.sum_duplicates()
    np.testing.assert_array_equal(found[0].toarray(), matrix.toarray())
    for value, expected in zip(found[1:4], (merged.data, merged.indices, merged.indptr), strict=True):
        np.testing.assert_array_equal(value, expected)
    assert list(found[4]) == [6, 5]
    assert found[5] == merged.nnz


@pytest.fixture(scope="module")
def csm():
    d, i, p, x = T.dvector("d"), T.ivector("i"), T.ivector("p"), S.csr_matrix("x", "float64")
    return croton.function([d, i, p, x], [S.CSR(d, i, p, [6, 5]), *S.csm_properties(x), x.size])


def test_csm_shape_from_an_argument():
    n = T.lscalar("n")
    run = croton.function([n], S.CSC([1.0, 2.0], [0, 1], [0, 1, 2], [n, 2]))
    assert run(2).toarray().tolist() == [[1, 0], [0, 2]]
    assert run(3).shape == (3, 2)


def test_csm_errors():
    d, i, p = T.dvector("d"), T.ivector("i"), T.ivector("p")
    with pytest.raises(TypeError, match=r"indices must be a vector of integers"):
        S.CSR(d, d, p, [2, 2])
    with pytest.raises(TypeError, match=r"2 dimensions, the shape \[2\] has 1"):
        S.CSR(d, i, p, [2])
    with pytest.raises(ValueError, match="indices must lie between 0 and 1"):
        S.CSR([1.0], [2], [0, 1], [1, 2]).eval()
    run = croton.function([d, i, p], S.CSR(d, i, p, [2, 2]))
    assert run([1.0], [1], [0, 0, 1]).toarray().tolist() == [[0, 0], [0, 1]]
    for indices, pointers in (([2], [0, 0, 1]), ([0], [0, 1, 0]), ([0], [0, 0, 2]), ([-1], [0, 0, 1])):
        with pytest.raises(ValueError, match="the pointers begin with 0"):
            run([1.0], indices, pointers)
    with pytest.raises(ValueError, match="1 data, 2 indices and 3 pointers"):
        run([1.0], [1, 1], [0, 0, 1])


def test_square_diagonal():
    v = T.dvector("v")
    run = croton.function([v], S.square_diagonal(v))
    for diagonal in ([1.0, 0.0, 3.0], [2.0]):
        assert run(diagonal).format == "csc"
        np.testing.assert_array_equal(run(diagonal).toarray(), np.diag(diagonal))


# --- slices whose bounds a call decides ---


def test_minibatches_of_a_shared_matrix_compile_once():
    whole = np.arange(35.0).reshape(7, 5) * (np.arange(35).reshape(7, 5) % 3 == 0)
    shared, i = croton.shared(scipy.sparse.csr_matrix(whole)), T.lscalar("i")
    run = croton.function([i], [S.dot(shared[i * 2 : (i + 1) * 2], np.eye(5)), shared[i, 3], shared[:, i:]])
    for k in range(3):
        rows, element, columns = run(k)
        np.testing.assert_array_equal(rows, whole[2 * k : 2 * k + 2])
        assert element == whole[k, 3]
        np.testing.assert_array_equal(columns.toarray(), whole[:, k:])
    only_rows = croton.function([i], shared[i * 2 : (i + 1) * 2])
    assert [only_rows(k).shape for k in (0, 1, 2, 3)] == [(2, 5), (2, 5), (2, 5), (1, 5)]
    assert only_rows.trace_count == 2
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        run(7)


# --- errors ---


def test_shapes_that_do_not_fit():
    x, y, d = S.csr_matrix("x", "float64"), S.csr_matrix("y", "float64"), T.dmatrix("d")
    one, two = scipy.sparse.csr_matrix(np.eye(2)), scipy.sparse.csr_matrix(np.eye(3))
    for expression, message in (
        (x + y, r"add: sparse matrices of shapes \(2, 2\) and \(3, 3\)"),
        (x * y, r"mul: sparse matrices of shapes \(2, 2\) and \(3, 3\)"),
        (S.dot(x, y), r"dot: shapes \(2, 2\) and \(3, 3\) not aligned(.|\n)*SparseDot"),
        (S.hstack([x, y]), "the blocks have 2, 3 rows: they must have equally many"),
    ):
        with pytest.raises(ValueError, match=message):
            croton.function([x, y], expression)(one, two)
    with pytest.raises(ValueError, match=r"shape \(3, 3\) does not broadcast to the shape \(2, 2\)"):
        croton.function([x, d], x * d)(one, np.eye(3))
    with pytest.raises(ValueError, match="sampling_dot"):
        croton.function([x, d], S.sampling_dot(d, d, x))(one, np.ones((3, 2)))


def test_what_is_refused_when_it_is_built():
    x, d, v = S.csr_matrix("x", "float64"), T.dmatrix("d"), T.dvector("v")
    for build, kind, message in (
        (lambda: T.dot(x, d), T.AsTensorError, r"x is sparse .* use croton.sparse \(sparse.dot"),
        (lambda: d.dot(x), T.AsTensorError, "sparse.dot"),
        (lambda: T.exp(x), T.AsTensorError, "dense_from_sparse"),
        (lambda: S.structured_dot(d, d), TypeError, "at least one sparse"),
        (lambda: S.structured_dot(x, v), NotImplementedError, "use sparse.dot"),
        (lambda: S.add(d, d), TypeError, "tensor.add"),
        (lambda: d / x, TypeError, "unsupported operand"),
        (lambda: S.true_div(d, x), TypeError, "zero where it has no entry"),
        (lambda: x[1], NotImplementedError, r"x\[a:b\], x\[a:b, c:d\] or x\[i, j\]"),
        (lambda: x[[0, 1]], NotImplementedError, r"x\[a:b\]"),
        (lambda: x[1:2, 0], NotImplementedError, "sparse vector"),
        (lambda: S.SparseType("bsr", "float64"), NotImplementedError, "only 'csr' and 'csc'"),
        (lambda: S.SparseType("csr", "float16"), TypeError, "float16"),
        (lambda: S.as_sparse(np.eye(2)), TypeError, "expected a sparse variable or a SciPy matrix, got ndarray"),
        (lambda: S.as_sparse(d), TypeError, "csr_from_dense"),
        (lambda: S.as_sparse(scipy.sparse.coo_matrix(np.eye(2))), TypeError, "tocsr"),
        (lambda: T.as_tensor_variable(scipy.sparse.csr_matrix(np.eye(2))), T.AsTensorError, "croton.sparse"),
        (lambda: S.sp_sum(x, 2), ValueError, "axis must be 0, 1 or None"),
        (lambda: S.row_scale(x, d), TypeError, "vector of factors"),
        (lambda: S.hstack(x), TypeError, "takes a list"),
        (lambda: S.csr_from_dense(v), TypeError, "takes a matrix"),
        (lambda: x * T.dtensor3(), TypeError, "3 dimensions"),
        (lambda: list(x), TypeError, "iterated"),
        (lambda: len(x), TypeError, "no length"),
    ):
        with pytest.raises(kind, match=message):
            build()
