"""Products, diagonals and traces against NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T


def batched(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: np.array([function(a, b) for a, b in zip(x, y, strict=True)])


# name: [(expression, the same in NumPy, the shapes of its arguments from three lengths)]
CASES: dict[str, list[tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]]] = {
    "dot": [
        (T.dot, np.dot, lambda m, n, k: [(m, n), (n, k)]),
        (T.dot, np.dot, lambda m, n, k: [(n,), (n, k)]),
        (T.dot, np.dot, lambda m, n, k: [(m, n), (n,)]),
        (T.dot, np.dot, lambda m, n, k: [(n,), (n,)]),
        (T.dot, np.dot, lambda m, n, k: [(), (n,)]),
        (T.dot, np.dot, lambda m, n, k: [(m, 2, n), (2, n, k)]),
        (lambda x, y: x.dot(y), np.dot, lambda m, n, k: [(m, n), (3, n, k)]),
    ],
    "matmul": [
        (T.matmul, np.matmul, lambda m, n, k: [(m, n), (n, k)]),
        (lambda x, y: x @ y, np.matmul, lambda m, n, k: [(2, m, n), (n, k)]),
        (lambda x, y: x @ y, np.matmul, lambda m, n, k: [(n,), (3, n, k)]),
        (lambda x, y: x @ y, np.matmul, lambda m, n, k: [(1, m, n), (3, n, k)]),
        (lambda x, y: x @ y, np.matmul, lambda m, n, k: [(2, m, n), (n,)]),
    ],
    "tensordot": [
        (T.tensordot, np.tensordot, lambda m, n, k: [(2, m, n), (m, n, k)]),
        (lambda x, y: T.tensordot(x, y, 0), lambda x, y: np.tensordot(x, y, 0), lambda m, n, k: [(m,), (n, k)]),
        (
            lambda x, y: T.tensordot(x, y, [[0, -1], [1, 0]]),
            lambda x, y: np.tensordot(x, y, [[0, -1], [1, 0]]),
            lambda m, n, k: [(m, 2, n), (n, m, k)],
        ),
        (
            lambda x, y: T.tensordot(x, y, (1, 1)),
            lambda x, y: np.tensordot(x, y, (1, 1)),
            lambda m, n, k: [(m, n), (k, n, 2)],
        ),
    ],
    "batched_dot": [
        (T.batched_dot, batched(np.dot), lambda m, n, k: [(2, m, n), (2, n, k)]),
        (T.batched_dot, batched(np.dot), lambda m, n, k: [(2, n), (2, n, k)]),
        (T.batched_dot, batched(np.dot), lambda m, n, k: [(2, m, n), (2, n)]),
        (T.batched_dot, batched(np.dot), lambda m, n, k: [(2, n), (2, n)]),
        (T.batched_dot, batched(np.dot), lambda m, n, k: [(2,), (2, n)]),
    ],
    "batched_tensordot": [
        (T.batched_tensordot, batched(np.tensordot), lambda m, n, k: [(2, 3, m, n), (2, m, n, k)]),
        (
            lambda x, y: T.batched_tensordot(x, y, [[1], [2]]),
            batched(lambda a, b: np.tensordot(a, b, [[0], [1]])),
            lambda m, n, k: [(2, m, n), (2, k, m)],
        ),
    ],
    "outer": [
        (T.outer, np.outer, lambda m, n, k: [(m,), (n,)]),
        (T.outer, np.outer, lambda m, n, k: [(m, n), (k,)]),
    ],
    "diagonal": [
        (T.diagonal, np.diagonal, lambda m, n, k: [(m, n)]),
        (lambda x: T.diagonal(x, 1), lambda x: np.diagonal(x, 1), lambda m, n, k: [(m, n)]),
        (lambda x: x.diagonal(-1, 0, -1), lambda x: np.diagonal(x, -1, 0, -1), lambda m, n, k: [(m, n, k)]),
    ],
    "diag": [
        (T.diag, np.diag, lambda m, n, k: [(n,)]),
        (lambda x: T.diag(x, -1), lambda x: np.diag(x, -1), lambda m, n, k: [(n,)]),
        (lambda x: T.diag(x, 1), lambda x: np.diag(x, 1), lambda m, n, k: [(m, n)]),
    ],
    "trace": [
        (T.trace, np.trace, lambda m, n, k: [(m, n)]),
        (lambda x: x.trace(1, 1, 2), lambda x: np.trace(x, 1, 1, 2), lambda m, n, k: [(k, m, n)]),
    ],
}
NUMBERED = [(name, k) for name, cases in CASES.items() for k in range(len(cases))]


@pytest.mark.parametrize(("name", "number"), NUMBERED)
def test_values_dtypes_and_shapes(name, number, agree):
    build, reference, shapes = CASES[name][number]

    @settings(max_examples=2)
    @given(*[st.integers(0, 4)] * 3, st.integers(0, 99))
    def compare(m, n, k, seed):
        rng = np.random.RandomState(seed)
        drawn = [rng.randint(-4, 5, s) for s in shapes(m, n, k)]
        lists = [
            ("float64", "float64"),
            ("float32", "float32"),
            ("int32", "float32"),
            ("int8", "int8"),
            ("int16", "float32"),
        ]
        arrays = [d.astype(t) for dtypes in lists for d, t in zip(drawn, dtypes, strict=False)]
        step = len(drawn)

        def all_of(function: Callable[..., Any]) -> Callable[..., Any]:
            return lambda *v: [function(*v[i : i + step]) for i in range(0, len(v), step)]

        agree(all_of(build), all_of(reference), *arrays)

    compare()


@pytest.mark.parametrize(("name", "number"), NUMBERED)
def test_derivatives(name, number, gradients_agree):
    build, _, shapes = CASES[name][number]
    rng = np.random.RandomState(1)
    gradients_agree(build, *[rng.uniform(-1, 1, s) for s in shapes(3, 2, 2)])


def test_narrow_products_are_the_same_products():
    """Products with few columns are computed transposed."""
    rng = np.random.RandomState(0)
    a, b = rng.normal(size=(50, 40)), rng.normal(size=(40, 7))
    x, y = T.dmatrices("x", "y")
    value, by_x, by_y = croton.function([x, y], [T.dot(x, y), *croton.grad(T.dot(x, y).sum(), [x, y])])(a, b)
    np.testing.assert_allclose(value, a @ b)
    np.testing.assert_allclose(by_x, np.ones((50, 7)) @ b.T)
    np.testing.assert_allclose(by_y, a.T @ np.ones((50, 7)))


@pytest.mark.parametrize(
    ("build", "shapes"),
    [
        (T.dot, [(2, 3), (2, 3)]),
        (T.matmul, [(2, 2, 3), (2, 3)]),
        (T.tensordot, [(2, 3, 4), (4, 3, 2)]),
        (T.batched_dot, [(2, 3, 4), (3, 4, 5)]),
        (T.batched_dot, [(2, 3, 4), (2, 3, 4)]),
    ],
)
def test_lengths_that_disagree_are_an_error_as_soon_as_they_are_known(build, shapes):
    arrays = [np.zeros(s) for s in shapes]
    variables = [T.tensor("float64", (False,) * a.ndim) for a in arrays]
    f = croton.function(variables, build(*variables))
    with pytest.raises(ValueError, match=r"shape mismatch.*\n(.*\n)*.*test_linalg"):
        f(*arrays)
    with pytest.raises(ValueError, match="mismatch"):
        build(*[T.constant(a) for a in arrays])


def test_bad_arguments():
    m, s, v = T.matrix(), T.scalar(), T.vector()
    for build, error in (
        (lambda: T.matmul(m, s), ValueError),
        (lambda: T.batched_dot(s, m), TypeError),
        (lambda: T.tensordot(m, m, [[0, 1], [0]]), ValueError),
        (lambda: T.tensordot(m, m, [[2], [0]]), ValueError),
        (lambda: T.tensordot(m, m, 3), ValueError),
        (lambda: T.diag(T.tensor3()), ValueError),
        (lambda: T.diagonal(v), ValueError),
        (lambda: T.diagonal(m, 0, 0, 2), ValueError),
        (lambda: T.diagonal(m, 0, 1, -1), ValueError),
    ):
        with pytest.raises(error):
            build()
