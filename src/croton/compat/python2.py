"""What a program of Python 2's time expects to find, where it can be given cheaply and without harm.

Used by ``croton run`` alone: `help_old_habits` changes builtins, NumPy and pickle for the whole process.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import itertools
import pickle
import re
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from croton.compat.modules import Row, TableFinder, Value


class _Cast:
    """``numpy.cast[dtype](value)``."""

    def __getitem__(self, dtype: Any) -> Callable[[Any], Any]:
        return functools.partial(np.asarray, dtype=dtype)


# Names that modules have lost: those of Python 2, and those that NumPy removed.
NAMES: dict[str, dict[str, Any]] = {
    "builtins": {
        "xrange": range,
        "unicode": str,
        "basestring": str,
        "unichr": chr,
        "long": int,
        "raw_input": input,
        "reduce": functools.reduce,
    },
    "itertools": {"izip": zip, "imap": map, "ifilter": filter, "izip_longest": itertools.zip_longest},
    "time": {"clock": time.perf_counter},
    "numpy": {
        "float": float,
        "int": int,
        "bool": bool,
        "object": object,
        "str": str,
        "complex": complex,
        "long": int,
        "unicode": str,
        "float_": np.float64,
        "complex_": np.complex128,
        "unicode_": np.str_,
        "string_": np.bytes_,
        "Inf": np.inf,
        "Infinity": np.inf,
        "infty": np.inf,
        "PINF": np.inf,
        "NINF": -np.inf,
        "NaN": np.nan,
        "NAN": np.nan,
        "product": np.prod,
        "cumproduct": np.cumprod,
        "sometrue": np.any,
        "alltrue": np.all,
        "row_stack": np.vstack,
        "asscalar": lambda a: np.asarray(a).item(),
        "cast": _Cast(),
    },
}

# Modules that Python 3 renamed.
MODULES: dict[str, dict[str, Row] | str] = {
    "cPickle": "pickle",
    "Queue": "queue",
    "ConfigParser": "configparser",
    "__builtin__": "builtins",
}

_MOVED: dict[str, Row] = {
    **{name: f"builtins:{name}" for name in ("range", "zip", "map", "filter", "input")},
    "xrange": "builtins:range",
    "reduce": "functools:reduce",
    "zip_longest": "itertools:zip_longest",
    "reload_module": "importlib:reload",
    "StringIO": "io:StringIO",
    "cStringIO": "io:StringIO",
}

# The part of six that such programs use, for where six is not installed.
SIX: dict[str, dict[str, Row] | str] = {
    "six": {
        "PY2": Value(False),
        "PY3": Value(True),
        "string_types": Value((str,)),
        "integer_types": Value((int,)),
        "class_types": Value((type,)),
        "text_type": Value(str),
        "binary_type": Value(bytes),
        "MAXSIZE": Value(sys.maxsize),
        "iteritems": Value(lambda mapping: iter(mapping.items())),
        "iterkeys": Value(lambda mapping: iter(mapping.keys())),
        "itervalues": Value(lambda mapping: iter(mapping.values())),
        "print_": "builtins:print",
        "next": "builtins:next",
        "advance_iterator": "builtins:next",
        "callable": "builtins:callable",
        "unichr": "builtins:chr",
        "u": Value(lambda text: text),
        "b": Value(lambda text: text.encode("latin-1")),
        "StringIO": "io:StringIO",
        "BytesIO": "io:BytesIO",
        "add_metaclass": "croton.compat.python2:add_metaclass",
        "with_metaclass": "croton.compat.python2:with_metaclass",
    },
    "six.moves": _MOVED,
    "six.moves.cPickle": "pickle",
    "six.moves.queue": "queue",
    "six.moves.configparser": "configparser",
    "six.moves.builtins": "builtins",
    "six.moves.urllib": {name: f"urllib.{name}" for name in ("request", "parse", "error")},
    "six.moves.urllib.request": "urllib.request",
    "six.moves.urllib.parse": "urllib.parse",
    "six.moves.urllib.error": "urllib.error",
}


def add_metaclass(metaclass: type) -> Callable[[type], type]:
    """A class decorator: the same class, made by ``metaclass``."""

    def decorate(cls: type) -> type:
        left_out = {"__dict__", "__weakref__", *cls.__dict__.get("__slots__", ())}
        namespace = {name: value for name, value in cls.__dict__.items() if name not in left_out}
        return metaclass(cls.__name__, cls.__bases__, namespace)

    return decorate


def with_metaclass(metaclass: type, *bases: type) -> type:
    """A base class whose subclasses are made by ``metaclass`` and have ``bases`` among their bases."""
    return metaclass("with_metaclass", bases, {})


def _bytes_of(file: Any) -> Any:
    """The bytes below a file that was opened as text."""
    if isinstance(file, io.TextIOWrapper):
        file.flush()
        return file.buffer
    return file


_load, _dump = pickle.load, pickle.dump


@functools.wraps(_load)
def load(file: Any, **options: Any) -> Any:
    # Only pickles written by Python 2 ask for the encoding; its str objects were bytes, NumPy's arrays among them.
    return _load(_bytes_of(file), **{"encoding": "latin1", **options})


@functools.wraps(_dump)
def dump(obj: Any, file: Any, protocol: int | None = None, **options: Any) -> None:
    _dump(obj, _bytes_of(file), protocol, **options)


def help_old_habits() -> None:
    """Give this process the old names and modules where they are missing, and a pickle that takes text files."""
    for module, names in NAMES.items():
        present = vars(import_module(module))
        present.update({name: value for name, value in names.items() if name not in present})
    sys.meta_path.append(TableFinder(MODULES))
    if importlib.util.find_spec("six") is None:
        sys.meta_path.append(TableFinder(SIX))
    pickle.load, pickle.dump = load, dump


# What Python 3 cannot parse, as it stands in a line of Python 2.
_PYTHON2 = re.compile(
    r"""
    ^\s*(print|exec)\s+[^\s(=.,:]            # print x, print "x", exec code
    | ^\s*print\s*$
    | \bprint\s*"| \bprint\s*'
    | \bexcept\b[^:]*[\w)]\s*,\s*\w+\s*:     # except Error, e:
    | \braise\s+[\w.]+\s*,                   # raise Error, text
    | <> | `                                 # x <> y, `x`
    | (?<![\w.])0[0-7]+\b | \b\d+[lL]\b      # 0777, 10L
    | \b[uU][rR]['"]                         # ur'...'
    """,
    re.VERBOSE,
)


def python2_advice(error: SyntaxError) -> str | None:
    """What to tell about a line that only Python 2 could read; None for any other syntax error.

    >>> error = SyntaxError("Missing parentheses", ("prog.py", 3, 1, "print 'epoch', n"))
    >>> print(python2_advice(error))
    prog.py is a Python 2 program: line 3, "print 'epoch', n", is not Python 3. ...
    """
    line = (error.text or "").rstrip()
    if not _PYTHON2.search(line):
        return None
    return (
        f'{error.filename} is a Python 2 program: line {error.lineno}, "{line.strip()}", is not Python 3.\n'
        f"Convert it once and run it again: 2to3 -w {error.filename}\n"
        f"(2to3 comes with Python up to 3.12; later: pip install fissix, and python -m fissix -w {error.filename}).\n"
        "It leaves x / y between integers as it is: where a whole number is meant, write x // y."
    )
