"""Sorting, searching and cumulating."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable, cast
from croton.tensor.reduce import normal_axis
from croton.tensor.shape import flatten, kind
from croton.tensor.types import TensorType, upcast
from croton.tensor.variable import TensorVariable

# name: (meaning along an axis, whether the result is positions)
ALONG: dict[str, tuple[Callable[..., Any], bool]] = {
    "sort": (lambda x, axis: jnp.sort(x, axis=axis), False),
    "argsort": (lambda x, axis: jnp.argsort(x, axis=axis, stable=True).astype("int64"), True),
    "cumsum": (lambda x, axis: jnp.cumsum(x, axis=axis, dtype=x.dtype), False),
    "cumprod": (lambda x, axis: jnp.cumprod(x, axis=axis, dtype=x.dtype), False),
}


@dataclass(frozen=True)
class Along(TensorOp):
    """An op of ``ALONG``: the result has the input's shape."""

    name: str
    axis: int

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [TensorType("int64" if ALONG[self.name][1] else kind(x).dtype, shape=kind(x).shape)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return ALONG[self.name][0](values[0], self.axis)

    def connected(self, node: Apply) -> Sequence[bool]:
        return [not ALONG[self.name][1]]

    def __str__(self) -> str:
        return f"{self.name}{{axis={self.axis}}}"


def _along(name: str, x: Any, axis: int | None) -> TensorVariable:
    x = as_tensor_variable(x)
    if axis is None:
        x, axis = flatten(x), 0
    return Along(name, normal_axis(x, axis, name)[0])(x)


_KINDS = ("quicksort", "mergesort", "heapsort", "stable")


def _check_kind(name: str, kind: str, order: Any) -> None:
    if kind not in _KINDS:
        raise ValueError(f"{name}: kind {kind!r} is none of {', '.join(_KINDS)} (all are served by one stable sort)")
    if order is not None:
        raise ValueError(f"{name}: order is for arrays with fields, which tensors are not")


def sort(a: Any, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> TensorVariable:
    """``a`` sorted along ``axis``, flattened first if None.

    >>> import croton.tensor as T
    >>> T.sort(T.constant([3., 1., 2.])).eval()
    array([1., 2., 3.])
    """
    _check_kind("sort", kind, order)
    return _along("sort", a, axis)


def argsort(a: Any, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> TensorVariable:
    """The positions (int64) that sort ``a`` along ``axis``, flattened first if None; equal elements keep their order.

    >>> import croton.tensor as T
    >>> T.argsort(T.constant([3., 1., 2.])).eval()
    array([1, 2, 0])
    """
    _check_kind("argsort", kind, order)
    return _along("argsort", a, axis)


def cumsum(x: Any, axis: int | None = None) -> TensorVariable:
    """The running sums along ``axis``, flattened first if None; the dtype stays.

    >>> import croton.tensor as T
    >>> T.cumsum(T.constant([1., 2., 3.])).eval()
    array([1., 3., 6.])
    """
    return _along("cumsum", x, axis)


def cumprod(x: Any, axis: int | None = None) -> TensorVariable:
    """The running products along ``axis``, flattened first if None; the dtype stays.

    >>> import croton.tensor as T
    >>> T.cumprod(T.constant([1., 2., 3.])).eval()
    array([1., 2., 6.])
    """
    return _along("cumprod", x, axis)


@dataclass(frozen=True)
class SearchSorted(TensorOp):
    """Where values would be inserted into a sorted vector."""

    side: str

    def output_types(self, x: Variable, v: Variable) -> Sequence[Type]:
        return [TensorType("int64", shape=kind(v).shape)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return jnp.searchsorted(values[0], values[1], side=self.side).astype("int64")

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False, False]


def searchsorted(x: Any, v: Any, side: str = "left", sorter: Any = None) -> TensorVariable:
    """For each of ``v``, the position in the sorted vector ``x`` before which it belongs ('left':
    before equal elements).

    >>> import croton.tensor as T
    >>> T.searchsorted(T.constant([1., 2., 3.]), T.constant([2.5])).eval()
    array([2])
    """
    from croton.tensor.select import take

    x, v = as_tensor_variable(x), as_tensor_variable(v)
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side {side!r} is neither 'left' nor 'right'")
    if x.ndim != 1:
        raise ValueError(f"searchsorted looks in a vector, not in {x} of type {x.type}")
    x = x if sorter is None else take(x, sorter)
    dtype = upcast(x.dtype, v.dtype)
    return SearchSorted(side)(cast(x, dtype), cast(v, dtype))
