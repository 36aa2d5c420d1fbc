"""What recurrent layers hand on from step to step: states given, named and carried; masks; directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import nets
from croton.nets.layers import Layer
from croton.nets.util import ConfigurationError, LayerError

CELLS: list[dict[str, Any]] = [
    {"form": "rnn"},
    {"form": "rrnn"},
    {"form": "rrnn", "rate": "log"},
    {"form": "mrnn"},
    {"form": "lstm"},
    {"form": "gru", "activation": "tanh"},
    {"form": "mut1"},
    {"form": "scrn"},
    {"form": "clockwork", "periods": (1, 3)},
    {"form": "bcrnn", "num_modules": 2},
]
X = np.random.RandomState(1).randn(2, 5, 3)
REAL = np.array([[0.0, 1, 1, 1, 0], [1, 1, 1, 1, 1]])


@pytest.fixture(autouse=True)
def _in_float64() -> Any:
    with croton.config(floatX="float64"):
        yield


def make(form: str, size: int = 4, **said: Any) -> Any:
    return Layer.build(form, **{"size": size, "inputs": {"in:out": 3}, "name": "h", "rng": 5, **said})


def cases(*cells: dict[str, Any]) -> Any:
    return pytest.mark.parametrize("said", cells, ids=lambda said: "-".join(map(str, said.values())))


def connected(layer: Any, **given: Any) -> tuple[Any, list[Any], dict[str, Any], list[Any]]:
    """(input variable, its states as variables, the outputs by short names, the updates)."""
    x = T.dtensor3("x")
    states = [T.dmatrix(name) for name in layer.states]
    handed = {layer.output_name(name): v for name, v in zip(layer.states, states, strict=True)}
    outputs, updates = layer.connect({"in:out": x, **handed, **given})
    return x, states, {k.partition(":")[2]: v for k, v in outputs.items()}, updates


@pytest.mark.contract("9 carried state")
@pytest.mark.contract("9 masks")
@cases(*CELLS)
def test_steps_and_padding_change_nothing(said: dict[str, Any]) -> None:
    layer, mask = make(**said, mask="real"), T.dmatrix("mask")
    x, states, outputs, updates = connected(layer, **{"real:out": mask})
    final = {name: outputs[f"{name[0]}_n"] for name in layer.states}
    assert updates == []
    run = croton.function([x, mask, *states], [outputs["out"], *final.values()])

    def start(batch: int) -> list[np.ndarray]:
        return [np.zeros((batch, size)) for size in layer.states.values()]

    whole, *last = run(X, REAL, *start(2))
    assert whole.shape == (2, 5, 4)
    assert [v.shape for v in last] == [(2, size) for size in layer.states.values()]
    alone, *last_alone = run(X[:1, 1:4], np.ones((1, 3)), *start(1))
    np.testing.assert_allclose(whole[:1, 1:4], alone, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(whole[0, 4], whole[0, 3])
    for held, wanted in zip(last, last_alone, strict=True):
        np.testing.assert_allclose(held[:1], wanted, rtol=1e-12, atol=1e-14)
    handed = start(2)
    for t in range(5):
        out, *handed = run(X[:, t : t + 1], REAL[:, t : t + 1], *handed)
        np.testing.assert_allclose(out, whole[:, t : t + 1], rtol=1e-12, atol=1e-14)
    for held, wanted in zip(handed, last, strict=True):
        np.testing.assert_allclose(held, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.contract("9 masks")
@pytest.mark.contract("10.2")
@cases(
    {"form": "lstm", "direction": "Backwards"},
    {"form": "clockwork", "periods": (1, 2), "direction": "back"},
    {"form": "bidirectional", "worker": "gru"},
)
def test_a_backward_loop_begins_at_the_last_real_step(said: dict[str, Any]) -> None:
    layer, x, mask = make(**said, mask="real"), T.dtensor3("x"), T.dtensor3("mask")
    outputs, _ = layer.connect({"in:out": x, "real:out": mask})
    run = croton.function([x, mask], outputs["h:out"])
    whole = run(X, REAL[:, :, None])
    np.testing.assert_allclose(whole[:1, 1:4], run(X[:1, 1:4], np.ones((1, 3, 1))), rtol=1e-12, atol=1e-14)


@pytest.mark.contract("9 carried state")
@cases({"form": "lstm", "size": 1}, {"form": "clockwork", "periods": (2, 3), "size": 2})
def test_carried_states_make_one_sequence_of_two_calls(said: dict[str, Any]) -> None:
    layer, plain, x = make(**said, carry=True), make(**said), T.dtensor3("x")
    assert [v.name for v in layer.carried] == [f"h.{name}" for name in layer.states]
    assert not {v.name for v in layer.carried} & {p.name for p in layer.params}
    outputs, updates = layer.connect({"in:out": x})
    assert sorted(outputs) == sorted(plain.connect({"in:out": x})[0])
    run = croton.function([x], outputs["h:out"], updates=updates)
    whole = croton.function([x], plain.connect({"in:out": x})[0]["h:out"])(X[:, :4])
    np.testing.assert_allclose(run(X[:, :2]), whole[:, :2], rtol=1e-12, atol=1e-14)
    assert layer.carried[0].get_value().shape == (2, layer.size)
    np.testing.assert_allclose(run(X[:, 2:4]), whole[:, 2:4], rtol=1e-12, atol=1e-14)


@pytest.mark.contract("1.10 h_0")
def test_a_loop_starts_from_an_output_that_it_names() -> None:
    layer, x, h, s = (
        make("scrn", h_0="enc", s_0="enc:pre", activation="linear"),
        *(T.dtensor3(), T.dmatrix(), T.dmatrix()),
    )
    outputs, _ = layer.connect({"in:out": x, "enc:out": h, "enc:pre": s})
    rng = np.random.RandomState(2)
    h_0, s_0 = rng.randn(2, 4), rng.randn(2, 4)
    state, hid = croton.function([x, h, s], [outputs["h:state"], outputs["h:hid"]])(X[:, :1], h_0, s_0)
    p = {name: layer.find(name).get_value() for name in ("xs", "xh", "sh", "hh", "r")}
    rate = 1 / (1 + np.exp(-p["r"]))
    s_1 = (1 - rate) * s_0 + rate * (X[:, 0] @ p["xs"])
    np.testing.assert_allclose(state[:, 0], s_1, rtol=1e-12)
    expected = 1 / (1 + np.exp(-(X[:, 0] @ p["xh"] + h_0 @ p["hh"] + s_1 @ p["sh"])))
    np.testing.assert_allclose(hid[:, 0], expected, rtol=1e-12)


def test_a_layer_may_stand_for_the_name_of_its_output() -> None:
    encoder = nets.layers.Feedforward(4, 3, name="enc")
    layer = make("lstm", h_0=encoder, mask=encoder)
    assert (layer.to_spec()["h_0"], layer.to_spec()["mask"]) == ("enc:out", "enc:out")
    both = make("bidirectional", h_0=encoder)
    assert both.to_spec()["h_0"] == both.forward.to_spec()["h_0"] == "enc:out"


@pytest.mark.parametrize(
    "said, error, words",
    [
        ({"h_0": "enk"}, LayerError, "'h'.*h_0='enk'.*did you mean 'enc:out'"),
        ({"mask": "reel"}, LayerError, "'h'.*mask='reel'.*did you mean 'real:out'"),
        ({"h_0": "in"}, ConfigurationError, r"'h'.*h_0='in' must be \(batch, 4\).*3 dimensions"),
        ({"h_0": "wide"}, ConfigurationError, r"'h'.*h_0='wide' must be \(batch, 4\).*'wide:out' is \(batch, 5\)"),
        ({"mask": "vector"}, ConfigurationError, r"'h'.*mask='vector' must be \(batch, time\).*1 dim"),
    ],
)
def test_names_of_states_and_masks_are_checked(said: dict[str, Any], error: type[Exception], words: str) -> None:
    given = {"in:out": T.dtensor3(), "enc:out": T.dmatrix(), "real:out": T.dmatrix(), "vector:out": T.dvector()}
    given["wide:out"] = T.TensorType("float64", shape=(None, 5))()
    with pytest.raises(error, match=words):
        make("rnn", **said).connect(given)


@pytest.mark.parametrize("said", [{"form": "rnn", "direction": "back"}, {"form": "bidirectional"}])
def test_a_backward_loop_takes_no_state_from_before(said: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="'h'.*carry=True needs a loop that runs forward"):
        make(**said, carry=True)
    layer = make(**said)
    with pytest.raises(ConfigurationError, match="'h'.*h:h_0.*needs a loop that runs forward"):
        layer.connect({"in:out": T.dtensor3(), "h:h_0": T.dmatrix()})


@pytest.mark.contract("2.7 bptt_limit")
def test_derivatives_stop_at_the_limit() -> None:
    def slopes(limit: int | None) -> np.ndarray:
        x = T.dtensor3("x")
        out = make("rnn", activation="tanh", bptt_limit=limit).connect({"in:out": x})[0]["h:out"]
        made: np.ndarray = croton.function([x], croton.grad(out[:, -1].sum(), x))(X)
        return made.any(axis=(0, 2))

    assert list(slopes(2)) == [False, False, False, True, True]
    assert slopes(None).all()


@pytest.mark.contract("2.7 direction")
def test_derivatives_of_a_masked_backward_loop() -> None:
    x, real, way = T.dtensor3("x"), T.constant(REAL), np.random.RandomState(0).randn(*X.shape)
    out = make("lstm", direction="back", mask="real").connect({"in:out": x, "real:out": real})[0]["h:out"]
    cost = (out**2).sum()
    run = croton.function([x], [cost, croton.grad(cost, x)])
    step = (run(X + 1e-5 * way)[0] - run(X - 1e-5 * way)[0]) / 2e-5
    np.testing.assert_allclose((run(X)[1] * way).sum(), step, rtol=1e-7)


@pytest.mark.contract("2.7 direction")
@pytest.mark.contract("10.33")
def test_directions() -> None:
    assert [make("rnn", direction=d).backwards for d in (None, "forward", "back", "BACKwards")] == [
        False,
        False,
        True,
        True,
    ]
    assert make("rrnn", rate=None).rate == "matrix"
    assert make("scrn", rate=None).rate == "vector"


@pytest.mark.contract("1.10 bcrnn")
def test_a_cascade_of_modules() -> None:
    layer, x = make("bcrnn", size=6, num_modules=3, activation="tanh"), T.dtensor3()
    hh = layer.find("hh").get_value().copy()
    for source, target in ((0, 2), (1, 0), (2, 0), (2, 1)):
        hh[2 * source : 2 * source + 2, 2 * target : 2 * target + 2] = 0
    h, expected = np.zeros((2, 6)), []
    for t in range(3):
        h = np.tanh(X[:, t] @ layer.find("xh").get_value() + layer.find("b").get_value() + h @ hh)
        expected.append(h)
    made = croton.function([x], layer.connect({"in:out": x})[0]["h:out"])(X[:, :3])
    np.testing.assert_allclose(made, np.stack(expected, axis=1), rtol=1e-12)
