"""Loops whose examples are divided over the devices of a CPU: the results are those of one device."""

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

import croton
from croton import devices
from croton import tensor as T
from croton.compile import dividing

pytestmark = pytest.mark.skipif(len(jax.local_devices()) < 2, reason="there is one device only")

RNG = np.random.RandomState(5)
UNITS = 6
X = RNG.randn(9, 16, 3)


@pytest.fixture(autouse=True)
def double():
    with croton.config(floatX="float64"):
        yield


def rnn(z, h, U):
    return T.tanh(z[:, :UNITS] + T.dot(h, U[:, :UNITS]))


def gru(z, h, U):
    r, u = (T.nnet.sigmoid(z[:, k : k + UNITS] + T.dot(h, U[:, k : k + UNITS])) for k in (0, UNITS))
    return u * h + (1 - u) * T.tanh(z[:, 2 * UNITS : 3 * UNITS] + T.dot(r * h, U[:, 2 * UNITS : 3 * UNITS]))


def mixing(z, h, U):
    return rnn(z, h, U) - h.mean(axis=0)


def sorting(z, h, U):
    return T.sort(rnn(z, h, U), axis=0)


def made(step):
    """A function that makes a step of gradient descent, its program, and its parameters."""
    start = np.random.RandomState(1)
    W, U = (croton.shared(0.3 * start.randn(n, 3 * UNITS), name) for n, name in ((3, "W"), (UNITS, "U")))
    x = T.dtensor3("x")
    h, _ = croton.loop.scan(step, T.dot(x, W), T.zeros((x.shape[1], UNITS)), U)
    cost = T.sqr(h).mean() + T.abs_(h[-1]).sum()
    slopes = T.grad(cost, [W, U])
    f = croton.function([x], [cost, h], updates=[(p, p - 0.1 * g) for p, g in zip([W, U], slopes, strict=True)])
    return f, [W, U]


def devices_of(f, monkeypatch):
    """Over how many devices each call's examples are divided, as a list that grows."""
    used = []
    ask = dividing.Dividing.way

    def way(self, arguments):
        found = ask(self, arguments)
        used.append(found.size if isinstance(found, Mesh) else 1)
        return found

    monkeypatch.setattr(dividing.Dividing, "way", way)
    return used


@pytest.mark.parametrize("step", [rnn, gru])
def test_outputs_and_updates_are_those_of_one_device(monkeypatch, step):
    results = []
    for least, wanted in ((np.inf, 1), (0, 2)):
        with monkeypatch.context() as patched:
            patched.setattr(dividing, "LEAST_WORK", least)
            f, params = made(step)
            used = devices_of(f, patched)
            outputs = [f(X[:, : 16 - 8 * (k == 2)]) for k in range(4)]
        assert set(used) == {wanted, 1}
        results.append([*[np.asarray(o) for os in outputs for o in os], *[p.get_value() for p in params]])
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("step", [mixing, sorting])
def test_examples_that_depend_on_each_other_stay_together(monkeypatch, step):
    monkeypatch.setattr(dividing, "LEAST_WORK", 0)
    f, _ = made(step)
    used = devices_of(f, monkeypatch)
    f(X)
    assert set(used) == {1}


def test_little_work_is_left_to_one_device_and_traced_once(monkeypatch):
    f, _ = made(rnn)
    used = devices_of(f, monkeypatch)
    f(X)
    f(X)
    assert set(used) == {1}
    assert f._program.traces == 1


def test_a_program_is_traced_once_more_for_several_devices(monkeypatch):
    monkeypatch.setattr(dividing, "LEAST_WORK", 0)
    f, _ = made(gru)
    for _ in range(3):
        f(X)
    assert f._program.traces == 2


def test_large_values_that_are_updated_in_place(monkeypatch):
    monkeypatch.setattr(dividing, "LEAST_WORK", 0)
    monkeypatch.setattr("croton.compile.program.DONATED", 1)
    f, params = made(gru)
    used = devices_of(f, monkeypatch)
    before = [p.get_value() for p in params]
    f(X)
    assert used == [2]
    assert all(
        np.isfinite(p.get_value()).all() and (p.get_value() != b).any() for p, b in zip(params, before, strict=True)
    )


def test_a_check_within_the_function_still_speaks(monkeypatch):
    monkeypatch.setattr(dividing, "LEAST_WORK", 0)
    x, labels = T.dtensor3("x"), T.ivector("labels")
    U = croton.shared(np.eye(3), "U")
    h, _ = croton.loop.scan(lambda x, h, U: T.tanh(x + T.dot(h, U)), x, T.zeros((16, 3)), U)
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(h[-1]), labels).mean()
    f = croton.function([x, labels], T.grad(cost, U))
    used = devices_of(f, monkeypatch)
    assert f(X, np.zeros(16, "int32")).shape == (3, 3)
    assert used == [2]
    with pytest.raises((ValueError, IndexError), match="labels must lie between 0 and 2"):
        f(X, np.full(16, 7, "int32"))


def test_devices_exchange_gradients_only(monkeypatch):
    """Nothing as long as a stack of all steps is brought together, not even for the sum of very many outputs."""
    monkeypatch.setattr(dividing, "LEAST_WORK", 0)
    monkeypatch.setenv("CROTON_NATIVE", "0")
    x, U = T.ftensor3("x"), croton.shared(np.eye(48, dtype="float32"), "U")
    h, _ = croton.loop.scan(lambda x, h, U: T.tanh(x + T.dot(h, U)), x, T.zeros((16, 48), "float32"), U)
    f = croton.function([x], [T.sqr(h).mean(), T.grad(T.sqr(h).mean(), U)])
    given = np.ones((100, 16, 48), "float32")
    f(given)
    ((run, _, _),) = f._program._compiled.values()
    ((mesh, program),) = run._divided.items()
    with devices.dividing(mesh), jax.enable_x64(True):
        text = program.lower(*devices.everywhere(mesh, [given, U.get_value()])).compile().as_text()
    assert "all-reduce" in text
    assert "all-gather" not in text
