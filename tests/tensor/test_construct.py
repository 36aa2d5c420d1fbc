"""Making tensors, against NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T
from croton.tensor import TensorType

Case = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]

# name: [(expression, the same in NumPy, the shapes of its arguments from three lengths)]
CASES: dict[str, list[Case]] = {
    "alloc": [
        (
            lambda x: T.alloc(x, 2, x.shape[0], x.shape[1]),
            lambda x: np.broadcast_to(x, (2, *x.shape)),
            lambda m, n, k: [(m, n)],
        ),
        (lambda x: T.alloc(x, 3, 2), lambda x: np.broadcast_to(x, (3, 2)), lambda m, n, k: [(1, 2)]),
        (lambda x: T.alloc(x), lambda x: x, lambda m, n, k: [()]),
        (
            lambda x: T.alloc(T.constant(2, dtype=x.dtype), x.shape[0], 0),
            lambda x: np.full((len(x), 0), 2, x.dtype),
            lambda m, n, k: [(m,)],
        ),
    ],
    "broadcast_to": [
        (
            lambda x, y: T.broadcast_to(x, y.shape),
            lambda x, y: np.broadcast_to(x, y.shape),
            lambda m, n, k: [(n,), (m, n)],
        ),
    ],
    "fill": [(T.fill, np.full_like, lambda m, n, k: [(m, n), ()])],
    "second": [(T.second, np.full_like, lambda m, n, k: [(m, n), ()])],
    "zeros_like": [
        (T.zeros_like, np.zeros_like, lambda m, n, k: [(m, n)]),
        (lambda x: x.zeros_like("int8").astype(x.dtype), np.zeros_like, lambda m, n, k: [(m,)]),
    ],
    "ones_like": [
        (T.ones_like, np.ones_like, lambda m, n, k: [(m, n)]),
        (lambda x: x.ones_like(), np.ones_like, lambda m, n, k: [()]),
    ],
    "tensor_copy": [
        (T.tensor_copy, lambda x: x, lambda m, n, k: [(m, n)]),
        (lambda x: x.copy(), lambda x: x, lambda m, n, k: [(m,)]),
    ],
    "identity_like": [(T.identity_like, lambda x: np.eye(*x.shape, dtype=x.dtype), lambda m, n, k: [(m, n)])],
    "tril": [
        (T.tril, np.tril, lambda m, n, k: [(m, n)]),
        (lambda x: T.tril(x, -1), lambda x: np.tril(x, -1), lambda m, n, k: [(m, n)]),
    ],
    "triu": [
        (T.triu, np.triu, lambda m, n, k: [(m, n)]),
        (lambda x: T.triu(x, 2), lambda x: np.triu(x, 2), lambda m, n, k: [(m, n)]),
    ],
    "as_tensor_variable": [
        (lambda x: T.as_tensor_variable(x, ndim=3), lambda x: x[None], lambda m, n, k: [(m, n)]),
        (lambda x, y: T.as_tensor_variable([x, y]), lambda x, y: np.stack([x, y]), lambda m, n, k: [(m,), (m,)]),
        (lambda x: T.as_tensor_variable([[x, x], [x, x]]), lambda x: np.array([[x, x], [x, x]]), lambda m, n, k: [()]),
    ],
    "cast": [(lambda x: T.cast(x, "float64").astype(x.dtype), lambda x: x, lambda m, n, k: [(m, n)])],
}
# Of these the arguments are numbers; they have tests of their own below.
ELSEWHERE = ("arange", "constant", "eye", "get_scalar_constant_value", "ones", "to_one_hot", "tri", "zeros")
NUMBERED = [(name, k) for name, cases in CASES.items() for k in range(len(cases))]


@pytest.mark.parametrize(("name", "number"), NUMBERED)
def test_values_dtypes_and_shapes(name, number, agree):
    build, reference, shapes = CASES[name][number]

    @settings(max_examples=2)
    @given(*[st.integers(0, 4)] * 3, st.integers(0, 99))
    def compare(m, n, k, seed):
        drawn = [np.random.RandomState(seed + i).randint(-9, 9, s) for i, s in enumerate(shapes(m, n, k))]
        arrays = [np.asarray(d, t) for t in ("int32", "float32") for d in drawn]
        step = len(drawn)

        def all_of(function: Callable[..., Any]) -> Callable[..., Any]:
            return lambda *v: [function(*v[i : i + step]) for i in range(0, len(v), step)]

        agree(all_of(build), all_of(reference), *arrays)

    compare()


@pytest.mark.parametrize(("name", "number"), NUMBERED)
def test_derivatives(name, number, gradients_agree):
    build, _, shapes = CASES[name][number]
    gradients_agree(build, *[np.random.RandomState(1).uniform(-1, 1, s) for s in shapes(2, 2, 3)])


@settings(max_examples=8)
@given(*[st.integers(0, 4)] * 2, st.integers(-5, 5), st.sampled_from([None, "int8", "float64", "floatX"]))
def test_diagonals_and_triangles(n, m, k, dtype):
    wanted = "float32" if dtype in (None, "floatX") else dtype
    outputs = [
        T.eye(n),
        T.eye(n, m, k, dtype),
        T.tri(n),
        T.tri(n, m, k, dtype),
        T.zeros((n, m), dtype),
        T.ones((m, 2), dtype),
        T.zeros(n),
    ]
    found = croton.function([], outputs)()
    expected = [
        np.eye(n, dtype="float32"),
        np.eye(n, m, k, wanted),
        np.tri(n, dtype="float32"),
        np.tri(n, m, k, wanted),
        np.zeros((n, m), wanted),
        np.ones((m, 2), wanted),
        np.zeros(n, "float32"),
    ]
    for variable, a, b in zip(outputs, found, expected, strict=True):
        assert a.dtype == b.dtype and variable.dtype == str(b.dtype)
        np.testing.assert_array_equal(a, b)


def test_symbolic_sizes():
    n, m, k = T.lscalar(), T.iscalar(), T.lscalar()
    f = croton.function([n, m, k], [T.eye(n, m, k), T.tri(n, m, k), T.zeros((n, m)), T.arange(n, m, k)])
    for a, b, c in ((2, 3, 1), (0, 2, -1), (5, 1, -2)):
        for found, wanted in zip(
            f(a, b, c), [np.eye(a, b, c), np.tri(a, b, c), np.zeros((a, b)), np.arange(a, b, c)], strict=True
        ):
            np.testing.assert_array_equal(found, wanted)
    with pytest.raises(ValueError, match="negative length"):
        croton.function([n], T.zeros((n, 2)))(-1)
    with pytest.raises(ValueError, match="step must not be 0"):
        f(1, 2, 0)


@settings(max_examples=12)
@given(*[st.integers(-20, 20)] * 2, st.integers(-7, 7).filter(bool), st.sampled_from([1, 0.5, 0.1]))
def test_arange(start, stop, step, scale):
    if scale == 1:
        variable = T.arange(start, stop, step)
        wanted = np.arange(start, stop, step)
        assert variable.dtype == "int64"
    else:
        a, b, c = np.float64(start * scale), np.float64(stop * scale), np.float64(step * scale)
        variable = T.arange(a, b, c)
        wanted = np.arange(a, b, c)
        assert variable.dtype == "float64"
    found = variable.eval()
    assert found.dtype == variable.dtype and variable.type.shape in (found.shape, (None,))
    np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_dtypes_of_arange():
    i, v = T.iscalar(), T.vector()
    dtypes = {
        "int64": [T.arange(3), T.arange(i), T.arange(v.shape[0]), T.arange(T.bscalar(), 3), T.arange(np.int8(3))],
        "float32": [T.arange(3.0), T.arange(0, 1, 0.1), T.arange(T.fscalar()), T.arange(3, dtype="floatX")],
        "float64": [T.arange(T.dscalar()), T.arange(3, dtype="float64")],
        "int8": [T.arange(3, dtype="int8")],
    }
    for dtype, variables in dtypes.items():
        assert [a.dtype for a in variables] == [dtype] * len(variables)
    assert T.arange(3, dtype="int8").eval().dtype == "int8"
    with pytest.raises(TypeError, match="arange takes scalars"):
        T.arange(v)


def test_long_ranges_are_made_by_the_device():
    whole, halves = croton.function([], [T.arange(100_000), T.arange(0.0, 50_000.0, 0.5)])()
    np.testing.assert_array_equal(whole, np.arange(100_000))
    np.testing.assert_array_equal(halves, np.arange(0.0, 50_000.0, 0.5, "float32"))


def test_dtypes_of_alloc():
    assert T.alloc(0.0, 2).dtype == "float32" and T.alloc(0, 2).dtype == "int8"
    assert T.alloc(np.float64(0), 2).dtype == "float64" and T.alloc(300, 2).dtype == "int16"
    with croton.config(floatX="float64"):
        assert T.alloc(0.0, 2).dtype == T.zeros((2,)).dtype == T.eye(2).dtype == "float64"


def test_fill_has_the_dtype_of_the_value():
    x = T.ivector()
    assert T.fill(x, 1.5).dtype == "float32" and x.fill(7).dtype == "int8"
    assert croton.function([x], x.fill(1.5))([1, 2]).tolist() == [1.5, 1.5]


def test_one_hot():
    y = T.ivector()
    f = croton.function([y], [T.to_one_hot(y, 3), T.to_one_hot(y, 3, dtype="int32")])
    floats, integers = f([2, 0, 1])
    assert floats.dtype == "float32" and integers.dtype == "int32"
    np.testing.assert_array_equal(floats, np.eye(3)[[2, 0, 1]])
    np.testing.assert_array_equal(integers, floats)
    assert f(np.zeros(0, "int32"))[0].shape == (0, 3)
    with pytest.raises(IndexError):
        f([0, 3])
    for bad in (T.imatrix(), T.fvector()):
        with pytest.raises(TypeError, match="vector of integer labels"):
            T.to_one_hot(bad, 3)


def test_shapes_that_do_not_fit():
    x = T.dvector()
    with pytest.raises(TypeError, match="more than the 1"):
        T.alloc(T.dmatrix(), 3)
    with pytest.raises(TypeError, match="must be an integer"):
        T.zeros((2.5,))
    with pytest.raises(ValueError, match="unknown"):
        T.broadcast_to(x, T.lvector())
    f = croton.function([x], T.alloc(x, 2, 4))
    with pytest.raises(ValueError, match="does not spread"):
        f([1.0, 2.0])


def test_values_of_constant_expressions():
    value = T.get_scalar_constant_value
    x = T.TensorType("float32", shape=(2, None))()
    assert value(3) == 3 and value(T.constant(2.5)) == 2.5 and value(x.shape[0]) == 2
    assert value(T.zeros((2, 3))) == 0 and value(T.constant(3) * 2) == 6 and value(T.constant(np.ones((2, 2)))) == 1
    for unknown in (T.scalar(), x.shape[1], T.constant(np.array([1, 2])), x.sum()):
        with pytest.raises(T.NotScalarConstantError):
            value(unknown)
    with pytest.raises(T.EmptyConstantError):
        value(T.constant(np.zeros(0)))


def test_constants():
    assert T.constant(3, name="three").name == "three" and T.constant(1.5, ndim=2).type.shape == (1, 1)
    assert T.constant([1, 2], dtype="floatX").dtype == "float32" and T.constant(0.1, dtype="float64").data == 0.1
    given_ = np.zeros(2)
    made = T.constant(given_)
    given_[:] = 1
    assert made.data.tolist() == [0, 0]
    with pytest.raises(ValueError, match="at most 1"):
        T.constant(np.zeros((2, 2)), ndim=1)
    with pytest.raises(OverflowError):
        T.constant(2**70)


def test_a_python_float_keeps_its_digits_beside_a_float64():
    x = T.dscalar()
    assert croton.function([x], [x * 0.1, T.switch(x > 0, 0.1, x), T.clip(x, 0.1, 0.7)])(1.0) == [0.1, 0.1, 0.7]


def test_what_is_no_tensor():
    generic = croton.shared("text")
    for bad in ("abc", True, False, None, object(), [1, "a"], [[1, 2], [3]], {}, generic, lambda: 0):
        with pytest.raises(T.AsTensorError):
            T.as_tensor_variable(bad)
    assert issubclass(T.AsTensorError, TypeError)
    with pytest.raises(ValueError, match="1 were asked for"):
        T.as_tensor_variable(T.matrix(), ndim=1)
    x = TensorType("int8", (False,))()
    assert T.as_tensor_variable(x) is x and T.as_tensor_variable(x.owner or x) is x
    assert T.as_tensor_variable((x * 2).owner).dtype == "int8"
    assert T.as_tensor_variable(np.bool_(True)).dtype == "bool"


def test_casts():
    x = T.dvector()
    names = ("int8", "uint8", "int64", "bool", "float32", "complex64", "floatX")
    found = croton.function([x], [T.cast(x, n) for n in names])([0.0, 1.7, -1.7, 100.25])
    for name, value in zip(names, found, strict=True):
        dtype = "float32" if name == "floatX" else name
        assert value.dtype == dtype
        if name != "uint8":  # a negative number has no value there
            np.testing.assert_array_equal(value, np.array([0.0, 1.7, -1.7, 100.25]).astype(dtype))
    assert T.cast(x, "float64") is x and T.cast(x, np.float32).dtype == "float32"
    with pytest.raises(TypeError, match="imaginary part"):
        T.cast(T.zvector(), "float64")
