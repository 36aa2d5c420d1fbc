"""croton: symbolic expressions, differentiated, made numerically safe, and compiled by XLA."""

# ruff: noqa: E402
from croton.native.build import prepare

# Before the other imports, which take as long as the kernels' compilation, where that is still to be done.
prepare()

from croton import gradient, loop, printing, sparse, tensor
from croton.cache import keep_compiled
from croton.compile import (
    DebugMode,
    Function,
    In,
    MissingInputError,
    Mode,
    NanGuardMode,
    Out,
    UnusedInputError,
    function,
    shared,
)
from croton.devices import ask_for_devices
from croton.gradient import Lop, Rop, grad, hessian, jacobian
from croton.graph import Apply, Constant, Op, SharedVariable, Variable, clone, debugprint, draw, pp
from croton.loop import scan
from croton.settings import config

__version__ = "0.1.0"

keep_compiled()
ask_for_devices()

__all__ = [
    "Apply",
    "Constant",
    "DebugMode",
    "Function",
    "In",
    "Lop",
    "MissingInputError",
    "Mode",
    "NanGuardMode",
    "Op",
    "Out",
    "Rop",
    "SharedVariable",
    "UnusedInputError",
    "Variable",
    "clone",
    "config",
    "debugprint",
    "draw",
    "function",
    "grad",
    "gradient",
    "hessian",
    "jacobian",
    "loop",
    "pp",
    "printing",
    "scan",
    "shared",
    "sparse",
    "tensor",
]

_LATER = ("compat", "datasets", "estimators", "nets")


def __getattr__(name: str) -> object:
    if name in _LATER:
        import importlib

        return importlib.import_module(f"croton.{name}")
    raise AttributeError(f"module 'croton' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])
