import importlib
import sys
import types

import pytest

import croton
from croton import compat


@pytest.fixture(autouse=True)
def undone(monkeypatch):
    monkeypatch.setenv("THEANORC", "")
    monkeypatch.delenv("THEANO_FLAGS", raising=False)
    yield
    compat.uninstall()


def test_install_and_uninstall():
    with pytest.raises(ModuleNotFoundError):
        import theano
    compat.install()
    import theano

    assert theano.function is croton.function
    assert (theano.config.floatX, croton.config.floatX) == ("float64", "float64")
    compat.uninstall()
    assert croton.config.floatX == "float32"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("theano")


def test_floatX_is_the_argument_then_the_flag_then_float64(monkeypatch):
    monkeypatch.setenv("THEANO_FLAGS", "floatX=float16")
    compat.install()
    assert croton.config.floatX == "float16"
    compat.install()
    assert croton.config.floatX == "float16"
    compat.install(floatX="float32")
    assert croton.config.floatX == "float32"
    compat.uninstall()
    compat.install(floatX="float64")
    assert croton.config.floatX == "float64"


@pytest.mark.parametrize("floatX", ["float31", "int32"])
def test_a_wrong_floatX_installs_nothing(floatX):
    with pytest.raises(ValueError, match=floatX):
        compat.install(floatX=floatX)
    assert croton.config.floatX == "float32"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("theano")


def test_it_serves_theano_before_one_that_is_installed(tmp_path, monkeypatch):
    (tmp_path / "theano.py").write_text("function = 'the real one'\n")
    monkeypatch.syspath_prepend(tmp_path)
    compat.install()
    import theano

    assert theano.function is croton.function


def test_another_theano_that_is_imported_already_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "theano", types.ModuleType("theano"))
    with pytest.raises(ImportError, match=r"call croton\.compat\.install\(\) before"):
        compat.install()


def test_the_gpu_modules_say_that_there_is_none():
    compat.install()
    import theano.gpuarray.dnn
    import theano.sandbox.cuda.dnn

    assert theano.gpuarray.pygpu_activated is False
    assert theano.gpuarray.dnn.dnn_present() is False
    assert theano.sandbox.cuda.dnn.dnn_available() is False
    with pytest.warns(UserWarning, match="JAX"):
        theano.sandbox.cuda.use("gpu0")
