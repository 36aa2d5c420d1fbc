"""A network as a classifier of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from croton.estimators.base import NetEstimator, row_weights
from croton.nets import Classifier

__all__ = ["NetClassifier"]


class NetClassifier(ClassifierMixin, NetEstimator):
    """A network that tells classes: its last layer is a softmax over them.

    Arguments:
      ``hidden``: for each hidden layer what ``nets.Network`` takes: a size (relu units), a tuple such as
      ``(64, 'tanh')``, or a dict. ``()`` is logistic regression.
      ``loss``: of ``croton.nets.losses``, by name, or a dict with ``form`` and keywords; None for ``'xe'``, the mean of
      -log p(y | x).
      ``class_weight``: a dict from classes to the weights of their examples, ``'balanced'`` for weights that make the
      classes equally heavy, or None. It multiplies ``sample_weight``.
      ``algo``, ``learning_rate``, ``batch_size``: how to train; optimizers are those of ``croton.nets``, and the
      learning rate a number or a function of the step's number. Data of fewer rows make one minibatch.
      ``max_epochs``: passes over the data. ``patience``, ``tol``: training ends before when in more than ``patience``
      epochs in a row the loss has not come down by the share ``tol``.
      ``validation_fraction``: the share of the data held out to judge by; then the loss on it decides when to end, and
      the parameters that were best there are kept. 0 for none: the loss on the training data decides, and the last
      parameters are kept.
      ``train``: more keywords of ``nets.Network.train``: regularizers, and what the optimizer takes, as in
      ``{'weight_l2': 1e-4, 'hidden_dropout': 0.2}``.
      ``random_state``: an int for results that can be repeated, a RandomState, or None.
      ``verbose``: whether to tell of each epoch.

    Attributes: ``classes_``; ``network_``, a ``nets.Classifier``, which can be saved, drawn, and trained further;
    ``n_iter_``, epochs done; ``loss_curve_`` and ``validation_loss_curve_``, the loss in each of them, the second None
    where nothing was held out; ``n_features_in_``; ``feature_names_in_`` where ``X`` had names.

    >>> import numpy as np
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0]] * 20)
    >>> net = NetClassifier(hidden=((8, 'tanh'),), learning_rate=0.02, random_state=0).fit(X, ['no', 'yes'] * 20)
    >>> net.predict([[1, 0], [0, 1]]), net.predict_proba(X).shape
    (array(['yes', 'no'], dtype='<U3'), (40, 2))
    """

    MODEL = Classifier

    def __init__(
        self,
        hidden: Any = (100,),
        *,
        loss: Any = None,
        class_weight: Any = None,
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
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetClassifier:
        """Train on rows ``X``, dense or sparse, of shape (n, features), with classes ``y``, of any type, of shape (n,).

        ``sample_weight``: of shape (n,), from 0 up; a weight of 2 counts as much as the row twice.

        Raises ValueError or TypeError for data and parameters that do not fit; the estimator is then as it was.
        """
        with self._all_or_nothing():
            X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])
            check_classification_targets(y)
            classes, labels = np.unique(y, return_inverse=True)
            weights = row_weights(sample_weight, X)
            if self.class_weight is not None:
                balance = compute_sample_weight(self.class_weight, y).astype(X.dtype)
                weights = row_weights(balance if weights is None else balance * weights, X)
            labels = labels.astype("int32")
            self._learn(X, [labels], [len(classes)], weights, strata=labels)
            self.classes_ = classes
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of each row of ``X``."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, of shape (n, classes), in the order of ``classes_``."""
        return self._ask(X, "predict_proba")

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of ``predict_proba``, exact where those are too small to be told from 0."""
        return log_softmax(self._ask(X, "predict_logit"), axis=1)
