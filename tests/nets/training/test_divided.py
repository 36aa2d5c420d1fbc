"""Minibatches divided over the devices of a CPU: the results are those of one device."""

import jax
import numpy as np
import pytest

import croton
from croton import nets
from croton.nets.training import engine

pytestmark = pytest.mark.skipif(len(jax.local_devices()) < 2, reason="there is one device only")

RNG = np.random.RandomState(3)
X = RNG.randn(38, 7, 3)
LABELS = RNG.randint(0, 4, (38, 7)).astype("int32")
TARGETS = RNG.randn(38, 7, 2)
WEIGHTS = RNG.rand(38, 7)


@pytest.fixture(autouse=True)
def double():
    with croton.config(floatX="float64"):
        yield


def trained(monkeypatch, divide, make, data, **keywords):
    """The parameters after two epochs, the losses of the epochs, and over how many devices batches were divided."""
    used = set()
    ask = engine.mesh_for

    def mesh_for(examples):
        mesh = ask(examples) if divide else None
        used.add(1 if mesh is None else mesh.size)
        return mesh

    with monkeypatch.context() as patched:
        patched.setattr(engine, "mesh_for", mesh_for)
        net = make()
        epochs = net.itertrain(data, algo="rmsprop", learning_rate=0.01, batch_size=16, progress=False, **keywords)
        losses = [[monitors["loss"] for monitors in next(epochs)] for _ in range(2)]
        epochs.close()
    return [p.get_value() for p in net.params], losses, used


def classifier(form, **more):
    return lambda: nets.recurrent.Classifier([3, {"form": form, "size": 6, **more}, 4], rng=1)


CASES = {
    "lstm with weights": (lambda: nets.recurrent.Classifier([3, (6, "lstm"), 4], weighted=True, rng=1),
                          [X, LABELS, WEIGHTS], {"weight_l2": 0.1}),
    "gru with noise": (classifier("gru"), [X, LABELS], {"input_noise": 0.3, "hidden_dropout": 0.4}),
    "both directions": (classifier("bidirectional", worker="rnn") , [X, LABELS], {"hidden_l1": 0.1}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_divided_minibatches_train_as_whole_ones(monkeypatch, case):
    make, data, keywords = CASES[case]
    one = trained(monkeypatch, False, make, data, **keywords)
    two = trained(monkeypatch, True, make, data, **keywords)
    assert (one[2], two[2]) == ({1}, {1, 2})  # the last batch, of 6 examples, is left whole
    np.testing.assert_allclose(two[1], one[1], rtol=1e-9)
    for a, b in zip(two[0], one[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-12)


def test_feed_forward_nets_are_left_whole(monkeypatch):
    make = lambda: nets.Regressor([3, 4, 2], rng=1)  # noqa: E731
    assert trained(monkeypatch, True, make, [X[:, 0], TARGETS[:, 0]])[2] == set()


def test_divided_parameters_come_home(monkeypatch):
    net = classifier("rnn")()
    net.train([X, LABELS], batch_size=16, train_batches=1, max_updates=1, progress=False)
    assert {len(p.container.value.devices()) for p in net.params} == {1}
    assert not any(p.container.value.committed for p in net.params)
