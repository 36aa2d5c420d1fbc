"""What an expression can say: types, construction, elementwise functions, reductions, linear algebra, indexing, shapes, nnet."""

from typing import Any

from croton.tensor import elemwise, index, nnet, special
from croton.tensor.basic import AsTensorError, Cast, as_tensor_variable, cast, constant
from croton.tensor.construct import (
    EmptyConstantError,
    NotScalarConstantError,
    alloc,
    arange,
    broadcast_to,
    eye,
    fill,
    get_scalar_constant_value,
    identity_like,
    ones,
    ones_like,
    second,
    tensor_copy,
    to_one_hot,
    tri,
    tril,
    triu,
    zeros,
    zeros_like,
)
from croton.tensor.creators import CREATORS, tensor
from croton.tensor.elemwise import *  # noqa: F403
from croton.tensor.elemwise import Elemwise
from croton.tensor.index import (
    IncSubtensor,
    Subtensor,
    choose,
    compress,
    flatnonzero,
    inc_subtensor,
    nonzero,
    nonzero_values,
    set_subtensor,
    subtensor,
    take,
)
from croton.tensor.linalg import (
    Dot,
    batched_dot,
    batched_tensordot,
    diag,
    diagonal,
    dot,
    matmul,
    outer,
    tensordot,
    trace,
)
from croton.tensor.reduce import (
    all,
    any,
    argmax,
    argmin,
    logsumexp,
    max,
    max_and_argmax,
    mean,
    min,
    norm,
    prod,
    ptp,
    std,
    sum,
    var,
)
from croton.tensor.shape import (
    DimShuffle,
    Join,
    Reshape,
    Shape,
    addbroadcast,
    concatenate,
    dimshuffle,
    flatten,
    horizontal_stack,
    join,
    make_vector,
    patternbroadcast,
    ravel,
    repeat,
    reshape,
    roll,
    shape,
    shape_padaxis,
    shape_padleft,
    shape_padright,
    specify_shape,
    split,
    squeeze,
    stack,
    static_length,
    swapaxes,
    tile,
    transpose,
    unbroadcast,
    vertical_stack,
)
from croton.tensor.sort import argsort, cumprod, cumsum, searchsorted, sort
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorConstant, TensorSharedVariable, TensorVariable

globals().update(CREATORS)

# The functions of croton.gradient that are also found here; loaded when first touched, for that room lies above this one.
_GRADIENTS = ("grad", "Rop", "Lop", "jacobian", "hessian", "verify_grad", "consider_constant")


def __getattr__(name: str) -> Any:
    if name in _GRADIENTS:
        import importlib

        return getattr(importlib.import_module("croton.gradient"), name)
    raise AttributeError(f"module 'croton.tensor' has no attribute {name!r}")
