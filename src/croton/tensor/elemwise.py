"""Elementwise ops: each is a row of its name, its type rule, its meaning, and one line that says what it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from croton.graph.core import Apply, Op, Type, Variable
from croton.settings import config
from croton.tensor import direct
from croton.tensor.basic import TensorOp, as_tensor_variable, cast, module_for
from croton.tensor.types import TensorType, broadcast_shapes, upcast

# --- type rules: from the inputs' dtypes, (the dtypes to compute in, the dtype of the result) ---


def _float_of(dtype: str) -> str:
    """The float in which a function of real numbers is computed: small integers fit float32,
    larger ones need float64.
    """
    kind = np.dtype(dtype)
    if kind.kind in "fc":
        return dtype
    return "float32" if kind.itemsize <= 2 else "float64"


def _same(*dtypes: str) -> tuple[list[str], str]:
    common = upcast(*dtypes)
    return [common] * len(dtypes), common


def _signed(*dtypes: str) -> tuple[list[str], str]:
    if set(dtypes) == {"bool"}:
        raise TypeError("not defined for booleans: cast them to an integer first, or use invert or xor")
    return _same(*dtypes)


def _floating(*dtypes: str) -> tuple[list[str], str]:
    return _same(*map(_float_of, dtypes))


def _quotient(*dtypes: str) -> tuple[list[str], str]:
    common = upcast(*dtypes)
    return _same(*dtypes) if np.dtype(common).kind in "fc" else ([config.floatX] * len(dtypes), config.floatX)


def _test(*dtypes: str) -> tuple[list[str], str]:
    return _same(*dtypes)[0], "bool"


def _bits(*dtypes: str) -> tuple[list[str], str]:
    common = upcast(*dtypes)
    if np.dtype(common).kind not in "biu":
        raise TypeError(f"defined for integers and booleans, not for {common}")
    return [common] * len(dtypes), common


def _choice(condition: str, *dtypes: str) -> tuple[list[str], str]:
    common = upcast(*dtypes)
    return ["bool"] + [common] * len(dtypes), common


def _at_least_int8(*dtypes: str) -> tuple[list[str], str]:
    common = upcast("int8", *dtypes) if set(dtypes) == {"bool"} else upcast(*dtypes)
    return [common] * len(dtypes), common


def _angle(dtype: str) -> tuple[list[str], str]:
    return [_float_of(dtype)], _part(_float_of(dtype))[1]


def _part(dtype: str) -> tuple[list[str], str]:
    return [dtype], {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


# --- meanings that are more than one call ---


def _where(xp: Any) -> Callable[..., Any]:
    return np.where if xp is np else direct.where


def _first_largest(xp: Any, x: Any, y: Any) -> Any:
    return _where(xp)((x >= y) | (x != x), x, y)


def _first_smallest(xp: Any, x: Any, y: Any) -> Any:
    return _where(xp)((x <= y) | (x != x), x, y)


def _clip(xp: Any, x: Any, low: Any, high: Any) -> Any:
    where = _where(xp)
    return where(x < low, low, where(x > high, high, x))


def _away_from_zero(xp: Any, x: Any) -> Any:
    whole = xp.trunc(x)
    return xp.where(abs(x - whole) >= 0.5, whole + xp.sign(x), whole)


def _rounded(xp: Any, x: Any) -> Any:
    return xp.round(x) if np.dtype(x.dtype).kind == "f" else x


def _whole(name: str) -> Callable[..., Any]:
    return lambda xp, x: getattr(xp, name)(x) if np.dtype(x.dtype).kind == "f" else x


def _power(xp: Any, x: Any, y: Any) -> Any:
    if np.dtype(x.dtype).kind in "fc":
        return _real_power(x, y) if xp is jnp else np.power(x, y)
    if xp is np and np.any(y < 0):
        return np.power(x.astype("float64"), y).astype(x.dtype)
    return xp.power(x, y)


@jax.custom_jvp
def _real_power(x: Any, y: Any) -> Any:
    return jnp.power(x, y)


def _real_power_jvp(primals: Any, tangents: Any) -> Any:
    # JAX's own rule gives NaN by x at x = y = 0. What is not differentiated adds nothing, for log(x) may be NaN.
    (x, y), (dx, dy) = primals, tangents
    value = _real_power(x, y)
    slope = jnp.zeros_like(value)
    if not isinstance(dx, SymbolicZero):
        slope += dx * jnp.where(y == 0, 0, y * _real_power(x, jnp.where(y == 0, 1, y - 1)))
    if not isinstance(dy, SymbolicZero):
        slope += dy * jnp.where(x == 0, 0, value * jnp.log(jnp.where(x == 0, 1, x)))
    return value, slope.astype(value.dtype)


_real_power.defjvp(_real_power_jvp, symbolic_zeros=True)


@jax.custom_jvp
def _distance_from_zero(x: Any) -> Any:
    return jnp.abs(x)


@_distance_from_zero.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    return _distance_from_zero(x), dx * jnp.sign(x)


def _absolute(xp: Any, x: Any) -> Any:
    return _distance_from_zero(x) if xp is jnp and np.dtype(x.dtype).kind == "f" else abs(x)


@jax.custom_jvp
def _xlogy(x: Any, y: Any) -> Any:
    return jnp.where(x == 0, 0, x * jnp.log(jnp.where(x == 0, 1, y))).astype(jnp.result_type(x, y))


@partial(_xlogy.defjvp, symbolic_zeros=True)
def _(primals: Any, tangents: Any) -> Any:
    x, y = primals
    slopes = jnp.log(y), jnp.where(x == 0, 0, x / jnp.where(x == 0, 1, y))
    return _xlogy(x, y), _along(tangents, slopes)


def _along(tangents: Any, slopes: Any) -> Any:
    """The sum of the products; a tangent that is surely 0 adds nothing, though its slope be infinite."""
    products = [t * slope for t, slope in zip(tangents, slopes, strict=True) if not isinstance(t, SymbolicZero)]
    return sum(products[1:], products[0]) if products else jnp.zeros_like(slopes[0])


@jax.custom_jvp
def _times_or_zero(x: Any, y: Any) -> Any:
    return jnp.where(x == 0, 0, x * y).astype(jnp.result_type(x, y))


@partial(_times_or_zero.defjvp, symbolic_zeros=True)
def _(primals: Any, tangents: Any) -> Any:
    x, y = primals
    return _times_or_zero(x, y), _along(tangents, (y, x))


def _log_erfc(xp: Any, x: Any) -> Any:
    wide = x.astype("float32") if x.dtype == "float16" else x
    return (jsp.log_ndtr(-wide * np.sqrt(2).astype(wide.dtype)) + np.log(2).astype(wide.dtype)).astype(x.dtype)


@dataclass(frozen=True)
class Row:
    """One elementwise op. ``meaning(xp, *values)`` computes it in numpy or jax.numpy;
    ``host`` says that numpy has it.
    """

    name: str
    nin: int
    rule: Callable[..., tuple[list[str], str]]
    meaning: Callable[..., Any]
    doc: str
    host: bool = False
    commutes: bool = False
    variadic: bool = False


def _named(name: str) -> Callable[..., Any]:
    return lambda xp, *values: getattr(xp, name)(*values)


_ROWS = [
    Row("add", 2, _same, lambda xp, x, y: x + y if x.dtype != bool else x | y, "x + y", True, True, True),
    Row("sub", 2, _signed, lambda xp, x, y: x - y, "x - y", True),
    Row("mul", 2, _same, lambda xp, x, y: x * y if x.dtype != bool else x & y, "x y", True, True, True),
    Row("true_div", 2, _quotient, lambda xp, x, y: x / y, "x / y, of integers in floatX", True),
    Row(
        "int_div",
        2,
        _at_least_int8,
        lambda xp, x, y: x // y,
        "the floor of x / y; of integers, ZeroDivisionError where y is 0",
        True,
    ),
    Row(
        "mod",
        2,
        _at_least_int8,
        lambda xp, x, y: x % y,
        "x - y floor(x / y), with the sign of y; of integers, ZeroDivisionError where y is 0",
        True,
    ),
    Row("pow", 2, _at_least_int8, _power, "x to the power y", True),
    Row(
        "maximum",
        2,
        _same,
        _first_largest,
        "the larger of x and y, NaN if either is; a tie's derivative goes to x",
        True,
    ),
    Row(
        "minimum",
        2,
        _same,
        _first_smallest,
        "the smaller of x and y, NaN if either is; a tie's derivative goes to x",
        True,
    ),
    Row("clip", 3, _same, _clip, "x, but at least low and at most high; derivative 1 at both bounds", True),
    Row("switch", 3, _choice, lambda xp, c, x, y: _where(xp)(c, x, y), "x where the condition holds, else y", True),
    Row("identity", 1, _same, lambda xp, x: x, "x", True),
    Row("neg", 1, _signed, lambda xp, x: -x, "-x", True),
    Row("abs_", 1, _part, _absolute, "the absolute value of x; derivative 0 at 0", True),
    Row("sgn", 1, _signed, _named("sign"), "the sign of x: -1, 0 or 1", True),
    Row("sqr", 1, _same, lambda xp, x: x * x if x.dtype != bool else x, "x squared", True),
    Row("inv", 1, _floating, lambda xp, x: 1 / x, "1 / x", True),
    Row("ceil", 1, _same, _whole("ceil"), "the least integer not below x", True),
    Row("floor", 1, _same, _whole("floor"), "the greatest integer not above x", True),
    Row("trunc", 1, _same, _whole("trunc"), "x without its fraction", True),
    Row("round_half_to_even", 1, _same, _rounded, "the integer nearest x, halves to the even one", True),
    Row("round_half_away_from_zero", 1, _floating, _away_from_zero, "the integer nearest x, halves away from zero"),
    Row("lt", 2, _test, lambda xp, x, y: x < y, "whether x < y", True),
    Row("le", 2, _test, lambda xp, x, y: x <= y, "whether x <= y", True),
    Row("gt", 2, _test, lambda xp, x, y: x > y, "whether x > y", True),
    Row("ge", 2, _test, lambda xp, x, y: x >= y, "whether x >= y", True),
    Row("eq", 2, _test, lambda xp, x, y: x == y, "whether x equals y", True, True),
    Row("neq", 2, _test, lambda xp, x, y: x != y, "whether x differs from y", True, True),
    Row("isnan", 1, _test, _named("isnan"), "whether x is NaN", True),
    Row("isinf", 1, _test, _named("isinf"), "whether x is infinite", True),
    Row("and_", 2, _bits, lambda xp, x, y: x & y, "bitwise and", True, True),
    Row("or_", 2, _bits, lambda xp, x, y: x | y, "bitwise or", True, True),
    Row("xor", 2, _bits, lambda xp, x, y: x ^ y, "bitwise exclusive or", True, True),
    Row("invert", 1, _bits, lambda xp, x: ~x, "bitwise not", True),
    Row("exp", 1, _floating, _named("exp"), "e to the power x", True),
    Row("exp2", 1, _floating, _named("exp2"), "2 to the power x", True),
    Row("expm1", 1, _floating, _named("expm1"), "exp(x) - 1, accurate near 0", True),
    Row("log", 1, _floating, _named("log"), "the natural logarithm of x", True),
    Row("log2", 1, _floating, _named("log2"), "the logarithm of x to base 2", True),
    Row("log10", 1, _floating, _named("log10"), "the logarithm of x to base 10", True),
    Row("log1p", 1, _floating, _named("log1p"), "log(1 + x), accurate near 0", True),
    Row("sqrt", 1, _floating, _named("sqrt"), "the square root of x; infinite derivative at 0", True),
    Row("sin", 1, _floating, _named("sin"), "the sine of x"),
    Row("cos", 1, _floating, _named("cos"), "the cosine of x"),
    Row("tan", 1, _floating, _named("tan"), "the tangent of x"),
    Row("arcsin", 1, _floating, _named("arcsin"), "the angle whose sine is x"),
    Row("arccos", 1, _floating, _named("arccos"), "the angle whose cosine is x"),
    Row("arctan", 1, _floating, _named("arctan"), "the angle whose tangent is x"),
    Row(
        "arctan2",
        2,
        _floating,
        _named("arctan2"),
        "the angle of the point (y, x): arctan(x / y) with the right quadrant",
    ),
    Row("sinh", 1, _floating, _named("sinh"), "(exp(x) - exp(-x)) / 2"),
    Row("cosh", 1, _floating, _named("cosh"), "(exp(x) + exp(-x)) / 2"),
    Row("tanh", 1, _floating, _named("tanh"), "sinh(x) / cosh(x)"),
    Row("arcsinh", 1, _floating, _named("arcsinh"), "the number whose hyperbolic sine is x"),
    Row("arccosh", 1, _floating, _named("arccosh"), "the number whose hyperbolic cosine is x"),
    Row("arctanh", 1, _floating, _named("arctanh"), "the number whose hyperbolic tangent is x"),
    Row("deg2rad", 1, _floating, _named("deg2rad"), "degrees to radians: x pi / 180"),
    Row("rad2deg", 1, _floating, _named("rad2deg"), "radians to degrees: 180 x / pi"),
    Row(
        "erf",
        1,
        _floating,
        lambda xp, x: jsp.erf(x),
        "the error function: 2 / sqrt(pi) times the integral of exp(-t²) from 0 to x",
    ),
    Row("erfc", 1, _floating, lambda xp, x: jsp.erfc(x), "1 - erf(x), accurate where that is small"),
    Row("erfinv", 1, _floating, lambda xp, x: jsp.erfinv(x), "the number whose error function is x"),
    Row("log_erfc", 1, _floating, _log_erfc, "log(erfc(x)), also where erfc(x) underflows"),
    Row("gamma", 1, _floating, lambda xp, x: jsp.gamma(x), "the gamma function"),
    Row("gammaln", 1, _floating, lambda xp, x: jsp.gammaln(x), "log of the absolute value of the gamma function"),
    Row("psi", 1, _floating, lambda xp, x: jsp.digamma(x), "the derivative of gammaln"),
    Row("xlogx", 1, _floating, lambda xp, x: _xlogy(x, x), "x log(x), and 0 at x = 0"),
    Row("xlogy0", 2, _floating, lambda xp, x, y: _xlogy(x, y), "x log(y), and 0 where x is 0"),
    Row(
        "mul_or_zero",
        2,
        _floating,
        lambda xp, x, y: _times_or_zero(x, y),
        "x y, and 0 where x is 0 though y be infinite",
    ),
    Row("real", 1, _part, lambda xp, x: x.real, "the real part"),
    Row("imag", 1, _part, lambda xp, x: x.imag if np.iscomplexobj(x) else jnp.zeros_like(x), "the imaginary part"),
    Row("conj", 1, _same, _named("conj"), "the complex conjugate"),
    Row(
        "angle",
        1,
        _angle,
        _named("angle"),
        "the argument of x",
    ),
]
ROWS: dict[str, Row] = {row.name: row for row in _ROWS}


class _Doc:
    """What the class is, and what each op of it computes."""

    def __get__(self, op: Elemwise | None, owner: type) -> str:
        if op is None:
            return "The elementwise op of one row, broadcasting as NumPy does."
        return f"{op.row.doc} (elementwise)."


@dataclass(frozen=True)
class Elemwise(TensorOp):
    name: str

    @property
    def row(self) -> Row:
        return ROWS[self.name]

    __doc__ = _Doc()

    @property
    def host(self) -> bool:  # type: ignore[override]
        return self.row.host

    @property
    def commutes(self) -> bool:
        return self.row.commutes

    @property
    def is_comparison(self) -> bool:
        return self.row.rule is _test

    def make_node(self, *inputs: Any) -> Apply:
        row = self.row
        if row.variadic and len(inputs) > 2:
            return self.make_node(self(*inputs[:-1]), inputs[-1])
        if len(inputs) != row.nin:
            raise TypeError(f"{self.name} takes {row.nin} arguments, {len(inputs)} were given")
        variables = [as_tensor_variable(x) for x in inputs]
        try:
            dtypes, _ = row.rule(*[v.dtype for v in variables])
        except TypeError as error:
            raise TypeError(f"{self.name} of {', '.join(f'{v}: {v.dtype}' for v in variables)}: {error}") from None
        return super().make_node(*[cast(v, d) for v, d in zip(variables, dtypes, strict=True)])

    def output_types(self, *inputs: Variable) -> Sequence[Type]:
        _, dtype = self.row.rule(*[v.type.dtype for v in inputs])  # type: ignore[attr-defined]
        return [TensorType(dtype, shape=broadcast_shapes(self.name, [v.type.shape for v in inputs]))]  # type: ignore[attr-defined]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        row = self.row
        if len(values) > 1:
            check_broadcast(self.name, values)
        if self.checked(node):
            self._check_divisor(context, node, *values)
        xp = module_for(values) if row.host else jnp
        if xp is np:
            with np.errstate(all="ignore"):
                return np.asarray(row.meaning(np, *values), self._dtype(node))
        made = direct.elementwise(self.name, values)
        return row.meaning(xp, *values) if made is None else made

    def checked(self, node: Apply) -> Sequence[Variable]:
        """The inputs that are looked at while the program runs: the divisors of integers."""
        integers = self.name in ("int_div", "mod") and self._dtype(node)[0] in "iu"
        return node.inputs[1:] if integers else ()

    def _check_divisor(self, context: Any, node: Apply, x: Any, y: Any) -> None:
        def error() -> Exception:
            return ZeroDivisionError(f"{self.name}: integer division by zero")

        if 0 in x.shape or 0 in y.shape:
            return
        if not isinstance(y, np.ndarray):
            context.check(jnp.all(y != 0), node, error)
        elif not y.all():
            raise error()

    def _dtype(self, node: Apply) -> str:
        return node.outputs[0].type.dtype  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return self.name


def check_broadcast(name: str, values: Sequence[Any]) -> None:
    """ValueError unless the values' shapes broadcast together."""
    ndim = max(v.ndim for v in values)
    for axis in range(-ndim, 0):
        lengths = {v.shape[axis] for v in values if v.ndim >= -axis} - {1}
        if len(lengths) > 1:
            shapes = ", ".join(str(tuple(v.shape)) for v in values)
            raise ValueError(
                f"{name}: input dimension mismatch: shapes {shapes} do not broadcast together "
                f"(dimension {axis} has lengths {' and '.join(map(str, sorted(lengths)))})"
            )


def is_elemwise(op: Op, *names: str) -> bool:
    """Whether ``op`` is one of the named elementwise ops."""
    return isinstance(op, Elemwise) and op.name in names


add, sub, mul, true_div = Elemwise("add"), Elemwise("sub"), Elemwise("mul"), Elemwise("true_div")
int_div, mod, pow = Elemwise("int_div"), Elemwise("mod"), Elemwise("pow")
floor_div, div_proxy = int_div, true_div
maximum, minimum, clip, switch = Elemwise("maximum"), Elemwise("minimum"), Elemwise("clip"), Elemwise("switch")
where = switch
identity, neg, abs_, sgn, sqr, inv = map(Elemwise, ("identity", "neg", "abs_", "sgn", "sqr", "inv"))
ceil, floor, trunc = map(Elemwise, ("ceil", "floor", "trunc"))
round_half_to_even, round_half_away_from_zero = map(Elemwise, ("round_half_to_even", "round_half_away_from_zero"))
iround_half_to_even = round_half_to_even
lt, le, gt, ge, eq, neq = map(Elemwise, ("lt", "le", "gt", "ge", "eq", "neq"))
isnan, isinf = Elemwise("isnan"), Elemwise("isinf")
and_, or_, xor, invert = map(Elemwise, ("and_", "or_", "xor", "invert"))
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = and_, or_, xor, invert
exp, exp2, expm1, log, log2, log10, log1p, sqrt = map(
    Elemwise, ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt")
)
sin, cos, tan, arcsin, arccos, arctan, arctan2 = map(
    Elemwise, ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2")
)
sinh, cosh, tanh, arcsinh, arccosh, arctanh = map(Elemwise, ("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"))
deg2rad, rad2deg = Elemwise("deg2rad"), Elemwise("rad2deg")
erf, erfc, erfinv, log_erfc = map(Elemwise, ("erf", "erfc", "erfinv", "log_erfc"))
gamma, gammaln, psi = Elemwise("gamma"), Elemwise("gammaln"), Elemwise("psi")
xlogx, xlogy0, mul_or_zero = Elemwise("xlogx"), Elemwise("xlogy0"), Elemwise("mul_or_zero")
real, imag, conj, angle = Elemwise("real"), Elemwise("imag"), Elemwise("conj"), Elemwise("angle")


def round(a: Any, mode: str | None = None) -> Any:
    """The integers nearest to ``a``, elementwise.

    ``mode``: 'half_to_even' (the default) or 'half_away_from_zero'; another raises ValueError. As theano.tensor.round.

    >>> import croton.tensor as T
    >>> T.round(T.constant([0.5, 1.5])).eval()
    array([0., 2.])
    """
    modes = {
        None: round_half_to_even,
        "half_to_even": round_half_to_even,
        "half_away_from_zero": round_half_away_from_zero,
    }
    if mode not in modes:
        raise ValueError(f"round: mode {mode!r} is neither 'half_to_even' nor 'half_away_from_zero'")
    return modes[mode](a)


def divmod(x: Any, y: Any) -> tuple[Any, Any]:
    """``(x // y, x % y)``.

    >>> import croton.tensor as T
    >>> [part.eval().item() for part in T.divmod(T.constant(7), 2)]
    [3, 1]
    """
    return int_div(x, y), mod(x, y)


__all__ = [
    *sorted(
        name
        for name, value in list(globals().items())
        if isinstance(value, Elemwise) or name in ("round", "divmod", "Elemwise")
    )
]
