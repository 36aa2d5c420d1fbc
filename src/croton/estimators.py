"""Networks as scikit-learn estimators, for pipelines and searches: a classifier, a regressor, an autoencoder.

They keep scikit-learn's conventions: parameters are stored as given and looked at in ``fit``, what is learned has names
that end in an underscore, and the numbers are float64 unless ``X`` is float32. Checked with scikit-learn 1.9's own
``check_estimator``.

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
        hidden: Sequence[Any] = (100,),
        *,
        loss: Any = None,
        algo: str = "adam",
        learning_rate: Any = 0.005,
        batch_size: int = 200,
        max_epochs: int = 200,
        patience: int = 10,
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
        """Train a new network from ``X`` to ``targets``; ``above`` are the layers on the hidden ones."""
        check_scalar(self.max_epochs, "max_epochs", Integral, min_val=1)
        check_scalar(self.patience, "patience", Integral, min_val=0)
        check_scalar(self.tol, "tol", Real, min_val=0)
        check_scalar(
            self.validation_fraction, "validation_fraction", Real, min_val=0, max_val=1, include_boundaries="left"
        )
        options = self._options()
        random = check_random_state(self.random_state)
        data = [X, *targets]
        if weights is not None:
            # Nothing is learned from rows of no weight, and a minibatch of nothing else would have no mean.
            used = weights > 0
            data = [a[used] for a in (*data, np.broadcast_to(_upright(weights, data[-1]), data[-1].shape))]
            strata = None if strata is None else strata[used]
        valid = None
        if self.validation_fraction:
            split = train_test_split(*data, test_size=self.validation_fraction, random_state=random, stratify=strata)
            data, valid = split[::2], split[1::2]
        with _floats(X.dtype):
            inputs = {"size": X.shape[1], "sparse": "csr"} if scipy.sparse.issparse(X) else X.shape[1]
            loss = {} if self.loss is None else {"loss": self.loss}
            layers = [inputs, *_listed(self.hidden), *above]
            seed = int(random.randint(2**31 - 1))
            network = self.MODEL(layers, weighted=weights is not None, rng=seed, **loss)
            self._run(network, data, valid, options)
        self.network_ = network

    def _options(self) -> dict[str, Any]:
        """The keywords of the network's ``train``."""
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
                f"train={{{wrong[0]!r}: ...}}: that is decided by the parameters of {type(self).__name__}: algo, "
                "learning_rate, batch_size, max_epochs, patience, tol, validation_fraction, verbose"
            )
        return {**own, **more}

    def _run(self, network: Network, data: Any, valid: Any, options: Mapping[str, Any]) -> None:
        """Train until the loss stays where it is, and note how it went."""
        often = 1 if valid is not None else 2**31
        stop = {"patience": self.patience, "min_improvement": self.tol} if valid is not None else {}
        limit = {"max_updates": self.max_epochs} if valid is not None else {}
        losses: list[float] = []
        validated: list[float] = []
        best, since = np.inf, 0
        for now, judged in network.itertrain(data, valid, validate_every=often, **stop, **limit, **options):
            losses.append(now["loss"])
            validated.append(judged["loss"])
            better = now["loss"] < best - self.tol * abs(best) or not np.isfinite(best)
            best, since = (now["loss"], 0) if better else (best, since + 1)
            if valid is None and (len(losses) >= self.max_epochs or since > self.patience):
                break
        self.loss_curve_, self.validation_loss_curve_ = losses, validated if valid is not None else None
        self.n_iter_ = len(losses)

    # --- answers ---

    def _ask(self, X: Any, method: str, *arguments: Any, reset: bool = False) -> np.ndarray:
        """What the network's method says of each row of ``X``, checked to be like the data of ``fit``."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=self._dtype(), reset=False)
        return self._by_rows(X, method, *arguments)

    def _by_rows(self, X: Any, method: str, *arguments: Any) -> np.ndarray:
        answers = []
        with _floats(self._dtype()):
            ask = getattr(self.network_, method)
            for start in range(0, X.shape[0], ROWS):
                part = X[start : start + ROWS]
                answers.append(ask(_filled(part), *arguments)[: part.shape[0]])
        return np.concatenate(answers)

    def _dtype(self) -> Any:
        return np.dtype(self.network_.inputs[0].dtype)


def _listed(hidden: Any) -> list[Any]:
    if isinstance(hidden, str | Mapping) or not isinstance(hidden, Sequence):
        raise TypeError(f"hidden={hidden!r}: pass a list with one entry for each hidden layer, as in (100, (20, 'tanh'))")
    return list(hidden)


def _upright(weights: np.ndarray, like: Any) -> np.ndarray:
    """One weight for each row, with as many dimensions as ``like``."""
    return weights.reshape(-1, *(1,) * (like.ndim - 1))


def _filled(X: Any) -> Any:
    """``X`` with rows of zeros, up to the next power of two."""
    missing = (1 << (X.shape[0] - 1).bit_length()) - X.shape[0]
    if not scipy.sparse.issparse(X):
        return np.pad(X, ((0, missing), (0, 0)))
    shape = X.shape[0] + missing, X.shape[1]
    return scipy.sparse.csr_array((X.data, X.indices, np.pad(X.indptr, (0, missing), mode="edge")), shape=shape)


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
    MODEL = Classifier

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetClassifier:
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        labels = labels.astype("int32")
        self._learn(X, [labels], [len(self.classes_)], _weights(sample_weight, X), strata=labels)
        return self

    def predict(self, X: Any) -> np.ndarray:
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        return self._ask(X, "predict_proba")

    def predict_log_proba(self, X: Any) -> np.ndarray:
        return log_softmax(self._ask(X, "predict_logit"), axis=1)


class NetRegressor(RegressorMixin, _NetEstimator):
    MODEL = Regressor

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetRegressor:
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], multi_output=True, y_numeric=True
        )
        self._single = y.ndim == 1
        goal = y.reshape(len(y), -1).astype(X.dtype)
        self._learn(X, [goal], [goal.shape[1]], _weights(sample_weight, X))
        return self

    def predict(self, X: Any) -> np.ndarray:
        values = self._ask(X, "predict")
        return values[:, 0] if self._single else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class NetTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _NetEstimator):
    MODEL = Autoencoder

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> NetTransformer:
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32])
        self._learn(X, [], [X.shape[1]], _weights(sample_weight, X))
        return self

    def transform(self, X: Any) -> np.ndarray:
        return self._ask(X, "encode", None)

    def inverse_transform(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = check_array(X, dtype=self._dtype())
        return self._by_rows(X, "decode", None)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=self._dtype(), reset=False)
        return r2_score(X, self._by_rows(X, "predict"), sample_weight=sample_weight, multioutput="variance_weighted")

    @property
    def _n_features_out(self) -> int:
        return self.network_._layer(len(self.network_.layers) // 2).size
