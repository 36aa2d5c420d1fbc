"""Layers against the original's numbers: outputs, losses and gradients in float64, and section 11's figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import croton
from croton import nets
from tests.nets import golden

# The mark of each case: the row of the contract that it checks.
ROWS = {
    "layer_rnn": "2.8 rnn", "layer_rnn_activation_tanh": "2.8 rnn", "layer_rnn_direction_backwards": "10.2",
    "layer_rrnn": "10.17", "layer_rrnn_rate_uniform": "2.9 rrnn", "layer_rrnn_rate_vector": "2.9 rrnn",
    "layer_rrnn_rate_log": "2.9 rrnn", "layer_mrnn_factors_3": "2.10 mrnn",
    "layer_lstm": "2.11 lstm", "layer_lstm_direction_backwards": "10.2", "layer_gru": "2.12 gru",
    "layer_mut1": "2.13 mut1",
    "layer_scrn": "2.14 scrn", "layer_clockwork_periods_(1,2)": "2.15 clockwork",
    "layer_conv1_filter_size_3": "2.6 conv1", "stack_lstm_rnn": "2.11 lstm", "rec_classifier": "2.8 rnn",
    "rec_classifier_weighted": "2.12 gru", "rec_autoencoder": "2.8 rnn", "rec_regressor_weighted": "2.8 rnn",
    "ff_regressor": "2.2 feedforward", "ff_classifier": "2.3 classifier", "ff_autoencoder": "2.2 feedforward",
    "ff_tied": "2.4 tied", "ff_tied_deep": "2.4 tied", "ff_weighted_regressor": "2.2 feedforward",
    "ff_weighted_classifier": "2.3 classifier", "ff_multi_input": "2.2 feedforward", "ff_product": "2.5 product",
    "ff_concat": "2.5 concatenate",
}  # fmt: skip
# The same network, recorded twice: what is named there is the default.
TWICE = ("layer_rrnn_rate_matrix", "layer_scrn_rate_vector")
TIME_MAJOR = ("layer_rrnn", "layer_mrnn_factors_3")


def _recorded(name: str) -> golden.Case:
    """The case with what the original had in the order of its loops put into the order of the data."""
    case = golden.Case(name)
    if name.endswith("backwards"):
        # Every step of the result met the target of another: with the target turned around, it meets its own.
        case.outputs = {k: v if k.startswith("in") else v[:, ::-1] for k, v in case.outputs.items()}
        case.data[1] = case.data[1][:, ::-1]
    if name in TIME_MAJOR:
        for key in ("hid1:rate", "hid1:factors"):
            if key in case.outputs:
                case.outputs[key] = case.outputs[key].swapaxes(0, 1)
    return case


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.contract(ROWS[n])) for n in ROWS])
def test_golden(name: str) -> None:
    case = _recorded(name)
    net = case.network()
    for constant in (c for layer in net.layers for c in layer.constants):
        constant.set_value(case.outputs["hid1:rate"])
    made = case.compute(net)
    for key, value in case.outputs.items():
        golden.close(made.outputs[key], value, key)
    golden.close(made.loss, case.loss, "loss")
    for key, value in case.grads.items():
        golden.close(made.grads[key], value, key)


@pytest.mark.contract("2.16 bidirectional")
@pytest.mark.contract("10.2")
@pytest.mark.parametrize("name", golden.names("layer_bidirectional"))
def test_golden_bidirectional(name: str) -> None:
    case = golden.Case(name)
    made = case.compute(case.network(), slopes=False).outputs
    for key, value in case.outputs.items():
        if key.startswith("hid1:bw_"):
            golden.close(made[key], value[:, ::-1], key)
        elif key.startswith("hid1:fw_"):
            golden.close(made[key], value, key)
        elif key.startswith("hid1:"):
            golden.close(made[key], np.concatenate([value[..., :2], value[:, ::-1, 2:]], axis=2), key)


def test_every_recorded_layer_is_checked() -> None:
    bidirectional = golden.names("layer_bidirectional")
    assert sorted([*ROWS, *TWICE, *bidirectional]) == sorted(golden.names("layer_", "stack_", "rec_", "ff_"))


# Section 11: the first hidden layer of recurrent.Regressor([2, ..., 1]) with rng=13, as the original initializes and
# computes it. Where the original is backward, its rows are turned around here.
FIGURES: list[tuple[dict[str, Any], str]] = [
    ({"form": "rnn"}, "0 .25959 0 0 | .01302 .34227 0 0 | .08794 .43535 0 .00404"),
    ({"form": "rnn", "direction": "back"}, ".00547 .20934 0 0 | .06162 .31939 0 0 | .01302 .46961 0 0"),
    ({"form": "rrnn", "rate": "matrix"}, "0 .04089 0 0 | 0 .08487 0 0 | .02389 .12994 0 0"),
    ({"form": "rrnn", "rate": "vector"}, "0 .04306 0 0 | 0 .09578 0 0 | .02573 .15643 0 0"),
    ({"form": "mrnn"}, "1.45415 0 .54599 1.92790 | 1.50132 0 .72393 2.03457 | 1.53684 0 .95606 2.13122"),
    ({"form": "lstm"}, ".40040 .61244 .37116 .19497 | .60142 .87797 .48008 .22236 | .67158 .95812 .49400 .19029"),
    ({"form": "gru"}, "0 .13837 0 .33295 | 0 .27997 0 .53892 | 0 .40266 0 .70388"),
    (
        {"form": "gru", "activation": "tanh"},
        "-.24962 .12512 -.21580 .30764 | -.24652 .24739 -.32960 .47560 | -.17968 .36197 -.38707 .58530",
    ),
    ({"form": "mut1"}, "-.00158 .35055 .17103 -.16520 | .05907 .46471 .31949 -.20032 | .11934 .51837 .42689 -.17966"),
    ({"form": "scrn"}, ".60278 0 0 .78836 | .60351 0 0 .71285 | .60288 0 0 .64796"),
    ({"form": "clockwork", "periods": (1, 2)}, "0 .28647 0 0 | 0 .28647 0 0 | 0 .88598 0 0"),
    ({"form": "conv1", "filter_size": 2}, ".11878 2.15058 .77138 .20190 | .15753 2.01641 .95076 .48298"),
    ({"form": "rnn", "radius": 1}, "0 .25959 0 0 | .00735 .34472 0 0 | .07750 .44080 0 .00295"),
    ({"form": "rnn", "diagonal_hh": 0.5}, "0 .25959 0 0 | 0 .49440 0 0 | .01302 .71681 0 0"),
    ({"form": "rnn", "sparsity_hh": 0.5}, ".45215 0 0 .13643 | .74020 0 0 .19120 | .94245 0 0 .27735"),
]


def _hidden(said: dict[str, Any]) -> np.ndarray:
    net = nets.recurrent.Regressor([2, {"size": 4, **said}, 1], rng=13)
    outputs, _ = net.build_graph()
    x = np.arange(6, dtype="float32").reshape(1, 3, 2) / 10
    return croton.function(net.inputs, outputs["hid1:out"])(x)[0]


def _table(text: str) -> np.ndarray:
    return np.array([[float(n) for n in row.split()] for row in text.split("|")])


@pytest.mark.contract("1.9 initial law")
@pytest.mark.contract("11 hidden outputs")
@pytest.mark.parametrize(
    "said, figures", FIGURES, ids=lambda v: "-".join(map(str, v.values())) if isinstance(v, dict) else ""
)
def test_figures_of_a_first_layer(said: dict[str, Any], figures: str) -> None:
    np.testing.assert_allclose(_hidden(said), _table(figures), atol=6e-6)


@pytest.mark.contract("11 hidden outputs")
def test_figures_of_the_forward_half() -> None:
    made = _hidden({"form": "bidirectional"})
    np.testing.assert_allclose(made[:, :2], _table("1.47646 0 | 2.39377 0 | 2.93501 0"), atol=6e-6)


@pytest.mark.contract("11 initial values")
@pytest.mark.contract("10.11")
def test_the_first_layer_begins_as_it_did_and_the_next_differs() -> None:
    net = nets.Regressor([2, 3, 3, 1], rng=13)
    expected = [[-0.318591, 0.337095, -0.019902], [0.202057, 0.601548, 0.238069]]
    np.testing.assert_allclose(net.find("hid1", "w").get_value(), expected, atol=1e-6)
    np.testing.assert_allclose(net.find("hid1", "b").get_value(), [1.350188, 0.861211, 1.478686], atol=1e-6)
    assert not np.allclose(net.find("hid1", "b").get_value(), net.find("hid2", "b").get_value())
