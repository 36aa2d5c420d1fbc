"""Penalties: terms of parameters and outputs that are added to the loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from croton import gradient
from croton import tensor as T
from croton.graph.core import Variable
from croton.nets.registry import nearest
from croton.nets.regularizers.base import BEFORE, Regularizer, hidden, is_input, matched_outputs
from croton.nets.util import ConfigurationError, as_patterns, params_matching


def _mean(terms: Iterable[Any]) -> Any:
    """The mean of the terms, 0 where there is none."""
    listed = list(terms)
    return sum(listed[1:], listed[0]) / len(listed) if listed else 0.0


class Weights(Regularizer):
    """The mean of ``size`` over the entries of each matched parameter, averaged over parameters."""

    about = "parameter"

    def size(self, values: Any) -> Any:
        """What is averaged."""
        raise NotImplementedError

    def names(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> list[str]:
        return [str(p.name) for layer in layers for p in layer.params]

    def loss(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> Any:
        params = [p for layer in layers for p in layer.params if p.ndim > 1]
        if self.pattern is not None:
            params = [p for _, p in params_matching(layers, self.pattern)]
        return _mean(T.mean(self.size(p)) for p in dict.fromkeys(params))


class WeightL2(Weights):
    """The mean of W², averaged over parameters; of all of more than one dimension, or those that match.

    Also called ``weight_l2`` and ``weight_decay``. As theanets.regularizers.WeightL2.
    """

    __extra_registration_keys__ = ("weight_l2", "weight_decay")

    def size(self, values: Any) -> Any:
        return T.sqr(values)


class WeightL1(Weights):
    """The mean of |W|, averaged over parameters; of all of more than one dimension, or those that match.

    Also called ``weight_l1`` and ``weight_sparsity``. As theanets.regularizers.WeightL1.
    """

    __extra_registration_keys__ = ("weight_l1", "weight_sparsity")

    def size(self, values: Any) -> Any:
        return abs(values)


class Outputs(Regularizer):
    """The mean of ``term`` over matched outputs: without a pattern, over those of the hidden layers."""

    about = "output"

    def term(self, values: Any) -> Any:
        """One output's scalar."""
        raise NotImplementedError

    def names(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> list[str]:
        return list(outputs)

    def matched(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> list[tuple[str, Any]]:
        """(name, expression) of each output that the regularizer is about."""
        return matched_outputs(outputs, hidden(layers) if self.pattern is None else self.pattern)

    def loss(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> Any:
        return _mean(self.term(v) for _, v in self.matched(layers, outputs))


class HiddenL1(Outputs):
    """The mean of |Z|, averaged over outputs: those of the hidden layers, or those that match.

    Also called ``hidden_l1`` and ``hidden_sparsity``. As theanets.regularizers.HiddenL1.
    """

    __extra_registration_keys__ = ("hidden_l1", "hidden_sparsity")

    def term(self, values: Any) -> Any:
        return T.mean(abs(values))


class HiddenL2(Outputs):
    """The mean of Z², averaged over outputs: those of the hidden layers, or those that match. Alias ``hidden_l2``."""

    __extra_registration_keys__ = ("hidden_l2",)

    def term(self, values: Any) -> Any:
        return T.mean(T.sqr(values))


class Steps(Outputs):
    """A mean over the steps of matched outputs (batch, time, size), which a pattern must name."""

    about = "output (batch, time, size)"

    def __init__(self, pattern: str | Sequence[str] | None = None, weight: float = 0.0) -> None:
        super().__init__(pattern, weight)
        if not as_patterns(pattern):
            raise ConfigurationError(
                f"regularizer {self._name} needs a pattern: name outputs of recurrent layers, as in "
                "dict(pattern='hid1:out', weight=0.1)"
            )

    def names(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> list[str]:
        return [n for n, v in outputs.items() if getattr(v.type, "ndim", 0) == 3]

    def matched(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> list[tuple[str, Any]]:
        return [(n, v) for n, v in super().matched(layers, outputs) if v.ndim == 3]

    def term(self, values: Any) -> Any:
        steps = self.change(values)
        # Of a single step there is no change to be averaged.
        return T.sum(steps) / T.cast(T.maximum(T.prod(steps.shape), 1), values.dtype)

    def change(self, z: Any) -> Any:
        """What is averaged over steps."""
        raise NotImplementedError


class RecurrentNorm(Steps):
    """The mean over examples and steps of (|z_t|² - |z_t+1|²)², averaged over outputs (Krueger and Memisevic 2016).

    It keeps the length of a state constant. The pattern is mandatory (ConfigurationError). Also called
    ``recurrent_norm``. As the documentation of theanets.regularizers.RecurrentNorm has it.
    """

    __extra_registration_keys__ = ("recurrent_norm",)

    def change(self, z: Any) -> Any:
        norms = T.sum(T.sqr(z), axis=-1)
        return T.sqr(norms[:, 1:] - norms[:, :-1])


class RecurrentState(Steps):
    """The mean of (z_t - z_t+1)² over examples, steps and units, averaged over outputs.

    It keeps a state constant. The pattern is mandatory (ConfigurationError). Also called ``recurrent_state``.
    As the documentation of theanets.regularizers.RecurrentState has it.
    """

    __extra_registration_keys__ = ("recurrent_state",)

    def change(self, z: Any) -> Any:
        return T.sqr(z[:, 1:] - z[:, :-1])


class Contractive(Outputs):
    """The squared Frobenius norm of dZ/dx for each example, averaged over examples and outputs (Rifai et al. 2011).

    Arguments: ``pattern``: the outputs Z; those of the hidden layers if None. ``weight``. ``wrt``: a glob over the
    names of inputs x; all of them if ``'*'``.

    Of a feedforward layer that reads an input directly, with an elementwise activation, it costs about as much as the
    layer: Σ_h g'(z_h)² Σ_i W_ih². For any other output there is one backward pass for each of the output's numbers
    per example, all at once, which takes the memory of as many gradients. The examples of a batch must not depend on
    each other. As the documentation of theanets.regularizers.Contractive has it.

    Raises ConfigurationError where no input matches, or a sparse one would need backward passes.
    """

    def __init__(self, pattern: str | Sequence[str] | None = None, weight: float = 0.0, wrt: Any = "*") -> None:
        super().__init__(pattern, weight)
        self.wrt = wrt

    def loss(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> Any:
        inputs = {layer.name: layer for layer in layers if is_input(layer)}
        sources = [x for n, x in inputs.items() if any(fnmatchcase(n, p) for p in as_patterns(self.wrt))]
        if not sources:
            raise ConfigurationError(
                f"regularizer contractive: wrt={self.wrt!r} is no input: {nearest(self.wrt, inputs)}"
            )
        return _mean(self._norm(name, z, sources, layers, outputs) for name, z in self.matched(layers, outputs))

    def _norm(self, name: str, z: Any, sources: Sequence[Any], layers: Any, outputs: Mapping[str, Any]) -> Any:
        total = self._affine_norm(name, z, sources, layers, outputs)
        if total is None:
            total = sum(self._passes(name, z, x) for x in sources)
        return total / T.cast(z.shape[0], z.dtype)

    def _affine_norm(self, name: str, z: Any, sources: Any, layers: Any, outputs: Mapping[str, Any]) -> Any:
        """The norm in closed form, summed over examples, or None where there is none."""
        layer: Any = next((x for x in layers if x.output_name() == name), None)
        if not _is_affine(layer) or any(layer.output_name("pre") + b in outputs for b in BEFORE):
            return None
        direct = {x.output_name(): x for x in layers if is_input(x) and outputs[x.output_name()] is x.input}
        if not all(n in direct for n in layer.inputs):
            return None
        slopes = T.sqr(gradient.grad(T.sum(z), outputs[layer.output_name("pre")]))
        weights = [
            layer.find("w" if len(layer.inputs) == 1 else f"w_{n}") for n in layer.inputs if direct[n] in sources
        ]
        return sum(T.sum(T.dot(slopes, T.sum(T.sqr(w), axis=0))) for w in weights)

    def _passes(self, name: str, z: Any, layer: Any) -> Any:
        """The norm by backward passes, summed over examples."""
        if layer.sparse:
            raise ConfigurationError(
                f"regularizer contractive: {name!r} is not one affine step from the sparse input {layer.name!r}: name "
                "other outputs with pattern=, or other inputs with wrt="
            )
        sums = T.sum(z, axis=0).flatten()
        return T.sum(T.sqr(gradient.jacobian(sums, layer.input, disconnected_inputs="ignore")))


def _is_affine(layer: Any) -> bool:
    from croton.nets.layers import Feedforward

    return type(layer) is Feedforward and layer.activate.elementwise


# These are not made by their names.
for _abstract in ("weights", "outputs", "steps"):
    del Regularizer._registry[_abstract]
