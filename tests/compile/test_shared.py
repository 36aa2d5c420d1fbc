"""Shared variables and their values."""

import numpy as np
import pytest
import scipy.sparse

import croton
import croton.tensor as T
from croton import function, shared
from croton.graph import SharedVariable


@pytest.mark.parametrize(
    ("value", "dtype", "ndim"),
    [
        (np.ones((2, 1), "float32"), "float32", 2),
        (1, "int64", 0),
        (1.0, "float64", 0),
        (True, "bool", 0),
        (np.float32(1), "float32", 0),
        (np.int8(1), "int8", 0),
        (np.ones(2, "complex64"), "complex64", 1),
        (np.zeros((0, 3)), "float64", 2),
        (np.ones(2, "float16"), "float16", 1),
    ],
)
def test_types_follow_the_value(value, dtype, ndim):
    w = shared(value, "w")
    assert (w.dtype, w.ndim, w.broadcastable, w.name) == (dtype, ndim, (False,) * ndim, "w")
    np.testing.assert_array_equal(w.get_value(), value)
    got = function([], w * 1 if dtype != "bool" else w)()
    np.testing.assert_array_equal(got, value)
    assert got.dtype == w.get_value().dtype == dtype


@pytest.mark.parametrize("value", [[1.0], "text", None, {"a": 1}, np.array([None, 1])])
def test_anything_else_is_generic(value):
    box = shared(value)
    assert type(box) is SharedVariable and box.get_value() is value
    with pytest.raises(T.AsTensorError):
        T.exp(box)


def test_what_is_refused():
    with pytest.raises(TypeError, match="symbolic"):
        shared(T.dscalar())
    with pytest.raises(TypeError):
        shared(1.0, dtype="float32")
    with pytest.raises(TypeError, match="target"):
        shared(1.0, target="gpu0")


def test_broadcastable_pattern():
    w = shared(np.ones((1, 3)), broadcastable=(True, False))
    assert w.broadcastable == (True, False)
    with pytest.raises(TypeError, match="length 1"):
        w.set_value(np.ones((2, 3)))


def test_values_are_copied_in_and_out():
    start = np.arange(3.0)
    w = shared(start)
    start[:] = -1
    np.testing.assert_array_equal(w.get_value(), [0, 1, 2])
    w.get_value()[:] = -1
    np.testing.assert_array_equal(w.get_value(), [0, 1, 2])
    new = np.full(3, 5.0)
    w.set_value(new)
    new[:] = -1
    np.testing.assert_array_equal(w.get_value(), [5, 5, 5])


@pytest.mark.parametrize("ran", [False, True])
def test_borrowing_never_lets_a_program_see_foreign_memory(ran):
    start = np.arange(64.0)
    w = shared(start, borrow=True)
    f = function([], w.sum(), updates=[(w, w + 1)])
    if ran:
        f()
    seen = w.get_value(borrow=True)
    before = seen.copy()
    w.set_value(start * 0, borrow=True)
    f()
    np.testing.assert_array_equal(seen, before)
    kept = np.full(64, 2.0)
    w.set_value(kept, borrow=True)
    f()
    kept[:] = 9
    np.testing.assert_array_equal(w.get_value(), np.full(64, 3.0))


def test_borrowed_views_survive_donation():
    w = shared(np.zeros(1000, "float32"))
    f = function([], [], updates=[(w, w + 1)])
    views = []
    for _ in range(4):
        f()
        views.append(w.get_value(borrow=True))
    assert [v[0] for v in views] == [1, 2, 3, 4] and [v[-1] for v in views] == [1, 2, 3, 4]


def test_set_value_converts_as_arguments_do():
    w = shared(np.zeros(2, "float32"), "w")
    w.set_value([1, 2])
    w.set_value(np.ones(5, "int16"))
    assert w.get_value().shape == (5,) and w.get_value().dtype == "float32"
    for wrong in (np.ones(2), np.ones((2, 2), "float32"), [0.1], "x", T.fvector()):
        with pytest.raises(TypeError):
            w.set_value(wrong)
    np.testing.assert_array_equal(w.get_value(), np.ones(5))
    loose = shared(np.zeros(2, "float32"), allow_downcast=True)
    loose.set_value(np.full(2, 0.1))
    assert loose.get_value()[0] == np.float32(0.1)
    strict = shared(np.zeros(2, "float32"), strict=True)
    with pytest.raises(TypeError):
        strict.set_value([1, 2])


def test_zero():
    w = shared(np.ones((2, 3)))
    function([], [], updates=[(w, w * 2)])()
    w.zero()
    np.testing.assert_array_equal(w.get_value(), np.zeros((2, 3)))


def test_jax_arrays_are_taken():
    import jax.numpy as jnp

    w = shared(jnp.ones(3, "float32"))
    assert w.dtype == "float32" and type(w.get_value()) is np.ndarray
    w.set_value(jnp.zeros(2, "float32"))
    np.testing.assert_array_equal(w.get_value(), [0, 0])


def test_generic_values_pass_through():
    box = shared([1, 2], "box")
    box.set_value({"k": 3})
    assert box.get_value() == {"k": 3}
    assert not isinstance(box, croton.tensor.TensorSharedVariable)
    assert shared(scipy.sparse.eye_array(2)).get_value().shape == (2, 2)
