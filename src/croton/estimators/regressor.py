"""A network as a regressor of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from croton.estimators.base import NetEstimator, row_weights
from croton.nets import Regressor

__all__ = ["NetRegressor"]


class NetRegressor(RegressorMixin, NetEstimator):
    """A network that gives numbers, one or several: its last layer is linear.

    Arguments as of ``NetClassifier``; ``loss=None`` is ``'mse'``, the mean of (F(x) - y)². There is no
    ``class_weight``. Attributes likewise; ``network_`` is a ``nets.Regressor``. ``score`` is R².

    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> net = NetRegressor(hidden=((8, 'tanh'),), learning_rate=0.03, random_state=0).fit(X, np.sin(3 * X[:, 0]))
    >>> net.score(X, np.sin(3 * X[:, 0])) > 0.9
    True
    """

    MODEL = Regressor

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetRegressor:
        """Train on rows ``X``, of shape (n, features), with targets ``y``, of shape (n,) or (n, outputs).

        ``sample_weight`` and errors as of ``NetClassifier.fit``. What ``predict`` gives has the form of ``y``.
        """
        with self._all_or_nothing():
            X, y = validate_data(
                self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], multi_output=True, y_numeric=True
            )
            goal = y.reshape(len(y), -1).astype(X.dtype)
            self._learn(X, [goal], [goal.shape[1]], row_weights(sample_weight, X))
            self._flat = y.ndim == 1
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The targets of each row of ``X``: of shape (n,) or (n, outputs), as ``fit`` was given them."""
        values = self._ask(X, "predict")
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
