"""Cross-entropies. Inside them 0 log(0) is 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from croton.graph.core import Apply, Type, Variable
from croton.tensor import direct
from croton.tensor.basic import TensorOp, as_tensor_variable, cast, constant
from croton.tensor.elemwise import xlogy0
from croton.tensor.nnet.softmax import checked_labels, logsoftmax, softmax
from croton.tensor.reduce import argmax, max, sum
from croton.tensor.shape import concatenate, kind
from croton.tensor.types import TensorType, upcast
from croton.tensor.variable import TensorVariable


def binary_crossentropy(output: Any, target: Any) -> TensorVariable:
    """-(t log(o) + (1 - t) log(1 - o)) elementwise, without clipping: o = 0 with t = 1 gives inf.

    ``output`` and ``target``: tensors of floats that broadcast. Of a sigmoid it is computed from the sigmoid's input,
    accurate however large. As theano.tensor.nnet.binary_crossentropy.

    >>> import croton.tensor as T
    >>> T.nnet.binary_crossentropy(T.constant([0.5]), T.constant([1.])).eval().round(4)
    array([0.6931])
    """
    o, t = as_tensor_variable(output), as_tensor_variable(target)
    return -(xlogy0(t, o) + xlogy0(1 - t, 1 - o))


def sigmoid_binary_crossentropy(output: Any, target: Any) -> TensorVariable:
    """binary_crossentropy(sigmoid(o), t) as softplus(-|o|) + o ((o > 0) - t), elementwise; derivative sigmoid(o) - t.

    >>> import croton.tensor as T
    >>> T.nnet.sigmoid_binary_crossentropy(T.constant([-1e4]), T.constant([1.])).eval()
    array([10000.])
    """
    o, t = as_tensor_variable(output), as_tensor_variable(target)
    return SigmoidCrossentropy()(o, t)


@dataclass(frozen=True)
class SigmoidCrossentropy(TensorOp):
    """softplus(o) - o t, written so that it neither overflows nor cancels."""

    def make_node(self, *inputs: Any) -> Apply:
        o, t = map(as_tensor_variable, inputs)
        dtype = upcast(
            *[
                v.dtype if v.dtype[0] == "f" else "float32" if np.dtype(v.dtype).itemsize <= 2 else "float64"
                for v in (o, t)
            ]
        )
        return super().make_node(cast(o, dtype), cast(t, dtype))

    def output_types(self, o: Variable, t: Variable) -> Sequence[Type]:
        from croton.tensor.types import broadcast_shapes

        return [
            TensorType(
                kind(o).dtype, shape=broadcast_shapes("sigmoid_binary_crossentropy", [kind(o).shape, kind(t).shape])
            )
        ]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        from croton.tensor.elemwise import check_broadcast

        check_broadcast("sigmoid_binary_crossentropy", values)
        o, t = map(jnp.asarray, values)
        return _sigmoid_crossentropy(o, t)


def _make_sigmoid_crossentropy() -> Any:
    import jax

    @jax.custom_jvp
    def crossentropy(o: Any, t: Any) -> Any:
        return jnp.log1p(jnp.exp(-abs(o))) + o * ((o > 0) - t)

    @crossentropy.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (o, t), (do, dt) = primals, tangents
        return crossentropy(o, t), do * (jax.nn.sigmoid(o) - t) - dt * o

    return crossentropy


_sigmoid_crossentropy = _make_sigmoid_crossentropy()


class LabelOp(TensorOp):
    """An op on a tensor and integer labels, its last input; labels out of range raise ValueError when the program has
    run.
    """

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False]

    def checked(self, node: Apply) -> Sequence[Variable]:
        """The labels."""
        return node.inputs[-1:]


def _chosen(context: Any, node: Apply, rows: Any, labels: Any) -> Any:
    """A matrix of booleans: whether each column is that of its row's label."""
    if rows.shape[0] != labels.shape[0]:
        raise ValueError(f"number of rows in x ({rows.shape[0]}) does not match length of y ({labels.shape[0]})")
    n = rows.shape[1]
    numbers = checked_labels(context, node, labels, n)
    return numbers[:, None] == jnp.arange(n, dtype=numbers.dtype)


@dataclass(frozen=True)
class PickColumn(LabelOp):
    """x[i, label[i]] for each row i."""

    def output_types(self, x: Variable, labels: Variable) -> Sequence[Type]:
        return [TensorType(kind(x).dtype, shape=kind(x).shape[:-1])]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, labels = jnp.asarray(values[0]), values[1]
        return lax.reduce_sum(direct.where(_chosen(context, node, x, labels), x, 0), (1,))


@dataclass(frozen=True)
class OneOfN(LabelOp):
    """A matrix like x, with 1 in the column of each row's label and 0 elsewhere."""

    def output_types(self, x: Variable, labels: Variable) -> Sequence[Type]:
        return [kind(x)]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return _chosen(context, node, *values).astype(values[0].dtype)


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> TensorVariable:
    """-sum_k p_k log(q_k) over the last axis, q = ``coding_dist``, p = ``true_dist``; or -log(q[i, y_i]) for labels y.

    ``coding_dist``: rows of probabilities; ``true_dist``: rows of them too, or a vector of labels of int32 or int64,
    one rank less. No clipping. Of a softmax it is computed from the softmax's input. Raises TypeError where the ranks
    do not fit, ValueError at run time for a label out of range. As theano.tensor.nnet.categorical_crossentropy.

    >>> import croton.tensor as T
    >>> T.nnet.categorical_crossentropy(T.constant([[0.25, 0.75]]), T.constant([1], dtype='int64')).eval().round(4)
    array([0.2877])
    """
    q, p = as_tensor_variable(coding_dist), as_tensor_variable(true_dist)
    if p.ndim == q.ndim:
        return -sum(xlogy0(p, q), axis=q.ndim - 1)
    if p.ndim == q.ndim - 1:
        return crossentropy_categorical_1hot(q, p)
    raise TypeError(
        f"rank mismatch between coding and true distributions: {q} has {q.ndim} dimensions, {p} has {p.ndim}; it must "
        f"have as many, or one less for labels"
    )


def crossentropy_categorical_1hot(coding_dist: Any, true_one_of_n: Any) -> TensorVariable:
    """-log(q[i, y_i]) for rows of probabilities q and labels y.

    >>> import croton.tensor as T
    >>> T.nnet.crossentropy_categorical_1hot(T.constant([[0.5, 0.5]]), T.constant([0], dtype='int64')).eval().round(4)
    array([0.6931])
    """
    from croton.tensor.elemwise import log

    q, y = as_tensor_variable(coding_dist), as_tensor_variable(true_one_of_n)
    if q.ndim != 2:
        raise TypeError(f"matrix required for argument: coding_dist, got {q} of type {q.type}")
    if y.ndim != 1 or y.dtype not in ("int32", "int64"):
        raise TypeError(
            f"integer vector required for argument: true_one_of_n (got type: {y.type} instead of: lvector or ivector): "
            f"cast labels with T.cast(y, 'int32')"
        )
    return -log(PickColumn()(q, y))


def crossentropy_softmax_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> list[TensorVariable]:
    """``[-log softmax(x + b)[i, y_i], softmax(x + b), argmax(x + b)]`` for a matrix x, a vector b and integer labels y.

    Raises ValueError for wrong ranks, and at run time for lengths that disagree and labels out of range.

    >>> import croton.tensor as T
    >>> nll, _, best = T.nnet.crossentropy_softmax_argmax_1hot_with_bias([[0., 0.]], [0., 1e4], [1])
    >>> nll.eval(), best.eval()
    (array([-0.]), array([1]))
    """
    x, b, y = map(as_tensor_variable, (x, b, y_idx))
    if x.ndim != 2 or x.dtype[0] != "f":
        raise ValueError(f"x must be 2-d tensor of floats, got {x} of type {x.type}")
    if b.ndim != 1 or b.dtype[0] != "f":
        raise ValueError(f"b must be 1-d tensor of floats, got {b} of type {b.type}")
    if y.ndim != 1 or y.dtype[0] not in "iu":
        raise ValueError(f"y_idx must be 1-d tensor of (u)ints, got {y} of type {y.type}")
    total = SameColumns()(x, b)
    return [-PickColumn()(logsoftmax(total), y), softmax(total), argmax(total, axis=1)]


@dataclass(frozen=True)
class SameColumns(TensorOp):
    """x + b of a matrix and a vector with as many columns; a vector of length one is not spread."""

    def make_node(self, *inputs: Any) -> Apply:
        x, b = map(as_tensor_variable, inputs)
        dtype = upcast(x.dtype, b.dtype)
        return super().make_node(cast(x, dtype), cast(b, dtype))

    def output_types(self, x: Variable, b: Variable) -> Sequence[Type]:
        return [kind(x)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, b = map(jnp.asarray, values)
        if x.shape[1] != b.shape[0]:
            raise ValueError(
                f"b must have same number of columns as x: b has {b.shape[0]}, x has shape {tuple(x.shape)}"
            )
        return x + b


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any, **keywords: Any) -> list[TensorVariable]:
    """The first two results of ``crossentropy_softmax_argmax_1hot_with_bias``.

    >>> import croton.tensor as T
    >>> T.nnet.crossentropy_softmax_1hot_with_bias([[0., 0.]], [0., 0.], [1])[0].eval().round(4)
    array([0.6931])
    """
    return crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx, **keywords)[:2]


def crossentropy_softmax_1hot(x: Any, y_idx: Any, **keywords: Any) -> list[TensorVariable]:
    """``[-log softmax(x)[i, y_i], softmax(x)]``.

    >>> import croton.tensor as T
    >>> T.nnet.crossentropy_softmax_1hot([[0., 0.]], [1])[0].eval().round(4)
    array([0.6931])
    """
    return crossentropy_softmax_1hot_with_bias(x, _no_bias(x), y_idx, **keywords)


def crossentropy_softmax_max_and_argmax_1hot_with_bias(
    x: Any, b: Any, y_idx: Any, **keywords: Any
) -> list[TensorVariable]:
    """``[-log softmax(x + b)[i, y_i], softmax(x + b), its largest element in each row, and that one's column]``.

    >>> import croton.tensor as T
    >>> T.nnet.crossentropy_softmax_max_and_argmax_1hot_with_bias([[0., 0.]], [0., 0.], [1])[2].eval()
    array([0.5])
    """
    nll, probabilities, best = crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx, **keywords)
    return [nll, probabilities, max(probabilities, axis=1), best]


def crossentropy_softmax_max_and_argmax_1hot(x: Any, y_idx: Any, **keywords: Any) -> list[TensorVariable]:
    """As ``crossentropy_softmax_max_and_argmax_1hot_with_bias`` with no bias.

    >>> import croton.tensor as T
    >>> T.nnet.crossentropy_softmax_max_and_argmax_1hot([[0., 0.]], [1])[2].eval()
    array([0.5])
    """
    return crossentropy_softmax_max_and_argmax_1hot_with_bias(x, _no_bias(x), y_idx, **keywords)


def _no_bias(x: Any) -> TensorVariable:
    x = as_tensor_variable(x)
    if x.ndim != 2:
        raise ValueError(f"x must be 2-d tensor of floats, got {x} of type {x.type}")
    from croton.tensor.construct import zeros

    return zeros((x.shape[1],), x.dtype)


def crossentropy_softmax_1hot_with_bias_dx(dy: Any, sm: Any, y_idx: Any, **keywords: Any) -> TensorVariable:
    """dy_i (sm_ij - [j = y_i]): the gradient of the cross-entropy with respect to the softmax's input.

    ``dy``: a vector, or a scalar; ``sm``: the softmax's rows; ``y_idx``: integer labels.

    >>> import croton.tensor as T
    >>> T.nnet.crossentropy_softmax_1hot_with_bias_dx(1., [[0.5, 0.5]], [1]).eval()
    array([[ 0.5, -0.5]])
    """
    dy, sm, y = map(as_tensor_variable, (dy, sm, y_idx))
    if sm.ndim != 2 or y.ndim != 1 or y.dtype[0] not in "iu" or dy.ndim > 1:
        raise TypeError(
            f"dy must be a vector or scalar, sm a matrix, y_idx an integer vector: got {dy.type}, {sm.type}, {y.type}"
        )
    scale = dy.dimshuffle(0, "x") if dy.ndim else dy
    return scale * (sm - OneOfN()(sm, y))


def prepend_scalar_to_each_row(val: Any, mat: Any) -> TensorVariable:
    """The matrix ``mat`` with a first column of ``val``.

    >>> import croton.tensor as T
    >>> T.nnet.prepend_scalar_to_each_row(7., T.eye(1)).eval()
    array([[7., 1.]], dtype=float32)
    """
    from croton.tensor.construct import alloc

    mat, val = as_tensor_variable(mat), as_tensor_variable(val)
    if mat.ndim != 2 or val.ndim:
        raise TypeError(f"prepend_scalar_to_each_row takes a scalar and a matrix, got {val.type} and {mat.type}")
    return concatenate([alloc(cast(val, mat.dtype), mat.shape[0], 1), mat], axis=1)


def prepend_0_to_each_row(mat: Any) -> TensorVariable:
    """The matrix ``mat`` with a first column of zeros.

    >>> import croton.tensor as T
    >>> T.nnet.prepend_0_to_each_row(T.eye(1)).eval()
    array([[0., 1.]], dtype=float32)
    """
    return prepend_scalar_to_each_row(constant(0), mat)


def prepend_1_to_each_row(mat: Any) -> TensorVariable:
    """The matrix ``mat`` with a first column of ones.

    >>> import croton.tensor as T
    >>> T.nnet.prepend_1_to_each_row(T.eye(1)).eval()
    array([[1., 1.]], dtype=float32)
    """
    return prepend_scalar_to_each_row(constant(1), mat)


def confusion_matrix(actual: Any, pred: Any) -> list[TensorVariable]:
    """``[matrix, order]``: how often label order[i] was predicted as order[j] (int64), and the sorted labels.

    >>> import croton.tensor as T
    >>> T.nnet.confusion_matrix(T.constant([0, 2, 2]), T.constant([0, 0, 2]))[0].eval()
    array([[1, 0],
           [1, 1]])
    """
    actual, pred = as_tensor_variable(actual), as_tensor_variable(pred)
    if actual.ndim != 1 or pred.ndim != 1:
        raise ValueError(
            f"confusion_matrix takes vectors, got {actual} of type {actual.type} and {pred} of type {pred.type}"
        )
    order = Unique()(concatenate([actual, pred]))
    rows = cast(order.dimshuffle("x", 0) - actual.dimshuffle(0, "x"), "bool")
    columns = cast(order.dimshuffle("x", 0) - pred.dimshuffle(0, "x"), "bool")
    from croton.tensor.linalg import dot

    return [dot(cast(~rows, "int64").T, cast(~columns, "int64")), order]


@dataclass(frozen=True)
class Unique(TensorOp):
    """The sorted distinct elements."""

    data_dependent = True

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [TensorType(kind(x).dtype, (False,))]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return np.unique(context.known(values[0], node))
