"""Batch normalization (Ioffe and Szegedy, Batch Normalization: Accelerating Deep Network Training, 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from croton.graph.core import Apply, Type, Variable
from croton.settings import config
from croton.tensor.basic import TensorOp, as_tensor_variable, cast
from croton.tensor.claims import addbroadcast
from croton.tensor.elemwise import inv, sqrt
from croton.tensor.reduce import mean as mean_of
from croton.tensor.reduce import prod
from croton.tensor.reduce import var as variance_of
from croton.tensor.shape import kind
from croton.tensor.types import TensorType, broadcast_shapes, upcast
from croton.tensor.variable import TensorVariable

Axes = str | Sequence[int]


def batch_normalization(
    inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem"
) -> TensorVariable:
    """(inputs - mean) gamma / std + beta; all broadcast. ``mode`` 'low_mem' or 'high_mem' gives the same values.

    >>> import croton.tensor as T
    >>> T.nnet.batch_normalization(T.constant([3.]), 2., 1., 1., 4.).eval()
    array([2.])
    """
    if mode not in ("low_mem", "high_mem"):
        raise ValueError(f"batch_normalization: mode must be 'low_mem' or 'high_mem', not {mode!r}")
    x = as_tensor_variable(inputs)
    return (x - mean) * (as_tensor_variable(gamma) / std) + beta


@dataclass(frozen=True)
class RunningAverage(TensorOp):
    """old (1 - factor) + new factor; no derivative flows to the old average or the factor."""

    def output_types(self, old: Variable, new: Variable, factor: Variable) -> Sequence[Type]:
        return [TensorType(kind(old).dtype, shape=broadcast_shapes(self, [kind(old).shape, kind(new).shape]))]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False, True, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        old, new, factor = values
        old, factor = jax.lax.stop_gradient((old, factor))
        return old * (1 - factor) + new * factor


class _Layout:
    """How the parameters of a batch normalization lie: with all dimensions of the inputs, or only those kept."""

    def __init__(self, name: str, x: Variable, axes: Any, epsilon: Any, **parameters: Variable) -> None:
        self.x, self.axes = x, _normal_axes(name, x, axes)
        ndim = kind(x).ndim
        self.kept = [a for a in range(ndim) if a not in self.axes]
        first, *_ = parameters.values()
        self.full = kind(first).ndim == ndim
        rank = ndim if self.full else len(self.kept)
        wrong = {k: v for k, v in parameters.items() if kind(v).ndim != rank}
        if wrong:
            raise ValueError(
                f"{name} of {x} over axes {self.axes}: {' and '.join(parameters)} must all have {len(self.kept)} "
                f"dimensions, those not normalized over, or all {ndim} as {x} has; got "
                + ", ".join(f"{k} of type {v.type}" for k, v in wrong.items())
            )
        self.dtype = upcast(kind(x).dtype, *[kind(v).dtype for v in parameters.values()])
        if self.dtype[0] != "f":
            raise TypeError(f"{name}: {x} of type {x.type} and {', '.join(parameters)} must be floats; cast them")
        rounded = float(np.dtype(config.floatX).type(epsilon))
        if not rounded >= 1e-5:
            raise ValueError(f"{name}: epsilon must be at least 1e-5, got {epsilon}, which is {rounded} in floatX")
        self.epsilon = np.dtype(self.dtype).type(epsilon)

    def spread(self, parameter: Variable) -> TensorVariable:
        """A parameter so that it broadcasts against the inputs."""
        v = cast(parameter, self.dtype)
        if self.full:
            return addbroadcast(v, *self.axes)
        return v.dimshuffle(*[self.kept.index(a) if a in self.kept else "x" for a in range(kind(self.x).ndim)])

    def back(self, statistic: TensorVariable) -> TensorVariable:
        """A statistic as the parameters lie."""
        return statistic if self.full else statistic.dimshuffle(*self.kept)


def _normal_axes(name: str, x: Variable, axes: Any) -> tuple[int, ...]:
    ndim = kind(x).ndim
    if isinstance(axes, str):
        named = {"per-activation": (0,), "spatial": (0, *range(2, ndim))}
        if axes not in named:
            raise ValueError(f"{name}: axes must be 'per-activation', 'spatial' or a tuple of integers, not {axes!r}")
        found: tuple[int, ...] = named[axes]
    elif isinstance(axes, tuple | list | np.ndarray):
        found = tuple(sorted({int(a) for a in axes}))
    else:
        raise ValueError(f"{name}: axes must be 'per-activation', 'spatial' or a tuple of integers, not {axes!r}")
    if not found or min(found) < 0 or max(found) >= ndim:
        raise ValueError(f"{name}: axes must name at least one dimension from 0 to {ndim - 1} of {x}, got {axes!r}")
    return found


def batch_normalization_train(
    inputs: Any,
    gamma: Any,
    beta: Any,
    axes: Axes = "per-activation",
    epsilon: float = 1e-4,
    running_average_factor: Any = 0.1,
    running_mean: Any = None,
    running_var: Any = None,
) -> tuple[TensorVariable, ...]:
    """``inputs`` normalized by their own mean and variance: gamma (x - mean) invstd + beta.

    mean and var (biased) are over ``axes``, and invstd = 1 / sqrt(var + epsilon). ``axes``: 'per-activation', which is
    (0,); 'spatial', all but the second; or a tuple. ``gamma``, ``beta`` and the running averages have the dimensions
    of ``inputs`` that are not in ``axes``, or all of them with length 1 in ``axes``; the statistics come likewise.

    With ``running_mean`` and ``running_var``, also their new values, to be stored by ``updates``:
    running (1 - f) + batch f, where f is ``running_average_factor`` and the variance is the unbiased one,
    var m / (m - 1) for m elements (of one element it is NaN). No gradient flows to the running averages, f and epsilon.

    Returns (out, mean, invstd) or (out, mean, invstd, new_running_mean, new_running_var), all of the common dtype.
    Raises ValueError for axes that ``inputs`` lack, parameters of another rank, epsilon below 1e-5 in floatX, and one
    running average without the other; TypeError where nothing is a float. As
    theano.tensor.nnet.bn.batch_normalization_train.

    >>> import croton.tensor as T
    >>> out, mean, invstd = T.nnet.batch_normalization_train(T.constant([[1.], [3.]]), [2.], [0.5], epsilon=1e-4)
    >>> out.eval().round(3), mean.eval()
    (array([[-1.5],
           [ 2.5]]), array([2.]))
    """
    name = "batch_normalization_train"
    if (running_mean is None) != (running_var is None):
        raise ValueError(f"{name}: running_mean and running_var must either both be given or both be None")
    x = as_tensor_variable(inputs)
    parameters = {"gamma": as_tensor_variable(gamma), "beta": as_tensor_variable(beta)}
    if running_mean is not None:
        parameters["running_mean"] = as_tensor_variable(running_mean)
        parameters["running_var"] = as_tensor_variable(running_var)
    layout = _Layout(name, x, axes, epsilon, **parameters)
    scale, shift, *running = map(layout.spread, parameters.values())
    x = cast(x, layout.dtype)
    mean, var = mean_of(x, layout.axes, keepdims=True), variance_of(x, layout.axes, keepdims=True)
    invstd = inv(sqrt(var + layout.epsilon))
    statistics = [mean, invstd]
    if running:
        factor = cast(as_tensor_variable(running_average_factor), layout.dtype)
        m = cast(prod([x.shape[a] for a in layout.axes]), layout.dtype)
        statistics += [
            RunningAverage()(running[0], mean, factor),
            RunningAverage()(running[1], var * (m / (m - 1)), factor),
        ]
    return ((x - mean) * (scale * invstd) + shift, *map(layout.back, statistics))


def batch_normalization_test(
    inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any, axes: Axes = "per-activation", epsilon: float = 1e-4
) -> TensorVariable:
    """``inputs`` normalized by a given mean and variance: gamma (x - mean) / sqrt(var + epsilon) + beta.

    Arguments, layout of the parameters and errors as for ``batch_normalization_train``; ``mean`` and ``var`` lie as
    ``gamma`` does. As theano.tensor.nnet.bn.batch_normalization_test.

    >>> import croton.tensor as T
    >>> T.nnet.batch_normalization_test(T.constant([[5.]]), [2.], [0.5], [1.], [4.]).eval().round(3)
    array([[4.5]])
    """
    given = {"gamma": gamma, "beta": beta, "mean": mean, "var": var}
    parameters = {k: as_tensor_variable(v) for k, v in given.items()}
    layout = _Layout("batch_normalization_test", as_tensor_variable(inputs), axes, epsilon, **parameters)
    scale, shift, mean, var = map(layout.spread, parameters.values())
    return (cast(layout.x, layout.dtype) - mean) * (scale / sqrt(var + layout.epsilon)) + shift
