"""Making tensors: filled, ranged, diagonal, like others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Constant, Type, Variable
from croton.settings import config
from croton.tensor.basic import TensorOp, as_tensor_variable, cast, constant
from croton.tensor.elemwise import eq, ge
from croton.tensor.shape import kind, lengths_of, shape, static_value
from croton.tensor.types import TensorType, upcast
from croton.tensor.variable import TensorVariable

# Arrays of at most so many integers are made on the host, where they can decide shapes and be checked at once.
HOST_LIMIT = 1 << 16


@dataclass(frozen=True)
class Alloc(TensorOp):
    """A value spread over a shape."""

    lengths: tuple[int | None, ...]
    host = True
    repeats_input = True

    def output_types(self, value: Variable, lengths: Variable) -> Sequence[Type]:
        return [TensorType(kind(value).dtype, shape=self.lengths)]

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[1:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        value, lengths = values
        wanted = tuple(int(n) for n in lengths)
        if any(n < 0 for n in wanted):
            raise ValueError(f"alloc: the shape {wanted} has a negative length")
        for given, n in zip(value.shape[::-1], wanted[::-1], strict=False):
            if given not in (1, n):
                raise ValueError(
                    f"alloc: a value of shape {tuple(value.shape)} does not spread over the shape {wanted}"
                )
        small = isinstance(value, np.ndarray) and value.dtype.kind in "biu" and np.prod(wanted) <= HOST_LIMIT
        return np.broadcast_to(value, wanted).copy() if small else jnp.broadcast_to(value, wanted)


def alloc(value: Any, *shape: Any) -> TensorVariable:
    """``value`` spread over ``shape``: ints and symbolic scalars; its dimensions are the last ones of the result's.

    >>> import croton.tensor as T
    >>> T.alloc(1.5, 2, 1).eval()
    array([[1.5],
           [1.5]], dtype=float32)
    """
    if len(shape) == 1 and isinstance(shape[0], list | tuple):
        shape = tuple(shape[0])
    return broadcast_to(value, shape)


def broadcast_to(value: Any, lengths: Any) -> TensorVariable:
    """``value`` spread over ``lengths``, a sequence of ints and scalars or an integer vector of known length.

    >>> import croton.tensor as T
    >>> T.broadcast_to(T.constant([1., 2.]), (2, 2)).eval()
    array([[1., 2.],
           [1., 2.]])
    """
    value = as_tensor_variable(value)
    vector, static = lengths_of(lengths, "alloc")
    if static is None:
        raise ValueError(f"alloc of {value}: the number of dimensions of the shape {lengths} is unknown")
    if value.ndim > len(static):
        raise TypeError(f"alloc: {value} has {value.ndim} dimensions, more than the {len(static)} of the shape")
    return Alloc(static)(value, vector)


def zeros(shape: Any, dtype: str | None = None) -> TensorVariable:
    """Zeros of the shape ``shape`` (ints and symbolic scalars) and of ``dtype``, floatX if None.

    >>> import croton.tensor as T
    >>> T.zeros((2,)).eval()
    array([0., 0.], dtype=float32)
    """
    return _filled(0, shape, dtype)


def ones(shape: Any, dtype: str | None = None) -> TensorVariable:
    """Ones, as ``zeros``.

    >>> import croton.tensor as T
    >>> T.ones((2,), 'int32').eval()
    array([1, 1], dtype=int32)
    """
    return _filled(1, shape, dtype)


def _filled(number: int, shape: Any, dtype: str | None) -> TensorVariable:
    value = constant(number, dtype=dtype or config.floatX)
    if isinstance(shape, int | np.integer) or (isinstance(shape, Variable) and kind(shape).ndim == 0):
        shape = (shape,)
    return broadcast_to(value, shape)


def fill(model: Any, value: Any) -> TensorVariable:
    """``value`` spread over the shape of ``model``; of the dtype of ``value``.

    >>> import croton.tensor as T
    >>> T.fill(T.zeros((2,)), 7).eval()
    array([7, 7], dtype=int8)
    """
    model = as_tensor_variable(model)
    known = model.type.shape
    return broadcast_to(value, [n if n is not None else shape(model)[k] for k, n in enumerate(known)])


def zeros_like(model: Any, dtype: str | None = None, opt: bool = False) -> TensorVariable:
    """Zeros of the shape of ``model`` and of its dtype, or of ``dtype``. ``opt`` is accepted: it changes no value.

    >>> import croton.tensor as T
    >>> T.zeros_like(T.constant([1., 2.])).eval()
    array([0., 0.])
    """
    model = as_tensor_variable(model)
    return fill(model, constant(0, dtype=dtype or model.dtype))


def ones_like(model: Any, dtype: str | None = None, opt: bool = False) -> TensorVariable:
    """Ones, as ``zeros_like``.

    >>> import croton.tensor as T
    >>> T.ones_like(T.constant([1., 2.])).eval()
    array([1., 1.])
    """
    model = as_tensor_variable(model)
    return fill(model, constant(1, dtype=dtype or model.dtype))


second = fill


def tensor_copy(x: Any) -> TensorVariable:
    """``x`` under a variable of its own.

    >>> import croton.tensor as T
    >>> T.tensor_copy(T.constant(2.5)).eval()
    array(2.5, dtype=float32)
    """
    from croton.tensor.elemwise import identity

    return identity(x)


@dataclass(frozen=True)
class ARange(TensorOp):
    """Numbers from start up to, not including, stop, in steps."""

    dtype: str
    host = True

    def output_types(self, start: Variable, stop: Variable, step: Variable) -> Sequence[Type]:
        known = [static_value(v) for v in (start, stop, step)]
        length = None if any(k is None for k in known) or known[2] == 0 else len(np.arange(*[k.item() for k in known]))  # type: ignore[union-attr]
        return [TensorType(self.dtype, shape=(length,))]

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False, False, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        start, stop, step = (v.item() for v in values)
        if step == 0:
            raise ValueError("arange: the step must not be 0")
        numbers = np.arange(start, stop, step, dtype=self.dtype)
        return numbers if len(numbers) <= HOST_LIMIT else jnp.arange(start, stop, step, dtype=self.dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str | None = None) -> TensorVariable:
    """``start``, ``start + step``, ... below ``stop``; one argument counts from 0. Of int64,
    or floatX if an argument is a float.

    >>> import croton.tensor as T
    >>> T.arange(1, 7, 2).eval()
    array([1, 3, 5])
    """
    if stop is None:
        start, stop = 0, start
    parts = [as_tensor_variable(v) for v in (start, stop, step)]
    for part in parts:
        if part.ndim:
            raise TypeError(f"arange takes scalars, not {part} of type {part.type}")
    if dtype is None:
        common = upcast(*[p.dtype for p in parts])
        weak = all(
            p.dtype in ("float32", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
            for p in parts
        )
        dtype = "int64" if common[0] in "biu" else config.floatX if weak else common
    return ARange(config.floatX if dtype == "floatX" else dtype)(*parts)


def eye(n: Any, m: Any = None, k: Any = 0, dtype: str | None = None) -> TensorVariable:
    """An (n, m) matrix (m = n if None) with ones on the k-th diagonal and zeros elsewhere.

    >>> import croton.tensor as T
    >>> T.eye(2).eval()
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    rows, columns = arange(n), arange(n if m is None else m)
    return cast(eq(columns.dimshuffle("x", 0) - rows.dimshuffle(0, "x"), k), dtype or config.floatX)


def identity_like(x: Any) -> TensorVariable:
    """The identity matrix of the shape and dtype of the matrix ``x``.

    >>> import croton.tensor as T
    >>> T.identity_like(T.zeros((2, 2))).eval().sum()
    np.float32(2.0)
    """
    x = as_tensor_variable(x)
    return eye(x.shape[0], x.shape[1], 0, x.dtype)


def tri(N: Any, M: Any = None, k: Any = 0, dtype: str | None = None) -> TensorVariable:
    """An (N, M) matrix with ones at and below the k-th diagonal.

    >>> import croton.tensor as T
    >>> T.tri(2).eval()
    array([[1., 0.],
           [1., 1.]], dtype=float32)
    """
    rows, columns = arange(N), arange(N if M is None else M)
    return cast(ge(rows.dimshuffle(0, "x") + k, columns.dimshuffle("x", 0)), dtype or config.floatX)


def tril(m: Any, k: Any = 0) -> TensorVariable:
    """The matrix ``m`` with zeros above the k-th diagonal.

    >>> import croton.tensor as T
    >>> T.tril(T.ones((2, 2))).eval()
    array([[1., 0.],
           [1., 1.]], dtype=float32)
    """
    from croton.tensor.elemwise import switch

    m = as_tensor_variable(m)
    return switch(tri(m.shape[0], m.shape[1], k, "bool"), m, constant(0, dtype=m.dtype))


def triu(m: Any, k: Any = 0) -> TensorVariable:
    """The matrix ``m`` with zeros below the k-th diagonal.

    >>> import croton.tensor as T
    >>> T.triu(T.ones((2, 2))).eval()
    array([[1., 1.],
           [0., 1.]], dtype=float32)
    """
    from croton.tensor.elemwise import switch

    m = as_tensor_variable(m)
    return switch(tri(m.shape[0], m.shape[1], k - 1, "bool"), constant(0, dtype=m.dtype), m)


def to_one_hot(y: Any, nb_class: Any, dtype: str | None = None) -> TensorVariable:
    """A (len(y), nb_class) matrix with row i one at column y[i] and zero elsewhere;
    labels out of range raise IndexError at run time.

    >>> import croton.tensor as T
    >>> T.to_one_hot(T.constant([1, 0]), 2).eval()
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    from croton.tensor.index import set_subtensor

    y = as_tensor_variable(y)
    if y.ndim != 1 or y.dtype[0] not in "iu":
        raise TypeError(f"to_one_hot takes a vector of integer labels, not {y} of type {y.type}")
    blank = zeros((y.shape[0], nb_class), dtype)
    return set_subtensor(blank[arange(y.shape[0]), y], constant(1, dtype=dtype or config.floatX))


class NotScalarConstantError(Exception):
    """The value of an expression that is no scalar constant was asked for."""


class EmptyConstantError(NotScalarConstantError):
    """The value of a constant without elements was asked for."""


def get_scalar_constant_value(v: Any) -> Any:
    """The number that a constant scalar expression stands for; NotScalarConstantError for anything else.

    >>> import croton.tensor as T
    >>> T.get_scalar_constant_value(T.constant(3)).item()
    3
    """
    from croton.tensor.basic import constant_value

    v = as_tensor_variable(v)
    if isinstance(v, Constant) and np.asarray(v.data).size == 0:
        raise EmptyConstantError(f"{v} has no elements")
    value = static_value(v) if v.ndim == 0 else None
    if value is None:
        found = constant_value(v)
        value = None if found is None else np.asarray(found, v.dtype)
    if value is None:
        raise NotScalarConstantError(f"{v} is not a scalar constant")
    return np.asarray(value)
