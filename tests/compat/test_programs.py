"""Whole programs of the old kind, unchanged, under ``croton run``."""

import re

import pytest


def figures(pattern: str, text: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, text)]


# The figures in the next two tests are those that the original Theano 1.0.5 printed for the same programs and data.


def test_softmax_regression_learns_saves_and_predicts(run, dataset):
    done = run("softmax_regression.py", dataset)
    assert done.returncode == 0, done.stderr
    costs = figures(r"cost (\S+),", done.stdout)
    errors = figures(r"validation error (\S+) %", done.stdout)
    assert len(costs) == len(errors) == 30
    assert [costs[0], costs[1], costs[-1]] == pytest.approx([2.061288, 1.818132, 0.292047], abs=2e-6)
    assert [*errors[:6], errors[-1]] == [86.5, 48.0, 28.0, 16.5, 9.5, 7.0, 2.5]
    assert "validation score of 2.500000 %, with test performance 3.000000 %" in done.stdout
    assert "Predicted [8, 8, 3, 4, 7, 0, 8, 4, 1, 8]" in done.stdout
    assert "Expected [8, 8, 3, 4, 2, 0, 8, 4, 1, 8]" in done.stdout
    assert "The code for file softmax_regression.py ran for" in done.stderr


@pytest.mark.parametrize(
    ("activation", "weight", "costs", "errors"),
    [
        ("tanh", 0.252627, (2.301965, 2.220671, 0.697946), (85.0, 71.5, 7.0)),
        # the program knows the sigmoid by identity, and starts with weights four times as large
        ("sigmoid", 1.010509, (2.458807, 2.410584, 1.931759), (91.5, 84.0, 43.0)),
    ],
)
def test_perceptron_learns(run, dataset, activation, weight, costs, errors):
    done = run("perceptron.py", dataset, activation)
    assert done.returncode == 0, done.stderr
    assert figures(r"largest initial weight (\S+)", done.stdout) == [weight]
    seen = figures(r"cost (\S+),", done.stdout)
    assert [seen[0], seen[1], seen[-1]] == pytest.approx(costs, abs=2e-6)
    seen = figures(r"validation error (\S+) %", done.stdout)
    assert (seen[0], seen[1], seen[-1]) == errors


DTYPE = """
import theano, numpy
import theano.tensor as T
x = T.matrix('x')
print(theano.config.floatX, x.dtype, theano.function([x], x.sum())(numpy.ones((2, 2), dtype=x.dtype)).dtype)
"""


@pytest.mark.parametrize(
    ("options", "flags", "expected"),
    [
        ((), "", "float64"),
        ((), "device=cpu,floatX=float32", "float32"),
        (("--floatX", "float32"), "floatX=float64", "float32"),
    ],
)
def test_floatX(run, options, flags, expected):
    done = run(DTYPE, options=options, THEANO_FLAGS=flags)
    assert done.stdout.split() == [expected] * 3, done.stderr


def test_flags_in_theanorc(run, tmp_path):
    (tmp_path / ".theanorc").write_text("[global]\nfloatX = float32\non_unused_input = ignore\n")
    done = run(
        """
import theano, theano.tensor as T
x, y = T.vectors('x', 'y')
theano.function([x, y], 2 * x)
print(theano.config.floatX, theano.config.on_unused_input)
""",
        THEANORC="~/.theanorc",
    )
    assert done.stdout.split() == ["float32", "ignore"], done.stderr


@pytest.mark.parametrize("flags", ["floatX=float31", "allow_gc=perhaps"])
def test_a_wrong_flag_stops_the_program_before_it_starts(run, flags):
    done = run("print('started')\n", THEANO_FLAGS=flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("croton: ") and flags.partition("=")[0] in done.stderr


IMPORTS = """
from __future__ import print_function
import cPickle
from itertools import izip
import numpy, theano
import theano.tensor as T
import theano.tensor.nnet as nnet
import theano.tensor.shared_randomstreams
import theano.sandbox.cuda
from theano import tensor, config, function, shared, printing, gof, scan
from theano import tensor as TT
assert TT is T is tensor
from theano.tensor import *
from theano.tensor.signal import pool, downsample
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.tensor.shared_randomstreams import RandomStreams
from theano.compile.nanguardmode import NanGuardMode

assert T.nnet is nnet and T.config is theano.config is config and type(config) is not type
assert theano.__version__.startswith('1.0')
assert not theano.sandbox.cuda.cuda_available and not hasattr(theano.sandbox.cuda, 'nothing_of_the_kind')
assert not hasattr(T, 'gelu') and not hasattr(theano, 'jit') and hasattr(T.nnet, 'softmax')
try:
    from theano.sandbox.cuda.cula import gpu_solve
except ImportError:
    pass
else:
    raise AssertionError('cula')
for cls in (theano.Variable, theano.gof.Variable, theano.gof.graph.Variable, T.Variable, T.TensorVariable):
    assert isinstance(dvector('x'), cls), cls
assert isinstance(T.constant(1.), theano.Constant) and isinstance(T.constant(1.), T.TensorConstant)
W = shared(numpy.zeros(3, dtype=config.floatX), name='W')
for cls in (theano.compile.SharedVariable, T.sharedvar.SharedVariable, T.sharedvar.TensorSharedVariable):
    assert isinstance(W, cls), cls
x = dvector('x')
f = function([x], sum(exp(x)) + dot(x, x), updates=[(W, W + 1)])
assert abs(f([0., 1.]) - 4.7182818) < 1e-6
assert [b for a, b in izip(xrange(2), W.get_value())] == [1, 1]
print(numpy.float, numpy.cast['int32'](2.5), unicode('done'))
"""


def test_ways_of_importing(run):
    done = run(IMPORTS)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "<class 'float'> 2 done\n"


UNSUPPORTED = """
import theano
from theano.gof import local_optimizer
from theano.typed_list import append


class Thunk(theano.gof.OpenMPOp):
    pass


print('imported')
try:
    append(None, None)
except NotImplementedError as error:
    print(error)
local_optimizer([None])
"""


def test_unsupported_names_raise_where_they_are_used(run, tmp_path):
    done = run(UNSUPPORTED)
    program = tmp_path / "program.py"
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "imported",
        f"theano.typed_list.append is not supported by croton; it is used in {program}, line 13 "
        "(there are no variables that hold lists: use a Python list of variables, or a stack of them)",
    ]
    assert (
        f"UnsupportedName: theano.gof.local_optimizer is not supported by croton; it is used in {program}, line 16"
        in done.stderr.splitlines()[-1]
    )


PICKLED = """
import cPickle, sys
import numpy, theano, theano.tensor as T

class Model(object):
    def __init__(self):
        self.x = T.matrix('x')
        self.W = theano.shared(numpy.eye(2), name='W')
        self.step = theano.function([self.x], T.dot(self.x, self.W), updates=[(self.W, 2 * self.W)])

if sys.argv[1] == 'save':
    model = Model()
    model.step(numpy.eye(2))
    cPickle.dump(model, open('model.pkl', 'w'))
else:
    model = cPickle.load(open('model.pkl'))
    print(type(model).__module__, model.step(numpy.eye(2))[0, 0], model.W.get_value()[0, 0])
"""


def test_objects_of_classes_of_the_program_are_pickled(run):
    assert run(PICKLED, "save").returncode == 0
    done = run(PICKLED, "load")
    assert done.stdout.split() == ["__main__", "2.0", "4.0"], done.stderr


def test_ops_of_ones_own_a_choice_an_assertion_and_printing(run):
    done = run("own_ops.py")
    assert done.returncode == 0, done.stderr
    # What Theano printed; it did not reach the last cost, as its assertion stops the ops after it.
    assert done.stdout.splitlines() == [
        "cost __str__ = 10.0",
        "[array(10.), array([2., 2., 2.]), array(2)]",
        "cost __str__ = 3.0",
        "[array(3.), array([-1., -1., -1.]), array(3)]",
        "cost __str__ = 120.0",
        "caught too large",
    ]
