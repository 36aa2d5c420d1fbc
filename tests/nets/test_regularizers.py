"""Regularizers: their terms against NumPy and the original's numbers, their noise, and the keywords that make them."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import croton
from croton import nets
from croton import tensor as T
from croton.nets import regularizers
from croton.nets.regularizers import Regularizer, check_matched, from_kwargs, keywords
from croton.nets.util import ConfigurationError
from croton.tensor.random import RandomStreams
from tests.nets import golden


def built(net: Any, **kwargs: Any) -> tuple[list[Regularizer], dict[str, Any]]:
    """The regularizers for these keywords, and the outputs of the graph that they have changed."""
    made = from_kwargs(net, **kwargs)
    outputs, _ = net.build_graph(made)
    check_matched(made, outputs, net.layers)
    return made, outputs


def terms(net: Any, **kwargs: Any) -> list[Any]:
    made, outputs = built(net, **kwargs)
    return [r.loss(net.layers, outputs) for r in made]


def values(net: Any, x: Any, *expressions: Any) -> list[np.ndarray]:
    return croton.function(net.inputs, list(expressions))(x)  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _float64() -> Any:
    with croton.config(floatX="float64"):
        yield


def net64(layers: Any, model: Any = nets.Regressor) -> Any:
    return model(layers)


X = np.random.RandomState(2).randn(5, 3)


# --- terms ---


def recorded() -> list[Any]:
    names = {n: n.removeprefix("reg_") for n in golden.names("reg_")}
    own = ("reg_contractive", "reg_recurrent_norm")
    return [pytest.param(n, marks=pytest.mark.contract(f"5 {row}")) for n, row in names.items() if n not in own]


@pytest.mark.parametrize("name", recorded())
def test_golden(name: str) -> None:
    case = golden.Case(name)
    made = case.compute(case.network())
    golden.close(made.loss, case.loss)
    for key, value in case.grads.items():
        golden.close(made.grads[key], value, key)


@pytest.mark.contract("5 weight_l2")
@pytest.mark.contract("5 weight_l1")
@pytest.mark.contract("5 hidden_l1")
@pytest.mark.contract("1.10 hidden_l2")
@pytest.mark.contract("5 patterns")
def test_terms_of_patterns() -> None:
    net = net64([3, (4, "tanh"), (4, "tanh"), 2])
    asked: dict[str, dict[str, Any]] = {
        "weight_l2": {"pattern": "hid?.w"},
        "weight_l1": {"pattern": ["*.b", "out.?", "out.w"]},
        "hidden_l1": {"pattern": "*"},
        "hidden_l2": {},
    }
    given = values(net, X, *terms(net, **asked))
    p = {q.name: q.get_value() for q in net.params}
    h1 = np.tanh(X @ p["hid1.w"] + p["hid1.b"])
    pre2 = h1 @ p["hid2.w"] + p["hid2.b"]
    h2 = np.tanh(pre2)
    out = h2 @ p["out.w"] + p["out.b"]
    # Each once, whatever its aliases; the output is there as pre and as out.
    everything = [X, X @ p["hid1.w"] + p["hid1.b"], h1, pre2, h2, out, out]
    expected = [
        np.mean([(p[n] ** 2).mean() for n in ("hid1.w", "hid2.w")]),
        np.mean([abs(p[n]).mean() for n in ("hid1.b", "hid2.b", "out.b", "out.w")]),
        np.mean([abs(v).mean() for v in everything]),
        np.mean([(v**2).mean() for v in (h1, h2)]),
    ]
    np.testing.assert_allclose(given, expected, rtol=1e-12)


@pytest.mark.contract("5 recurrent_norm")
@pytest.mark.contract("5 recurrent_state")
@pytest.mark.contract("10.6")
def test_terms_of_steps() -> None:
    net = net64([3, ("rnn", 4, "tanh"), 2], nets.recurrent.Regressor)
    said = {"weight": 1, "pattern": "hid1:*"}
    norm, state = terms(net, recurrent_norm=said, recurrent_state=said)
    outputs, _ = net.build_graph()
    both = [outputs["hid1:out"], outputs["hid1:pre"]]
    run = croton.function(net.inputs, [norm, state, *both])
    x = np.random.RandomState(3).randn(2, 5, 3)
    *given, out, pre = run(x)
    norms = [(z**2).sum(-1) for z in (out, pre)]
    expected = [
        np.mean([(np.diff(n, axis=1) ** 2).mean() for n in norms]),
        np.mean([(np.diff(z, axis=1) ** 2).mean() for z in (out, pre)]),
    ]
    np.testing.assert_allclose(given, expected, rtol=1e-12)
    # A single step does not change.
    assert run(x[:, :1])[:2] == [0, 0]


@pytest.mark.contract("5 recurrent_norm")
@pytest.mark.contract("5 recurrent_state")
@pytest.mark.parametrize("name", ["recurrent_norm", "recurrent_state"])
def test_steps_need_a_pattern_of_outputs_with_steps(name: str) -> None:
    net = net64([3, 4, 2])
    with pytest.raises(ConfigurationError, match="needs a pattern"):
        terms(net, **{name: 0.1})
    with pytest.raises(ConfigurationError, match=r"matches no output \(batch, time, size\)"):
        terms(net, **{name: {"pattern": "hid1:out", "weight": 0.1}})


def jacobians(net: Any, x: np.ndarray, name: str) -> float:
    """The squared norm of the derivative of an output by the input, averaged over examples, from differences."""
    run = croton.function(net.inputs, net.build_graph()[0][name])
    total, step = 0.0, 1e-5
    for index in np.ndindex(x.shape[1:]):
        nudge = np.zeros_like(x)
        nudge[(slice(None), *index)] = step
        total += (((run(x + nudge) - run(x - nudge)) / (2 * step)) ** 2).sum()
    return total / len(x)


CONTRACTIVE = [
    # (layers, model, output): in closed form, and by backward passes
    ([3, (4, "tanh"), 2], nets.Regressor, "hid1:out"),
    ([3, (4, "prelu"), 2], nets.Regressor, "hid1:out"),
    ([3, (4, "norm:z"), 2], nets.Regressor, "hid1:out"),
    ([3, (4, "tanh"), (2, "softplus"), 1], nets.Regressor, "hid2:out"),
    ([3, (4, "tanh"), 2], nets.recurrent.Regressor, "hid1:out"),
    ([3, ("rnn", 2, "tanh"), 2], nets.recurrent.Regressor, "hid1:out"),
]


@pytest.mark.contract("5 contractive")
@pytest.mark.contract("10.7")
@pytest.mark.parametrize("layers, model, name", CONTRACTIVE)
def test_contractive(layers: Any, model: Any, name: str) -> None:
    net = net64(layers, model)
    x = np.random.RandomState(4).randn(*(3, 2, 3)[-net.INPUT_NDIM :])
    (term,) = terms(net, contractive={"pattern": name})
    np.testing.assert_allclose(values(net, x, term)[0], jacobians(net, x, name), rtol=1e-6)


@pytest.mark.contract("5 contractive")
@pytest.mark.contract("10.7")
def test_contractive_in_closed_form_is_what_the_passes_give() -> None:
    net = net64([3, (4, "tanh"), 2])
    outputs, _ = net.build_graph()
    regularizer = regularizers.Contractive("hid1:out")
    z, source = outputs["hid1:out"], net.layers[:1]
    closed = regularizer._affine_norm("hid1:out", z, source, net.layers, outputs)
    passes = regularizer._passes("hid1:out", z, net.layers[0])
    w = net.find("hid1", "w")
    found = values(net, X, closed, passes, croton.grad(closed, w), croton.grad(passes, w))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10)
    np.testing.assert_allclose(found[2], found[3], rtol=1e-9)


@pytest.mark.contract("5 contractive")
def test_contractive_with_noise_and_several_inputs() -> None:
    net = net64([3, 1])
    net.layers.append(nets.layers.Input(2, name="more"))
    net.layers.append(nets.layers.Feedforward(2, {"in:out": 3, "more:out": 2}, name="sum", activation="tanh"))
    wrt = {w: terms(net, contractive={"pattern": "sum:out", "wrt": w})[0] for w in ("in", "more", "*")}
    noisy = terms(net, input_dropout=0.5, contractive={"pattern": "sum:out"})[-1]
    more = np.random.RandomState(5).randn(5, 2)
    first, second, both, dropped = croton.function(net.inputs, [*wrt.values(), noisy])(X, more)
    np.testing.assert_allclose(first + second, both, rtol=1e-12)
    z = np.tanh(X @ net.find("sum", "w_in:out").get_value() + more @ net.find("sum", "w_more:out").get_value()
                + net.find("sum", "b").get_value())  # fmt: skip
    slopes, weights = (1 - z**2) ** 2, (net.find("sum", "w_in:out").get_value() ** 2).sum(0)
    np.testing.assert_allclose(first, (slopes @ weights).mean(), rtol=1e-10)
    assert dropped != pytest.approx(float(both))


@pytest.mark.contract("5 contractive")
def test_contractive_needs_an_input() -> None:
    net = net64([3, 4, 2])
    with pytest.raises(ConfigurationError, match="wrt='ni' is no input: known are in"):
        terms(net, contractive={"weight": 1, "wrt": "ni"})
    sparse = net64([nets.layers.Input(3, sparse=True), (4, "tanh"), 4, 2])
    assert terms(sparse, contractive={"pattern": "hid1:out"})[0].ndim == 0
    with pytest.raises(ConfigurationError, match="not one affine step from the sparse input 'in'"):
        terms(sparse, contractive={"pattern": "hid2:out"})


def test_terms_without_a_match_are_zero() -> None:
    net = net64([3, 2])
    assert terms(net, hidden_l1=1, contractive=1, hidden_dropout=0.5, hidden_noise=1)[2:] == [0, 0]


# --- noise ---

WIDE = np.random.RandomState(6).rand(200, 50) + 1


@pytest.mark.contract("5 dropout")
@pytest.mark.contract("10.1")
@pytest.mark.contract("1.10 dropout scaling")
def test_dropout_divides_by_what_it_keeps() -> None:
    net = net64([50, (50, "linear"), 1])
    _, outputs = built(net, dropout={"in:out": 0.2})
    run = croton.function(net.inputs, [outputs["in:out"], outputs["in:out-predrop"], outputs["hid1:pre"]])
    dropped, before, pre = run(WIDE)
    np.testing.assert_array_equal(before, WIDE)
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], WIDE[kept] / 0.8)
    assert abs(kept.mean() - 0.8) < 5 * np.sqrt(0.16 / WIDE.size)
    np.testing.assert_allclose(pre, dropped @ net.find("hid1", "w").get_value() + net.find("hid1", "b").get_value())
    assert (run(WIDE)[0] != dropped).any()


@pytest.mark.contract("5 noise")
@pytest.mark.contract("10.11")
def test_sources_of_noise_are_independent_and_repeatable() -> None:
    with croton.config(floatX="float32"):
        net = nets.Regressor([50, (50, "linear"), (50, "linear"), 1])
        _, o = built(net, input_noise=0.5, hidden_noise=0.5)
        gaps = [o[f"{n}:out"] - o[f"{n}:out-prenoise"] for n in ("in", "hid1", "hid2")]
        for rng in (13, 14):
            _, o = built(net, input_noise=0.5, rng=rng)
            gaps.append(o["in:out"] - o["in:out-prenoise"])
        *noise, same, other = np.array(values(net, WIDE.astype("float32"), *gaps)).reshape(5, -1)
    tolerance = 5 / np.sqrt(WIDE.size)
    np.testing.assert_allclose(np.corrcoef(noise), np.eye(3), atol=tolerance)
    np.testing.assert_allclose(np.mean(noise, 1), 0, atol=tolerance)
    np.testing.assert_allclose(np.std(noise, 1), 0.5, atol=tolerance)
    np.testing.assert_array_equal(same, noise[0])
    assert np.corrcoef(same, other)[0, 1] < tolerance


@pytest.mark.contract("5 noise")
@pytest.mark.contract("10.31")
def test_streams_to_draw_from() -> None:
    net = net64([3, 4, 2])
    for rng in (7, np.random.RandomState(7), np.random.default_rng(7), None, RandomStreams(7)):
        (noise,) = from_kwargs(net, rng=rng, input_noise=0.1)
        assert isinstance(noise.rng, RandomStreams)  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="rng='x'"):
        from_kwargs(net, rng="x")


@pytest.mark.contract("5 dropout")
@pytest.mark.contract("5 noise")
@pytest.mark.contract("2.1 input")
def test_noise_on_a_sparse_input() -> None:
    net = net64([nets.layers.Input(50, sparse=True), 4, 2])
    x = WIDE * (WIDE > 1.5)
    dropped = built(net, input_dropout=0.5)[1]["in:out"]
    noisy = built(net, input_noise=0.1)[1]
    dropped, noise, pre = values(net, scipy.sparse.csr_matrix(x), dropped, noisy["in:out"], noisy["hid1:pre"])
    dropped = dropped.toarray()
    assert set(np.unique((dropped / np.where(x, x, 1)).round(6))) == {0, 2}
    np.testing.assert_allclose((noise - x).std(), 0.1, rtol=0.1)
    np.testing.assert_allclose(pre, noise @ net.find("hid1", "w").get_value() + net.find("hid1", "b").get_value())


@pytest.mark.contract("5 dropout")
@pytest.mark.parametrize(
    "said, message",
    [
        ({"hidden_dropout": 1}, "a rate is from 0 to below 1, got 1"),
        ({"dropout": {"hid1:out": -0.1}}, "a rate is from 0 to below 1, got -0.1"),
        ({"input_noise": -1}, "a standard deviation is from 0 on, got -1"),
    ],
)
def test_rates_out_of_range(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        from_kwargs(net64([3, 4, 2]), **said)


# --- keywords ---


@pytest.mark.contract("5 from_kwargs")
def test_what_keywords_make() -> None:
    net = net64([3, 4, 5, 2])
    made = from_kwargs(
        net,
        WEIGHT_L2=0.1,
        noise={"hid1:pre": 1},
        input_noise=2,
        output_dropout=0.5,
        hidden_dropout=0.25,
        input_dropout=0,
    )
    assert [(type(r).__name__, r.pattern, r.weight) for r in made] == [
        ("BernoulliDropout", ("hid1:out", "hid2:out"), 0.25),
        ("BernoulliDropout", ("out:out",), 0.5),
        ("GaussianNoise", ("in:out",), 2),
        ("GaussianNoise", "hid1:pre", 1),
        ("WeightL2", None, 0.1),
    ]


NAMES = {
    "WeightL2": ["weight_l2", "weight_decay", "weightl2"],
    "WeightL1": ["weight_l1", "weight_sparsity", "weightl1"],
    "HiddenL1": ["hidden_l1", "hidden_sparsity", "hiddenl1"],
    "HiddenL2": ["hidden_l2", "hiddenl2"],
    "RecurrentNorm": ["recurrent_norm", "recurrentnorm"],
    "RecurrentState": ["recurrent_state", "recurrentstate"],
    "Contractive": ["contractive"],
    "GaussianNoise": ["gaussiannoise"],
    "BernoulliDropout": ["bernoullidropout"],
}


@pytest.mark.contract("5 names")
def test_names() -> None:
    net = net64([3, 4, 2])
    for form, names in NAMES.items():
        for name in names:
            (made,) = from_kwargs(net, **{name: {"pattern": "hid1:out", "weight": 0.5}})
            assert (type(made).__name__, made.pattern, made.weight) == (form, "hid1:out", 0.5)
    places = [f"{place}_{noise}" for place in ("input", "hidden", "output") for noise in ("dropout", "noise")]
    every = [n for names in NAMES.values() for n in names]
    assert {*every, *places, "dropout", "noise", "rng", "regularizers"} <= set(keywords())


@pytest.mark.contract("5 from_kwargs")
def test_regularizers_given_as_they_are() -> None:
    net = net64([3, 4, 2])
    own = regularizers.WeightL1(weight=0.5)
    assert from_kwargs(net, regularizers=own) == from_kwargs(net, regularizers=[own]) == [own]
    made = from_kwargs(net, regularizers=[own], weight_l2=0.1)
    assert made[0] is own and type(made[1]) is regularizers.WeightL2
    (made_by_dict,) = from_kwargs(net, regularizers={"weight_l2": 0.2}, weight_l2=0.1)
    assert made_by_dict.weight == 0.2


@pytest.mark.contract("10.36")
@pytest.mark.parametrize(
    "said, message",
    [
        ({"hidden_dropuot": 0.5}, "did you mean 'hidden_dropout'"),
        ({"Hidden_Dropout": 0.5}, "did you mean 'hidden_dropout'"),
        ({"regularizer": 0.5}, "did you mean 'regularizers'"),
        ({"weight_l2": {"wieght": 1}}, "has no keyword 'wieght': did you mean 'weight'"),
        ({"weight_l2": "0.1"}, "weight_l2='0.1': pass a number, or a dict"),
        ({"weight_l2": True}, "weight_l2=True: pass a number"),
        ({"weight_l2": {"pattern": 0.1, "weight": 1}}, "pattern=0.1: pass a glob"),
        ({"dropout": 0.5}, "pass a dict from patterns of outputs to numbers"),
        ({"noise": {"hid1:out": "much"}}, "noise.'hid1:out'.='much': pass a number$"),
        ({"regularizers": "weight_l2"}, "pass a dict of keywords, a Regularizer, or a list"),
    ],
)
def test_keywords_that_are_wrong(said: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        from_kwargs(net64([3, 4, 2]), **said)


@pytest.mark.contract("5 patterns")
@pytest.mark.parametrize(
    "said, message",
    [
        ({"weight_l2": {"pattern": "hid3.w"}}, "'hid3.w' matches no parameter: did you mean 'hid1.w'"),
        ({"hidden_l1": {"pattern": ["hid1:out", "hdi1:out"]}}, "'hdi1:out' matches no output: did you mean 'hid1:out'"),
        ({"dropout": {"hid7:out": 0.5}}, "'hid7:out' matches no output that a layer makes: did you mean 'hid1:out'"),
        ({"noise": {"out": 0.5}}, "'out' matches no output that a layer makes"),
    ],
)
def test_patterns_that_match_nothing(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        built(net64([3, 4, 2]), **said)


@pytest.mark.contract("5 custom")
def test_classes_of_the_users_are_keywords() -> None:
    class WeightInverse(Regularizer):
        def loss(self, layers: Any, outputs: Any) -> Any:
            return sum((1 / (T.sqr(p).sum() + 1)) for layer in layers for p in layer.params)

    class Doubled(Regularizer):
        def modify_graph(self, outputs: Any) -> None:
            for name in list(outputs):
                if name == "hid1:out":
                    outputs[name] = 2 * outputs[name]

    net = net64([3, 4, 2])
    assert type(from_kwargs(net, weightinverse=0.001)[0]) is WeightInverse
    plain, more, doubled = values(
        net, X, net.build_graph()[0]["hid1:out"], terms(net, weightinverse=1)[0], built(net, doubled=0)[1]["hid1:out"]
    )
    np.testing.assert_allclose(doubled, 2 * plain)
    assert float(more) == pytest.approx(sum(1 / ((p.get_value() ** 2).sum() + 1) for p in net.params))
    with pytest.raises(ConfigurationError, match="matches no output or parameter"):
        built(net, doubled={"pattern": "hid9:out"})


def test_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "croton.nets"):
        regularizers.WeightL2("*.w", 0.5).log()
    assert caplog.messages == ["regularizer 0.5 * WeightL2(*.w)"]


def test_a_number_alone_is_a_regularizers_weight() -> None:
    made = Regularizer.build("weight_l2", 0.01)
    assert (made.weight, made.pattern) == (0.01, None)
    assert Regularizer.build("gaussiannoise", 0.5).pattern == "*:out"
    assert Regularizer.build("hidden_l1", "hid1:out", 0.2).pattern == "hid1:out"
