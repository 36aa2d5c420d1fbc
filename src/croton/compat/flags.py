"""The table of the old flags.

A flag that croton has under the same name is croton's own setting. Of the others, those that only steered the old
compiler (its directories, its garbage collection, its GPU code) are kept and change nothing; those that would change
results are kept too, and a value that croton does not honour is warned of when it is set.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from croton.settings import FIELDS


def _truth(value: Any) -> bool:
    truths = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    try:
        return truths[str(value).lower()]
    except KeyError:
        raise ValueError(f"{value!r} is neither true nor false") from None


def _member(choices: tuple[str, ...], value: Any) -> str:
    if str(value) not in choices:
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, choices))}")
    return str(value)


class Flag:
    """A flag: its default, how a value is read, and which values croton honours (all, if ``honoured`` is None)."""

    def __init__(
        self,
        default: Any,
        read: Callable[[Any], Any] = str,
        honoured: tuple[Any, ...] | None = None,
        fixed: bool = False,
    ) -> None:
        self.default, self.read, self.honoured, self.fixed = default, read, honoured, fixed


def StrParam(default: str, is_valid: Callable[[Any], bool] | None = None, allow_override: bool = True) -> Flag:
    """A flag that holds text."""
    return Flag(default, _checked(str, is_valid), fixed=not allow_override)


def BoolParam(default: bool, is_valid: Callable[[Any], bool] | None = None, allow_override: bool = True) -> Flag:
    """A flag that is true or false."""
    return Flag(default, _checked(_truth, is_valid), fixed=not allow_override)


def IntParam(default: int, is_valid: Callable[[Any], bool] | None = None, allow_override: bool = True) -> Flag:
    """A flag that holds a whole number."""
    return Flag(default, _checked(int, is_valid), fixed=not allow_override)


def FloatParam(default: float, is_valid: Callable[[Any], bool] | None = None, allow_override: bool = True) -> Flag:
    """A flag that holds a number."""
    return Flag(default, _checked(float, is_valid), fixed=not allow_override)


def EnumStr(default: str, *options: str, allow_override: bool = True) -> Flag:
    """A flag that holds one of some words."""
    return Flag(default, functools.partial(_member, (default, *options)), fixed=not allow_override)


def _checked(read: Callable[[Any], Any], is_valid: Callable[[Any], bool] | None) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        value = read(value)
        if is_valid is not None and not is_valid(value):
            raise ValueError(f"{value!r} is not valid")
        return value

    return checked


# croton's settings that were flags, and what they are at the start of an old program.
SETTINGS = (
    "floatX",
    "mode",
    "optimizer",
    "optimizer_including",
    "optimizer_excluding",
    "on_unused_input",
    "compute_test_value",
)

# Flags that asked for other results, other checks or more output; croton does what the default says.
_UNHONOURED = {
    "cast_policy": EnumStr("custom", "numpy+floatX"),
    "int_division": EnumStr("int", "raise", "floatX"),
    "warn_float64": EnumStr("ignore", "warn", "raise", "pdb"),
    "assert_no_cpu_op": EnumStr("ignore", "warn", "raise", "pdb"),
    "numpy.seterr_all": EnumStr("ignore", "warn", "raise", "call", "print", "log", "None"),
    "NanGuardMode.nan_is_error": BoolParam(True),
    "NanGuardMode.inf_is_error": BoolParam(True),
    "NanGuardMode.big_is_error": BoolParam(True),
    "NanGuardMode.action": EnumStr("raise", "warn", "pdb"),
    "profile": BoolParam(False),
    "profile_memory": BoolParam(False),
    "profile_optimizer": BoolParam(False),
    "print_test_value": BoolParam(False),
}

# Flags that steered the old compiler, and their defaults.
_OLD_COMPILER = """
    allow_gc=True openmp=False
    openmp_elemwise_minsize=200000 optimizer_verbose=False optimizer_requiring= on_opt_error=warn on_shape_error=warn
    linker=cvm cxx= nocleanup=False deterministic=default print_active_device=True print_global_stats=False
  pickle_test_value=True unpickle_function=True reoptimize_unpickled_function=False
    compute_test_value_opt=off check_input=True cache_optimizations=False cycle_detection=regular
    check_stack_trace=off compiledir= compiledir_format= base_compiledir= compile.wait=5 compile.timeout=120
    init_gpu_device= force_device=False contexts= gpuarray.sched=default gpuarray.sync=False
    gpuarray.single_stream=True gpuarray.cache_path= lib.amdlibm=False cuda.root= cuda.include_path=
    cuda.enabled=False nvcc.fastmath=False nvcc.flags= nvcc.compiler_bindir= dnn.enabled=auto dnn.conv.algo_fwd=small
    dnn.conv.algo_bwd= dnn.conv.algo_bwd_data=none dnn.conv.algo_bwd_filter=none dnn.conv.precision=as_input_f32
    dnn.conv.workmem= dnn.conv.workmem_bwd= dnn.base_path= dnn.include_path= dnn.library_path= dnn.bin_path=
    magma.enabled=False magma.include_path= magma.library_path= conv.assert_shape=False ctc.root= gcc.cxxflags=
    blas.ldflags= blas.check_openmp=True vm.lazy=None tensor.cmp_sloppy=0 tensor.local_elemwise_fusion=True
    tensor.insert_inplace_optimizer_validate_nb=-1 gpu.local_elemwise_fusion=True gpuelemwise.sync=True
    traceback.limit=8 traceback.compile_limit=0 experimental.unpickle_gpu_on_cpu=False
    experimental.local_alloc_elemwise=True experimental.local_alloc_elemwise_assert=True
    numpy.seterr_divide=None numpy.seterr_over=None numpy.seterr_under=None
    numpy.seterr_invalid=None scan.allow_gc=False scan.allow_output_prealloc=True scan.debug=False
    metaopt.verbose=0 metaopt.optimizer_including=
    metaopt.optimizer_excluding= cmodule.warn_no_version=False cmodule.remove_gxx_opt=False
    cmodule.compilation_warning=False cmodule.preload_cache=False cmodule.age_thresh_use=2073600 cmodule.debug=False
    profiling.time_thunks=True profiling.n_apply=20 profiling.n_ops=20 profiling.output_line_width=512
    profiling.min_memory_size=1024 profiling.min_peak_memory=False profiling.destination=stderr
    profiling.debugprint=False profiling.ignore_first_call=False
    DebugMode.patience=10 DebugMode.check_c=False DebugMode.check_py=True DebugMode.check_finite=True
    DebugMode.check_strides=0 DebugMode.warn_input_not_reused=True DebugMode.check_preallocated_output=
    DebugMode.check_preallocated_output_ndim=4 warn.ignore_bug_before=0.9 warn.argmax_pushdown_bug=False
    warn.gpusum_01_011_0111_bug=False warn.sum_sum_bug=False warn.sum_div_dimshuffle_bug=False
    warn.subtensor_merge_bug=False warn.gpu_set_subtensor1=False warn.vm_gc_bug=False
    warn.signal_conv2d_interface=False warn.reduce_join=False warn.inc_set_subtensor1=False warn.round=False
    warn.inc_subtensor1_opt=False warn.identify_1pexp_bug=False
"""

# Those whose kind is not that of a default as written above.
_NOT_AS_WRITTEN = {
    "gpuarray.preallocate": FloatParam(0.0),
    "lib.cnmem": FloatParam(0.0),
    "optdb.position_cutoff": FloatParam(float("inf")),
    "optdb.max_use_ratio": FloatParam(8.0),
    "unittests.rseed": StrParam("666"),
}


def _literal(text: str) -> Flag:
    """A flag whose kind is that of its default."""
    if text in ("True", "False"):
        return BoolParam(text == "True")
    try:
        return IntParam(int(text))
    except ValueError:
        return StrParam(text)


def all_flags() -> dict[str, Flag]:
    flags = {name: Flag(FIELDS[name][0]) for name in SETTINGS}
    flags["device"] = Flag("cpu", honoured=("cpu",), fixed=True)
    flags["exception_verbosity"] = EnumStr("low", "high")
    for name, flag in _UNHONOURED.items():
        flags[name] = Flag(flag.default, flag.read, honoured=(flag.default,))
    for row in _OLD_COMPILER.split():
        name, _, default = row.partition("=")
        flags[name] = _literal(default)
    return flags | _NOT_AS_WRITTEN
