"""Choices of which one side alone is computed, and conditions that must hold when a program runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Op, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable
from croton.tensor.elemwise import neq
from croton.tensor.types import TensorType


@dataclass(frozen=True)
class IfElse(Op):
    """The first ``count`` inputs after the condition where it holds, else the last ``count``; the others are not
    computed.
    """

    count: int
    name: str | None = None
    host = True

    def split(self, inputs: Sequence[Variable]) -> tuple[tuple[Variable, ...], tuple[Variable, ...]]:
        """The inputs of the one branch and of the other."""
        return tuple(inputs[1 : 1 + self.count]), tuple(inputs[1 + self.count :])

    def always(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[:1]

    def output_types(self, condition: Variable, *branches: Variable) -> Sequence[Type]:
        then, other = branches[: self.count], branches[self.count :]
        return [_common(a, b) for a, b in zip(then, other, strict=True)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        """The values of the branch taken, where all are at hand; a program's `choose` computes only those it takes."""
        chosen = values[1 : 1 + self.count] if values[0] else values[1 + self.count :]
        return chosen[0] if self.count == 1 else tuple(chosen)

    def __str__(self) -> str:
        return f"if{{{self.name or ''}}}"


def _common(then: Variable, other: Variable) -> Type:
    """A type for the values of both branches."""
    a, b = then.type, other.type
    if isinstance(a, TensorType) and isinstance(b, TensorType) and (a.dtype, a.ndim) == (b.dtype, b.ndim):
        return TensorType(a.dtype, shape=tuple(m if m == n else None for m, n in zip(a.shape, b.shape, strict=True)))
    if a != b:
        raise TypeError(
            f"ifelse: the two branches should have identical types, but {then} is {a} and {other} is {b}: "
            "cast one of them, or bring them to the same number of dimensions"
        )
    return a


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: str | None = None) -> Any:
    """``then_branch`` where ``condition`` is not 0, else ``else_branch``; the branch not taken is not computed.

    Arguments: ``condition``, a scalar; the branches, two tensors of the same dtype and number of dimensions, or two
    lists (tuples) of as many such, for which a list (tuple) is returned; ``name``, for the op in printed graphs.

    The branch not taken has no part in derivatives (which are 0 there), and its errors do not occur. A condition that
    depends on constants, shapes and integer inputs alone decides before the program runs. Else the program holds both
    branches; if their shapes differ it is run op by op.

    Raises TypeError for a condition that is no scalar and for branches of different types; ValueError for lists of
    different lengths. As theano.ifelse.ifelse. See `switch` for a choice made element by element.

    >>> import croton, croton.tensor as T
    >>> x = T.dvector('x')
    >>> croton.function([x], T.ifelse(x.shape[0] > 2, x[2], 0 * x.sum()))([1.0, 2.0])
    array(0.)
    """
    condition = as_tensor_variable(condition)
    if condition.ndim:
        raise TypeError(f"ifelse: the condition must be a scalar, 0 for False, not {condition} of {condition.type}")
    kind = next((type(b) for b in (then_branch, else_branch) if isinstance(b, list | tuple)), None)
    then, other = _variables(then_branch), _variables(else_branch)
    if len(then) != len(other):
        raise ValueError(
            f"ifelse: both branches must have the same number of variables, not {len(then)} (then) and "
            f"{len(other)} (else)"
        )
    decided = condition if condition.dtype == "bool" else neq(condition, 0)
    outputs = IfElse(len(then), name).make_node(decided, *then, *other).outputs
    return outputs[0] if kind is None else kind(outputs)


def _variables(branch: Any) -> list[Variable]:
    parts = branch if isinstance(branch, list | tuple) else [branch]
    return [part if isinstance(part, Variable) else as_tensor_variable(part) for part in parts]


@dataclass(frozen=True)
class Assert(TensorOp):
    """``Assert(msg)(x, *conds)`` is ``x``; where a condition does not hold when it is computed, an AssertionError.

    Arguments: ``msg``, what the error says; ``x``, any tensor; ``conds``, tensors all of whose elements must be
    nonzero. The derivative goes to ``x`` alone. A failed assertion leaves every shared value as it was.

    As theano.tensor.opt.Assert.

    >>> import croton, croton.tensor as T
    >>> x = T.dscalar('x')
    >>> f = croton.function([x], T.sqrt(T.Assert('x must not be negative')(x, x >= 0)))
    >>> f(4.0)
    array(2.)
    >>> f(-4.0)
    Traceback (most recent call last):
    ...
    AssertionError: x must not be negative...
    """

    msg: str = "Theano Assert failed!"
    host = True

    def output_types(self, value: Variable, *conds: Variable) -> Sequence[Type]:
        return [value.type]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [k == 0 for k in range(len(node.inputs))]

    def checked(self, node: Apply) -> Sequence[Variable]:
        """The conditions."""
        return node.inputs[1:]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        value, *conds = values
        for cond in conds:
            if isinstance(cond, np.ndarray):
                if not cond.all():
                    raise AssertionError(self.msg)
            else:
                context.check(jnp.all(cond != 0), node, lambda: AssertionError(self.msg))
        return value

    def __str__(self) -> str:
        return f"Assert{{msg={self.msg!r}}}"


assert_op = Assert()
