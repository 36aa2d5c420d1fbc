"""From Python values to tensor variables and constants, and between dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import cast as static_cast

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Constant, Op, Type, Variable
from croton.settings import config
from croton.tensor.types import DTYPES, TensorType
from croton.tensor.variable import TensorConstant, TensorVariable


class AsTensorError(TypeError):
    """Something that is not a tensor was used as one."""


class SparseOperandError(AsTensorError, NotImplementedError):
    """A sparse matrix was used as a tensor; as an operand, it gets its own turn."""


class TensorOp(Op):
    """An op between tensors; inputs that are not variables are made constants."""

    def make_node(self, *inputs: Any) -> Apply:
        variables = [as_tensor_variable(v) for v in inputs]
        return Apply(self, variables, [t.variable() for t in self.output_types(*variables)])


def on_host(values: Sequence[Any]) -> bool:
    """Whether all values are NumPy's, so that NumPy can compute with them now."""
    return all(isinstance(v, np.ndarray) for v in values)


def module_for(values: Sequence[Any]) -> Any:
    """numpy where all values are known on the host, else jax.numpy."""
    return np if on_host(values) else jnp


def literal_dtype(value: Any) -> str:
    """The dtype of a Python number: the smallest integer that holds it, floatX, or a complex of floatX's precision."""
    if isinstance(value, int):
        for dtype in ("int8", "int16", "int32", "int64"):
            if np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
                return dtype
        if 0 <= value <= np.iinfo("uint64").max:
            return "uint64"
        raise OverflowError(f"the integer {value} does not fit into 64 bits")
    if isinstance(value, complex):
        return "complex128" if config.floatX == "float64" else "complex64"
    return config.floatX


def constant(x: Any, name: str | None = None, ndim: int | None = None, dtype: str | None = None) -> TensorConstant:
    """``x`` as a constant: a Python integer in the smallest dtype that holds it, a Python float in floatX,
    an array in its own.

    Raises AsTensorError where ``x`` is no array of numbers, ValueError where it has more than ``ndim`` dimensions.

    >>> import croton.tensor as T
    >>> T.constant(300).dtype, T.constant(0.5).dtype
    ('int16', 'float32')
    """
    literal = None
    if isinstance(x, bool):
        data = np.asarray(x)
    elif isinstance(x, int | float | complex) and not isinstance(x, np.generic):
        literal = x
        data = np.asarray(x, literal_dtype(x))
    else:
        try:
            data = np.array(x)
        except ValueError as error:
            raise AsTensorError(f"cannot make a tensor of {type(x).__name__} {x!r}: {error}") from None
        if data.dtype.kind not in "biufc" or str(data.dtype) not in DTYPES:
            raise AsTensorError(f"cannot make a tensor of {type(x).__name__} {x!r}: it is not an array of numbers")
    if dtype is not None:
        data = np.asarray(literal if literal is not None else data).astype(
            config.floatX if dtype == "floatX" else dtype
        )
    if ndim is not None:
        if data.ndim > ndim:
            raise ValueError(f"constant of {data.ndim} dimensions where at most {ndim} were asked for")
        data = data.reshape((1,) * (ndim - data.ndim) + data.shape)
    made = TensorConstant(TensorType(str(data.dtype), shape=data.shape), data, name)
    made.literal = literal
    return made


def as_tensor_variable(x: Any, name: str | None = None, ndim: int | None = None) -> TensorVariable:
    """``x`` itself if it is a tensor variable, else a constant, or a stack where it is a list that holds variables.

    ``ndim`` pads the shape on the left with ones. Raises AsTensorError for what is no tensor, booleans included.
    """
    if hasattr(x, "_as_tensor_variable"):
        x = x._as_tensor_variable()
    if isinstance(x, Apply):
        x = x.out
    if isinstance(x, Variable):
        if hasattr(x.type, "format"):
            raise SparseOperandError(
                f"{x} is sparse ({x.type}), which is no tensor: use croton.sparse (sparse.dot and structured_dot for "
                "products), or make it dense with sparse.dense_from_sparse"
            )
        if not isinstance(x.type, TensorType):
            raise AsTensorError(f"the variable {x} has type {x.type}, which is no tensor")
        result = static_cast(TensorVariable, x)
        if ndim is None or result.ndim == ndim:
            return result
        if result.ndim > ndim:
            raise ValueError(f"{x} has {result.ndim} dimensions, {ndim} were asked for")
        from croton.tensor.shape import shape_padleft

        return shape_padleft(result, ndim - result.ndim)
    if isinstance(x, bool):
        raise AsTensorError(f"cannot use the boolean {x} as a tensor: use 0 or 1, or numpy.bool_")
    if hasattr(x, "tocsr"):
        raise SparseOperandError(f"a SciPy {type(x).__name__} of shape {x.shape} is no tensor: use croton.sparse")
    if isinstance(x, list | tuple) and any(isinstance(part, Variable) for part in _flat(x)):
        from croton.tensor.shape import stack

        return stack([as_tensor_variable(part) for part in x])
    return static_cast(TensorVariable, constant(x, name, ndim))


def _flat(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in _flat(part)] if isinstance(x, list | tuple) else [x]


@dataclass(frozen=True)
class Cast(TensorOp):
    """Elementwise conversion to another dtype."""

    dtype: str
    host = True

    def output_types(self, x: Variable) -> Sequence[Type]:
        return [TensorType(self.dtype, shape=_type(x).shape)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        (x,) = values
        if self.dtype == "bool":
            return x != 0
        if not np.issubdtype(self.dtype, np.complexfloating) and np.issubdtype(x.dtype, np.complexfloating):
            x = x.real
        if x.dtype == bool and not isinstance(x, np.ndarray):
            # XLA makes a product with a converted boolean a choice, and so 0 of 0 times NaN; not with a chosen number.
            return jnp.where(x, jnp.ones((), self.dtype), jnp.zeros((), self.dtype))
        with np.errstate(invalid="ignore", over="ignore"):
            return x.astype(self.dtype)

    def __str__(self) -> str:
        return f"Cast{{{self.dtype}}}"


def _type(x: Variable) -> TensorType:
    return static_cast(TensorType, x.type)


def cast(x: Any, dtype: str) -> TensorVariable:
    """``x`` with its elements converted to ``dtype`` ('floatX' means the configured float).

    Raises TypeError for a complex ``x`` and a real ``dtype``. As theano.tensor.cast.

    >>> import croton.tensor as T
    >>> T.cast(T.ivector(), 'float32').dtype
    'float32'
    """
    dtype = config.floatX if dtype == "floatX" else str(np.dtype(dtype))
    x = as_tensor_variable(x)
    if x.dtype == dtype:
        return x
    if x.dtype.startswith("complex") and not dtype.startswith("complex"):
        raise TypeError(
            f"casting {x} from {x.dtype} to {dtype} would lose the imaginary part: use real(), imag() or abs()"
        )
    if isinstance(x, TensorConstant):
        made = constant(x.data if x.literal is None else x.literal, x.name, dtype=dtype)
        return static_cast(TensorVariable, made)
    return Cast(dtype)(x)


def constant_value(x: Variable) -> Any:
    """The one number that all elements of a constant are equal to, or None; looks through broadcasting and casts."""
    while not isinstance(x, Constant):
        node = x.owner
        if node is None or not getattr(node.op, "repeats_input", False):
            return None
        x = node.inputs[0]
    data = np.asarray(x.data)
    literal = getattr(x, "literal", None)
    if literal is not None:
        return literal
    if data.size and data.dtype.kind in "biuf" and (data.size == 1 or bool((data == data.flat[0]).all())):
        return data.flat[0].item()
    return None
