"""Old programs, unchanged: ``import theano`` served by croton.

`install` makes the old module names importable in this process; the command ``croton run SCRIPT`` does so for a whole
program. Which names there are, and where croton has each, is the table in `croton.compat.names`.
"""

from __future__ import annotations

import sys
from typing import Any

from croton.compat.config import apply_flags, change_flags, config, lookup, read_flags
from croton.compat.modules import OldModule, TableFinder
from croton.compat.names import MODULES
from croton.compat.unsupported import UnsupportedName

__all__ = ["UnsupportedName", "install", "uninstall"]

_finder = TableFinder(MODULES)
_before: dict[str, Any] = {}


def _ours(name: str) -> bool:
    return name in MODULES and isinstance(sys.modules[name], OldModule)


def install(floatX: str | None = None) -> None:
    """Let this process import ``theano`` and its modules from croton, before any other ``theano`` that is installed.

    Flags are read from ``.theanorc`` and ``THEANO_FLAGS``. ``croton.config.floatX`` becomes ``floatX``, or what a flag
    says, or else ``'float64'``, as it was in Theano. A second call changes nothing but, if given, ``floatX``.

    Raises:
        ImportError: another ``theano`` has been imported already.
        ValueError: a flag has a value that it cannot have.

    >>> import croton.compat
    >>> croton.compat.install(floatX='float32')
    >>> import theano.tensor as T
    >>> T.matrix('x').dtype
    'float32'
    >>> croton.compat.uninstall()
    """
    if "theano" in sys.modules and not _ours("theano"):
        where = getattr(sys.modules["theano"], "__file__", "elsewhere")
        raise ImportError(f"theano has been imported already, from {where}: call croton.compat.install() before that")
    if _finder in sys.meta_path:
        if floatX is not None:
            config.floatX = floatX
        return
    before = {name: lookup(name) for name in config._flags}
    given = {"floatX": "float64", **read_flags()}
    if floatX is not None:
        given["floatX"] = floatX
    apply_flags(given)
    _before.update(before)
    sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Undo `install`: the old names cannot be imported any more, and the settings are what they were before it."""
    if _finder not in sys.meta_path:
        return
    sys.meta_path.remove(_finder)
    for name in [name for name in sys.modules if _ours(name)]:
        del sys.modules[name]
    change_flags._restore(_before)
    _before.clear()
