"""Why some old names have no counterpart in croton, for those that are without one by nature."""

from __future__ import annotations

_GPU = "there is no GPU code to reach by its name: functions run on whatever device JAX has"
_COMPILER = "it belongs to the old compiler of C code; XLA compiles croton's functions"
_REWRITES = "it changes how compiled graphs are rewritten; croton's rewrites are chosen by name, with croton.Mode"
_SCALAR = "elementwise ops are ops of tensors here, with no scalar ops inside them"
_CLASSES = "the op goes by another class here"
_GENERIC = "it is about variables that hold any Python object"
_STREAMS = "it is an inner part of the old random streams: use RandomStreams"

# Whole modules, those below them included.
_MODULES = {
    "theano.gpuarray": _GPU,
    "theano.sandbox.cuda": _GPU,
    "theano.sandbox.gpuarray": _GPU,
    "theano.sandbox.multinomial": _STREAMS,
    "theano.tensor.raw_random": _STREAMS,
    "theano.scalar": _SCALAR,
    "theano.typed_list": "there are no variables that hold lists: use a Python list of variables, or a stack of them",
    "theano.d3viz": "drawings are made by croton.draw",
    "theano.tensor.io": "inputs are loaded with numpy.load and given as arguments",
    "theano.tensor.blas": "products are written with dot; the engine chooses how to compute them",
    "theano.tensor.nnet.corr": "convolutions are written with nnet.conv2d; the engine chooses how to compute them",
    "theano.compile.profiling": "profiles are taken with jax.profiler",
    "theano.misc": "it was an inner helper of the old system",
    "theano.gof.toolbox": _REWRITES,
    "theano.gof.opt": _REWRITES,
    "theano.tensor.utils": "it was an inner helper of the old system",
}

# Names, wherever they stand.
_NAMES = {
    _COMPILER: """
        PureOp COp OpenMPOp CLinker Linker PerformLinker Container FunctionGraph FunctionMaker default_make_thunk
        ParamsType ViewOp view_op DeepCopyOp deep_copy_op predefined_linkers register_linker FAST_RUN FAST_COMPILE
        ProfileStats ldflags object2
    """,
    _REWRITES: """
        optdb register_optimizer predefined_optimizers register_mode predefined_modes local_optimizer Optimizer
        LocalOptimizer TopoOptimizer EquilibriumOptimizer SeqOptimizer PatternSub OpSub OpRemove MergeOptimizer
        EquilibriumDB SequenceDB Query register_canonicalize InconsistencyError
    """,
    _GENERIC: "Generic generic",
    _CLASSES: "CAReduce Sum Prod All Any Raise",
    _SCALAR: "scalar_sigmoid ScalarSigmoid sigmoid_inplace",
    "convolutions are written with nnet.conv2d and nnet.conv3d; the engine chooses how to compute them": """
        ConvOp Conv3D
    """,
    "indexing makes nodes of two classes, Subtensor and IncSubtensor, whatever the index": """
        AdvancedSubtensor AdvancedSubtensor1 AdvancedIncSubtensor AdvancedIncSubtensor1
    """,
    "a function's inputs are variables or In objects": """
        SymbolicInput SymbolicOutput pfunc rebuild_collect_shared
    """,
    "graphs are walked with the functions of croton.graph": """
        variables orphans ops clone_get_equiv is_in_ancestors equal_computations list_of_nodes stack_search
        map_variables flatten scratchpad
    """,
    "shared variables are made by croton.shared": "tensor_constructor scalar_constructor",
    "inputs are loaded with numpy.load and given as arguments": "load",
    "croton's tests are run with pytest": "test",
    "graphs are printed with pp and debugprint": "_TagGenerator",
    "old modes that compare two compilers have nothing to compare here": "DebugModeError InvalidValueError",
}
_BY_NAME = {name: reason for reason, names in _NAMES.items() for name in names.split()}


def why(name: str) -> str:
    """Why croton lacks the old ``name`` (in full) by nature; empty where it merely has no counterpart.

    >>> why("theano.sandbox.cuda.dnn.dnn_conv")
    'there is no GPU code to reach by its name: functions run on whatever device JAX has'
    """
    parts = name.split(".")
    for length in range(len(parts), 1, -1):
        reason = _MODULES.get(".".join(parts[:length])) or _BY_NAME.get(parts[length - 1])
        if reason:
            return reason
    return ""
