import os

import pytest

from croton import config as settings
from croton.compat.config import AddConfigVar, Section, apply_flags, change_flags, config, lookup, read_flags
from croton.compat.flags import StrParam


@pytest.fixture(autouse=True)
def restored():
    """Every flag is after a test what it was before."""
    names = set(config._flags)
    before = {name: lookup(name) for name in names}
    yield
    for name in set(config._flags) - names:
        del config._flags[name]
    change_flags._restore(before)


def test_flags_of_the_environment_come_before_those_of_files(tmp_path):
    (tmp_path / "first").write_text("[global]\nfloatX = float32\ndevice = cpu\n[warn]\nround = True\n")
    (tmp_path / "second").write_text("[global]\ndevice = cuda\n")
    files = os.pathsep.join([str(tmp_path / "first"), str(tmp_path / "absent"), str(tmp_path / "second")])
    assert read_flags({"THEANORC": files}) == {"floatX": "float32", "device": "cuda", "warn.round": "True"}
    given = read_flags({"THEANORC": files, "THEANO_FLAGS": "floatX=float16, mode=FAST_COMPILE"})
    assert given == {"floatX": "float16", "device": "cuda", "warn.round": "True", "mode": "FAST_COMPILE"}


def test_the_case_of_names_does_not_matter(tmp_path):
    (tmp_path / "theanorc").write_text("[global]\nfloatx = float16\n[debugmode]\npatience=3\n")
    given = read_flags({"THEANORC": str(tmp_path / "theanorc")})
    assert given == {"floatX": "float16", "DebugMode.patience": "3"}


def test_commas_can_be_quoted_and_the_last_of_two_wins():
    flags = read_flags({"THEANORC": "", "THEANO_FLAGS": "gcc.cxxflags='-O3,-g',floatX=float32,floatX=float64,"})
    assert flags == {"gcc.cxxflags": "-O3,-g", "floatX": "float64"}


def test_a_flag_without_a_value_is_warned_of():
    with pytest.warns(UserWarning, match="'floatX' has no value"):
        assert read_flags({"THEANORC": "", "THEANO_FLAGS": "floatX"}) == {}


def test_flags_that_croton_has_are_its_settings():
    apply_flags(
        {
            "floatX": "float64",
            "mode": "FAST_COMPILE",
            "optimizer": "None",
            "optimizer_including": "local_ultra_fast_sigmoid:local_hard_sigmoid",
            "on_unused_input": "ignore",
        }
    )
    assert (settings.floatX, settings.mode, settings.optimizer) == ("float64", "FAST_COMPILE", "None")
    assert settings.optimizer_including == ("local_ultra_fast_sigmoid", "local_hard_sigmoid")
    assert settings.on_unused_input == "ignore"
    assert config.optimizer_including == "local_ultra_fast_sigmoid:local_hard_sigmoid"
    with settings(floatX="float16"):
        assert config.floatX == "float16"


@pytest.mark.parametrize(
    ("name", "value"),
    [("floatX", "float31"), ("on_unused_input", "sometimes"), ("allow_gc", "perhaps"), ("linker_", 1)],
)
def test_wrong_values_and_names_are_refused(name, value):
    before = str(config)
    with pytest.raises((ValueError, AttributeError), match=name):
        setattr(config, name, value)
    assert str(config) == before


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("lib.cnmem", "0.8", 0.8),
        ("gpuarray.preallocate", "0.9", 0.9),
        ("optdb.max_use_ratio", "5.5", 5.5),
        ("optdb.position_cutoff", "1.51", 1.51),
        ("unittests.rseed", "random", "random"),
    ],
)
def test_flags_that_need_not_be_whole_numbers(name, value, expected):
    apply_flags({name: value})
    assert lookup(name) == expected


def test_a_wrong_value_from_outside_leaves_every_flag_as_it_was():
    before = str(config)
    with pytest.raises(ValueError, match=r"theano\.config\.allow_gc: 'perhaps' is neither true nor false"):
        apply_flags({"floatX": "float64", "mode": "FAST_COMPILE", "allow_gc": "perhaps"})
    assert str(config) == before


def test_an_unknown_flag_from_outside_is_warned_of():
    with pytest.warns(UserWarning, match="no flag 'flotX'"):
        apply_flags({"flotX": "float32"})
    assert settings.floatX == "float32"
    assert not hasattr(config, "flotX")


def test_sections():
    config.warn.sum_div_dimshuffle_bug = True
    assert config.warn.sum_div_dimshuffle_bug is True
    assert isinstance(config.dnn.conv, Section)
    config.dnn.conv.algo_fwd = "time_once"
    assert config.dnn.conv.algo_fwd == "time_once"
    assert not hasattr(config.dnn, "no_such_flag")
    assert {"enabled", "conv"} <= set(dir(config.dnn))


@pytest.mark.parametrize(
    ("name", "value"), [("cast_policy", "numpy+floatX"), ("profile", True), ("warn_float64", "raise")]
)
def test_what_croton_does_not_honour_is_warned_of(name, value):
    with pytest.warns(UserWarning, match=rf"theano\.config\.{name} = .* has no effect"):
        setattr(config, name, value)


def test_the_device_is_the_cpu_and_stays_so():
    with pytest.warns(UserWarning, match="'cuda0' has no effect"):
        apply_flags({"device": "cuda0"})
    assert config.device == "cpu"
    config.device = "cpu"
    with pytest.raises(Exception, match="cannot be changed"):
        config.device = "gpu"


def test_change_flags_as_a_block_and_as_a_decorator():
    with change_flags({"warn.round": True}, floatX="float64"):
        assert (config.floatX, config.warn.round) == ("float64", True)
    assert (config.floatX, config.warn.round) == ("float32", False)

    @change_flags(floatX="float64")
    def dtype() -> str:
        return config.floatX

    assert (dtype(), config.floatX) == ("float64", "float32")


def test_change_flags_restores_when_a_value_is_wrong():
    with pytest.raises(ValueError, match="perhaps"), change_flags(floatX="float64", allow_gc="perhaps"):
        pytest.fail("entered")
    assert config.floatX == "float32"


def test_a_flag_of_the_programs_own(monkeypatch):
    monkeypatch.setenv("THEANORC", "")
    monkeypatch.setenv("THEANO_FLAGS", "mylib.path=/data")
    AddConfigVar("mylib.path", "where the data are", StrParam("/tmp"))
    assert config.mylib.path == "/data"
    config.mylib.path = "/elsewhere"
    assert config.mylib.path == "/elsewhere"
    with pytest.raises(AttributeError, match="already"):
        AddConfigVar("mylib.path", "again", StrParam("/tmp"))
