"""The models' own methods: encode and decode, classes and probabilities, sequences, text."""

import numpy as np
import pytest

from croton import nets

RNG = np.random.RandomState(3)
X = RNG.rand(6, 4).astype("f")
S = RNG.rand(3, 5, 4).astype("f")


@pytest.mark.contract("7 Autoencoder")
def test_encode_and_decode():
    net = nets.Autoencoder([4, (3, "logistic"), (2, "logistic"), 4])
    assert net.encode(X).shape == (6, 2)
    for layer in (1, "hid1", "hid1:out", net.layers[1]):
        np.testing.assert_allclose(net.decode(net.encode(X, layer), layer), net.predict(X), rtol=1e-5)
    np.testing.assert_array_equal(net.encode(X, "hid1:pre"), net.feed_forward(X)["hid1:pre"])
    drawn = net.encode(X, 1, sample=True)
    assert drawn.dtype == "uint8" and set(np.unique(drawn)) <= {0, 1}
    with pytest.raises(ValueError, match="probabilities"):
        net.encode(X, "hid1:pre", sample=True)
    with pytest.raises(KeyError, match="'hid2'"):
        net.encode(X, "hid9")


@pytest.mark.contract("7 score", "10.18")
def test_scores():
    net = nets.Regressor([4, 3, 2])
    y = RNG.rand(6, 2)
    p = net.predict(X)
    residual, total = ((y - p) ** 2).sum(), ((y - y.mean(0)) ** 2).sum()
    np.testing.assert_allclose(net.score(X, y), 1 - residual / total, rtol=1e-6)
    w = np.arange(6.0)
    doubled = np.repeat(np.arange(6), w.astype(int))
    np.testing.assert_allclose(net.score(X, y, w), nets.Regressor.score(net, X[doubled], y[doubled]), rtol=1e-6)
    auto = nets.Autoencoder([4, 3, 4])
    assert auto.score(X) == pytest.approx(nets.Network.score(auto, X, X))
    with pytest.raises(ValueError, match=r"\(6, 1\).*\(6, 2\)"):
        net.score(X, y[:, :1])


@pytest.mark.contract("7 Classifier")
def test_classes_probabilities_and_logits():
    net = nets.Classifier([4, 3, 5])
    p, z = net.predict_proba(X), net.predict_logit(X)
    np.testing.assert_allclose(p, np.exp(z) / np.exp(z).sum(1, keepdims=True), rtol=1e-5)
    predicted = net.predict(X)
    assert predicted.dtype == "int64" and np.array_equal(predicted, p.argmax(1))
    with pytest.warns(DeprecationWarning, match="predict"):
        np.testing.assert_array_equal(net.classify(X), predicted)
    y = predicted.copy()
    y[0] = (y[0] + 1) % 5
    assert net.score(X, y) == pytest.approx(5 / 6)
    assert net.score(X, y, [5, 1, 1, 1, 1, 1]) == pytest.approx(0.5)


@pytest.mark.contract("7 shapes of sequences")
def test_models_of_sequences():
    classifier = nets.recurrent.Classifier([4, (3, "rnn"), 5])
    assert classifier.predict(S).shape == (3, 5)
    assert classifier.predict_proba(S).shape == (3, 5, 5)
    assert nets.recurrent.Regressor([4, (3, "gru"), 2]).predict(S[:1, :1]).shape == (1, 1, 2)
    auto = nets.recurrent.Autoencoder([4, (3, "rnn", "tanh"), 4])
    np.testing.assert_allclose(auto.decode(auto.encode(S)), auto.predict(S), rtol=1e-5)


def stepwise(net, x, sizes):
    state, made, at = None, [], 0
    for size in sizes:
        out, state = net.predict_step(x[:, at : at + size], state)
        made.append(out)
        at += size
    return np.concatenate(made, axis=1)


@pytest.mark.contract("9 carried state")
def test_prediction_step_by_step_is_prediction_at_once():
    net = nets.recurrent.Regressor([4, (3, "lstm"), (3, "gru"), 2])
    np.testing.assert_allclose(stepwise(net, S, [1, 1, 3]), net.predict(S), rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="hid1:"):
        net.predict_step(S, {})
    with pytest.raises(nets.ConfigurationError, match="'hid1'"):
        nets.recurrent.Regressor([4, (4, "bidirectional"), 2]).predict_step(S)


@pytest.mark.contract("9 carried state")
def test_state_carried_across_calls_and_forgotten():
    net = nets.recurrent.Regressor([4, dict(form="rnn", size=3, carry=True), 2])
    whole = net.predict(S)
    net.reset_state()
    parts = [net.predict(S[:, :2]), net.predict(S[:, 2:])]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-4, atol=1e-6)
    net.reset_state()
    np.testing.assert_allclose(net.predict(S), whole, rtol=1e-5)
    assert net.predict(S[:2]).shape == (2, 5, 2)


@pytest.mark.contract("9 masks")
def test_a_mask_given_as_an_input():
    layers = [4, dict(form="input", name="mask", size=1), dict(form="gru", size=3, inputs="in", mask="mask"), 2]
    net = nets.recurrent.Regressor(layers, rng=1)
    x, mask = nets.recurrent.pad([S[0], S[1, :2]])
    padded = net.predict([x, mask])
    alone = net.predict([S[1:2, :2], np.ones((1, 2))])
    np.testing.assert_allclose(padded[1:, :2], alone, rtol=1e-4, atol=1e-6)


@pytest.mark.contract("7 predict_sequence", "10.3")
def test_sequences_are_drawn_from_the_networks_own_distributions():
    net = nets.recurrent.Classifier([5, (8, "rnn", "tanh"), 5])
    drawn = list(net.predict_sequence([1, 2], 30, rng=7))
    assert all(isinstance(k, int) and 0 <= k < 5 for k in drawn)
    assert drawn == list(net.predict_sequence([1, 2], 30, rng=7))
    several = list(net.predict_sequence([1, 2], 4, streams=3, rng=7))
    assert all(isinstance(row, list) and len(row) == 3 for row in several)
    # A network that is sure of the successor must be followed, and only the last label can tell it.
    sure = nets.recurrent.Classifier([5, 5])
    sure.find("out", "w").set_value(100 * np.roll(np.eye(5), 1, axis=1))
    assert list(sure.predict_sequence([3, 0, 2], 6, rng=1)) == [3, 4, 0, 1, 2, 3]
    for labels in ([], [5], [-1], [[1]], [0.5]):
        with pytest.raises(ValueError, match="labels"):
            net.predict_sequence(labels, 3)
    with pytest.raises(nets.ConfigurationError, match="classes"):
        nets.recurrent.Classifier([4, (3, "rnn"), 5]).predict_sequence([1], 3)


@pytest.mark.contract("7 batches", "10.46")
def test_batches_are_windows_at_common_places():
    a = np.arange(40.0).reshape(20, 2)
    sample = nets.recurrent.batches([a, np.arange(20)], steps=4, batch_size=50, rng=0)
    x, y = sample()
    assert x.shape == (50, 4, 2) and y.shape == (50, 4) and y.dtype == np.arange(20).dtype
    np.testing.assert_array_equal(x[..., 0], 2 * y)
    starts = {int(row[0]) for _ in range(20) for row in sample()[1]}
    assert starts == set(range(17))
    assert nets.recurrent.batches([a], steps=20, batch_size=1)()[0].shape == (1, 20, 2)
    for arrays in ([a, a[:3]], [a[:3]]):
        with pytest.raises(ValueError, match="lengths"):
            nets.recurrent.batches(arrays, steps=4)


@pytest.mark.contract("7 Text")
def test_text_codes_and_batches():
    text = nets.recurrent.Text("hello world")
    assert (text.alpha, text.text) == ("lo", "\0\0llo\0\0o\0l\0")
    assert text.encode("hello world") == [0, 0, 1, 1, 2, 0, 0, 2, 0, 1, 0]
    assert text.decode([1, 2, 0]) == "lo\0"
    assert nets.recurrent.Text("abc", alpha="ab", unknown="?").text == "ab?"
    x, y = text.classifier_batches(steps=4, batch_size=3, rng=1)()
    assert x.shape == (3, 4, 3) and y.shape == (3, 4) and y.dtype == "int32"
    np.testing.assert_array_equal(x[:, 1:].argmax(-1), y[:, :-1])
    assert text.classifier_batches(steps=10, batch_size=1)()[0].shape == (1, 10, 3)
    for arguments in (dict(text="aabb", alpha="ab", unknown="a"), dict(text="abc")):
        with pytest.raises(ValueError, match="unknown|min_count"):
            nets.recurrent.Text(**arguments)
    with pytest.raises(ValueError, match="characters"):
        text.classifier_batches(steps=11)


def test_an_experiment_wraps_a_network():
    net = nets.Regressor([2, 1])
    assert nets.Experiment(net).network is net
    with pytest.raises(TypeError, match="path"):
        nets.Experiment(3)
    with pytest.raises(FileNotFoundError):
        nets.Experiment("no such file.pkl")


@pytest.mark.contract("7 Autoencoder")
def test_decode_checks_and_regularizes():
    net = nets.Autoencoder([4, (3, "logistic"), 4])
    z = net.encode(X)
    assert not np.allclose(net.decode(z, output_noise=5.0), net.decode(z))
    with pytest.raises(TypeError, match="output_noise"):
        net.decode(z, outputnoise=5.0)
    with pytest.raises(ValueError, match="z"):
        net.decode(z[:, :2])
    with pytest.raises(nets.ConfigurationError, match="'hid1:pre'"):
        net.decode(z, "hid1:pre")


@pytest.mark.contract("1.6 tied")
def test_a_tied_layer_with_inputs_of_its_own_comes_back(tmp_path):
    net = nets.Autoencoder([4, 3, (3, "tanh")])
    net.add_layer(nets.layers.Tied(net.layers[1], inputs={"hid1:out": 3}, name="back"))
    net.set_loss("mse")
    net.save(tmp_path / "net.pkl")
    np.testing.assert_array_equal(nets.Network.load(tmp_path / "net.pkl").predict(X), net.predict(X))
