"""Gradients and other derivatives, as expressions.

Each call makes a node that remembers what is differentiated with respect to what. The differentiation itself is JAX's,
done when a function is built, after the rewrites that keep values stable.
"""

from croton.gradient.derivatives import (
    Lop,
    Rop,
    grad,
    grad_not_implemented,
    grad_undefined,
    hessian,
    jacobian,
    subgraph_grad,
)
from croton.gradient.errors import (
    DisconnectedInputError,
    DisconnectedType,
    GradientError,
    NullType,
    NullTypeGradError,
)
from croton.gradient.identities import (
    GradientChange,
    Undefined,
    consider_constant,
    disconnected_grad,
    grad_clip,
    grad_scale,
    undefined_grad,
    zero_grad,
)
from croton.gradient.verify import verify_grad

__all__ = [
    "DisconnectedInputError",
    "DisconnectedType",
    "GradientChange",
    "GradientError",
    "Lop",
    "NullType",
    "NullTypeGradError",
    "Rop",
    "Undefined",
    "consider_constant",
    "disconnected_grad",
    "grad",
    "grad_clip",
    "grad_not_implemented",
    "grad_scale",
    "grad_undefined",
    "hessian",
    "jacobian",
    "subgraph_grad",
    "undefined_grad",
    "verify_grad",
    "zero_grad",
]
