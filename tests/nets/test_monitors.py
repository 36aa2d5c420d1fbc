"""What monitors are called and what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import croton
from croton import nets
from croton import tensor as T
from croton.nets.monitors import check_scalar, expand

NET = nets.Regressor([2, (3, "tanh"), 1])
OUTPUTS, _ = NET.build_graph()


def names(monitors: Any) -> list[str]:
    return [name for name, _ in expand(monitors, OUTPUTS, NET.layers)]


def norm(x: Any) -> Any:
    return T.sqr(x).sum()


@pytest.mark.contract("7 monitors")
@pytest.mark.parametrize(
    "monitors, expected",
    [
        (None, []),
        ({}, []),
        ({"hid1:out": 1}, ["hid1:out<1"]),
        ({"hid1:out": (0.9, -0.9)}, ["hid1:out<0.9", "hid1:out<-0.9"]),
        ([("hid1:out", [1]), ("hid1:pre", 0)], ["hid1:out<1", "hid1:pre<0"]),
        ({"hid1:out": {"a": norm, "b": norm}}, ["hid1:out:a", "hid1:out:b"]),
        ({"hid1:out": [1, ("a", norm)]}, ["hid1:out<1", "hid1:out:a"]),
        ({"hid1.w": 1}, ["hid1.w<1"]),
        ({"*.w": np.float32(0.1)}, ["hid1.w<0.1", "out.w<0.1"]),
        ({"hid1*": np.array([1, 2])}, [f"hid1{n}<{k}" for n in (":out", ":pre", ".w", ".b") for k in (1, 2)]),
        ({"hid2:out": 1}, []),
    ],
)
def test_names_and_order(monitors: Any, expected: list[str]) -> None:
    assert names(monitors) == expected


@pytest.mark.contract("7 monitors")
def test_values() -> None:
    asked = expand({"hid1:out": [0.1, ("norm", norm)], "hid1.w": np.float32(0.2)}, OUTPUTS, NET.layers)
    run = croton.function(NET.inputs, [OUTPUTS["hid1:out"], *(e for _, e in asked)])
    z, below, total, weights = run(np.random.RandomState(0).randn(9, 2).astype("float32"))
    assert below.dtype == croton.config.floatX
    np.testing.assert_allclose([below, total], [(z < 0.1).mean(), (z**2).sum()], rtol=1e-6)
    np.testing.assert_allclose(weights, (NET.find("hid1", "w").get_value() < 0.2).mean(), rtol=1e-6)


@pytest.mark.contract("7 monitors")
@pytest.mark.parametrize("levels", [norm, "1", True, [norm], {"a": 1}, [("a", "b")], [[1, 2]]])
def test_levels_that_are_none(levels: Any) -> None:
    with pytest.raises(TypeError, match="for the pattern 'hid1:out': pass a number L"):
        expand({"hid1:out": levels}, OUTPUTS, NET.layers)


def test_what_is_no_monitor() -> None:
    with pytest.raises(TypeError, match="pass a dict, or pairs"):
        expand("hid1:out", OUTPUTS, NET.layers)
    with pytest.raises(TypeError, match="'hid1:out:a' has 2 dimensions: its function must return a scalar"):
        check_scalar(expand({"hid1:out": {"a": abs}}, OUTPUTS, NET.layers))
