"""Inputs, weighted sums, tied weights, and layers that join or reshape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse

import croton
import croton.tensor as T
from croton import nets
from croton.nets.layers import Concatenate, Feedforward, Flatten, Input, Layer, Product, Reshape, Tied
from croton.nets.util import ConfigurationError


def _values(layer: Any, inputs: dict[str, np.ndarray], name: str = "out") -> np.ndarray:
    given = {k: T.TensorType(v.dtype, (None,) * v.ndim)() for k, v in inputs.items()}
    outputs, updates = layer.connect(given)
    assert not updates
    made: np.ndarray = croton.function(list(given.values()), outputs[f"{layer.name}:{name}"])(*inputs.values())
    return made


@pytest.mark.contract("2.1 input")
@pytest.mark.parametrize(
    "said, ndim, shape",
    [
        ({"size": 3}, 2, (3,)),
        ({"size": 3, "ndim": 3}, 3, (None, 3)),
        ({"size": 3, "ndim": 4}, 4, (None, None, 3)),
        ({"shape": (28, None, 1)}, 4, (28, None, 1)),
        ({"size": 5, "ndim": 3, "shape": (7, 5)}, 3, (7, 5)),
        ({"size": np.int64(3), "name": "x", "sparse": "csc"}, 2, (3,)),
    ],
)
def test_inputs(said: dict[str, Any], ndim: int, shape: tuple[int | None, ...]) -> None:
    layer = Input(**said)
    name = said.get("name", "in")
    assert (layer.name, layer.input.name, layer.ndim, layer.shape) == (name, name, ndim, shape)
    assert (layer.size, layer.input.ndim, layer.input.dtype) == (shape[-1], ndim, "float32")
    assert layer.params == [] and layer.inputs == {}
    assert layer.connect({}) == ({f"{name}:out": layer.input}, [])
    spec = layer.to_spec()
    assert not {"inputs", "activation", "rng"} & set(spec)
    again = Layer.build(spec.pop("form"), **spec)
    assert (again.shape, again.input.type, again.to_spec()) == (layer.shape, layer.input.type, layer.to_spec())


@pytest.mark.contract("1.7 errors")
@pytest.mark.parametrize(
    "said, words",
    [
        ({"size": 3, "ndim": 3, "sparse": True}, "sparse=True, ndim=3.*only with 2 dim"),
        ({"size": 3, "sparse": "coo"}, "sparse='coo'"),
        ({"size": 3, "ndim": 1}, "ndim=1"),
        ({"size": 3, "shape": (4, 5)}, r"shape=\(4, 5\).*contradicts size=3"),
        ({"ndim": 2, "shape": (4, 5)}, "contradicts size=5, ndim=2"),
        ({"shape": (4, None)}, "positive integer, got None|needs a size"),
        ({}, "needs a size"),
    ],
)
def test_inputs_that_contradict_themselves(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'foo'.*({words})"):
        Input(name="foo", **said)


@pytest.mark.contract("2.1 sparse input")
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_a_sparse_input_is_the_same_as_a_dense_one(format: str) -> None:
    net = nets.Regressor([{"size": 4, "sparse": format}, 3, 2])
    dense = nets.Regressor([4, 3, 2])
    x = scipy.sparse.random(5, 4, 0.5, format=format, dtype="float32", rng=1)
    np.testing.assert_allclose(net.predict(x), dense.predict(x.toarray()), rtol=1e-5)
    assert net.inputs[0].name == "in" and "in:out" in net.build_graph()[0]


@pytest.mark.contract("2.1 sparse input")
@pytest.mark.parametrize("form", ["flat", "product", "tied"])
def test_a_sparse_input_into_another_layer_is_refused(form: str) -> None:
    given = Input(4, sparse=True)
    said = {"partner": Feedforward(4, 3)} if form == "tied" else {"size": 4}
    layer = Layer.build(form, inputs=given, name="l", **said)
    with pytest.raises(ConfigurationError, match="'l'.*cannot read the sparse matrix 'in:out'"):
        layer.connect({"in:out": given.input})


@pytest.mark.contract("2.2 feedforward")
def test_several_inputs_are_summed_with_a_matrix_each() -> None:
    layer = Feedforward(2, {"b:out": 3, "a:pre": 4}, name="l", activation="tanh")
    rng = np.random.RandomState(0)
    b, a = rng.randn(2, 5, 3).astype("float32"), rng.randn(2, 5, 4).astype("float32")
    w = {name: layer.find(name).get_value() for name in ("w_b:out", "w_a:pre", "b")}
    expected = np.tanh(b @ w["w_b:out"] + a @ w["w_a:pre"] + w["b"])
    np.testing.assert_allclose(_values(layer, {"b:out": b, "a:pre": a}), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.contract("2.4 tied")
@pytest.mark.contract("10.34")
def test_tied_layers_share_the_partners_matrix() -> None:
    partner = Feedforward(3, 5, name="enc")
    layer = Tied(partner, activation="linear")
    assert (layer.name, layer.size, layer.inputs, layer.num_params) == ("tied-enc", 5, {"out": 3}, 5)
    assert layer.to_spec()["partner"] == "enc"
    x = np.eye(3, dtype="float32")
    expected = partner.find("w").get_value().T + layer.find("b").get_value()
    np.testing.assert_allclose(_values(layer, {"out": x}), expected, rtol=1e-6)
    assert Tied(partner, name="dec", inputs={"x:out": 3}).name == "dec"
    net = nets.Autoencoder([5, (3, "tanh"), {"form": "tied", "partner": "hid1", "name": "back"}])
    assert net.layers[-1].name == "back"
    assert net.layers[-1].partner is net.layers[1]


@pytest.mark.contract("2.4 tied")
@pytest.mark.parametrize(
    "partner, said, words",
    [
        (nets.layers.RNN(3, 2, name="p"), {}, "'tied-p'.*'p' .rnn. must have one input and a matrix 'w'.*xh, hh, b"),
        (Feedforward(3, {"a:out": 1, "b:out": 1}, name="p"), {}, "'tied-p'.*has the inputs a:out, b:out"),
        (Input(3, name="p"), {}, "'tied-p'.*has the inputs none"),
        (Feedforward(3, 5, name="p"), {"size": 4}, "'tied-p' leads from 3 to 4 units.*from 3 to 5"),
        (Feedforward(3, 5, name="p"), {"inputs": {"x:out": 2}}, "'tied-p' leads from 2 to 5 units"),
    ],
)
def test_partners_that_do_not_fit(partner: Any, said: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Tied(partner, **said)


A, B = np.arange(6, dtype="float32").reshape(2, 3), np.ones((2, 3), "float32")


@pytest.mark.contract("2.5 product")
def test_products() -> None:
    layer = Product(None, {"a:out": 3, "b:out": 3, "c:out": 3})
    assert layer.size == 3
    np.testing.assert_array_equal(_values(layer, {"a:out": A, "b:out": A, "c:out": 2 * B}), 2 * A * A)
    with pytest.raises(ConfigurationError, match="one size, and have a:out 3, b:out 2"):
        Product(None, {"a:out": 3, "b:out": 2})
    with pytest.raises(ConfigurationError, match="its size is 3, .* size=4 was given"):
        Product(4, {"a:out": 3, "b:out": 3})


@pytest.mark.contract("2.5 concatenate")
@pytest.mark.contract("10.42")
def test_concatenation_keeps_the_order_of_the_inputs() -> None:
    layer = Concatenate(None, {"b:out": 3, "a:out": 3})
    assert layer.size == 6
    np.testing.assert_array_equal(_values(layer, {"b:out": A, "a:out": B}), np.concatenate([A, B], axis=1))
    with pytest.raises(ConfigurationError, match="its size is 6, .* size=5 was given"):
        Concatenate(5, {"b:out": 3, "a:out": 3})


@pytest.mark.contract("2.5 flatten")
def test_flattening() -> None:
    images = np.arange(24, dtype="float32").reshape(2, 2, 3, 2)
    layer = Flatten(None, {"in:out": 2}, input_shapes={"in:out": (2, 3, 2)})
    assert (layer.size, layer.shape) == (12, (12,))
    np.testing.assert_array_equal(_values(layer, {"in:out": images}), images.reshape(2, 12))
    unknown = {"inputs": {"in:out": 2}, "input_shapes": {"in:out": (None, 2)}}
    assert Flatten(10, **unknown).shape == (10,)
    with pytest.raises(ConfigurationError, match=r"does not follow from the shapes.*in:out \(None, 2\).*pass a size"):
        Flatten(None, **unknown)


@pytest.mark.contract("2.5 reshape")
def test_reshaping() -> None:
    layer = Reshape((3, -1), inputs={"in:out": 6}, name="r")
    assert (layer.size, layer.shape, layer.to_spec()["shape"]) == (2, (3, 2), [3, -1])
    x = np.arange(12, dtype="float32").reshape(2, 6)
    np.testing.assert_array_equal(_values(layer, {"in:out": x}), x.reshape(2, 3, 2))
    for shape, words in (((4, 2), r"\(4, 2\) does not hold the 6 numbers of 'in:out'"), ((4, -1), "does not hold")):
        with pytest.raises(ConfigurationError, match=f"'r'.*{words}"):
            Reshape(shape, inputs={"in:out": 6}, name="r")
    for shape in ((-1, -1), (), (0, 6), (2.0, 3)):
        with pytest.raises(ConfigurationError, match="'r'.*positive lengths"):
            Reshape(shape, inputs={"in:out": 6}, name="r")
