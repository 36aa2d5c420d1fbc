"""The three models: what a network is trained to do says what its loss, its targets and its answers are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from croton import sparse
from croton import tensor as T
from croton.compile import function
from croton.graph.core import Variable
from croton.nets import regularizers as regularizing
from croton.nets.checking import Expected, accept_all
from croton.nets.layers import Layer
from croton.nets.network import Network, r_squared
from croton.nets.util import ConfigurationError
from croton.sparse.types import SparseType


class Autoencoder(Network):
    """A network that is trained to give back its input. As theanets.Autoencoder.

    The loss is the mean of (F(x) - x)² unless another is named. Data are the inputs alone, of shape (examples,
    features), and weights of the same shape where ``weighted``.

    >>> from croton import nets
    >>> net = nets.Autoencoder([4, (2, 'tanh'), (4, 'tied')])
    >>> net.encode([[1, 0, 0, 0]]).shape
    (1, 2)
    """

    def __init__(self, layers: Sequence[Any] = (), loss: Any = "mse", weighted: bool = False, rng: Any = 13) -> None:
        super().__init__(layers=layers, loss=loss, weighted=weighted, rng=rng)

    def _default_target(self) -> Variable:
        x = self.inputs[0]
        return sparse.dense_from_sparse(x) if isinstance(x.type, SparseType) else x

    def encode(self, x: Any, layer: Any = None, sample: bool = False, **kwargs: Any) -> np.ndarray:
        """The activations of a hidden layer for the data ``x``.

        ``layer``: an index, a name, the full name of an output, or a ``Layer``; the middle one if None. ``sample``:
        draw zeros and ones (uint8) with the activations as probabilities. Keywords are regularizers. Raises KeyError
        for an unknown layer, ValueError for sampling from activations outside [0, 1].
        """
        name = self._full_name(layer)
        z = self._compute([name], x, "encode", kwargs)[name]
        if not sample:
            return z
        if z.min() < 0 or z.max() > 1:
            raise ValueError(
                f"encode(sample=True): {name!r} ranges from {z.min():.4g} to {z.max():.4g}, and probabilities lie in "
                "[0, 1]: give the layer the logistic activation"
            )
        return self._rng.binomial(1, z).astype("uint8")

    def decode(self, z: Any, layer: Any = None, **kwargs: Any) -> np.ndarray:
        """The network's output when the layer's output is ``z``: ``decode(encode(x))`` is ``predict(x)``.

        ``layer`` as for ``encode``. Keywords are regularizers. Raises ConfigurationError for an output other than a
        layer's ``out``, from which the network does not go on; ValueError for a ``z`` that does not fit.
        """
        name = self._full_name(layer)
        short = name.partition(":")[2]
        if short != "out":
            raise ConfigurationError(
                f"decode: the network goes on from a layer's output out, and not from {name!r}: encode without :{short}"
            )
        shape = self._layer(name).shape
        (checked,) = accept_all([Expected("z", 1 + len(shape), self.dtype, shape=shape)], [z], "decode")

        def make() -> Any:
            given = T.TensorType(self.dtype, (False,) * checked.ndim)("z")
            with self.typed():
                regularizers = regularizing.from_kwargs(self, **kwargs)
            outputs, updates = self.build_graph(regularizers, given={name: given})
            regularizing.check_matched(regularizers, outputs, self.layers)
            run = function([given], outputs["out"], updates=updates, name="decode", on_unused_input="ignore")
            run._program.share()
            return run

        return self._cached(("decode", name), kwargs, make)(checked)

    def _full_name(self, layer: Any) -> str:
        found = self._layer(len(self.layers) // 2 if layer is None else layer)
        output = layer.partition(":")[2] if isinstance(layer, str) else ""
        return found.output_name(output or "out")

    def score(self, x: Any, w: Any = None, **kwargs: Any) -> float:  # type: ignore[override]
        """R² of the reconstruction of ``x``; see ``Network.score``."""
        y = x.toarray() if hasattr(x, "toarray") else np.asarray(x)
        return r_squared(y, self.predict(x, **kwargs), w)


class Regressor(Network):
    """A network that is trained to give targets. As theanets.Regressor.

    The loss is the mean of (F(x) - y)² unless another is named. Data are inputs of shape (examples, features), targets
    of shape (examples, outputs), and weights of the targets' shape where ``weighted``.

    >>> from croton import nets
    >>> nets.Regressor([2, 3, 1]).predict([[0, 1]]).shape
    (1, 1)
    """


class Classifier(Network):
    """A network that is trained to tell classes. As theanets.Classifier.

    The loss is the mean of -log p(y | x) unless another is named, p being the softmax of the last layer. Data are
    inputs of shape (examples, features), labels of shape (examples,), whole numbers from 0, and weights of the labels'
    shape where ``weighted``.

    >>> from croton import nets
    >>> nets.Classifier([4, 8, 3]).predict([[0, 0, 1, 0]]).shape
    (1,)
    """

    DEFAULT_OUTPUT_ACTIVATION: ClassVar[str] = "softmax"
    OUTPUT_NDIM: ClassVar[int] = 1

    def __init__(self, layers: Sequence[Any] = (), loss: Any = "xe", weighted: bool = False, rng: Any = 13) -> None:
        super().__init__(layers=layers, loss=loss, weighted=weighted, rng=rng)

    def _monitored(self, asked: Any, outputs: Mapping[str, Variable]) -> list[tuple[str, Variable]]:
        accuracy = [("acc", loss.accuracy(outputs)) for loss in self.losses[:1] if hasattr(loss, "accuracy")]
        return [*super()._monitored(asked, outputs), *accuracy]

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The most likely class of each example: int64, of shape (examples,), or (examples, time)."""
        return self._output(x, "out", "predict", kwargs).argmax(axis=-1)

    def classify(self, x: Any, **kwargs: Any) -> np.ndarray:
        """An old name of ``predict``."""
        warnings.warn("classify() is an old name: use predict()", DeprecationWarning, stacklevel=2)
        return self.predict(x, **kwargs)

    def predict_proba(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The probability of each class, of shape (examples, classes), or (examples, time, classes)."""
        return self._output(x, "out", "predict_proba", kwargs)

    def predict_logit(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The values that the softmax turns into probabilities."""
        return self._output(x, "pre", "predict_logit", kwargs)

    def score(self, x: Any, y: Any, w: Any = None, **kwargs: Any) -> float:
        """The share of right predictions, weighted by ``w`` if given: Σ w [ŷ = y] / Σ w."""
        predicted = self.predict(x, **kwargs)
        size = self._last().size
        expected = [Expected("y", predicted.ndim, "int32", classes=size, shape=predicted.shape[1:])]
        given = [y]
        if w is not None:
            expected.append(Expected("w", predicted.ndim, self.dtype, shape=predicted.shape[1:], weights=True))
            given.append(w)
        labels, *weights = accept_all(expected, given, "score")
        if len(labels) != len(predicted):
            raise ValueError(f"score: there are {len(predicted)} examples, and {len(labels)} labels: pass one for each")
        return float(np.average(predicted == labels, weights=weights[0] if weights else None))


__all__ = ["Autoencoder", "Classifier", "Layer", "Regressor"]
