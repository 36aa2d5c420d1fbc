"""theanets, downhill and climate as old programs meet them."""

import ast
import importlib
import logging
import sys
import types
from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.contract("6.6 trainers")
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
    told = [line for line in done.stdout.splitlines() if not line.startswith(("sgd ", "rmsprop ", "adam ", "validation", "I "))]
    assert "['acc', 'err', 'hid1:out<-0.5', 'hid1:out<0.5', 'loss']" in told
    assert "better True True" in told
    assert "saved Classifier True" in told
    assert "loss True [target]" in told
    assert told[-4:] == ["6", "Predictor False", "flags False", "True 0.7.3"]
    assert "done with float32" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("arguments", [(), ("--rank", 1)])
def test_a_program_that_minimizes(run, arguments):
    done = run("old_minimize.py", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['err', 'loss', 'u<0.1'] True True"
    assert f"rank {dict([arguments]).get('--rank', 2) if arguments else 2}" in done.stdout


def test_the_check_knows_the_names():
    found = {use.name: use.status for use in uses(ast.parse((PROGRAMS / "old_nets.py").read_text()))}
    assert found["theanets.recurrent.Text"] == found["theanets.trainer.DownhillTrainer"] == THERE
    assert set(found.values()) == {THERE}
    text = "import theanets, downhill\ntheanets.Regresor([2, 1])\ndownhill.minimize(loss, train, batchsize=3)\n"
    strange = {use.name: use.status for use in uses(ast.parse(text)) if use.status != THERE}
    assert strange == {"theanets.Regresor": UNKNOWN}
    strange = {use.name for use in uses(ast.parse("import theanets\ntheanets.Regressor(layer=[2])")) if use.status == LACKING}
    assert strange == {"theanets.Regressor(layer=)"}


@pytest.fixture
def command_line(monkeypatch):
    """climate with no arguments asked for, and with the root logger as it was afterwards."""
    level = logging.getLogger().level
    monkeypatch.setattr(climate, "_parser", climate._new_parser())
    yield
    climate.disable_default_logging()
    logging.getLogger().setLevel(level)


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
