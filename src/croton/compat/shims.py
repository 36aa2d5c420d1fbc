"""Small functions of the old system that croton itself has no use for, or has with other arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

import croton.graph as graph
import croton.tensor as tensor
from croton.graph import Apply, Variable
from croton.settings import config


class MethodNotDefined(Exception):
    """What an op of the old system raised where it lacked a method; nothing here does."""


def _asarray(a: Any, dtype: DTypeLike, order: Literal["K", "A", "C", "F"] | None = None) -> NDArray[Any]:
    """``a`` as an array of ``dtype``, which may be the name ``'floatX'``.

    >>> _asarray([1, 2], 'float32')
    array([1., 2.], dtype=float32)
    """
    if isinstance(dtype, str) and dtype == "floatX":
        dtype = config.floatX
    return np.asarray(a, dtype=dtype, order=order)


def largest(*args: Any) -> Any:
    """The elementwise largest of tensors of one shape.

    >>> x = tensor.dvector('x')
    >>> largest(x, 2 * x, -x).eval({x: [1., -3.]})
    array([2., 3.])
    """
    return tensor.maximum(*args) if len(args) == 2 else tensor.max(tensor.stack(args), axis=0)


def smallest(*args: Any) -> Any:
    """The elementwise smallest of tensors of one shape.

    >>> x = tensor.dvector('x')
    >>> smallest(x, 2 * x, -x).eval({x: [1., -3.]})
    array([-1., -6.])
    """
    return tensor.minimum(*args) if len(args) == 2 else tensor.min(tensor.stack(args), axis=0)


def ancestors(variable_list: Iterable[Variable], blockers: Iterable[Variable] | None = None) -> list[Variable]:
    """Every variable that some depend on, themselves included, not going beyond ``blockers``."""
    return graph.ancestors(variable_list, set(blockers or ()))


def inputs(variable_list: Iterable[Variable], blockers: Iterable[Variable] | None = None) -> list[Variable]:
    """The variables that some depend on and that no node computes, not going beyond ``blockers``.

    >>> x, y = tensor.scalars('x', 'y')
    >>> inputs([x * y, x])
    [x, y]
    """
    return [variable for variable in ancestors(variable_list, blockers) if variable.owner is None]


def io_toposort(inputs: Iterable[Variable], outputs: Iterable[Variable]) -> list[Apply]:
    """The nodes between ``inputs`` and ``outputs``, each after those whose results it uses.

    >>> x = tensor.scalar('x')
    >>> [str(node.op) for node in io_toposort([x], [tensor.exp(x) + x])]
    ['exp', 'add']
    """
    return graph.toposort(outputs, set(inputs))


def pydotprint(fct: Any, outfile: str | None = None, format: str = "png", **_: Any) -> None:
    """Draw a graph into a file, ``theano.png`` if none is named; the old options of style are taken and not needed."""
    path = outfile or "theano"
    graph.draw(fct, path if path.endswith((".png", ".svg")) else f"{path}.{format}")
