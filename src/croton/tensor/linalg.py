"""Products of matrices and tensors, diagonals and traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable, cast
from croton.tensor.elemwise import mul
from croton.tensor.reduce import normal_axis
from croton.tensor.shape import dimshuffle, kind
from croton.tensor.stacks import product_of_stack
from croton.tensor.types import Shape as StaticShape
from croton.tensor.types import TensorType, broadcast_shapes, upcast
from croton.tensor.variable import TensorVariable


def _check(name: str, x: StaticShape, y: StaticShape, a: int, b: int) -> None:
    """ValueError where the lengths x[a] and y[b] surely differ."""
    if None not in (x[a], y[b]) and x[a] != y[b]:
        raise ValueError(
            f"{name}: shape mismatch: x of shape {tuple(x)} has {x[a]} along its dimension {a % len(x)}, "
            f"y of shape {tuple(y)} has {y[b]} along its dimension {b % len(y)}: these must be equal"
        )


@dataclass(frozen=True)
class Dot(TensorOp):
    """The product over the last dimension of x and the last but one of y."""

    def output_types(self, x: Variable, y: Variable) -> Sequence[Type]:
        a, b = kind(x).shape, kind(y).shape
        _check("dot", a, b, -1, -2 if len(b) > 1 else 0)
        return [TensorType(kind(x).dtype, shape=a[:-1] + b[:-2] + (b[-1:] if len(b) > 1 else ()))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, y = values
        _check("dot", x.shape, y.shape, -1, -2 if y.ndim > 1 else 0)
        if x.ndim > 2 and y.ndim == 2 and x.dtype.kind == "f" and context.forms == ("reverse",):
            return product_of_stack(jnp.asarray(x), jnp.asarray(y))
        return jnp.dot(x, y)


def dot(a: Any, b: Any) -> TensorVariable:
    """The product over the last dimension of ``a`` and the last but one of ``b`` (its only one for a vector);
    with a scalar, a b.

    Raises ValueError where those lengths differ, as early as they are known. As numpy.dot.

    >>> import croton.tensor as T
    >>> T.dot(T.constant([1., 2.]), T.constant([3., 4.])).eval()
    array(11.)
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.ndim == 0 or b.ndim == 0:
        return mul(a, b)
    dtype = upcast(a.dtype, b.dtype)
    return Dot()(cast(a, dtype), cast(b, dtype))


def matmul(a: Any, b: Any) -> TensorVariable:
    """The matrix product, batched over leading dimensions, as numpy.matmul.

    >>> import croton.tensor as T
    >>> (T.eye(2) @ T.constant([1, 2])).eval()
    array([1., 2.])
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul takes no scalars: got {a} of type {a.type} and {b} of type {b.type}")
    if a.ndim <= 2 and b.ndim <= 2:
        return dot(a, b)
    dtype = upcast(a.dtype, b.dtype)
    return MatMul()(cast(a, dtype), cast(b, dtype))


@dataclass(frozen=True)
class MatMul(TensorOp):
    """numpy.matmul of arrays of which one has more than two dimensions."""

    def output_types(self, x: Variable, y: Variable) -> Sequence[Type]:
        a, b = kind(x).shape, kind(y).shape
        _check("matmul", a, b, -1, -2 if len(b) > 1 else 0)
        return [
            TensorType(
                kind(x).dtype, shape=broadcast_shapes("matmul", [a[:-2], b[:-2]]) + a[-2:-1] + b[-1:][len(b) < 2 :]
            )
        ]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, y = values
        _check("matmul", x.shape, y.shape, -1, -2 if y.ndim > 1 else 0)
        return jnp.matmul(x, y)


@dataclass(frozen=True)
class TensorDot(TensorOp):
    """The product summed over pairs of dimensions, after batch dimensions that both have in front."""

    axes: tuple[tuple[int, ...], tuple[int, ...]]
    batch: int = 0

    def output_types(self, x: Variable, y: Variable) -> Sequence[Type]:
        a, b = kind(x).shape, kind(y).shape
        self._check(a, b)
        rest = [n for k, n in enumerate(b) if k >= self.batch and k not in self.axes[1]]
        return [TensorType(kind(x).dtype, shape=(*[n for k, n in enumerate(a) if k not in self.axes[0]], *rest))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, y = values
        self._check(x.shape, y.shape)
        batch = tuple(range(self.batch))
        return lax.dot_general(x, y, (self.axes, (batch, batch)))

    def _check(self, a: StaticShape, b: StaticShape) -> None:
        for i, j in zip(*self.axes, strict=True):
            _check("tensordot", a, b, i, j)
        for axis in range(self.batch):
            _check("tensordot (batch)", a, b, axis, axis)


def tensordot(a: Any, b: Any, axes: Any = 2) -> TensorVariable:
    """The sum of products over pairs of dimensions: the last ``axes`` of ``a`` with the first of ``b``, or
    (those of a, those of b).

    >>> import croton.tensor as T
    >>> T.tensordot(T.eye(2), T.eye(2)).eval()
    array(2., dtype=float32)
    """
    return _tensordot(a, b, axes, 0)


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> TensorVariable:
    """``tensordot`` for each pair of elements along the first dimension of both.

    >>> import croton.tensor as T
    >>> T.batched_tensordot(T.ones((3, 2)), T.ones((3, 2)), 1).eval()
    array([2., 2., 2.], dtype=float32)
    """
    return _tensordot(x, y, axes, 1)


def _tensordot(x: Any, y: Any, axes: Any, batch: int) -> TensorVariable:
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    if isinstance(axes, int | np.integer):
        n = int(axes)
        if not 0 <= n <= min(x.ndim, y.ndim) - batch:
            raise ValueError(f"tensordot: cannot sum over {n} dimensions of {x}: {x.type} and {y}: {y.type}")
        axes = (range(x.ndim - n, x.ndim), range(batch, batch + n))
    left, right = ([part] if isinstance(part, int | np.integer) else list(part) for part in axes)
    if len(left) != len(right):
        raise ValueError(f"tensordot: {len(left)} dimensions of {x} against {len(right)} of {y}")
    for variable, chosen in ((x, left), (y, right)):
        for axis in chosen:
            if not -variable.ndim <= axis < variable.ndim:
                raise ValueError(
                    f"tensordot: axis {axis} is out of range for {variable}, which has {variable.ndim} dimensions"
                )
    dtype = upcast(x.dtype, y.dtype)
    pairs = (tuple(int(a) % x.ndim for a in left), tuple(int(b) % y.ndim for b in right))
    return TensorDot(pairs, batch)(cast(x, dtype), cast(y, dtype))


def batched_dot(a: Any, b: Any) -> TensorVariable:
    """For each i, ``dot(a[i], b[i])``: of tensors of one to three dimensions whose first has one length.

    >>> import croton.tensor as T
    >>> T.batched_dot(T.ones((3, 2)), T.ones((3, 2))).eval()
    array([2., 2., 2.], dtype=float32)
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.ndim == 0 or b.ndim == 0:
        raise TypeError(
            f"batched_dot takes tensors of at least one dimension, got {a} of type {a.type} and {b} of type {b.type}"
        )
    if a.ndim == 1 or b.ndim == 1:
        return (a.dimshuffle(0, *["x"] * (b.ndim - 1)) if a.ndim == 1 else a) * (
            b.dimshuffle(0, *["x"] * (a.ndim - 1)) if b.ndim == 1 else b
        )
    return batched_tensordot(a, b, [[a.ndim - 1], [max(b.ndim - 2, 1)]])


def outer(x: Any, y: Any) -> TensorVariable:
    """The matrix of all products of an element of ``x`` and one of ``y``, both flattened.

    >>> import croton.tensor as T
    >>> T.outer(T.constant([1., 2.]), T.constant([3.])).eval()
    array([[3.],
           [6.]])
    """
    x, y = as_tensor_variable(x).flatten(), as_tensor_variable(y).flatten()
    return dimshuffle(x, (0, "x")) * dimshuffle(y, ("x", 0))


@dataclass(frozen=True)
class Diagonal(TensorOp):
    """A diagonal of two dimensions, as the last dimension of the result."""

    offset: int
    axis1: int
    axis2: int

    def output_types(self, x: Variable) -> Sequence[Type]:
        rest = [n for k, n in enumerate(kind(x).shape) if k not in (self.axis1, self.axis2)]
        return [TensorType(kind(x).dtype, shape=(*rest, None))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return jnp.diagonal(values[0], self.offset, self.axis1, self.axis2)


@dataclass(frozen=True)
class AllocDiag(TensorOp):
    """A square matrix with a vector on one diagonal."""

    offset: int

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [TensorType(kind(x).dtype, shape=(None, None))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return jnp.diag(values[0], self.offset)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> TensorVariable:
    """The elements of ``a`` with index j = i + offset in the dimensions ``axis1`` and ``axis2``.

    >>> import croton.tensor as T
    >>> T.diagonal(T.eye(2)).eval()
    array([1., 1.], dtype=float32)
    """
    a = as_tensor_variable(a)
    if a.ndim < 2:
        raise ValueError(f"diagonal takes a tensor of at least two dimensions, not {a} of type {a.type}")
    normal_axis(a, (axis1, axis2), "diagonal")
    return Diagonal(offset, axis1 % a.ndim, axis2 % a.ndim)(a)


def diag(v: Any, k: int = 0) -> TensorVariable:
    """Of a vector, the matrix with it on the k-th diagonal; of a matrix, that diagonal.

    >>> import croton.tensor as T
    >>> T.diag(T.constant([1., 2.])).eval()
    array([[1., 0.],
           [0., 2.]])
    """
    v = as_tensor_variable(v)
    if v.ndim == 1:
        return AllocDiag(k)(v)
    if v.ndim == 2:
        return diagonal(v, k)
    raise ValueError(f"diag takes a vector or a matrix, not {v} of type {v.type}")


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> TensorVariable:
    """The sum of a diagonal.

    >>> import croton.tensor as T
    >>> T.trace(T.eye(3)).eval()
    array(3., dtype=float32)
    """
    return diagonal(a, offset, axis1, axis2).sum(-1)
