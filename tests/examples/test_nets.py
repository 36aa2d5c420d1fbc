"""The examples on croton.nets, each on small data."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import croton
from croton import nets
from croton.datasets import digits

FOLDER = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def registries(monkeypatch):
    """Classes that an example defines are known to networks during its test only."""
    for family in (nets.Layer, nets.Loss):
        monkeypatch.setattr(family, "_registry", dict(family._registry))


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(module, *arguments):
    """What the example's command returns and prints."""
    result = CliRunner().invoke(module.main, list(map(str, arguments)), standalone_mode=False, catch_exceptions=False)
    if result.exception:
        raise result.exception
    return result.return_value, result.stdout


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_help(name):
    result = CliRunner().invoke(load(name).main, ["--help"])
    assert result.exit_code == 0 and "Usage:" in result.stdout


@pytest.mark.contract("8 mnist-classifier")
def test_mnist_classifier(tmp_path):
    picture = tmp_path / "weights.png"
    how = ("--data", "digits", "--seeds", 1, "--epochs", 12, "--hidden", 64, "--plot", picture)
    (accuracy,), said = run(load("mnist_classifier"), *how)
    assert accuracy > 0.8
    assert f"least {accuracy:.2%}" in said
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.contract("8 mnist-convolution")
def test_mnist_convolution():
    example = load("mnist_convolution")
    train, valid, test = map(example.as_images, digits())
    assert train[0].shape == (1197, 8, 8, 1)
    net = example.learn((train[0][:1100], train[1][:1100]), valid, epochs=6, seed=0, progress=False)
    assert net.score(*test) > 0.8


@pytest.mark.contract("8 mnist-convolution")
def test_the_convolutional_net_for_mnist():
    shapes = [layer.shape for layer in load("mnist_convolution").build(28, seed=0).layers]
    assert shapes == [(28, 28, 1), (24, 24, 16), (12, 12, 16), (8, 8, 32), (4, 4, 32), (512,), (128,), (10,)]


@pytest.mark.contract("8 mnist-autoencoder")
def test_mnist_autoencoder():
    errors, _ = run(load("mnist_autoencoder"), "--data", "digits", "--hidden", 64, "--epochs", 30)
    assert errors["with noise"] < 0.95 * errors["without"] < 0.5**2


@pytest.mark.contract("8 mnist-deep-autoencoder")
def test_mnist_deep_autoencoder():
    example = load("mnist_deep_autoencoder")
    (train, _), (valid, _), _ = digits()
    net = example.build(64, [24, 6])
    assert [layer.size for layer in net.layers] == [64, 24, 6, 24, 64]
    assert sum(p.ndim == 2 for p in net.params) == 2
    before = example.error(net, valid)
    between, after = example.learn(net, train[:1100], valid, stage_epochs=2, epochs=3, progress=False)
    assert before > between > after


def test_principal_components_are_scikit_learns():
    from sklearn.decomposition import PCA

    (train, _), (valid, _), _ = digits()
    theirs = PCA(5).fit(train)
    expected = np.mean((theirs.inverse_transform(theirs.transform(valid)) - valid) ** 2)
    assert load("mnist_deep_autoencoder").principal_components(train, valid, 5) == pytest.approx(expected, rel=1e-4)


@pytest.mark.contract("8 xor-classifier")
def test_xor():
    errors, said = run(load("xor"), "--seeds", 2)
    assert max(errors) < 0.5
    assert "2 of 2" in said


@pytest.mark.contract("8 weighted-classification")
def test_weighted_classification():
    scores, _ = run(load("weighted_classification"), "--examples", 4000, "--epochs", 20)
    assert scores["weighted"] > scores["unweighted"] + 0.05


@pytest.mark.contract("8 recurrent-memory")
def test_recurrent_memory():
    r2, _ = run(load("recurrent_memory"), "--steps", 4, "--remember", 1, "--hidden", 12, "--epochs", 4)
    assert r2 > 0.9


@pytest.mark.contract("8 recurrent-memory")
def test_what_is_to_be_remembered():
    x, y, w = load("recurrent_memory").sampler(steps=6, remember=2, examples=3, seed=0)()
    np.testing.assert_array_equal(y[:, 4:], x[:, :2])
    np.testing.assert_array_equal(w.sum(axis=1), np.full((3, 1), 2))
    assert not w[:, :4].any()


@pytest.mark.contract("8 recurrent-sinusoid")
def test_recurrent_sinusoid(tmp_path):
    picture = tmp_path / "waves.png"
    how = ("--steps", 16, "--size", 4, "--updates", 300, "--plot", picture)
    example = load("recurrent_sinusoid")
    errors, _ = run(example, "--cells", "rnn,clockwork", *how)
    _, wave = example.make_wave(16)
    assert max(errors.values()) < np.var(wave)
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(Exception, match="gruu"):
        run(example, "--cells", "gruu")


@pytest.mark.contract("8 recurrent-text")
def test_character_model(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat, and the rat sat on the cat. " * 40, encoding="utf-8")
    how = ("--cell", "rnn", "--size", 16, "--epochs", 1, "--beginning", "the ")
    bits, said = run(load("character_model"), "--text", path, *how)
    assert bits < 2.5 < np.log2(1 + 14)
    assert "the " in said.splitlines()[-1]


def test_both_parts_of_a_text_have_one_alphabet():
    first, rest = load("character_model").split("aab" * 9 + "ccc", min_count=2)
    assert first.alpha == rest.alpha == "abc"
    assert len(first.text) == 27 and rest.text == "ccc"


@pytest.mark.contract("2.19 custom layers")
def test_custom_layer():
    example = load("custom_layer")
    figures, _ = run(example, "--hidden", 60, "--epochs", 6)
    assert figures["radial"][0] > 0.8
    assert figures["radial"][1] < figures["feedforward"][1]

    layer = example.Radial(3, 2, rng=0)
    x = np.array([[0.5, -1], [2, 0]], "float32")
    centres, sharp = layer.find("centres").get_value(), layer.find("sharpness").get_value()
    expected = np.exp(-np.log1p(np.exp(sharp)) * ((x[:, None] - centres) ** 2).sum(axis=2))
    v = croton.tensor.matrix("v")
    out = croton.function([v], layer.connect({"out": v})[0][layer.output_name()])
    np.testing.assert_allclose(out(x), expected, rtol=1e-5)


@pytest.mark.contract("4 custom")
def test_custom_loss():
    example = load("custom_loss")
    shares, _ = run(example, "--epochs", 40)
    assert shares[0.1] < 0.35 < shares[0.5] < 0.65 < shares[0.9]

    net = nets.Regressor([1, 2], loss={"form": "pinball", "quantiles": [0.2, 0.7], "target": 1})
    x, y = np.array([[0.0], [1.0], [2.0]], "float32"), np.array([1.0, 0.0, 3.0], "float32")
    errors = y[:, None] - net.predict(x)
    q = np.array([0.2, 0.7])
    expected = np.where(errors > 0, q * errors, (q - 1) * errors).mean()
    assert croton.function(net.variables, net.loss())(x, y) == pytest.approx(expected, rel=1e-5)


@pytest.mark.contract("1.2 custom models")
def test_custom_model():
    example = load("custom_model")
    bound, _ = run(example, "--hidden", 64, "--code", 4, "--epochs", 60)
    (train, _), _, (test, _) = digits()
    p = train.mean(axis=0).clip(0.01, 0.99)  # what can be said without looking at the image
    assert bound < -np.mean((test * np.log(p) + (1 - test) * np.log(1 - p)).sum(axis=1))


@pytest.mark.contract("1.2 custom models")
def test_the_bound_is_that_of_the_paper():
    net = load("custom_model").build(pixels=4, hidden=3, code=2)
    net.find("spread", "w").set_value(np.zeros((3, 2), "float32"))
    net.find("spread", "b").set_value(np.full(2, -30, "float32"))  # so the code drawn is the mean
    x = np.array([[0, 1, 0.5, 0.2], [1, 1, 0, 0]], "float32")
    mean, p = net.feed_forward(x)["mean:out"], net.predict(x)
    image = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)
    code = 0.5 * (mean**2 + np.exp(-30) - 1 + 30).sum(axis=1)
    assert croton.function(net.variables, net.loss())(x) == pytest.approx(np.mean(image + code), rel=1e-4)
    assert net.generate(5).shape == (5, 4)
