"""The one table of old names: which modules programs import, the names in them, and where croton has each.

A row points to ``module:attribute``. Where croton has nothing at that place, the name can still be imported, and
raises when it is used; so a row may be written before its counterpart, and starts to work when that comes. ``None``
marks a name that has no counterpart by nature.
"""

from __future__ import annotations

from croton.compat.modules import Row, Value
from croton.compat.netnames import NETS


def _in(home: str, names: str) -> dict[str, Row]:
    """Names that croton has, or will have, under the same name in ``home``."""
    return {name: f"{home}:{name}" for name in names.split()}


def _never(names: str) -> dict[str, Row]:
    """Names whose subject (the C compiler, the old GPU code, the linkers) has gone."""
    return dict.fromkeys(names.split())


_KINDS = "scalar vector row col matrix tensor3 tensor4 tensor5 tensor6 tensor7"
_PLURALS = "scalars vectors rows cols matrices tensor3s tensor4s tensor5s tensor6s tensor7s"

_VARIABLES = " ".join(
    [prefix + kind for prefix in ("", *"bwilfdcz") for kind in _KINDS.split()]
    + [prefix + kind for prefix in ("", *"ilfd") for kind in _PLURALS.split()]
)

_ELEMENTWISE = """
    abs_ add sub mul true_div int_div floor_div mod pow neg inv exp exp2 expm1 log log2 log10 log1p sqr
    sqrt sgn ceil floor trunc round iround round_half_to_even round_half_away_from_zero maximum minimum clip
    cos sin tan arccos arcsin arctan arctan2 cosh sinh tanh arccosh arcsinh arctanh deg2rad rad2deg erf erfc erfcx
    erfinv erfcinv gamma gammaln gammainc gammaincc gammau gammal psi tri_gamma chi2sf j0 j1 jv i0 i1 iv
    eq neq lt le gt ge isnan isinf isclose allclose switch where and_ or_ xor invert
    bitwise_and bitwise_or bitwise_xor bitwise_not
    real imag angle conj complex complex_from_polar cast fill second identity_like ceil_intdiv divmod
"""

_REDUCTIONS = "sum prod mean var std max min ptp argmax argmin max_and_argmax all any cumsum cumprod"

_SHAPES = """
    shape shape_padleft shape_padright shape_padaxis reshape flatten transpose swapaxes roll tile repeat squeeze
    join concatenate stack stacklists horizontal_stack vertical_stack split addbroadcast unbroadcast patternbroadcast
    specify_shape is_flat diag diagonal tril triu tri choose take permute_row_elements inverse_permutation
    set_subtensor inc_subtensor nonzero flatnonzero nonzero_values sort argsort topk argtopk topk_and_argtopk
    unravel_index ravel_multi_index bincount bartlett fill_diagonal fill_diagonal_offset
"""

_CREATION = """
    as_tensor_variable constant zeros ones zeros_like ones_like alloc eye arange mgrid ogrid
    tensor_copy scalar_from_tensor tensor_from_scalar get_scalar_constant_value get_vector_length extract_constant
    make_slice default transfer
"""

_PRODUCTS = "dot batched_dot tensordot batched_tensordot outer cov"

_CLASSES = """
    TensorType TensorVariable TensorConstant Elemwise DimShuffle CAReduce Subtensor IncSubtensor AdvancedSubtensor
    AdvancedSubtensor1 AdvancedIncSubtensor AdvancedIncSubtensor1 Reshape Join Split Alloc ARange Dot Eye Rebroadcast
    MaxAndArgmax Argmax Shape SpecifyShape Sum Tile Flatten Nonzero
    ScalarFromTensor TensorFromScalar PermuteRowElements ExtractDiag AllocDiag
"""

_ERRORS = "NotScalarConstantError EmptyConstantError ShapeError AsTensorError"

_GRADIENTS = """
    grad Rop Lop jacobian hessian subgraph_grad verify_grad numeric_grad consider_constant disconnected_grad zero_grad
    undefined_grad grad_clip grad_scale grad_not_implemented grad_undefined format_as
    DisconnectedInputError NullTypeGradError GradientError DisconnectedType
"""

_INTS, _UINTS = ["int8", "int16", "int32", "int64"], ["uint8", "uint16", "uint32", "uint64"]
_FLOATS, _COMPLEXES = ["float16", "float32", "float64"], ["complex64", "complex128"]

_DTYPES: dict[str, Row] = {
    "int_dtypes": Value(_INTS),
    "uint_dtypes": Value(_UINTS),
    "float_dtypes": Value(_FLOATS),
    "complex_dtypes": Value(_COMPLEXES),
    "integer_dtypes": Value(_INTS + _UINTS),
    "discrete_dtypes": Value(["bool", *_INTS, *_UINTS]),
    "continuous_dtypes": Value(_FLOATS + _COMPLEXES),
    "all_dtypes": Value(["bool", *_INTS, *_UINTS, *_FLOATS, *_COMPLEXES]),
}

# What programs derive ops of their own from.
_OP: dict[str, Row] = {"Op": "croton.compile:UserOp"}

_GRAPH: dict[str, Row] = {**_in("croton.graph", "Variable Constant Apply Type"), **_OP}

_TENSOR: dict[str, Row] = {
    **_in("croton.tensor", _VARIABLES),
    **_in("croton.tensor", _ELEMENTWISE + _REDUCTIONS + _SHAPES + _CREATION + _PRODUCTS + _CLASSES + _ERRORS),
    **_DTYPES,
    **_in("croton.gradient", "grad Rop Lop jacobian hessian verify_grad numeric_grad consider_constant"),
    **_in("croton.gradient", "grad_not_implemented grad_undefined DisconnectedType"),
    **_GRAPH,
    "tensor": "croton.tensor:tensor",
    "as_tensor": "croton.tensor:as_tensor_variable",
    "power": "croton.tensor:pow",
    "square": "croton.tensor:sqr",
    **_in("croton.compat.shims", "largest smallest"),
    "_shared": "croton:shared",
    "config": "croton.compat.config:config",
    "pprint": "croton:pp",
    **_in("croton.compat.shims", "hashtype Rebroadcast"),
    "min_informative_str": "croton.printing:min_informative_str",
    "ParamsType": None,
    "load": None,
    "python_all": "builtins:all",
    "python_any": "builtins:any",
    "python_complex": "builtins:complex",
}

_SHARED: dict[str, Row] = {
    "SharedVariable": "croton.graph:SharedVariable",
    "TensorSharedVariable": "croton.tensor:TensorSharedVariable",
    "ScalarSharedVariable": "croton.tensor:ScalarSharedVariable",
    "shared": "croton:shared",
}

_ACTIVATIONS = """
    sigmoid ultra_fast_sigmoid hard_sigmoid softplus softmax softmax_with_bias softmax_graph softmax_grad logsoftmax
    softsign softminus relu elu selu
"""

_NNET: dict[str, Row] = _in(
    "croton.tensor.nnet",
    _ACTIVATIONS
    + """
    binary_crossentropy sigmoid_binary_crossentropy categorical_crossentropy crossentropy_categorical_1hot
    crossentropy_softmax_1hot crossentropy_softmax_1hot_with_bias crossentropy_softmax_1hot_with_bias_dx
    crossentropy_softmax_argmax_1hot_with_bias crossentropy_softmax_max_and_argmax_1hot
    crossentropy_softmax_max_and_argmax_1hot_with_bias
    prepend_scalar_to_each_row prepend_0_to_each_row prepend_1_to_each_row confusion_matrix h_softmax
    batch_normalization conv2d conv2d_transpose conv2d_grad_wrt_inputs conv3d separable_conv2d
    softmax_op logsoftmax_op scalar_sigmoid sigmoid_inplace ScalarSigmoid Softmax SoftmaxGrad LogSoftmax
    SoftmaxWithBias CrossentropySoftmaxArgmax1HotWithBias CrossentropySoftmax1HotWithBiasDx
    CrossentropyCategorical1Hot ConvOp Conv3D
    """,
)

_CONVOLUTIONS = """
    conv2d conv3d conv2d_grad_wrt_inputs conv2d_grad_wrt_weights conv3d_grad_wrt_inputs conv3d_grad_wrt_weights
    separable_conv2d separable_conv3d causal_conv1d bilinear_upsampling get_conv_output_shape
    AbstractConv2d AbstractConv2d_gradInputs AbstractConv2d_gradWeights
    AbstractConv3d AbstractConv3d_gradInputs AbstractConv3d_gradWeights
"""

_POOLING = "pool_2d pool_3d max_pool_2d_same_size Pool"

_LOOPS = "scan map reduce foldl foldr"

_RANDOM = "uniform normal binomial multinomial poisson permutation random_integers choice"

_SPARSE: dict[str, Row] = {
    **_in(
        "croton.sparse",
        """
    csr_matrix csc_matrix bsr_matrix matrix csr_fmatrix csr_dmatrix csc_fmatrix csc_dmatrix CSR CSC CSM
    SparseType SparseVariable SparseConstant as_sparse as_sparse_variable as_sparse_or_tensor_variable
    dense_from_sparse csr_from_dense csc_from_dense csm_properties csm_data csm_indices csm_indptr csm_shape
    dot structured_dot true_dot transpose add sub mul neg hstack vstack cast sp_sum sp_zeros_like sp_ones_like
    diag square_diagonal row_scale col_scale remove0 clean sampling_dot usmm structured_sigmoid structured_exp
    structured_log structured_pow structured_add structured_maximum structured_minimum
    sin tan tanh arcsin arctan sinh arcsinh arctanh rint sgn ceil floor deg2rad rad2deg log1p expm1 sqr sqrt
    """,
    ),
    "enable_sparse": "croton.sparse:enable_sparse",
}

_GPU_ARRAYS = """
    as_gpuarray_variable gpu_contiguous host_from_gpu GpuFromHost HostFromGpu GpuKernelBase Kernel GpuContiguous
    gpuarray_helper_inc_dir infer_context_name get_context GpuArrayType GpuArrayVariable GpuArraySharedVariable
    gpuarray_shared_constructor gpu_context_type get_scalar_type
"""

_CUDA = """
    CudaNdarray CudaNdarrayType CudaNdarrayVariable CudaNdarrayConstant CudaNdarraySharedVariable cuda_ndarray
    host_from_gpu gpu_from_host gpu_contiguous as_cuda_ndarray_variable float32_shared_constructor GpuOp
"""

_NO_DNN: dict[str, Row] = {
    **_in("croton.compat.gpu", "dnn_available dnn_present"),
    **_never("dnn_conv dnn_conv3d dnn_pool dnn_gradinput dnn_gradweight dnn_batch_normalization_train GpuDnnConv"),
    **_never("GpuDnnConvDesc GpuDnnConvGradI GpuDnnConvGradW GpuDnnPool GpuDnnSoftmax dnn_batch_normalization_test"),
}

_CONFIGURATION: dict[str, Row] = {
    **_in("croton.compat.config", "config AddConfigVar change_flags"),
    **_in("croton.compat.flags", "BoolParam IntParam FloatParam StrParam EnumStr"),
}

_GOF_GRAPH: dict[str, Row] = {
    **_in("croton.graph", "Variable Constant Apply clone"),
    **_in("croton.compat.shims", "ancestors inputs io_toposort"),
    **_never("variables orphans ops clone_get_equiv is_in_ancestors equal_computations list_of_nodes stack_search"),
}

_GOF_OP: dict[str, Row] = {
    **_OP,
    "get_test_value": "croton.compile:get_test_value",
    **_in("croton.compat.shims", "get_debug_values debug_assert debug_error_message missing_test_message"),
    **_never("PureOp COp OpenMPOp"),
}

_OPTIMIZERS = """
    local_optimizer Optimizer LocalOptimizer TopoOptimizer EquilibriumOptimizer SeqOptimizer PatternSub OpSub OpRemove
    MergeOptimizer EquilibriumDB SequenceDB Query FunctionGraph Container Linker PerformLinker CLinker
"""

_GOF: dict[str, Row] = {
    **_GRAPH,
    "MethodNotDefined": "croton.compat.shims:MethodNotDefined",
    "MissingInputError": "croton:MissingInputError",
    **_never(_OPTIMIZERS + "PureOp OpenMPOp COp Generic generic InconsistencyError object2"),
    "hashtype": "croton.compat.shims:hashtype",
}

_COMPILE: dict[str, Row] = {
    "function": "croton:function",
    "shared": "croton:shared",
    "SharedVariable": "croton.graph:SharedVariable",
    "In": "croton:In",
    "Out": "croton:Out",
    **_in("croton.compile", "Param Function Mode UnusedInputError NanGuardMode DebugMode MonitorMode get_default_mode"),
    **_in("croton.compile", "get_mode OpFromGraph as_op Rebroadcast SpecifyShape Shape_i"),
    "rebuild_collect_shared": None,
    "specify_shape": "croton.tensor:specify_shape",
    **_never("optdb register_optimizer register_linker register_mode predefined_modes predefined_linkers"),
    **_never("predefined_optimizers FunctionMaker ProfileStats SymbolicInput SymbolicOutput ViewOp view_op"),
    **_never("DeepCopyOp deep_copy_op FAST_RUN FAST_COMPILE"),
}

_PRINTING: dict[str, Row] = {
    "Print": "croton.printing:Print",
    "pp": "croton:pp",
    "pprint": "croton:pp",
    "debugprint": "croton:debugprint",
    "pydotprint": "croton.compat.shims:pydotprint",
    "min_informative_str": "croton.printing:min_informative_str",
    "var_descriptor": "croton.compat.shims:var_descriptor",
    "_TagGenerator": None,
    "pydot_imported": Value(False),
}

_SCAN_UTILS: dict[str, Row] = {"until": "croton.loop:until", "clone": "croton:clone", "map_variables": None}

_NLINALG = """
    det matrix_inverse pinv matrix_dot matrix_power trace diag extract_diag alloc_diag eig eigh svd qr norm lstsq
    tensorinv tensorsolve
"""

_SLINALG = """
    cholesky solve solve_lower_triangular solve_upper_triangular solve_symmetric eigvalsh expm kron
"""

_SCALAR: dict[str, Row] = {
    "upcast": "croton.tensor.types:upcast",
    "all_types": Value(["bool", *_INTS, *_UINTS, *_FLOATS, *_COMPLEXES]),
    **_never("Scalar ScalarOp UnaryScalarOp BinaryScalarOp Composite Identity identity bool add mul sub pow"),
    **_never("as_scalar get_scalar_type upgrade_to_float same_out float32 float64 int32 int64 int8 cast"),
    **_never("IntegerDivisionError ComplexError"),
}

_ASARRAY: dict[str, Row] = {"_asarray": "croton.compat.shims:_asarray"}

_ASSERT: dict[str, Row] = {
    **_in("croton.tensor", "Assert assert_op"),
    "assert_": "croton.tensor:assert_op",
}

_VERSION: dict[str, Row] = {
    "version": Value("1.0.5"),
    "full_version": Value("1.0.5"),
    "short_version": Value("1.0.5"),
    "git_revision": Value(""),
    "release": Value(True),
}

# Old module: its names.
MODULES: dict[str, dict[str, Row] | str] = {
    "theano": {
        "__version__": Value("1.0.5"),
        "__api_version__": Value(1),
        **_in("croton.compat.config", "config change_flags"),
        "function": "croton:function",
        "shared": "croton:shared",
        "In": "croton:In",
        "Out": "croton:Out",
        "Param": "croton.compile:Param",
        "Mode": "croton:Mode",
        "OpFromGraph": "croton.compile:OpFromGraph",
        "as_op": "croton.compile:as_op",
        **_in("croton.gradient", "grad Rop Lop subgraph_grad"),
        **_in("croton.loop", _LOOPS + " scan_checkpoints"),
        "clone": "croton:clone",
        "dot": "croton.tensor:dot",
        "get_scalar_constant_value": "croton.tensor:get_scalar_constant_value",
        "pp": "croton:pp",
        "pprint": "croton:pp",
        "OrderedUpdates": "croton.compile:OrderedUpdates",
        **_GRAPH,
        **_ASARRAY,
        "sparse_grad": "croton.tensor:sparse_grad",
        "predefined_modes": None,
        "ProfileStats": None,
        "FunctionGraph": None,
        "FunctionMaker": None,
        **_never("Generic generic InconsistencyError"),
        "Container": None,
        "CLinker": None,
        "OpenMPOp": None,
        "test": None,
    },
    "theano.version": _VERSION,
    "theano.configparser": {**_CONFIGURATION, "TheanoConfigParser": "croton.compat.config:Section"},
    "theano.configdefaults": _CONFIGURATION,
    "theano.updates": {"OrderedUpdates": "croton.compile:OrderedUpdates"},
    "theano.gradient": {**_in("croton.gradient", _GRADIENTS), "format_as": "croton.compat.shims:format_as"},
    "theano.ifelse": _in("croton.tensor", "ifelse IfElse"),
    "theano.raise_op": {**_ASSERT, "Raise": None},
    "theano.printing": _PRINTING,
    "theano.scalar": _SCALAR,
    "theano.scalar.basic": _SCALAR,
    "theano.scan_module": {**_in("croton.loop", _LOOPS + " until scan_checkpoints"), "clone": "croton:clone"},
    "theano.scan_module.scan": _in("croton.loop", "scan until"),
    "theano.scan_module.scan_views": _in("croton.loop", "map reduce foldl foldr"),
    "theano.scan_module.scan_utils": _SCAN_UTILS,
    "theano.scan_module.scan_op": {"Scan": "croton.loop:Scan"},
    "theano.gof": _GOF,
    "theano.gof.graph": _GOF_GRAPH,
    "theano.gof.op": _GOF_OP,
    "theano.gof.type": {"Type": "croton.graph:Type", **_never("Generic generic")},
    "theano.gof.fg": {"MissingInputError": "croton:MissingInputError", "FunctionGraph": None},
    "theano.gof.utils": {**_in("croton.compat.shims", "MethodNotDefined hashtype"), **_never("flatten scratchpad")},
    "theano.gof.null_type": _in("croton.gradient", "NullType"),
    "theano.gof.opt": _never(_OPTIMIZERS),
    "theano.gof.toolbox": _never("Feature ReplaceValidate NoOutputFromInplace"),
    "theano.compile": _COMPILE,
    "theano.compile.function": {"function": "croton:function"},
    "theano.compile.function_module": _in("croton.compile", "Function UnusedInputError"),
    "theano.compile.io": {"In": "croton:In", "Out": "croton:Out"},
    "theano.compile.pfunc": {"Param": "croton.compile:Param", "pfunc": None, "rebuild_collect_shared": None},
    "theano.compile.mode": {
        **_in("croton.compile", "Mode get_default_mode get_mode"),
        **_never("register_mode register_optimizer optdb predefined_modes predefined_linkers predefined_optimizers"),
    },
    "theano.compile.ops": {**_in("croton.compile", "as_op"), "specify_shape": "croton.tensor:specify_shape"},
    "theano.compile.builders": _in("croton.compile", "OpFromGraph"),
    "theano.compile.sharedvalue": {**_SHARED, "generic": None},
    "theano.compile.nanguardmode": _in("croton.compile", "NanGuardMode"),
    "theano.compile.monitormode": _in("croton.compile", "MonitorMode detect_nan"),
    "theano.compile.debugmode": {
        **_in("croton.compile", "DebugMode"),
        **_never("DebugModeError InvalidValueError default_make_thunk"),
    },
    "theano.compile.profiling": _never("ProfileStats"),
    "theano.tensor": _TENSOR,
    "theano.tensor.basic": _TENSOR,
    "theano.tensor.var": {
        **_in("croton.tensor", "TensorVariable TensorConstant AsTensorError"),
        "_tensor_py_operators": "croton.tensor:TensorVariable",
    },
    "theano.tensor.type": _in("croton.tensor", "TensorType"),
    "theano.tensor.sharedvar": {**_SHARED, **_never("tensor_constructor scalar_constructor")},
    "theano.tensor.elemwise": {**_in("croton.tensor", "Elemwise DimShuffle"), **_never("CAReduce Sum Prod All Any")},
    "theano.tensor.subtensor": _in(
        "croton.tensor",
        """
        Subtensor IncSubtensor AdvancedSubtensor AdvancedSubtensor1 AdvancedIncSubtensor AdvancedIncSubtensor1
        set_subtensor inc_subtensor take
        """,
    ),
    "theano.tensor.extra_ops": _in(
        "croton.tensor",
        """
        bartlett bincount compress cumprod cumsum diff fill_diagonal fill_diagonal_offset ravel_multi_index repeat
        searchsorted squeeze to_one_hot unravel_index Unique cpu_contiguous
        """,
    ),
    "theano.tensor.sort": _in("croton.tensor", "sort argsort topk argtopk topk_and_argtopk"),
    "theano.tensor.xlogx": _in("croton.tensor", "xlogx xlogy0"),
    "theano.tensor.opt": {**_ASSERT, **_in("croton.tensor", "ShapeError"), **_never("register_canonicalize")},
    "theano.tensor.inplace": {},
    "theano.tensor.utils": _never("hash_from_ndarray shape_of_variables"),
    "theano.tensor.io": _never("load send recv isend irecv MPI LoadFromDisk"),
    "theano.tensor.fft": _in("croton.tensor.fft", "rfft irfft"),
    "theano.tensor.blas": {**_in("croton.tensor", "batched_dot"), **_never("gemm gemv ger Gemm Gemv Ger ldflags")},
    "theano.tensor.nlinalg": _in("croton.tensor.linalg", _NLINALG),
    "theano.tensor.slinalg": _in("croton.tensor.linalg", _SLINALG),
    "theano.tensor.raw_random": {
        **_in("croton.tensor.random", _RANDOM),
        **_never("RandomFunction RandomStreamsBase random_state_type"),
    },
    "theano.tensor.shared_randomstreams": _in("croton.tensor.random", "RandomStreams RandomStateSharedVariable"),
    "theano.tensor.nnet": _NNET,
    "theano.tensor.nnet.nnet": _NNET,
    "theano.tensor.nnet.sigm": _in(
        "croton.tensor.nnet",
        "sigmoid ultra_fast_sigmoid hard_sigmoid softplus scalar_sigmoid sigmoid_inplace ScalarSigmoid",
    ),
    "theano.tensor.nnet.bn": _in(
        "croton.tensor.nnet", "batch_normalization batch_normalization_train batch_normalization_test"
    ),
    "theano.tensor.nnet.abstract_conv": _in("croton.tensor.conv", _CONVOLUTIONS),
    "theano.tensor.nnet.conv": {"conv2d": "croton.tensor.conv.old:conv2d", "ConvOp": None},
    "theano.tensor.nnet.conv3d2d": {"conv3d": "croton.tensor.conv.old:conv3d"},
    "theano.tensor.nnet.corr": _never("CorrMM CorrMM_gradInputs CorrMM_gradWeights"),
    "theano.tensor.nnet.neighbours": _in("croton.tensor.nnet.neighbours", "images2neibs neibs2images Images2Neibs"),
    "theano.tensor.nnet.blocksparse": _in("croton.tensor.nnet.blocksparse", "sparse_block_dot sparse_block_outer"),
    "theano.tensor.nnet.ctc": _in("croton.tensor.nnet.ctc", "ctc"),
    "theano.tensor.signal": {},
    "theano.tensor.signal.pool": _in("croton.tensor.pool", _POOLING),
    "theano.tensor.signal.downsample": {
        **_in("croton.tensor.pool", "max_pool_2d max_pool_2d_same_size"),
        "DownsampleFactorMax": "croton.tensor.pool:Pool",
    },
    "theano.tensor.signal.conv": {"conv2d": "croton.tensor.signal:conv2d"},
    "theano.sparse": _SPARSE,
    "theano.sparse.basic": _SPARSE,
    "theano.sparse.type": _in("croton.sparse", "SparseType"),
    "theano.sparse.sharedvar": _in("croton.sparse", "SparseTensorSharedVariable"),
    "theano.typed_list": _never("TypedListType TypedListVariable append extend insert remove reverse length count"),
    "theano.misc": {},
    "theano.misc.safe_asarray": _ASARRAY,
    "theano.misc.pkl_utils": _in("croton.compat.shims", "dump load StripPickler CompatUnpickler"),
    "theano.misc.strutil": _never("render_string"),
    "theano.d3viz": _never("d3viz d3write"),
    "theano.compat": {
        "OrderedDict": "collections:OrderedDict",
        "PY3": Value(True),
        "izip": "builtins:zip",
        "imap": "builtins:map",
        "ifilter": "builtins:filter",
        "configparser": "configparser",
    },
    "theano.compat.python2x": {"OrderedDict": "collections:OrderedDict"},
    "theano.sandbox": {},
    "theano.sandbox.rng_mrg": _in("croton.tensor.random", "MRG_RandomStreams guess_n_streams"),
    "theano.sandbox.softsign": _in("croton.tensor.nnet", "softsign"),
    "theano.sandbox.neighbours": _in("croton.tensor.nnet.neighbours", "images2neibs neibs2images Images2Neibs"),
    "theano.sandbox.linalg": _in("croton.tensor.linalg", _NLINALG + _SLINALG),
    "theano.sandbox.linalg.ops": _in("croton.tensor.linalg", _NLINALG + _SLINALG),
    "theano.sandbox.multinomial": _never("MultinomialFromUniform"),
    "theano.sandbox.cuda": {
        "cuda_available": Value(False),
        "cuda_enabled": Value(False),
        "use": "croton.compat.gpu:use",
        **_never(_CUDA),
    },
    "theano.sandbox.cuda.basic_ops": _never(_CUDA),
    "theano.sandbox.cuda.type": _never("CudaNdarrayType"),
    "theano.sandbox.cuda.var": _never("CudaNdarrayVariable CudaNdarraySharedVariable float32_shared_constructor"),
    "theano.sandbox.cuda.blas": _never("GpuCorrMM GpuCorrMM_gradInputs GpuCorrMM_gradWeights GpuGemm"),
    "theano.sandbox.cuda.dnn": _NO_DNN,
    "theano.sandbox.cuda.rng_curand": _never("CURAND_RandomStreams"),
    "theano.sandbox.gpuarray": {"pygpu_activated": Value(False)},
    "theano.gpuarray": {
        "pygpu_activated": Value(False),
        "use": "croton.compat.gpu:use",
        **_never(_GPU_ARRAYS),
    },
    "theano.gpuarray.basic_ops": _never(_GPU_ARRAYS),
    "theano.gpuarray.type": _never(_GPU_ARRAYS),
    "theano.gpuarray.opt": _never("gpu_optimizer gpu_optimizer2 op_lifter register_opt register_opt2"),
    "theano.gpuarray.fp16_help": _never("load_w write_w work_dtype"),
    "theano.gpuarray.subtensor": _never("GpuAdvancedSubtensor1 GpuAdvancedIncSubtensor1 GpuSubtensor"),
    "theano.gpuarray.blas": _never("GpuCorrMM GpuCorrMM_gradInputs GpuCorrMM_gradWeights GpuGemm"),
    "theano.gpuarray.dnn": _NO_DNN,
    **NETS,
}
