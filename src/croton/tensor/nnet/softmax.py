"""Softmax, its logarithm, and the two-level softmax for very many outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable, cast
from croton.tensor.construct import arange
from croton.tensor.elemwise import exp, int_div, mod
from croton.tensor.linalg import batched_dot, dot, tensordot
from croton.tensor.shape import kind, reshape
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable

# As jax.nn.softmax and log_softmax, by the primitives that they come to (croton.tensor.direct says why).


def _kept(reduced: Any, axis: int) -> Any:
    return lax.expand_dims(reduced, (axis % (reduced.ndim + 1),))


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _softmax(x: Any, axis: int) -> Any:
    if x.dtype not in (np.float32, np.float64):
        return jax.nn.softmax(x, axis)
    axis %= x.ndim
    powers = lax.exp(lax.sub(x, _kept(lax.reduce_max(x, (axis,)), axis)))
    return lax.div(powers, _kept(lax.reduce_sum(powers, (axis,)), axis))


@_softmax.defjvp
def _(axis: int, primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    y = _softmax(x, axis)
    along = lax.mul(y, t)
    return y, lax.mul(y, lax.sub(t, _kept(lax.reduce_sum(along, (axis % x.ndim,)), axis)))


def _log_softmax(x: Any, axis: int) -> Any:
    if x.dtype not in (np.float32, np.float64):
        return jax.nn.log_softmax(x, axis)
    axis %= x.ndim
    shifted = lax.sub(x, lax.stop_gradient(_kept(lax.reduce_max(x, (axis,)), axis)))
    return lax.sub(shifted, lax.log(_kept(lax.reduce_sum(lax.exp(shifted), (axis,)), axis)))


@dataclass(frozen=True)
class Softmax(TensorOp):
    """exp(x) over its sum along an axis."""

    axis: int = -1

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [kind(x)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return _softmax(jnp.asarray(values[0]), self.axis)

    def __str__(self) -> str:
        return "Softmax"


@dataclass(frozen=True)
class LogSoftmax(TensorOp):
    """The logarithm of the softmax along an axis: x - log(sum(exp(x)))."""

    axis: int = -1

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [kind(x)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return _log_softmax(jnp.asarray(values[0]), self.axis)

    def __str__(self) -> str:
        return "LogSoftmax"


def _rows(name: str, c: Any) -> TensorVariable:
    c = as_tensor_variable(c)
    if c.dtype[0] not in "fc" or c.ndim == 0:
        raise ValueError(f"{name}: x must be a tensor of floats of at least one dimension, got {c} of type {c.type}")
    return c.dimshuffle("x", 0) if c.ndim == 1 else c


def softmax(c: Any, axis: int | None = None) -> TensorVariable:
    """exp(x_ij) / sum_k exp(x_ik), over the last axis, computed without overflow; a vector becomes a (1, n) matrix.

    ``c``: a tensor of floats (ValueError otherwise). With ``axis`` it is the softmax over that axis and keeps the
    shape of ``c``. As theano.tensor.nnet.softmax.

    >>> import croton.tensor as T
    >>> T.nnet.softmax(T.constant([[0., 0.]])).eval()
    array([[0.5, 0.5]])
    """
    if axis is not None:
        return special_softmax(c, axis)
    return Softmax()(_rows("softmax", c))


def logsoftmax(c: Any, axis: int | None = None) -> TensorVariable:
    """log(softmax(c)): x - max - log(sum(exp(x - max))) over the last axis; a vector becomes a (1, n) matrix.

    >>> import croton.tensor as T
    >>> T.nnet.logsoftmax(T.constant([[0., 1e4]])).eval()
    array([[-10000.,      0.]])
    """
    if axis is not None:
        return special_softmax(c, axis, log=True)
    return LogSoftmax()(_rows("logsoftmax", c))


def special_softmax(x: Any, axis: int | None = -1, log: bool = False) -> TensorVariable:
    """Softmax (or its logarithm) over any axis, or over all elements if None, keeping the shape.

    >>> import croton.tensor as T
    >>> T.special.softmax(T.constant([0., 0.]), axis=0).eval()
    array([0.5, 0.5])
    """
    x = as_tensor_variable(x)
    if x.dtype[0] not in "fc":
        raise ValueError(f"softmax: x must be a tensor of floats, got {x} of type {x.type}")
    op = LogSoftmax if log else Softmax
    if axis is None:
        return reshape(op(0)(x.flatten()), x.shape, x.ndim)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"softmax: axis {axis} is out of range for {x}, which has {x.ndim} dimensions")
    return op(axis if axis < 0 else axis - x.ndim)(x)


def softmax_graph(c: Any) -> TensorVariable:
    """The softmax over the last axis in elementary ops: exp(c) / sum(exp(c)).

    >>> import croton.tensor as T
    >>> T.nnet.softmax_graph(T.constant([[0., 0.]])).eval()
    array([[0.5, 0.5]])
    """
    powers = exp(c)
    return powers / powers.sum(axis=-1, keepdims=True)


def softmax_with_bias(x: Any, b: Any) -> TensorVariable:
    """softmax(x + b) of a matrix ``x`` and a vector ``b``.

    >>> import croton.tensor as T
    >>> T.nnet.softmax_with_bias(T.constant([[0., 0.]]), T.constant([0., 0.])).eval()
    array([[0.5, 0.5]])
    """
    x, b = as_tensor_variable(x), as_tensor_variable(b)
    if x.ndim != 2 or b.ndim != 1:
        raise ValueError(
            f"softmax_with_bias takes a matrix x and a vector b, got {x} of type {x.type} and {b} of type {b.type}"
        )
    return softmax(x + b)


def checked_labels(context: Any, node: Apply, labels: Any, n: int) -> Any:
    """Integer labels as int32, after the check that they lie between 0 and n - 1, in whatever dtype they come."""
    wide = jnp.asarray(labels).astype("int64")
    context.check(
        jnp.all((wide >= 0) & (wide < n)),
        node,
        lambda: ValueError(f"y_i value out of bounds: labels must lie between 0 and {n - 1}, as there are {n} outputs"),
    )
    return wide.astype("int32")


@dataclass(frozen=True)
class Labels(TensorOp):
    """Labels below n, from labels and n; others raise ValueError when the program has run."""

    def output_types(self, labels: Variable, n: Variable) -> Sequence[Type]:
        return [TensorType("int32", shape=kind(labels).shape)]

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[1:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False, False]

    def checked(self, node: Apply) -> Sequence[Variable]:
        """The labels."""
        return node.inputs[:1]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        labels, n = values
        return checked_labels(context, node, labels, int(n))


def h_softmax(
    x: Any,
    batch_size: Any,
    n_outputs: Any,
    n_classes: Any,
    n_outputs_per_class: Any,
    W1: Any,
    b1: Any,
    W2: Any,
    b2: Any,
    target: Any = None,
) -> TensorVariable:
    """The two-level softmax: the probability of an output is that of its class times that of the output within it.

    Outputs are numbered class by class: output t is item t % n_outputs_per_class of class t // n_outputs_per_class.
    With ``target`` only the targets' probabilities are computed, at a cost of O(n_classes + n_outputs_per_class) for
    each row; without it all are.

    Arguments: ``x`` (batch_size, features); ``batch_size``, ``n_outputs``, ``n_classes``, ``n_outputs_per_class``,
    integers, the product of the last two at least n_outputs; ``W1`` (features, n_classes), ``b1`` (n_classes,),
    ``W2`` (n_classes, features, n_outputs_per_class), ``b2`` (n_classes, n_outputs_per_class); ``target``, integers
    (batch_size,) or (batch_size, 1), or None.

    Returns (batch_size, 1) with a target, (batch_size, n_outputs) without. Raises ValueError for sizes that do not
    fit, TypeError for
    a target that is no integer, and ValueError at run time for a target out of range. As theano.tensor.nnet.h_softmax
    (Goodman, Classes for Fast Maximum Entropy Training, 2001).

    >>> import numpy as np, croton.tensor as T
    >>> x, W1, b1 = np.zeros((1, 3)), np.zeros((3, 2)), np.zeros(2)
    >>> W2, b2 = np.zeros((2, 3, 2)), np.zeros((2, 2))
    >>> T.nnet.h_softmax(x, 1, 4, 2, 2, W1, b1, W2, b2, [3]).eval()
    array([[0.25]])
    """
    x, W1, b1, W2, b2 = map(as_tensor_variable, (x, W1, b1, W2, b2))
    if (
        all(isinstance(n, int) for n in (n_outputs, n_classes, n_outputs_per_class))
        and n_classes * n_outputs_per_class < n_outputs
    ):
        raise ValueError(
            f"h_softmax: {n_classes} classes of {n_outputs_per_class} outputs are fewer than n_outputs = {n_outputs}"
        )
    classes = softmax(dot(x, W1) + b1)
    if target is None:
        within = special_softmax(tensordot(x, W2, ((1,), (1,))) + b2, -1)
        every = classes.dimshuffle(0, 1, "x") * within
        return reshape(every, (batch_size, n_classes * n_outputs_per_class))[:, :n_outputs]
    target = as_tensor_variable(target).flatten()
    if target.dtype[0] not in "iu":
        raise TypeError(f"h_softmax: target must be integers, got {target} of dtype {target.dtype}")
    target = Labels()(target, n_outputs)
    own, item = int_div(target, n_outputs_per_class), mod(target, n_outputs_per_class)
    rows = arange(batch_size)
    scores = batched_dot(cast(x, W2.dtype).dimshuffle(0, "x", 1), W2[own]).reshape((batch_size, n_outputs_per_class))
    within = softmax(scores + b2[own])
    return (classes[rows, own] * within[rows, item]).dimshuffle(0, "x")
