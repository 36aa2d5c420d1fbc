"""A chain of 5,000 ops, and a graph of 20,000 nodes: nothing recurses as deep as the graph."""

import copy
import itertools
import pickle
import sys

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.graph import toposort
from croton.graph.rewriting import merge

CHAIN, NODES = 5_000, 20_000


def chain(n):
    x, w = T.dscalar("x"), croton.shared(0.999, "w")
    y = x
    for k in range(n):
        y = T.tanh(y) if k % 2 else y * w
    return x, w, y


@pytest.fixture(scope="module")
def deep():
    assert sys.getrecursionlimit() < CHAIN
    return chain(NODES)


def test_walks(deep):
    _, _, y = deep
    assert len(toposort([y])) == NODES
    assert merge([y])[0] is y


def test_derivatives_are_built_and_printed(deep):
    x, w, y = deep
    gx, gw = croton.grad(y, [x, w])
    second = croton.grad(gx, x)
    assert second.owner.inputs[0] is gx
    assert len(croton.pp(gw)) < 100_000
    text = croton.debugprint([y, gx, gw], file="str")
    # Every node once, and the chain's end once more as the gradient's input.
    assert text.count("tanh") == NODES // 2 + 1


def test_copies(deep):
    x, w, y = deep
    z = T.dscalar("z")
    assert len(toposort([croton.clone(y, {x: z})])) == NODES
    y2, w2 = pickle.loads(pickle.dumps([y, w]))
    order = toposort([y2])
    assert len(order) == NODES and order[0].inputs[1] is w2
    assert len(toposort([copy.deepcopy(y)])) == NODES


def test_clone_carries_gradients(deep):
    x, w, y = deep
    z = T.dscalar("z")
    g = croton.clone(croton.grad(y, w), {x: 2 * z})
    assert len(toposort([g])) > NODES


def test_a_wide_graph_prints(deep):
    v = T.dscalar("v")
    layer = [v + k for k in range(100)]
    while len(layer) > 1:
        layer = [a * b for a, b in itertools.pairwise(layer)]
    assert len(toposort(layer)) == 100 + 99 * 100 // 2
    assert len(croton.debugprint(layer, file="str").splitlines()) < 20_000


def test_a_chain_of_ops_runs():
    x = T.dscalar("x")
    y, value = x, np.float64(0.5)
    for k in range(CHAIN):
        y, value = (T.cos(y), np.cos(value)) if k % 2 else (y * 1.01, value * 1.01)
    f = croton.function([x], y)
    np.testing.assert_allclose(f(0.5), value, rtol=1e-9)
    assert croton.debugprint(pickle.loads(pickle.dumps(f)), file="str").count("cos") == CHAIN // 2
