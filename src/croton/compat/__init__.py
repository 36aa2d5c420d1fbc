"""Old programs, unchanged: ``import theano``, ``theanets`` and ``downhill`` served by croton.

`install` makes the old module names importable in this process; the command ``croton run SCRIPT`` does so for a whole
program. Which names there are, and where croton has each, is the table in `croton.compat.names`.
"""

from __future__ import annotations

import sys
from typing import Any

from croton.compat.config import apply_flags, change_flags, config, lookup, read_flags
from croton.compat.modules import OldModule, TableFinder
from croton.compat.names import MODULES
from croton.compat.netnames import HELPERS
from croton.compat.unsupported import UnsupportedName

__all__ = ["UnsupportedName", "install", "uninstall"]

_finder, _helper = TableFinder(MODULES), TableFinder(HELPERS)
_before: dict[str, Any] = {}


def _ours(name: str) -> bool:
    return name in {**MODULES, **HELPERS} and isinstance(sys.modules[name], OldModule)


def install(floatX: str | None = None) -> None:
    """Let this process import ``theano``, ``theanets`` and ``downhill`` from croton, before any that are installed.

    Flags are read from ``.theanorc`` and ``THEANO_FLAGS``. ``croton.config.floatX`` becomes ``floatX``, or what a flag
    says, or else ``'float64'``, as it was in Theano. A second call changes nothing but, if given, ``floatX``.

    Raises:
        ImportError: another ``theano``, ``theanets`` or ``downhill`` has been imported already.
        ValueError: a flag has a value that it cannot have.

    >>> import croton.compat
    >>> croton.compat.install(floatX='float32')
    >>> import theano.tensor as T
    >>> T.matrix('x').dtype
    'float32'
    >>> croton.compat.uninstall()
    """
    for root in ("theano", "theanets", "downhill"):
        if root in sys.modules and not _ours(root):
            where = getattr(sys.modules[root], "__file__", "elsewhere")
            raise ImportError(
                f"{root} has been imported already, from {where}: call croton.compat.install() before that"
            )
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
    sys.meta_path.append(_helper)


def uninstall() -> None:
    """Undo `install`: the old names cannot be imported any more, and the settings are what they were before it."""
    if _finder not in sys.meta_path:
        return
    for finder in (_finder, _helper):
        sys.meta_path.remove(finder)
    for name in [name for name in sys.modules if _ours(name)]:
        del sys.modules[name]
    change_flags._restore(_before)
    _before.clear()
