"""The contenders of the recurrent sections: each does its work, and they do the same."""

import sys

import numpy as np
import pytest

from benchmarks import contenders, worker
from benchmarks.peers import PEERS
from benchmarks.pool import Worker
from benchmarks.programs.recurrent_start import minibatch, start
from benchmarks.sections import CELLS

UNITS, BATCH, TIME, STEPS = 6, 3, 5, 4


def build(contender):
    return worker.build(contender.program, contender.work, contender.arguments)


def true_cost(cell):
    """The first cost, in float64 with NumPy."""
    p = {name: value.astype("float64") for name, value in start(cell, UNITS).items()}
    x = minibatch(TIME, BATCH)
    sigmoid = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    h = c = np.zeros((BATCH, UNITS))
    costs = []
    for z in x @ p["W"] + p["b"]:
        if cell == "rnn":
            h = np.tanh(z + h @ p["U"])
        elif cell == "lstm":
            i, f, g, o = np.split(z + h @ p["U"], 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (zr, zu, zn), (ur, uu, un) = np.split(z, 3, axis=1), np.split(p["U"], 3, axis=1)
            r, u = sigmoid(zr + h @ ur), sigmoid(zu + h @ uu)
            h = u * h + (1 - u) * np.tanh(zn + (r * h) @ un)
        costs.append(np.square(h))
    return np.mean(costs)


@pytest.mark.parametrize("cell", CELLS)
def test_croton_and_jax_make_the_same_training_steps(cell):
    ours, jax, _ = (one for one in contenders.recurrent(cell, UNITS, BATCH, TIME, STEPS))
    costs = np.array([build(one)() for one in (ours, jax)])
    assert costs.shape == (2, STEPS)
    np.testing.assert_allclose(costs[:, 0], true_cost(cell), rtol=1e-6)
    # What a step takes off the cost tells whether the gradients are the same.
    fall = costs[:, 0] - costs[:, -1]
    assert fall[1] > 1e-3
    assert fall[0] == pytest.approx(fall[1], rel=2e-3)


@pytest.mark.skipif(not (PEERS / "torch" / "made-of").exists(), reason="no PyTorch in .peers/torch")
def test_pytorch_layers_begin_with_the_same_cost():
    for cell in CELLS:
        *_, torch = contenders.recurrent(cell, UNITS, BATCH, TIME, STEPS)
        with Worker(torch) as process:
            process.build()
            costs = process.ask("result")
        assert len(costs) == STEPS
        assert costs[0] > costs[-1]
        assert costs[0] == pytest.approx(true_cost(cell), rel=1e-6 if cell != "gru" else 1e-2)


def test_every_contender_for_memory_makes_the_same_training_steps():
    works = [build(one) for one in contenders.recurrent_memory(UNITS, BATCH, 9, save_every=4)]
    costs = np.array([[float(work()) for _ in range(3)] for work in works])
    assert 0 < costs[0, 0] < 1
    assert np.all(np.diff(costs) < 0)
    np.testing.assert_allclose(costs[1:], costs[[0, 0]], rtol=1e-6)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_what_each_run_needs():
    size = 1 << 26
    sizes = iter([size, 2 * size, size])

    def work():
        return np.ones(next(sizes), "uint8").sum()

    for grown, expected in zip(worker.memory(work, runs=3), [size, 2 * size, size], strict=True):
        assert 0.9 * expected < grown < 1.2 * expected
