"""The layers of plain networks: input, feedforward, classifier, and tied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from croton import sparse
from croton import tensor as T
from croton.graph.core import SharedVariable, Variable
from croton.nets.layers.base import Layer, Shape
from croton.nets.util import ConfigurationError
from croton.settings import config
from croton.sparse.types import is_sparse
from croton.tensor.types import TensorType

__all__ = ["Classifier", "Feedforward", "Input", "Tied"]

FORMATS = {True: "csr", "csr": "csr", "csc": "csc"}


class Input(Layer):
    """What goes into a network: a symbolic variable, and no parameters. As theanets.layers.Input.

    >>> Input(3, name="x", ndim=3).input.type
    TensorType(float32, (?, ?, 3))

    Arguments:
      ``size``: the length of the last dimension; it may be left out where ``shape`` tells it.
      ``name``: of the layer and of its variable. ``ndim``: the variable's rank; 2, or as ``shape`` says.
      ``sparse``: True or ``'csr'`` for a sparse matrix held by rows, ``'csc'`` for one held by columns.
      ``shape``: of one example, such as ``(28, 28, 1)`` for images; None where a length may differ.

    Attributes: ``input``, the variable, in ``config.floatX``; ``ndim``, ``sparse``, and those of every layer. Output:
    ``out``, the variable itself.

    Raises ConfigurationError where size, ndim and shape contradict each other or a sparse input is not a matrix.
    """

    def __init__(
        self,
        size: int | None = None,
        name: str = "in",
        ndim: int | None = None,
        sparse: bool | str = False,
        shape: Sequence[int | None] | None = None,
    ) -> None:
        where = f"input layer {name!r}"
        self._given = None if shape is None else tuple(None if n is None else int(n) for n in shape)
        if self._given is not None:
            size = self._given[-1] if size is None and self._given else size
            if not self._given or size != self._given[-1] or ndim not in (None, len(self._given) + 1):
                raise ConfigurationError(
                    f"{where}: shape={shape} is that of one example, its last length the size; it contradicts "
                    f"size={size}, ndim={ndim}"
                )
        self.ndim = ndim or (2 if self._given is None else len(self._given) + 1)
        if isinstance(self.ndim, bool) or not isinstance(self.ndim, int | np.integer) or self.ndim < 2:
            raise ConfigurationError(f"{where}: ndim={ndim!r}: examples are a dimension too, so at least 2")
        if sparse not in (False, *FORMATS) or (sparse and self.ndim != 2):
            raise ConfigurationError(
                f"{where}: sparse={sparse!r}, ndim={self.ndim}: pass True, 'csr' or 'csc', and only with 2 dimensions"
            )
        self.sparse = sparse
        super().__init__(size, {}, name, "linear")
        self.input = self._variable()

    def _variable(self) -> Variable:
        if self.sparse:
            return sparse.matrix(FORMATS[self.sparse], self.name, config.floatX)
        return TensorType(config.floatX, shape=(None, *self.shape))(self.name)

    def infer_shape(self) -> Shape:
        return self._given or (*(None,) * (self.ndim - 2), self.size)

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The variable, as ``out``."""
        return {"out": self.input}, []

    def to_spec(self) -> dict[str, Any]:
        """Form, name, size, ndim, sparse, and the shape if one was given."""
        spec = {"form": "input", "name": self.name, "size": self.size, "ndim": self.ndim, "sparse": self.sparse}
        return spec if self._given is None else {**spec, "shape": list(self._given)}


class Feedforward(Layer):
    """A weighted sum of its inputs through an activation: out = g(pre), pre = sum_k x_k @ w_k + b.

    As theanets.layers.Feedforward; also called ``ff``. Inputs of more than two dimensions are multiplied along their
    last one. The inputs may be sparse matrices.

    >>> [p.name for p in Feedforward(2, {"a:out": 3, "b:out": 4}, name="sum").params]
    ['sum.w_a:out', 'sum.w_b:out', 'sum.b']

    Parameters: ``w`` (input size, size), or with several inputs a ``w_{full name}`` for each; ``b`` (size,).
    Outputs: ``pre`` and ``out``, (..., size).
    """

    __extra_registration_keys__ = ("ff",)
    takes_sparse: ClassVar[bool] = True

    def _weights(self) -> dict[str, str]:
        """Names of the inputs -> names of their weights."""
        return {name: "w" if len(self.inputs) == 1 else f"w_{name}" for name in self.inputs}

    def setup(self) -> None:
        if not self.inputs:
            raise ConfigurationError(f"layer {self.name!r} ({type(self).__name__.lower()}) has no input")
        for name, weights in self._weights().items():
            self.add_weights(weights, self.inputs[name], self.size)
        self.add_bias("b", self.size)

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs ``pre`` and ``out``."""
        pre = self.find("b")
        for name, weights in self._weights().items():
            pre = _product(inputs[name], self.find(weights)) + pre
        return {"pre": pre, "out": self.activate(pre)}, []


def _product(x: Any, w: Any) -> Any:
    return sparse.structured_dot(x, w) if is_sparse(x) else T.dot(x, w)


class Classifier(Feedforward):
    """A feedforward layer whose activation is always softmax: out = softmax(x @ w + b). As theanets.layers.Classifier.

    Also called ``softmax``. Parameters and outputs are those of ``Feedforward``.

    >>> Classifier(3, 4).activation
    'softmax'
    """

    __extra_registration_keys__ = ("softmax",)

    def __init__(
        self, size: int | None, inputs: Any, name: str | None = None, activation: Any = "softmax", **kwargs: Any
    ) -> None:
        super().__init__(size, inputs, name, "softmax", **kwargs)


class Tied(Layer):
    """The transpose of another layer's weights: out = g(pre), pre = x @ partner.w.T + b. As theanets.layers.Tied.

    >>> encoder = Feedforward(2, 5, name="hid1")
    >>> decoder = Tied(encoder)
    >>> decoder.name, decoder.size, [p.name for p in decoder.params]
    ('tied-hid1', 5, ['tied-hid1.b'])

    Arguments:
      ``partner``: the layer whose parameter ``w`` is shared; a network understands its name, too.
      ``inputs``: the partner's output if None. ``size``: the partner's input size, and nothing else.
      ``name``: ``tied-{partner}`` if None.

    Parameter: ``b`` (size,). Outputs: ``pre`` and ``out``, (..., size).

    Raises ConfigurationError where the partner has several inputs or no ``w``, or the sizes do not fit it.
    """

    def __init__(
        self,
        partner: Layer,
        size: int | None = None,
        inputs: Any = None,
        name: str | None = None,
        activation: Any = "relu",
        **kwargs: Any,
    ) -> None:
        if not isinstance(partner, Layer):
            raise TypeError(
                f"tied layer: partner={partner!r} is no layer; a name is understood where a network builds it"
            )
        self.partner = partner
        name = name or f"tied-{partner.name}"
        own = partner.short_names()
        if len(partner.inputs) != 1 or "w" not in own:
            raise ConfigurationError(
                f"layer {name!r}: its partner {partner.name!r} ({type(partner).__name__.lower()}) must have one input "
                f"and a matrix 'w', as a feedforward layer; it has the inputs {', '.join(partner.inputs) or 'none'}, "
                f"and the parameters {', '.join(own) or 'none'}"
            )
        super().__init__(size, {"out": partner.size} if inputs is None else inputs, name, activation, **kwargs)
        if self.size != partner.input_size or self.input_size != partner.size:
            raise ConfigurationError(
                f"layer {name!r} leads from {self.input_size} to {self.size} units, and the transpose of "
                f"{partner.name!r} from {partner.size} to {partner.input_size}"
            )

    def infer_size(self) -> int:
        return self.partner.input_size

    def setup(self) -> None:
        self.add_bias("b", self.size)

    @property
    def weights(self) -> SharedVariable:
        """The partner's matrix, (size, partner.size)."""
        return self.partner.find("w")

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs ``pre`` and ``out``."""
        weights: Any = self.weights
        pre = T.dot(inputs[self.input_name], weights.T) + self.find("b")
        return {"pre": pre, "out": self.activate(pre)}, []

    def to_spec(self) -> dict[str, Any]:
        """The description of every layer, and the partner's name."""
        return {**super().to_spec(), "partner": self.partner.name}
