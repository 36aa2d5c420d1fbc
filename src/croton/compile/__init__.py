"""From a graph to a running program: lowering, compiling for shapes, ``function`` and ``shared``."""

from croton.compile.arguments import In, Out, Param
from croton.compile.builders import OpFromGraph
from croton.compile.function import Function, MissingInputError, UnusedInputError, function
from croton.compile.modes import DebugMode, Mode, MonitorMode, NanGuardMode, get_default_mode, get_mode
from croton.compile.monitor import detect_nan
from croton.compile.ops import FromFunction, UserOp, as_op
from croton.compile.shared import shared
from croton.compile.testvalues import get_test_value
from croton.graph.updates import OrderedUpdates

__all__ = [
    "DebugMode",
    "FromFunction",
    "Function",
    "In",
    "MissingInputError",
    "Mode",
    "MonitorMode",
    "NanGuardMode",
    "OpFromGraph",
    "OrderedUpdates",
    "Out",
    "Param",
    "UnusedInputError",
    "UserOp",
    "as_op",
    "detect_nan",
    "function",
    "get_default_mode",
    "get_mode",
    "get_test_value",
    "shared",
]
