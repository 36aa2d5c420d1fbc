"""Small functions of the old system that croton itself has no use for, or has with other arguments."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

import croton.graph as graph
import croton.tensor as tensor
from croton.compile.testvalues import MissingTestValue, get_test_value
from croton.graph import Apply, Variable
from croton.graph.printing import min_informative_str
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


def var_descriptor(obj: Any, *_: Any) -> str:
    """A text by which graphs can be compared: equal for graphs that look alike, whatever objects they are made of."""
    return min_informative_str(obj) if isinstance(obj, Variable | Apply | list | tuple) else repr(obj)


def hashtype(self: Any) -> int:
    """A hash of the type of an object."""
    return hash((type(self).__module__, type(self).__qualname__))


def format_as(use_list: bool, use_tuple: bool, outputs: Any) -> Any:
    """``outputs`` (one or several) as a list, as a tuple, or as the only one of them.

    >>> format_as(True, False, 3), format_as(False, True, [3, 4]), format_as(False, False, [3])
    ([3], (3, 4), 3)
    """
    if use_list and use_tuple:
        raise ValueError("format_as: outputs cannot be a list and a tuple at once")
    several = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    if use_list or use_tuple:
        return several if use_list else tuple(several)
    if len(several) != 1:
        raise ValueError(f"format_as: {len(several)} outputs cannot be given as one: ask for a list or a tuple")
    return several[0]


class Rebroadcast:
    """``Rebroadcast((axis, broadcastable), ...)(x)`` says of each axis whether it has length 1.

    >>> Rebroadcast((0, True))(tensor.matrix()).broadcastable
    (True, False)
    """

    def __init__(self, *axis: tuple[int, bool]) -> None:
        self.axis = dict(axis)

    def __call__(self, x: Any) -> Any:
        x = tensor.as_tensor_variable(x)
        return tensor.patternbroadcast(x, [bool(self.axis.get(k, b)) for k, b in enumerate(x.broadcastable)])


def get_debug_values(*args: Any) -> list[Any]:
    """What a loop over the test values of some variables runs through: one value, or tuple of values, or nothing.

    Nothing where ``config.compute_test_value`` is 'off', or where one of them has none (then as that flag says).
    """
    if config.compute_test_value == "off":
        return []
    try:
        values = [get_test_value(arg) for arg in args]
    except MissingTestValue as error:
        missing_test_message(str(error))
        return []
    return values if len(values) == 1 else [tuple(values)]


def missing_test_message(msg: str) -> None:
    """Say that a test value is missing, as ``config.compute_test_value`` says: by an error, a warning or not at all."""
    if config.compute_test_value in ("raise", "pdb"):
        raise MissingTestValue(msg)
    if config.compute_test_value == "warn":
        warnings.warn(msg, stacklevel=3)


def debug_error_message(msg: str) -> None:
    """Say that test values are wrong: an exception, or a warning where ``config.compute_test_value`` is 'warn'."""
    if config.compute_test_value == "warn":
        warnings.warn(msg, stacklevel=2)
    else:
        raise ValueError(msg)


def debug_assert(condition: Any, msg: str = "debug_assert failed") -> None:
    """AssertionError (or a warning where ``config.compute_test_value`` is 'warn') unless ``condition`` holds."""
    if condition:
        return
    if config.compute_test_value == "warn":
        warnings.warn(msg, stacklevel=2)
    else:
        raise AssertionError(msg)


def dump(obj: Any, file_handler: Any, protocol: int = 2) -> None:
    """Pickle ``obj``, variables, shared values and functions included, into an open binary file."""
    pickle.dump(obj, file_handler, protocol=protocol)


def load(f: Any) -> Any:
    """What `dump` wrote into the open binary file ``f``.

    Raises ValueError for a file that Theano itself wrote: its objects are not croton's.
    """
    start = f.tell()
    if zipfile.is_zipfile(f):
        raise ValueError(f"{getattr(f, 'name', f)} was written by Theano, whose objects croton does not have")
    f.seek(start)
    return pickle.load(f)


class StripPickler(pickle.Pickler):
    """A pickler; what Theano's left out (where a variable was made) is small here and stays."""

    def __init__(self, file: Any, protocol: int = 0) -> None:
        super().__init__(file, protocol=protocol)


class CompatUnpickler(pickle.Unpickler):
    """An unpickler that also reads what Python 2 wrote."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, encoding="latin1")


# --- theanets.util ---

FLOAT_CONTAINERS = (tensor.scalar, tensor.vector, tensor.matrix, tensor.tensor3, tensor.tensor4)
INT_CONTAINERS = (tensor.iscalar, tensor.ivector, tensor.imatrix, tensor.itensor3, tensor.itensor4)


def __getattr__(name: str) -> Any:
    if name == "FLOAT":
        return config.floatX
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
