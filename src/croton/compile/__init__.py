"""From a graph to a running program: lowering, compiling for shapes, ``function`` and ``shared``."""

from croton.compile.arguments import In, Out, Param
from croton.compile.function import Function, MissingInputError, UnusedInputError, function
from croton.compile.modes import DebugMode, Mode, NanGuardMode, get_default_mode, get_mode
from croton.compile.shared import shared
from croton.compile.testvalues import get_test_value

__all__ = [
    "DebugMode",
    "Function",
    "In",
    "MissingInputError",
    "Mode",
    "NanGuardMode",
    "Out",
    "Param",
    "UnusedInputError",
    "function",
    "get_default_mode",
    "get_mode",
    "get_test_value",
    "shared",
]
