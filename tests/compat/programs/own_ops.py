# A program of the old kind with ops of its own, a choice, an assertion and printing.
import numpy
import theano
import theano.tensor as T
from theano.compile.ops import as_op
from theano.ifelse import ifelse
from theano.printing import Print
from theano.tensor.opt import Assert


class DoubleOp(theano.Op):
    __props__ = ()

    def make_node(self, x):
        x = T.as_tensor_variable(x)
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0] * 2

    def infer_shape(self, node, i0_shapes):
        return i0_shapes

    def grad(self, inputs, output_grads):
        return [output_grads[0] * 2]


@as_op(itypes=[T.dvector], otypes=[T.lscalar])
def longest_run(x):
    runs, last = 1, 1
    for a, b in zip(x[:-1], x[1:]):
        last = last + 1 if a == b else 1
        runs = max(runs, last)
    return numpy.array(runs, dtype='int64')


x = T.dvector('x')
cost = ifelse(T.lt(x.sum(), 0), -x.sum(), DoubleOp()(x).sum())
cost = Assert('too large')(cost, T.lt(cost, 100))
f = theano.function([x], [Print('cost')(cost), T.grad(cost, x), longest_run(x)])
for value in ([1., 2., 2.], [-1., -1., -1.]):
    print(f(value))
try:
    f([60., 0.])
except AssertionError as error:
    print('caught', str(error).split('\n')[0])
