"""The contenders that train networks: they begin alike, they learn, and the floor counts what they must do."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import contenders, networks, worker
from benchmarks.floor import floor, parameters, products
from benchmarks.network_sections import memory
from benchmarks.networks import WORKS, data, start
from benchmarks.peers import PEERS
from benchmarks.pool import Worker
from benchmarks.programs import nets, nets_jax

FORMS = ("autoencoder-tied", "rnn-20", "lstm-128", "gru-128", "lenet-64")


@pytest.fixture
def small(monkeypatch):
    """Every network with minibatches of 4, and 3 of them in an epoch."""
    for name, work in WORKS.items():
        monkeypatch.setitem(networks.WORKS, name, work._replace(batch=4, steps=3))


def first(contender):
    return worker.build(contender.program, contender.work, contender.asked(check=True).arguments)()


def test_the_first_loss_of_croton_and_jax_is_the_true_one(small):
    work = WORKS["mlp-20"]
    (x, y), (hidden, out) = data(work), start(work)
    z = np.tanh(x[:4].astype("float64") @ hidden["w"]) @ out["w"]
    true = np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(4), y[:4]])
    by = {one.name: one for one in contenders.networks("mlp-20")}
    assert [first(by[name]) for name in ("croton", "JAX by hand")] == pytest.approx([true, true], rel=1e-5)


@pytest.mark.parametrize("name", FORMS)
def test_croton_and_jax_begin_with_the_same_loss(small, name):
    by = {one.name: one for one in contenders.networks(name)}
    assert first(by["croton"]) == pytest.approx(first(by["JAX by hand"]), rel=1e-5)


def test_croton_and_jax_learn_at_the_same_pace(small):
    losses = np.array(
        [[run() for _ in range(10)] for run in (nets.train("croton", "mlp-20"), nets_jax.train("mlp-20"))]
    )
    fall = losses[:, 0] - losses[:, -1]
    assert fall[0] > 0.05
    assert fall[0] == pytest.approx(fall[1], rel=0.3)  # they go through the data in different orders


def test_a_network_is_brought_to_its_program(small):
    contender = contenders.lowered("lstm-128")
    with Worker(contender) as process:
        process.build()
        assert 0 < process.ask("result") < 60


@pytest.mark.parametrize("name", ["lenet-64", "gru-128"])
@pytest.mark.parametrize("peer", ["torch", "keras"])
def test_peers_begin_with_the_same_loss(name, peer):
    if not (PEERS / peer / "made-of").exists():
        pytest.skip(f"no .peers/{peer}")
    rows = {one.environment: one.asked(check=True) for one in contenders.networks(name) if "compile" not in one.name}
    # On a busy machine PyTorch's threads wait for each other.
    with Worker(replace(rows[peer], flags={**rows[peer].flags, "OMP_NUM_THREADS": "1"})) as process:
        process.build()
        loss = process.ask("result")
    jax = next(one for one in contenders.networks(name) if one.name == "JAX by hand")
    assert loss == pytest.approx(first(jax), rel=1e-5)


def test_products_of_a_training_step():
    assert sorted(products(WORKS["mlp-20"])) == [2 * 20 * 500 * 10] * 3 + [2 * 20 * 784 * 500] * 2
    in_out, loop = 2 * 6400 * 10 * 80, 2 * 64 * 20 * 80
    work = WORKS["lstm-128"]._replace(layers=(networks.Layer("lstm", 20, "tanh"),))
    assert products(work) == [in_out] * 2 + [loop] * 200 + [100 * loop]
    first, second = 2 * 64 * 24 * 24 * 25 * 20, 2 * 64 * 8 * 8 * 25 * 20 * 50
    assert products(WORKS["lenet-64"])[:5] == [first] * 2 + [second] * 3


def test_the_floor_is_the_longer_of_products_and_update():
    work = WORKS["classifier-1"]
    numbers = 785 * 100 + 101 * 10
    assert parameters(work) == numbers
    flops = 2 * (2 * 784 * 100 + 3 * 100 * 10)
    rates = {"large": 1e30, "small": 1e9, "memory": {numbers: 1e30}}
    assert floor(work, rates) == (pytest.approx(flops / 1e9), "products")
    rates = {"large": 1e30, "small": 1e30, "memory": {numbers: 1e9}}
    assert floor(work, rates) == (pytest.approx(numbers * 8 * 3 / 1e9), "update")


def test_what_a_tied_layer_borrows_is_counted_once():
    tied, untied = (parameters(WORKS[name]) for name in ("autoencoder-tied", "autoencoder"))
    assert untied - tied == 784 * 256 + 256 * 64
    assert len(products(WORKS["autoencoder-tied"])) == len(products(WORKS["autoencoder"]))


def test_the_memory_of_a_long_training_is_told_for_each_number_of_epochs():
    section = memory(1, epochs=(1, 3))
    head, (name, *told) = section.table
    assert (len(head), name, len(told)) == (3, "croton", 2)
    assert all(10 < float(size) < 10_000 for size in told)
