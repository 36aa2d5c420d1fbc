"""Losses against NumPy and SciPy, against the original's numbers, and by their numeric gradients."""

from __future__ import annotations

import json
import logging
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import croton
from croton import nets
from croton import sparse as S
from croton import tensor as T
from croton.nets import losses
from croton.nets.losses import Loss
from croton.nets.util import ConfigurationError
from tests.nets import golden

ROWS, K = 4, 3
NAMES = {
    "mse": ("mse", "MeanSquaredError"),
    "mae": ("mae", "MeanAbsoluteError"),
    "kl": ("kl", "kld", "KullbackLeiblerDivergence"),
    "xe": ("xe", "CrossEntropy"),
    "hinge": ("hinge",),
    "gll": ("gll", "GaussianLogLikelihood"),
    "mmd": ("mmd", "MaximumMeanDiscrepancy"),
}
LABELLED = ("xe", "hinge")


def softmax(z: np.ndarray) -> np.ndarray:
    return scipy.special.softmax(z, axis=-1)


def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / 1.5)


def mmd(y: np.ndarray, t: np.ndarray, w: np.ndarray) -> float:
    pairs = np.outer(w.mean(1), w.mean(1))
    return float((pairs * (kernel(t, t) - 2 * kernel(t, y) + kernel(y, y))).sum() / pairs.sum())


def average(terms: np.ndarray, w: np.ndarray) -> float:
    return float((terms * w).sum() / w.sum())


# The loss of outputs y (of probabilities p), targets t (of probabilities q), labels, weights w and row weights r.
REFERENCES: dict[str, Any] = {
    "mse": lambda y, t, labels, w, r: average((y - t) ** 2, w),
    "mae": lambda y, t, labels, w, r: average(abs(y - t), w),
    "kl": lambda y, t, labels, w, r: K * average(scipy.special.rel_entr(softmax(t), softmax(y)), w),
    "xe": lambda y, t, labels, w, r: average(-np.log(softmax(y)[np.arange(ROWS), labels]), r),
    "hinge": lambda y, t, labels, w, r: average(y.max(1) - y[np.arange(ROWS), labels], r),
    "gll": lambda y, t, labels, w, r: K * average(-scipy.stats.norm.logpdf(t, y, np.sqrt(abs(y) + 0.1)), w),
    "mmd": lambda y, t, labels, w, r: mmd(y, t, w),
}


class Symbols:
    """Variables, and every loss of them."""

    def __init__(self, weighted: bool) -> None:
        self.y, self.t, self.w = T.dmatrices("y", "t", "w")
        self.labels, self.r = T.ivector("labels"), T.dvector("r")
        probabilities = T.nnet.softmax(self.y)
        self.outputs = {"out:out": self.y, "mean:out": self.y, "covar:out": self.y, "p:out": probabilities}
        self.losses = [self._build(name, weighted) for name in REFERENCES]

    def _build(self, name: str, weighted: bool) -> Loss:
        target = self.labels if name in LABELLED else T.nnet.softmax(self.t) if name == "kl" else self.t
        own = {"mmd": {"kernel": 1.5}, "gll": {"covar_eps": 0.1}}.get(name, {})
        weights = (self.r if name in LABELLED else self.w) if weighted else False
        output = "p" if name in ("kl", "xe") else "out"
        return losses.build(name, target=target, weighted=weights, output_name=output, **own)

    def values(self) -> list[Any]:
        return [loss(self.outputs) for loss in self.losses]


def numbers(shape: tuple[int, ...], low: float, high: float) -> Any:
    return arrays("float64", shape, elements=st.floats(low, high, allow_subnormal=False))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "weighted"])
def computed(request: Any) -> tuple[bool, Any]:
    s = Symbols(request.param)
    return request.param, croton.function([s.y, s.t, s.labels, s.w, s.r], s.values(), on_unused_input="ignore")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.contract(f"4 {n}")) for n in REFERENCES])
@settings(max_examples=10)
@given(
    y=numbers((ROWS, K), -5, 5),
    t=numbers((ROWS, K), -5, 5),
    labels=arrays("int32", ROWS, elements=st.integers(0, K - 1)),
    w=numbers((ROWS, K), 0.125, 2),
    r=numbers((ROWS,), 0.125, 2),
)
def test_value(computed: Any, name: str, y: Any, t: Any, labels: Any, w: Any, r: Any) -> None:
    weighted, run = computed
    value = run(y, t, labels, w, r)[list(REFERENCES).index(name)]
    if not weighted:
        w, r = np.ones_like(w), np.ones_like(r)
    np.testing.assert_allclose(value, REFERENCES[name](y, t, labels, w, r), rtol=1e-8, atol=1e-9)


@pytest.mark.contract("4 gll")
@pytest.mark.contract("10.5")
@pytest.mark.contract("10.9")
@pytest.mark.contract("10.10")
def test_gradients() -> None:
    rng = np.random.RandomState(3)
    s = Symbols(weighted=True)
    data = {s.t: rng.randn(ROWS, K), s.w: rng.rand(ROWS, K), s.r: rng.rand(ROWS), s.labels: np.int32([0, 2, 1, 1])}
    values = T.stack(s.values())

    def of(y: Any) -> Any:
        return croton.clone(values, {s.y: y, **{v: T.constant(a) for v, a in data.items()}})

    croton.gradient.verify_grad(of, [rng.randn(ROWS, K)])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.contract(f"4 {n.split('_')[1]}"))
        for n in golden.names("loss_")
        if not n.startswith("loss_kl") and n != "loss_mmd_weighted"
    ],
)
def test_golden(name: str) -> None:
    case = golden.Case(name)
    made = case.compute(case.network())
    golden.close(made.loss, case.loss)
    for key, value in case.grads.items():
        golden.close(made.grads[key], value, key)


XOR = np.float32([[0, 0], [0, 1], [1, 0], [1, 1]])


def as_the_original_began(net: Any) -> Any:
    """The network with every layer's parameters drawn anew from the same seed."""
    for layer in net.layers[1:]:
        rng, (rows, cols) = np.random.RandomState(13), layer.find("w").get_value().shape
        layer.find("w").set_value((rng.randn(rows, cols) / np.sqrt(rows + cols)).astype("float32"))
        layer.find("b").set_value(rng.randn(cols).astype("float32"))
    return net


@pytest.mark.contract("11 losses")
@pytest.mark.contract("11 regularizers")
def test_figures_of_a_regressor() -> None:
    net = as_the_original_began(nets.Regressor([2, 3, 1]))
    target, w = T.matrix("target"), T.matrix("weights")
    outputs, _ = net.build_graph()
    said = [("mse", False), ("mae", False), ("mmd", False), ("mse", w), ("mae", w)]
    found = [losses.build(name, target=target, weighted=weights)(outputs) for name, weights in said]
    terms = [nets.Regularizer.build(r).loss(net.layers, outputs) for r in ("hidden_l1", "weight_l1", "weight_l2")]
    given = croton.function([*net.inputs, target, w], [*found, *terms])(
        XOR, np.float32([[0], [1], [1], [0]]), np.float32([[1], [2], [3], [4]])
    )
    expected = [0.271884, 0.5, 0.104978, 0.320536, 0.553986, 1.403407, 0.268993, 0.101143]
    np.testing.assert_allclose(given, expected, atol=1e-6)


@pytest.mark.contract("11 losses")
def test_figures_of_a_classifier() -> None:
    net = as_the_original_began(nets.Classifier([2, 3, 2]))
    labels, w = T.ivector("labels"), T.vector("weights")
    outputs, _ = net.build_graph()
    said = [("xe", False), ("hinge", False), ("xe", w)]
    found = [losses.build(name, target=labels, weighted=weights)(outputs) for name, weights in said]
    given = croton.function([*net.inputs, labels, w], found)(XOR, np.int32([0, 1, 1, 0]), np.float32([1, 2, 3, 4]))
    np.testing.assert_allclose(given, [0.695381, 0.028667, 0.706845], atol=1e-6)


# --- names and arguments ---


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.contract(f"4 {n}")) for n in NAMES])
def test_names(name: str) -> None:
    kinds = {type(losses.build(alias, target=1)) for alias in NAMES[name]}
    assert kinds == {Loss.get_class(name.upper())}


def test_unknown_names_and_keywords() -> None:
    with pytest.raises(KeyError, match="did you mean 'mse'"):
        losses.build("mes", target=2)
    with pytest.raises(TypeError, match="'gll' has no keyword 'covar_esp': did you mean 'covar_eps'"):
        losses.build("gll", target=2, covar_esp=1)


@pytest.mark.contract("4 Loss")
def test_variables() -> None:
    for name in NAMES:
        loss = losses.build(name, target=2, weighted=True)
        target, weights = loss.variables
        assert (target.name, weights.name) == ("target", "weights")
        assert target.dtype == ("int32" if name in LABELLED else croton.config.floatX)
        assert (weights.ndim, weights.dtype) == (2, croton.config.floatX)
        assert losses.build(name, target=target).variables == [target]
    assert (loss._target, loss._weights) == (target, weights)


@pytest.mark.contract("4 Loss")
def test_names_of_outputs() -> None:
    assert [losses.build("mse", 2, output_name=n).output_name for n in ("hid1", "hid1:pre")] == ["hid1:out", "hid1:pre"]
    assert losses.build("mse", 2).output_name == "out:out"
    gll = losses.build("gll", target=2, covar_name="a:pre")
    assert (gll.mean_name, gll.covar_name) == ("mean:out", "a:pre")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name, said, message",
    [
        ("mse", {"target": "y"}, "pass the number of dimensions"),
        ("mse", {"target": True}, "pass the number of dimensions"),
        ("mse", {"target": 0}, "pass the number of dimensions"),
        ("mse", {"target": 2, "weight": "1"}, "weight must be a number"),
        ("xe", {"target": T.dvector("t")}, "must be integer labels"),
        ("mmd", {"target": 2, "kernel": 0}, "pass the kernel's width"),
        ("mmd", {"target": 2, "kernel": "rbf"}, "pass the kernel's width"),
    ],
)
def test_bad_arguments(name: str, said: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        losses.build(name, **said)


@pytest.mark.parametrize(
    "name, target, message",
    [("mse", 1, "must have 2, and has 1: pass target=2"), ("xe", 2, "must have 1, and has 2: pass target=1")],
)
def test_ranks_must_fit(name: str, target: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        losses.build(name, target=target)({"out:out": T.matrix()})


def test_missing_output() -> None:
    with pytest.raises(ConfigurationError, match="reads the output 'hid:out': did you mean 'hid1:out'"):
        losses.build("mse", 2, output_name="hid")({"hid1:out": T.matrix()})


def test_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "croton.nets"):
        losses.build("mse", 2, weight=0.5, weighted=True).log()
    assert caplog.messages == ["loss MeanSquaredError of out:out, times 0.5, weighted"]


# --- shapes of data ---


def test_shapes_must_agree() -> None:
    y = T.matrix("y")
    loss = losses.build("mse", target=2, weighted=True)
    run = croton.function([y, *loss.variables], loss({"out:out": y}))
    ones = np.ones((3, 2), "float32")
    assert run(ones, ones, ones) == 0
    with pytest.raises(ValueError, match=r"target has shape \(3, 1\); it must have the shape of y, which has \(3, 2\)"):
        run(ones, ones[:, :1], ones[:, :1])
    with pytest.raises(ValueError, match=r"weights has shape \(3, 1\); it must have the shape of target"):
        run(ones, ones, ones[:, :1])


@pytest.mark.contract("4 xe")
@pytest.mark.contract("10.30")
def test_labels_must_fit() -> None:
    y = T.tensor3("y")
    loss = losses.build("xe", target=2)
    run = croton.function([y, loss._target], loss({"out:out": T.nnet.softmax(y)}))
    zeros, labels = np.zeros((2, 3, 4), "float32"), np.zeros((2, 3), "int32")
    np.testing.assert_allclose(run(zeros, labels), np.log(4), rtol=1e-6)
    with pytest.raises(ValueError, match="its last dimension aside"):
        run(zeros, labels.T)
    for wrong in (-1, 4):
        with pytest.raises(ValueError, match="labels must lie between 0 and 3"):
            run(zeros, labels + np.int32(wrong))


@pytest.mark.contract("2.1 input")
def test_a_sparse_target() -> None:
    y = T.matrix("y")
    target = S.csr_matrix("x")
    dense, value = np.float32([[1, 0], [0, 2]]), np.float32([[1, 1], [1, 1]])
    loss = losses.build("mse", target)
    run = croton.function([y, target], [loss({"out:out": y}), loss.batch_weight()])
    assert run(value, scipy.sparse.csr_matrix(dense)) == [((dense - value) ** 2).mean(), 2]


# --- numbers at the edges ---


@pytest.mark.contract("4 xe")
@pytest.mark.contract("10.9")
def test_cross_entropy_of_a_softmax_is_right_however_small_the_probability() -> None:
    for y, labels in ((T.matrix("y"), [1, 0]), (T.tensor3("y"), [[1, 0]])):
        loss = losses.build("xe", target=y.ndim - 1)
        value = loss({"out:out": T.nnet.softmax(y, axis=-1)})
        run = croton.function([y, loss._target], [value, croton.grad(value, y)])
        z = np.float32([[200, -200, 0], [0, 1, 2]]).reshape((1,) * (y.ndim - 2) + (2, 3))
        given, slope = run(z, np.int32(labels))
        rows = z.reshape(2, 3)
        expected = softmax(rows) - np.eye(3)[[1, 0]]
        np.testing.assert_allclose(given, -scipy.special.log_softmax(rows, 1)[[0, 1], [1, 0]].mean(), rtol=1e-6)
        np.testing.assert_allclose(slope.reshape(2, 3), expected / 2, rtol=1e-5, atol=1e-7)


@pytest.mark.contract("4 kl")
@pytest.mark.contract("10.10")
def test_divergence_from_a_softmax_is_right_however_small_the_probability() -> None:
    y, loss = T.dmatrix("y"), losses.build("kl", target=T.dmatrix("target"))
    value = loss({"out:out": T.nnet.softmax(y)})
    run = croton.function([y, loss._target], [value, croton.grad(value, y)])
    given, slope = run([[900.0, 0.0]], [[0.0, 1.0]])
    assert given == 900
    np.testing.assert_array_equal(slope, [[1, -1]])


@pytest.mark.contract("4 xe")
@pytest.mark.contract("4 kl")
def test_other_probabilities_are_cut_off() -> None:
    p, labels, t = T.dmatrix("p"), T.ivector("labels"), T.dmatrix("t")
    run = croton.function(
        [p, labels, t], [losses.build("xe", labels)({"out:out": p}), losses.build("kl", t)({"out:out": p})]
    )
    np.testing.assert_allclose(run([[0.0, 1.0]], [0], [[1.0, 0.0]]), [-np.log(1e-8)] * 2)


@pytest.mark.contract("4 weights")
def test_where_all_weights_are_zero_there_is_nothing_to_learn() -> None:
    s = Symbols(weighted=True)
    found = s.values()
    run = croton.function(
        [s.y, s.t, s.labels, s.w, s.r],
        [
            T.stack(found),
            T.stack([loss.batch_weight() for loss in s.losses]),
            T.stack([croton.grad(value, s.y) for value in found]),
        ],
    )
    rng = np.random.RandomState(0)
    zeros = np.zeros((ROWS, K))
    for result in run(rng.randn(ROWS, K), rng.randn(ROWS, K), np.int32([0, 2, 1, 1]), zeros, zeros[:, 0]):
        np.testing.assert_array_equal(result, np.zeros(result.shape))


# --- weights, accuracy, batches ---


@pytest.mark.contract("4 accuracy")
def test_accuracy() -> None:
    y = T.tensor3("y")
    for name in LABELLED:
        plain = losses.build(name, target=2)
        weighted: Any = losses.build(name, plain._target, weighted=True)
        run = croton.function([y, *weighted.variables], [loss.accuracy({"out:out": y}) for loss in (plain, weighted)])
        z = np.eye(3, dtype="float32")[[[0, 1], [2, 2]]]
        given = run(z, np.int32([[0, 1], [1, 0]]), np.float32([[1, 2], [3, 4]]))
        np.testing.assert_allclose(given, [0.5, 0.3], rtol=1e-6)


@pytest.mark.contract("10.14")
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_averaged_by_their_weights_make_the_whole(weighted: bool) -> None:
    rng = np.random.RandomState(1)
    s = Symbols(weighted)
    chosen = [loss for loss in s.losses if type(loss).__name__ != "MaximumMeanDiscrepancy"]
    run = croton.function(
        [s.y, s.t, s.labels, s.w, s.r],
        [T.stack([loss(s.outputs) for loss in chosen]), T.stack([loss.batch_weight() for loss in chosen])],
        on_unused_input="ignore",
    )
    data = rng.randn(6, K), rng.randn(6, K), np.int32([0, 1, 2, 1, 0, 0]), rng.rand(6, K), rng.rand(6)
    whole, total = run(*data)
    parts = [run(*(a[rows] for a in data)) for rows in (slice(0, 2), slice(2, 6))]
    np.testing.assert_allclose(sum(w for _, w in parts), total)
    np.testing.assert_allclose(sum(v * w for v, w in parts) / total, whole, rtol=1e-10)


@pytest.mark.contract("4 mmd")
def test_a_kernel_of_ones_own() -> None:
    y = T.dmatrix("y")

    def linear(a: Any, b: Any) -> Any:
        return T.dot(a, b.T)

    loss = losses.build("mmd", target=T.dmatrix("t"), kernel=linear)
    given = croton.function([y, loss._target], loss({"out:out": y}))([[1.0], [2.0]], [[3.0], [5.0]])
    np.testing.assert_allclose(given, (1.5 - 4) ** 2)
    with pytest.raises(ConfigurationError, match="kernel is a function"):
        loss.to_spec()


# --- what networks and files need ---


@pytest.mark.contract("10.20")
@pytest.mark.parametrize("name", NAMES)
def test_spec_and_pickle(name: str) -> None:
    own = {"mmd": {"kernel": 2.5}, "gll": {"covar_eps": 0.5, "mean_name": "a"}}.get(name, {})
    loss = losses.build(name, target=2, weight=0.5, weighted=True, output_name="hid1", **own)
    said = loss.to_spec()
    again = losses.build(**{"name" if k == "form" else k: v for k, v in json.loads(json.dumps(said)).items()})
    assert again.to_spec() == said
    assert [v.type for v in again.variables] == [v.type for v in loss.variables]
    assert pickle.loads(pickle.dumps(loss)).to_spec() == said


@pytest.mark.contract("4 custom")
def test_classes_of_the_users_are_found_by_name() -> None:
    class Step(Loss):
        def __call__(self, outputs: Any) -> Any:
            return (abs(outputs[self.output_name] - self._target) > 1).mean()

    net = nets.Regressor([2, 3, 1], loss="step")
    assert type(net.losses[0]) is Step
    assert net.loss().ndim == 0

    class Empty(Loss):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no __call__"):
        losses.build("empty", 2)({})


@pytest.mark.contract("10.4")
@pytest.mark.contract("10.35")
def test_a_second_loss_shares_the_target() -> None:
    net = nets.Classifier([2, 3, 4])
    net.add_loss("hinge", weight=0.5)
    assert [v.name for v in net.variables] == ["in", "target"]
    x, labels = np.ones((2, 2), "float32"), np.int32([0, 3])
    outputs, _ = net.build_graph()
    parts = [loss(outputs) for loss in net.losses]
    both, first, second = croton.function(net.variables, [net.loss(), *parts])(x, labels)
    np.testing.assert_allclose(both, first + 0.5 * second, rtol=1e-6)


@pytest.mark.contract("10.27")
@pytest.mark.parametrize("given", ["mae", {"form": "mae"}, None])
def test_an_autoencoder_takes_losses_of_every_kind(given: Any) -> None:
    net = nets.Autoencoder([3, 2, 3], loss=given or losses.build("mae", target=2))
    assert type(net.losses[0]) is losses.MeanAbsoluteError
