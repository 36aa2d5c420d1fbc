"""Indexing: reading parts of a tensor, and tensors with parts replaced or added to, with NumPy's meaning throughout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from croton.graph.core import Apply, Constant, Type, Variable
from croton.tensor.basic import AsTensorError, TensorOp, as_tensor_variable, cast
from croton.tensor.shape import kind, static_value
from croton.tensor.types import Shape as StaticShape
from croton.tensor.types import TensorType, broadcast_shapes
from croton.tensor.variable import TensorVariable

# An entry of an index: an int, None (a new dimension), SYMBOL (a symbolic integer), ("slice", start, stop, step)
# whose parts are ints, None or SYMBOL, ("array",) for an integer array, ("mask", ndim) for a boolean one. Symbolic
# parts are inputs, in order.
SYMBOL = "?"
# One column is picked from each row without a gather where there are at most so many.
PICK_LIMIT = 1024
Entry = Any


@dataclass(frozen=True)
class Part:
    """One entry of an index in a node: its place, the dimension of x it speaks of, and its symbolic inputs by slot."""

    position: int
    axis: int
    entry: Entry
    inputs: tuple[Variable, ...]
    offset: int


class _Indexed(TensorOp):
    """What reading and writing by index share."""

    index: tuple[Entry, ...]
    first: int

    def parts(self, node: Apply) -> Iterator[Part]:
        axis, offset = 0, self.first
        for position, entry in enumerate(self.index):
            count = symbols(entry)
            yield Part(position, axis, entry, tuple(node.inputs[offset : offset + count]), offset)
            offset += count
            axis += dimensions(entry)

    def bounds(self, node: Apply) -> list[Part]:
        """The parts that are symbolic integers or slices with symbolic bounds: those a call's integers may decide."""
        return [p for p in self.parts(node) if p.inputs and (p.entry == SYMBOL or p.entry[0] == "slice")]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [k < self.first for k in range(len(node.inputs))]

    def checked(self, node: Apply) -> Sequence[Variable]:
        """The indices that are compared with the dimension's length when the program runs."""
        own = [
            p for p in self.parts(node) if p.entry == SYMBOL or (isinstance(p.entry, tuple) and p.entry[0] == "array")
        ]
        return [v for p in own for v in p.inputs]

    def _index_text(self) -> str:
        def text(entry: Entry) -> str:
            if isinstance(entry, tuple) and entry[0] == "slice":
                return ":".join("" if p is None else str(p) for p in entry[1:]).removesuffix(":")
            return entry[0] if isinstance(entry, tuple) else str(entry)

        return ", ".join(map(text, self.index))


def symbols(entry: Entry) -> int:
    """How many inputs an entry has."""
    if isinstance(entry, tuple):
        return entry.count(SYMBOL) if entry[0] == "slice" else 1
    return int(entry == SYMBOL)


def dimensions(entry: Entry) -> int:
    """How many dimensions of the indexed tensor an entry speaks of."""
    if entry is None:
        return 0
    return entry[1] if isinstance(entry, tuple) and entry[0] == "mask" else 1


@dataclass(frozen=True)
class Subtensor(_Indexed):
    """The part of a tensor that an index selects."""

    index: tuple[Entry, ...]
    host = True
    first = 1

    @property
    def data_dependent(self) -> bool:  # type: ignore[override]
        return any(isinstance(e, tuple) and e[0] == "mask" for e in self.index)

    def output_types(self, *inputs: Variable) -> Sequence[Type]:
        node = Apply.__new__(Apply)
        node.inputs = tuple(inputs)
        return [TensorType(kind(inputs[0]).dtype, shape=_result_shape(kind(inputs[0]).shape, list(self.parts(node))))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x = values[0]
        if all(isinstance(v, np.ndarray) for v in values):
            return np.asarray(x[_host_index(self, node, values)])
        picked = self.pick(context, node, values, x, 1)
        if picked is not NotImplemented:
            return picked
        selection = _Selection(self, context, node, values)
        return selection.read(selection.cut(jnp.asarray(x)))

    def pick(self, context: Any, node: Apply, values: Sequence[Any], x: Any, axis: int) -> Any:
        """x[arange(rows), labels] by comparing labels with column numbers along ``axis``;
        NotImplemented for any other index.

        It costs a pass over x, but neither a gather nor, for the derivative, a scatter, and fuses
        with what is around it.
        """
        if self.index != (("array",), ("array",)) or x.ndim != 2 or x.shape[axis] > PICK_LIMIT:
            return NotImplemented
        rows, labels = values[1:]
        n = x.shape[1 - axis]
        if (
            isinstance(labels, np.ndarray)
            or not isinstance(rows, np.ndarray)
            or rows.shape != (n,)
            or labels.shape != (n,)
        ):
            return NotImplemented
        if not np.array_equal(rows, np.arange(n)):
            return NotImplemented
        # Few enough to be compared as small integers, which is faster.
        columns = _Selection.checked(context, node, labels, x.shape[axis], 1).astype("int32")
        numbers = jnp.arange(x.shape[axis], dtype="int32")
        chosen = columns[:, None] == numbers if axis == 1 else columns == numbers[:, None]
        return jnp.where(chosen, x, 0).sum(axis)

    def __str__(self) -> str:
        return f"Subtensor{{{self._index_text()}}}"


@dataclass(frozen=True)
class IncSubtensor(_Indexed):
    """A tensor with the part that an index selects replaced (``replace``) or added to."""

    index: tuple[Entry, ...]
    replace: bool
    first = 2

    @property
    def data_dependent(self) -> bool:  # type: ignore[override]
        masks = [e for e in self.index if isinstance(e, tuple) and e[0] == "mask"]
        return bool(masks) and not self.is_plain_mask

    @property
    def is_plain_mask(self) -> bool:
        return len(self.index) == 1 and isinstance(self.index[0], tuple) and self.index[0][0] == "mask"

    def output_types(self, x: Variable, y: Variable, *rest: Variable) -> Sequence[Type]:
        node = Apply.__new__(Apply)
        node.inputs = (x, y, *rest)
        selected = _result_shape(kind(x).shape, list(self.parts(node)))
        if kind(y).ndim > len(selected):
            raise ValueError(
                f"{self}: {y} has {kind(y).ndim} dimensions, the part of {x} it goes to has {len(selected)}"
            )
        broadcast_shapes(str(self), [selected, kind(y).shape])
        return [TensorType(kind(x).dtype, shape=kind(x).shape)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, y = jnp.asarray(values[0]), jnp.asarray(values[1])
        if self.is_plain_mask and (y.ndim == 0 or (y.ndim <= x.ndim and values[2].ndim <= x.ndim and y.size == 1)):
            _check_mask(values[2], x.shape, 0)
            mask = values[2].reshape(values[2].shape + (1,) * (x.ndim - values[2].ndim))
            y = y.reshape(())
            return jnp.where(mask, y if self.replace else x + y, x)
        selection = _Selection(self, context, node, values)
        part = selection.cut(x)
        return selection.paste(x, selection.write(part, y, self.replace))

    def __str__(self) -> str:
        return f"{'Set' if self.replace else 'Inc'}Subtensor{{{self._index_text()}}}"


def _check_mask(mask: Any, lengths: tuple[int, ...], axis: int) -> None:
    """IndexError unless ``mask`` has the lengths of the dimensions from ``axis`` on."""
    if tuple(mask.shape) != tuple(lengths[axis : axis + mask.ndim]):
        raise IndexError(
            f"a mask of shape {tuple(mask.shape)} does not fit the shape {tuple(lengths)} from dimension {axis} on"
        )


def _host_index(op: _Indexed, node: Apply, values: Sequence[Any]) -> tuple[Any, ...]:
    index: list[Any] = []
    for part in op.parts(node):
        own = iter(values[part.offset : part.offset + len(part.inputs)])
        entry = part.entry
        if entry == SYMBOL:
            index.append(int(next(own)))
        elif isinstance(entry, tuple) and entry[0] == "slice":
            index.append(slice(*[int(next(own)) if p == SYMBOL else p for p in entry[1:]]))
        else:
            index.append(next(own) if isinstance(entry, tuple) else entry)
    return tuple(index)


class _Selection:
    """An index on its way to jax.numpy: slices at traced starts are cut out first, the rest is an ordinary index."""

    def __init__(self, op: _Indexed, context: Any, node: Apply, values: Sequence[Any]) -> None:
        self.context, self.node = context, node
        self.cuts: list[tuple[int, Any, int, int]] = []  # (axis, start, length, step)
        self.index: list[Any] = []
        self.traced_arrays = False
        for part in op.parts(node):
            own = list(values[part.offset : part.offset + len(part.inputs)])
            self._add(part, own, values[0].shape)

    def _add(self, part: Part, own: list[Any], lengths: tuple[int, ...]) -> None:
        entry = part.entry
        if entry is None:
            self.index.append(None)
            return
        n = lengths[part.axis]
        if isinstance(entry, tuple) and entry[0] == "mask":
            mask = self.context.known(own[0], self.node)
            _check_mask(mask, lengths, part.axis)
            self.index.append(mask)
        elif isinstance(entry, tuple) and entry[0] == "array":
            self.index.append(self._within(own[0], n, part))
        elif isinstance(entry, tuple):
            self._add_slice(part, own, n)
        elif part.inputs and (self.node, part.position) in self.context.bounds:
            self.index.append(self.context.bounds[self.node, part.position][0])
        else:
            self.index.append(self._within(own[0] if part.inputs else np.asarray(entry), n, part))

    def _add_slice(self, part: Part, own: list[Any], n: int) -> None:
        if part.inputs and (self.node, part.position) in self.context.bounds:
            self.cuts.append((part.axis, *self.context.bounds[self.node, part.position]))
            self.index.append(slice(None))
            return
        given = iter(own)
        self.index.append(
            slice(*[int(self.context.known(next(given), self.node)) if p == SYMBOL else p for p in part.entry[1:]])
        )

    def _within(self, where: Any, n: int, part: Part) -> Any:
        """Integers as indices between 0 and n - 1; an IndexError for others, now or, for traced ones,
        when the program has run.
        """
        if isinstance(where, np.ndarray):
            wrong = (where < -n) | (where >= n)
            if wrong.any():
                raise _out_of_bounds(self.node, n, part.axis, where[wrong].flat[0])
            return np.where(where < 0, where + n, where) if where.ndim else int(where) % max(n, 1)
        self.traced_arrays = self.traced_arrays or where.ndim > 0
        return self.checked(self.context, self.node, where, n, part.axis)

    @staticmethod
    def checked(context: Any, node: Apply, where: Any, n: int, axis: int) -> Any:
        """Traced integers as indices that count from 0, with a check that they are within bounds."""
        signed = np.issubdtype(where.dtype, np.signedinteger)
        inside = (where < n) & (where >= -n) if signed else where < n
        context.check(jnp.all(inside), node, lambda: _out_of_bounds(node, n, axis))
        return jnp.where(where < 0, where + n, where) if signed else where

    def cut(self, x: Any) -> Any:
        for axis, start, length, step in self.cuts:
            if step == 1:
                x = lax.dynamic_slice_in_dim(x, start, length, axis, allow_negative_indices=False)
            else:
                x = jnp.take(x, start + step * np.arange(length), axis=axis, mode="clip")
        return x

    def paste(self, x: Any, part: Any) -> Any:
        if not self.cuts:
            return part
        axis, start, length, step = self.cuts[0]
        if len(self.cuts) == 1 and step == 1:
            return lax.dynamic_update_slice_in_dim(x, part, start, axis, allow_negative_indices=False)
        grid = [np.arange(n) for n in x.shape]
        for axis, start, length, step in self.cuts:
            grid[axis] = start + step * np.arange(length)
        return x.at[jnp.ix_(*grid)].set(part)

    def read(self, x: Any) -> Any:
        if any(isinstance(i, jnp.ndarray) for i in self.index):
            return x.at[tuple(self.index)].get(mode="clip")
        return x[tuple(self.index)]

    def write(self, x: Any, y: Any, replace: bool) -> Any:
        index: Any = tuple(self.index)
        if not replace:
            return x.at[index].add(y, mode="clip") if self.traced_arrays else x.at[index].add(y)
        if any(getattr(i, "ndim", 0) and getattr(i, "dtype", None) != np.dtype("bool") for i in index):
            return _set_last(x, index, y)
        return x.at[index].set(y)


def _out_of_bounds(node: Apply, n: int, axis: int, found: Any = None) -> IndexError:
    what = "an index" if found is None else f"index {found}"
    return IndexError(f"{what} is out of bounds for dimension {axis} of {node.inputs[0]}, of length {n}")


def _set_last(x: Any, index: tuple[Any, ...], y: Any) -> Any:
    """``x[index] = y`` where of equal indices the last one wins, as in NumPy,
    whatever order the back end scatters in.
    """
    places = jnp.arange(x.size).reshape(x.shape)[index]
    y = jnp.broadcast_to(y, places.shape).ravel()
    places = places.ravel()
    order = jnp.arange(places.size)
    last = jnp.full(x.size, -1).at[places].max(order)
    places = jnp.where(last[places] == order, places, x.size)
    return x.ravel().at[places].set(y, mode="drop", unique_indices=False).reshape(x.shape)


def slice_bounds(entry: Entry, values: Sequence[int], n: int) -> tuple[int, int, int]:
    """(start, length, step) of a slice entry on a dimension of length ``n``, its symbolic parts given in order."""
    given = iter(values)
    start, stop, step = slice(*[next(given) if p == SYMBOL else p for p in entry[1:]]).indices(n)
    return start, len(range(start, stop, step)), step


def _result_shape(lengths: StaticShape, parts: Sequence[Part]) -> StaticShape:
    """The static shape of x[index], NumPy's rule for the place of advanced indices included."""
    basic: list[tuple[str, Any]] = []
    advanced: list[StaticShape] = []
    fancy = any(isinstance(p.entry, tuple) and p.entry[0] in ("array", "mask") for p in parts)
    for p in parts:
        entry = p.entry
        if entry is None:
            basic.append(("keep", 1))
        elif isinstance(entry, tuple) and entry[0] == "slice":
            basic.append(("keep", _static_slice(entry, p, lengths[p.axis])))
        elif isinstance(entry, tuple):
            basic.append(("fancy", None))
            advanced.append(kind(p.inputs[0]).shape if entry[0] == "array" else (None,))
        else:
            basic.append(("fancy" if fancy else "drop", None))
    used = sum(dimensions(p.entry) for p in parts)
    basic += [("keep", n) for n in lengths[used:]]
    shape: list[int | None] = [n for what, n in basic if what == "keep"]
    if not fancy:
        return tuple(shape)
    spots = [k for k, (what, _) in enumerate(basic) if what == "fancy"]
    together = spots[-1] - spots[0] == len(spots) - 1
    at = sum(what == "keep" for what, _ in basic[: spots[0]]) if together else 0
    shape[at:at] = broadcast_shapes("index", advanced)
    return tuple(shape)


def _static_slice(entry: Entry, part: Part, n: int | None) -> int | None:
    if entry[1:] == (None, None, None):
        return n
    values = [static_value(v) for v in part.inputs]
    if n is None or any(v is None for v in values):
        return None
    return slice_bounds(entry, [int(v) for v in values], n)[1]  # type: ignore[arg-type]


def _entry(item: Any, x: Variable) -> tuple[Entry, list[Variable]]:
    """An item of the user's index as an entry and its symbolic inputs."""
    if item is None:
        return None, []
    if isinstance(item, slice):
        numbers, inputs = [], []
        for bound in (item.start, item.stop, item.step):
            number = bound if bound is None else _integer(bound, x)
            numbers.append(SYMBOL if isinstance(number, Variable) else number)
            inputs += [number] if isinstance(number, Variable) else []
        return ("slice", *numbers), inputs
    if isinstance(item, bool | np.bool):
        raise TypeError(f"{x} is indexed with the boolean {item}: use an integer, a slice, or a boolean array")
    if isinstance(item, np.ndarray) and item.ndim == 0:
        item = item[()]
    if isinstance(item, int | np.integer) or (isinstance(item, Variable) and item.type.ndim == 0):  # type: ignore[attr-defined]
        number = _integer(item, x)
        return (SYMBOL, [number]) if isinstance(number, Variable) else (number, [])
    try:
        if isinstance(item, list | np.ndarray) and np.size(item) == 0:
            item = np.asarray(item, "int64")
        array = as_tensor_variable(item)
    except AsTensorError as error:
        raise TypeError(f"{x} cannot be indexed with {item!r}: {error}") from None
    if array.dtype == "bool" and array.ndim:
        return ("mask", array.ndim), [array]
    if array.dtype[0] not in "iu":
        raise TypeError(f"{x} is indexed with {array} of dtype {array.dtype}: an index must be of integers or booleans")
    return (("array",), [array]) if array.ndim else (SYMBOL, [array])


def _integer(item: Any, x: Variable) -> Any:
    if isinstance(item, Variable):
        scalar = as_tensor_variable(item)
        if scalar.ndim or scalar.dtype[0] not in "iu":
            raise TypeError(f"{x} is indexed with {scalar} of type {scalar.type}: bounds must be integer scalars")
        known = scalar.data if isinstance(scalar, Constant) else None
        return scalar if known is None else int(known)
    if isinstance(item, bool) or not isinstance(item, int | np.integer | np.ndarray):
        raise TypeError(f"{x} is indexed with {item!r}: bounds must be integers")
    return int(item)


def _parse(x: TensorVariable, index: Any) -> tuple[tuple[Entry, ...], list[Variable]]:
    items = list(index) if isinstance(index, tuple) else [index]
    entries: list[Entry] = []
    inputs: list[Variable] = []
    hole = None
    for item in items:
        if item is Ellipsis:
            if hole is not None:
                raise IndexError(f"{x} is indexed with more than one ellipsis (...)")
            hole = len(entries)
            continue
        if isinstance(item, slice) and isinstance(item.step, int) and item.step == 0:
            raise ValueError(f"{x} is indexed with {item}: the step of a slice must not be 0")
        entry, own = _entry(item, x)
        entries.append(entry)
        inputs += own
    used = sum(map(dimensions, entries))
    if used > x.ndim:
        raise IndexError(f"too many indices for {x}: it has {x.ndim} dimensions, the index speaks of {used}")
    if hole is not None:
        entries[hole:hole] = [("slice", None, None, None)] * (x.ndim - used)
    whole = ("slice", None, None, None)
    while entries and entries[-1] == whole:
        entries.pop()
    return tuple(entries), inputs


@dataclass(frozen=True)
class NonZero(TensorOp):
    """The positions of the elements that are not zero, one vector for each dimension."""

    data_dependent = True

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [TensorType("int64", (False,))] * kind(x).ndim

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return tuple(p.astype("int64") for p in np.nonzero(context.known(values[0], node)))

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False]


def subtensor(x: Any, index: Any) -> TensorVariable:
    """``x[index]``: integers, slices with symbolic bounds, None, ..., integer arrays and boolean masks, as in NumPy.

    Raises IndexError for too many indices, and at run time for one out of bounds; TypeError for what is no index.

    >>> import croton.tensor as T
    >>> T.subtensor(T.arange(5), slice(1, 3)).eval()
    array([1, 2])
    """
    x = as_tensor_variable(x)
    masked = _mask_of_nonzero(x, index)
    entries, inputs = _parse(x, index if masked is None else masked)
    _check_static(x, entries)
    return Subtensor(entries)(x, *inputs)


def _mask_of_nonzero(x: TensorVariable, index: Any) -> Any:
    """The mask c where ``index`` is exactly ``c.nonzero()``:
    a mask may be written through without its positions being known.
    """
    items = index if isinstance(index, tuple) else (index,)
    owners = {id(getattr(i, "owner", None)) for i in items if isinstance(i, Variable)}
    if len(owners) != 1 or not all(isinstance(i, Variable) for i in items) or items[0].owner is None:
        return None
    node = items[0].owner
    if isinstance(node.op, NonZero) and list(items) == node.outputs:
        condition = as_tensor_variable(node.inputs[0])
        from croton.tensor.elemwise import neq

        return condition if condition.dtype == "bool" else neq(condition, 0)
    return None


def _check_static(x: TensorVariable, entries: tuple[Entry, ...]) -> None:
    axis = 0
    for entry in entries:
        n = x.type.shape[axis] if entry is not None else None
        if isinstance(entry, int) and n is not None and not -n <= entry < n:
            raise IndexError(f"index {entry} is out of bounds for dimension {axis} of {x}, of length {n}")
        axis += dimensions(entry)


def _with_part(name: str, x: Any, y: Any, replace: bool) -> TensorVariable:
    node = x.owner if isinstance(x, Variable) else None
    if node is None or not isinstance(node.op, Subtensor):
        raise TypeError(f"{name} takes an indexed tensor such as x[1:] as its first argument, not {x}")
    whole, y = as_tensor_variable(node.inputs[0]), as_tensor_variable(y)
    if y.ndim > kind(x).ndim:
        raise TypeError(
            f"{name}: the value {y} has {y.ndim} dimensions, more than the {kind(x).ndim} of the part it goes to"
        )
    return IncSubtensor(node.op.index, replace)(whole, cast(y, whole.dtype), *node.inputs[1:])


def set_subtensor(x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False) -> TensorVariable:
    """With x an indexed tensor such as ``a[1:3]``: ``a`` with that part replaced by ``y``;
    of equal indices the last one wins.

    ``y`` broadcasts to the part and is cast to the dtype of ``a``. ``inplace`` has no effect on any value.

    >>> import croton.tensor as T
    >>> a = T.zeros((3,))
    >>> T.set_subtensor(a[1:], 5).eval()
    array([0., 5., 5.], dtype=float32)
    """
    return _with_part("set_subtensor", x, y, True)


def inc_subtensor(
    x: Any, y: Any, inplace: bool = False, set_instead_of_inc: bool = False, tolerate_inplace_aliasing: bool = False
) -> TensorVariable:
    """As ``set_subtensor``, but ``y`` is added; equal indices add up.

    >>> import croton.tensor as T
    >>> a = T.zeros((3,))
    >>> T.inc_subtensor(a[[0, 0, 2]], 1).eval()
    array([2., 0., 1.], dtype=float32)
    """
    return _with_part("set_subtensor" if set_instead_of_inc else "inc_subtensor", x, y, set_instead_of_inc)
