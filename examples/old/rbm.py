"""A restricted Boltzmann machine, trained by persistent contrastive divergence.

Binary pixels v and hidden units h have the probability exp(-E) / Z with E = -v'Wh - b'v - c'h. The gradient of log p(v)
is that of F(v') - F(v) for the free energy F(v) = -b'v - sum_j log(1 + exp((vW + c)_j)), where v' is drawn from the
model itself and held constant. v' comes from chains of Gibbs steps that go on where the last minibatch left them
(Tieleman, ICML 2008). The chains live in a shared variable; a step is scanned, and the random streams' states and the
chains' end come back as updates.

As p(v) itself cannot be computed, progress is told by the pseudo-likelihood: the sum over the pixels i of
log p(v_i | all other pixels) = log sigmoid(F(v with pixel i flipped) - F(v)), in nats a picture.

    rbm.py                     drawn pictures
    rbm.py --data mnist.pkl.gz
"""

import argparse

import numpy
import theano
import theano.tensor as T
from theano.tensor.shared_randomstreams import RandomStreams

import pictures


class RBM:
    """`n_visible` pixels, whose biases start at the log odds of the frequencies `on`, and `n_hidden` hidden units."""

    def __init__(self, on, n_hidden, n_chains, seed):
        rng = numpy.random.RandomState(seed)
        n_visible, floatX = len(on), theano.config.floatX
        self.W = theano.shared(rng.normal(0, 0.01, size=(n_visible, n_hidden)).astype(floatX), name="W")
        self.b = theano.shared(numpy.log(on / (1 - on)).astype(floatX), name="b")
        self.c = theano.shared(numpy.zeros(n_hidden, dtype=floatX), name="c")
        self.params = [self.W, self.b, self.c]
        self.chains = theano.shared((rng.uniform(size=(n_chains, n_visible)) < on).astype(floatX), name="chains")
        self.streams = RandomStreams(seed)

    def free_energy(self, v):
        return -T.dot(v, self.b) - T.nnet.softplus(T.dot(v, self.W) + self.c).sum(axis=1)

    def gibbs_step(self, v):
        """The hidden units drawn given the visible ones, then the visible ones given those: (draw, its means)."""
        h_mean = T.nnet.sigmoid(T.dot(v, self.W) + self.c)
        h = self.streams.binomial(size=h_mean.shape, n=1, p=h_mean, dtype=theano.config.floatX)
        v_mean = T.nnet.sigmoid(T.dot(h, self.W.T) + self.b)
        return self.streams.binomial(size=v_mean.shape, n=1, p=v_mean, dtype=theano.config.floatX), v_mean

    def gibbs_chain(self, n_steps):
        """From the chains' state on: the draws and means of the last step, and the updates for them to go on."""
        (draws, means), updates = theano.scan(self.gibbs_step, outputs_info=[self.chains, None], n_steps=n_steps)
        updates[self.chains] = draws[-1]
        return draws[-1], means[-1], updates

    def descent(self, v, n_steps, learning_rate):
        """The difference of the free energies, data against chains, and the updates of a minibatch."""
        end, _, updates = self.gibbs_chain(n_steps)
        cost = self.free_energy(v).mean() - self.free_energy(end).mean()
        for param, gradient in zip(self.params, T.grad(cost, self.params, consider_constant=[end])):
            updates[param] = param - learning_rate * gradient
        return cost, updates

    def pseudo_likelihood(self, v):
        """The mean over the pictures, exact: every pixel is flipped in turn."""
        here = self.free_energy(v)
        flipped, _ = theano.map(
            lambda i, v: self.free_energy(T.set_subtensor(v[:, i], 1 - v[:, i])), T.arange(v.shape[1]), [v]
        )
        return T.log(T.nnet.sigmoid(flipped - here)).sum(axis=0).mean()


def main(data=None, n_hidden=60, n_steps=5, learning_rate=0.05, epochs=15, batch_size=20, seed=42):
    """Trains; prints the pseudo-likelihood of 500 test pictures, before and after each epoch, and a draw.
    Returns the pseudo-likelihoods."""
    (train_x, _), _, (test_x, _) = pictures.load(data)
    train_x, test_x = ((x > 0.5).astype(theano.config.floatX) for x in (train_x, test_x[:500]))
    images = theano.shared(train_x, name="images", borrow=True)
    on = train_x.mean(axis=0).clip(0.01, 0.99)
    rbm = RBM(on, n_hidden, batch_size, seed)

    index, v = T.lscalar("index"), T.matrix("v")
    cost, updates = rbm.descent(v, n_steps, learning_rate)
    rows = images[index * batch_size : (index + 1) * batch_size]
    train = theano.function([index], cost, updates=updates, givens={v: rows})
    measure = theano.function([v], rbm.pseudo_likelihood(v))

    history = [float(measure(test_x))]
    print("before, pseudo-likelihood %.3f" % history[0])
    for epoch in range(epochs):
        costs = [train(i) for i in range(len(train_x) // batch_size)]
        history.append(float(measure(test_x)))
        print("epoch %d, pseudo-likelihood %.3f, difference %.3f" % (epoch + 1, history[-1], numpy.mean(costs)))

    _, means, updates = rbm.gibbs_chain(200)
    drawn = theano.function([], means, updates=updates)()
    print("a picture that the model draws:\n%s" % pictures.as_text(drawn[0]))
    return history


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a file like mnist.pkl.gz")
    parser.add_argument("--epochs", type=int, default=15)
    main(**vars(parser.parse_args()))
