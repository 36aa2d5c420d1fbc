"""Shapes: asking for them, changing them, joining and repeating arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from croton.graph.core import Apply, Constant, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable, cast, module_for
from croton.tensor.reduce import normal_axis
from croton.tensor.types import Shape as StaticShape
from croton.tensor.types import TensorType, upcast
from croton.tensor.variable import TensorVariable


def kind(x: Variable) -> TensorType:
    """The tensor type of ``x``."""
    assert isinstance(x.type, TensorType)
    return x.type


@dataclass(frozen=True)
class Shape(TensorOp):
    """The lengths of an array's dimensions."""

    host = True

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [TensorType("int64", shape=(kind(x).ndim,))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return np.asarray(np.shape(values[0]), "int64")

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False]


@dataclass(frozen=True)
class MakeVector(TensorOp):
    """Scalars of one dtype as a vector."""

    host = True

    def output_types(self, *inputs: Variable) -> Sequence[Type]:
        return [TensorType(kind(inputs[0]).dtype, shape=(len(inputs),))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return module_for(values).stack(values)


def make_vector(*scalars: Any) -> TensorVariable:
    """Scalars as a vector of their common dtype.

    >>> import croton.tensor as T
    >>> T.make_vector(1, 2).eval()
    array([1, 2], dtype=int8)
    """
    variables = [as_tensor_variable(s) for s in scalars]
    if not variables:
        return as_tensor_variable(np.zeros(0, "int64"))
    dtype = upcast(*[v.dtype for v in variables])
    return MakeVector()(*[cast(v, dtype) for v in variables])


def shape(x: Any) -> TensorVariable:
    """The lengths of ``x``'s dimensions, an int64 vector; known without computing ``x``.

    >>> import croton.tensor as T
    >>> T.shape(T.constant([[1, 2, 3]])).eval()
    array([1, 3])
    """
    return Shape()(x)


def static_length(x: Variable) -> int | None:
    """The length of the first dimension where the graph tells it, else None."""
    return kind(x).shape[0]


def static_value(x: Variable) -> np.ndarray | None:
    """An integer scalar's or vector's value where the graph alone tells it, else None."""
    if isinstance(x, Constant):
        return np.asarray(x.data)
    node = x.owner
    if node is None:
        return None
    if isinstance(node.op, Shape):
        lengths = node.inputs[0].type.shape  # type: ignore[attr-defined]
        return np.asarray(lengths) if None not in lengths else None
    if isinstance(node.op, MakeVector):
        parts = [static_value(v) for v in node.inputs]
        return None if any(p is None for p in parts) else np.asarray(parts)
    if node.op.host and len(node.inputs) <= 3 and not node.op.structural(node):
        from croton.tensor.index import Subtensor

        if isinstance(node.op, Subtensor):
            return _static_element(node)
        if any(kind(v).ndim for v in node.inputs):
            return None
        parts = [static_value(v) for v in node.inputs]
        return None if any(p is None for p in parts) else np.asarray(node.op.lower(None, node, parts))
    return None


def _static_element(node: Apply) -> np.ndarray | None:
    source: Variable = node.inputs[0]
    index: tuple[Any, ...] = getattr(node.op, "index", ())
    if (
        source.owner is not None
        and isinstance(source.owner.op, Shape)
        and len(index) == 1
        and isinstance(index[0], int)
    ):
        length = source.owner.inputs[0].type.shape[index[0]]  # type: ignore[attr-defined]
        return None if length is None else np.asarray(length)
    whole = static_value(source)
    return None if whole is None or len(node.inputs) > 1 else np.asarray(node.op.lower(None, node, [whole]))


def lengths_of(shape_: Any, what: str) -> tuple[TensorVariable, StaticShape | None]:
    """A shape argument (ints, a list of ints and scalars, an int vector) as a vector,
    and its static lengths if it has fixed rank.
    """
    if isinstance(shape_, Variable) and kind(shape_).ndim == 1:
        vector = as_tensor_variable(shape_)
        known = static_value(vector)
        if known is not None:
            return vector, tuple(int(n) for n in known)
        if vector.owner is not None and isinstance(vector.owner.op, MakeVector):
            return vector, tuple(_int_or_none(v) for v in vector.owner.inputs)
        rank = static_length(vector)
        return vector, None if rank is None else (None,) * rank
    parts = list(shape_) if isinstance(shape_, list | tuple | np.ndarray) else [shape_]
    scalars = [as_tensor_variable(int(p) if isinstance(p, np.generic) else p) for p in parts]
    for given, scalar in zip(parts, scalars, strict=True):
        if scalar.ndim or scalar.dtype[0] not in "biu":
            raise TypeError(f"{what}: a length must be an integer, not {given!r} of type {scalar.type}")
    vector = make_vector(*[cast(s, "int64") for s in scalars])
    return vector, tuple(_int_or_none(s) for s in scalars)


def _int_or_none(x: Variable) -> int | None:
    value = static_value(x)
    return None if value is None else int(value)


@dataclass(frozen=True)
class Reshape(TensorOp):
    """The same elements in C order under another shape; one length may be -1."""

    ndim: int
    lengths: StaticShape
    host = True

    def output_types(self, x: Variable, lengths: Variable) -> Sequence[Type]:
        static = [None if n is None or n < 0 else n for n in self.lengths]
        size = kind(x).shape
        if self.lengths.count(-1) == 1 and None not in size and self.lengths.count(None) == 0:
            rest = int(np.prod([n for n in self.lengths if n is not None and n != -1]))
            if rest:
                static[self.lengths.index(-1)] = int(np.prod(size)) // rest  # type: ignore[arg-type]
        return [TensorType(kind(x).dtype, shape=tuple(static))]

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[1:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, lengths = values
        wanted = tuple(int(n) for n in lengths)
        rest = int(np.prod([n for n in wanted if n != -1]))
        holes = wanted.count(-1)
        if holes > 1 or any(n < -1 for n in wanted) or (x.size != rest if not holes else rest == 0 or x.size % rest):
            raise ValueError(
                f"reshape: cannot reshape an array of shape {tuple(x.shape)} ({x.size} elements) to {wanted}"
            )
        return x.reshape(wanted)


def reshape(x: Any, newshape: Any, ndim: int | None = None) -> TensorVariable:
    """``x`` with its elements, in C order, under the shape ``newshape``: ints and symbolic scalars,
    one of which may be -1.

    A symbolic vector of unknown length needs ``ndim``, the rank of the result. Raises ValueError
    where the sizes differ.

    >>> import croton.tensor as T
    >>> T.reshape(T.arange(6), (2, -1)).eval()
    array([[0, 1, 2],
           [3, 4, 5]])
    """
    x = as_tensor_variable(x)
    vector, lengths = lengths_of(newshape, "reshape")
    if lengths is None:
        if ndim is None:
            raise ValueError(f"reshape of {x} to the symbolic shape {newshape}: its length is unknown, give ndim")
        lengths = (None,) * ndim
    if ndim is not None and len(lengths) != ndim:
        raise ValueError(f"reshape of {x}: ndim is {ndim}, but the new shape has {len(lengths)} entries")
    return Reshape(len(lengths), lengths)(x, vector)


def flatten(x: Any, ndim: int | None = None, outdim: int | None = None) -> TensorVariable:
    """``x`` with its last dimensions made one, so that ``ndim`` (1 if None) remain;
    ``outdim`` is an old name of ``ndim``.

    >>> import croton.tensor as T
    >>> T.flatten(T.zeros((2, 3, 4)), 2).shape.eval()
    array([ 2, 12])
    """
    x = as_tensor_variable(x)
    ndim = ndim if ndim is not None else outdim if outdim is not None else 1
    if ndim < 1 or ndim > max(x.ndim, 1):
        raise ValueError(f"flatten: ndim {ndim} must lie between 1 and {x.ndim}, the dimensions of {x}")
    if x.ndim == ndim:
        return x
    kept = [x.shape[k] for k in range(ndim - 1)]
    if None not in x.type.shape and x.ndim:
        kept = list(x.type.shape[: ndim - 1])
        return reshape(x, (*kept, int(np.prod(x.type.shape[ndim - 1 :]))))
    return (
        reshape(x, (*kept, -1))
        if not kept
        else reshape(x, (*kept, _product([x.shape[k] for k in range(ndim - 1, x.ndim)])))
    )


def _product(lengths: Sequence[Any]) -> Any:
    result = lengths[0]
    for length in lengths[1:]:
        result = result * length
    return result


def ravel(x: Any) -> TensorVariable:
    """``x`` as a vector, in C order.

    >>> import croton.tensor as T
    >>> T.ravel(T.constant([[1., 2.]])).eval()
    array([1., 2.])
    """
    return flatten(x, 1)


@dataclass(frozen=True)
class DimShuffle(TensorOp):
    """Dimensions in another order: each entry is a dimension of the input, or 'x' for a new one of length 1."""

    new_order: tuple[int | str, ...]
    host = True

    def output_types(self, x: Variable) -> Sequence[Type]:
        lengths = kind(x).shape
        return [TensorType(kind(x).dtype, shape=tuple(1 if p == "x" else lengths[p] for p in self.new_order))]  # type: ignore[index]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        (x,) = values
        kept = [p for p in self.new_order if p != "x"]
        for axis in range(x.ndim):
            if axis not in kept and x.shape[axis] != 1:
                raise ValueError(
                    f"dimshuffle: cannot drop dimension {axis} of shape {tuple(x.shape)}: its length is not 1"
                )
        dropped = [a for a in range(x.ndim) if a not in kept]
        x = x.transpose((*kept, *dropped)) if [*kept, *dropped] != list(range(x.ndim)) else x
        lengths = iter(x.shape)
        return x.reshape([1 if p == "x" else next(lengths) for p in self.new_order])

    @property
    def repeats_input(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"DimShuffle{{{','.join(map(str, self.new_order))}}}"


def dimshuffle(x: Any, pattern: Sequence[int | str]) -> TensorVariable:
    """``x`` with its dimensions in the order of ``pattern``, 'x' standing for a new one of length 1.

    A dimension left out must have length 1 (ValueError, as early as it is known).

    >>> import croton.tensor as T
    >>> T.vector().dimshuffle(0, 'x').broadcastable
    (False, True)
    """
    x = as_tensor_variable(x)
    order: list[int | str] = []
    for p in pattern:
        if p == "x":
            order.append("x")
            continue
        if not isinstance(p, int | np.integer) or not -x.ndim <= p < x.ndim:
            raise ValueError(f"dimshuffle{tuple(pattern)} of {x}: {p!r} is no dimension, it has {x.ndim}")
        order.append(int(p) % x.ndim)
    numbers = [p for p in order if p != "x"]
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"dimshuffle{tuple(pattern)} of {x} names a dimension twice")
    for axis, length in enumerate(x.type.shape):
        if axis not in numbers and length != 1 and (length is not None or x.owner is None):
            raise ValueError(
                f"dimshuffle{tuple(pattern)} of {x} drops dimension {axis}, which is not known to have length 1"
            )
    return x if order == list(range(x.ndim)) else DimShuffle(tuple(order))(x)


def transpose(x: Any, axes: Sequence[int] | None = None) -> TensorVariable:
    """``x`` with its dimensions reversed, or in the order ``axes``.

    >>> import croton.tensor as T
    >>> T.transpose(T.zeros((2, 3))).shape.eval()
    array([3, 2])
    """
    x = as_tensor_variable(x)
    return dimshuffle(x, range(x.ndim)[::-1] if axes is None else axes)


def swapaxes(x: Any, axis1: int, axis2: int) -> TensorVariable:
    """``x`` with two dimensions exchanged.

    >>> import croton.tensor as T
    >>> T.swapaxes(T.zeros((2, 3)), 0, 1).shape.eval()
    array([3, 2])
    """
    x = as_tensor_variable(x)
    normal_axis(x, axis1, "swapaxes"), normal_axis(x, axis2, "swapaxes")
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return dimshuffle(x, order)


def shape_padleft(t: Any, n_ones: int = 1) -> TensorVariable:
    """``t`` with ``n_ones`` new dimensions of length 1 in front.

    >>> import croton.tensor as T
    >>> T.shape_padleft(T.vector()).broadcastable
    (True, False)
    """
    t = as_tensor_variable(t)
    return dimshuffle(t, ["x"] * n_ones + list(range(t.ndim)))


def shape_padright(t: Any, n_ones: int = 1) -> TensorVariable:
    """``t`` with ``n_ones`` new dimensions of length 1 behind.

    >>> import croton.tensor as T
    >>> T.shape_padright(T.vector()).broadcastable
    (False, True)
    """
    t = as_tensor_variable(t)
    return dimshuffle(t, list(range(t.ndim)) + ["x"] * n_ones)


def shape_padaxis(t: Any, axis: int) -> TensorVariable:
    """``t`` with a new dimension of length 1 that becomes number ``axis``.

    >>> import croton.tensor as T
    >>> T.shape_padaxis(T.matrix(), 1).broadcastable
    (False, True, False)
    """
    t = as_tensor_variable(t)
    if not -(t.ndim + 1) <= axis <= t.ndim:
        raise IndexError(f"shape_padaxis: axis {axis} is out of range for {t}, which has {t.ndim} dimensions")
    order: list[int | str] = list(range(t.ndim))
    order.insert(axis % (t.ndim + 1), "x")
    return dimshuffle(t, order)


def squeeze(x: Any, axis: Any = None) -> TensorVariable:
    """``x`` without its dimensions known to have length 1, or without those of ``axis``.

    >>> import croton.tensor as T
    >>> T.squeeze(T.row()).ndim
    1
    """
    x = as_tensor_variable(x)
    dropped = [a for a, n in enumerate(x.type.shape) if n == 1] if axis is None else normal_axis(x, axis, "squeeze")
    kept = [a for a in range(x.ndim) if a not in dropped]
    return x if len(kept) == x.ndim else DimShuffle(tuple(kept))(x)


@dataclass(frozen=True)
class Join(TensorOp):
    """Arrays one behind the other along an axis."""

    axis: int
    host = True

    def output_types(self, *inputs: Variable) -> Sequence[Type]:
        shapes = [list(kind(v).shape) for v in inputs]
        along = [s[self.axis] for s in shapes]
        for s in shapes:
            s[self.axis] = 1
        joined: list[int | None] = []
        for axis in range(len(shapes[0])):
            known = {s[axis] for s in shapes} - {None}
            if len(known) > 1:
                raise ValueError(f"join along axis {self.axis}: dimension {axis} has lengths {sorted(known)}")  # type: ignore[type-var]
            joined.append(known.pop() if known else None)
        joined[self.axis] = None if None in along else sum(along)  # type: ignore[arg-type]
        return [TensorType(kind(inputs[0]).dtype, shape=tuple(joined))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        for axis in range(values[0].ndim):
            if axis != self.axis and len({v.shape[axis] for v in values}) > 1:
                shapes = ", ".join(str(tuple(v.shape)) for v in values)
                raise ValueError(f"join along axis {self.axis}: shapes {shapes} differ in dimension {axis}")
        return module_for(values).concatenate(values, axis=self.axis)


def join(axis: Any, *tensors_list: Any) -> TensorVariable:
    """The tensors, of one rank, one behind the other along ``axis``.

    >>> import croton.tensor as T
    >>> T.join(0, T.constant([1., 2.]), T.constant([3.])).eval()
    array([1., 2., 3.])
    """
    if isinstance(axis, Variable):
        known = static_value(axis)
        if known is None:
            raise TypeError(f"join: the axis must be known while the graph is built, not the symbolic {axis}")
        axis = int(known)
    if not tensors_list:
        raise ValueError("join: no tensors were given")
    tensors = [as_tensor_variable(t) for t in tensors_list]
    ranks = {t.ndim for t in tensors}
    if len(ranks) > 1 or ranks == {0}:
        raise TypeError(
            "join takes tensors of one rank and at least 1 dimension, got "
            + ", ".join(f"{t}: {t.type}" for t in tensors)
        )
    (ndim,) = ranks
    if not -ndim <= axis < ndim:
        raise IndexError(f"join: axis {axis} is out of range for tensors of {ndim} dimensions")
    dtype = upcast(*[t.dtype for t in tensors])
    if len(tensors) == 1:
        return tensors[0]
    return Join(int(axis) % ndim)(*[cast(t, dtype) for t in tensors])


def concatenate(tensor_list: Any, axis: Any = 0) -> TensorVariable:
    """The tensors of a list one behind the other along ``axis``.

    >>> import croton.tensor as T
    >>> T.concatenate([T.constant([1., 2.]), T.constant([3.])]).eval()
    array([1., 2., 3.])
    """
    if not isinstance(tensor_list, list | tuple):
        raise TypeError(f"concatenate takes a list or tuple of tensors, not {type(tensor_list).__name__}")
    return join(axis, *tensor_list)


def stack(*tensors: Any, axis: int = 0) -> TensorVariable:
    """Tensors of one shape along a new dimension ``axis``; they come as one list, or as arguments.

    >>> import croton.tensor as T
    >>> T.stack([T.constant([1., 2.]), T.constant([3., 4.])], axis=1).eval()
    array([[1., 3.],
           [2., 4.]])
    """
    if tensors and isinstance(tensors[0], list | tuple):
        if len(tensors) == 2 and isinstance(tensors[1], int):
            axis = tensors[1]
        elif len(tensors) > 1:
            raise TypeError("stack takes one list of tensors, or the tensors as arguments")
        tensors = tuple(tensors[0])
    if not tensors:
        raise ValueError("stack: no tensors were given")
    variables = [as_tensor_variable(t) for t in tensors]
    if all(v.ndim == 0 for v in variables) and axis in (0, -1):
        return make_vector(*variables)
    return join(axis, *[shape_padaxis(v, axis) for v in variables])


def horizontal_stack(*args: Any) -> TensorVariable:
    """Matrices side by side.

    >>> import croton.tensor as T
    >>> T.horizontal_stack(T.eye(2), T.eye(2)).shape.eval()
    array([2, 4])
    """
    return join(1, *args)


def vertical_stack(*args: Any) -> TensorVariable:
    """Matrices one below the other.

    >>> import croton.tensor as T
    >>> T.vertical_stack(T.eye(2), T.eye(2)).shape.eval()
    array([4, 2])
    """
    return join(0, *args)
