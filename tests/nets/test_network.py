"""Networks: how layers, names, inputs and losses are described, and what can be asked of the result."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import nets

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = np.array([[0], [1], [1], [0]])


def names(net):
    return [layer.name for layer in net.layers]


# --- specifications ---


@pytest.mark.contract("1.4 names")
@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([4, 3, 2], "in hid1 out"),
        ([4, dict(size=3, name="a"), 5, 2], "in a hid2 out"),
        ([dict(size=4, name="foo"), (3, "tanh"), 2], "foo hid1 out"),
        ([8, 6, 4, "tied", "tied"], "in hid1 hid2 tied-hid2 tied-hid1"),
        ([8, 6, ("tied", dict), 2][:2] + [dict(form="tied", name="back")], "in hid1 back"),
    ],
)
def test_names_of_layers(layers, expected):
    assert " ".join(names(nets.Regressor(layers))) == expected


@pytest.mark.contract("1.3 specifications")
def test_the_forms_of_a_specification_say_the_same():
    forms = [
        3,
        np.int64(3),
        (3,),
        [3],
        ("ff", 3),
        ("relu", np.int32(3), "feedforward"),
        (3, nets.layers.Feedforward),
        dict(size=3),
        dict(size=3, form="FeedForward", activation="relu"),
        nets.layers.Feedforward(3, {"in:out": 2}, name="hid1"),
    ]
    specs = [nets.Regressor([2, form, 1]).layers[1].to_spec() for form in forms]
    assert all(spec == specs[0] for spec in specs[1:])


@pytest.mark.contract("1.3 specifications")
def test_output_activation_is_the_models_and_others_are_relu():
    net = nets.Classifier([4, 3, (3, "tanh"), 2])
    assert [layer.activation for layer in net.layers[1:]] == ["relu", "tanh", "softmax"]
    assert nets.recurrent.Classifier([4, (3, "rnn")]).layers[-1].activation == "softmax"


@pytest.mark.contract("1.2 constructors")
@pytest.mark.parametrize(
    "model",
    [
        nets.Network,
        nets.Autoencoder,
        nets.Regressor,
        nets.Classifier,
        nets.recurrent.Autoencoder,
        nets.recurrent.Regressor,
        nets.recurrent.Classifier,
    ],
)
def test_models_can_be_empty_and_grown(model):
    net = model()
    assert (net.layers, net.losses, net.params, net.num_params) == ([], [], [], 0)
    net.add_layer(3)
    net.add_layer(form="rnn" if net.INPUT_NDIM == 3 else "ff", size=4)
    net.add_layer(3, is_output=True)
    net.set_loss("mse", target=net.OUTPUT_NDIM if net.OUTPUT_NDIM > 1 else 2)
    assert names(net) == ["in", "hid1", "out"]
    assert net.layers[-1].activation == net.DEFAULT_OUTPUT_ACTIVATION
    with pytest.raises(nets.ConfigurationError, match="no layers"):
        model().predict(X)


@pytest.mark.contract("1.5 inputs", "10.29")
def test_inputs_by_name_layer_list_output_and_dict():
    net = nets.Regressor(
        [
            2,
            dict(name="a", size=3),
            dict(name="b", size=4, inputs="in"),
            dict(name="c", size=5, inputs=("a", "b:pre")),
            dict(name="d", size=2, inputs={"a:pre": 3}),
            dict(form="concat", name="e", inputs=["c", "d", "b"]),
            1,
        ]
    )
    assert net.layers[2].inputs == {"in:out": 2}
    assert net.layers[3].inputs == {"a:out": 3, "b:pre": 4}
    assert net.layers[5].size == 11
    assert sorted(p.name for p in net.layers[3].params) == ["c.b", "c.w_a:out", "c.w_b:pre"]
    values = net.feed_forward(X)
    w, b = net.find("d", "w").get_value(), net.find("d", "b").get_value()
    np.testing.assert_allclose(values["d:pre"], values["a:pre"] @ w + b, rtol=1e-5)


@pytest.mark.contract("1.5 inputs")
@pytest.mark.parametrize("inputs", ["nowhere", ["in", "nowhere"], "nowhere:pre", {"nowhere:out": 2}])
def test_unknown_inputs_name_the_nearest(inputs):
    with pytest.raises(nets.LayerError, match="'nowhere"):
        nets.Regressor([2, dict(size=3, inputs=inputs), 1])


@pytest.mark.contract("1.5 inputs")
def test_unknown_outputs_of_known_layers_are_found_when_connected():
    net = nets.Regressor([2, 3, dict(size=3, inputs="hid1:state"), 1])
    with pytest.raises(nets.LayerError, match=r"'hid1:state'.*'hid1:out'|'hid1:state'"):
        net.predict(X)


@pytest.mark.contract("1.6 tied")
def test_tied_layers_mirror():
    net = nets.Autoencoder([8, 6, 4, 2, "tied", "tied", "tied"])
    assert [layer.partner.name for layer in net.layers[4:]] == ["hid3", "hid2", "hid1"]
    assert [layer.size for layer in net.layers[4:]] == [4, 6, 8]
    assert [layer.activation for layer in net.layers[4:]] == ["relu", "relu", "linear"]
    by_name = nets.Autoencoder([8, 6, 6, dict(form="tied", partner="hid1")])
    assert by_name.layers[-1].partner is by_name.layers[1]
    first = nets.Autoencoder([8, 6])
    first.add_layer(form="tied", partner=first.layers[1], is_output=True)
    assert first.layers[-1].partner is first.layers[1]
    with pytest.raises(nets.LayerError, match="no partner"):
        nets.Autoencoder([8, "tied"])
    with pytest.raises(nets.LayerError, match="'nobody'"):
        nets.Autoencoder([8, 6, dict(form="tied", partner="nobody")])


@pytest.mark.contract("1.7 errors")
@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([2, dict(form="fedforward", size=3), 1], KeyError, "feedforward"),
        ([2, (3, "rnnn"), 1], KeyError, "'rnn'"),
        ([2, (3, "ReLu6"), 1], KeyError, "'relu'"),
        ([2, dict(size=3, activation="tahn"), 1], KeyError, "'tanh'"),
        ([2, dict(form="ff"), 1], nets.ConfigurationError, "'hid1'.*size"),
        ([2, dict(size=0), 1], nets.ConfigurationError, "'hid1'.*positive"),
        ([2, (3, 4.5), 1], TypeError, "4.5"),
        ([2, None, 1], nets.ConfigurationError, "needs a size"),
        ([2, True, 1], TypeError, "True"),
        ([2, dict(size=3, std_v=1), 1], TypeError, "std_v"),
        ([2, dict(size=3, sparsty=0.5), 1], TypeError, "'sparsity'"),
        ([dict(form="rnn", size=2), 1], nets.ConfigurationError, "input"),
        ([2, dict(size=3, name="in"), 1], nets.ConfigurationError, "two layers"),
        (7, TypeError, "list"),
        ("abc", TypeError, "list"),
    ],
)
def test_bad_layers_are_told(layers, error, message):
    with pytest.raises(error, match=message):
        nets.Regressor(layers)


def test_a_layer_that_fails_leaves_the_network_as_it_was():
    net = nets.Regressor([2, 3, 1])
    with pytest.raises(KeyError):
        net.add_layer((4, "no such form"))
    with pytest.raises(KeyError):
        net.set_loss("no such loss")
    assert names(net) == ["in", "hid1", "out"] and len(net.losses) == 1
    assert net.predict(X).shape == (4, 1)


@pytest.mark.contract("10.11 one stream")
def test_one_stream_of_random_numbers_runs_through_the_layers():
    net = nets.Regressor([3, 3, 3], rng=13)
    state = np.random.RandomState(13)
    for layer in net.layers[1:]:
        np.testing.assert_allclose(layer.find("w").get_value(), state.randn(3, 3) / np.sqrt(6), rtol=1e-6)
        np.testing.assert_allclose(layer.find("b").get_value(), state.randn(3), rtol=1e-6)
    again = nets.Regressor([3, 3, 3], rng=np.random.default_rng(5))
    other = nets.Regressor([3, 3, 3], rng=np.random.default_rng(5))
    np.testing.assert_array_equal(again.find(1, 0).get_value(), other.find(1, 0).get_value())


# --- asking ---


@pytest.mark.contract("11 figures")
def test_the_recorded_first_layer_and_output_keys():
    net = nets.Regressor([2, 3, 1])
    np.testing.assert_allclose(
        net.find("hid1", "w").get_value(), [[-0.318591, 0.337095, -0.019902], [0.202057, 0.601548, 0.238069]], atol=1e-6
    )
    np.testing.assert_allclose(net.find(1, 1).get_value(), [1.350188, 0.861211, 1.478686], atol=1e-6)
    assert len(nets.Regressor([7, 15, 13, 3]).feed_forward(np.zeros((1, 7)))) == 9


@pytest.mark.contract("7 find")
def test_find_by_name_and_index():
    net = nets.Regressor([2, dict(size=3, activation="prelu"), 1])
    assert net.find("hid1", "w") is net.find(1, 0)
    assert net.find("hid1", "leak").name == "hid1.leak"
    for which, param in [("hid2", 0), (7, 0), ("hid1", "v"), (1, 9), (0, 0), ("in", "w")]:
        with pytest.raises(KeyError):
            net.find(which, param)
    net.find("out", "w").set_value(np.zeros((3, 1)))
    np.testing.assert_allclose(net.predict(X), np.full((4, 1), net.find("out", "b").get_value()))


@pytest.mark.contract("7 build_graph")
def test_a_changed_network_is_seen():
    net = nets.Regressor([2, 3, 1])
    before = net.predict(X)
    net.layers[1] = nets.layers.Feedforward(3, {"in:out": 2}, name="hid1", activation="tanh", rng=1)
    assert not np.allclose(net.predict(X), before)


@pytest.mark.contract("7 several inputs", "10.28")
def test_several_inputs_are_given_by_name_or_in_order():
    net = nets.Regressor([2, dict(form="input", name="more", size=3), dict(size=4, inputs=("in", "more")), 1])
    more = np.ones((4, 3))
    expected = net.predict({"in": X, "more": more})
    np.testing.assert_array_equal(net.predict([X, more]), expected)
    with pytest.raises(ValueError, match="'more' is missing"):
        net.predict({"in": X})
    with pytest.raises(ValueError, match="'les' is not among"):
        net.predict({"in": X, "more": more, "les": more})
    with pytest.raises(ValueError, match="in, more"):
        net.predict(X)
    assert net.train({"in": X, "more": more, "target": Y}, algo="sgd", max_updates=1, progress=False) is not None


@pytest.mark.contract("1.9 float type")
def test_floatX_rules_the_whole_network():
    with croton.config(floatX="float64"):
        net = nets.Classifier([2, 3, 2])
        assert net.predict_proba(X).dtype == "float64"
        assert {p.dtype for p in net.params} == {"float64"}


# --- losses ---


@pytest.mark.contract("4 several losses", "10.4")
def test_losses_of_one_output_share_the_target_and_others_do_not():
    net = nets.Regressor([2, dict(size=1, name="side", activation="linear"), 3, 1])
    net.add_loss("mae", weight=0.5)
    assert [v.name for v in net.variables] == ["in", "target"]
    net.add_loss("mse", output_name="side", weight=2)
    assert [v.name for v in net.variables] == ["in", "target", "target_side"]
    f = croton.function(net.variables, net.loss())
    y, side = net.predict(X), net.feed_forward(X)["side:out"]
    other = 2.0 * Y
    expected = np.mean((y - Y) ** 2) + 0.5 * np.mean(abs(y - Y)) + 2 * np.mean((side - other) ** 2)
    np.testing.assert_allclose(f(X.astype("f"), Y.astype("f"), other.astype("f")), expected, rtol=1e-5)
    train, _ = net.train([X, Y, other], algo="sgd", batch_size=4, max_updates=1, progress=False)
    np.testing.assert_allclose(train["loss"], expected, rtol=1e-5)


@pytest.mark.contract("4 add_loss", "10.35")
def test_losses_as_name_dict_and_instance():
    by_name = nets.Autoencoder([3, 2, 3], loss="mae")
    by_dict = nets.Autoencoder([3, 2, 3], loss=dict(form="mae", weight=2))
    built = nets.Regressor([3, 2, 3], loss=nets.losses.Loss.build("mae", 2))
    assert [type(net.losses[0]).__name__ for net in (by_name, by_dict, built)] == ["MeanAbsoluteError"] * 3
    assert by_dict.losses[0].weight == 2
    classifier = nets.Classifier([3, 2])
    classifier.set_loss("hinge")
    assert [v.ndim for v in classifier.variables] == [2, 1]
    assert nets.Regressor([2, 1], loss=None).losses == []
    with pytest.raises(KeyError, match="'mse'"):
        nets.Regressor([2, 1], loss="msee")


@pytest.mark.contract("10.32")
def test_layers_that_no_loss_reads_do_not_train():
    net = nets.Regressor([2, 3, dict(size=3, name="aside"), dict(size=1, name="end", inputs="hid1")])
    aside, before = net.find("aside", "w").get_value(), net.find("hid1", "w").get_value()
    net.train([X, Y], algo="sgd", learning_rate=0.1, max_updates=1, progress=False)
    np.testing.assert_array_equal(net.find("aside", "w").get_value(), aside)
    assert not np.array_equal(net.find("hid1", "w").get_value(), before)


# --- subclasses ---


def test_a_custom_model_with_a_default_loss():
    class Small(nets.Network):
        def __init__(self, layers=(), loss="mae", weighted=False):
            super().__init__(layers=layers, loss=loss, weighted=weighted)

        def doubled(self, x):
            return 2 * self.predict(x)

    net = Small([2, 3, 1])
    assert net.doubled(X).shape == (4, 1)
    assert [v.name for v in net.variables] == ["in", "target"]


def test_a_custom_layer_may_read_anything_and_update_shared_values():
    class Counting(nets.Layer):
        def setup(self):
            self.count = croton.shared(np.float32(0), "count")

        def transform(self, inputs):
            return {"out": inputs[self.input_name] + inputs["in"][:, :1] * 0}, [(self.count, self.count + 1)]

    net = nets.Regressor([2, 3, (3, "counting"), 1])
    net.predict(X)
    net.predict(X)
    assert net.layers[2].count.get_value() == 2
    net.train([X, Y], algo="sgd", batch_size=2, max_updates=3, progress=False)
    assert net.layers[2].count.get_value() == 2 + 6


@pytest.mark.contract("1.8 transform")
def test_the_base_layer_hands_its_input_on():
    net = nets.Regressor([2, (2, "layer"), 1])
    values = net.feed_forward(X)
    np.testing.assert_array_equal(values["hid1:out"], X)
    outputs, updates = nets.Layer(2, 2).transform({"out": T.matrix()})
    assert list(outputs) == ["out"] and updates == []


@pytest.mark.contract("1.9 float type")
def test_a_network_keeps_its_float_type_when_the_setting_changes():
    with croton.config(floatX="float64"):
        net = nets.recurrent.Regressor([2, (3, "lstm"), dict(form="clockwork", size=2, periods=(1, 2)), 1])
    s = np.ones((2, 3, 2))
    assert net.predict(s).dtype == "float64"
    np.testing.assert_allclose(net.predict_step(s)[0], net.predict(s))
    assert net.train([s, s[..., :1]], algo="sgd", max_updates=1, progress=False) is not None
    net.set_loss("mae")
    assert net.losses[0]._target.dtype == "float64"


def test_regularizers_given_as_objects_may_change():
    noise = nets.regularizers.GaussianNoise("hid1:out", weight=0.0)
    net = nets.Regressor([2, 3, 1])
    quiet = net.predict(X, regularizers=[noise])
    noise.weight = 9.0
    assert not np.allclose(net.predict(X, regularizers=[noise]), quiet)


@pytest.mark.contract("4 several losses")
def test_each_target_has_a_name_of_its_own():
    net = nets.Regressor([2, 3, 1])
    net.add_loss("mse", output_name="hid1:out")
    net.add_loss("mse", output_name="hid1:pre")
    assert [v.name for v in net.variables] == ["in", "target", "target_hid1", "target_hid1_pre"]
