"""The algorithms that turn gradients into steps, by theanets' names, as optax transformations.

With g the gradient (clipped, if asked), α the learning rate, γ(h) = exp(-ln 2 / h) the decay of an average with
half-life h, and every accumulator starting at 0, an algorithm gives a step Δ for each parameter p:

========== ====================================================================================================
sgd        Δ = αg
nag        the same, with Nesterov's momentum
rprop      s = α at first; q = g·(g before); s ← s·increase where q > 0, s·decrease where q < 0, within
           [min, max]; g ← 0 where q < 0; Δ = s·sign(g) (iRprop⁻; Igel and Hüsken, 2000)
rmsprop    the average f and the variance v of g: v ← γ(v + (1-γ)(g-f)²), f ← γf + (1-γ)g;
           Δ = αg/√(v + ε) (Graves, 2013: his G - f² is v)
adagrad    G ← G + g²; Δ = αg/√(G + ε) (Duchi, Hazan and Singer, 2011)
adadelta   G ← γG + (1-γ)g²; Δ = g√(X + ε)/√(G + ε); X ← γX + (1-γ)Δ² (Zeiler, 2012); α plays no part
esgd       D ← γD + (1-γ)(Hv)²; Δ = αg/(√D + ε), with Hv the Hessian times a normal vector (Dauphin et al., 2015)
adam       β₁ = γ(h₁)·decayᵗ, β₂ = γ(h₂); f ← β₁f + (1-β₁)g; G ← β₂G + (1-β₂)g²;
           Δ = α·f/(1 - ∏β₁) / (√(G/(1 - β₂ᵗ⁺¹)) + ε), t from 0 (Kingma and Ba, 2015)
========== ====================================================================================================

Then p ← p - Δ; with momentum μ, v ← μv - Δ and p ← p + v; with Nesterov's, p ← p + μv - Δ of the new v (Sutskever et
al., 2013, with p the point where the gradient is taken). Clipping comes first: of each element to ±max_gradient_elem,
else of each parameter's gradient to the norm max_gradient_norm.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from croton.nets.registry import UnknownName, nearest

__all__ = ["build", "known", "needs_hessian", "parameters"]

log = logging.getLogger("croton.nets")

Hyper = Mapping[str, Any]


def decay(halflife: float) -> float:
    """The factor by which an average forgets at each step, so that half is forgotten after ``halflife`` steps.

    >>> decay(1)
    0.5
    """
    return math.exp(-math.log(2) / halflife)


# --- steps that optax has not ---


class _Averages(NamedTuple):
    mean: Any
    square: Any


def _each(function: Callable[..., Any], first: Any, *others: Any) -> tuple[Any, ...]:
    """The results of a function of leaves that returns several, as that many trees."""
    leaves, shape = jax.tree.flatten(first)
    results = [function(*of) for of in zip(leaves, *map(jax.tree.leaves, others), strict=True)]
    return tuple(jax.tree.unflatten(shape, part) for part in zip(*results, strict=True)) if results else ()


def _zeros(count: int, params: Any) -> list[Any]:
    return [jax.tree.map(jnp.zeros_like, params) for _ in range(count)]


def _rmsprop(h: Hyper) -> optax.GradientTransformation:
    gamma, epsilon = decay(h["rms_halflife"]), h["rms_regularizer"]

    def leaf(g: Any, mean: Any, variance: Any) -> Any:
        # The variance by differences: as G - f² it cancels to something negative when gradients hardly change.
        variance = gamma * (variance + (1 - gamma) * (g - mean) ** 2)
        return g * jax.lax.rsqrt(variance + epsilon), gamma * mean + (1 - gamma) * g, variance

    def update(grads: Any, state: _Averages, params: Any = None) -> Any:
        steps, *averages = _each(leaf, grads, *state) or (grads, *state)
        return steps, _Averages(*averages)

    return optax.GradientTransformation(lambda params: _Averages(*_zeros(2, params)), update)


class _AdamState(NamedTuple):
    count: Any
    product: Any
    mean: Any
    square: Any


def _adam(h: Hyper) -> optax.GradientTransformation:
    first, second, epsilon = decay(h["beta1_halflife"]), decay(h["beta2_halflife"]), h["rms_regularizer"]

    def init(params: Any) -> _AdamState:
        kind = jnp.result_type(*jax.tree.leaves(params)) if jax.tree.leaves(params) else jnp.float32
        return _AdamState(jnp.zeros((), jnp.int32), jnp.ones((), kind), *_zeros(2, params))

    def update(grads: Any, state: _AdamState, params: Any = None) -> Any:
        kind = state.product.dtype
        beta = first * jnp.asarray(h["beta1_decay"], kind) ** state.count.astype(kind)
        product = state.product * beta
        squares = -jnp.expm1((state.count + 1).astype(kind) * math.log(second))

        def leaf(g: Any, mean: Any, square: Any) -> Any:
            b, bias, all_squares = (a.astype(g.dtype) for a in (beta, 1 - product, squares))
            mean, square = b * mean + (1 - b) * g, second * square + (1 - second) * g * g
            return mean / bias / (jnp.sqrt(square / all_squares) + epsilon), mean, square

        steps, *averages = _each(leaf, grads, state.mean, state.square) or (grads, state.mean, state.square)
        return steps, _AdamState(optax.safe_increment(state.count), product, *averages)

    return optax.GradientTransformation(init, update)


class _EsgdState(NamedTuple):
    curvature: Any


def _esgd(h: Hyper) -> optax.GradientTransformationExtraArgs:
    gamma, epsilon = decay(h["rms_halflife"]), h["rms_regularizer"]

    def update(grads: Any, state: _EsgdState, params: Any = None, *, hessian_vector: Any = None, **others: Any) -> Any:
        if hessian_vector is None:
            raise ValueError(
                "esgd: update needs hessian_vector=, the Hessian times a normal vector, for each parameter"
            )
        curvature = jax.tree.map(lambda d, hv: gamma * d + (1 - gamma) * hv * hv, state.curvature, hessian_vector)
        return jax.tree.map(lambda g, d: g / (jnp.sqrt(d) + epsilon), grads, curvature), _EsgdState(curvature)

    return optax.GradientTransformationExtraArgs(lambda params: _EsgdState(*_zeros(1, params)), update)


class _RpropState(NamedTuple):
    size: Any
    before: Any


def _rprop(h: Hyper) -> optax.GradientTransformation:
    # Not optax.scale_by_rprop, which gives out each step one update late.
    low, high, more, less = (h[f"rprop_{key}"] for key in ("min_step", "max_step", "increase", "decrease"))

    def leaf(g: Any, size: Any, before: Any) -> Any:
        agreement = jnp.sign(g) * jnp.sign(before)
        size = jnp.clip(size * jnp.where(agreement > 0, more, jnp.where(agreement < 0, less, 1.0)), low, high)
        g = jnp.where(agreement < 0, 0.0, g)
        return jnp.sign(g) * size, size, g

    def init(params: Any) -> _RpropState:
        return _RpropState(jax.tree.map(lambda p: jnp.full_like(p, h["learning_rate"]), params), *_zeros(1, params))

    def update(grads: Any, state: _RpropState, params: Any = None) -> Any:
        steps, *after = _each(leaf, grads, *state) or (grads, *state)
        return steps, _RpropState(*after)

    return optax.GradientTransformation(init, update)


def _clip_norms(limit: float) -> optax.GradientTransformation:
    """Each tensor on its own, unlike optax.clip_by_global_norm, scaled down to a norm of at most ``limit``."""

    def leaf(g: Any) -> Any:
        return g * (limit / jnp.maximum(jnp.sqrt(jnp.sum(g * g)), limit))

    return optax.stateless(lambda grads, params: jax.tree.map(leaf, grads))


# --- the table ---


class _Algorithm(NamedTuple):
    own: dict[str, Any]  # hyper-parameters beyond the common ones, or with other defaults
    steps: Callable[[Hyper], optax.GradientTransformation]
    rate: str = "scales"  # what the learning rate does: "scales" the step, is the "first" step, or plays "no part"


_COMMON = {
    "learning_rate": 1e-4,
    "momentum": 0.0,
    "nesterov": False,
    "max_gradient_norm": 0.0,
    "max_gradient_elem": 0.0,
}
_RMS = {"rms_halflife": 14.0, "rms_regularizer": 1e-8}
_RPROP = {"rprop_increase": 1.01, "rprop_decrease": 0.99, "rprop_min_step": 0.0, "rprop_max_step": 100.0}
_ADAM = {"beta1_decay": 1 - 1e-6, "beta1_halflife": 7.0, "beta2_halflife": 69.0, "rms_regularizer": 1e-8}

_ALGORITHMS = {
    "sgd": _Algorithm({}, lambda h: optax.identity()),
    "nag": _Algorithm({"nesterov": True}, lambda h: optax.identity()),
    "rprop": _Algorithm(_RPROP, _rprop, "first"),
    "rmsprop": _Algorithm(_RMS, _rmsprop),
    "adagrad": _Algorithm({"rms_regularizer": 1e-8}, lambda h: optax.scale_by_rss(0.0, h["rms_regularizer"])),
    "adadelta": _Algorithm(
        _RMS, lambda h: optax.scale_by_adadelta(decay(h["rms_halflife"]), h["rms_regularizer"]), "no part"
    ),
    "esgd": _Algorithm(_RMS, _esgd),
    "adam": _Algorithm(_ADAM, _adam),
}
_ALIASES = {"nesterov": "nag"}

# What each hyper-parameter may be: whether it is so, and how to say it.
_BOUNDS: dict[str, tuple[Callable[[float], bool], str]] = {
    "learning_rate": (lambda x: x >= 0, "a number from 0 up, or a schedule (step -> rate)"),
    "momentum": (lambda x: 0 <= x < 1, "from 0 to below 1"),
    "max_gradient_norm": (lambda x: x >= 0, "from 0 (no clipping) up"),
    "max_gradient_elem": (lambda x: x >= 0, "from 0 (no clipping) up"),
    "rms_halflife": (lambda x: x > 0, "a positive number of steps"),
    "rms_regularizer": (lambda x: x > 0, "positive"),
    "rprop_increase": (lambda x: x >= 1, "at least 1"),
    "rprop_decrease": (lambda x: 0 < x <= 1, "above 0 and at most 1"),
    "rprop_min_step": (lambda x: x >= 0, "from 0 up"),
    "rprop_max_step": (lambda x: x > 0, "positive"),
    "beta1_decay": (lambda x: 0 < x <= 1, "above 0 and at most 1"),
    "beta1_halflife": (lambda x: x > 0, "a positive number of steps"),
    "beta2_halflife": (lambda x: x > 0, "a positive number of steps"),
}


def known() -> list[str]:
    """The names of the algorithms, aliases included.

    >>> known()
    ['adadelta', 'adagrad', 'adam', 'esgd', 'nag', 'nesterov', 'rmsprop', 'rprop', 'sgd']
    """
    return sorted([*_ALGORITHMS, *_ALIASES])


def _named(algo: str) -> tuple[str, _Algorithm]:
    name = algo.lower() if isinstance(algo, str) else algo
    name = _ALIASES.get(name, name)
    if name not in _ALGORITHMS:
        raise UnknownName(f"there is no training algorithm {algo!r}: {nearest(algo, known())}")
    return name, _ALGORITHMS[name]


def parameters(algo: str) -> dict[str, Any]:
    """The hyper-parameters of an algorithm and their defaults. Raises KeyError, naming the nearest, for an unknown one.

    >>> parameters("adagrad")["rms_regularizer"]
    1e-08
    """
    return {**_COMMON, **_named(algo)[1].own}


def needs_hessian(algo: str) -> bool:
    """Whether ``update`` must be given ``hessian_vector``: for esgd, a tree like the parameters with H v of each."""
    return _named(algo)[0] == "esgd"


def build(algo: str, **hyper: Any) -> optax.GradientTransformationExtraArgs:
    """An algorithm as an optax transformation: ``init(params)``, and ``update(grads, state, params)`` -> steps to add.

    Arguments:
      ``algo``: ``'sgd'``, ``'nag'`` (or ``'nesterov'``), ``'rprop'``, ``'rmsprop'``, ``'adagrad'``, ``'adadelta'``,
      ``'esgd'`` or ``'adam'``, in any case; the formulas stand at the top of this module.
      ``learning_rate``: a number (1e-4), or an optax schedule: a callable from the number of steps taken to the rate.
      ``momentum``: 0 for none, else below 1. ``nesterov``: Nesterov's form of it.
      ``max_gradient_elem``, ``max_gradient_norm``: bounds, if positive, for each element of a gradient, else for the
      Euclidean norm of each parameter's gradient.
      The rest are the algorithm's own, as ``parameters(algo)`` lists them.

    The state is a tree of arrays, which ``jax.tree.flatten`` takes apart. Raises KeyError for an unknown algorithm,
    TypeError for an unknown hyper-parameter (both name the nearest), ValueError for a value without sense. As
    downhill.build.

    >>> import jax.numpy as jnp
    >>> steps = build("sgd", learning_rate=0.5)
    >>> w = [jnp.array([1.0, 2.0], "float32")]
    >>> steps.update(w, steps.init(w), w)[0]
    [Array([-0.5, -1. ], dtype=float32)]
    """
    name, algorithm = _named(algo)
    h = _checked(name, algorithm, hyper)
    chain = []
    if h["max_gradient_elem"] > 0:
        chain.append(optax.clip(h["max_gradient_elem"]))
    elif h["max_gradient_norm"] > 0:
        chain.append(_clip_norms(h["max_gradient_norm"]))
    chain.append(algorithm.steps(h))
    chain.append(optax.scale_by_learning_rate(h["learning_rate"] if algorithm.rate == "scales" else 1.0))
    if h["momentum"] > 0:
        chain.append(optax.trace(h["momentum"], nesterov=h["nesterov"]))
    return optax.with_extra_args_support(optax.chain(*chain))


# --- checks ---


def _checked(name: str, algorithm: _Algorithm, given: Hyper) -> dict[str, Any]:
    defaults = {**_COMMON, **algorithm.own}
    for key in given:
        if key not in defaults:
            others = [n for n, a in _ALGORITHMS.items() if key in a.own]
            whose = f"that belongs to {', '.join(others)}" if others else nearest(key, defaults)
            raise TypeError(f"{name} has no hyper-parameter {key!r}: {whose}")
    h = {key: _number(name, key, given.get(key, default)) for key, default in defaults.items()}
    if name == "rprop" and h["rprop_max_step"] < h["rprop_min_step"]:
        raise ValueError(f"rprop: rprop_max_step={h['rprop_max_step']} is below rprop_min_step={h['rprop_min_step']}")
    if name == "nag" and not h["nesterov"]:
        raise ValueError("nag is sgd with nesterov=True; for nesterov=False take sgd")
    if algorithm.rate != "scales" and callable(h["learning_rate"]):
        part = "only its first step" if algorithm.rate == "first" else "no part of its steps"
        raise ValueError(f"{name}: the learning rate is {part}, so there is nothing for a schedule to do")
    if algorithm.rate == "no part" and "learning_rate" in given:
        log.warning("%s takes steps of its own size: learning_rate=%s plays no part", name, h["learning_rate"])
    if h["nesterov"] and not h["momentum"]:
        log.warning("%s: with momentum=0, Nesterov's momentum does nothing; pass momentum=0.9, say", name)
    return h


def _number(name: str, key: str, value: Any) -> Any:
    if key == "nesterov":
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name}: nesterov={value!r}: pass True or False")
        return bool(value)
    fits, wanted = _BOUNDS[key]
    schedule = key == "learning_rate" and callable(value)
    try:
        number = float("nan") if isinstance(value, bool | str) else float(value(0) if schedule else value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {key}={value!r} must be {wanted}: {error}") from error
    if not (math.isfinite(number) and fits(number)):
        came = f"a schedule that begins with {number}" if schedule else repr(value)
        raise ValueError(f"{name}: {key}={came} must be {wanted}")
    return value if schedule else number
