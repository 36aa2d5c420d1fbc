"""A convolutional net that reads digits: convolution, max pooling, tanh, twice, a hidden layer, and softmax.

A picture of 16 x 16 pixels passes 5 x 5 filters and 2 x 2 pools (16 -> 12 -> 6), 3 x 3 filters and 2 x 2 pools
(6 -> 4 -> 2), a layer of tanh units and a softmax over the ten digits. Stochastic gradient descent lowers the mean
negative log likelihood of the labels (after LeCun, Bottou, Bengio and Haffner, Proceedings of the IEEE, 1998).
MNIST's pictures of 28 x 28 work as well; they end as maps of 5 x 5.

    convolutional.py                     drawn pictures
    convolutional.py --data mnist.pkl.gz
"""

import argparse

import numpy
import theano
import theano.tensor as T
from theano.tensor.nnet import conv2d

try:
    from theano.tensor.signal.pool import pool_2d
except ImportError:  # its name before Theano 0.8
    from theano.tensor.signal.downsample import max_pool_2d as pool_2d

import pictures


def weights(rng, shape, fan_in, fan_out, name):
    bound = numpy.sqrt(6.0 / (fan_in + fan_out))
    return theano.shared(rng.uniform(-bound, bound, size=shape).astype(theano.config.floatX), name=name)


def zeros(n, name):
    return theano.shared(numpy.zeros(n, dtype=theano.config.floatX), name=name)


class Convolution:
    """tanh(max pool(x * W) + b): x of shape (batch, channels, height, width), `maps` filters of `size` x `size`."""

    pool = (2, 2)

    def __init__(self, rng, x, channels, side, maps, size, name):
        shape = (maps, channels, size, size)
        fan_out = maps * size**2 // numpy.prod(self.pool)
        self.W = weights(rng, shape, channels * size**2, fan_out, name + ".W")
        self.b = zeros(maps, name + ".b")
        filtered = conv2d(x, self.W, input_shape=(None, channels, side, side), filter_shape=shape)
        pooled = pool_2d(filtered, self.pool, ignore_border=True)
        self.output = T.tanh(pooled + self.b.dimshuffle("x", 0, "x", "x"))
        self.side = (side - size + 1) // 2
        self.params = [self.W, self.b]


class Net:
    """The whole net on a symbolic matrix x of pictures, one a row, with `side` x `side` pixels."""

    def __init__(self, x, side, maps, n_hidden, seed):
        rng = numpy.random.RandomState(seed)
        first = Convolution(rng, x.reshape((x.shape[0], 1, side, side)), 1, side, maps[0], 5, "first")
        second = Convolution(rng, first.output, maps[0], first.side, maps[1], 3, "second")
        n_in = maps[1] * second.side**2
        W = weights(rng, (n_in, n_hidden), n_in, n_hidden, "hidden.W")
        b = zeros(n_hidden, "hidden.b")
        hidden = T.tanh(T.dot(second.output.flatten(2), W) + b)
        V, c = weights(rng, (n_hidden, 10), n_hidden, 10, "out.W"), zeros(10, "out.b")
        self.p = T.nnet.softmax(T.dot(hidden, V) + c)
        self.guess = T.argmax(self.p, axis=1)
        self.params = first.params + second.params + [W, b, V, c]

    def cost(self, y):
        return -T.mean(T.log(self.p)[T.arange(y.shape[0]), y])

    def errors(self, y):
        return T.mean(T.neq(self.guess, y))


def main(data=None, maps=(8, 16), n_hidden=50, learning_rate=0.1, epochs=8, batch_size=20, seed=23455):
    """Trains; prints cost and validation error of each epoch, and the test error at the end, which it returns."""
    (train_x, train_y), valid, test = pictures.load(data, scale=2, noise=0.3)
    side = int(train_x.shape[1] ** 0.5)
    images = theano.shared(train_x, name="images", borrow=True)
    labels = theano.shared(train_y, name="labels", borrow=True)
    index, x, y = T.lscalar("index"), T.matrix("x"), T.ivector("y")
    net = Net(x, side, maps, n_hidden, seed)
    cost = net.cost(y)
    rows = slice(index * batch_size, (index + 1) * batch_size)
    train = theano.function(
        [index],
        cost,
        updates=[(param, param - learning_rate * g) for param, g in zip(net.params, T.grad(cost, net.params))],
        givens={x: images[rows], y: labels[rows]},
    )
    errors = theano.function([x, y], net.errors(y))
    for epoch in range(epochs):
        costs = [train(i) for i in range(len(train_x) // batch_size)]
        print("epoch %d, cost %.4f, validation error %.2f %%" % (epoch + 1, numpy.mean(costs), 100 * errors(*valid)))
    error = float(errors(*test))
    print("test error %.2f %%" % (100 * error))
    return error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a file like mnist.pkl.gz")
    parser.add_argument("--epochs", type=int, default=8)
    main(**vars(parser.parse_args()))
