"""TensorType: equality, what values it takes, what it says where it takes none."""

import pickle

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.tensor import TensorType
from croton.tensor.types import DTYPES, broadcast_shapes, upcast


def test_types_are_equal_by_dtype_and_shape():
    assert TensorType("float32", (False, True)) == TensorType("float32", shape=(None, 1)) == T.col(dtype="float32").type
    assert TensorType("float32", (False,)) != TensorType("float64", (False,))
    assert TensorType("float32", (False,)) != TensorType("float32", (True,))
    assert len({T.matrix().type, T.matrix().type, T.row().type}) == 2
    assert pickle.loads(pickle.dumps(T.row().type)) == T.row().type
    assert TensorType("floatX", ()).dtype == "float32" and TensorType(np.float64, ()).dtype == "float64"
    assert T.row().type.clone(dtype="int8") == TensorType("int8", (True, False))
    assert T.row().type.clone(broadcastable=(False,)) == T.vector().type
    assert (
        str(T.dmatrix().type) == "TensorType(float64, matrix)" and str(T.dcol().type) == "TensorType(float64, (?, 1))"
    )


def test_a_type_makes_variables():
    x = TensorType("int16", (True, False))("x")
    assert (x.name, x.dtype, x.ndim, x.broadcastable) == ("x", "int16", 2, (True, False))
    assert T.tensor(dtype="int8", broadcastable=(False,), name="y").type == TensorType("int8", (False,))


def test_bad_types():
    for bad in ("float128x", "str", "object", "nonsense"):
        with pytest.raises(TypeError, match="unsupported dtype"):
            TensorType(bad, ())
    with pytest.raises(TypeError, match="pattern or a shape"):
        TensorType("float32")
    with pytest.raises(NotImplementedError, match="sparse"):
        TensorType("float32", (), sparse_grad=True)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float32", [[1.0, 2.0]]),
        ("float32", np.ones((1, 2), "int16")),
        ("float32", [[1, 2]]),
        ("float64", np.ones((1, 2), "float32")),
        ("int64", np.ones((1, 2), "int32")),
        ("int64", np.ones((1, 2), "bool")),
        ("int8", [[1, 2]]),
        ("int64", [[1.0, 2.0]]),
        ("complex64", np.ones((1, 2), "float32")),
    ],
)
def test_values_that_lose_nothing_are_taken(dtype, value):
    taken = TensorType(dtype, (False, False)).filter(value)
    assert taken.dtype == dtype
    np.testing.assert_array_equal(taken, value)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float32", [[0.1]]),
        ("float32", np.ones((1, 1), "float64")),
        ("float32", np.ones((1, 1), "int32")),
        ("int64", [[1.5]]),
        ("int64", np.ones((1, 1), "float32")),
        ("int8", [[300]]),
        ("uint8", [[-1]]),
        ("float64", np.ones((1, 1), "complex64")),
        ("float64", "text"),
        ("float64", None),
        ("float64", [[1.0], [1.0, 2.0]]),
        ("float64", T.dmatrix()),
    ],
)
def test_values_that_would_change_are_refused(dtype, value):
    with pytest.raises(TypeError):
        TensorType(dtype, (False, False)).filter(value)


def test_scalars():
    single, double, whole = (TensorType(d, ()) for d in ("float32", "float64", "int64"))
    assert single.filter(0.1) == np.float32(0.1) and whole.filter(1.0) == 1 and double.filter(3) == 3
    assert single.filter(np.float64(0.5)) == 0.5 and np.isnan(single.filter(float("nan")))
    for type_, value in ((single, np.float64(0.1)), (whole, 1.5), (whole, 2**70)):
        with pytest.raises(TypeError):
            type_.filter(value)
    with pytest.raises(TypeError):
        single.filter(0.1, allow_downcast=False)
    assert whole.filter(1.5, allow_downcast=True) == 1


def test_dtype_rank_and_lengths_are_checked():
    row = TensorType("float64", (True, False))
    with pytest.raises(TypeError, match=r"expected 2, got 1 with shape \(3,\)"):
        row.filter(np.zeros(3))
    with pytest.raises(TypeError, match="dimension 0 must have length 1"):
        row.filter(np.zeros((2, 3)))
    with pytest.raises(TypeError, match="strict"):
        row.filter(np.zeros((1, 3), "float32"), strict=True)
    with pytest.raises(TypeError, match="allow_input_downcast"):
        TensorType("float32", (False,)).filter(np.zeros(3))
    x = T.drow("x")
    f = croton.function([x], x * 2)
    with pytest.raises(TypeError, match=r"Bad input argument.*index 0.*x"):
        f(np.zeros((2, 2)))


def test_an_array_of_the_right_dtype_is_not_copied():
    a = np.zeros((2, 2))
    assert T.dmatrix().type.filter(a) is a


def test_accepting_other_types():
    assert T.matrix().type.accepts(T.row().type) and T.row().type.accepts(T.matrix().type)
    assert not T.matrix().type.accepts(T.vector().type) and not T.matrix().type.accepts(T.imatrix().type)
    assert not TensorType("int8", shape=(2,)).accepts(TensorType("int8", shape=(3,)))


def test_common_dtypes_are_numpys():
    for a in DTYPES:
        for b in DTYPES:
            assert upcast(a, b) == str(np.result_type(np.dtype(a), np.dtype(b)))


def test_broadcasting_of_static_shapes():
    assert broadcast_shapes("f", [(None, 1), (3,), ()]) == (None, 3)
    assert broadcast_shapes("f", [(None,), (None,)]) == (None,) and broadcast_shapes("f", [(1,), (1,)]) == (1,)
    assert broadcast_shapes("f", [(0,), (1,)]) == (0,)
    with pytest.raises(ValueError, match="f: input dimension mismatch"):
        broadcast_shapes("f", [(2,), (3,)])
