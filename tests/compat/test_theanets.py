"""theanets, downhill and climate as old programs meet them."""

import ast
import importlib
import logging
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from croton import compat, nets
from croton.compat import climate
from croton.compat.modules import absent
from croton.compat.netnames import HELPERS, NETS
from croton.compat.uses import LACKING, THERE, UNKNOWN, uses

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setenv("THEANORC", "")
    monkeypatch.delenv("THEANO_FLAGS", raising=False)
    compat.install(floatX="float32")
    yield
    compat.uninstall()


def test_croton_has_every_name():
    assert list(absent({**NETS, **HELPERS})) == []


@pytest.mark.contract("1.1 modules")
def test_modules_and_names_are_crotons_own(installed):
    import downhill
    import theanets
    from theanets.layers.base import Layer

    assert theanets.Classifier is theanets.feedforward.Classifier is nets.Classifier
    assert theanets.layers.Layer is Layer is theanets.Layer is nets.Layer
    assert theanets.layers.recurrent.LSTM is nets.layers.LSTM is theanets.layers.LSTM
    assert theanets.graph.Network is nets.Network is theanets.Network
    assert theanets.main.Experiment is theanets.Experiment
    assert issubclass(theanets.graph.LayerError, theanets.util.Error)
    assert theanets.util.FLOAT == "float32"
    assert (theanets.__version__, downhill.__version__) == ("0.7.3", "0.4.0")
    assert issubclass(downhill.adaptive.Adam, downhill.base.Optimizer)
    assert downhill.first_order.NAG is downhill.NAG and downhill.dataset.Dataset is downhill.Dataset
    for name in ("flags", "Predictor"):
        assert not hasattr(theanets, name)
    names: dict[str, object] = {}
    exec("from theanets.layers import *", names)
    assert {"Feedforward", "Tied", "RNN", "Conv1", "Reshape"} <= names.keys()


@pytest.mark.parametrize("root", ["theanets", "downhill"])
def test_another_one_that_is_imported_already_is_an_error(monkeypatch, root):
    monkeypatch.setitem(sys.modules, root, types.ModuleType(root))
    with pytest.raises(ImportError, match=f"{root} has been imported already"):
        compat.install()


def test_a_climate_of_the_programs_own_is_left_alone(installed, tmp_path, monkeypatch):
    assert importlib.import_module("climate").get_logger is climate.get_logger
    compat.uninstall()
    (tmp_path / "climate.py").write_text("rain = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    compat.install()
    assert importlib.import_module("climate").rain == 3
    del sys.modules["climate"]


@pytest.mark.contract("6.6 layerwise")
@pytest.mark.contract("6.6 pretrain")
@pytest.mark.contract("6.6 sample")
def test_trainers_are_objects_too():
    from croton.compat import trainers

    x = np.random.RandomState(0).randn(12, 4)
    net = nets.Classifier([4, 3, 2])
    y = (x[:, 0] > 0).astype(int)
    start = net.find("hid1", "w").get_value()
    (first, _), *more = trainers.SampleTrainer(net).itertrain([x, y])
    assert (first["loss"], more) == (0, [])
    columns = net.find("hid1", "w").get_value()
    np.testing.assert_allclose(np.linalg.norm(columns, axis=0), 1, rtol=1e-5)
    assert not np.allclose(columns, start)
    for made in (trainers.SupervisedPretrainer("sgd", net), trainers.DownhillTrainer("sgd", net)):
        pairs = list(made.itertrain([x, y], learning_rate=0.1, max_updates=2, progress=False))
        assert len(pairs) == 2 and pairs[1][0]["loss"] < pairs[0][0]["loss"]
    pairs = list(trainers.UnsupervisedPretrainer("sgd", net).itertrain([x], max_updates=1, progress=False))
    assert len(pairs) == 1 and "acc" not in pairs[0][0]


def test_a_program_of_networks(run):
    done = run("old_nets.py", options=("--floatX", "float32"))
    assert done.returncode == 0, done.stderr
    said = ("rmsprop ", "validation", "the parameters are", "I ")
    told = [line for line in done.stdout.splitlines() if not line.startswith(said)]
    assert "['acc', 'err', 'hid1:out<-0.5', 'hid1:out<0.5', 'loss']" in told
    assert "better True True" in told
    assert "saved Classifier True" in told
    assert "loss True [target]" in told
    assert told[-4:] == ["6", "Predictor False", "flags False", "True 0.7.3"]
    assert "done with float32" in done.stdout.splitlines()[-1]


def test_a_program_that_minimizes(run):
    done = run("old_minimize.py", "--rank", 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['err', 'loss', 'u<0.1'] True True"
    assert done.stdout.splitlines()[-2].endswith("rank 3")


# --- what programs of old, theanets' own tests among them, do with networks, and croton's own would not ---


def test_layers_that_read_by_a_size_alone_take_the_size_they_are_given():
    layers = nets.layers
    assert nets.Layer.build("prod", inputs=7, size=4).size == 4
    x = np.ones((2, 12, 7), "f")
    for layer, shape in ((layers.Reshape((14, 6), inputs=7), (2, 14, 5)), (layers.Flatten(84, 7), (2, 5))):
        assert nets.recurrent.Regressor([7, layer, 5]).predict(x).shape == shape


def test_monitors_that_are_no_scalars_can_be_listed_and_not_watched():
    net = nets.Regressor([2, 1])
    asked = {"out:out": {"a": lambda e: e + 1}}
    assert [name for name, _ in net.monitors(monitors=asked)] == ["err", "out:out:a"]
    before = net.find("out", "w").get_value()
    with pytest.raises(TypeError, match="monitor 'out:out:a' has 2 dimensions: its function must return a scalar"):
        net.train([np.ones((3, 2)), np.ones((3, 1))], monitors=asked)
    np.testing.assert_array_equal(net.find("out", "w").get_value(), before)


def test_layer_errors_are_configuration_errors_too():
    with pytest.raises(nets.ConfigurationError, match="no earlier layer has that name") as caught:
        nets.Regressor([1, 2, {"size": 3, "inputs": "hid2"}])
    assert isinstance(caught.value, nets.LayerError)


@pytest.mark.contract("2.1 input")
def test_a_sparse_autoencoder_is_trained_by_its_inputs_alone():
    x = scipy.sparse.random(9, 6, 0.5, "csr", np.float32, np.random.RandomState(0))
    net = nets.Autoencoder([{"size": 6, "sparse": "csr"}, 3, 6])
    assert net.variables == net.inputs
    with pytest.warns(DeprecationWarning, match="max_gradient_clip= is an old name: use max_gradient_elem="):
        pairs = list(
            net.itertrain([x], algo="sgd", learning_rate=0.1, max_gradient_clip=1, max_updates=3, progress=False)
        )
    assert pairs[-1][0]["loss"] < pairs[0][0]["loss"]


def test_a_network_may_take_more_labels_than_it_tells():
    net = nets.recurrent.Classifier([7, (4, "rnn"), 5])
    drawn = list(net.predict_sequence([6, 0, 1], 4, streams=2, rng=0))
    assert np.shape(drawn) == (4, 2) and np.max(drawn) < 5
    with pytest.raises(ValueError, match=r"labels must lie in 0..6, got 0..7"):
        next(net.predict_sequence([0, 7], 1))
    with pytest.raises(nets.ConfigurationError, match="what it predicts cannot be its next input"):
        next(nets.recurrent.Classifier([5, (4, "rnn"), 7]).predict_sequence([0], 1))


def test_the_check_knows_the_names():
    found = {use.name: use.status for use in uses(ast.parse((PROGRAMS / "old_nets.py").read_text()))}
    assert "theanets.recurrent.Text" in found and set(found.values()) == {THERE}
    text = "import theanets, downhill\ntheanets.Regresor([2, 1])\ndownhill.minimize(loss, train, batchsize=3)\n"
    strange = {use.name: use.status for use in uses(ast.parse(text)) if use.status != THERE}
    assert strange == {"theanets.Regresor": UNKNOWN}
    strange = {
        use.name for use in uses(ast.parse("import theanets\ntheanets.Regressor(layer=[2])")) if use.status == LACKING
    }
    assert strange == {"theanets.Regressor(layer=)"}


@pytest.fixture
def command_line(monkeypatch):
    """climate with no arguments asked for, and with the root logger as it was afterwards."""
    levels = {name: logging.getLogger(name).level for name in ("", "jax")}
    monkeypatch.setattr(climate, "_parser", climate._new_parser())
    yield
    climate.disable_default_logging()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_main_functions_get_their_arguments(command_line):
    @climate.annotate(
        root="where to look",
        rate=("how fast", "option", "r", float),
        mode=("which", "option", None, str, ("fast", "slow")),
        loud=("say more", "flag", "l"),
    )
    def main(root, rate=0.5, mode="slow", loud=False):
        return root, rate, mode, loud

    assert climate.call(main, args=["here"]) == ("here", 0.5, "slow", False)
    assert climate.call(main, args=["here", "-r", "2", "--mode", "fast", "-l"]) == ("here", 2.0, "fast", True)
    with pytest.raises(SystemExit):
        climate.call(main, args=["here", "--mode", "medium"])


def test_main_functions_without_notes(command_line):
    climate.add_arg("--size", type=int, default=2)
    assert climate.parse_args([], size=5).size == 5
    climate.add_mutex_group().add_argument("--fast", action="store_true")
    assert climate.call(lambda args: (args.size, args.fast), args=["--size", "3", "--fast"]) == (3, True)
    assert climate.call(lambda: "none", args=[]) == "none"
    assert climate.call(lambda first=1: first, args=["7"]) == "7"


def test_logging_goes_to_stdout_once(command_line, capsys):
    climate.enable_default_logging("WARNING")
    climate.enable_default_logging()
    logger = climate.get_logger("prog", level="INFO")
    logger.info("seen %d", 1)
    logger.debug("not seen")
    assert capsys.readouterr().out.splitlines()[0].endswith("seen 1")
    climate.disable_default_logging()
    logger.info("not seen")
    assert capsys.readouterr().out == ""
