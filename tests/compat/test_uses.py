"""Which old names a program uses, through all ways of importing and renaming them."""

import pytest

from croton.compat.syntax import parse
from croton.compat.uses import LACKING, THERE, UNKNOWN, locate, uses


def found(text):
    return {use.name: use for use in uses(parse(text))}


@pytest.mark.parametrize(
    ("text", "name", "lines"),
    [
        ("import theano\ntheano.tensor.exp(1)\n", "theano.tensor.exp", [2]),
        ("import theano.tensor as T\nT.exp(T.exp(1))\n", "theano.tensor.exp", [2]),
        ("from theano import tensor\ntensor.nnet.softmax\n", "theano.tensor.nnet.softmax", [2]),
        ("from theano.tensor import exp as e\nx = e\n", "theano.tensor.exp", [1, 2]),
        ("import theano.tensor.nnet\ntheano.tensor.nnet.relu(1)\n", "theano.tensor.nnet.relu", [2]),
        ("import theano\nT = theano.tensor\nN = T.nnet\nN.relu(1)\n", "theano.tensor.nnet.relu", [4]),
        ("from theano.tensor import *\nx = exp(matrix())\n", "theano.tensor.exp", [2]),
        ("def f():\n    return T.exp(1)\nimport theano.tensor as T\n", "theano.tensor.exp", [2]),
        ("def f():\n    import theano.tensor as T\n    return T.exp(1)\n", "theano.tensor.exp", [3]),
        ("import theano\nclass A(theano.Op):\n    @theano.compile.as_op\n    def f(self): pass\n", "theano.Op", [2]),
        ("import theano\nf = lambda x=theano.config.floatX.lower(): x\n", "theano.config.floatX", [2]),
        (
            "try:\n    import theano.tensor as T\nexcept ImportError:\n    T = None\nT.exp(1)\n",
            "theano.tensor.exp",
            [5],
        ),
        ("import theano.tensor as T\nprint T.exp(1)\n", "theano.tensor.exp", [2]),
        ("import theano.tensor as T\nT.exp(1).foo.bar\nT.exp.grad\n", "theano.tensor.exp", [2, 3]),
    ],
)
def test_names_are_followed(text, name, lines):
    assert found(text)[name].lines == lines


@pytest.mark.parametrize(
    "text",
    [
        "import theano.tensor as T\ndef f(T):\n    return T.exp(1)\n",
        "import theano.tensor as T\ndef f():\n    T = 3\n    return T.exp\n",
        "import theano.tensor as T\nf = lambda T: T.exp\n",
        "from theano.tensor import *\ndef exp(x): return x\nexp(1)\n",
        "from .theano.tensor import exp\nexp(1)\n",
        "import numpy as T\nT.exp(1)\n",
        "import theano.tensor as T\nx = 'T.exp(1)'  # T.exp\n",
    ],
)
def test_what_only_looks_like_an_old_name_is_none(text):
    assert "theano.tensor.exp" not in found(text)


def test_status_and_reason():
    use = found(
        "import theano, downhill\n"
        "theano.function([], 1)\n"
        "theano.sandbox.cuda.CudaNdarray(3)\n"
        "theano.sandbox.cuda.cuda_available\n"
        "theano.tensor.no_such_name\n"
        "theano.no_such_module.thing\n"
        "theano.config.no_such_flag\n"
        "theano.config.dnn.conv.algo_fwd\n"
        "theano.compile.optdb.query()\n"
    )
    assert {name: u.status for name, u in use.items() if u.status != THERE and name != "downhill"} == {
        "theano.sandbox.cuda.CudaNdarray": LACKING,
        "theano.compile.optdb": LACKING,
        "theano.tensor.no_such_name": UNKNOWN,
        "theano.no_such_module": UNKNOWN,
        "theano.config.no_such_flag": UNKNOWN,
    }
    assert "no GPU code" in use["theano.sandbox.cuda.CudaNdarray"].note
    assert "rewrites" in use["theano.compile.optdb"].note
    assert {"theano.function", "theano.sandbox.cuda.cuda_available", "theano.config.dnn.conv.algo_fwd"} <= use.keys()


def test_keywords_that_a_function_does_not_take():
    use = found("import theano\ntheano.function([], 1, upd=3, **more)\ntheano.shared(1, name='x')\n")
    assert [(u.name, u.lines) for u in use.values() if u.status == LACKING] == [("theano.function(upd=)", [2])]


@pytest.mark.parametrize(
    ("full", "name"),
    [
        ("theano.tensor.nnet.conv.conv2d", "theano.tensor.nnet.conv.conv2d"),
        ("theano.tensor.var", "theano.tensor.var"),
        ("theano.tensor.var.TensorVariable", "theano.tensor.var.TensorVariable"),
        ("theano.scan_module.scan", "theano.scan_module.scan"),
        ("theano.tensor.basic", "theano.tensor.basic"),
        ("theano.nothing.at.all", "theano.nothing"),
        ("theano", "theano"),
    ],
)
def test_where_a_name_ends_and_its_attributes_begin(full, name):
    assert locate(full) == name
