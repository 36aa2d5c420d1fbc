"""Reductions: sums, products, extremes and what is made of them."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable, cast, module_for
from croton.tensor.elemwise import _float_of, abs_, eq, neq, sqr, sqrt, true_div
from croton.tensor.elemwise import sub as subtract
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable

# Longer sums of float32 are taken in two steps, so that rounding grows with the root of the length at most.
_BLOCK = 1024


def _sum(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    if xp is jnp and x.dtype in (jnp.float32, jnp.float16) and np.prod([x.shape[a] for a in axis]) > _BLOCK * 64:
        return _sum_in_blocks(x, axis, keepdims)
    return xp.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


def _sum_in_blocks(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The sum axis by axis, of a long one in blocks first: joined axes would not stay on the devices they lie on."""
    shape = x.shape
    for a in sorted(axis, reverse=True):
        rows = jnp.moveaxis(x, a, -1)
        while rows.shape[-1] > _BLOCK:
            whole = rows.shape[-1] // _BLOCK * _BLOCK
            parts = rows[..., :whole].reshape(*rows.shape[:-1], -1, _BLOCK).sum(-1)
            rows = jnp.concatenate([parts, rows[..., whole:].sum(-1, keepdims=True)], axis=-1)
        # XLA would make one long sum of two that follow each other.
        x = lax.optimization_barrier(rows.sum(-1))
    return x.reshape([1 if a in axis else n for a, n in enumerate(shape)]) if keepdims else x


def _named(name: str) -> Callable[..., Any]:
    return lambda xp, x, axis, keepdims: getattr(xp, name)(x, axis=axis, keepdims=keepdims)


def _extreme(name: str) -> Callable[..., Any]:
    def meaning(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        if 0 in [x.shape[a] for a in axis]:
            raise ValueError(f"{name} of an array with no elements along axis {axis}: its shape is {tuple(x.shape)}")
        return getattr(xp, name)(x, axis=axis, keepdims=keepdims)

    return meaning


def _first(extreme: str, rows: Any) -> Any:
    """Where the extreme, or NaN, is first met in each row: a search that XLA vectorizes, unlike its own argmax."""
    best = getattr(jnp, extreme)(rows, axis=-1, keepdims=True)
    places = jnp.arange(rows.shape[-1], dtype="int32")
    return jnp.min(jnp.where((rows == best) | (rows != rows), places, rows.shape[-1] - 1), axis=-1)


def _position(name: str) -> Callable[..., Any]:
    def meaning(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        if 0 in [x.shape[a] for a in axis]:
            raise ValueError(f"{name} of an array with no elements along axis {axis}: its shape is {tuple(x.shape)}")
        kept = [a for a in range(x.ndim) if a not in axis]
        count = int(np.prod([x.shape[a] for a in axis]))
        rows = xp.transpose(x, (*kept, *axis)).reshape(*[x.shape[a] for a in kept], count)
        found = (getattr(np, name)(rows, axis=-1) if xp is np else _first(name[3:], rows)).astype("int64")
        return found.reshape([1 if a in axis else n for a, n in enumerate(x.shape)]) if keepdims else found

    return meaning


def _logsumexp(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    import jax

    return jax.scipy.special.logsumexp(x, axis=axis, keepdims=keepdims)


def _wide(dtype: str) -> str:
    """The dtype of a sum: integers widen to 64 bits."""
    return {"b": "int64", "i": "int64", "u": "uint64"}.get(np.dtype(dtype).kind, dtype)


@dataclass(frozen=True)
class ReductionRow:
    """One reduction: its meaning, and the dtype of its result for that of its input."""

    meaning: Callable[..., Any]
    dtype: Callable[[str], str]
    doc: str
    connected: bool = True


REDUCTIONS: dict[str, ReductionRow] = {
    "sum": ReductionRow(_sum, _wide, "the sum of the elements"),
    "prod": ReductionRow(_named("prod"), _wide, "the product of the elements"),
    "max": ReductionRow(_extreme("max"), lambda d: d, "the largest element, NaN if one is"),
    "min": ReductionRow(_extreme("min"), lambda d: d, "the smallest element, NaN if one is"),
    "argmax": ReductionRow(
        _position("argmax"), lambda d: "int64", "the position of the largest element, the first of equals", False
    ),
    "argmin": ReductionRow(
        _position("argmin"), lambda d: "int64", "the position of the smallest element, the first of equals", False
    ),
    "all": ReductionRow(_named("all"), lambda d: "bool", "whether every element holds"),
    "any": ReductionRow(_named("any"), lambda d: "bool", "whether some element holds"),
    "logsumexp": ReductionRow(_logsumexp, lambda d: d, "log of the sum of exp of the elements, without overflow"),
}


@dataclass(frozen=True)
class Reduction(TensorOp):
    """A reduction over some axes."""

    name: str
    axis: tuple[int, ...]
    keepdims: bool = False
    host = True

    def output_types(self, *inputs: Variable) -> Sequence[Type]:
        (x,) = inputs
        shape = x.type.shape  # type: ignore[attr-defined]
        kept = [1 if a in self.axis else n for a, n in enumerate(shape) if self.keepdims or a not in self.axis]
        return [TensorType(REDUCTIONS[self.name].dtype(x.type.dtype), shape=tuple(kept))]  # type: ignore[attr-defined]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        (x,) = values
        xp = module_for(values) if self.name != "logsumexp" else jnp
        if xp is np:
            with np.errstate(all="ignore"):
                return np.asarray(self._meaning(np, x)).astype(node.outputs[0].type.dtype)  # type: ignore[attr-defined]
        return self._meaning(jnp, x)

    def _meaning(self, xp: Any, x: Any) -> Any:
        wide = REDUCTIONS[self.name].dtype(str(x.dtype))
        if self.name in ("sum", "prod") and wide != str(x.dtype):
            x = x.astype(wide)
        return REDUCTIONS[self.name].meaning(xp, x, self.axis, self.keepdims)

    def connected(self, node: Apply) -> Sequence[bool]:
        return [REDUCTIONS[self.name].connected]

    def __str__(self) -> str:
        return f"{self.name}{{axis={self.axis}}}" if self.axis else self.name


def normal_axis(x: TensorVariable, axis: Any, what: str) -> tuple[int, ...]:
    """``axis`` (None, an int or several, negative ones too) as sorted non-negative numbers."""
    if axis is None:
        return tuple(builtins.range(x.ndim))
    if isinstance(axis, Variable):
        raise TypeError(f"{what}: the axis must be known while the graph is built, not the symbolic {axis}")
    if isinstance(axis, np.ndarray):
        axis = axis.tolist()
    axes = tuple(axis) if isinstance(axis, list | tuple) else (axis,)
    found = []
    for a in axes:
        if not -builtins.max(x.ndim, 1) <= int(a) < builtins.max(x.ndim, 1):
            raise ValueError(f"{what}: axis {a} is out of range for {x}, which has {x.ndim} dimensions")
        found.append(int(a) % builtins.max(x.ndim, 1))
    if len(set(found)) != len(found):
        raise ValueError(f"{what}: axis {axis} names a dimension twice")
    return tuple(sorted(found)) if x.ndim else ()


def reduce(name: str, x: Any, axis: Any = None, keepdims: bool = False) -> TensorVariable:
    """The reduction called ``name`` of ``x`` over ``axis`` (all axes if None)."""
    x = as_tensor_variable(x)
    if name in ("all", "any"):
        x = x if x.dtype == "bool" else neq(x, 0)
    return Reduction(name, normal_axis(x, axis, name), bool(keepdims))(x)


def _accumulated(
    name: str, x: Any, axis: Any, dtype: str | None, keepdims: bool, acc_dtype: str | None
) -> TensorVariable:
    x = as_tensor_variable(x)
    out = x.dtype if dtype is None and x.dtype[0] not in "biu" else dtype
    if acc_dtype is not None or dtype is not None:
        x = cast(x, acc_dtype or dtype)  # type: ignore[arg-type]
    result = reduce(name, x, axis, keepdims)
    return result if out is None else cast(result, out)


def sum(
    input: Any, axis: Any = None, dtype: str | None = None, keepdims: bool = False, acc_dtype: str | None = None
) -> TensorVariable:
    """The sum over ``axis`` (all if None). Integers and booleans are summed in 64 bits.

    ``dtype``: of the result; ``acc_dtype``: in which it is accumulated; ``keepdims`` leaves summed axes with length 1.

    >>> import croton.tensor as T
    >>> T.sum(T.constant([[1., 2.], [3., 4.]]), axis=0).eval()
    array([4., 6.])
    """
    return _accumulated("sum", input, axis, dtype, keepdims, acc_dtype)


def prod(
    input: Any,
    axis: Any = None,
    dtype: str | None = None,
    keepdims: bool = False,
    acc_dtype: str | None = None,
    no_zeros_in_input: bool = False,
) -> TensorVariable:
    """The product over ``axis``; its gradient is right where elements are zero
    (``no_zeros_in_input`` is only a promise).

    >>> import croton.tensor as T
    >>> T.prod(T.constant([2., 3.])).eval()
    array(6.)
    """
    return _accumulated("prod", input, axis, dtype, keepdims, acc_dtype)


def mean(
    input: Any,
    axis: Any = None,
    dtype: str | None = None,
    op: bool = False,
    keepdims: bool = False,
    acc_dtype: str | None = None,
) -> TensorVariable:
    """The arithmetic mean over ``axis``; of integers and booleans in float64, of nothing NaN.

    >>> import croton.tensor as T
    >>> T.mean(T.constant([1., 2., 6.])).eval()
    array(3.)
    """
    if op:
        raise NotImplementedError("mean(op=True) is not supported: leave op out")
    x = as_tensor_variable(input)
    out = dtype or (x.dtype if x.dtype[0] in "fc" else "float64")
    if dtype is not None and np.dtype(dtype).kind in "biu":
        raise TypeError(f"mean: dtype {dtype} cannot hold a mean: choose a float, or cast the result")
    # The count, or the sum, of many elements exceeds what 16 bits hold.
    total = sum(x, axis, acc_dtype or ("float32" if out == "float16" else out), keepdims)
    shape = x.shape
    axes = normal_axis(x, axis, "mean")
    count: Any = 1
    for a in axes:
        count = shape[a] * count
    return cast(true_div(total, cast(count, total.dtype)), out)


def var(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False) -> TensorVariable:
    """The variance over ``axis``: the sum of squared distances from the mean over (n - ddof).

    ``corrected`` subtracts the square of the mean residue, which rounding leaves (Chan, Golub and LeVeque 1983).

    >>> import croton.tensor as T
    >>> T.var(T.constant([1., 3.])).eval()
    array(1.)
    """
    x = as_tensor_variable(input)
    x = x if x.dtype[0] in "fc" else cast(x, "float64")
    axes = normal_axis(x, axis, "var")
    count: Any = 1
    for a in axes:
        count = x.shape[a] * count
    residue = subtract(x, mean(x, axes, keepdims=True))
    total = sum(sqr(residue), axes, keepdims=keepdims)
    if corrected:
        total = total - sqr(sum(residue, axes, keepdims=keepdims)) / cast(count, x.dtype)
    return true_div(total, cast(count - ddof, x.dtype))


def std(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False) -> TensorVariable:
    """The standard deviation: the root of ``var``.

    >>> import croton.tensor as T
    >>> T.std(T.constant([1., 3.])).eval()
    array(1.)
    """
    return sqrt(var(input, axis, ddof, keepdims, corrected))


def max(x: Any, axis: Any = None, keepdims: bool = False) -> TensorVariable:
    """The largest element over ``axis``; NaN if one is NaN; ValueError at run time where there is none.

    >>> import croton.tensor as T
    >>> T.max(T.constant([1., 3.])).eval()
    array(3.)
    """
    return reduce("max", x, axis, keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> TensorVariable:
    """The smallest element over ``axis``, as ``max``.

    >>> import croton.tensor as T
    >>> T.min(T.constant([1., 3.])).eval()
    array(1.)
    """
    return reduce("min", x, axis, keepdims)


def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> TensorVariable:
    """The position (int64) of the largest element along ``axis``, of all elements in C order if None;
    the first of equals.

    >>> import croton.tensor as T
    >>> T.argmax(T.constant([1., 3.])).eval()
    array(1)
    """
    return reduce("argmax", x, axis, keepdims)


def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> TensorVariable:
    """The position (int64) of the smallest element, as ``argmax``.

    >>> import croton.tensor as T
    >>> T.argmin(T.constant([1., 3.])).eval()
    array(0)
    """
    return reduce("argmin", x, axis, keepdims)


def max_and_argmax(a: Any, axis: Any = None, keepdims: bool = False) -> list[TensorVariable]:
    """``[max(a), argmax(a)]``.

    >>> import croton.tensor as T
    >>> [v.eval().item() for v in T.max_and_argmax(T.constant([1., 3.]))]
    [3.0, 1]
    """
    return [max(a, axis, keepdims), argmax(a, axis, keepdims)]


def all(x: Any, axis: Any = None, keepdims: bool = False) -> TensorVariable:
    """Whether every element is true (not zero).

    >>> import croton.tensor as T
    >>> T.all(T.constant([1, 0])).eval()
    array(False)
    """
    return reduce("all", x, axis, keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> TensorVariable:
    """Whether some element is true (not zero).

    >>> import croton.tensor as T
    >>> T.any(T.constant([1, 0])).eval()
    array(True)
    """
    return reduce("any", x, axis, keepdims)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> TensorVariable:
    """log(sum(exp(x))) over ``axis``, computed without overflow.

    >>> import croton.tensor as T
    >>> T.logsumexp(T.constant([1000., 1000.])).eval().round(6)
    np.float64(1000.693147)
    """
    x = as_tensor_variable(x)
    return reduce("logsumexp", cast(x, _float_of(x.dtype)), axis, keepdims)


def ptp(a: Any, axis: Any = None) -> TensorVariable:
    """The range: largest less smallest element.

    >>> import croton.tensor as T
    >>> T.ptp(T.constant([1., 4.])).eval()
    array(3.)
    """
    return subtract(max(a, axis), min(a, axis))


def norm(x: Any, ord: float | str, axis: Any = None, keepdims: bool = False) -> TensorVariable:
    """The vector norm (sum |x|^ord)^(1/ord) over ``axis``, of integers in float64; its derivative at 0 is 0.

    ``ord`` 0 counts the elements that are not zero; inf and -inf give the largest and the smallest of |x|.

    >>> import croton.tensor as T
    >>> T.constant([3., 4.]).norm(2).eval()
    array(5.)
    """
    from croton.tensor.elemwise import pow, switch

    x = as_tensor_variable(x)
    if ord == 0:
        return sum(neq(x, 0), axis, keepdims=keepdims)
    x = x if x.dtype[0] in "fc" else cast(x, "float64")
    if ord in (float("inf"), "inf"):
        return max(abs_(x), axis, keepdims)
    if ord in (-float("inf"), "-inf"):
        return min(abs_(x), axis, keepdims)
    if ord == 1:
        return sum(abs_(x), axis, keepdims=keepdims)
    total = sum(sqr(abs_(x)) if ord == 2 else pow(abs_(x), ord), axis, keepdims=keepdims)
    empty = eq(total, 0)
    total = switch(empty, 1, total)
    return switch(empty, 0, sqrt(total) if ord == 2 else pow(total, 1.0 / float(ord)))
