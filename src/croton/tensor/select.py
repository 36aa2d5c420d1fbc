"""Selecting elements: by position, by condition, among several tensors."""

from __future__ import annotations

from typing import Any

from croton.tensor.basic import as_tensor_variable
from croton.tensor.construct import arange
from croton.tensor.elemwise import clip, mod
from croton.tensor.index import NonZero
from croton.tensor.shape import flatten, stack
from croton.tensor.variable import TensorVariable


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> TensorVariable:
    """``a`` at ``indices`` along ``axis`` (flattened if None); mode 'raise',
    'wrap' or 'clip' says what out of bounds means.

    >>> import croton.tensor as T
    >>> T.take(T.constant([1., 2., 3.]), [0, 2]).eval()
    array([1., 3.])
    """
    a, indices = as_tensor_variable(a), as_tensor_variable(indices)
    if axis is None:
        a, axis = flatten(a) if a.ndim != 1 else a, 0
    if not -a.ndim <= axis < a.ndim:
        raise IndexError(f"take: axis {axis} is out of range for {a}, which has {a.ndim} dimensions")
    axis %= a.ndim
    if mode == "wrap":
        indices = mod(indices, a.shape[axis])
    elif mode == "clip":
        indices = clip(indices, 0, a.shape[axis] - 1)
    elif mode != "raise":
        raise ValueError(f"take: mode {mode!r} is none of 'raise', 'wrap', 'clip'")
    return a[(*[slice(None)] * axis, indices)]


def nonzero(a: Any, return_matrix: bool = False) -> Any:
    """The positions of the elements of ``a`` that are not zero: one int64 vector for each dimension,
    or the rows of a matrix.

    The lengths depend on the data, so a function using this runs op by op, slower than one compiled program; as an
    index to be written through (``set_subtensor(x[c.nonzero()], 0)``) it costs nothing.

    >>> import croton.tensor as T
    >>> T.nonzero(T.constant([0., 3., 0., 4.]))[0].eval()
    array([1, 3])
    """
    a = as_tensor_variable(a)
    if a.ndim == 0:
        raise ValueError(f"nonzero of the scalar {a}: it takes a tensor of at least one dimension")
    positions = NonZero().make_node(a).outputs
    return stack(positions) if return_matrix else tuple(positions)


def flatnonzero(a: Any) -> TensorVariable:
    """The positions, in C order, of the elements that are not zero.

    >>> import croton.tensor as T
    >>> T.flatnonzero(T.constant([[0., 3.], [4., 0.]])).eval()
    array([1, 2])
    """
    return nonzero(as_tensor_variable(a).flatten())[0]


def nonzero_values(a: Any) -> TensorVariable:
    """The elements that are not zero, in C order.

    >>> import croton.tensor as T
    >>> T.nonzero_values(T.constant([0., 3., 4.])).eval()
    array([3., 4.])
    """
    a = as_tensor_variable(a)
    return a.flatten()[flatnonzero(a)]


def compress(a: Any, condition: Any = None, axis: int | None = None) -> TensorVariable:
    """The elements, or slices along ``axis``, of ``a`` at which ``condition`` holds. As a method:
    ``a.compress(condition, axis)``.

    >>> import croton.tensor as T
    >>> T.arange(3).compress([1, 0, 1]).eval()
    array([0, 2])
    """
    return take(a, flatnonzero(condition), axis)


def choose(a: Any, choices: Any, mode: str = "raise") -> TensorVariable:
    """For each position, the element there of ``choices[a]``;
    ``choices`` is a list of tensors or one with them along dimension 0.

    >>> import croton.tensor as T
    >>> T.choose(T.constant([1, 0]), [[10, 20], [30, 40]]).eval()
    array([30, 20])
    """
    a = as_tensor_variable(a)
    table = (
        stack([as_tensor_variable(c) for c in choices])
        if isinstance(choices, list | tuple)
        else as_tensor_variable(choices)
    )
    if table.ndim > a.ndim + 1:
        a = a.dimshuffle(*["x"] * (table.ndim - 1 - a.ndim), *range(a.ndim))
    if table.ndim <= a.ndim:
        table = table.dimshuffle(0, *["x"] * (a.ndim - table.ndim + 1), *range(1, table.ndim))
    grid = []
    for axis in range(a.ndim):
        length = table.shape[axis + 1]
        order = ["x"] * a.ndim
        order[axis] = 0  # type: ignore[call-overload]
        grid.append(arange(length).dimshuffle(*order))
    if mode in ("wrap", "clip"):
        a = mod(a, table.shape[0]) if mode == "wrap" else clip(a, 0, table.shape[0] - 1)
    elif mode != "raise":
        raise ValueError(f"choose: mode {mode!r} is none of 'raise', 'wrap', 'clip'")
    return table[(a, *grid)]
