"""The table of old names, against croton and against the documentation."""

import textwrap
from pathlib import Path

import pytest

from croton.compat import unsupported
from croton.compat.modules import Absent, absent, find
from croton.compat.names import MODULES

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


# The names that two or more of 27 surveyed programs use, loops, random streams, convolution and sparse aside.
USED = """
    function shared grad config.floatX config.device Variable clone Constant Apply Op Mode In _asarray
    gradient.Rop gradient.Lop gradient.disconnected_grad gradient.grad_clip compile.SharedVariable gof.graph.inputs
    compile.mode.get_default_mode
    tensor.dot tensor.log tensor.sqrt tensor.nnet.sigmoid tensor.arange tensor.mean tensor.nnet.softmax tensor.matrix
    tensor.cast tensor.tanh tensor.exp tensor.sum tensor.concatenate tensor.maximum tensor.argmax tensor.scalar
    tensor.sqr tensor.switch tensor.vector tensor.set_subtensor tensor.zeros tensor.alloc tensor.max tensor.tensor4
    tensor.eq tensor.clip tensor.ivector tensor.tensor3 tensor.zeros_like tensor.neq tensor.minimum
    tensor.nnet.softplus tensor.iscalar tensor.ones_like tensor.nnet.categorical_crossentropy tensor.ge tensor.repeat
    tensor.flatten tensor.nnet.binary_crossentropy tensor.as_tensor_variable tensor.abs_ tensor.reshape tensor.ones
    tensor.lscalar tensor.tile tensor.sgn tensor.prod tensor.constant tensor.TensorType tensor.stack
    tensor.inc_subtensor tensor.TensorVariable tensor.min tensor.gt tensor.eye tensor.unbroadcast tensor.isnan
    tensor.imatrix tensor.lvector tensor.nnet.relu tensor.lmatrix tensor.shape_padleft tensor.add tensor.round
    tensor.isinf tensor.extra_ops.to_one_hot tensor.inv tensor.patternbroadcast tensor.transpose tensor.all
    tensor.ftensor4 tensor.lt tensor.shape_padright tensor.bitwise_or tensor.fmatrix tensor.addbroadcast tensor.le
    tensor.cos tensor.floor tensor.tensordot tensor.TensorConstant tensor.sharedvar.SharedVariable tensor.join
    tensor.sin tensor.any tensor.argsort tensor.pow tensor.Elemwise
"""


@pytest.mark.parametrize("name", USED.split())
def test_what_programs_use_most_is_there(name):
    module, _, last = f"theano.{name}".rpartition(".")
    if module == "theano.config":
        assert hasattr(find("croton.compat.config:config"), last)
        return
    try:
        value = find(MODULES[module][last])
    except Absent:
        pytest.fail(f"croton lacks {module}.{last}")
    assert not isinstance(value, unsupported.Placeholder)


if __name__ == "__main__":
    head, title, _ = DOCUMENT.read_text().partition("## What croton lacks\n\n")
    DOCUMENT.write_text(head + title + lacking())
