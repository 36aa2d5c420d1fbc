"""The table of old names, against croton and against the documentation."""

import textwrap
from importlib import import_module
from pathlib import Path

import pytest

from croton.compat import install, uninstall, unsupported
from croton.compat.config import lookup
from croton.compat.modules import Absent, absent, find
from croton.compat.names import MODULES
from croton.compat.reasons import why

DOCUMENT = Path(__file__).parents[2] / "docs" / "old-programs.md"


def lacking() -> str:
    """The list at the end of the document: what each module lacks; a module that repeats another is left out."""
    lines = []
    for module, rows in MODULES.items():
        missing = [name.rpartition(".")[2] for name in absent({module: rows})]
        names = "everything" if len(missing) == len(rows) else ", ".join(f"`{name}`" for name in missing)
        same = next(other for other, others in MODULES.items() if others == rows)
        if missing and same == module:
            lines += textwrap.wrap(f"- `{module}`: {names}", 118, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def test_what_croton_lacks_is_what_the_documentation_says():
    """If this fails, a name has come or gone: ``python tests/compat/test_names.py`` writes the list anew."""
    assert lacking() == DOCUMENT.read_text().partition("## What croton lacks\n\n")[2]


def test_every_module_lies_in_a_package_of_the_table():
    for module in MODULES:
        parent = module.rpartition(".")[0]
        assert not parent or parent in MODULES, module


def test_rows_point_into_croton_or_the_standard_library():
    for module, rows in MODULES.items():
        for name, row in rows.items():
            if isinstance(row, str):
                assert row.split(":")[0].split(".")[0] in {"croton", "builtins", "collections", "configparser"}, (
                    module,
                    name,
                )


# The names that two or more of 27 surveyed programs use.
USED = """
    function config.floatX shared grad tensor.dot tensor.log tensor.sqrt tensor.nnet.sigmoid tensor.arange
    tensor.mean tensor.nnet.softmax tensor.matrix tensor.cast tensor.tanh tensor.exp
    sandbox.rng_mrg.MRG_RandomStreams tensor.sum tensor.concatenate tensor.maximum tensor.argmax scan tensor.scalar
    tensor.sqr tensor.switch tensor.vector tensor.set_subtensor tensor.zeros tensor.alloc tensor.max tensor.tensor4
    tensor.eq tensor.clip tensor.ivector tensor.tensor3 sandbox.cuda tensor.zeros_like tensor.neq tensor.minimum
    tensor.nnet.softplus tensor.iscalar tensor.ones_like tensor.nnet.categorical_crossentropy config.device
    tensor.ge tensor.repeat tensor.flatten tensor.nnet.binary_crossentropy tensor.as_tensor_variable tensor.abs_
    tensor.reshape tensor.ones tensor.lscalar tensor.nnet.conv2d tensor.tile tensor.sgn tensor.prod Variable
    tensor.constant tensor.TensorType clone tensor.stack tensor.nnet.conv.conv2d tensor.inc_subtensor
    tensor.TensorVariable tensor.min tensor.gt tensor.shared_randomstreams.RandomStreams tensor.signal.pool.pool_2d
    tensor.eye gradient.Rop ifelse.ifelse tensor.unbroadcast tensor.isnan printing.Print tensor.imatrix
    tensor.nnet.abstract_conv.AbstractConv2d_gradInputs Constant gof.graph.inputs Apply tensor.lvector
    tensor.nnet.relu tensor.lmatrix tensor.signal.downsample tensor.shape_padleft sparse.structured_dot tensor.add
    tensor.round tensor.isinf compile.SharedVariable tensor.extra_ops.to_one_hot tensor.inv tensor.patternbroadcast
    tensor.transpose gradient.disconnected_grad tensor.all tensor.ftensor4 tensor.lt tensor.shape_padright
    sparse.csr_matrix tensor.bitwise_or Op sparse.SparseVariable config.compute_test_value _asarray tensor.fmatrix
    tensor.addbroadcast tensor.le Mode gradient.grad_clip gradient.grad_not_implemented tensor.cos tensor.floor
    tensor.signal.pool.pool_3d tensor.tensordot sparse.SparseType sparse.dense_from_sparse In tensor.Elemwise
    tensor.TensorConstant tensor.sharedvar.SharedVariable scan_module.until tensor.join
    tensor.nnet.abstract_conv.AbstractConv3d_gradInputs tensor.nnet.conv3d tensor.sin tensor.any tensor.argsort
    tensor.nnet.batch_normalization tensor.pow sparse.csc_matrix sparse.hstack compile.mode.get_default_mode
    gradient.Lop
"""

# Those that one of them uses.
USED_ONCE = """
    tensor.dmatrix tensor.xlogx.xlogy0 config.mode config.warn.subtensor_merge_bug gpuarray.use scalar.upcast
    tensor.itensor3 tensor.itensor4 tensor.mod tensor.batched_dot tensor.ceil tensor.expm1
    tensor.nnet.abstract_conv.AbstractConv2d_gradWeights tensor.shape_padaxis config gpuarray.dnn.dnn_present
    gpuarray.pygpu_activated sandbox.gpuarray tensor.sharedvar.TensorSharedVariable tensor.squeeze tensor.argmin
    tensor.batched_tensordot tensor.cumprod tensor.cumsum tensor.nnet.abstract_conv.bilinear_upsampling
    tensor.nnet.bn.batch_normalization_test tensor.nnet.bn.batch_normalization_train tensor.nnet.elu
    tensor.nnet.hard_sigmoid tensor.nnet.softsign tensor.sort tensor.std tensor.var sparse.as_sparse sparse.vstack
    foldl foldr map tensor.Subtensor tensor.nnet.abstract_conv.get_conv_output_shape tensor.roll
    tensor.shared_randomstreams.RandomStateSharedVariable tensor.signal.pool.Pool tensor.take gof.graph.io_toposort
    gpuarray.get_context scalar.basic.Identity scan_module.scan_op.Scan gof.op.get_debug_values gof.graph.ancestors
    printing.var_descriptor gof.op.debug_assert tensor.nnet.ScalarSigmoid compile.sharedvalue.SharedVariable
    config.warn.sum_div_dimshuffle_bug gof.local_optimizer gradient.DisconnectedType tensor.DimShuffle tensor.and_
    tensor.nnet.Softmax configparser.AddConfigVar configparser.StrParam scan_module.scan_utils.until
    sparse.enable_sparse tensor.NotScalarConstantError tensor.get_scalar_constant_value tensor.hashtype
    tensor.largest tensor.min_informative_str tensor.xlogx.xlogx sparse.CSM sparse.CSR sparse.csr_from_dense Type
    compile.optdb gof.TopoOptimizer scalar.all_types tensor.Rebroadcast tensor.arccos tensor.lrow tensor.matrices
    tensor.nnet.Conv3D tensor.nnet.ConvOp tensor.nnet.softmax_with_bias tensor.row sparse.cast sparse.csc_from_dense
    compile.debugmode.default_make_thunk compile.nanguardmode.NanGuardMode config.compiledir config.cxx dot
    gof.op.PureOp gof.op.debug_error_message printing._TagGenerator printing.debugprint scalar.Identity
    scalar.identity gpuarray.basic_ops.Kernel gpuarray.basic_ops.as_gpuarray_variable config.allow_gc
    config.on_unused_input gpuarray.basic_ops.GpuKernelBase gpuarray.basic_ops.gpuarray_helper_inc_dir
    gpuarray.fp16_help.load_w gpuarray.fp16_help.work_dtype tensor.nnet.softminus gpuarray.type.GpuArrayType
    gpuarray.type.get_context tensor.AdvancedSubtensor1 tensor.ParamsType tensor.diag tensor.icol
    gpuarray.fp16_help.write_w gpuarray.opt.gpu_optimizer gpuarray.opt.gpu_optimizer2
    gpuarray.subtensor.GpuAdvancedSubtensor1 gpuarray.type.gpu_context_type pp scalar.bool tensor.bcol tensor.col
    tensor.fvector tensor.integer_dtypes tensor.log2 config.deterministic config.dnn.conv
    gpuarray.basic_ops.infer_context_name gpuarray.opt.op_lifter gpuarray.opt.register_opt
    gpuarray.opt.register_opt2 gradient.format_as version.short_version
"""


def look_up(name):
    """What an old program gets for a name of the lists above; Absent where that is a placeholder."""
    module, _, last = f"theano.{name}".rpartition(".")
    if name.startswith("config."):
        return lookup(name.removeprefix("config."))
    if f"theano.{name}" in MODULES and last not in MODULES.get(module, {}):
        return import_module(f"theano.{name}")
    return find(MODULES[module][last])


@pytest.fixture(scope="module", autouse=True)
def installed():
    install(floatX="float32")
    yield
    uninstall()


@pytest.mark.parametrize("name", USED.split())
def test_what_programs_use_most_is_there(name):
    try:
        value = look_up(name)
    except Absent:
        pytest.fail(f"croton lacks theano.{name}")
    assert not isinstance(value, unsupported.Placeholder)


@pytest.mark.parametrize("name", USED_ONCE.split())
def test_what_one_program_uses_is_there_or_says_why_not(name):
    try:
        look_up(name)
    except Absent:
        assert why(f"theano.{name}"), f"croton lacks theano.{name} and does not say why"
        module, _, last = f"theano.{name}".rpartition(".")
        placeholder = getattr(import_module(module), last)
        with pytest.raises(unsupported.UnsupportedName, match="not supported by croton; it is used in .*"):
            placeholder()


@pytest.mark.parametrize(
    "use",
    [
        "import theano.sandbox.cuda as c; answer = c.cuda_available, c.dnn.dnn_available()",
        "from theano.gpuarray import pygpu_activated; answer = pygpu_activated, False",
        "import theano; answer = theano.config.device != 'cpu', False",
    ],
)
def test_there_is_no_gpu_code_to_reach(use):
    names = {}
    exec(use, names)
    assert names["answer"] == (False, False)


if __name__ == "__main__":
    head, title, _ = DOCUMENT.read_text().partition("## What croton lacks\n\n")
    DOCUMENT.write_text(head + title + lacking())
