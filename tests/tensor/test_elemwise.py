"""Elementwise rows against NumPy and SciPy, one reference each: values, dtypes, shapes, special points, derivatives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.special as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import croton
import croton.tensor as T
from croton.tensor import TensorType
from croton.tensor.elemwise import ROWS, Elemwise

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
DTYPES = ("bool", *INTEGERS, "float16", "float32", "float64")

# --- dtypes of results: (dtypes of the arguments) -> (dtype to compute in, dtype of the result) ---


def same(*dtypes: str) -> tuple[str, str]:
    common = str(np.result_type(*dtypes))
    return common, common


def at_least_int8(*dtypes: str) -> tuple[str, str]:
    common = same(*dtypes)[0]
    return ("int8", "int8") if common == "bool" else (common, common)


def floating(*dtypes: str) -> tuple[str, str]:
    small, large = ("bool", "int8", "int16", "uint8", "uint16"), ("int32", "int64", "uint32", "uint64")
    return same(*["float32" if d in small else "float64" if d in large else d for d in dtypes])


def quotient(*dtypes: str) -> tuple[str, str]:
    common = same(*dtypes)[0]
    return (common, common) if common[0] == "f" else ("float32", "float32")


def test(*dtypes: str) -> tuple[str, str]:
    return same(*dtypes)[0], "bool"


test.__test__ = False  # type: ignore[attr-defined]


def branches(_: str, *dtypes: str) -> tuple[str, str]:
    return same(*dtypes)


@dataclass(frozen=True)
class Reference:
    """What a row must be: NumPy's function, the dtype rule, where its arguments may lie, and which of them are
    floats.
    """

    value: Callable[..., Any]
    dtypes: Callable[..., tuple[str, str]] = floating
    domain: tuple[tuple[float, float], ...] = ((-4, 4),)
    kinds: str = "biuf"
    special: bool = True
    condition: bool = False


REAL, ANY2, POSITIVE, DIVISOR = ((-4.0, 4.0),), ((-4.0, 4.0),) * 2, ((0.2, 9.0),), ((-9.0, 9.0), (0.6, 4.0))


def away_from_zero(x: Any) -> Any:
    # The decimal digits tell: halves go outwards.
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.sign(x), whole).astype(x.dtype)


REFERENCES: dict[str, Reference] = {
    "add": Reference(np.add, same, ANY2),
    "sub": Reference(np.subtract, same, ANY2, "iuf"),
    "mul": Reference(np.multiply, same, ANY2),
    "true_div": Reference(np.true_divide, quotient, DIVISOR),
    "int_div": Reference(np.floor_divide, at_least_int8, DIVISOR, special=False),
    "mod": Reference(np.remainder, at_least_int8, DIVISOR, special=False),
    "pow": Reference(np.power, at_least_int8, ((0.2, 3.0), (0.1, 3.0))),
    "maximum": Reference(np.maximum, same, ANY2),
    "minimum": Reference(np.minimum, same, ANY2),
    "clip": Reference(np.clip, same, ((-4.0, 4.0), (-3.0, -0.5), (0.5, 3.0)), special=False),
    "switch": Reference(np.where, branches, ((-1.0, 1.0), *ANY2), condition=True),
    "identity": Reference(np.positive, same, kinds="iuf"),
    "neg": Reference(np.negative, same, kinds="iuf"),
    "abs_": Reference(np.absolute, same),
    "sgn": Reference(np.sign, same, kinds="iuf"),
    "sqr": Reference(lambda x: x if x.dtype == bool else np.square(x), same),
    "inv": Reference(lambda x: np.divide(1.0, x), floating, POSITIVE),
    "ceil": Reference(np.ceil, same),
    "floor": Reference(np.floor, same),
    "trunc": Reference(np.trunc, same),
    "round_half_to_even": Reference(np.rint, same, kinds="f"),
    "round_half_away_from_zero": Reference(away_from_zero, same, kinds="f", special=False),
    "lt": Reference(np.less, test, ANY2),
    "le": Reference(np.less_equal, test, ANY2),
    "gt": Reference(np.greater, test, ANY2),
    "ge": Reference(np.greater_equal, test, ANY2),
    "eq": Reference(np.equal, test, ANY2),
    "neq": Reference(np.not_equal, test, ANY2),
    "isnan": Reference(np.isnan, test),
    "isinf": Reference(np.isinf, test),
    "and_": Reference(np.bitwise_and, same, ANY2, "biu"),
    "or_": Reference(np.bitwise_or, same, ANY2, "biu"),
    "xor": Reference(np.bitwise_xor, same, ANY2, "biu"),
    "invert": Reference(np.invert, same, kinds="biu"),
    "exp": Reference(np.exp),
    "exp2": Reference(np.exp2),
    "expm1": Reference(np.expm1),
    "log": Reference(np.log, domain=POSITIVE),
    "log2": Reference(np.log2, domain=POSITIVE),
    "log10": Reference(np.log10, domain=POSITIVE),
    "log1p": Reference(np.log1p, domain=((-0.9, 9.0),)),
    "sqrt": Reference(np.sqrt, domain=POSITIVE),
    "sin": Reference(np.sin),
    "cos": Reference(np.cos),
    "tan": Reference(np.tan, domain=((-1.3, 1.3),)),
    "arcsin": Reference(np.arcsin, domain=((-0.95, 0.95),)),
    "arccos": Reference(np.arccos, domain=((-0.95, 0.95),)),
    "arctan": Reference(np.arctan),
    "arctan2": Reference(np.arctan2, domain=ANY2),
    "sinh": Reference(np.sinh),
    "cosh": Reference(np.cosh),
    "tanh": Reference(np.tanh),
    "arcsinh": Reference(np.arcsinh),
    "arccosh": Reference(np.arccosh, domain=((1.1, 9.0),)),
    "arctanh": Reference(np.arctanh, domain=((-0.95, 0.95),)),
    "deg2rad": Reference(np.deg2rad, domain=((-400, 400),)),
    "rad2deg": Reference(np.rad2deg),
    "erf": Reference(sp.erf),
    "erfc": Reference(sp.erfc),
    "erfinv": Reference(sp.erfinv, domain=((-0.95, 0.95),)),
    "log_erfc": Reference(lambda x: np.log(2) + sp.log_ndtr(-x * np.sqrt(2))),
    "gamma": Reference(sp.gamma, domain=POSITIVE, special=False),
    "gammaln": Reference(sp.gammaln, domain=POSITIVE, special=False),
    "psi": Reference(sp.digamma, domain=POSITIVE, special=False),
    "xlogx": Reference(lambda x: sp.xlogy(x, x), domain=POSITIVE, special=False),
    "xlogy0": Reference(sp.xlogy, domain=POSITIVE * 2, special=False),
    "mul_or_zero": Reference(lambda x, y: np.where(x == 0, 0, x * y), domain=ANY2),
    "real": Reference(np.real, same),
    "imag": Reference(np.imag, same, special=False),
    "conj": Reference(np.conj, same, kinds="iuf"),
    "angle": Reference(np.angle, domain=((0.2, 4.0),)),
}

NAMES = sorted(REFERENCES)
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.5])


def dtype_lists(reference: Reference) -> list[tuple[str, ...]]:
    """The combinations of dtypes to compute with: each with itself, and some mixed ones."""
    nin = len(reference.domain)
    allowed = [d for d in DTYPES if np.dtype(d).kind in reference.kinds]
    if reference.condition:
        return [("bool", *[d] * (nin - 1)) for d in allowed]
    lists = [(d,) * nin for d in allowed]
    mixed = [("float32", "int8"), ("int32", "float32"), ("uint8", "int8"), ("bool", "float64"), ("float16", "bool")]
    return lists + [(a, *[b] * (nin - 1)) for a, b in mixed if nin > 1 and {a, b} <= set(allowed)]


def all_dtypes(reference: Reference) -> list[tuple[str, ...]]:
    """Every combination of two dtypes that the row takes."""
    allowed = [d for d in DTYPES if np.dtype(d).kind in reference.kinds]
    nin = len(reference.domain)
    if reference.condition:
        return [("bool", *[a] * (nin - 2), b) for a in allowed for b in allowed]
    return [(a, *[b] * (nin - 1)) for a in allowed for b in allowed]


def values_in(numbers: np.ndarray, interval: tuple[float, float], dtype: str) -> np.ndarray:
    """Numbers of [0, 1] as values of ``dtype`` in the interval: whole ones are rounded up, unsigned ones cut off at
    0.
    """
    low, high = interval
    spread = low + numbers * (high - low)
    if dtype == "bool":
        return (spread > (low + high) / 2) | (low > 0)
    if dtype[0] in "iu":
        spread = np.ceil(spread)
        return (np.maximum(spread, 0) if dtype[0] == "u" else spread).astype(dtype)
    return spread.astype(dtype)


def expected(reference: Reference, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The reference's value: computed in float64 where the result is a float, in the arguments' common dtype else."""
    compute, result = reference.dtypes(*[str(a.dtype) for a in arrays])
    skip = 1 if reference.condition else 0
    own = [*arrays[:skip], *[a.astype(compute) for a in arrays[skip:]]]
    if compute[0] == "f":
        own = [*arrays[:skip], *[a.astype("float64") for a in own[skip:]]]
    with np.errstate(all="ignore"):
        return np.asarray(reference.value(*own)).astype(result)


def close(found: np.ndarray, wanted: np.ndarray, what: str) -> None:
    rtol = {"float16": 2e-2, "float32": 1e-5, "float64": 1e-11}.get(str(found.dtype), 0)
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol, equal_nan=True, err_msg=what)


def test_every_row_has_a_reference():
    assert set(REFERENCES) == set(ROWS)


def test_every_row_is_public_under_its_name():
    assert {n for n, v in vars(T).items() if isinstance(v, Elemwise)} >= set(ROWS)
    assert all(getattr(T, name) == Elemwise(name) for name in ROWS)


@pytest.mark.parametrize("name", NAMES)
def test_values_and_dtypes(name):
    reference = REFERENCES[name]
    lists = dtype_lists(reference)
    length = 12
    inputs = [[TensorType(d, (False,))() for d in dtypes] for dtypes in lists]
    outputs = [getattr(T, name)(*variables) for variables in inputs]
    for dtypes in all_dtypes(reference):
        built = getattr(T, name)(*[TensorType(d, (False,))() for d in dtypes])
        assert built.dtype == reference.dtypes(*dtypes)[1], dtypes
    f = croton.function([v for variables in inputs for v in variables], outputs)

    def run(arrays: list[list[np.ndarray]]) -> None:
        found = f(*[a for group in arrays for a in group])
        for value, group in zip(found, arrays, strict=True):
            wanted = expected(reference, group)
            assert value.dtype == wanted.dtype
            close(value, wanted, f"{name} of {[(str(a.dtype), a.tolist()) for a in group]}")

    unit = hnp.arrays("float64", (len(reference.domain), length), elements=st.floats(0, 1, width=32))

    @settings(max_examples=10)
    @given(unit)
    def values(numbers):
        run([[values_in(n, i, d) for n, i, d in zip(numbers, reference.domain, ds, strict=True)] for ds in lists])

    values()
    if reference.special:
        pairs = [SPECIAL[(np.arange(length) * step + k) % len(SPECIAL)] for k, step in enumerate((1, 3, 5))]
        groups = []
        for ds in lists:
            whole = [values_in(np.linspace(0, 1, length), i, d) for i, d in zip(reference.domain, ds, strict=True)]
            groups.append([p.astype(w.dtype) if w.dtype.kind == "f" else w for p, w in zip(pairs, whole, strict=False)])
        run(groups)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_broadcast_as_numpys(name, agree):
    reference = REFERENCES[name]
    nin = len(reference.domain)
    dtype = "int32" if "f" not in reference.kinds else "float64"

    @settings(max_examples=3)
    @given(hnp.mutually_broadcastable_shapes(num_shapes=nin, max_dims=3, max_side=3, min_side=0), st.integers(0, 99))
    def shapes(drawn, seed):
        rng = np.random.RandomState(seed)
        dtypes = ["bool" if reference.condition and k == 0 else dtype for k in range(nin)]
        arrays = [
            values_in(rng.uniform(size=s), i, d)
            for s, i, d in zip(drawn.input_shapes, reference.domain, dtypes, strict=True)
        ]
        agree(
            getattr(T, name),
            lambda *a: np.broadcast_to(expected(reference, a), drawn.result_shape),
            *arrays,
            dtypes=[reference.dtypes(*dtypes)[1]],
        )

    shapes()


@pytest.mark.parametrize("name", [n for n in NAMES if "f" in REFERENCES[n].kinds])
def test_derivatives(name, gradients_agree):
    reference = REFERENCES[name]
    rng = np.random.RandomState(3)
    arrays = [
        values_in(rng.uniform(size=6), interval, "bool" if reference.condition and k == 0 else "float64")
        for k, interval in enumerate(reference.domain)
    ]
    gradients_agree(getattr(T, name), *arrays)


def test_complex_numbers():
    """Rows that take complex numbers, against NumPy, in both precisions."""
    unary = {
        "neg": np.negative,
        "abs_": np.abs,
        "sqr": np.square,
        "inv": np.reciprocal,
        "exp": np.exp,
        "log": np.log,
        "sqrt": np.sqrt,
        "sin": np.sin,
        "cos": np.cos,
        "tan": np.tan,
        "sinh": np.sinh,
        "cosh": np.cosh,
        "tanh": np.tanh,
        "conj": np.conj,
        "real": np.real,
        "imag": np.imag,
        "angle": np.angle,
        "identity": np.positive,
        "isnan": np.isnan,
        "isinf": np.isinf,
    }
    binary = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "true_div": np.divide,
        "pow": np.power,
        "eq": np.equal,
        "neq": np.not_equal,
    }
    rng = np.random.RandomState(0)
    for dtype in ("complex64", "complex128"):
        a, b = ((rng.uniform(0.5, 2, 5) + 1j * rng.uniform(-2, 2, 5)).astype(dtype) for _ in range(2))
        x, y = TensorType(dtype, (False,))(), TensorType(dtype, (False,))()
        outputs = [getattr(T, n)(x) for n in unary] + [getattr(T, n)(x, y) for n in binary]
        results = croton.function([x, y], outputs)(a, b)
        wanted = [g(a) for g in unary.values()] + [g(a, b) for g in binary.values()]
        for name, variable, found, value in zip([*unary, *binary], outputs, results, wanted, strict=True):
            assert str(found.dtype) == variable.dtype == str(value.dtype), name
            np.testing.assert_allclose(found, value, rtol=2e-5 if dtype == "complex64" else 1e-12, err_msg=name)


# --- what the formulas leave open ---


def derivative_at(expression: Callable[..., Any], *point: float) -> list[float]:
    variables = [T.dscalar() for _ in point]
    grads = croton.grad(expression(*variables), variables, disconnected_inputs="ignore")
    return [g.item() for g in croton.function(variables, grads, on_unused_input="ignore")(*point)]


@pytest.mark.parametrize(
    ("expression", "point", "wanted"),
    [
        (T.maximum, (2.0, 2.0), (1, 0)),
        (T.minimum, (2.0, 2.0), (1, 0)),
        (lambda x: T.maximum(x, 0), (0.0,), (1,)),
        (lambda x: T.maximum(0, x), (0.0,), (0,)),
        (lambda x: T.switch(x > 0, x, 0), (0.0,), (0,)),
        (lambda x: T.clip(x, -1, 1), (1.0,), (1,)),
        (lambda x: T.clip(x, -1, 1), (-1.0,), (1,)),
        (lambda x: T.clip(x, -1, 1), (1.5,), (0,)),
        (lambda x, low: T.clip(x, low, 1), (-3.0, -2.0), (0, 1)),
        (T.abs_, (0.0,), (0,)),
        (T.sgn, (0.0,), (0,)),
        (T.sgn, (3.0,), (0,)),
        (T.floor, (3.0,), (0,)),
        (T.round, (0.5,), (0,)),
        (T.pow, (0.0, 2.0), (0, 0)),
        (T.pow, (2.0, 0.0), (0, np.log(2))),
        (lambda x: x**2, (0.0,), (0,)),
        (lambda x: x**2, (-3.0,), (-6,)),
        (lambda x: x**1, (0.0,), (1,)),
        (lambda x: x**0, (0.0,), (0,)),
        (lambda x: x**3, (-2.0,), (12,)),
        (T.mod, (7.5, 2.0), (1, -3)),
        (T.mod, (-7.5, 2.0), (1, 4)),
        (T.int_div, (7.5, 2.0), (0, 0)),
        (T.sqrt, (0.0,), (np.inf,)),
        (T.sqr, (0.0,), (0,)),
        (T.xlogy0, (0.0, 2.0), (np.log(2), 0)),
        (lambda x, y: T.lt(x, y) * 2.0, (1.0, 2.0), (0, 0)),
        (lambda x: T.neq(x, 0) * x, (0.0,), (0,)),
    ],
)
def test_derivatives_at_special_points(expression, point, wanted):
    assert derivative_at(expression, *point) == list(map(float, wanted))


def test_power_of_zero_and_of_a_negative_number_by_the_exponent():
    _, by_y = derivative_at(T.pow, 0.0, 3.0)
    assert by_y == 0
    _, by_y = derivative_at(T.pow, -2.0, 3.0)
    assert np.isnan(by_y)


def test_rounding_modes():
    x = T.dvector()
    f = croton.function([x], [T.round(x), T.round(x, mode="half_to_even"), x.round("half_away_from_zero")])
    even, same_even, away = f([0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994, 2.0**52 + 1, np.inf])
    assert even.tolist() == same_even.tolist() == [0, 2, 2, -0.0, -2, 0, 2.0**52 + 1, np.inf]
    assert away.tolist() == [1, 2, 3, -1, -2, 0, 2.0**52 + 1, np.inf]
    with pytest.raises(ValueError, match=r"round: mode 'up'"):
        T.round(x, "up")


def test_floor_division_and_remainder_follow_pythons_signs():
    pairs = [(7, 2), (-7, 2), (7, -2), (-7, -2), (6, 3), (-6, 3)]
    a, b = (np.array(v) for v in zip(*pairs, strict=True))
    outputs = []
    for dtype in ("int32", "float64"):
        x, y = T.constant(a.astype(dtype)), T.constant(b.astype(dtype))
        outputs += [x // y, x % y, *T.divmod(x, y), *divmod(x, y)]
    for k, result in enumerate(croton.function([], outputs)()):
        assert result.tolist() == [[p // q, p % q][k % 2] for p, q in pairs]


@pytest.mark.parametrize("operation", [T.int_div, T.mod])
def test_integer_division_by_zero_raises_and_leaves_shared_values(operation):
    x, y = T.ivector(), T.ivector()
    calls = croton.shared(0, "calls")
    f = croton.function([x, y], operation(x, y), updates=[(calls, calls + 1)])
    assert f([5, 6], [3, 2]).tolist() == ([1, 3] if operation is T.int_div else [2, 0])
    with pytest.raises(ZeroDivisionError, match=operation.name):
        f([5, 6], [3, 0])
    assert calls.get_value() == 1
    assert f([], []).size == 0
    with pytest.raises(ZeroDivisionError):
        operation(T.constant([1, 2]), 0).eval()


def test_division_of_floats_by_zero_is_silent():
    x, y = T.dvector(), T.dvector()
    quotient, whole, rest = croton.function([x, y], [x / y, x // y, x % y])([1.0, -1.0, 0.0], [0.0, 0.0, 0.0])
    np.testing.assert_equal(quotient, [np.inf, -np.inf, np.nan])
    assert not np.isfinite(whole).any() and np.isnan(rest).all()


def test_nan_is_never_simplified_away():
    x = T.dvector()
    f = croton.function([x], [x * 0, x - x, x / x, T.maximum(x, 1), T.minimum(1, x), T.clip(x, 0, 1), x * 0 + 1])
    for result in f([np.nan]):
        assert np.isnan(result).all()


def test_functions_of_any_number_of_terms():
    x, y, z = T.dscalars("xyz")
    assert croton.function([x, y, z], [T.add(x, y, z), T.mul(x, y, z)])(2, 3, 4) == [9, 24]
    with pytest.raises(TypeError, match="exp takes 1 arguments, 2 were given"):
        T.exp(x, y)


def test_what_a_row_does_not_take_is_refused():
    b, x = T.vector(dtype="bool"), T.dvector()
    for build in (lambda: -b, lambda: b - b, lambda: T.sgn(b)):
        with pytest.raises(TypeError, match="not defined for booleans"):
            build()
    for build in (lambda: x & x, lambda: ~x, lambda: x | 1):
        with pytest.raises(TypeError, match="integers and booleans"):
            build()
    with pytest.raises(ValueError, match="do not broadcast"):
        T.constant(np.zeros((2, 3))) + T.constant(np.zeros((4, 3)))
    y = T.dvector()
    with pytest.raises(ValueError, match=r"add: input dimension mismatch.*\(2,\).*\(3,\)"):
        croton.function([x, y], x + y)([1, 2], [1, 2, 3])
