"""What every loss is: a target, weights, the output that they are of, and how their terms are averaged."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from croton import sparse
from croton import tensor as T
from croton.graph.core import Apply, Type, Variable
from croton.nets.registry import Registrar, nearest
from croton.nets.util import ConfigurationError
from croton.settings import config
from croton.tensor.basic import TensorOp

log = logging.getLogger("croton.nets")


@dataclass(frozen=True)
class Alike(TensorOp):
    """The first input, whose shape must be that of the second, or its beginning: else ValueError at run time."""

    loss: str

    def output_types(self, x: Variable, other: Variable) -> Sequence[Type]:
        return [x.type]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, other = values
        if x.shape != other.shape[: x.ndim]:
            whole = "shape" if x.ndim == other.ndim else "shape, its last dimension aside,"
            raise ValueError(
                f"loss {self.loss!r}: {node.inputs[0].name or 'target'} has shape {tuple(x.shape)}; it must have the "
                f"{whole} of {node.inputs[1].name or 'the output'}, which has {tuple(other.shape)}"
            )
        return x


class Loss(metaclass=Registrar):
    """A scalar of the outputs and of a target. As theanets.losses.Loss.

    A subclass overrides ``__call__``, and is known by its lower-cased name as soon as it is defined:

    >>> from croton import nets
    >>> from croton.nets.losses import Loss
    >>> class Cubed(Loss):
    ...     def __call__(self, outputs):
    ...         return (abs(outputs[self.output_name] - self._target) ** 3).mean()
    >>> nets.Regressor([2, 3, 1], loss="cubed").losses[0].output_name
    'out:out'

    Arguments:
      ``target``: what the output should be: the number of dimensions of a new variable called ``target``, or a
      variable. ``weight``: the number that the loss is multiplied by where several are added up.
      ``weighted``: whether each target has a weight: then there is a variable called ``weights`` of the target's
      shape; or that variable. ``output_name``: the output that is compared; a bare layer name means its ``out``.

    Attributes: ``weight``, ``output_name``, ``_target``, and ``_weights`` (None where the loss is not weighted).

    Raises TypeError for a target that is neither a number of dimensions nor a variable.
    """

    #: Names of a subclass's own keywords, which it keeps as attributes; ``to_spec`` tells them.
    options: ClassVar[tuple[str, ...]] = ()
    #: The dtype of a new target; None for ``config.floatX``.
    target_dtype: ClassVar[str | None] = None

    def __init__(self, target: Any, weight: float = 1.0, weighted: Any = False, output_name: str = "out") -> None:
        if isinstance(weight, bool) or not isinstance(weight, int | float | np.number):
            raise TypeError(f"loss {self._name!r}: weight must be a number, got {weight!r}")
        self.weight = weight
        self.output_name = full_name(output_name)
        self._target = self._made_target(target)
        self._weights: Any = weighted if isinstance(weighted, Variable) else None
        if self._weights is None and weighted:
            self._weights = T.TensorType(config.floatX, (False,) * self._target.ndim)("weights")

    def _made_target(self, target: Any) -> Any:
        if isinstance(target, Variable):
            return target
        if isinstance(target, bool) or not isinstance(target, int | np.integer) or target < 1:
            raise TypeError(
                f"loss {self._name!r}: target={target!r}: pass the number of dimensions of the target, or a variable"
            )
        return T.TensorType(self.target_dtype or config.floatX, (False,) * int(target))("target")

    # --- what it says of itself ---

    @property
    def _name(self) -> str:
        """The name of the loss: its class's, in lower case."""
        return type(self).__name__.lower()

    @property
    def variables(self) -> list[Any]:
        """The variables that the loss needs data for: the target, and the weights where it is weighted."""
        return [self._target] if self._weights is None else [self._target, self._weights]

    def log(self) -> None:
        """Log the loss at level INFO: class, output, weight, and whether it is weighted."""
        weighted = "" if self._weights is None else ", weighted"
        log.info("loss %s of %s, times %s%s", type(self).__name__, self.output_name, self.weight, weighted)

    def to_spec(self) -> dict[str, Any]:
        """A dict that describes the loss so that a network can build it again, for JSON: form, target (its number of
        dimensions), weight, weighted, output_name, and the subclass's keywords.

        Raises ConfigurationError for a keyword that is a function: it has no name to be found by.
        """
        own = {option: getattr(self, option) for option in self.options}
        for option, value in own.items():
            if callable(value):
                raise ConfigurationError(
                    f"loss {self._name!r}: {option} is a function, which cannot be written down or saved: make it part "
                    "of a subclass of croton.nets.Loss, and give that class's name"
                )
        return {
            "form": self._name,
            "target": self._target.ndim,
            "weight": float(self.weight),
            "weighted": self._weights is not None,
            "output_name": self.output_name,
            **own,
        }

    # --- what it computes ---

    def __call__(self, outputs: Mapping[str, Variable]) -> Any:
        """The loss, a scalar expression, of all outputs by full name: to be overridden."""
        raise NotImplementedError(f"loss {self._name!r}: {type(self).__name__} has no __call__")

    def batch_weight(self) -> Any:
        """How much a batch counts where losses of batches are averaged: Σ weights, or the number of rows; a scalar.

        A row is all that the last dimension of the target is of; each label is one.
        """
        if self._weights is not None:
            return T.sum(self._weights)
        shape = [self._target.shape[i] for i in range(self._rows_ndim())]
        return T.cast(T.prod(T.stack(shape)), config.floatX)

    def _rows_ndim(self) -> int:
        return max(self._target.ndim - 1, 1)

    def _output(self, outputs: Mapping[str, Any], name: str | None = None) -> Any:
        """The output to be compared. Raises ConfigurationError where it is not there or its rank does not fit."""
        name = name or self.output_name
        if name not in outputs:
            raise ConfigurationError(f"loss {self._name!r} reads the output {name!r}: {nearest(name, outputs)}")
        output = _dense(outputs[name])
        labels = int(self.target_dtype is not None)
        if output.ndim - labels != self._target.ndim:
            raise ConfigurationError(
                f"loss {self._name!r}: the output {name!r} has {output.ndim} dimensions, so the target must have "
                f"{output.ndim - labels}, and has {self._target.ndim}: pass target={output.ndim - labels}"
            )
        return output

    def _goal(self, output: Any) -> Any:
        """The target, of the shape of the output."""
        return Alike(self._name)(_dense(self._target), output)

    def _share(self) -> Any:
        """The weights, of the shape of the target."""
        return Alike(self._name)(self._weights, _dense(self._target))

    def _average(self, terms: Any) -> Any:
        """Σ w·terms / Σ w, or the mean of the terms. Where all weights are 0, it is 0: there is nothing to learn."""
        if self._weights is None:
            return T.mean(terms)
        weights = T.reshape(self._share(), terms.shape, ndim=terms.ndim)
        return T.sum(weights * terms) / not_zero(T.sum(weights))


def build(name: str, *args: Any, **kwargs: Any) -> Loss:
    """The loss called ``name``, with these arguments. As theanets.losses.build.

    Raises KeyError, naming the nearest, for an unknown name.

    >>> build("mse", target=2).variables
    [target]
    """
    return Loss.build(name, *args, **kwargs)


def full_name(name: str) -> str:
    """The full name of an output, of one that may be a layer's."""
    return name if ":" in name else f"{name}:out"


def _dense(x: Any) -> Any:
    return sparse.dense_from_sparse(x) if isinstance(x, sparse.SparseVariable) else x


def not_zero(total: Any) -> Any:
    """A sum of weights to divide by: 1 where it is 0, for what is divided is 0 too."""
    return T.switch(T.eq(total, 0), T.ones_like(total), total)
