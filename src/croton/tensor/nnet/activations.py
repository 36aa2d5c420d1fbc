"""Activation functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable, cast
from croton.tensor.elemwise import _float_of, check_broadcast, le, mul_or_zero, switch
from croton.tensor.shape import kind
from croton.tensor.types import TensorType, broadcast_shapes, upcast
from croton.tensor.variable import TensorVariable


def _approximate(curve: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An approximate sigmoid whose derivative is s(1 - s) of its own value s."""

    @jax.custom_jvp
    def function(x: Any) -> Any:
        return curve(x)

    @function.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (x,), (t,) = primals, tangents
        s = function(x)
        return s, t * s * (1 - s)

    return function


def _ultra_fast(x: Any) -> Any:
    h = abs(x) / 2
    z = jnp.where(
        h < 1.7,
        1.5 * h / (1 + h),
        jnp.where(h < 3, 0.935409070603099 + 0.0458812946797165 * (h - 1.7), 0.99505475368673),
    )
    return jnp.where(x >= 0, (z + 1) / 2, (1 - z) / 2).astype(x.dtype)


def _hard(x: Any) -> Any:
    return jnp.clip(0.2 * x + 0.5, 0, 1).astype(x.dtype)


@jax.custom_jvp
def logistic(x: Any) -> Any:
    """1 / (1 + exp(-x)), accurate far below 0 too, as XLA's own by tanh is not."""
    one = x.dtype.type(1)
    return lax.div(one, lax.add(one, lax.exp(lax.neg(x))))


@logistic.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    # Not s (1 - s), in which 1 - s has lost its digits where s is near 1.
    return logistic(x), lax.mul(t, lax.mul(logistic(x), logistic(lax.neg(x))))


@jax.custom_jvp
def _softplus(x: Any) -> Any:
    return jnp.where(x > 0, x, 0) + jnp.log1p(jnp.exp(-abs(x)))


@_softplus.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    return _softplus(x), t * logistic(x)


@jax.custom_jvp
def _softsign(x: Any) -> Any:
    return x / (1 + abs(x))


@_softsign.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    return _softsign(x), t / jnp.square(1 + abs(x))


# name: (meaning, what it computes)
CURVES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "sigmoid": (logistic, "1 / (1 + exp(-x))"),
    "ultra_fast_sigmoid": (
        _approximate(_ultra_fast),
        "sigmoid by two line pieces over x / (1 + x), between 0.00247 and 0.99753",
    ),
    "hard_sigmoid": (_approximate(_hard), "clip(0.2 x + 0.5, 0, 1)"),
    "softplus": (_softplus, "log(1 + exp(x))"),
    "softsign": (_softsign, "x / (1 + |x|)"),
}


@dataclass(frozen=True)
class Activation(TensorOp):
    """The elementwise op of one row of ``CURVES``, of floats; smaller integers become float32, larger ones float64."""

    name: str

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return f"{CURVES[self.name][1]} (elementwise)."

    def make_node(self, *inputs: Any) -> Apply:
        (x,) = inputs
        x = as_tensor_variable(x)
        return super().make_node(cast(x, _float_of(x.dtype)))

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [kind(x)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return CURVES[self.name][0](jnp.asarray(values[0]))

    def __str__(self) -> str:
        return self.name


sigmoid = Activation("sigmoid")
ultra_fast_sigmoid = Activation("ultra_fast_sigmoid")
hard_sigmoid = Activation("hard_sigmoid")
softplus = Activation("softplus")
softsign = Activation("softsign")

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def relu(x: Any, alpha: Any = 0) -> TensorVariable:
    """The rectifier: x where x > 0, alpha x elsewhere; the derivative at 0 is alpha.

    ``x``: a tensor; integers and float16 are computed in floats of at least 32 bits. ``alpha``: the slope for
    negative input, a number or a tensor that broadcasts with ``x`` (a shared variable can be learnt). As
    theano.tensor.nnet.relu.

    >>> import croton.tensor as T
    >>> T.nnet.relu(T.constant([-2., 3.]), 0.1).eval()
    array([-0.2,  3. ])
    """
    x = as_tensor_variable(x)
    x = cast(x, upcast(_float_of(x.dtype), "float32"))
    if not isinstance(alpha, int | float):
        low = mul_or_zero(alpha, x)  # minus infinity times a slope of 0 is 0
    else:
        low = cast(alpha, x.dtype) * x if alpha else cast(0, x.dtype)
    # x <= 0, not x > 0, so that NaN stays NaN.
    return switch(le(x, 0), low, x)


@jax.custom_jvp
def _elu(x: Any, alpha: Any) -> Any:
    return jnp.where(x > 0, x, alpha * jnp.expm1(_low(x)))


@_elu.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x, alpha), (dx, da) = primals, tangents
    # Not expm1 + 1, which has lost its digits far below 0.
    slope = jnp.where(x > 0, 1, alpha * jnp.exp(_low(x)))
    return _elu(x, alpha), dx * slope + da * jnp.expm1(_low(x))


def _low(x: Any) -> Any:
    return jnp.where(x > 0, 0, x)


@dataclass(frozen=True)
class Elu(TensorOp):
    """x where x > 0, alpha (exp(x) - 1) elsewhere, of x and alpha (elementwise)."""

    def make_node(self, *inputs: Any) -> Apply:
        x, alpha = inputs
        x = as_tensor_variable(x)
        x = cast(x, _float_of(x.dtype))
        alpha = cast(alpha, x.dtype) if isinstance(alpha, int | float) else as_tensor_variable(alpha)
        dtype = upcast(x.dtype, _float_of(alpha.dtype))
        return super().make_node(cast(x, dtype), cast(alpha, dtype))

    def output_types(self, x: Variable, alpha: Variable) -> Sequence[Type]:
        return [TensorType(kind(x).dtype, shape=broadcast_shapes("elu", [kind(x).shape, kind(alpha).shape]))]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        check_broadcast("elu", values)
        return _elu(*map(jnp.asarray, values))


def elu(x: Any, alpha: Any = 1) -> TensorVariable:
    """The exponential linear unit: x where x > 0, alpha (exp(x) - 1) elsewhere (Clevert et al. 2015).

    ``x``: a tensor; ``alpha``: a number or a tensor that broadcasts with ``x``. The derivative at 0 is alpha. As
    theano.tensor.nnet.elu.

    >>> import croton.tensor as T
    >>> T.nnet.elu(T.constant([0., 3.])).eval()
    array([0., 3.])
    """
    return Elu()(x, alpha)


def selu(x: Any) -> TensorVariable:
    """The scaled exponential linear unit, 1.0507... elu(x, 1.6732...) (Klambauer et al. 2017).

    ``x``: a tensor; integers and float16 are computed in floats of at least 32 bits. As theano.tensor.nnet.selu.

    >>> import croton.tensor as T
    >>> T.nnet.selu(T.constant([0., 1.])).eval().round(4)
    array([0.    , 1.0507])
    """
    x = as_tensor_variable(x)
    x = cast(x, upcast(_float_of(x.dtype), "float32"))
    return cast(SELU_SCALE, x.dtype) * elu(x, SELU_ALPHA)


def softminus(x: Any) -> TensorVariable:
    """x - softplus(x) = -log(1 + exp(-x)), the logarithm of the sigmoid.

    >>> import croton.tensor as T
    >>> T.nnet.softminus(T.constant([0.])).eval().round(4)
    array([-0.6931])
    """
    x = as_tensor_variable(x)
    return -softplus(-cast(x, _float_of(x.dtype)))
