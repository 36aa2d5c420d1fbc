"""Softmax regression by stochastic gradient descent, as such programs were written around 2014."""

from __future__ import print_function

__docformat__ = "restructedtext en"

import gzip
import os
import sys
import timeit

import six.moves.cPickle as pickle

import numpy

import theano
import theano.tensor as T


class SoftmaxRegression(object):
    def __init__(self, input, n_in, n_out):
        self.W = theano.shared(value=numpy.zeros((n_in, n_out), dtype=theano.config.floatX), name="W", borrow=True)
        self.b = theano.shared(value=numpy.zeros((n_out,), dtype=theano.config.floatX), name="b", borrow=True)
        self.p_y_given_x = T.nnet.softmax(T.dot(input, self.W) + self.b)
        self.y_pred = T.argmax(self.p_y_given_x, axis=1)
        self.params = [self.W, self.b]
        self.input = input

    def negative_log_likelihood(self, y):
        return -T.mean(T.log(self.p_y_given_x)[T.arange(y.shape[0]), y])

    def errors(self, y):
        if y.ndim != self.y_pred.ndim:
            raise TypeError("y should have the shape of y_pred", ("y", y.type, "y_pred", self.y_pred.type))
        if not y.dtype.startswith("int"):
            raise NotImplementedError()
        return T.mean(T.neq(self.y_pred, y))


def load_data(dataset):
    with gzip.open(dataset, "rb") as f:
        try:
            sets = pickle.load(f, encoding="latin1")
        except TypeError:
            sets = pickle.load(f)

    def shared_dataset(data_xy, borrow=True):
        data_x, data_y = data_xy
        shared_x = theano.shared(numpy.asarray(data_x, dtype=theano.config.floatX), borrow=borrow)
        shared_y = theano.shared(numpy.asarray(data_y, dtype=theano.config.floatX), borrow=borrow)
        return shared_x, T.cast(shared_y, "int32")

    return [shared_dataset(pair) for pair in sets]


def sgd_optimization(dataset, learning_rate=0.5, n_epochs=30, batch_size=50):
    (train_set_x, train_set_y), (valid_set_x, valid_set_y), (test_set_x, test_set_y) = load_data(dataset)
    n_train_batches = train_set_x.get_value(borrow=True).shape[0] // batch_size
    n_valid_batches = valid_set_x.get_value(borrow=True).shape[0] // batch_size
    n_test_batches = test_set_x.get_value(borrow=True).shape[0] // batch_size

    print("... building the model")
    index = T.lscalar()
    x = T.matrix("x")
    y = T.ivector("y")
    classifier = SoftmaxRegression(input=x, n_in=8 * 8, n_out=10)
    cost = classifier.negative_log_likelihood(y)

    def batches_of(data_x, data_y):
        return {
            x: data_x[index * batch_size : (index + 1) * batch_size],
            y: data_y[index * batch_size : (index + 1) * batch_size],
        }

    test_model = theano.function(
        inputs=[index], outputs=classifier.errors(y), givens=batches_of(test_set_x, test_set_y)
    )
    validate_model = theano.function(
        inputs=[index], outputs=classifier.errors(y), givens=batches_of(valid_set_x, valid_set_y)
    )

    g_W = T.grad(cost=cost, wrt=classifier.W)
    g_b = T.grad(cost=cost, wrt=classifier.b)
    updates = [(classifier.W, classifier.W - learning_rate * g_W), (classifier.b, classifier.b - learning_rate * g_b)]
    train_model = theano.function(
        inputs=[index], outputs=cost, updates=updates, givens=batches_of(train_set_x, train_set_y)
    )

    print("... training the model")
    patience = 5000
    patience_increase = 2
    improvement_threshold = 0.995
    validation_frequency = min(n_train_batches, patience // 2)
    best_validation_loss = numpy.inf
    test_score = 0.0
    start_time = timeit.default_timer()
    done_looping = False
    epoch = 0
    while (epoch < n_epochs) and (not done_looping):
        epoch = epoch + 1
        for minibatch_index in range(n_train_batches):
            minibatch_avg_cost = train_model(minibatch_index)
            iter = (epoch - 1) * n_train_batches + minibatch_index
            if (iter + 1) % validation_frequency == 0:
                validation_losses = [validate_model(i) for i in range(n_valid_batches)]
                this_validation_loss = numpy.mean(validation_losses)
                print(
                    "epoch %i, minibatch %i/%i, cost %f, validation error %f %%"
                    % (epoch, minibatch_index + 1, n_train_batches, minibatch_avg_cost, this_validation_loss * 100.0)
                )
                if this_validation_loss < best_validation_loss:
                    if this_validation_loss < best_validation_loss * improvement_threshold:
                        patience = max(patience, iter * patience_increase)
                    best_validation_loss = this_validation_loss
                    test_losses = [test_model(i) for i in range(n_test_batches)]
                    test_score = numpy.mean(test_losses)
                    print("     epoch %i, test error of best model %f %%" % (epoch, test_score * 100.0))
                    with open("best_model.pkl", "wb") as f:
                        pickle.dump(classifier, f)
            if patience <= iter:
                done_looping = True
                break
    end_time = timeit.default_timer()
    print(
        "Optimization complete with best validation score of %f %%, with test performance %f %%"
        % (best_validation_loss * 100.0, test_score * 100.0)
    )
    print(
        "The code for file " + os.path.split(__file__)[1] + " ran for %.1fs" % (end_time - start_time), file=sys.stderr
    )


def predict(dataset):
    # a habit of Python 2: the file holds bytes and is opened as text
    classifier = pickle.load(open("best_model.pkl"))
    predict_model = theano.function(inputs=[classifier.input], outputs=classifier.y_pred)
    _, _, (test_set_x, test_set_y) = load_data(dataset)
    predicted_values = predict_model(test_set_x.get_value()[:10])
    print("Predicted", list(map(int, predicted_values)))
    print("Expected", list(map(int, test_set_y.eval()[:10])))


if __name__ == "__main__":
    sgd_optimization(sys.argv[1])
    predict(sys.argv[1])
