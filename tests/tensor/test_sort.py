"""Sorting, searching and cumulating against NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import croton
import croton.tensor as T
from croton.tensor.sort import ALONG

REFERENCES: dict[str, Callable[..., Any]] = {
    "sort": lambda x, axis: np.sort(x, axis=axis),
    "argsort": lambda x, axis: np.argsort(x, axis=axis, kind="stable"),
    "cumsum": lambda x, axis: np.cumsum(x, axis=axis, dtype=x.dtype),
    "cumprod": lambda x, axis: np.cumprod(x, axis=axis, dtype=x.dtype),
}
ELSEWHERE = ("searchsorted",)


def test_every_row_has_a_reference():
    assert set(REFERENCES) == set(ALONG)


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_values_dtypes_and_shapes(name, agree):
    @settings(max_examples=6)
    @given(st.data())
    def compare(data):
        shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5))
        axis = data.draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
        numbers = np.random.RandomState(data.draw(st.integers(0, 99))).randint(-2, 4, shape)
        arrays = [numbers.astype(d) for d in ("int8", "int32", "int64", "float32", "float64")] + [
            abs(numbers).astype("uint8")
        ]
        agree(
            lambda *v: [getattr(T, name)(x, axis) for x in v],
            lambda *v: [REFERENCES[name](x, axis) for x in v],
            *arrays,
        )

    compare()


@pytest.mark.parametrize("name", ["sort", "cumsum", "cumprod"])
def test_derivatives(name, gradients_agree):
    numbers = np.random.RandomState(5).permutation(6).reshape(2, 3) / 4 - 0.5  # a zero among them
    gradients_agree(lambda x: [getattr(T, name)(x, axis) for axis in (None, 0, -1)], numbers)


def test_nan_sorts_last_and_equals_keep_their_order():
    x = T.dvector()
    ordered, places = croton.function([x], [T.sort(x), x.argsort()])([2.0, np.nan, 1.0, 2.0, -np.inf])
    np.testing.assert_equal(ordered, [-np.inf, 1, 2, 2, np.nan])
    assert places.tolist() == [4, 2, 0, 3, 1]


@settings(max_examples=6)
@given(st.data())
def test_searchsorted(agree, data):
    sorted_ = np.sort(np.asarray(data.draw(st.lists(st.integers(-3, 3), max_size=6)), "float64"))
    wanted = np.asarray(data.draw(st.lists(st.integers(-4, 4), max_size=4)), "int32")
    side = data.draw(st.sampled_from(["left", "right"]))
    agree(lambda x, v: T.searchsorted(x, v, side), lambda x, v: np.searchsorted(x, v, side), sorted_, wanted)


def test_searchsorted_with_a_sorter():
    x, order = T.dvector(), T.lvector()
    f = croton.function([x, order], x.searchsorted([2.5, 0.0], sorter=order))
    assert f([3.0, 1.0, 2.0], [1, 2, 0]).tolist() == [2, 0]


def test_bad_arguments():
    x = T.dmatrix()
    for build, message in (
        (lambda: T.sort(x, kind="bubble"), "kind 'bubble'"),
        (lambda: T.argsort(x, order="a"), "order"),
        (lambda: T.sort(x, axis=2), "out of range"),
        (lambda: T.cumsum(x, axis=-3), "out of range"),
        (lambda: T.searchsorted(T.dvector(), x, side="middle"), "side 'middle'"),
        (lambda: T.searchsorted(x, 1.0), "looks in a vector"),
    ):
        with pytest.raises(ValueError, match=message):
            build()
