"""A network as a transformer of scikit-learn: an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from croton.estimators.base import NetEstimator, listed, row_weights
from croton.nets import Autoencoder, Network
from croton.sparse.value import is_scipy

__all__ = ["NetTransformer"]


class NetTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetEstimator):
    """An autoencoder: a network that learns to give back its input through layers that know less of it.

    Arguments as of ``NetClassifier``, without ``class_weight``, and
      ``hidden``: the layers between the input and the last one, which is linear and as wide as the input.
      ``tied``: whether ``hidden`` is only the way in, and the way out its mirror image on the same weights.
      ``layer``: the layer whose output is the code: its index (0 is the input) or name; None for the middle one, with
      ``tied`` the last of ``hidden``.

    Attributes likewise; ``network_`` is a ``nets.Autoencoder``. The loss, if None, is ``'mse'``: mean (F(x) - x)².

    >>> import numpy as np
    >>> X = np.random.RandomState(0).normal(size=(100, 1)) * [1.0, -1.0, 0.5]
    >>> net = NetTransformer(hidden=((1, 'linear'),), learning_rate=0.02, random_state=0).fit(X)
    >>> net.transform(X).shape, net.inverse_transform(net.transform(X)).shape, net.score(X) > 0.9
    ((100, 1), (100, 3), True)
    """

    MODEL = Autoencoder

    def __init__(
        self,
        hidden: Any = ((10, "tanh"),),
        *,
        tied: bool = False,
        layer: Any = None,
        loss: Any = None,
        algo: str = "adam",
        learning_rate: Any = 0.003,
        batch_size: int = 200,
        max_epochs: int = 200,
        patience: int = 20,
        tol: float = 1e-4,
        validation_fraction: float = 0.0,
        train: Mapping[str, Any] | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            hidden,
            loss=loss,
            algo=algo,
            learning_rate=learning_rate,
            batch_size=batch_size,
            max_epochs=max_epochs,
            patience=patience,
            tol=tol,
            validation_fraction=validation_fraction,
            train=train,
            random_state=random_state,
            verbose=verbose,
        )
        self.tied = tied
        self.layer = layer

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> NetTransformer:
        """Train on rows ``X``, dense or sparse, of shape (n, features); ``y`` is not looked at.

        ``sample_weight`` and errors as of ``NetClassifier.fit``; KeyError for a ``layer`` that is not there.
        """
        with self._all_or_nothing():
            X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32])
            above = ["tied"] * len(listed(self.hidden)) if self.tied else [X.shape[1]]
            self._learn(X, [], above, row_weights(sample_weight, X))
        return self

    def _look(self, network: Network) -> None:
        self._n_features_out = network._layer(len(network.layers) // 2 if self.layer is None else self.layer).size

    def transform(self, X: Any) -> np.ndarray:
        """The code of each row of ``X``: the output of ``layer``, of shape (n, its size)."""
        return self._ask(X, "encode", self.layer)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """What the network makes of codes ``X``: rows like those that it was trained on.

        Raises ValueError where the codes have another width than the layer.
        """
        check_is_fitted(self, "network_")
        X = check_array(X, dtype=self._dtype())
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} features, but the codes of {type(self).__name__} have {self._n_features_out}"
            )
        return self._by_rows(X, "decode", self.layer)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R² of what the network makes of ``X``: the share of its variance that comes through, 1 if all of it does."""
        X = self._like_fitted(X)
        made, given = self._by_rows(X, "predict"), X.toarray() if is_scipy(X) else X
        return float(r2_score(given, made, sample_weight=sample_weight, multioutput="variance_weighted"))
