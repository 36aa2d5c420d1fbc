"""Convolution and pooling against their definitions, written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T
from croton import nets
from croton.nets.layers import Layer
from croton.nets.util import ConfigurationError

PADS = {"valid": lambda n: (0, 0), "full": lambda n: (n - 1, n - 1), "same": lambda n: ((n - 1) // 2, n // 2)}


def _windows(x: np.ndarray, window: tuple[int, ...], stride: tuple[int, ...]) -> np.ndarray:
    """(batch, ..., channels) as (batch, places..., channels, window...)."""
    axes = tuple(range(1, x.ndim - 1))
    every = np.lib.stride_tricks.sliding_window_view(x, window, axis=axes)
    return every[(slice(None), *(slice(None, None, s) for s in stride))]


def _compare(layer: Any, x: np.ndarray, expected: np.ndarray) -> None:
    v = T.TensorType("float64", (None,) * x.ndim)()
    made = croton.function([v], layer.connect({"in:out": v})[0]["l:out"])(x)
    assert (layer.size, layer.shape) == (expected.shape[-1], expected.shape[1:])
    np.testing.assert_allclose(made, expected, rtol=1e-10, atol=1e-12)


def _make(form: str, x: np.ndarray, **said: Any) -> Any:
    shape = {"in:out": x.shape[1:]}
    with croton.config(floatX="float64"):
        return Layer.build(form, inputs={"in:out": x.shape[-1]}, input_shapes=shape, name="l", rng=1, **said)


@pytest.mark.contract("2.6 conv1")
@pytest.mark.contract("1.10 conv2")
@pytest.mark.contract("10.50")
@settings(max_examples=10)
@given(st.data())
def test_convolution(data: st.DataObject) -> None:
    axes = data.draw(st.sampled_from([1, 2]))
    window, stride = (tuple(data.draw(st.integers(1, 3)) for _ in range(axes)) for _ in range(2))
    mode = data.draw(st.sampled_from(["valid", "full", "same"]))
    lengths = [data.draw(st.integers(3, 6)) for _ in range(axes)]
    x = np.random.RandomState(0).randn(2, *lengths, 2)
    said = (window[0], stride[0]) if axes == 1 else (window, stride)
    layer = _make(f"conv{axes}", x, size=3, filter_size=said[0], stride=said[1], border_mode=mode, activation="linear")
    w = layer.find("w").get_value()
    assert w.shape == (3, 2, 1, *window)[: 2 if axes == 2 else 3] + window
    kernels = w.reshape(3, 2, *window)[(..., *(slice(None, None, -1),) * axes)]
    padded = np.pad(x, [(0, 0), *(PADS[mode](n) for n in window), (0, 0)])
    taps = list(range(-axes - 1, 0))
    expected = np.tensordot(_windows(padded, window, stride), kernels, (taps, list(range(1, axes + 2))))
    _compare(layer, x, expected + layer.find("b").get_value())


@pytest.mark.contract("1.10 pool1")
@pytest.mark.contract("1.10 pool2")
@pytest.mark.parametrize(
    "said, window, stride",
    [
        ({"form": "pool1"}, (2,), (2,)),
        ({"form": "pool1", "pool_size": 3, "stride": 1, "mode": "mean"}, (3,), (1,)),
        ({"form": "pool2", "pool_size": 2, "mode": "sum"}, (2, 2), (2, 2)),
        ({"form": "pool2", "pool_size": (3, 2), "stride": (1, 3)}, (3, 2), (1, 3)),
    ],
)
def test_pooling(said: dict[str, Any], window: tuple[int, ...], stride: tuple[int, ...]) -> None:
    x = np.random.RandomState(0).randn(2, *(7, 6)[: len(window)], 3)
    layer = _make(x=x, **said)
    fold = {"max": np.max, "mean": np.mean, "sum": np.sum}[said.get("mode", "max")]
    _compare(layer, x, fold(_windows(x, window, stride), axis=tuple(range(-len(window), 0))))


@pytest.mark.contract("1.10 convolution models")
def test_a_network_of_images_infers_its_sizes() -> None:
    net = nets.convolution.Classifier(
        [
            {"shape": (9, 8, 1)},
            {"form": "conv2", "size": 4, "filter_size": (3, 3), "stride": (2, 1)},
            {"form": "pool2", "pool_size": (2, 3)},
            "flat",
            3,
        ]
    )
    assert [layer.shape for layer in net.layers] == [(9, 8, 1), (4, 6, 4), (2, 2, 4), (16,), (3,)]
    made = net.feed_forward(np.zeros((2, 9, 8, 1), "float32"))
    for layer in net.layers:
        assert made[f"{layer.name}:out"].shape == (2, *layer.shape)


@pytest.mark.contract("1.7 errors")
@pytest.mark.parametrize(
    "form, said, words",
    [
        ("conv1", {"filter_size": 2, "border_mode": "sane"}, "no border_mode='sane'.*did you mean 'same'"),
        ("conv1", {"filter_size": (2, 2)}, r"filter_size=\(2, 2\) must be a positive integer"),
        ("conv1", {"filter_size": 2, "stride": 0}, "stride=0 must be"),
        ("conv1", {"filter_size": 9}, r"window \(9,\) does not fit into \(5,\)"),
        ("pool1", {"mode": "average"}, "no mode='average': known are max, mean, sum"),
        ("pool1", {"size": 4}, "that of its input, 2, and size=4"),
    ],
)
def test_what_cannot_be_built_says_why(form: str, said: dict[str, Any], words: str) -> None:
    said = said if form == "pool1" else {"size": 3, **said}
    with pytest.raises(ConfigurationError, match=f"'l'.*{words}"):
        _make(form, np.zeros((1, 5, 2)), **said)


@pytest.mark.contract("1.7 errors")
def test_images_are_needed_when_the_layer_is_connected() -> None:
    with pytest.raises(ConfigurationError, match=r"'l'.*reads images .* 'in:out' has \(batch, time, features\)"):
        net = nets.recurrent.Regressor([2, {"form": "conv2", "name": "l", "size": 3, "filter_size": 2}, 1])
        net.build_graph()
