"""Which dtype a result has: Theano's rules for Python's numbers, NumPy's scalars and arrays of all dtypes."""

import numpy as np
import pytest

import croton
import croton.tensor as T

i8, i32, i64, u8 = T.bvector("i8"), T.ivector("i32"), T.lvector("i64"), T.vector("u8", "uint8")
i16, f16, f32, f64, boolean = (
    T.wvector("i16"),
    T.vector("f16", "float16"),
    T.fvector("f32"),
    T.dvector("f64"),
    T.vector("b", "bool"),
)
INPUTS = [i8, i32, i64, u8, i16, f16, f32, f64, boolean]
VALUES = [np.array([1, 2], v.dtype) for v in INPUTS]

# (what it is, the expression, its dtype)
RULES = [
    ("i32 + 1", i32 + 1, "int32"),
    ("i8 + 300", i8 + 300, "int16"),
    ("1 + i64", 1 + i64, "int64"),
    ("u8 + 1", u8 + 1, "int16"),
    ("i32 + 1.0", i32 + 1.0, "float64"),
    ("i8 * 1.5", i8 * 1.5, "float32"),
    ("i16 * 1.5", i16 * 1.5, "float32"),
    ("i64 * 1.5", i64 * 1.5, "float64"),
    ("f32 * 1.5", f32 * 1.5, "float32"),
    ("f64 * 1.5", f64 * 1.5, "float64"),
    ("f16 * 1.5", f16 * 1.5, "float32"),
    ("f32 * np.float64", f32 * np.float64(2), "float64"),
    ("np.float64 * f32", np.float64(2) * f32, "float64"),
    ("f32 * np.float32", f32 * np.float32(2), "float32"),
    ("i32 + np.int64", i32 + np.int64(1), "int64"),
    ("f32 + array of f64", f32 + np.zeros(2), "float64"),
    ("array of f64 + f32", np.zeros(2) + f32, "float64"),
    ("f32 + list", f32 + [1.0, 2.0], "float64"),
    ("f32 + i32", f32 + i32, "float64"),
    ("f32 + i16", f32 + i16, "float32"),
    ("f32 + i64", f32 + i64, "float64"),
    ("f16 + i8", f16 + i8, "float16"),
    ("f32 + f64", f32 + f64, "float64"),
    ("b * f32", boolean * f32, "float32"),
    ("b + 1", boolean + 1, "int8"),
    ("1 - b", 1 - boolean, "int8"),
    ("b * b", boolean * boolean, "bool"),
    ("u8 + i8", u8 + i8, "int16"),
    ("f32 * 10**10", f32 * 10**10, "float64"),
    ("i8 * 10**10", i8 * 10**10, "int64"),
    ("i32 / i32", i32 / i32, "float32"),
    ("i64 / 2.", i64 / 2.0, "float64"),
    ("i64 / 2", i64 / 2, "float32"),
    ("b / b", boolean / boolean, "float32"),
    ("f32 / i64", f32 / i64, "float64"),
    ("f32 / 2", f32 / 2, "float32"),
    ("f64 / i8", f64 / i8, "float64"),
    ("i32 // i8", i32 // i8, "int32"),
    ("i32 // 2", i32 // 2, "int32"),
    ("f32 // 2", f32 // 2, "float32"),
    ("i8 % 3", i8 % 3, "int8"),
    ("i32 ** 2", i32**2, "int32"),
    ("f32 ** 2", f32**2, "float32"),
    ("f32 ** 0.5", f32**0.5, "float32"),
    ("2 ** f64", 2**f64, "float64"),
    ("i8 < f64", i8 < f64, "bool"),
    ("i8 >= 1", i8 >= 1, "bool"),
    ("eq", T.eq(i32, i64), "bool"),
    ("neq", T.neq(f32, 0), "bool"),
    ("isnan", T.isnan(f32), "bool"),
    ("b & b", boolean & boolean, "bool"),
    ("i8 | i32", i8 | i32, "int32"),
    ("~b", ~boolean, "bool"),
    ("switch of ints", T.switch(boolean, 1, 0), "int8"),
    ("switch of floats", T.switch(boolean, 1.0, 0), "float32"),
    ("switch", T.switch(boolean, i32, f32), "float64"),
    ("clip", T.clip(f32, 0, 1), "float32"),
    ("clip of ints", T.clip(i32, 0, 1), "int32"),
    ("maximum", T.maximum(f32, 0), "float32"),
    ("maximum of ints", T.maximum(i8, 0.5), "float32"),
    ("-i8", -i8, "int8"),
    ("abs", abs(i32), "int32"),
    ("sqr", T.sqr(i8), "int8"),
    ("sgn", T.sgn(f32), "float32"),
    ("round", T.round(f32), "float32"),
    ("exp of i32", T.exp(i32), "float64"),
    ("exp of i8", T.exp(i8), "float32"),
    ("log of i16", T.log(i16), "float32"),
    ("sqrt of i64", T.sqrt(i64), "float64"),
    ("tanh of b", T.tanh(boolean), "float32"),
    ("exp of f16", T.exp(f16), "float16"),
    ("exp of f32", T.exp(f32), "float32"),
    ("inv of i32", T.inv(i32), "float64"),
    ("inv of f32", T.inv(f32), "float32"),
    ("arange", T.arange(3), "int64"),
    ("arange of floats", T.arange(3.0), "float32"),
    ("argmax", T.argmax(f32), "int64"),
    ("argsort", T.argsort(f32), "int64"),
    ("nonzero", f32.nonzero()[0], "int64"),
    ("shape", f32.shape, "int64"),
    ("size", f32.size, "int64"),
    ("max", i8.max(), "int8"),
    ("max of f32", f32.max(), "float32"),
    ("cumsum", T.cumsum(i8), "int8"),
    ("cumprod", T.cumprod(f32), "float32"),
    ("sort", T.sort(u8), "uint8"),
    ("std", T.std(i32), "float64"),
    ("var", T.var(i8), "float64"),
    ("mean", T.mean(i32), "float64"),
    ("mean of b", T.mean(boolean), "float64"),
    ("mean of f32", T.mean(f32), "float32"),
    ("std of f32", f32.std(), "float32"),
    ("sum of b", T.sum(boolean), "int64"),
    ("sum of i8", T.sum(i8), "int64"),
    ("sum of i32", i32.sum(), "int64"),
    ("sum of f32", f32.sum(), "float32"),
    ("sum of u8", u8.sum(), "uint64"),
    ("prod of i8", i8.prod(), "int64"),
    ("all", T.all(f32), "bool"),
    ("dot of i32 and f32", T.dot(i32, f32), "float64"),
    ("dot of f32", T.dot(f32, f32), "float32"),
    ("dot of i8 and f32", T.dot(i8, f32), "float32"),
    ("zeros", T.zeros((2,)), "float32"),
    ("ones", T.ones((2,)), "float32"),
    ("eye", T.eye(2), "float32"),
    ("zeros_like", T.zeros_like(i8), "int8"),
    ("ones_like of f64", T.ones_like(f64), "float64"),
    ("alloc of a float", T.alloc(0.0, 2), "float32"),
    ("alloc of an int", T.alloc(0, 2), "int8"),
    ("list", T.as_tensor_variable([1.0, 2.0]), "float64"),
    ("list of ints", T.as_tensor_variable([1, 2]), "int64"),
    ("float", T.as_tensor_variable(1.0), "float32"),
    ("int", T.as_tensor_variable(1), "int8"),
    ("int of 17 bits", T.as_tensor_variable(-70000), "int32"),
    ("int of 63 bits", T.as_tensor_variable(2**62), "int64"),
    ("int of 64 bits", T.as_tensor_variable(2**63), "uint64"),
    ("complex", T.as_tensor_variable(1j), "complex64"),
    ("np.float64", T.as_tensor_variable(np.float64(1)), "float64"),
    ("join", T.join(0, i8, f32), "float32"),
    ("stack", T.stack([i32, f32]), "float64"),
    ("set_subtensor", T.set_subtensor(f32[0], 2.5), "float32"),
    ("set_subtensor of f64", T.set_subtensor(f32[:], f64), "float32"),
    ("f32[i8]", f32[i8 - 1], "float32"),
]


@pytest.fixture(scope="module")
def results():
    return croton.function(INPUTS, [v for _, v, _ in RULES], on_unused_input="ignore")(*VALUES)


@pytest.mark.parametrize("number", range(len(RULES)), ids=[name for name, _, _ in RULES])
def test_result_dtype(number, results):
    name, variable, dtype = RULES[number]
    assert variable.dtype == dtype, name
    assert results[number].dtype == dtype, f"{name} is declared {dtype}"


def test_under_float64():
    """Where floatX is float64, Python's floats are float64, and so are quotients of integers."""
    with croton.config(floatX="float64"):
        assert (i8 * 1.5).dtype == (i32 / i32).dtype == T.zeros((2,)).dtype == (f32 * 1.5).dtype == "float64"
        assert T.exp(i8).dtype == "float32" and (f32 * 2).dtype == "float32"


def test_booleans_have_no_sign():
    with pytest.raises(TypeError, match="booleans"):
        abs(-boolean)
    with pytest.raises(TypeError, match="booleans"):
        T.sub(boolean, boolean)
