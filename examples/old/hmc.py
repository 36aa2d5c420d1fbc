"""Hamiltonian Monte Carlo: many chains at once draw from a Gaussian whose coordinates are correlated.

A point q with energy E(q) = -log density gets a random momentum p. Leapfrog steps follow the motion under
H = E(q) + p'p / 2 for a while; the end is accepted with probability min(1, exp(H before - H after)), else the chain
stays (Duane, Kennedy, Pendleton and Roweth, Physics Letters B 195, 1987). The step size grows by a little when a chain
accepts more than the target on average, and shrinks otherwise.

A transition reads the chains' positions, the step size and the running rate of acceptance from shared variables and
tells their new values as updates. Its leapfrog steps are a scan, with the gradient of the energy inside, and another
scan around it makes many transitions in one call, shared variables and random streams going on from one to the next.

    hmc.py [--n N]
"""

import argparse
from collections import OrderedDict

import numpy
import theano
import theano.tensor as T
from theano.tensor.shared_randomstreams import RandomStreams


class Sampler:
    """Chains that draw from exp(-energy(q)), where energy takes a matrix, a chain a row, and returns a vector."""

    def __init__(self, energy, positions, step_size, n_leapfrog=7, target=0.8, seed=1):
        floatX = theano.config.floatX
        self.energy, self.n_leapfrog, self.target = energy, n_leapfrog, target
        self.positions = theano.shared(numpy.asarray(positions, dtype=floatX), name="positions")
        self.step_size = theano.shared(numpy.asarray(step_size, dtype=floatX), name="step_size")
        self.acceptance = theano.shared(numpy.asarray(target, dtype=floatX), name="acceptance")
        self.streams = RandomStreams(seed)

    def force(self, q):
        return -T.grad(self.energy(q).sum(), q)

    def move(self, q, p):
        """Leapfrog steps from (q, p): half a step of the momentum, then whole steps of both, then half a step back."""

        def step(q, p):
            q = q + self.step_size * p
            return q, p + self.step_size * self.force(q)

        half = 0.5 * self.step_size
        (path, momenta), _ = theano.scan(step, outputs_info=[q, p + half * self.force(q)], n_steps=self.n_leapfrog)
        return path[-1], momenta[-1] - half * self.force(path[-1])

    def transition(self):
        """One transition of every chain: (the new positions, updates)."""
        q = self.positions
        p = self.streams.normal(size=q.shape, dtype=theano.config.floatX)
        new_q, new_p = self.move(q, p)
        gain = self.energy(q) + 0.5 * T.sqr(p).sum(axis=1) - self.energy(new_q) - 0.5 * T.sqr(new_p).sum(axis=1)
        accepted = T.log(self.streams.uniform(size=(q.shape[0],), dtype=theano.config.floatX)) < gain
        q = T.switch(accepted.dimshuffle(0, "x"), new_q, q)
        rate = 0.9 * self.acceptance + 0.1 * T.cast(accepted, theano.config.floatX).mean()
        step_size = T.clip(self.step_size * T.switch(rate > self.target, 1.02, 0.98), 1e-3, 1.0)
        updates = [
            (self.positions, q),
            (self.acceptance, T.cast(rate, theano.config.floatX)),
            (self.step_size, T.cast(step_size, theano.config.floatX)),
        ]
        return q, OrderedDict(updates)

    def sampler(self):
        """A function of n that makes n transitions: all positions, of shape (n, chains, coordinates)."""
        n = T.lscalar("n")
        positions, updates = theano.scan(self.transition, n_steps=n, name="transitions")
        return theano.function([n], positions, updates=updates)


def gaussian(mean, covariance):
    """The energy of a Gaussian, up to a constant."""
    mean = numpy.asarray(mean, dtype=theano.config.floatX)
    precision = numpy.linalg.inv(covariance).astype(theano.config.floatX)

    def energy(q):
        return 0.5 * (T.dot(q - mean, precision) * (q - mean)).sum(axis=1)

    return energy


def main(n=300, n_chains=50, seed=2):
    """Makes n transitions to adapt the step size, and n whose positions are kept. Prints step size and acceptance, and
    mean and covariance, wanted and found. Returns these two, each as (wanted, found), and the rate of acceptance."""
    mean = numpy.array([1.0, -2.0, 0.5])
    covariance = numpy.array([[2.0, 1.2, -0.4], [1.2, 1.0, 0.0], [-0.4, 0.0, 0.5]])
    start = numpy.random.RandomState(seed).normal(size=(n_chains, 3))
    hmc = Sampler(gaussian(mean, covariance), start, step_size=0.01, seed=seed)
    sample = hmc.sampler()

    def tell(done):
        state = hmc.step_size.get_value(), hmc.acceptance.get_value()
        print("after %d transitions, step size %.4f, acceptance %.3f" % ((done,) + state))

    tell(0)
    sample(n)
    tell(n)
    draws = sample(n)
    tell(2 * n)
    draws = draws.reshape(-1, 3).astype("float64")
    found = draws.mean(axis=0), numpy.cov(draws.T)
    for name, wanted, got in zip(["mean", "covariance"], [mean, covariance], found):
        print("%s, wanted:\n%s\nand found:\n%s" % (name, wanted, got.round(3)))
    return (mean, found[0]), (covariance, found[1]), float(hmc.acceptance.get_value())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=300, help="transitions, twice")
    main(**vars(parser.parse_args()))
