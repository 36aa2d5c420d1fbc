"""Connectionist temporal classification (Graves et al., 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp
from croton.tensor.shape import kind
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable


@dataclass(frozen=True)
class ConnectionistTemporalClassification(TensorOp):
    """The cost of each sequence of activations, given its labels. Inputs as those of ``ctc``."""

    def output_types(self, activations: Variable, labels: Variable, input_lengths: Variable) -> Sequence[Type]:
        for what, v, ndim, kinds in (
            ("activations", activations, 3, "f"),
            ("labels", labels, 2, "iu"),
            ("input_lengths", input_lengths, 1, "iu"),
        ):
            if kind(v).dtype[0] not in kinds:
                wanted = "floats" if kinds == "f" else "integers"
                raise TypeError(f"ctc: {what} must be {wanted}, got {v} of type {v.type}")
            if kind(v).ndim != ndim:
                raise ValueError(f"ctc: {what} must have {ndim} dimensions, got {v} of type {v.type}")
        return [TensorType(kind(activations).dtype, shape=(kind(activations).shape[1],))]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False, False]

    def checked(self, node: Apply) -> Sequence[Variable]:
        """The labels and the lengths."""
        return node.inputs[1:]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, labels, lengths = map(jnp.asarray, values)
        t, m, p = x.shape
        if labels.shape[0] != m or lengths.shape[0] != m:
            raise ValueError(
                f"ctc: activations of shape {tuple(x.shape)} are of {m} sequences, labels of {labels.shape[0]}, "
                f"input_lengths of {lengths.shape[0]}"
            )
        labels, lengths = labels.astype("int32"), lengths.astype("int32")
        context.check(
            jnp.all((labels < 0) | ((labels > 0) & (labels < p))),
            node,
            lambda: ValueError(f"ctc: labels must lie between 1 and {p - 1}, or be negative where there is none"),
        )
        context.check(
            jnp.all((lengths >= 0) & (lengths <= t)),
            node,
            lambda: ValueError(f"ctc: input_lengths must lie between 0 and {t}, the steps of the activations"),
        )
        labels = jnp.take_along_axis(labels, jnp.argsort(labels < 0, axis=1, stable=True), axis=1)
        absent = labels < 0
        after = (jnp.arange(t) >= lengths[:, None]).astype(x.dtype)
        cost = optax.ctc_loss(x.transpose(1, 0, 2), after, jnp.maximum(labels, 0), absent.astype(x.dtype))
        # Every label takes a step, and so does the blank between two equal ones.
        needed = jnp.sum(~absent, axis=1) + jnp.sum((labels[:, 1:] == labels[:, :-1]) & ~absent[:, 1:], axis=1)
        return jnp.where(needed <= lengths, cost, jnp.inf).astype(x.dtype)


def ctc(activations: Any, labels: Any, input_lengths: Any) -> TensorVariable:
    """For each sequence, -log of the probability that its activations spell its labels.

    At each step the softmax of the activations gives the probabilities of the symbols, of which 0 is the blank. A path
    of symbols spells what remains when equal neighbours are made one and then the blanks are left out; the probability
    of the labels is the sum over all paths of the first ``input_lengths`` steps that spell them. Where there is none
    the cost is infinite and its gradient 0.

    ``activations``: floats (steps, sequences, symbols), before the softmax. ``labels``: integers (sequences, labels),
    from 1; negative ones are not there. ``input_lengths``: integers (sequences,). Returns a vector (sequences,).

    Raises TypeError for wrong dtypes, ValueError for wrong ranks and lengths and, when run, for labels and lengths out
    of range. As theano.tensor.nnet.ctc.ctc, which needed the library warp-ctc.

    >>> import numpy as np
    >>> ctc(np.zeros((2, 1, 3)), np.array([[2, -1]]), np.array([2])).eval().round(4)  # -log(3 / 9)
    array([1.0986])
    """
    return ConnectionistTemporalClassification()(activations, labels, input_lengths)
