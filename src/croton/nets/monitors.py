"""What training watches: shares of values below levels, and functions of outputs and parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from croton import sparse
from croton import tensor as T
from croton.graph.core import Variable
from croton.nets.util import outputs_matching, params_matching
from croton.settings import config

__all__ = ["check_scalar", "expand"]

_ACCEPTED = (
    "pass a number L (the share of values below L), a dict from labels to functions of the expression, or a list of "
    "numbers and (label, function) pairs"
)


def expand(monitors: Any, outputs: Mapping[str, Variable], layers: Iterable[Any]) -> list[tuple[str, Variable]]:
    """(name, scalar expression) of each monitor that ``monitors`` asks for. As the ``monitors`` of theanets.

    ``monitors``: a dict, or pairs, from patterns to levels; None for no monitors. A pattern is a shell-style glob over
    the full names of outputs (``'hid*:out'``) and of parameters (``'*.w'``). A level is a number L, for the mean of
    (value < L), called ``{name}<{L}``; levels may also be a list of numbers and of pairs (label, function), or a
    dict from labels to functions. A function gets the expression and returns one, called ``{name}:{label}``; to be
    watched in training it must be a scalar (``check_scalar``).
    For each pattern outputs come before parameters, and each of these has its levels in the order given. A pattern that
    matches nothing gives no monitors.

    Raises TypeError for levels of another kind.

    >>> from croton import nets
    >>> net = nets.Regressor([2, 3, 1])
    >>> outputs, _ = net.build_graph()
    >>> asked = {"hid1:out": (0.1, 0.9), "*.w": {"l2": lambda w: (w ** 2).mean()}}
    >>> [name for name, _ in expand(asked, outputs, net.layers)]
    ['hid1:out<0.1', 'hid1:out<0.9', 'hid1.w:l2', 'out.w:l2']
    """
    if monitors is None:
        return []
    if not isinstance(monitors, Mapping | list | tuple):
        raise TypeError(f"monitors={monitors!r}: pass a dict, or pairs, from patterns to levels")
    layers = list(layers)
    found: list[tuple[str, Variable]] = []
    for pattern, levels in monitors.items() if isinstance(monitors, Mapping) else monitors:
        named = list(_levels(pattern, levels))
        for name, expression in (*outputs_matching(outputs, pattern), *params_matching(layers, pattern)):
            found += [(name + suffix, T.as_tensor_variable(make(_dense(expression)))) for suffix, make in named]
    return found


def _levels(pattern: Any, levels: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """(what comes after the name, function from the expression to the monitor) of each level."""
    if isinstance(levels, Mapping):
        levels = list(levels.items())
    if isinstance(levels, np.ndarray):
        levels = list(levels.ravel())
    several = levels if isinstance(levels, list | tuple) else [levels]
    for level in several:
        if isinstance(level, int | float | np.number) and not isinstance(level, bool):
            yield f"<{level!s}", _below(level)
        elif isinstance(level, tuple | list) and len(level) == 2 and isinstance(level[0], str) and callable(level[1]):
            yield f":{level[0]}", level[1]
        else:
            raise TypeError(f"monitors: {level!r} for the pattern {pattern!r}: {_ACCEPTED}")


def _below(level: Any) -> Callable[[Any], Any]:
    return lambda values: T.mean(T.cast(T.lt(values, level), config.floatX))


def _dense(x: Any) -> Any:
    return sparse.dense_from_sparse(x) if isinstance(x, sparse.SparseVariable) else x


def check_scalar(monitors: Iterable[tuple[str, Any]]) -> None:
    """Raise TypeError for a monitor that cannot be averaged over batches, because it is no scalar."""
    for name, value in monitors:
        if value.ndim:
            raise TypeError(
                f"monitor {name!r} has {value.ndim} dimensions: its function must return a scalar, such as a mean"
            )
