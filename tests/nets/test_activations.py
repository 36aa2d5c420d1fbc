"""Activations against NumPy, against the original's numbers, and by their numeric gradients."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import croton
from croton import nets
from croton import tensor as T
from croton.nets import activations
from croton.nets.activations import Activation, build, spec
from croton.nets.util import ConfigurationError
from tests.nets import golden

SIZE = 4
LEAK, GAIN = np.array([0.1, 0.5, -0.2, 0.0]), np.array([1.0, 2.0, 0.5, -1.0])
SLOPE, INTERCEPT = np.random.RandomState(0).randn(2, SIZE, 3)


def layer(name: str = "hid1", rng: Any = None) -> Any:
    return SimpleNamespace(name=name, size=SIZE, rng=rng or np.random.RandomState(13))


def mean(z: np.ndarray) -> np.ndarray:
    return z.mean(-1, keepdims=True)


def std(z: np.ndarray) -> np.ndarray:
    return z.std(-1, keepdims=True) + 1e-8


def relu(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0)


def softmax(z: np.ndarray) -> np.ndarray:
    powers = np.exp(z - z.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


REFERENCES: dict[str, Any] = {
    "linear": lambda z: z,
    "tanh": np.tanh,
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softmax": softmax,
    "softplus": lambda z: np.logaddexp(z, 0),
    "relu": relu,
    "rect:max": relu,
    "rect:min": lambda z: np.minimum(z, 1),
    "rect:minmax": lambda z: np.clip(z, 0, 1),
    "norm:mean": lambda z: z - mean(z),
    "norm:max": lambda z: z / (abs(z).max(-1, keepdims=True) + 1e-8),
    "norm:std": lambda z: z / std(z),
    "norm:z": lambda z: (z - mean(z)) / std(z),
    "prelu": lambda z: np.where(z > 0, z, LEAK * z),
    "leaky-relu": lambda z: np.where(z > 0, z, LEAK * z),
    "lgrelu": lambda z: np.where(z > 0, GAIN * z, LEAK * z),
    "leaky-gain-relu": lambda z: np.where(z > 0, GAIN * z, LEAK * z),
    "elu": lambda z: np.where(z > 0, z, np.exp(GAIN) * np.expm1(np.minimum(z, 0))),
    "maxout:3": lambda z: (z[..., None] * SLOPE + INTERCEPT).max(-1),
    "tanh+norm:mean+relu": lambda z: relu(np.tanh(z) - mean(np.tanh(z))),
}
PARAMS = {"leak": LEAK, "gain": GAIN, "slope": SLOPE, "intercept": INTERCEPT}
WHOLE = [a for a in REFERENCES if a != "tanh+norm:mean+relu"]


def made(name: str) -> Activation:
    """The activation in float64, with the parameters above."""
    with croton.config(floatX="float64"):
        activation = build(name, layer())
    for param in activation.params:
        param.set_value(PARAMS[param.name.partition(".")[2]])
    return activation


@pytest.fixture(scope="module")
def computed() -> Any:
    """A function from an array (2, 3, 4) to every activation of it."""
    x = T.dtensor3("x")
    return croton.function([x], [made(name)(x) for name in REFERENCES])


def contract(names: list[str]) -> Any:
    """The names, each with the mark of its row."""
    rows = {"maxout:3": "3 maxout:k", "tanh+norm:mean+relu": "3 a+b+c", "elu": "1.10 elu"}
    return [pytest.param(n, marks=pytest.mark.contract(rows.get(n, f"3 {n}"))) for n in names]


@pytest.mark.parametrize("name", contract(list(REFERENCES)))
@settings(max_examples=10)
@given(x=arrays("float64", (2, 3, SIZE), elements=st.floats(-30, 30)))
def test_value(computed: Any, name: str, x: np.ndarray) -> None:
    value = computed(x)[list(REFERENCES).index(name)]
    assert value.dtype == np.float64
    # Where all features are nearly equal, what is left of their spread is rounding.
    close = x.std(-1).min() < 1e-6 if name.startswith("norm:") else False
    if not close:
        np.testing.assert_allclose(value, REFERENCES[name](x), rtol=1e-9, atol=1e-10)


def test_every_activation_has_a_reference() -> None:
    own = [n for n in activations.known() if n in activations.FUNCTIONS or _is_ours(n)]
    assert {n.replace("maxout:2", "maxout:3") for n in own} == set(WHOLE)


def _is_ours(name: str) -> bool:
    """Whether the class is of the module itself, and not of a test or an example."""
    form = Activation.get_class(name.partition(":")[0])
    return getattr(activations, form.__name__, None) is form


def test_gradients() -> None:
    parts = [made(name) for name in WHOLE]
    x = np.random.RandomState(3).randn(1, SIZE)
    croton.gradient.verify_grad(lambda z: T.concatenate([part(z) for part in parts], axis=-1), [x])


@pytest.mark.parametrize("name", ["prelu", "lgrelu", "elu", "maxout:3"])
def test_gradients_of_the_parameters(name: str) -> None:
    activation = made(name)
    x = T.constant(np.random.RandomState(4).randn(2, SIZE))
    values = [p.get_value() for p in activation.params]

    def of(*given: Any) -> Any:
        return croton.clone(activation(x), dict(zip(activation.params, given, strict=True)))

    croton.gradient.verify_grad(of, values)


ROWS = {"act_maxout-2": "3 maxout:k", "act_relu_then_norm-z": "3 a+b+c", "act_tanh_then_norm-mean": "3 a+b+c"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.contract(ROWS.get(n, f"3 {n[4:].replace('-', ':')}")))
        for n in golden.names("act_")
    ],
)
def test_golden(name: str) -> None:
    case = golden.Case(name)
    computed = case.compute(case.network())
    golden.close(computed.loss, case.loss)
    for key, value in case.outputs.items():
        golden.close(computed.outputs[key], value, key)
    for key, value in case.grads.items():
        # The original has no derivative where all features are equal; there croton's is finite.
        assert np.isfinite(computed.grads[key]).all()
        if np.isfinite(value).all():
            golden.close(computed.grads[key], value, key)


@pytest.mark.contract("10.41")
def test_relu_is_flat_at_zero() -> None:
    x = T.dvector("x")
    slope = croton.function([x], croton.grad(build("relu", layer())(x).sum(), x))
    np.testing.assert_array_equal(slope([-1.0, 0.0, 2.0]), [0, 0, 1])


@pytest.mark.contract("10.44")
def test_norm_of_equal_features_has_a_finite_derivative() -> None:
    x = T.dmatrix("x")
    total = sum((build(n, layer())(x) * [1.0, 2.0, 3.0]).sum() for n in ("norm:std", "norm:z"))
    value, slope = croton.function([x], [total, croton.grad(total, x)])([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert np.isfinite(value) and np.isfinite(slope).all()


@pytest.mark.contract("3 softmax")
def test_log_of_a_softmax_is_exact_at_any_rank() -> None:
    x = T.tensor3("x")
    value = croton.function([x], T.log(build("softmax", layer())(x)))(np.float32([[[0, 1000, -1000]]]))
    np.testing.assert_allclose(value, [[[-1000, 0, -2000]]])


@pytest.mark.contract("3 norm:z")
def test_elementwise_says_whether_units_depend_on_each_other() -> None:
    every = [made(name) for name in REFERENCES]
    x = T.dmatrix("x")
    run = croton.function([x], [activation(x) for activation in every])
    at = np.array([[0.3, 0.7, -0.4, 0.6]])
    for activation, before, after in zip(every, run(at), run(at + [[0.9, 0, 0, 0]]), strict=True):
        assert activation.elementwise == (before[0, 1:] == after[0, 1:]).all(), activation.name


@pytest.mark.contract("3 prelu")
@pytest.mark.contract("3 lgrelu")
@pytest.mark.contract("1.10 elu")
def test_parameters_and_how_they_begin() -> None:
    begin = {"prelu": {"leak": 0.1}, "lgrelu": {"gain": 1.0, "leak": 0.1}, "elu": {"gain": 0.0}}
    for name, values in begin.items():
        params = build(name, layer()).params
        assert [p.name for p in params] == [f"hid1.{key}" for key in values]
        for param, value in zip(params, values.values(), strict=True):
            np.testing.assert_array_equal(param.get_value(), np.full(SIZE, value, croton.config.floatX))
            assert param.dtype == croton.config.floatX


@pytest.mark.contract("3 maxout:k")
@pytest.mark.contract("1.10 maxout")
@pytest.mark.contract("10.8")
def test_the_pieces_of_maxout_differ() -> None:
    slope, intercept = build("MaxOut:3", layer(rng=np.random.RandomState(5))).params
    assert (slope.name, intercept.name) == ("hid1.slope", "hid1.intercept")
    drawn = np.random.RandomState(5).randn(2, SIZE, 3).astype(croton.config.floatX)
    np.testing.assert_array_equal([slope.get_value(), intercept.get_value()], drawn)


@pytest.mark.contract("3 maxout:k")
@pytest.mark.parametrize("name, error", [("maxout", KeyError), ("maxout:x", ValueError), ("maxout:0", ValueError)])
def test_maxout_needs_a_number_of_pieces(name: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="number of pieces"):
        build(name, layer())


@pytest.mark.contract("3 a+b+c")
def test_composition() -> None:
    activation = build("prelu+norm:z+lgrelu", layer())
    assert activation.name == "lgrelu(norm:z(prelu))"
    assert [p.name for p in activation.params] == ["hid1.gain", "hid1.leak", "hid1.leak2"]
    first, last = activation.parts[0], activation.parts[-1]  # type: ignore[attr-defined]
    assert activation.params == [*last.params, *first.params]


@pytest.mark.contract("10.25")
def test_a_layer_has_its_activations_parameters() -> None:
    net = nets.Regressor([2, (3, "lgrelu"), 1])
    assert [p.name for p in net.params] == ["hid1.w", "hid1.b", "hid1.gain", "hid1.leak", "out.w", "out.b"]
    assert net.find("hid1", "leak") is net.params[3]


def test_aliases_keep_their_own_names() -> None:
    assert [build(n, layer()).name for n in ("sigmoid", "logistic", "ReLU")] == ["sigmoid", "logistic", "relu"]


@pytest.mark.contract("1.7 unknown activation")
@pytest.mark.parametrize(
    "name, nearest", [("rleu", "relu"), ("relu+tnah", "tanh"), ("composed", "known are"), ("", "relu")]
)
def test_unknown_name(name: str, nearest: str) -> None:
    with pytest.raises(KeyError, match=nearest):
        build(name, layer())


@pytest.mark.parametrize("given", [None, 3, ["relu"]])
def test_what_is_no_activation(given: Any) -> None:
    with pytest.raises(TypeError, match="pass the name of an activation"):
        build(given, layer())


@pytest.mark.contract("3 custom")
def test_classes_of_the_users_are_found_by_name() -> None:
    class Shifted(Activation):
        def __call__(self, x: Any) -> Any:
            return x + self.kwargs.get("by", 1)

    assert build("shifted", layer())(2) == 3
    assert build(Shifted, layer())(2) == 3
    assert build("tanh+SHIFTED", layer()).name == "shifted(tanh)"
    assert nets.Regressor([2, (3, "shifted"), 1]).layers[1].activate.elementwise is False
    with pytest.raises(ConfigurationError, match="built with by"):
        build("shifted", layer(), by=2).spec()


def test_a_users_class_takes_the_place_of_a_function() -> None:
    class Softplus(Activation):
        def __call__(self, x: Any) -> Any:
            return -x

    try:
        assert build("softplus", layer())(2) == -2
    finally:
        del Activation._registry["softplus"]


def test_a_class_without_call_says_so() -> None:
    class Nothing(Activation):
        pass

    with pytest.raises(NotImplementedError, match="Nothing has no __call__"):
        build("nothing", layer())(2)


@pytest.mark.contract("10.20")
def test_a_plain_function_works_and_cannot_be_saved() -> None:
    def double(x: Any) -> Any:
        return 2 * x

    activation = build(double, layer())
    assert (activation.name, activation(3), activation.params) == ("double", 6, [])
    with pytest.raises(ConfigurationError, match="'double' is a plain function"):
        spec(double)


@pytest.mark.contract("10.20")
@pytest.mark.parametrize("name", ["tanh", "prelu", "maxout:3", "relu+norm:z"])
def test_spec_and_pickle(name: str) -> None:
    activation = build(name, layer())
    assert spec(activation) == spec(name) == name
    assert build(activation, None) is activation
    again = pickle.loads(pickle.dumps(activation))
    assert (again.name, [p.name for p in again.params]) == (activation.name, [p.name for p in activation.params])
    assert again(T.matrix("x")).ndim == 2
