"""Losses of outputs that are probabilities or densities, and the hinge, which has labels too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from croton import tensor as T
from croton.graph.core import Variable
from croton.nets.losses.base import Alike, Loss, full_name
from croton.settings import config
from croton.tensor.nnet.losses import PickColumn

# Probabilities below this are taken for it, where they do not come straight from a softmax.
EPSILON = 1e-8


def _from_softmax(p: Any) -> bool:
    while p.owner is not None and isinstance(p.owner.op, T.Reshape | T.DimShuffle):
        p = p.owner.inputs[0]
    return p.owner is not None and isinstance(p.owner.op, T.nnet.Softmax)


def _safe(p: Any) -> Any:
    """Probabilities to take logarithms of. A softmax is left as it is: its logarithm is computed from its input."""
    return p if _from_softmax(p) else T.clip(p, EPSILON, 1)


class KullbackLeiblerDivergence(Loss):
    """Σ t log(t / y) over the last axis, averaged over rows (Kullback and Leibler 1951). Aliases ``kl``, ``kld``.

    Targets are probabilities, 0 among them (0 log 0 is 0). Outputs below 1e-8 are taken for it, unless they come
    from a softmax, whose logarithm is exact. Weights are of the target's shape; a row's weight is the mean of its own:
    with K columns, K Σ w t log(t / y) / Σ w. As theanets.losses.KullbackLeiblerDivergence, which averaged
    the absolute values of the terms.
    """

    __extra_registration_keys__ = ("kl", "kld")

    def __call__(self, outputs: Mapping[str, Variable]) -> Any:
        output = self._output(outputs)
        t = self._goal(output)
        terms = T.xlogy0(t, t) - T.xlogy0(t, _safe(output))
        return _length(t) * self._average(terms)


def _length(x: Any) -> Any:
    """The length of the last axis, as a float."""
    return T.cast(x.shape[-1], x.dtype)


class CrossEntropy(Loss):
    """The mean of -log p(label): the output's last axis has each class's probability. Alias ``xe``.

    Targets are labels, integers from 0 on, of one dimension less than the output; labels out of range raise ValueError
    at run time. Weighted, it is -Σ w log p / Σ w, with weights of the labels' shape. Of a softmax the
    logarithm is computed from the softmax's input, so that it and its derivative are right however small p; other
    outputs are clipped to [1e-8, 1], and have no derivative beyond. As theanets.losses.CrossEntropy, which clipped
    always.
    """

    __extra_registration_keys__ = ("xe",)
    target_dtype: ClassVar[str | None] = "int32"

    def _made_target(self, target: Any) -> Any:
        made = super()._made_target(target)
        if made.dtype[0] not in "iu":
            raise TypeError(
                f"loss {self._name!r}: the target must be integer labels, got {made} of type {made.type}: pass the "
                "number of its dimensions, or a variable of integers"
            )
        return made

    def _rows_ndim(self) -> int:
        return int(self._target.ndim)

    def _rows(self, outputs: Mapping[str, Variable]) -> tuple[Any, Any]:
        """The output as a matrix (rows, classes), and the labels as a vector."""
        output = self._output(outputs)
        rows = output if output.ndim == 2 else output.reshape((-1, output.shape[-1]), ndim=2)
        return rows, self._labels(output)

    def _labels(self, output: Any) -> Any:
        return T.cast(Alike(self._name)(self._target, output), "int32").flatten()

    def _terms(self, rows: Any, labels: Any) -> Any:
        return -T.log(PickColumn()(_safe(rows), labels))

    def __call__(self, outputs: Mapping[str, Variable]) -> Any:
        return self._average(self._terms(*self._rows(outputs)))

    def accuracy(self, outputs: Mapping[str, Variable]) -> Any:
        """The share, in [0, 1], of rows whose largest output is that of the label; weighted, Σ w·right / Σ w."""
        output = self._output(outputs)
        # Of the output as it is: the largest of a softmax is found without computing it.
        chosen = T.argmax(output, axis=-1).flatten()
        return self._average(T.cast(T.eq(chosen, self._labels(output)), config.floatX))


class Hinge(CrossEntropy):
    """The mean of max_k y_k - y(label): by how much another class is ahead. As theanets.losses.Hinge.

    Targets and weights as for the cross-entropy. It is 0 where the label's output is the largest; the outputs need
    not be probabilities.
    """

    def _terms(self, rows: Any, labels: Any) -> Any:
        return T.max(rows, axis=-1) - PickColumn()(rows, labels)


class GaussianLogLikelihood(Loss):
    """-log N(t; mean, diag(variance)), averaged over rows. Alias ``gll``.

    For rows of n: ½ Σ_i (log 2π + log v_i + (t_i - mean_i)² / v_i), v = |covar| + ``covar_eps``, with the outputs
    ``mean_name`` and ``covar_name`` of the target's shape (a bare layer name means its ``out``). Weights are of the
    target's shape; a row's weight is the mean of its own. As theanets.losses.GaussianLogLikelihood, whose
    formula was another.
    """

    __extra_registration_keys__ = ("gll",)
    options = ("mean_name", "covar_name", "covar_eps")

    def __init__(
        self, mean_name: str = "mean", covar_name: str = "covar", covar_eps: float = 1e-3, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.mean_name = full_name(mean_name)
        self.covar_name = full_name(covar_name)
        self.covar_eps = covar_eps

    def __call__(self, outputs: Mapping[str, Variable]) -> Any:
        mean = self._output(outputs, self.mean_name)
        t = self._goal(mean)
        variance = Alike(self._name)(abs(self._output(outputs, self.covar_name)) + self.covar_eps, mean)
        terms = np.log(2 * np.pi) + T.log(variance) + T.sqr(t - mean) / variance
        return 0.5 * _length(t) * self._average(terms)
