"""Functions with the gradient of a loop, by croton's kernels: the results are XLA's to rounding."""

import jax
import numpy as np
import pytest

import croton
from croton import tensor as T
from croton.compile import dividing
from croton.compile.dividing import Dividing
from croton.native.build import compiler
from croton.native.each import Each

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to make the kernels with")

UNITS = 24
X = np.random.RandomState(5).randn(9, 16, 3).astype("float32")


def made():
    """A function that makes a step of gradient descent through a loop, and its parameters."""
    start = np.random.RandomState(1)
    shapes = {"W": (3, UNITS), "U": (UNITS, UNITS)}
    params = [croton.shared((0.1 * start.randn(*shape)).astype("float32"), name) for name, shape in shapes.items()]
    W, U = params
    x = T.ftensor3("x")
    h, _ = croton.loop.scan(
        lambda z, h, U: T.tanh(z + T.dot(h, U)), T.dot(x, W), T.zeros((x.shape[1], UNITS), "float32"), U
    )
    cost = T.sqr(h).mean() + T.abs_(h[-1]).sum()
    slopes = T.grad(cost, params)
    # Larger steps down the sum of |h| would make more of the last bit than any kernel does.
    f = croton.function([x], [cost, h], updates=[(p, p - 0.01 * g) for p, g in zip(params, slopes, strict=True)])
    return f, params


def results(arrays=(X, X, X[:, :8], X[:5])):
    f, params = made()
    outputs = [np.asarray(o) for x in arrays for o in f(x)]
    return f, [*outputs, *[p.get_value() for p in params]]


def text(f, *arguments):
    """The program of a function that has a loop."""
    program = f._program
    [(run, _, _)] = program._compiled.values()
    assert isinstance(run, Dividing)
    with jax.enable_x64(True):
        given = [*arguments, *program.shared_values()]
        return run.way(given).lower(*given).as_text()


def test_large_loops_are_kernels(monkeypatch):
    monkeypatch.setattr(dividing, "LEAST_KERNEL", 0)
    f, found = results()
    assert text(f, X).count("@croton_scan") == 2
    monkeypatch.setenv("CROTON_NATIVE", "0")
    g, expected = results()
    assert "croton" not in text(g, X)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


def test_small_loops_are_left_to_xla_and_traced_once():
    f, _ = results([X, X])
    assert "croton" not in text(f, X)
    assert f._program.traces == 1


def test_loops_that_no_kernel_can_run_are_left_to_xla(monkeypatch):
    monkeypatch.setattr(dividing, "LEAST_KERNEL", 0)
    x, U = T.ftensor3("x"), croton.shared(np.eye(3, dtype="float32"), "U")
    h, _ = croton.loop.scan(lambda z, h, U: T.tanh(z + T.dot(h, U) + h.mean(axis=0)), x, T.zeros_like(x[0]), U)
    f = croton.function([x], T.grad(T.sqr(h).sum(), U))
    expected = f(X)
    assert "croton_scan" not in text(f, X)
    monkeypatch.setenv("CROTON_NATIVE", "0")
    np.testing.assert_allclose(croton.function([x], T.grad(T.sqr(h).sum(), U))(X), expected, rtol=1e-5)


def regression():
    """A function that makes a step of softmax regression and tells the cost, and its parameters."""
    x, y = T.fmatrix("x"), T.ivector("y")
    W, b = (croton.shared(np.zeros(shape, "float32")) for shape in ((70, 12), (12,)))
    cost = -T.mean(T.log(T.nnet.softmax(T.dot(x, W) + b))[T.arange(y.shape[0]), y])
    updates = [(p, p - 0.1 * T.grad(cost, p)) for p in (W, b)]
    return croton.function([x, y], cost, updates=updates), [W, b]


def data(steps):
    rng = np.random.RandomState(0)
    return rng.randn(steps, 300, 70).astype("float32"), rng.randint(0, 12, (steps, 300)).astype("int32")


@pytest.mark.parametrize("over", [False, True])
def test_products_and_softmax_are_kernels(monkeypatch, over):
    monkeypatch.setattr(dividing, "LEAST_KERNEL", 1000)
    called = []
    each = Each.__call__
    monkeypatch.setattr(Each, "__call__", lambda self, values: called.append(self) or each(self, values))
    x, y = data(5)

    def trained():
        f, params = regression()
        costs = f.over(x, y) if over else [f(*step) for step in zip(x, y, strict=True)]
        return [np.asarray(costs), *[p.get_value() for p in params]]

    found = trained()
    assert called
    monkeypatch.setenv("CROTON_NATIVE", "0")
    for one, other in zip(found, trained(), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def test_a_wrong_label_is_found_by_kernels_too(monkeypatch):
    monkeypatch.setattr(dividing, "LEAST_KERNEL", 1000)
    f, params = regression()
    [x], [y] = data(1)
    y[7] = 12
    with pytest.raises(IndexError, match="12"):
        f(x, y)
    assert not any(p.get_value().any() for p in params)
