"""Networks as scikit-learn estimators, for pipelines and searches: a classifier, a regressor, an autoencoder.

They keep scikit-learn's conventions: parameters are stored as given and looked at in ``fit``, what is learned has names
that end in an underscore, sparse matrices are accepted, and the numbers are float64 unless ``X`` is float32, which is
faster. All three pass ``sklearn.utils.estimator_checks.check_estimator`` of scikit-learn 1.9.1, without exceptions.

Inputs are taken as they come, and nets learn best from inputs and targets of about unit size: put a
``StandardScaler`` before them, and a ``TransformedTargetRegressor`` around a regressor.

>>> import numpy as np
>>> from croton.estimators import NetClassifier
>>> X = np.random.RandomState(0).normal(size=(60, 2))
>>> y = np.where(X[:, 0] > X[:, 1], 'below', 'above')
>>> net = NetClassifier(hidden=(8, (4, 'tanh')), random_state=0).fit(X, y)
>>> net.score(X, y) > 0.9, net.predict([[1.0, -1.0]])
(True, array(['below'], dtype='<U5'))
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from scipy.special import log_softmax
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, check_scalar, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted, validate_data

from croton.nets import Autoencoder, Classifier, Network, Regressor
from croton.nets.registry import nearest
from croton.nets.training import optimizers
from croton.settings import config

__all__ = ["NetClassifier", "NetRegressor", "NetTransformer"]

# Rows that one call of a network gets; fewer are filled up to a power of two, so that few programs serve all lengths.
ROWS = 4096

# Networks take their float type from a setting of the whole process while they are built.
_one_type = threading.RLock()


@contextmanager
def _floats(dtype: Any) -> Iterator[None]:
    """While it lasts, networks are built, and their functions compiled, in this float type."""
    with _one_type, config(floatX=np.dtype(dtype).name):
        yield


class _NetEstimator(BaseEstimator):
    """What the three have in common: the parameters, and how a network is trained and asked."""

    MODEL: ClassVar[type[Network]] = Network

    def __init__(
        self,
        hidden: Any = (100,),
        *,
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
        self.hidden = hidden
        self.loss = loss
        self.algo = algo
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.tol = tol
        self.validation_fraction = validation_fraction
        self.train = train
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # --- training ---

    def _learn(self, X: Any, targets: Sequence[Any], above: Sequence[Any], weights: Any, strata: Any = None) -> None:
        """Train a new network from ``X`` to ``targets``; ``above`` are the layers on the hidden ones.

        ``strata``: labels that the held-out share is to have in the same proportions.
        """
        options = self._options()
        random = check_random_state(self.random_state)
        data = [X, *targets]
        if weights is not None:
            # Nothing is learned from rows of no weight, and a minibatch of nothing else would have no mean.
            used = weights > 0
            spread = np.broadcast_to(weights.reshape(-1, *(1,) * (data[-1].ndim - 1)), data[-1].shape)
            data = [a[used] for a in (*data, spread)]
            strata = None if strata is None else strata[used]
        valid = None
        if self.validation_fraction:
            split = train_test_split(*data, test_size=self.validation_fraction, random_state=random, stratify=strata)
            data, valid = split[::2], split[1::2]
        first = {"size": X.shape[1], "sparse": "csr"} if scipy.sparse.issparse(X) else X.shape[1]
        loss = {} if self.loss is None else {"loss": self.loss}
        with _floats(X.dtype):
            seed = int(random.randint(2**31 - 1))
            network = self.MODEL([first, *_listed(self.hidden), *above], weighted=weights is not None, rng=seed, **loss)
            self._look(network)
            self._run(network, data, valid, options)
        self.network_ = network

    def _options(self) -> dict[str, Any]:
        """The keywords of the network's ``train``, after a look at the parameters."""
        check_scalar(self.max_epochs, "max_epochs", Integral, min_val=1)
        check_scalar(self.batch_size, "batch_size", Integral, min_val=1)
        check_scalar(self.patience, "patience", Integral, min_val=0)
        check_scalar(self.tol, "tol", Real, min_val=0)
        check_scalar(
            self.validation_fraction, "validation_fraction", Real, min_val=0, max_val=1, include_boundaries="left"
        )
        if not isinstance(self.algo, str) or self.algo.lower() not in optimizers.known():
            raise ValueError(f"algo={self.algo!r} is no optimizer: {nearest(str(self.algo), optimizers.known())}")
        own = {
            "algo": self.algo,
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "progress": bool(self.verbose),
        }
        taken = {*own, "max_updates", "patience", "validate_every", "min_improvement", "valid"}
        more = dict(self.train or {})
        if wrong := sorted(taken.intersection(more)):
            raise ValueError(
                f"train={{{wrong[0]!r}: ...}}: the parameters of {type(self).__name__} decide that: algo, learning_rate, "
                "batch_size, max_epochs, patience, tol, validation_fraction, verbose"
            )
        return {**own, **more}

    def _look(self, network: Network) -> None:
        """What is to be known of a network before it is trained."""

    def _run(self, network: Network, data: Any, valid: Any, options: Mapping[str, Any]) -> None:
        """Train until the loss stays where it is, and note how it went."""
        stop: dict[str, Any] = {"validate_every": 2**31}
        if valid is not None:
            stop = {"validate_every": 1, "patience": self.patience, "min_improvement": self.tol}
            stop["max_updates"] = self.max_epochs
        losses: list[float] = []
        validated: list[float] = []
        best, since = np.inf, 0
        for now, judged in network.itertrain(data, valid, **stop, **options):
            losses.append(now["loss"])
            validated.append(judged["loss"])
            better = now["loss"] < (best - self.tol * abs(best) if np.isfinite(best) else np.inf)
            best, since = (now["loss"], 0) if better else (best, since + 1)
            if valid is None and (len(losses) >= self.max_epochs or since > self.patience):
                break
        self.loss_curve_ = losses
        self.validation_loss_curve_ = None if valid is None else validated
        self.n_iter_ = len(losses)

    # --- answers ---

    def _ask(self, X: Any, method: str, *arguments: Any) -> np.ndarray:
        """What the network's method says of each row of ``X``, which is checked to be like the data of ``fit``."""
        return self._by_rows(self._like_fitted(X), method, *arguments)

    def _like_fitted(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse="csr", dtype=self._dtype(), reset=False)

    def _by_rows(self, X: Any, method: str, *arguments: Any) -> np.ndarray:
        answers = []
        ask = getattr(self.network_, method)
        with _floats(self._dtype()):
            for start in range(0, X.shape[0], ROWS):
                part = X[start : start + ROWS]
                answers.append(ask(_filled(part), *arguments)[: part.shape[0]])
        return np.concatenate(answers)

    def _dtype(self) -> Any:
        return np.dtype(self.network_.inputs[0].dtype)


def _listed(hidden: Any) -> list[Any]:
    if isinstance(hidden, Integral):
        return [hidden]
    if isinstance(hidden, str | Mapping) or not isinstance(hidden, Sequence):
        raise TypeError(f"hidden={hidden!r}: pass one entry for each hidden layer, as in (100, (20, 'tanh'))")
    return list(hidden)


def _filled(X: Any) -> Any:
    """``X`` with rows of zeros, up to the next power of two."""
    missing = (1 << (X.shape[0] - 1).bit_length()) - X.shape[0]
    if not scipy.sparse.issparse(X):
        return np.pad(X, ((0, missing), (0, 0)))
    parts = X.data, X.indices, np.pad(X.indptr, (0, missing), mode="edge")
    return scipy.sparse.csr_array(parts, shape=(X.shape[0] + missing, X.shape[1]))


def _weights(given: Any, X: Any) -> np.ndarray | None:
    """A weight for each row, or None where there are none. Raises ValueError for negative ones, and if all are zero."""
    if given is None:
        return None
    weights = _check_sample_weight(given, X, dtype=X.dtype)
    if (weights < 0).any():
        raise ValueError(f"Negative values in sample_weight: the least is {weights.min()}")
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


class NetClassifier(ClassifierMixin, _NetEstimator):
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
      ``random_state``: an int for results that can be repeated, a RandomState, or None. ``verbose``: tell of each epoch.

    Attributes: ``classes_``; ``network_``, a ``nets.Classifier``, which can be saved, drawn, and trained further;
    ``n_iter_``, epochs done; ``loss_curve_`` and ``validation_loss_curve_``, the loss in each of them, the second None
    where nothing was held out; ``n_features_in_``; ``feature_names_in_`` where ``X`` had names.

    >>> import numpy as np
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0]] * 20)
    >>> net = NetClassifier(hidden=(4,), max_epochs=50, random_state=0).fit(X, ['no', 'yes'] * 20)
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

        Raises ValueError or TypeError for data and parameters that do not fit; what was learned before then stays.
        """
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        weights = _weights(sample_weight, X)
        if self.class_weight is not None:
            balance = compute_sample_weight(self.class_weight, y).astype(X.dtype)
            weights = _weights(balance if weights is None else balance * weights, X)
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


class NetRegressor(RegressorMixin, _NetEstimator):
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
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], multi_output=True, y_numeric=True
        )
        goal = y.reshape(len(y), -1).astype(X.dtype)
        self._learn(X, [goal], [goal.shape[1]], _weights(sample_weight, X))
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


class NetTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _NetEstimator):
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
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32])
        above = ["tied"] * len(_listed(self.hidden)) if self.tied else [X.shape[1]]
        self._learn(X, [], above, _weights(sample_weight, X))
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
        check_is_fitted(self)
        X = check_array(X, dtype=self._dtype())
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} features, but the codes of {type(self).__name__} have {self._n_features_out}"
            )
        return self._by_rows(X, "decode", self.layer)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R² of what the network makes of ``X``: the share of its variance that comes through, 1 if all of it does."""
        X = self._like_fitted(X)
        made, given = self._by_rows(X, "predict"), X.toarray() if scipy.sparse.issparse(X) else X
        return float(r2_score(given, made, sample_weight=sample_weight, multioutput="variance_weighted"))
