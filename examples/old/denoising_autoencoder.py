"""A denoising autoencoder: it learns to restore pictures in which pixels were put out at random.

Each time a picture x is seen, every pixel is kept with probability 1 - corruption and set to 0 otherwise. The hidden
units are h = sigmoid(x_corrupted W + b), and the restored picture is z = sigmoid(h W' + c) with the same W. Stochastic
gradient descent lowers the cross-entropy of z with the clean picture, in nats a picture. To restore a pixel that was
put out, the model must know which pixels go together (Vincent, Larochelle, Bengio and Manzagol, ICML 2008).

    denoising_autoencoder.py                     drawn pictures
    denoising_autoencoder.py --data mnist.pkl.gz
"""

import argparse

import numpy
import theano
import theano.tensor as T
from theano.tensor.shared_randomstreams import RandomStreams

import pictures


class DenoisingAutoencoder:
    """The model on a symbolic matrix x, one picture a row, with `n_in` pixels and `n_hidden` hidden units."""

    def __init__(self, x, n_in, n_hidden, corruption, seed):
        rng = numpy.random.RandomState(seed)
        bound = 4 * numpy.sqrt(6.0 / (n_in + n_hidden))
        weights = rng.uniform(-bound, bound, size=(n_in, n_hidden))
        self.W = theano.shared(weights.astype(theano.config.floatX), name="W")
        self.b = theano.shared(numpy.zeros(n_hidden, dtype=theano.config.floatX), name="b")
        self.c = theano.shared(numpy.zeros(n_in, dtype=theano.config.floatX), name="c")
        self.params = [self.W, self.b, self.c]
        self.x = x
        kept = RandomStreams(seed).binomial(size=x.shape, n=1, p=1 - corruption, dtype=theano.config.floatX)
        self.corrupted = x * kept
        self.restored = self.restore(self.corrupted)
        self.cost = self.cross_entropy(self.restored)

    def restore(self, x):
        hidden = T.nnet.sigmoid(T.dot(x, self.W) + self.b)
        return T.nnet.sigmoid(T.dot(hidden, self.W.T) + self.c)

    def cross_entropy(self, z):
        """The mean over the pictures of the sum over the pixels."""
        return T.nnet.binary_crossentropy(z, self.x).sum(axis=1).mean()

    def descent(self, learning_rate):
        gradients = T.grad(self.cost, self.params)
        return [(param, param - learning_rate * g) for param, g in zip(self.params, gradients)]


def main(data=None, n_hidden=100, corruption=0.3, learning_rate=0.1, epochs=15, batch_size=20, seed=123):
    """Trains; prints the cost of each epoch, and how well test pictures are restored. Returns the costs of the test
    pictures: (restored from corrupted ones, of the mean picture as the answer to all)."""
    (train_x, _), _, (test_x, _) = pictures.load(data)
    images = theano.shared(train_x, name="images", borrow=True)
    index, x = T.lscalar("index"), T.matrix("x")
    model = DenoisingAutoencoder(x, train_x.shape[1], n_hidden, corruption, seed)
    train = theano.function(
        [index],
        model.cost,
        updates=model.descent(learning_rate),
        givens={x: images[index * batch_size : (index + 1) * batch_size]},
    )
    for epoch in range(epochs):
        costs = [train(i) for i in range(len(train_x) // batch_size)]
        print("epoch %d, cost %.4f" % (epoch + 1, numpy.mean(costs)))

    look = theano.function([x], [model.cost, model.corrupted, model.restored])
    cost, corrupted, restored = look(test_x)
    guess = train_x.mean(axis=0).clip(1e-3, 1 - 1e-3)
    blind = -(test_x * numpy.log(guess) + (1 - test_x) * numpy.log(1 - guess)).sum(axis=1).mean()
    out = 100 * (corrupted[test_x > 0] == 0).mean()
    print("test pictures, %.1f %% put out: cost %.4f; of the mean picture: %.4f" % (out, cost, blind))
    if corrupted.shape[1] == 64:
        print("a corrupted picture:\n%s\nand restored:\n%s" % tuple(map(pictures.as_text, (corrupted[0], restored[0]))))
    return float(cost), float(blind)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a file like mnist.pkl.gz")
    parser.add_argument("--epochs", type=int, default=15)
    main(**vars(parser.parse_args()))
