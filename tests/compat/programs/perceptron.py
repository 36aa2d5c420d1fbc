"""A multilayer perceptron on top of softmax_regression.py, which lies in the same folder."""

from __future__ import print_function

import sys
import time

import numpy
import theano
import theano.tensor as T

from softmax_regression import SoftmaxRegression, load_data


class HiddenLayer(object):
    def __init__(self, rng, input, n_in, n_out, W=None, b=None, activation=T.tanh):
        self.input = input
        if W is None:
            W_values = numpy.asarray(
                rng.uniform(
                    low=-numpy.sqrt(6.0 / (n_in + n_out)), high=numpy.sqrt(6.0 / (n_in + n_out)), size=(n_in, n_out)
                ),
                dtype=theano.config.floatX,
            )
            if activation == theano.tensor.nnet.sigmoid:
                W_values *= 4
            W = theano.shared(value=W_values, name="W", borrow=True)
        if b is None:
            b = theano.shared(value=numpy.zeros((n_out,), dtype=theano.config.floatX), name="b", borrow=True)
        self.W = W
        self.b = b
        lin_output = T.dot(input, self.W) + self.b
        self.output = lin_output if activation is None else activation(lin_output)
        self.params = [self.W, self.b]


class MLP(object):
    def __init__(self, rng, input, n_in, n_hidden, n_out, activation):
        self.hiddenLayer = HiddenLayer(rng=rng, input=input, n_in=n_in, n_out=n_hidden, activation=activation)
        self.outputLayer = SoftmaxRegression(input=self.hiddenLayer.output, n_in=n_hidden, n_out=n_out)
        self.L1 = abs(self.hiddenLayer.W).sum() + abs(self.outputLayer.W).sum()
        self.L2_sqr = (self.hiddenLayer.W**2).sum() + (self.outputLayer.W**2).sum()
        self.negative_log_likelihood = self.outputLayer.negative_log_likelihood
        self.errors = self.outputLayer.errors
        self.params = self.hiddenLayer.params + self.outputLayer.params
        self.input = input


def train(
    dataset, activation, learning_rate=0.1, L1_reg=0.0001, L2_reg=0.0001, n_epochs=12, batch_size=20, n_hidden=30
):
    datasets = load_data(dataset)
    train_set_x, train_set_y = datasets[0]
    valid_set_x, valid_set_y = datasets[1]
    n_train_batches = train_set_x.get_value(borrow=True).shape[0] // batch_size
    n_valid_batches = valid_set_x.get_value(borrow=True).shape[0] // batch_size

    index = T.lscalar()
    x = T.matrix("x")
    y = T.ivector("y")
    rng = numpy.random.RandomState(1234)
    classifier = MLP(rng, x, 8 * 8, n_hidden, 10, activation)
    print("largest initial weight %f" % abs(classifier.hiddenLayer.W.get_value()).max())
    cost = classifier.negative_log_likelihood(y) + L1_reg * classifier.L1 + L2_reg * classifier.L2_sqr
    validate_model = theano.function(
        inputs=[index],
        outputs=classifier.errors(y),
        givens={
            x: valid_set_x[index * batch_size : (index + 1) * batch_size],
            y: valid_set_y[index * batch_size : (index + 1) * batch_size],
        },
    )
    gparams = [T.grad(cost, param) for param in classifier.params]
    updates = [(param, param - learning_rate * gparam) for param, gparam in zip(classifier.params, gparams)]
    train_model = theano.function(
        inputs=[index],
        outputs=cost,
        updates=updates,
        givens={
            x: train_set_x[index * batch_size : (index + 1) * batch_size],
            y: train_set_y[index * batch_size : (index + 1) * batch_size],
        },
    )

    start_time = time.clock()
    epoch = 0
    while epoch < n_epochs:
        epoch += 1
        costs = [train_model(i) for i in xrange(n_train_batches)]
        error = numpy.mean([validate_model(i) for i in xrange(n_valid_batches)])
        print("epoch %i, cost %f, validation error %f %%" % (epoch, numpy.mean(costs), error * 100.0))
    print("ran for %.2fm" % ((time.clock() - start_time) / 60.0), file=sys.stderr)


if __name__ == "__main__":
    train(sys.argv[1], {"tanh": T.tanh, "sigmoid": T.nnet.sigmoid}[sys.argv[2]])
