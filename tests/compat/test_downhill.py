"""downhill as old programs meet it: optimizers of symbolic losses, and data sets."""

import numpy as np
import pytest

import croton
from croton import nets
from croton import tensor as T
from croton.compat import downhill

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "f")
Y = np.array([[0], [1], [1], [0]], "f")

# What downhill 0.4.0 printed for these data and weights, the loss before each step.
ORIGINAL = {
    "RProp": (0.271884, 0.269535, 0.268535, 0.265679, 0.266603),
    "rmsprop": (0.271884, 0.307863, 0.258387, 0.265687, 0.255061),
    "ADADELTA": (0.271884, 0.271658, 0.271342, 0.271009, 0.270688),
}


def square(start=(3.0, -1.0), dtype="float64"):
    x = croton.shared(np.array(start, dtype), name="x")
    return x, T.sum(T.sqr(x))


@pytest.mark.contract("6.5 rprop")
@pytest.mark.contract("6.5 rmsprop")
@pytest.mark.contract("6.5 adadelta")
def test_steps_are_the_originals():
    net = nets.Regressor([2, 3, 1])
    net.find("out", "w").set_value(np.array([[-0.356195], [0.376883], [-0.022252]], "f"))
    net.find("out", "b").set_value(np.array([0.451812], "f"))
    start = [p.get_value() for p in net.params]
    loss = net.loss()
    for algo, expected in ORIGINAL.items():
        for p, value in zip(net.params, start, strict=True):
            p.set_value(value)
        optimizer = downhill.build(algo, loss, net.params, net.variables)
        assert type(optimizer).__name__.lower() == algo.lower()
        steps = optimizer.iterate([X, Y], learning_rate=0.01, momentum=0.5, max_updates=5)
        np.testing.assert_allclose([seen["loss"] for seen, _ in steps], expected, atol=2e-6, err_msg=algo)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov):
    x, loss = square()
    algo = "nag" if nesterov else "sgd"
    downhill.minimize(loss, None, algo=algo, learning_rate=0.1, momentum=0.5, max_updates=3)
    p, v = np.array([3.0, -1.0]), 0
    for _ in range(3):
        step = 0.1 * 2 * p
        v = 0.5 * v - step
        p = p + (0.5 * v - step if nesterov else v)
    np.testing.assert_allclose(x.get_value(), p, rtol=1e-12)


def test_gradients_are_clipped_elementwise_or_by_norm():
    short = 3 - 3 / 10**0.5, -1 + 1 / 10**0.5
    for keyword, expected in (("max_gradient_elem", [2.0, 0.0]), ("max_gradient_norm", short)):
        x, loss = square()
        downhill.minimize(loss, None, algo="sgd", learning_rate=1, max_updates=1, **{keyword: 1})
        np.testing.assert_allclose(x.get_value(), expected, rtol=1e-12)
    with pytest.warns(DeprecationWarning, match="gradient_clip= is an old name"):
        list(downhill.build("sgd", square()[1]).get_updates(gradient_clip=1))


def test_esgd_and_adam_bring_a_loss_down_in_float32():
    for algo in ("esgd", "adam"):
        x, loss = square(dtype="float32")
        with croton.config(floatX="float64"):
            train, _ = downhill.minimize(loss, None, algo=algo, learning_rate=0.1, max_updates=20)
        assert train["loss"] < 9 and x.get_value().dtype == "float32"


class Shrink(downhill.Optimizer):
    """Takes a share of the parameter off it, which falls with each step."""

    def _prepare(self, share=0.5, **kwargs):
        self.share = share
        super()._prepare(**kwargs)

    def _get_updates_for(self, param, grad):
        count = croton.shared(np.float64(0), name="count")
        yield count, count + 1
        yield param, param * self.share / (count + 1)


def test_an_algorithm_of_ones_own():
    x, loss = square()
    optimizer = downhill.build("SHRINK", loss, monitors={"first": x[0]})
    assert isinstance(optimizer, Shrink)
    seen = [train["first"] for train, _ in optimizer.iterate(share=0.25, max_updates=3)]
    np.testing.assert_allclose(seen, [3, 2.25, 2.25 * 0.875])


def test_updates_for_a_function_of_ones_own():
    _, loss = square()
    step = croton.function([], loss, updates=list(downhill.build("sgd", loss).get_updates(learning_rate=0.25)))
    np.testing.assert_allclose([step(), step(), step()], [10, 2.5, 0.625])


def linear():
    x, w = T.vector("x"), croton.shared(0.0, name="w")
    return w, x, T.mean(T.sqr(w - x))


def test_monitors_count_each_example_once():
    w, x, loss = linear()
    optimizer = downhill.build("sgd", loss, [w], [x], monitors=[("mean", x.mean())], monitor_gradients=True)
    values = np.array([1, 1, 1, 1, 7])  # integers, in batches of 4 and 1
    seen = optimizer.evaluate(downhill.Dataset(values, batch_size=4))
    assert seen == pytest.approx({"loss": (4 * 1 + 49) / 5, "mean": 11 / 5, "grad(w)": (4 * 4 + 14**2) / 5})


def test_the_best_parameters_are_kept_where_there_are_validation_data():
    train, valid = np.full(4, 10.0), np.full(4, 1.0)
    results = {}
    for given in (valid, None):
        w, x, loss = linear()
        pairs = list(
            downhill.build("sgd", loss, [w], [x]).iterate(
                [train],
                given if given is None else [given],
                learning_rate=0.01,
                validate_every=1,
                patience=2,
                max_updates=30,
            )
        )
        results[given is None] = len(pairs), float(w.get_value())
    # w comes nearest to 1 after 5 steps of 0.02 * (10 - w); three validations later patience ends.
    assert results[False][0] < 30 and abs(results[False][1] - 1) < 0.1
    assert results[True] == (30, pytest.approx(10 * (1 - 0.98**30)))


def test_batches_may_be_given_as_they_are():
    _, _, loss = linear()
    batches = [[np.array([1.0, 3.0])], [np.array([5.0])]]
    train, _ = downhill.build("sgd", loss).minimize(batches, learning_rate=0.0, max_updates=1)
    assert train["loss"] == pytest.approx((1 + 9 + 25) / 3)
    with pytest.raises(ValueError, match="a batch holds 2 arrays; the loss has 1 inputs: x"):
        downhill.minimize(loss, [np.ones(3), np.ones(3)], max_updates=1)


def test_what_cannot_be_minimized():
    w, x, loss = linear()
    with pytest.raises(KeyError, match="did you mean 'rmsprop'"):
        downhill.build("rmsprob", loss)
    with pytest.raises(ValueError, match="no shared variable with real values"):
        downhill.build("sgd", x.sum())
    with pytest.raises(TypeError, match="no hyper-parameter 'learning_rat': did you mean 'learning_rate'"):
        downhill.minimize(loss, [np.ones(3)], learning_rat=1)
    with pytest.raises(ValueError, match="momentum=1.5"):
        downhill.minimize(loss, [np.ones(3)], momentum=1.5)
    with pytest.warns(UserWarning, match="rms_halflife= has no effect on SGD"):
        downhill.minimize(loss, [np.ones(3)], algo="sgd", rms_halflife=3, max_updates=0)
    with pytest.raises(NotImplementedError, match="Optimizer has no _get_updates_for"):
        downhill.minimize(loss, [np.ones(3)], algo="optimizer", max_updates=1)
    assert w.get_value() == 0


def test_a_data_set_shuffles_batches_and_keeps_what_is_in_them():
    data = downhill.Dataset([np.arange(11), np.arange(11) * 2], batch_size=3, rng=4)
    passes = [[batch for batch, _ in data] for _ in range(6)]
    for batches in passes:
        assert sorted(map(list, batches)) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10]]
    assert len({tuple(int(b[0]) for b in batches) for batches in passes}) > 1
    whole = downhill.Dataset(np.arange(5), batch_size=0)
    assert [batch.tolist() for (batch,) in whole] == [[0, 1, 2, 3, 4]]


def test_a_data_set_of_a_callable():
    made = []
    data = downhill.Dataset(lambda: made.append(0) or (np.ones(2), np.ones((3, 3))), iteration_size=4)
    shapes = [[a.shape for a in batch] for batch in data]
    assert shapes == [[(2,), (3, 3)]] * 4 and len(made) >= 4
