import pickle

import jax
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from croton.sparse.value import Sparse, inside, outside, room_for


def entries(matrix):
    """What SciPy itself makes of a matrix: its entries in order, twice-stored ones added up."""
    made = matrix.copy()
    made.sum_duplicates()
    return made


def same(found, expected):
    assert (found.format, found.shape, found.dtype) == (expected.format, expected.shape, expected.dtype)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@given(st.data(), st.sampled_from(["csr", "csc"]), st.sampled_from([(6, 5), (1, 1), (3, 0), (0, 4)]))
def test_there_and_back(matrices, data, format, shape):
    """Also: nothing of the caller's matrix is changed, and none of its memory is kept."""
    matrix = data.draw(matrices(*shape, format=format))
    before = [a.copy() for a in (matrix.data, matrix.indices, matrix.indptr)]
    value = inside(matrix)
    back = outside(value)
    same(back, entries(matrix))
    with jax.enable_x64(True):
        np.testing.assert_array_equal(value.dense(), matrix.toarray())
    for a, b in zip(before, (matrix.data, matrix.indices, matrix.indptr), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not any(np.shares_memory(a, b) for a in value.parts for b in (matrix.data, matrix.indices, matrix.indptr))


def test_a_matrix_changed_after_scipy_has_looked_at_it():
    """SciPy remembers on the object that its indices are in order, though they no longer are."""
    matrix = scipy.sparse.csr_matrix(np.array([[1.0, 2.0, 0.0]]))
    assert matrix.has_canonical_format
    matrix.indices[:] = [2, 0]
    same(outside(inside(matrix)), scipy.sparse.csr_matrix(np.array([[2.0, 0.0, 1.0]])))
    assert list(matrix.indices) == [2, 0]


merge = jax.jit(lambda value: (value.merged(), value.dense()))


@settings(max_examples=15)
@given(st.data(), st.sampled_from(["csr", "csc"]), st.sampled_from(["float64", "bool"]))
def test_merging_adds_up_what_shares_a_place(matrices, data, format, dtype):
    """Two matrices' entries one after the other, merged, are their sum; so is what SciPy makes of them unmerged."""
    x, y = (Sparse.of(data.draw(matrices(format=format, dtype=dtype)), 16) for _ in range(2))
    parts = [np.concatenate(pair) for pair in zip(x.parts, y.parts, strict=True)]
    both = Sparse(*parts, x.shape, format, False)
    expected = entries((x.scipy() + y.scipy()).astype(dtype))
    expected = expected if dtype != "bool" else (x.scipy().astype(int) + y.scipy().astype(int)).astype(bool)
    with jax.enable_x64(True):
        merged, dense = merge(both)
        keys = np.asarray(merged.keys())[np.asarray(merged.valid)]
    assert merged.canonical
    np.testing.assert_array_equal(dense, expected.toarray())
    np.testing.assert_array_equal(merged.scipy().toarray(), expected.toarray())
    assert merged.scipy().has_canonical_format
    assert (np.diff(keys) > 0).all()


def test_room():
    sizes = [room_for(n) for n in range(5000)]
    assert all(n <= size <= max(16, 1.25 * n) for n, size in enumerate(sizes))
    assert len(set(sizes)) < 40
    matrix = scipy.sparse.csr_matrix(np.eye(3))
    assert len(Sparse.of(matrix, 7)) == 7
    with pytest.raises(ValueError, match="3 entries does not fit into room for 2"):
        Sparse.of(matrix, 2)


def test_wide_matrices_have_wide_indices():
    matrix = scipy.sparse.csr_matrix(([1.0], ([0], [2**31])), shape=(1, 2**31 + 1))
    value = Sparse.of(matrix)
    assert value.cols.dtype == "int64"
    same(value.scipy(), matrix)


def test_pickles_with_numpy_arrays_in_it():
    value = jax.tree.map(jax.numpy.asarray, Sparse.of(scipy.sparse.csr_matrix(np.eye(2, dtype="float32"))))
    back = pickle.loads(pickle.dumps(value))
    assert all(type(a) is np.ndarray for a in back.parts)
    same(back.scipy(), value.scipy())
