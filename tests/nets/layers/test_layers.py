"""What all layers share: parameters and their initial values, descriptions, and errors that name the layer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import croton.tensor as T
from croton import nets
from croton.nets.layers import Layer
from croton.nets.util import ConfigurationError, LayerError, random_matrix

N, H, F = 5, 6, 3


def make(form: str, **said: Any) -> Any:
    return Layer.build(form, **{"size": H, "inputs": {"in:out": N}, "name": "l", "rng": 13, **said})


COUNTS: list[tuple[str, dict[str, Any], int, str]] = [
    ("ff", {}, (1 + N) * H, "w b"),
    ("feedforward", {"inputs": {"a:out": N, "b:pre": N}}, (1 + 2 * N) * H, "w_a:out w_b:pre b"),
    ("feedforward", {"activation": "prelu"}, (2 + N) * H, "w b leak"),
    ("classifier", {}, (1 + N) * H, "w b"),
    ("softmax", {}, (1 + N) * H, "w b"),
    ("rnn", {}, (1 + N + H) * H, "xh hh b"),
    ("clockwork", {"periods": (1, 2)}, (1 + N + H) * H, "hh xh b"),
    ("bcrnn", {"num_modules": 2}, (1 + N + H) * H, "xh hh b"),
    ("rrnn", {"rate": "uniform"}, (1 + N + H) * H, "xh hh b"),
    ("rrnn", {"rate": "vector"}, (2 + N + H) * H, "xh hh b r"),
    ("rrnn", {"rate": " Matrix"}, (2 + H + 2 * N) * H, "xh hh b r xr"),
    ("mrnn", {}, (1 + 2 * F + N) * H + F * N, "xh xf hf fh b"),
    ("lstm", {}, (7 + 4 * H + 4 * N) * H, "xh hh b ci cf co"),
    ("gru", {}, 3 * (1 + N + H) * H, "xh xr xz hh hr hz bh br bz"),
    ("mut1", {}, (3 + 3 * N + 2 * H) * H, "xh xr xz hh hr bh br bz"),
    ("scrn", {}, 2 * (1 + N + 2 * H) * H, "xs xh sh hh ho so b r"),
    ("conv1", {"filter_size": 4}, (1 + 4 * N) * H, "w b"),
    ("conv2", {"filter_size": (4, 2)}, (1 + 8 * N) * H, "w b"),
    ("bidirectional", {"worker": "rrnn"}, H * (2 + H // 2 + 2 * N),
     "fw.xh fw.hh fw.b fw.r fw.xr bw.xh bw.hh bw.b bw.r bw.xr"),
    ("product", {"size": N}, 0, ""),
    ("concat", {"size": N}, 0, ""),
    ("flat", {"size": N}, 0, ""),
    ("reshape", {"shape": (N,), "size": N}, 0, ""),
    ("pool1", {"size": N}, 0, ""),
    ("pool2", {"size": N}, 0, ""),
]  # fmt: skip
NAMED = [f"{form}-{'-'.join(map(str, said.values()))}" for form, said, _, _ in COUNTS]
all_forms = pytest.mark.parametrize("form, said, count, names", COUNTS, ids=NAMED)


@pytest.mark.contract("2.18 parameter counts")
@pytest.mark.contract("1.8 find")
@pytest.mark.contract("10.25")
@all_forms
def test_parameters(form: str, said: dict[str, Any], count: int, names: str) -> None:
    layer = make(form, **said)
    assert layer.num_params == count == sum(p.get_value().size for p in layer.params)
    assert layer.short_names() == names.split()
    for k, name in enumerate(names.split()):
        assert layer.find(name) is layer.find(k) is layer.params[k]
        assert layer.find(k).name == f"l.{name}".replace("l.fw", "l_fw").replace("l.bw", "l_bw")
    with pytest.raises(KeyError, match="'l' has no parameter 'nope'"):
        layer.find("nope")


@pytest.mark.contract("1.8 to_spec")
@pytest.mark.contract("10.26")
@all_forms
def test_a_description_builds_the_layer_again(form: str, said: dict[str, Any], count: int, names: str) -> None:
    layer = make(form, **said, **({"mean": 1.0} if count else {}))
    spec = json.loads(json.dumps(layer.to_spec()))
    assert Layer.get_class(spec["form"]) is type(layer)
    assert not {"rng", "nrng", "input_shapes"} & set(spec)
    again = Layer.build(spec.pop("form"), rng=13, **spec)
    assert json.loads(json.dumps(again.to_spec())) == json.loads(json.dumps(layer.to_spec()))
    assert (again.name, again.size, again.inputs, again.shape) == (layer.name, layer.size, layer.inputs, layer.shape)
    assert [p.name for p in again.params] == [p.name for p in layer.params]
    for a, b in zip([*again.params, *again.constants], [*layer.params, *layer.constants], strict=True):
        np.testing.assert_array_equal(a.get_value(), b.get_value())


@pytest.mark.contract("10.36")
@all_forms
def test_a_misspelt_keyword_is_refused(form: str, said: dict[str, Any], count: int, names: str) -> None:
    with pytest.raises(TypeError, match="has no keyword 'activatoin': did you mean 'activation'"):
        make(form, **said, activatoin="tanh")


@pytest.mark.parametrize(
    "form, said, words",
    [
        ("rnn", {"std_hx": 1}, "'l': std_hx= names no parameter of it: known are b, hh, xh"),
        ("ff", {"radius": 1}, "no keyword 'radius'"),
        ("conv1", {"filter_size": 2, "diagonal": 1}, "no keyword 'diagonal'"),
        ("bidirectional", {"sparsty": 0.5}, "'l_fw'.*no keyword 'sparsty': did you mean 'sparsity'"),
        ("gru", {"c_0": "a"}, "no keyword 'c_0'"),
    ],
)
def test_a_keyword_that_would_do_nothing_is_refused(form: str, said: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        make(form, **said)


@pytest.mark.contract("1.9 initial law")
@pytest.mark.contract("10.37")
@pytest.mark.contract("10.38")
def test_laws_of_initial_values() -> None:
    stream = np.random.RandomState(13)
    layer = make("lstm")
    np.testing.assert_allclose(layer.find("xh").get_value(), stream.randn(N, 4 * H) / np.sqrt(N + 4 * H), rtol=1e-6)
    blocks = [stream.randn(H, H) / np.sqrt(5 * H) for _ in range(4)]
    np.testing.assert_allclose(layer.find("hh").get_value(), np.concatenate(blocks, axis=1), rtol=1e-6)
    np.testing.assert_allclose(layer.find("b").get_value(), 2 + stream.randn(4 * H), rtol=1e-6)
    assert np.all(make("ff", std=0, mean=3).find("b").get_value() == 3)
    one = make("ff", std_w=0, mean_b=7, std_b=0)
    assert not one.find("w").get_value().any() and np.all(one.find("b").get_value() == 7)


@pytest.mark.contract("10.39")
@pytest.mark.contract("10.40")
@pytest.mark.contract("1.9 radius")
def test_radius_and_diagonal_are_for_recurrent_matrices() -> None:
    square = {"inputs": {"in:out": H}}
    scaled, plain = make("gru", radius=0.5, **square), make("gru", **square)
    assert [np.linalg.norm(scaled.find(k).get_value(), 2) for k in ("hh", "hr", "hz")] == pytest.approx([0.5] * 3)
    np.testing.assert_array_equal(scaled.find("xh").get_value(), plain.find("xh").get_value())
    layer = make("lstm", diagonal=0.3, radius_hh=9, **square)
    np.testing.assert_allclose(layer.find("hh").get_value(), np.tile(0.3 * np.eye(H), 4), rtol=1e-6)
    assert np.count_nonzero(layer.find("xh").get_value()) == 4 * H * H
    np.testing.assert_allclose(make("rnn", diagonal_xh=2).find("xh").get_value(), 2 * np.eye(N, H))


@pytest.mark.contract("1.9 filters")
def test_filters_are_drawn_tap_by_tap() -> None:
    stream = np.random.RandomState(13)
    w = make("conv2", filter_size=(2, 3), sparsity=0.5).find("w").get_value()
    for r, c in np.ndindex(2, 3):
        expected = random_matrix(H, N, std=1 / np.sqrt(N + H), sparsity=0.5, rng=stream)
        np.testing.assert_allclose(w[:, :, r, c], expected, rtol=1e-6)


@pytest.mark.contract("10.48")
@pytest.mark.parametrize("form", ["rrnn", "scrn"])
def test_fixed_rates_come_from_the_layers_stream(form: str) -> None:
    state = np.random.get_state()[1].copy()
    first, second, other = (make(form, rate="log", rng=seed).constants[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.get_value(), second.get_value())
    assert not np.allclose(first.get_value(), other.get_value())
    assert first.name == "l.rate" and np.exp(-6) < first.get_value().min() and first.get_value().max() < 1
    np.testing.assert_array_equal(state, np.random.get_state()[1])


@given(st.integers(1, 30))
@pytest.mark.contract("2.10 mrnn")
def test_factors_are_the_root_of_the_size_rounded_up(size: int) -> None:
    factors = make("mrnn", size=size).factors
    assert (factors - 1) ** 2 < size <= factors**2


@pytest.mark.contract("1.7 errors", "10.43")
@pytest.mark.parametrize(
    "form, said, words",
    [
        ("clockwork", {"periods": (1, 2, 4, 8)}, r"'l'.*size=6 is not a multiple.*4 \(8, 4, 2, 1\)"),
        ("clockwork", {}, r"'l'.*needs periods, positive integers; got \(\)"),
        ("clockwork", {"periods": (0, 2)}, r"'l'.*needs periods"),
        ("bidirectional", {"size": 5}, "'l'.*size=5 is odd"),
        ("bidirectional", {"worker": "ff"}, "'l'.*worker='ff' is not a recurrent layer"),
        ("rnn", {"inputs": {"a:out": 2, "b:out": 3}}, "'l'.*takes one input, and has a:out, b:out"),
        ("rrnn", {"rate": "vectr"}, "'l'.*no rate='vectr': did you mean 'vector'"),
        ("scrn", {"rate": "matrix"}, "'l'.*no rate='matrix': known are log, uniform, vector"),
        ("mrnn", {"factors": 0}, "'l'.*factors=0"),
        ("bcrnn", {"num_modules": 4}, "'l'.*size=6 is not a multiple of num_modules=4"),
        ("bcrnn", {}, "'l'.*needs num_modules"),
        ("rnn", {"bptt_limit": 0}, "'l'.*bptt_limit=0"),
        ("rnn", {"direction": 1}, "'l'.*direction=1"),
        ("lstm", {"h_0": 3}, "'l'.*h_0=3: pass the name"),
        ("lstm", {"activation": "prelu"}, "'l'.*does not apply its activation.*'prelu'"),
        ("ff", {"size": None}, "'l'.*needs a size"),
        ("ff", {"size": 0}, "'l'.*positive integer, got 0"),
        ("ff", {"inputs": {}}, "'l'.*has no input"),
    ],
)
def test_what_cannot_be_built_says_why(form: str, said: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make(form, **said)


@pytest.mark.contract("1.7 errors")
def test_inputs_are_checked_when_the_layer_is_connected() -> None:
    with pytest.raises(LayerError, match="'l' reads 'in:out', which no earlier layer makes: did you mean 'inn:out'"):
        make("ff").connect({"inn:out": T.matrix()})
    with pytest.raises(
        ConfigurationError, match=r"'l' \(lstm\) reads \(batch, time, features\), and 'in:out' has \(batch, f"
    ):
        make("lstm").connect({"in:out": T.matrix()})


@pytest.mark.contract("1.7 errors")
def test_a_recurrent_layer_in_a_model_of_vectors_is_refused_when_its_graph_is_built() -> None:
    # Programs of old make such networks, and look at their layers alone.
    net = nets.Regressor([2, (3, "rnn"), 1])
    words = r"'hid1'.*reads \(batch, time, features\).*'in:out' has \(batch, features\).*croton.nets.recurrent have"
    with pytest.raises(ConfigurationError, match=words):
        net.predict([[0, 0]])


@pytest.mark.contract("2.7 activation")
@pytest.mark.contract("10.47")
def test_what_ignores_its_activation_says_so_in_its_description() -> None:
    assert make("lstm", activation="tanh").to_spec()["activation"] == "tanh"
    assert make("classifier", activation="tanh").to_spec()["activation"] == "softmax"
    assert make("bidirectional", activation="tanh").to_spec()["activation"] == "tanh"
    both = make("bidirectional", activation="prelu", worker="gru")
    assert [p.name for p in both.params if "leak" in p.name] == ["l_fw.leak", "l_bw.leak"]


@pytest.mark.contract("2.19 custom layers")
def test_a_recurrent_layer_of_ones_own() -> None:
    class Leaky(nets.layers.Recurrent):
        def setup(self) -> None:
            self.add_weights("xh", self.input_size, self.size)

        def transform(self, inputs: Any) -> Any:
            z = self.affine(self.in_time(inputs), "xh")
            return self.run(inputs, lambda z, h: [self.activate(h / 2 + z)], [z])

    net = nets.recurrent.Regressor([2, (3, "leaky", "linear"), 1])
    x = np.random.RandomState(0).randn(2, 3, 2).astype("float32")
    z = x @ net.find("hid1", "xh").get_value()
    made = net.feed_forward(x)["hid1:out"]
    np.testing.assert_allclose(made[:, 2], z[:, 0] / 4 + z[:, 1] / 2 + z[:, 2], rtol=1e-4, atol=1e-6)
