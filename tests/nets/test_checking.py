"""What data may be: what is taken and cast, and what is refused, in words that say what to do."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import croton
from croton import tensor as T
from croton.nets.arrays import as_array, is_array, is_outside
from croton.nets.checking import Expected, accept, accept_all

X = Expected("in", 2, "float32", width=3)
SEQUENCES = Expected("in", 3, "float32", width=3, time=True)
IMAGES = Expected("in", 4, "float32", shape=(8, None, 3))
LABELS = Expected("target", 1, "int32", classes=3)
STEP_LABELS = Expected("target", 2, "int32", classes=3, time=True)
COUNTS = Expected("target", 1, "int32")
WEIGHTS = Expected("weights", 2, "float32", width=3, weights=True)
SPARSE = Expected("in", 2, "float32", width=3, sparse="csr")

REAL = ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint64", "bool", ">f8", "longdouble"]
WHOLE = ["int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "bool", ">i4"]


def with_entry(value, at=(1, 2), shape=(4, 3)):
    array = np.ones(shape)
    array[at] = value
    return array


# --- what is taken ---


@pytest.mark.contract("10.30")
@pytest.mark.parametrize("floatX", ["float32", "float64"])
@pytest.mark.parametrize("dtype", REAL)
def test_real_data_of_any_type_are_cast(dtype, floatX):
    data = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    cast = accept(Expected("in", 2, floatX, width=3), data, "train")
    assert cast.dtype == floatX and cast.dtype.isnative
    np.testing.assert_array_equal(cast, data.astype(float))


@pytest.mark.contract("10.30")
@pytest.mark.parametrize("dtype", WHOLE)
def test_labels_of_any_integer_type_are_cast(dtype):
    cast = accept(LABELS, np.array([0, 1, 1], dtype), "train")
    assert cast.dtype == np.int32 and cast.tolist() == [0, 1, 1]


@given(hnp.arrays(st.sampled_from(["int64", "uint64", "int8"]), st.integers(1, 5)), st.none() | st.integers(1, 300))
def test_labels_are_taken_exactly_where_they_are_in_range(labels, classes):
    expected = Expected("target", 1, "int32", classes=classes)
    if all(0 <= int(i) < (classes or 2**31) for i in labels):
        assert accept(expected, labels, "train").tolist() == labels.tolist()
    else:
        with pytest.raises(ValueError, match=r"target holds label -?\d+ at \[\d\]; labels are from 0 to"):
            accept(expected, labels, "train")


def test_kinds_of_arrays():
    wanted = np.arange(6, dtype="float32").reshape(2, 3)
    for given_ in (
        wanted.tolist(),
        tuple(map(tuple, wanted)),
        jnp.asarray(wanted),
        croton.compile.shared(wanted),
        np.ma.masked_array(wanted),
        wanted[::-1][::-1],
        np.asfortranarray(wanted),
        scipy.sparse.csc_matrix(wanted),
        scipy.sparse.coo_array(wanted),
    ):
        got = accept(X, given_, "predict")
        assert type(got) is np.ndarray and got.dtype == np.float32
        np.testing.assert_array_equal(got, wanted)


def test_one_value_at_each_time_step_may_go_without_its_axis():
    assert accept(Expected("mask", 3, "float32", width=1), np.ones((2, 5)), "train").shape == (2, 5, 1)
    with pytest.raises(ValueError, match=r"mask has shape \(2, 5\), expected \(examples, any, 3\)"):
        accept(Expected("mask", 3, "float32", width=3), np.ones((2, 5)), "train")


def test_an_array_of_the_wanted_type_is_not_copied():
    data = np.ones((2, 3), "float32")
    assert np.shares_memory(accept(X, data, "train"), data)


def test_pandas_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]})
    np.testing.assert_array_equal(accept(X, frame, "train"), [[1, 1, 0.5], [2, 0, 1.5]])
    assert accept(LABELS, pandas.Series([2, 0, 1]), "train").tolist() == [2, 0, 1]
    nullable = pandas.DataFrame({"a": [1, 2], "b": [3, None], "c": [True, False]}).astype({"a": "Int8", "b": "Int64"})
    assert accept(LABELS, nullable["a"], "train").tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"1 value that is not finite, the first nan at \[1, 1\]"):
        accept(X, nullable, "train")
    frame["b"] = ["yes", "no"]
    with pytest.raises(TypeError, match=r"train: in: columns without real numbers: 'b' \(.*\); encode or drop them"):
        accept(X, frame, "train")


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize(
    "given_", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.csc_array, scipy.sparse.coo_matrix]
)
def test_data_for_a_sparse_variable_stay_or_become_sparse(format, given_):
    dense = np.array([[0, 1, 0], [2, 0, 3]])
    got = accept(Expected("in", 2, "float32", width=3, sparse=format), given_(dense), "train")
    assert scipy.sparse.issparse(got) and got.format == format and got.dtype == np.float32
    np.testing.assert_array_equal(got.toarray(), dense)


def test_arrays_come_as_a_list_a_dict_or_alone():
    x, y = np.ones((2, 3)), np.array([0, 2])
    for arrays in ([x, y], (x, y), {"target": y, "in": x}):
        assert [a.dtype.name for a in accept_all([X, LABELS], arrays, "train")] == ["float32", "int32"]
    assert accept_all([X], x, "predict")[0].shape == (2, 3)


def test_what_lies_outside_memory(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((4, 3)))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert is_outside(mapped) and is_outside(np.asarray(mapped)[1:]) and as_array(mapped) is mapped
    for inside in (np.array(mapped), jnp.ones(2), np.float64(3), croton.compile.shared(np.ones(2)), T.matrix(), [1]):
        assert not is_outside(inside)
    assert accept(X, mapped, "predict").shape == (4, 3)


def test_what_is_one_array():
    assert all(map(is_array, (np.ones(2), jnp.ones(2), scipy.sparse.eye(2), croton.compile.shared(np.ones(2)))))
    assert not any(map(is_array, ([1, 2], {"a": 1}, len, None, "x")))


def test_expected_shapes_in_words():
    shapes = [e.described() for e in (X, SEQUENCES, IMAGES, LABELS, STEP_LABELS)]
    assert shapes == [
        "(examples, 3)",
        "(examples, time steps, 3)",
        "(examples, 8, any, 3)",
        "(examples,)",
        "(examples, time steps)",
    ]


# --- what is refused ---

REFUSED = {
    "rank for one example": (
        X,
        np.ones(3),
        ValueError,
        r"in has shape \(3,\), expected \(examples, 3\); for one .* x\[None\]",
    ),
    "rank too high": (X, np.ones((2, 3, 4)), ValueError, r"in has shape \(2, 3, 4\), expected \(examples, 3\)$"),
    "width": (
        X,
        np.ones((4, 5)),
        ValueError,
        r"in has shape \(4, 5\), expected \(examples, 3\): axis 1 must have size 3",
    ),
    "width of sequences": (SEQUENCES, np.ones((4, 2, 5)), ValueError, r"\(examples, time steps, 3\): axis 2"),
    "height of images": (IMAGES, np.ones((4, 7, 9, 3)), ValueError, "axis 1 must have size 8"),
    "no examples": (X, np.ones((0, 3)), ValueError, r"\(0, 3\): there are no examples"),
    "no time steps": (SEQUENCES, np.ones((4, 0, 3)), ValueError, "there are no time steps"),
    "nothing": (X, [], ValueError, r"in has shape \(0,\)"),
    "NaN": (X, with_entry(np.nan), ValueError, r"in holds 1 value that is not finite, the first nan at \[1, 2\]; drop"),
    "infinities": (
        X,
        -with_entry(np.inf, at=1),
        ValueError,
        r"3 values that are not finite, the first -inf at \[1, 0\]",
    ),
    "too large": (X, with_entry(1e300), ValueError, r"1e\+300 \(too large for float32\) at \[1, 2\]"),
    "NaN in sparse": (SPARSE, scipy.sparse.csr_matrix(with_entry(np.nan)), ValueError, r"nan at \[1, 2\]"),
    "width of sparse": (SPARSE, scipy.sparse.eye(4).tocsr(), ValueError, r"\(4, 4\), expected \(examples, 3\)"),
    "NaN in weights": (WEIGHTS, with_entry(np.nan), ValueError, r"weights holds 1 value .* nan at \[1, 2\]"),
    "negative weights": (
        WEIGHTS,
        with_entry(-0.5),
        ValueError,
        r"negative weight, -0.5 at \[1, 2\]; weights are from 0",
    ),
    "objects": (X, np.array([[1, None, 2]]), TypeError, "objects .dtype object., the first .1.; convert"),
    "text": (X, [["a", "b", "c"]], TypeError, "expected real numbers, got dtype <U1"),
    "complex": (X, np.ones((1, 3), complex), TypeError, "got dtype complex128"),
    "dates": (X, np.zeros((1, 3), "M8[s]"), TypeError, "got dtype datetime64"),
    "ragged": (X, [[1, 2, 3], [4]], ValueError, "in: rows of differing lengths make no array"),
    "missing": (X, np.ma.masked_less(with_entry(-1), 0), TypeError, "masked array with 1 entries missing"),
    "a function": (X, len, TypeError, "expected an array, got <built-in function len>"),
    "a variable": (X, T.matrix("m"), TypeError, "dtype object"),
    "label too large": (LABELS, [0, 3, 4], ValueError, r"holds label 3 at \[1\]; labels are from 0 to 2 for 3 classes"),
    "label negative": (LABELS, [0, 1, -1], ValueError, r"holds label -1 at \[2\]"),
    "label at a time step": (STEP_LABELS, [[0, 1], [2, 3]], ValueError, r"holds label 3 at \[1, 1\]"),
    "label too large for its type": (COUNTS, [2**40], ValueError, "labels are from 0 to 2147483647 in int32"),
    "true among one class": (Expected("t", 1, "int32", classes=1), [False, True], ValueError, r"label True at \[1\]"),
    "labels with a fraction": (LABELS, [0.0, 1.0], TypeError, r"takes integers .* got dtype float64; pass .astype"),
    "one-hot": (
        LABELS,
        np.eye(3, dtype=int),
        ValueError,
        r"\(3, 3\), expected \(examples,\); .* labels.argmax\(axis=-1\)",
    ),
    "one-hot of fewer": (LABELS, np.eye(2, dtype=int), ValueError, r"argmax"),
    "one-hot at each step": (STEP_LABELS, np.zeros((2, 5, 3), int), ValueError, r"argmax"),
    "one-hot sparse": (LABELS, scipy.sparse.eye(2, dtype=int), ValueError, r"argmax"),
    "a column of labels": (LABELS, [[0], [1]], ValueError, r"\(2, 1\), .*; pass labels\[..., 0\]"),
}


@pytest.mark.contract("10.30")
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    expected, array, error, message = REFUSED[case]
    with pytest.raises(error, match=message) as caught:
        accept(expected, array, "train")
    assert str(caught.value).startswith(f"train: {expected.name}")


def test_one_hot_labels_of_real_numbers_are_told_to_be_one_hot():
    with pytest.raises(ValueError, match=r"labels\.argmax\(axis=-1\)"):
        accept(LABELS, np.eye(3), "train")


@pytest.mark.parametrize(
    "expected, arrays, message",
    [
        ([X, LABELS], [np.ones((2, 3))], r"expected 2 arrays \(in, target\), got 1; pass a list"),
        ([X], [np.ones((2, 3)), np.ones(2)], r"expected 1 array \(in\), got 2; pass a list"),
        ([X, LABELS], np.ones((2, 3)), "expected 2 arrays"),
        ([X, LABELS], {"in": np.ones((2, 3))}, "data for target is missing; got 'in'"),
        ([X, LABELS], {"in": np.ones((2, 3)), "tarket": [0, 1]}, "no variable 'tarket': did you mean 'target'"),
        (
            [X, LABELS],
            [np.ones((2, 3)), [0, 1, 2]],
            r"number of examples \(axis 0\): in \(2, 3\), target \(3,\); pass equally",
        ),
        (
            [SEQUENCES, STEP_LABELS],
            [np.ones((2, 5, 3)), np.zeros((2, 4), int)],
            r"number of time steps \(axis 1\): in \(2, 5, 3\), target \(2, 4\); pass equally many",
        ),
    ],
)
def test_arrays_that_do_not_go_together(expected, arrays, message):
    with pytest.raises(ValueError, match=rf"^fit: .*{message}"):
        accept_all(expected, arrays, "fit")


def test_an_axis_of_size_one_may_be_left_out():
    assert accept(Expected("target", 2, "float32", width=1), np.ones(5), "train").shape == (5, 1)
    assert accept(Expected("mask", 3, "float32", width=1), np.ones((5, 2)), "train").shape == (5, 2, 1)
