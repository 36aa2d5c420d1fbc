"""Running an old program as Python itself would run it."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from croton import compat
from croton.compat.python2 import help_old_habits, python2_advice


def run_script(script: str, arguments: Sequence[str] = (), floatX: str | None = None) -> int:
    """Run the program in the file ``script`` with ``import theano`` served by croton.

    As under ``python SCRIPT``: the program is ``__main__``, its folder comes first on ``sys.path``, ``sys.argv`` is its
    own, ``sys.exit`` leaves with its code, and an exception is shown without croton's own frames above the program's.

    Returns:
        The exit code: 0, 1 after an exception, 130 after Ctrl-C.

    Raises:
        SystemExit: the program asked for it.
    """
    help_old_habits()
    try:
        compat.install(floatX)
    except ValueError as error:
        print(f"croton: {error}", file=sys.stderr)
        return 2
    path = os.path.abspath(script)
    sys.argv = [script, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    main = ModuleType("__main__")
    main.__dict__.update(__file__=path, __builtins__=builtins, __spec__=None, __cached__=None)
    # Pickle looks for the program's own classes in this module, as it does under python SCRIPT.
    sys.modules["__main__"] = main
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        exec(code, main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        _report(error)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _report(error: BaseException) -> None:
    """Show an exception as Python would have, without this module's frame; say what to do about Python 2's syntax."""
    below = error.__traceback__.tb_next if error.__traceback__ is not None else None
    sys.excepthook(type(error), error.with_traceback(below), below)
    advice = python2_advice(error) if isinstance(error, SyntaxError) else None
    if advice is not None:
        print(f"\ncroton: {advice}", file=sys.stderr)
