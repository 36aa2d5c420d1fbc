"""Optimizers: recorded trainings, published formulas in NumPy, and the values that make no sense."""

import json
import logging
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from croton.nets.training import optimizers

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = json.loads((GOLDEN / "train.json").read_text())
DEPARTURES = ("train_02", "train_03", "train_07", "train_10", "train_11")
ALGORITHMS = ["sgd", "nag", "rprop", "rmsprop", "adagrad", "adadelta", "esgd", "adam"]

# --- the original's trainings ---


def objective(params, x, y, weight_l2=0.0, hidden_l1=0.0):
    hidden = jnp.tanh(x @ params["hid1.w"] + params["hid1.b"])
    error = jnp.mean((hidden @ params["out.w"] + params["out.b"] - y) ** 2)
    decay = (jnp.mean(params["hid1.w"] ** 2) + jnp.mean(params["out.w"] ** 2)) / 2
    return error + weight_l2 * decay + hidden_l1 * jnp.mean(abs(hidden))


@pytest.mark.contract("6.4 momentum")
@pytest.mark.contract("6.4 max_gradient_norm")
@pytest.mark.contract("6.4 max_gradient_elem")
@pytest.mark.contract("6.5 sgd")
@pytest.mark.contract("6.5 rprop")
@pytest.mark.contract("6.5 rmsprop")
@pytest.mark.contract("6.5 adagrad")
@pytest.mark.contract("6.5 adadelta")
@pytest.mark.parametrize("case", [c for c in CASES if not c["case"].startswith(DEPARTURES)], ids=lambda c: c["case"])
def test_trainings_of_the_original(case):
    golden = np.load(GOLDEN / "train.npz")
    hyper = dict(case["kwargs"])
    penalties = {k: hyper.pop(k) for k in ("weight_l2", "hidden_l1") if k in hyper}
    with jax.enable_x64(True):
        params = {k[5:]: jnp.asarray(golden[k]) for k in golden if k.startswith("init/")}
        algorithm = optimizers.build(case["algo"], **hyper)
        slope = jax.value_and_grad(objective)

        @jax.jit
        def step(params, state):
            loss, grads = slope(params, golden["x"], golden["y"], **penalties)
            steps, state = algorithm.update(grads, state, params)
            return loss, optax.apply_updates(params, steps), state

        state, losses = algorithm.init(params), []
        for _ in range(15):
            loss, params, state = step(params, state)
            losses.append(float(loss))
    np.testing.assert_allclose(losses, golden[f"{case['case']}/loss"], rtol=1e-9)
    for name, value in params.items():
        np.testing.assert_allclose(value, golden[f"{case['case']}/final/{name}"], rtol=1e-9, err_msg=name)


# --- published formulas ---


def gamma(halflife):
    return 0.5 ** (1 / halflife)


def by_sgd(gs, hvs, rate=0.1):
    return [rate * g for g in gs]


def by_rprop(gs, hvs, rate=0.1, inc=1.3, dec=0.4, low=0.02, high=0.15):
    size, before, steps = np.full_like(gs[0], rate), np.zeros_like(gs[0]), []
    for g in gs:
        agree = g * before
        size = np.clip(size * np.select([agree > 0, agree < 0], [inc, dec], 1.0), low, high)
        before = np.where(agree < 0, 0, g)
        steps.append(np.sign(before) * size)
    return steps


def by_rmsprop(gs, hvs, rate=0.1, h=3, eps=1e-4):
    first, second, steps = 0.0, 0.0, []
    for g in gs:
        first, second = (gamma(h) * m + (1 - gamma(h)) * g**k for k, m in ((1, first), (2, second)))
        steps.append(rate * g / np.sqrt(second - first**2 + eps))
    return steps


def by_adagrad(gs, hvs, rate=0.1, eps=1e-4):
    return [rate * g / np.sqrt(np.sum(np.square(gs[: i + 1]), 0) + eps) for i, g in enumerate(gs)]


def by_adadelta(gs, hvs, h=3, eps=1e-4):
    squares, moved, steps = 0.0, 0.0, []
    for g in gs:
        squares = gamma(h) * squares + (1 - gamma(h)) * g**2
        steps.append(g * np.sqrt(moved + eps) / np.sqrt(squares + eps))
        moved = gamma(h) * moved + (1 - gamma(h)) * steps[-1] ** 2
    return steps


def by_esgd(gs, hvs, rate=0.1, h=3, eps=1e-4):
    curvature, steps = 0.0, []
    for g, hv in zip(gs, hvs, strict=True):
        curvature = gamma(h) * curvature + (1 - gamma(h)) * hv**2
        steps.append(rate * g / (np.sqrt(curvature) + eps))
    return steps


def by_adam(gs, hvs, rate=0.1, decay=0.8, h1=5, h2=20, eps=1e-8):
    first, second, product, steps = 0.0, 0.0, 1.0, []
    for t, g in enumerate(gs):
        beta1, beta2 = gamma(h1) * decay**t, gamma(h2)
        product *= beta1
        first, second = beta1 * first + (1 - beta1) * g, beta2 * second + (1 - beta2) * g**2
        steps.append(rate * (first / (1 - product)) / (np.sqrt(second / (1 - beta2 ** (t + 1))) + eps))
    return steps


RMS = {"rms_halflife": 3, "rms_regularizer": 1e-4}
FORMULAS = {
    "sgd": (by_sgd, {}),
    "rprop": (
        by_rprop,
        {"rprop_increase": 1.3, "rprop_decrease": 0.4, "rprop_min_step": 0.02, "rprop_max_step": 0.15},
    ),
    "rmsprop": (by_rmsprop, RMS),
    "adagrad": (by_adagrad, {"rms_regularizer": 1e-4}),
    "adadelta": (by_adadelta, RMS),
    "esgd": (by_esgd, RMS),
    "adam": (by_adam, {"beta1_decay": 0.8, "beta1_halflife": 5, "beta2_halflife": 20}),
}


def sequence(seed=0, steps=7):
    """Gradients of two parameters, some of them 0, and as many Hessian-vector products."""
    r = np.random.RandomState(seed)
    gs = [[r.randn(2, 3) * (r.rand(2, 3) > 0.2), r.randn(2, 3)] for _ in range(steps)]
    return gs, [[r.randn(2, 3), r.randn(2, 3)] for _ in range(steps)]


def run(algo, gs, hvs, dtype="float64", **hyper):
    """The steps that an algorithm takes along a sequence of gradients, and its last state."""
    with jax.enable_x64(True):
        algorithm = optimizers.build(algo, **hyper)
        params = [jnp.zeros(g.shape, dtype) for g in gs[0]]
        state, made = algorithm.init(params), []
        for g, hv in zip(gs, hvs, strict=True):
            g, hv = ([jnp.asarray(a, dtype) for a in part] for part in (g, hv))
            extra = {"hessian_vector": hv} if optimizers.needs_hessian(algo) else {}
            steps, state = algorithm.update(g, state, params, **extra)
            made.append(steps)
    return made, state


@pytest.mark.contract("6.5 esgd")
@pytest.mark.contract("6.5 adam")
@pytest.mark.contract("10.16")
@pytest.mark.parametrize("algo", FORMULAS)
def test_published_formulas(algo):
    reference, hyper = FORMULAS[algo]
    gs, hvs = sequence()
    made, _ = run(algo, gs, hvs, learning_rate=0.1, **hyper)
    for k in range(2):
        wanted = reference([g[k] for g in gs], [hv[k] for hv in hvs])
        np.testing.assert_allclose([-steps[k] for steps in made], wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.contract("6.4 momentum")
@pytest.mark.parametrize("algo", FORMULAS)
def test_momentum_adds_up_any_algorithm_s_steps(algo):
    reference, hyper = FORMULAS[algo]
    gs, hvs = sequence(1)
    made, _ = run(algo, gs, hvs, learning_rate=0.1, momentum=0.7, **hyper)
    velocity = 0.0
    for steps, raw in zip(made, reference([g[1] for g in gs], [hv[1] for hv in hvs]), strict=True):
        velocity = 0.7 * velocity - raw
        np.testing.assert_allclose(steps[1], velocity, rtol=1e-9, atol=1e-12)


@pytest.mark.contract("6.4 nesterov")
@pytest.mark.contract("6.5 nag")
@pytest.mark.contract("10.16")
@pytest.mark.parametrize("algo, extra", [("nag", {}), ("nesterov", {}), ("sgd", {"nesterov": True})])
def test_nesterov_is_the_look_ahead_form(algo, extra):
    """Sutskever's: v ← μv - α∇f(θ + μv), θ ← θ + v; the parameters kept are θ + μv."""
    curve, rate, mu = np.array([1.0, 3.0, 0.2]), 0.1, 0.9
    theta, velocity = np.array([1.0, -2.0, 0.5]), np.zeros(3)
    p = theta.copy()
    with jax.enable_x64(True):
        algorithm = optimizers.build(algo, learning_rate=rate, momentum=mu, **extra)
        state = algorithm.init(p)
        for _ in range(8):
            velocity = mu * velocity - rate * curve * (theta + mu * velocity)
            theta = theta + velocity
            steps, state = algorithm.update(jnp.asarray(curve * p), state, p)
            p = p + np.asarray(steps)
            np.testing.assert_allclose(p, theta + mu * velocity, rtol=1e-9)


def test_rmsprop_stays_finite_where_gradients_do_not_change():
    """G - f² cancels there, and in float32 comes out negative by more than the regularizer."""
    gs = [[np.full((2, 3), 77.7)]] * 60
    made, _ = run("rmsprop", gs, gs, dtype="float32", learning_rate=0.1)
    assert all(np.isfinite(steps[0]).all() and (steps[0] < 0).all() for steps in made)


# --- what all have in common ---


@pytest.mark.contract("6.4 max_gradient_norm")
@pytest.mark.contract("10.45")
def test_norms_are_clipped_per_tensor():
    gs = [[np.array([[3.0, 4.0]]), np.array([0.3, 0.4]), np.zeros(2)]]
    made, _ = run("sgd", gs, gs, learning_rate=1.0, max_gradient_norm=2.0)
    np.testing.assert_allclose(made[0][0], [[-1.2, -1.6]])
    np.testing.assert_allclose(made[0][1], [-0.3, -0.4])
    np.testing.assert_allclose(made[0][2], [0, 0])


@pytest.mark.contract("6.4 max_gradient_elem")
def test_elements_are_clipped_before_norms():
    gs = [[np.array([3.0, -4.0, 0.1])]]
    made, _ = run("sgd", gs, gs, learning_rate=1.0, max_gradient_elem=0.5, max_gradient_norm=0.01)
    np.testing.assert_allclose(made[0][0], [-0.5, 0.5, -0.1])


@pytest.mark.contract("6.4 learning_rate")
def test_a_schedule_gives_each_step_its_rate():
    gs = [[np.ones((2, 3))]] * 4
    made, _ = run("sgd", gs, gs, learning_rate=optax.exponential_decay(0.8, 1, 0.5))
    np.testing.assert_allclose([-steps[0][0, 0] for steps in made], [0.8, 0.4, 0.2, 0.1], rtol=1e-6)


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_steps_and_states_keep_the_parameters_type(algo):
    """Also where 64 bit are on, and the rate, from a schedule, is a float64."""
    gs, hvs = sequence(steps=2)
    rate = {} if algo in ("rprop", "adadelta") else {"learning_rate": lambda k: jnp.float64(0.1) / (1 + k)}
    made, state = run(algo, gs, hvs, dtype="float32", momentum=0.5, max_gradient_norm=1, **rate)
    assert {a.dtype.name for a in made[-1]} == {"float32"}
    assert {a.dtype.name for a in jax.tree.leaves(state)} <= {"float32", "int32"}


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_a_state_taken_apart_and_put_together_goes_on_alike(algo):
    gs, hvs = sequence(steps=6)
    whole, _ = run(algo, gs, hvs, momentum=0.5)
    with jax.enable_x64(True):
        algorithm = optimizers.build(algo, momentum=0.5)
        params = [jnp.zeros(g.shape) for g in gs[0]]
        _, state = run(algo, gs[:4], hvs[:4], momentum=0.5)
        kept = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
        state = jax.tree.unflatten(jax.tree.structure(algorithm.init(params)), kept)
        for k in (4, 5):
            extra = {"hessian_vector": hvs[k]} if algo == "esgd" else {}
            steps, state = algorithm.update([jnp.asarray(g) for g in gs[k]], state, params, **extra)
            for a, b in zip(steps, whole[k], strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_no_parameters_are_no_trouble(algo):
    assert run(algo, [[]], [[]])[0] == [[]]


# --- names and values ---


@pytest.mark.contract("6.4 learning_rate")
@pytest.mark.contract("10.51")
def test_defaults():
    common = {
        "learning_rate": 1e-4,
        "momentum": 0,
        "nesterov": False,
        "max_gradient_norm": 0,
        "max_gradient_elem": 0,
    }
    rms = {"rms_halflife": 14, "rms_regularizer": 1e-8}
    own = {
        "sgd": {},
        "nag": {"nesterov": True},
        "rprop": {"rprop_increase": 1.01, "rprop_decrease": 0.99, "rprop_min_step": 0, "rprop_max_step": 100},
        "rmsprop": rms,
        "adagrad": {"rms_regularizer": 1e-8},
        "adadelta": rms,
        "esgd": rms,
        "adam": {"beta1_decay": 1 - 1e-6, "beta1_halflife": 7, "beta2_halflife": 69, "rms_regularizer": 1e-8},
    }
    assert {algo: optimizers.parameters(algo) for algo in ALGORITHMS} == {a: {**common, **o} for a, o in own.items()}
    assert optimizers.parameters("Nesterov") == optimizers.parameters("NAG")
    assert optimizers.known() == sorted([*ALGORITHMS, "nesterov"])


def test_only_esgd_needs_the_hessian_and_says_so():
    assert [a for a in optimizers.known() if optimizers.needs_hessian(a)] == ["esgd"]
    algorithm = optimizers.build("esgd")
    with pytest.raises(ValueError, match="hessian_vector="):
        algorithm.update([jnp.ones(2)], algorithm.init([jnp.ones(2)]))


def test_an_unknown_algorithm_gets_the_nearest():
    with pytest.raises(KeyError, match="no training algorithm 'rmspop': did you mean 'rmsprop'"):
        optimizers.build("rmspop")
    with pytest.raises(KeyError, match="known are adadelta"):
        optimizers.parameters("zzz")


@pytest.mark.contract("10.36")
def test_an_unknown_hyper_parameter_gets_the_nearest_or_its_owner():
    with pytest.raises(TypeError, match="'momentom': did you mean 'momentum'"):
        optimizers.build("sgd", momentom=0.9)
    with pytest.raises(TypeError, match="sgd has no hyper-parameter 'rprop_increase': that belongs to rprop"):
        optimizers.build("sgd", rprop_increase=2)


@pytest.mark.parametrize(
    "algo, hyper, message",
    [
        ("sgd", {"learning_rate": -1}, "sgd: learning_rate=-1 must be a number from 0 up"),
        ("sgd", {"learning_rate": float("nan")}, "learning_rate=nan"),
        ("sgd", {"learning_rate": "0.1"}, "learning_rate='0.1'"),
        ("sgd", {"learning_rate": None}, "learning_rate=None"),
        ("sgd", {"learning_rate": lambda k: -0.5}, "a schedule that begins with -0.5"),
        ("sgd", {"learning_rate": lambda k: jnp.ones(2)}, "learning_rate=.* must be"),
        ("sgd", {"momentum": 1}, "momentum=1 must be from 0 to below 1"),
        ("sgd", {"momentum": True}, "momentum=True"),
        ("sgd", {"nesterov": 0.9}, "nesterov=0.9: pass True or False"),
        ("nag", {"nesterov": False}, "nag is sgd with nesterov=True"),
        ("sgd", {"max_gradient_norm": -1}, "max_gradient_norm=-1"),
        ("sgd", {"max_gradient_elem": -1}, "max_gradient_elem=-1"),
        ("rmsprop", {"rms_halflife": 0}, "rms_halflife=0 must be a positive number of steps"),
        ("rmsprop", {"rms_regularizer": 0}, "rms_regularizer=0 must be positive"),
        ("rprop", {"rprop_increase": 0.9}, "rprop_increase=0.9 must be at least 1"),
        ("rprop", {"rprop_decrease": 0}, "rprop_decrease=0"),
        ("rprop", {"rprop_min_step": -1}, "rprop_min_step=-1"),
        ("rprop", {"rprop_min_step": 2, "rprop_max_step": 1}, "rprop_max_step=1.0 is below rprop_min_step=2.0"),
        ("rprop", {"learning_rate": lambda k: 0.1}, "only its first step"),
        ("adadelta", {"learning_rate": lambda k: 0.1}, "no part of its steps"),
        ("adam", {"beta1_decay": 2}, "beta1_decay=2"),
        ("adam", {"beta1_halflife": -1}, "beta1_halflife=-1"),
        ("adam", {"beta2_halflife": float("inf")}, "beta2_halflife=inf"),
    ],
)
def test_values_without_sense(algo, hyper, message):
    with pytest.raises(ValueError, match=message):
        optimizers.build(algo, **hyper)


@pytest.mark.contract("10.52")
def test_what_has_no_effect_is_said(caplog):
    with caplog.at_level(logging.WARNING, "croton.nets"):
        optimizers.build("adadelta")
        optimizers.build("nag", momentum=0.9)
        assert not caplog.records
        optimizers.build("adadelta", learning_rate=0.1)
        optimizers.build("nag")
    assert ["plays no part" in r.message for r in caplog.records] == [True, False]
    assert "pass momentum=0.9" in caplog.records[1].message
