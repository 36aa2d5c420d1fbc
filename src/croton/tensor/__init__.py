"""What an expression can say: types, construction, elementwise functions, reductions, linear algebra,
indexing, shapes, nnet.
"""

from typing import Any

from croton.tensor import conv, elemwise, nnet, pool, random, signal, special
from croton.tensor.basic import AsTensorError, Cast, as_tensor_variable, cast, constant
from croton.tensor.claims import addbroadcast, patternbroadcast, specify_shape, unbroadcast
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
from croton.tensor.control import Assert, IfElse, assert_op, ifelse
from croton.tensor.creators import CREATORS, tensor
from croton.tensor.elemwise import *  # noqa: F403
from croton.tensor.extra import (
    allclose,
    bartlett,
    ceil_intdiv,
    cov,
    diff,
    fill_diagonal,
    fill_diagonal_offset,
    get_vector_length,
    inverse_permutation,
    is_flat,
    isclose,
    mgrid,
    ogrid,
    stacklists,
)
from croton.tensor.index import IncSubtensor, Subtensor, inc_subtensor, set_subtensor, subtensor
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
from croton.tensor.positions import argtopk, bincount, ravel_multi_index, topk, topk_and_argtopk, unravel_index
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
from croton.tensor.repeat import repeat, roll, split, tile
from croton.tensor.select import choose, compress, flatnonzero, nonzero, nonzero_values, take
from croton.tensor.shape import (
    DimShuffle,
    Join,
    Reshape,
    Shape,
    concatenate,
    dimshuffle,
    flatten,
    horizontal_stack,
    join,
    make_vector,
    ravel,
    reshape,
    shape,
    shape_padaxis,
    shape_padleft,
    shape_padright,
    squeeze,
    stack,
    static_length,
    swapaxes,
    transpose,
    vertical_stack,
)
from croton.tensor.sort import argsort, cumprod, cumsum, searchsorted, sort
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorConstant, TensorSharedVariable, TensorVariable

globals().update(CREATORS)

# Besides these, every elementwise function, every creator of variables and, loaded when first touched for that room
# lies above this one, some functions of croton.gradient are public; docs/api.md lists them all.
_GRADIENTS = ("grad", "Rop", "Lop", "jacobian", "hessian", "verify_grad", "consider_constant")
__all__ = [
    "AsTensorError", "Assert", "Cast", "DimShuffle", "Dot", "EmptyConstantError", "IfElse", "IncSubtensor", "Join",
    "NotScalarConstantError", "Reshape", "Shape", "Subtensor", "TensorConstant", "TensorSharedVariable", "TensorType",
    "TensorVariable", "addbroadcast", "all", "allclose", "alloc", "any", "arange", "argmax", "argmin", "argsort",
    "argtopk", "as_tensor_variable", "assert_op", "bartlett", "batched_dot", "batched_tensordot", "bincount",
    "broadcast_to", "cast", "ceil_intdiv", "choose", "compress", "concatenate", "constant", "conv", "cov", "cumprod",
    "cumsum", "diag", "diagonal", "diff", "dimshuffle", "dot", "eye", "fill", "fill_diagonal", "fill_diagonal_offset",
    "flatnonzero", "flatten", "get_scalar_constant_value", "get_vector_length", "horizontal_stack", "identity_like",
    "ifelse", "inc_subtensor", "inverse_permutation", "is_flat", "isclose", "join", "logsumexp", "make_vector",
    "matmul", "max", "max_and_argmax", "mean", "mgrid", "min", "nnet", "nonzero", "nonzero_values", "norm", "ogrid",
    "ones", "ones_like", "outer", "patternbroadcast", "pool", "prod", "ptp", "random", "ravel", "ravel_multi_index",
    "repeat", "reshape", "roll", "searchsorted", "second", "set_subtensor", "shape", "shape_padaxis", "shape_padleft",
    "shape_padright", "signal", "sort", "special", "specify_shape", "split", "squeeze", "stack", "stacklists",
    "static_length", "std", "subtensor", "sum", "swapaxes", "take", "tensor", "tensor_copy", "tensordot", "tile",
    "to_one_hot", "topk", "topk_and_argtopk", "trace", "transpose", "tri", "tril", "triu", "unbroadcast",
    "unravel_index", "var", "vertical_stack", "zeros", "zeros_like",
]  # fmt: skip
__all__ += [*elemwise.__all__, *CREATORS, *_GRADIENTS]


def __getattr__(name: str) -> Any:
    if name in _GRADIENTS:
        import importlib

        return getattr(importlib.import_module("croton.gradient"), name)
    raise AttributeError(f"module 'croton.tensor' has no attribute {name!r}")
