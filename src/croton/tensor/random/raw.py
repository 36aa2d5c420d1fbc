"""Random draws from a state that the caller keeps: each function returns (next state, values).

The functions of theano.tensor.raw_random. What they draw follows from the state alone: the same state gives the same
values. ``RandomStreams`` keeps the states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from croton.graph.core import Constant, Variable
from croton.settings import config
from croton.tensor.basic import as_tensor_variable, cast
from croton.tensor.random.draws import KINDS, STATE, Advance, Draw, check_constants
from croton.tensor.random.size import Size, free_size
from croton.tensor.shape import kind
from croton.tensor.types import DTYPES, upcast
from croton.tensor.variable import TensorVariable

Drawn = tuple[TensorVariable, TensorVariable]


def draw(what: str, state: Any, size: Size, dtype: str, parameters: Sequence[TensorVariable], last: Any = ()) -> Drawn:
    """(next state, values) of the distribution ``what``; ``last``: static lengths of dimensions that come after size.

    Raises TypeError for what is no state, ValueError for parameters that cannot be.
    """
    state = as_tensor_variable(state)
    if not STATE.accepts(state.type):
        raise TypeError(f"{what}: the state must be of type {STATE}, not {state} of type {state.type}")
    check_constants(what, parameters)
    vector, lengths = size
    _check_static(what, lengths, parameters)
    return Advance()(state), Draw(what, dtype, (*lengths, *last))(state, vector, *parameters)


def draw_of(state: Any, what: str, size: Size, dtype: str, parameters: Sequence[TensorVariable]) -> Drawn:
    """``draw``, with the state first, as ``Streams.gen`` wants it."""
    return draw(what, state, size, dtype, parameters)


def _check_static(what: str, lengths: Any, parameters: Sequence[TensorVariable]) -> None:
    tails = KINDS[what].tail
    for k, p in enumerate(parameters if tails is not None else ()):
        own = p.type.shape[: p.ndim - tails[k]]  # type: ignore[index]
        if any(n not in (1, m) and None not in (n, m) for n, m in zip(own[::-1], lengths[::-1], strict=False)):
            raise ValueError(
                f"{what}: {KINDS[what].parameters[k]} of shape {p.type.shape} does not spread over the size {lengths}"
            )


def float_parameters(what: str, dtype: str | None, *values: Any) -> tuple[str, list[TensorVariable]]:
    """The result's dtype (``dtype``, or what floatX and the parameters need), and the parameters in it."""
    parameters = [as_tensor_variable(v) for v in values]
    if dtype is None:
        dtype = upcast(config.floatX, *[p.dtype for p in parameters])
    dtype = known_dtype(what, dtype)
    if not dtype.startswith("float"):
        raise TypeError(f"{what}: dtype must be a float's, not {dtype}: draw floats and cast them, or random_integers")
    return dtype, [cast(p, dtype) for p in parameters]


def known_dtype(what: str, dtype: Any) -> str:
    """The name of a dtype, 'floatX' being the configured float; TypeError for what is none or complex."""
    try:
        name = config.floatX if dtype == "floatX" else str(np.dtype(dtype))
    except TypeError:
        name = str(dtype)
    if name not in DTYPES or name.startswith("complex"):
        raise TypeError(f"{what}: {dtype!r} is no dtype that random numbers can have")
    return name


def whole(what: str, name: str, value: Any) -> TensorVariable:
    """An integer parameter as an int64 variable."""
    given = as_tensor_variable(value)
    if given.dtype[0] not in "biu":
        raise TypeError(f"{what}: {name} must be of an integer dtype, not {value!r} of {given.dtype}")
    return cast(given, "int64")


def real(value: Any, dtype: str = "float32") -> TensorVariable:
    """A probability or rate in the precision that it is drawn with."""
    return cast(as_tensor_variable(value), dtype)


def uniform(
    random_state: Any, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None, dtype: Any = None
) -> Drawn:
    """Numbers spread evenly over the open interval (low, high). As theano.tensor.raw_random.uniform."""
    dtype, parameters = float_parameters("uniform", dtype, low, high)
    return draw("uniform", random_state, free_size("uniform", size, ndim, parameters), dtype, parameters)


def normal(
    random_state: Any, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None
) -> Drawn:
    """Normal numbers of mean ``avg`` and standard deviation ``std``. As theano.tensor.raw_random.normal."""
    dtype, parameters = float_parameters("normal", dtype, avg, std)
    return draw("normal", random_state, free_size("normal", size, ndim, parameters), dtype, parameters)


def truncated_normal(
    random_state: Any, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None
) -> Drawn:
    """Numbers of mean ``avg`` and standard deviation ``std``, normal and cut off at two of the uncut deviations."""
    dtype, parameters = float_parameters("truncated_normal", dtype, avg, as_tensor_variable(std) / CUT_DEVIATION)
    found = free_size("truncated_normal", size, ndim, parameters)
    return draw("truncated_normal", random_state, found, dtype, parameters)


# The standard deviation of a standard normal distribution cut off at -2 and 2.
CUT_DEVIATION = 0.87962566103423978


def binomial(
    random_state: Any,
    size: Any = None,
    n: Any = 1,
    p: Any = 0.5,
    ndim: int | None = None,
    dtype: Any = "int64",
    prob: Any = None,
) -> Drawn:
    """How many of ``n`` trials succeed, each with probability ``p``. As theano.tensor.raw_random.binomial.

    ``p`` is taken in float32 where n is 1 (see ``croton.tensor.random.bits.below``), in float64 otherwise.
    ``prob`` is an old name of ``p``.
    """
    dtype = known_dtype("binomial", dtype)
    trials = whole("binomial", "n", n)
    once = isinstance(trials, Constant) and trials.data.ndim == 0 and trials.data == 1
    chance = real(p if prob is None else prob, "float32" if once else "float64")
    if once:
        return draw("bernoulli", random_state, free_size("binomial", size, ndim, [chance]), dtype, [chance])
    return draw("binomial", random_state, free_size("binomial", size, ndim, [trials, chance]), dtype, [trials, chance])


def poisson(
    random_state: Any, size: Any = None, lam: Any = 1.0, ndim: int | None = None, dtype: Any = "int64"
) -> Drawn:
    """Poisson counts of mean ``lam``. As theano.tensor.raw_random.poisson."""
    if lam is None:
        raise TypeError("poisson: give lam, the mean")
    rate = real(lam, "float64")
    found = free_size("poisson", size, ndim, [rate])
    return draw("poisson", random_state, found, known_dtype("poisson", dtype), [rate])


def random_integers(
    random_state: Any, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None, dtype: Any = "int64"
) -> Drawn:
    """Integers from ``low`` to ``high``, both included. As theano.tensor.raw_random.random_integers."""
    ends = [whole("random_integers", "low", low), whole("random_integers", "high", high)]
    found = free_size("random_integers", size, ndim, ends)
    return draw("random_integers", random_state, found, known_dtype("random_integers", dtype), ends)


def permutation(
    random_state: Any, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64"
) -> Drawn:
    """Permutations of 0 .. n - 1, of shape size + (n,). As theano.tensor.raw_random.permutation."""
    count = whole("permutation", "n", n)
    if count.ndim:
        raise TypeError(f"permutation: n must be a scalar, not {n} of {count.ndim} dimensions")
    alone = size is None or (isinstance(size, tuple | list) and not size)
    if alone and ndim not in (None, 0, 1):
        raise TypeError(f"permutation: without a size there is one permutation, but ndim is {ndim}")
    found = free_size("permutation", () if alone else size, None if alone else ndim, [])
    last = int(count.data) if isinstance(count, Constant) else None
    return draw("permutation", random_state, found, known_dtype("permutation", dtype), [count], (last,))


def multinomial(
    random_state: Any,
    size: Any = None,
    n: Any = 1,
    pvals: Any = (0.5, 0.5),
    ndim: int | None = None,
    dtype: Any = "int64",
) -> Drawn:
    """How often each category comes in ``n`` trials, with the probabilities ``pvals`` along the last axis.

    The result has the shape size + (number of categories,). As theano.tensor.raw_random.multinomial.
    """
    trials, chances = whole("multinomial", "n", n), as_tensor_variable(pvals)
    if chances.ndim == 0:
        raise TypeError("multinomial: pvals must have at least one dimension, that of the categories")
    if not chances.dtype.startswith("float"):
        chances = cast(chances, "float64")
    own = chances[(slice(None),) * (chances.ndim - 1) + (0,)]
    found = free_size("multinomial", size, ndim, [trials, own])
    last = kind(chances).shape[-1:]
    return draw("multinomial", random_state, found, known_dtype("multinomial", dtype), [trials, chances], last)


def choice(
    random_state: Any,
    size: Any = None,
    a: Any = 2,
    replace: bool = True,
    p: Any = None,
    ndim: int | None = None,
    dtype: Any = "int64",
) -> Drawn:
    """Elements of the vector ``a``, or of 0 .. a - 1, with the probabilities ``p``, with or without replacement.

    As theano.tensor.raw_random.choice.
    """
    dtype = known_dtype("choice", dtype)
    values = as_tensor_variable(a)
    if values.ndim > 1:
        raise ValueError(f"choice: a must be a number or a vector, not {a} of {values.ndim} dimensions")
    if isinstance(replace, Variable) and not isinstance(replace, Constant):
        raise NotImplementedError("choice: replace must be True or False, not a symbolic value")
    if values.ndim == 0:
        values = whole("choice", "a", a)
    elif dtype[0] in "biu" and values.dtype[0] not in "biu":
        raise TypeError(f"choice: values of {values.dtype} do not fit into {dtype}: pass dtype='{values.dtype}'")
    parameters = [values] if p is None else [values, real(p, "float64")]
    if p is not None and parameters[1].ndim != 1:
        raise ValueError(f"choice: p must be a vector, not {p} of {parameters[1].ndim} dimensions")
    again = bool(replace.data) if isinstance(replace, Constant) else bool(replace)
    what = "choice" if again else "choice_without_replacement"
    return draw(what, random_state, free_size("choice", size, ndim, []), dtype, parameters)


def choice_by_rows(random_state: Any, count: Any, p: Any, dtype: Any = "int64") -> Drawn:
    """For each row of the matrix ``p``, ``count`` different columns, drawn one after another with its probabilities."""
    chances = real(p, "float64")
    if chances.ndim != 2:
        raise NotImplementedError(f"choice: p must be a matrix, not {p} of {chances.ndim} dimensions")
    wanted = whole("choice", "size", count)
    if wanted.ndim:
        raise TypeError(f"choice: size must be an integer, the number of columns taken from each row, not {count}")
    known = int(wanted.data) if isinstance(wanted, Constant) else None
    columns = chances.type.shape[1]
    if known is not None and (known < 1 or (columns is not None and known > columns)):
        raise ValueError(f"choice: size is {known}: it must be between 1 and the number of columns of p, {columns}")
    rows: Any = chances.shape[0] if chances.type.shape[0] is None else chances.type.shape[0]
    found = free_size("choice", (rows, wanted), None, [])
    return draw("choice_by_rows", random_state, found, known_dtype("choice", dtype), [chances])
