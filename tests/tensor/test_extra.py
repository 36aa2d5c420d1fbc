"""Closeness, grids, differences, covariances, diagonals, the largest few, counts and positions, against NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T

Case = tuple[Callable[..., Any], Callable[..., Any], tuple[np.ndarray, ...]]
RNG = np.random.RandomState(2)
M, V = RNG.randn(3, 4), RNG.randn(4)
ODD = np.array([1.0, np.inf, -np.inf, np.nan, 0.0, 1.0000001, 2.0])


def filled(a, value, offset=0):
    a = a.copy()
    rows, columns = a.shape
    for i in range(rows):
        if 0 <= i + offset < columns:
            a[i, i + offset] = value
    return a


def largest(x, k, axis=-1):
    order = np.argsort(x, axis=axis)
    order = np.flip(order, axis) if k > 0 else order
    order = np.take(order, range(abs(k)), axis=axis)
    return [np.take_along_axis(x, order, axis), order]


# name: [(expression, the same in NumPy, arguments)]
CASES: dict[str, list[Case]] = {
    "isclose": [
        (T.isclose, np.isclose, (ODD[:, None], ODD)),
        (lambda a, b: T.isclose(a, b, equal_nan=True), lambda a, b: np.isclose(a, b, equal_nan=True), (ODD, ODD[::-1])),
        (lambda a, b: T.isclose(a, b, 0.1, 0.2), lambda a, b: np.isclose(a, b, 0.1, 0.2), (M, M[::-1] * 1.1)),
        (T.isclose, np.isclose, (np.array([1, 2, 3]), np.array([1, 3, 3], "int8"))),
    ],
    "allclose": [
        (lambda a, b: [T.allclose(a, b), T.allclose(a, a)], lambda a, b: [np.allclose(a, b), True], (V, V + 1e-4)),
    ],
    "ceil_intdiv": [
        (T.ceil_intdiv, lambda a, b: -(-a // b), (np.array([7, 8, -7, 0]), np.array([2, 4, 2, 3]))),
    ],
    "stacklists": [
        (
            lambda x, y: T.stacklists([[x, y], [y, x], [y, y]]),
            lambda x, y: np.array([[x, y], [y, x], [y, y]]),
            (V, V + 1),
        ),
        (lambda x: T.stacklists(x), lambda x: x, (V,)),
    ],
    "diff": [
        (lambda x: [T.diff(x), T.diff(x, 2), T.diff(x, 0)], lambda x: [np.diff(x), np.diff(x, 2), x], (M,)),
        (lambda x: T.diff(x, 1, 0), lambda x: np.diff(x, 1, 0), (M.astype("float32"),)),
    ],
    "cov": [
        (lambda x: [T.cov(x), T.cov(x, rowvar=False), T.cov(x, bias=True), T.cov(x, ddof=2)],
         lambda x: [np.cov(x), np.cov(x, rowvar=False), np.cov(x, bias=True), np.cov(x, ddof=2)], (M,)),
        (lambda x, y: T.cov(x, y), lambda x, y: np.cov(x, y), (M, V)),
        (lambda x: T.cov(x), lambda x: np.cov(x), (RNG.randint(0, 9, (3, 5)),)),
    ],
    "fill_diagonal": [
        (lambda x, v: T.fill_diagonal(x, v), filled, (M, np.float64(7))),
        (lambda x: T.fill_diagonal(x.T, 7), lambda x: filled(x.T, 7), (M.astype("float32"),)),
        (lambda x: T.fill_diagonal(x, 7), lambda x: np.where(np.eye(3)[:, :, None] * np.eye(3)[:, None] > 0, 7, x),
         (RNG.randn(3, 3, 3),)),
    ],
    "fill_diagonal_offset": [
        (
            lambda x, v: [T.fill_diagonal_offset(x, v, k) for k in (-5, -2, -1, 0, 1, 3, 4)],
            lambda x, v: [filled(x, v, k) for k in (-5, -2, -1, 0, 1, 3, 4)],
            (M, np.float64(7)),
        ),
    ],
    "inverse_permutation": [
        (T.inverse_permutation, np.argsort, (np.array([2, 0, 3, 1]),)),
        (T.inverse_permutation, lambda x: np.argsort(x).astype("int8"), (np.array([[2, 0, 1], [0, 2, 1]], "int8"),)),
    ],
    "topk": [(lambda x: T.topk(x, 2), lambda x: largest(x, 2)[0], (M,))],
    "argtopk": [(lambda x: T.argtopk(x, -2, 0), lambda x: largest(x, -2, 0)[1], (M,))],
    "topk_and_argtopk": [
        (
            lambda x: [v for k in (1, 3, -1, -3) for v in T.topk_and_argtopk(x, k, 0)],
            lambda x: [v for k in (1, 3, -1, -3) for v in largest(x, k, 0)],
            (RNG.permutation(12).reshape(3, 4).astype("uint8"),),
        ),
        (lambda x: T.topk_and_argtopk(x, 5, axis=None), lambda x: largest(x.ravel(), 5), (M,)),
    ],
    "bincount": [
        (lambda x: [T.bincount(x), T.bincount(x, minlength=9)],
         lambda x: [np.bincount(x), np.bincount(x, minlength=9)], (np.array([3, 0, 3, 5]),)),
        (lambda x, w: T.bincount(x, w), lambda x, w: np.bincount(x, w), (np.array([3, 0, 3], "uint8"), V[:3])),
        (lambda x: T.bincount(x, minlength=2), lambda x: np.zeros(2, "int64"), (np.zeros(0, "int32"),)),
    ],
    "unravel_index": [
        (lambda i: [v for order in "CF" for v in T.unravel_index(i, (3, 2, 4), order)],
         lambda i: [v for order in "CF" for v in np.unravel_index(i, (3, 2, 4), order)], (np.array([[0, 23]]),)),
    ],
    "ravel_multi_index": [
        (lambda i, j: [T.ravel_multi_index((i, j), (3, 5), order=o) for o in "CF"],
         lambda i, j: [np.ravel_multi_index((i, j), (3, 5), order=o) for o in "CF"],
         (np.array([0, 2, 1]), np.array([4, 0, 3]))),
        (lambda i, j: T.ravel_multi_index((i, j), (3, 5), ("wrap", "clip")),
         lambda i, j: np.ravel_multi_index((i, j), (3, 5), ("wrap", "clip")),
         (np.array([-1, 7, 1]), np.array([-4, 9, 3]))),
    ],
}  # fmt: skip
# These take no tensors; they have tests of their own below.
ELSEWHERE = ("bartlett", "get_vector_length", "is_flat", "mgrid", "ogrid")
NUMBERED = [(name, k) for name, cases in CASES.items() for k in range(len(cases))]


@pytest.mark.parametrize(("name", "number"), NUMBERED)
def test_values_dtypes_and_shapes(name, number, agree):
    build, reference, arrays = CASES[name][number]
    agree(build, reference, *arrays)


def test_gradients(gradients_agree):
    def build(x, v, w):
        lists = [T.stacklists([[w, x[0]]]), T.fill_diagonal(x, v), T.fill_diagonal_offset(x, v, 2)]
        return [T.diff(x, 2), T.cov(x), T.topk(x, 2), T.topk(x, -1, None), *lists]

    gradients_agree(build, M, np.array(0.5), V)
    w = T.dvector("w")
    f = croton.function([w], croton.grad((T.bincount(np.array([2, 0, 2, 1]), w) ** 2).sum(), w))
    np.testing.assert_array_equal(f([1.0, 2.0, 3.0, 4.0]), [8, 4, 8, 8])


@settings(max_examples=5)
@given(st.lists(st.tuples(st.integers(-3, 0), st.integers(0, 5), st.integers(1, 3)), min_size=1, max_size=3))
def test_grids(bounds):
    slices = tuple(slice(*b) for b in bounds)
    dense = np.mgrid[slices] if len(slices) > 1 else [np.mgrid[slices[0]]]
    open_ = np.ogrid[slices] if len(slices) > 1 else [np.ogrid[slices[0]]]
    found = croton.function([], [*T.mgrid[slices], *T.ogrid[slices]])()
    for value, wanted in zip(found, [*dense, *open_], strict=True):
        assert value.dtype == "int64" and value.shape == wanted.shape
        np.testing.assert_array_equal(value, wanted)


def test_grids_of_symbolic_lengths():
    n = T.lscalar("n")
    rows, columns = T.mgrid[:n, 1:4]
    for length in (2, 3):
        found = croton.function([n], [rows, columns])(length)
        np.testing.assert_array_equal(found, np.mgrid[:length, 1:4])
    assert "T.mgrid[" not in repr(T.mgrid) and T.mgrid.__doc__ != T.ogrid.__doc__


def test_bartlett():
    n = T.lscalar("n")
    f = croton.function([n], T.bartlett(n))
    for length in (0, 1, 2, 5, 6):
        np.testing.assert_allclose(f(length), np.bartlett(length), atol=1e-15)
        np.testing.assert_allclose(T.bartlett(length).eval(), np.bartlett(length), atol=1e-15)
    assert T.bartlett(n).dtype == "float64"


def test_what_the_graph_tells():
    assert T.get_vector_length(T.stack([T.dscalar(), T.dscalar()])) == 2 and T.get_vector_length([1, 2, 3]) == 3
    assert T.is_flat(T.vector()) and T.is_flat(T.matrix(), outdim=2) and not T.is_flat(T.matrix())
    with pytest.raises(ValueError, match="length not known: v"):
        T.get_vector_length(T.vector("v"))


def test_symbolic_numbers():
    x, k = T.dmatrix("x"), T.lscalar("k")
    f = croton.function([x, k], [*T.topk_and_argtopk(x, k, idx_dtype="int32"), T.fill_diagonal_offset(x, 7, k)])
    for number in (1, -2):
        values, places, diagonal = f(M, number)
        np.testing.assert_array_equal(values, largest(M, number)[0])
        np.testing.assert_array_equal(places, largest(M, number)[1])
        np.testing.assert_array_equal(diagonal, filled(M, 7, number))
        assert places.dtype == "int32"
    for number in (0, 5, -5):
        with pytest.raises(ValueError, match=f"kth must lie between 1 and 4, .* got {number}"):
            f(M, number)
    i, n = T.lvector("i"), T.lscalar("n")
    g = croton.function([i, n], [*T.unravel_index(i, (n, 4)), T.ravel_multi_index(T.unravel_index(i, (n, 4)), (n, 4))])
    rows, columns, back = g([5, 7], 3)
    assert rows.tolist() == [1, 1] and columns.tolist() == [1, 3] and back.tolist() == [5, 7]


def test_out_of_bounds():
    i, j = T.lvector("i"), T.lvector("j")
    f, g = (
        croton.function([i], T.unravel_index(i, (3, 4))),
        croton.function([i, j], T.ravel_multi_index((i, j), (3, 4))),
    )
    for bad in (-1, 12):
        with pytest.raises(ValueError, match="index is out of bounds: i"):
            f([0, bad])
    for at, name in (((3, 0), "i"), ((0, 4), "j"), ((0, -1), "j")):
        with pytest.raises(ValueError, match=f"index is out of bounds: {name}"):
            g([at[0]], [at[1]])
    with pytest.raises(ValueError, match="bincount of i: it has negative values, the least is -2"):
        croton.function([i], T.bincount(i))([1, -2])
    with pytest.raises(ValueError, match="3 numbers have weights of shape"):
        croton.function([i], T.bincount(i, [1.0, 2.0]))([1, 2, 3])
    with pytest.raises(ValueError, match=r"all dimensions of .* must be equal, got \(2, 2, 3\)"):
        T.fill_diagonal(T.zeros((2, 2, 3)), 1).eval()


X, N = T.fmatrix("x"), T.lvector("i")
BAD = [
    (lambda: T.mgrid[1], TypeError, "mgrid is indexed with slices"),
    (lambda: T.ogrid[0:1:5j], NotImplementedError, "ogrid: a complex step"),
    (lambda: T.diff(X, -1), ValueError, "n must be at least 0, got -1"),
    (lambda: T.diff(X, 1, 2), ValueError, "out of range"),
    (lambda: T.cov(T.tensor3("t")), ValueError, "vectors and matrices, got t"),
    (lambda: T.cov(X, fweights=1), NotImplementedError, "not supported"),
    (lambda: T.cov(X, ddof=0.5), ValueError, "ddof must be an integer"),
    (lambda: T.bartlett(1.5), TypeError, "scalar integer"),
    (lambda: T.get_vector_length(X), TypeError, "takes a vector, got x"),
    (lambda: T.inverse_permutation(X), TypeError, "takes integers, got x"),
    (lambda: T.fill_diagonal(T.vector(), 1), TypeError, "at least 2 dimensions"),
    (lambda: T.fill_diagonal(X, T.dscalar("d")), TypeError, "d of dtype float64 does not fit into x of dtype float32"),
    (lambda: T.fill_diagonal_offset(T.tensor3(), 1, 0), TypeError, "takes a matrix"),
    (lambda: T.topk(X, 1.5), TypeError, "scalar integer kth"),
    (lambda: T.argtopk(X, 1, idx_dtype="float32"), TypeError, "integer idx_dtype"),
    (lambda: T.bincount(X), TypeError, "vector of integers, got x"),
    (lambda: T.bincount(N, X), TypeError, "weights must be a vector"),
    (lambda: T.unravel_index(X, (2, 3)), TypeError, "must be integers, got x"),
    (lambda: T.unravel_index(N, T.lvector("dims")), ValueError, "the length of dims, dims, must be known"),
    (lambda: T.unravel_index(N, (2, 3), "A"), ValueError, "order must be 'C' or 'F', not 'A'"),
    (lambda: T.ravel_multi_index((N,), (2, 3)), ValueError, "1 indices and 2 modes for 2 dimensions"),
    (lambda: T.ravel_multi_index((N, X), (2, 3)), TypeError, "must be integers, got x"),
    (lambda: T.ravel_multi_index((N, N), (2, 3), "bounce"), ValueError, "mode 'bounce' is none of"),
]


@pytest.mark.parametrize("build, kind, message", BAD)
def test_bad_arguments(build, kind, message):
    with pytest.raises(kind, match=message):
        build()
