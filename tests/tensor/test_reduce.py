"""Reductions against NumPy: values, dtypes, axes, empty arrays, accuracy and derivatives, one reference for each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import croton
import croton.tensor as T
from croton.tensor.reduce import REDUCTIONS

DTYPES = ("bool", "int8", "int32", "int64", "uint8", "uint32", "float16", "float32", "float64")


def position(function: Callable[..., Any]) -> Callable[..., Any]:
    def over(x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
        axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in np.atleast_1d(axis))
        flat = np.moveaxis(x, sorted(axes), range(-len(axes), 0)).reshape(
            *[n for k, n in enumerate(x.shape) if k not in axes], -1
        )
        found = np.asarray(function(flat, -1))
        return found.reshape([1 if k in axes else n for k, n in enumerate(x.shape)]) if keepdims else found

    return over


def wide(x: np.ndarray) -> np.ndarray:
    """Whole numbers as float64; half precision widened, to be narrowed again at the end."""
    return x.astype("float64") if x.dtype.kind in "biu" else x


def exponentials(x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    small = x.dtype in (bool, "int8", "uint8")
    total = np.sum(np.exp(x.astype("float64")), axis=axis, keepdims=keepdims)
    return np.log(total).astype("float32" if small else x.dtype if x.dtype.kind == "f" else "float64")


def whole_norm(x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    return np.sqrt((wide(x).astype("float64") ** 2).sum(axis, keepdims=keepdims)).astype(wide(x).dtype)


# name: (expression of x, axis, keepdims; the same in NumPy; whether nothing may be reduced)
REFERENCES: dict[str, tuple[Callable[..., Any], Callable[..., Any], bool]] = {
    "sum": (lambda x, a, k: T.sum(x, a, keepdims=k), lambda x, a, k: np.sum(x, axis=a, keepdims=k), True),
    "prod": (lambda x, a, k: T.prod(x, a, keepdims=k), lambda x, a, k: np.prod(x, axis=a, keepdims=k), True),
    "mean": (lambda x, a, k: T.mean(x, axis=a, keepdims=k), lambda x, a, k: np.mean(x, axis=a, keepdims=k), False),
    "var": (
        lambda x, a, k: T.var(x, axis=a, keepdims=k),
        lambda x, a, k: np.var(wide(x), axis=a, keepdims=k),
        False,
    ),
    "std": (
        lambda x, a, k: T.std(x, axis=a, keepdims=k),
        lambda x, a, k: np.std(wide(x), axis=a, keepdims=k),
        False,
    ),
    "max": (T.max, lambda x, a, k: np.max(x, axis=a, keepdims=k), False),
    "min": (T.min, lambda x, a, k: np.min(x, axis=a, keepdims=k), False),
    "argmax": (T.argmax, position(np.argmax), False),
    "argmin": (T.argmin, position(np.argmin), False),
    "all": (T.all, lambda x, a, k: np.all(x, axis=a, keepdims=k), True),
    "any": (T.any, lambda x, a, k: np.any(x, axis=a, keepdims=k), True),
    "logsumexp": (T.logsumexp, exponentials, False),
    "ptp": (
        lambda x, a, k: T.ptp(x, a),
        lambda x, a, k: np.max(x, axis=a) - np.min(x, axis=a),
        False,
    ),
    "norm": (lambda x, a, k: x.norm(2, a, k), whole_norm, True),
    "max_and_argmax": (
        lambda x, a, k: T.max_and_argmax(x, a, k),
        lambda x, a, k: (np.max(x, axis=a, keepdims=k), position(np.argmax)(x, a, k)),
        False,
    ),
}


def test_every_reduction_has_a_reference():
    assert set(REFERENCES) >= set(REDUCTIONS)


def arrays_of(shape: tuple[int, ...], rng: np.random.RandomState) -> list[np.ndarray]:
    """For each dtype, an array of few different small numbers, so that there are ties."""
    numbers = rng.randint(-2, 4, shape)
    return [
        (
            numbers > 0 if d == "bool" else abs(numbers) if d[0] == "u" else numbers / 2 if d[0] == "f" else numbers
        ).astype(d)
        for d in DTYPES
    ]


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_values_dtypes_and_shapes(name, agree):
    build, reference, empty = REFERENCES[name]

    @settings(max_examples=4)
    @given(st.data())
    def compare(data):
        shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0 if empty else 1, max_side=4))
        axes = (
            st.none()
            if not shape
            else st.one_of(
                st.none(), st.integers(-len(shape), len(shape) - 1), hnp.valid_tuple_axes(len(shape), min_size=1)
            )
        )
        axis, keepdims = data.draw(axes), data.draw(st.booleans())
        arrays = arrays_of(shape, np.random.RandomState(data.draw(st.integers(0, 99))))
        if name == "ptp":
            arrays = arrays[1:]

        def all_of(function: Callable[..., Any]) -> Callable[..., Any]:
            def apply(*given: Any) -> list[Any]:
                parts = [function(x, axis, keepdims) for x in given]
                return [p for part in parts for p in (part if isinstance(part, list | tuple) else [part])]

            return apply

        agree(all_of(build), all_of(reference), *arrays)

    compare()


@pytest.mark.parametrize("name", [n for n in sorted(REFERENCES) if n not in ("argmax", "argmin", "all", "any")])
def test_derivatives(name, gradients_agree):
    build = REFERENCES[name][0]
    numbers = np.random.RandomState(5).permutation(12).reshape(2, 3, 2) / 4 + 0.3

    def several(x: Any) -> list[Any]:
        parts = [build(x, axis, keepdims) for axis, keepdims in ((None, False), (1, True), ((0, 2), False))]
        return [p[0] if isinstance(p, list) else p for p in parts]

    gradients_agree(several, numbers)


def test_derivatives_at_special_points():
    x = T.dvector()

    def by_x(cost: Any) -> Any:
        return croton.grad(cost, x)

    f = croton.function(
        [x], [by_x(x.prod()), by_x(x.norm(2)), by_x(x.norm(3)), by_x(x.norm(1)), by_x(x.max()), by_x(x.min())]
    )
    prod, two, three, one, largest, smallest = f([0.0, 2.0, 3.0])
    assert prod.tolist() == [6, 0, 0]
    np.testing.assert_allclose(two, [0, 2 / 13**0.5, 3 / 13**0.5])
    np.testing.assert_allclose(three, [0, 4 / 35 ** (2 / 3), 9 / 35 ** (2 / 3)])
    assert one.tolist() == [0, 1, 1] and largest.tolist() == [0, 0, 1] and smallest.tolist() == [1, 0, 0]
    prod, two, three, one, largest, _ = f([0.0, 0.0])
    assert not any(g.any() for g in (prod, two, three, one))
    np.testing.assert_allclose(largest.sum(), 1)
    prod, *_, largest, smallest = f([5.0, 5.0, 1.0])
    assert prod.tolist() == [5, 5, 25] and smallest.tolist() == [0, 0, 1]
    assert largest[2] == 0 and (largest >= 0).all() and largest.sum() == 1


def test_vector_norms_of_every_order():
    x = T.dmatrix()
    orders = [0, 1, 2, 3, 0.5, np.inf, "inf", -np.inf]
    a = np.array([[3.0, -4.0, 0.0], [1.0, 2.0, -2.0]])
    for order, found in zip(orders, croton.function([x], [x.norm(o, axis=1) for o in orders])(a), strict=True):
        np.testing.assert_allclose(found, np.linalg.norm(a, float(order), axis=1), rtol=1e-12)
    assert croton.function([x], x.norm(2))(a) == pytest.approx(np.sqrt((a**2).sum()))
    small = T.constant(np.array([100, 100], "int8"))
    assert small.norm(2).dtype == "float64" and small.norm(2).eval() == pytest.approx(2e4**0.5)


def test_sums_of_many_float32_are_accurate():
    """2**24 + 100 ones: adding one by one in float32 would stop at 2**24."""
    many = croton.shared(np.ones(2**24 + 100, "float32"))
    total, average = croton.function([], [many.sum(), many.mean()])()
    assert total.dtype == average.dtype == "float32"
    assert abs(float(total) / (2**24 + 100) - 1) < 1e-6 and abs(float(average) - 1) < 1e-6
    numbers = np.random.RandomState(0).uniform(0, 1, (3, 2**20 + 7)).astype("float32") + np.float32(100)
    many = croton.shared(numbers)
    rows, kept, columns = croton.function([], [many.sum(1), many.sum((0, 1), keepdims=True), many.sum(0)[:5]])()
    exact = numbers.astype("float64")
    np.testing.assert_allclose(rows, exact.sum(1), rtol=1e-6)
    np.testing.assert_allclose(kept, exact.sum((0, 1), keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(columns, exact.sum(0)[:5], rtol=1e-6)


def test_dtype_arguments():
    x = T.ivector()
    f = T.fvector()
    outputs = [
        x.sum(dtype="float32"),
        x.sum(dtype="int8"),
        f.sum(dtype="float64"),
        f.sum(acc_dtype="float64"),
        x.mean(dtype="float32"),
        f.mean(acc_dtype="float64"),
        x.prod(dtype="float64"),
        f.mean(dtype="float64"),
    ]
    wanted = ["float32", "int8", "float64", "float32", "float32", "float32", "float64", "float64"]
    assert [v.dtype for v in outputs] == wanted
    results = croton.function([x, f], outputs)([1, 2, 300], [0.5, 1.5])
    assert [r.dtype for r in results] == wanted
    np.testing.assert_allclose(results, [303, np.int64(303).astype("int8"), 2, 2, 101, 1, 600, 1])
    with pytest.raises(TypeError, match="mean: dtype int32"):
        x.mean(dtype="int32")


def test_corrections_of_the_variance():
    x = T.dmatrix()
    a = np.random.RandomState(0).uniform(size=(3, 4))
    biased, unbiased, deviation, corrected = croton.function(
        [x], [x.var(), x.var(0, ddof=1), x.std(1, ddof=1, keepdims=True), T.var(x, corrected=True)]
    )(a)
    np.testing.assert_allclose(biased, a.var())
    np.testing.assert_allclose(unbiased, a.var(0, ddof=1))
    np.testing.assert_allclose(deviation, a.std(1, ddof=1, keepdims=True))
    np.testing.assert_allclose(corrected, a.var())


def test_nothing_to_reduce():
    x = T.dmatrix()
    total, product, mean, every, some = croton.function([x], [x.sum(), x.prod(), x.mean(), x.all(), x.any()])(
        np.zeros((0, 3))
    )
    assert (total, product, every, some) == (0, 1, True, False) and np.isnan(mean)
    for function in (T.max, T.min, T.argmax, T.argmin):
        f = croton.function([x], function(x, axis=0))
        with pytest.raises(ValueError, match="no elements"):
            f(np.zeros((0, 3)))
        assert f(np.zeros((2, 0))).shape == (0,)


def test_nan_and_ties():
    x = T.dvector()
    f = croton.function([x], [x.max(), x.min(), x.argmax(), x.argmin(), x.sum(), x.prod(), x.mean()])
    largest, smallest, top, bottom, *rest = f([1.0, np.nan, 3.0, np.nan])
    assert np.isnan([largest, smallest, *rest]).all() and top == bottom == 1
    assert [r.item() for r in f([2.0, 5.0, 5.0, 2.0])[2:4]] == [1, 0]


def test_bad_axes():
    x, s = T.matrix("x"), T.scalar()
    for build in (lambda: x.sum(2), lambda: x.max(-3), lambda: x.mean((0, 2)), lambda: s.sum(1)):
        with pytest.raises(ValueError, match="out of range"):
            build()
    with pytest.raises(ValueError, match="twice"):
        x.sum((0, -2))
    with pytest.raises(TypeError, match="axis must be known"):
        x.sum(T.iscalar())
    with pytest.raises(NotImplementedError):
        T.mean(x, op=True)
