"""Identities with another derivative: ``disconnected_grad``, ``zero_grad``, ``grad_clip`` and the like."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Op, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable
from croton.tensor.variable import TensorVariable


@dataclass(frozen=True)
class GradientChange(TensorOp):
    """The input, with a derivative of its own: ``form`` says which."""

    form: str
    low: float = 0.0
    high: float = 0.0

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [x.type]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [self.form != "disconnected"]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x = jnp.asarray(values[0])
        if self.form in ("disconnected", "zero") or not jnp.issubdtype(x.dtype, jnp.inexact):
            return jax.lax.stop_gradient(x)
        return _with_gradient(self.form, self.low, self.high)(x)


def _with_gradient(form: str, low: float, high: float) -> Callable[[Any], Any]:
    change = (lambda g: jnp.clip(g, low, high)) if form == "clip" else (lambda g: g * np.asarray(low, g.dtype))

    @jax.custom_jvp
    def identity(x: Any) -> Any:
        return x

    @identity.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (x,), (t,) = primals, tangents
        # Forward differentiation leaves the tangent alone; only its transpose, the gradient coming back, is changed.
        changed = jax.custom_derivatives.linear_call(lambda _, v: v, lambda _, g: change(g), (), t)
        return identity(x), changed

    return identity


class Undefined(Op):
    """The input, with no derivative: asking for one raises NullTypeGradError."""

    undefined: ClassVar[bool] = True

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [x.type]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return values[0]

    def __eq__(self, other: object) -> bool:
        return type(other) is Undefined

    def __hash__(self) -> int:
        return hash(Undefined)


def disconnected_grad(x: Any) -> TensorVariable:
    """``x``, through which no derivative flows: a cost of it alone is disconnected.

    As theano.gradient.disconnected_grad.

    >>> import croton, croton.tensor as T
    >>> x = T.dscalar('x')
    >>> croton.grad(x * croton.gradient.disconnected_grad(x), x).eval({x: 3.0})
    array(3.)
    """
    return GradientChange("disconnected")(x)


def zero_grad(x: Any) -> TensorVariable:
    """``x`` with derivative zero. As theano.gradient.zero_grad.

    >>> import croton, croton.tensor as T
    >>> x = T.dscalar('x')
    >>> croton.grad(croton.gradient.zero_grad(x), x).eval({x: 3.0})
    array(0.)
    """
    return GradientChange("zero")(x)


def consider_constant(x: Any) -> TensorVariable:
    """An old name of ``zero_grad``; warns."""
    warnings.warn(
        "consider_constant is deprecated: use zero_grad() or disconnected_grad()", DeprecationWarning, stacklevel=2
    )
    return zero_grad(x)


def undefined_grad(x: Any) -> TensorVariable:
    """``x`` with no derivative: a gradient through it raises NullTypeGradError. As theano.gradient.undefined_grad.

    >>> import croton, croton.tensor as T
    >>> x = T.dscalar('x')
    >>> croton.gradient.undefined_grad(x).eval({x: 3.0})
    array(3.)
    """
    return Undefined()(as_tensor_variable(x))


def grad_clip(x: Any, lower_bound: float, upper_bound: float) -> TensorVariable:
    """``x``, whose incoming gradient is clipped elementwise to [lower_bound, upper_bound].

    As theano.gradient.grad_clip.

    >>> import croton, croton.tensor as T
    >>> x = T.dscalar('x')
    >>> croton.grad(5 * croton.gradient.grad_clip(x, -1, 1), x).eval({x: 3.0})
    array(1.)
    """
    if lower_bound > upper_bound:
        raise ValueError(f"grad_clip: the lower bound {lower_bound} is above the upper bound {upper_bound}")
    return GradientChange("clip", float(lower_bound), float(upper_bound))(x)


def grad_scale(x: Any, multiplier: float) -> TensorVariable:
    """``x``, whose incoming gradient is multiplied by ``multiplier``. As theano.gradient.grad_scale.

    >>> import croton, croton.tensor as T
    >>> x = T.dscalar('x')
    >>> croton.grad(croton.gradient.grad_scale(x, -2), x).eval({x: 3.0})
    array(-2.)
    """
    return GradientChange("scale", float(multiplier))(x)
