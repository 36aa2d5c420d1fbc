"""Choices made while a program runs: of the inputs that an `IfElse` chooses from, only those it takes are computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from croton.compile.layout import plain
from croton.compile.signals import NeedsValue
from croton.graph.core import Apply, Variable

if TYPE_CHECKING:
    from croton.compile.lower import Check, Env, Lowering

# What JAX says where a value is asked for that only the running program knows.
_UNKNOWN = (NeedsValue, jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)


def taken(lowering: Lowering, node: Apply, env: Env) -> Sequence[Variable] | None:
    """The inputs that the node takes, where its condition is known while tracing; else None."""
    condition = lowering.value(node.inputs[0], env)
    then, other = node.op.split(node.inputs)  # type: ignore[attr-defined]
    try:
        return then if np.asarray(lowering.known(condition, node)) else other
    except _UNKNOWN:
        return None


def choose(lowering: Lowering, node: Apply, env: Env) -> Sequence[Any]:
    """The node's results, from the inputs it takes: only these, and what only they need, are computed."""
    found = taken(lowering, node, env)
    if found is not None:
        lowering.evaluate(found, env)
        return [lowering.value(v, env) for v in found]
    branches = [_Branch(lowering, node, part, env) for part in node.op.split(node.inputs)]  # type: ignore[attr-defined]
    branches[1].other = branches[0]
    condition = jnp.asarray(lowering.value(node.inputs[0], env)) != 0
    results, code = jax.lax.cond(condition, branches[0], branches[1])
    for branch, chosen in zip(branches, (condition, ~condition), strict=True):
        lowering.checks += [(~(chosen & (code == k + 1)), error) for k, (_, error) in enumerate(branch.checks)]
    return results


class _Branch:
    """The values of some of the node's inputs as a function for ``lax.cond``, which traces it.

    Besides the values it gives the number of the first of its checks that failed, counted from 1, or 0.
    """

    def __init__(self, lowering: Lowering, node: Apply, inputs: Sequence[Variable], env: Env) -> None:
        self.lowering, self.node, self.inputs, self.env = lowering, node, inputs, env
        self.checks: list[Check] = []
        self.shapes: Any = None
        self.other: _Branch | None = None

    def __call__(self) -> tuple[list[Any], Any]:
        held, self.lowering.checks = self.lowering.checks, []
        try:
            values = self._values()
            self.checks = self.lowering.checks
        except Exception as error:
            if self.lowering.eager:
                raise
            # What is wrong with a branch matters only if it is taken, which tracing does not know.
            raise NeedsValue(f"a branch of {self.node} cannot be traced: {error}") from error
        finally:
            self.lowering.checks = held
        leaves, structure = jax.tree.flatten(values)
        self.shapes = structure, [v.shape for v in leaves]
        if self.other is not None and self.other.shapes != self.shapes:
            self._refuse(self.other.shapes[1], self.shapes[1])
        if not self.checks:
            return values, jnp.int32(0)
        flags = jnp.stack([jnp.asarray(c) for c, _ in self.checks])
        return values, jnp.where(flags.all(), 0, flags.argmin().astype("int32") + 1)

    def _values(self) -> list[Any]:
        env = dict(self.env)
        self.lowering.evaluate(self.inputs, env)
        values = [plain(self.lowering.value(v, env)) for v in self.inputs]
        # A sparse value is a tree of arrays, whose dtypes are its own.
        return [jax.tree.map(lambda a: jnp.asarray(a, a.dtype), v) for v in values]

    def _refuse(self, shapes: Sequence[Any], others: Sequence[Any]) -> None:
        """A program has one shape for both branches; run op by op it may have two, but not within a loop."""
        message = f"the branches of {self.node} have arrays of the shapes {shapes} and {others}"
        if self.lowering.eager:
            raise ValueError(f"{message}: where the condition is known only inside a loop, they must be equal")
        raise NeedsValue(message)


__all__ = ["choose", "taken"]
