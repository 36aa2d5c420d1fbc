"""croton.config."""

import pytest

import croton
import croton.tensor as T
from croton.settings import FIELDS, Config


def test_defaults():
    config = Config()
    assert (config.floatX, config.mode, config.on_unused_input) == ("float32", "FAST_RUN", "raise")
    assert config.compute_test_value == "off"
    assert dir(config) == sorted(FIELDS)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("floatX", "float12"),
        ("floatX", 32),
        ("mode", "SLOW"),
        ("optimizer", "o9"),
        ("on_unused_input", "maybe"),
        ("compute_test_value", True),
        ("structures_kept", 0),
        ("structures_kept", 1.5),
        ("structures_kept", "many"),
        ("optimizer_including", 3),
    ],
)
def test_wrong_values_are_refused_and_named(name, wrong):
    config = Config()
    before = getattr(config, name)
    with pytest.raises(ValueError, match=rf"croton\.config\.{name}"):
        setattr(config, name, wrong)
    assert getattr(config, name) == before


def test_unknown_names():
    config = Config()
    with pytest.raises(AttributeError, match="no setting 'floatY'; it has .*floatX"):
        _ = config.floatY
    with pytest.raises(AttributeError, match="floatY"):
        config.floatY = 1
    with pytest.raises(AttributeError), config(floatY=1):
        pass


def test_lists_of_names_are_read():
    config = Config()
    config.optimizer_including = "local_hard_sigmoid:other,third"
    assert config.optimizer_including == ("local_hard_sigmoid", "other", "third")
    config.optimizer_including = ["a", "b"]
    assert config.optimizer_including == ("a", "b")


def test_a_block_puts_everything_back():
    config = Config()
    with pytest.raises(RuntimeError), config(floatX="float64", mode="FAST_COMPILE") as inside:
        assert inside is config and config.floatX == "float64"
        config.on_unused_input = "warn"
        raise RuntimeError
    assert (config.floatX, config.mode, config.on_unused_input) == ("float32", "FAST_RUN", "raise")
    with pytest.raises(ValueError), config(floatX="float64", mode="nonsense"):
        pass
    assert config.floatX == "float32"


def test_blocks_nest():
    config = Config()
    with config(floatX="float64"):
        with config(floatX="float16"):
            assert config.floatX == "float16"
        assert config.floatX == "float64"


def test_floatX_decides_new_variables_and_literals():
    with croton.config(floatX="float64"):
        assert T.matrix().dtype == T.constant(0.5).dtype == T.zeros(2).dtype == "float64"
    assert T.matrix().dtype == T.constant(0.5).dtype == T.zeros(2).dtype == "float32"


def test_programs_kept():
    x = T.dvector("x")
    f = croton.function([x], x * 2)
    n = T.lscalar("n")
    g = croton.function([n], T.zeros(n))
    with croton.config(structures_kept=1):
        for _ in range(2):
            assert [g(k).shape for k in (1, 2)] == [(1,), (2,)]
        assert g.trace_count == 4
    assert f([1.0])[0] == 2.0


def test_optimizer_none_leaves_patterns_alone():
    x = T.dscalar("x")
    y = T.log(T.nnet.sigmoid(x))
    stable = croton.function([x], y)(-1e4)
    with croton.config(optimizer="None"):
        naive = croton.function([x], y)(-1e4)
    with croton.config(optimizer_excluding="stabilize"):
        excluded = croton.function([x], y)(-1e4)
    assert stable == -1e4 and naive == excluded == float("-inf")
