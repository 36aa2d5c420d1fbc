"""What the estimators have in common: how a network is trained by parameters, and asked row by row."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from croton.nets import Network
from croton.nets.registry import nearest
from croton.nets.training import optimizers
from croton.settings import config
from croton.sparse.value import is_scipy

__all__ = ["NetEstimator", "listed", "row_weights"]

# Rows that one call of a network gets; fewer are filled up to a power of two, so that few programs serve all lengths.
ROWS = 4096

# Networks take their float type from a setting of the whole process while they are built.
_one_type = threading.RLock()


@contextmanager
def floats(dtype: Any) -> Iterator[None]:
    """While it lasts, networks are built, and their functions compiled, in this float type."""
    with _one_type, config(floatX=np.dtype(dtype).name):
        yield


class NetEstimator(BaseEstimator):
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

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """While it lasts, an error leaves the estimator as it was."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

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
        first = {"size": X.shape[1], "sparse": "csr"} if is_scipy(X) else X.shape[1]
        loss = {} if self.loss is None else {"loss": self.loss}
        with floats(X.dtype):
            seed = int(random.randint(2**31 - 1))
            network = self.MODEL([first, *listed(self.hidden), *above], weighted=weights is not None, rng=seed, **loss)
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
                f"train={{{wrong[0]!r}: ...}}: the parameters of {type(self).__name__} decide that: algo, "
                "learning_rate, batch_size, max_epochs, patience, tol, validation_fraction, verbose"
            )
        return {**own, **more}

    def _look(self, network: Network) -> None:
        """What is to be known of a network before it is trained."""

    def _run(self, network: Network, data: Any, valid: Any, options: Mapping[str, Any]) -> None:
        """Train until the loss stays where it is, and note how it went."""
        stop: dict[str, Any] = {"validate_every": 0}
        if valid is not None:
            stop = {"validate_every": 1, "patience": self.patience, "min_improvement": self.tol}
            stop["max_updates"] = self.max_epochs
        losses: list[float] = []
        validated: list[float] = []
        best, since = np.inf, 0
        epochs = network.itertrain(data, valid, **stop, **options)
        while True:
            try:
                now, judged = next(epochs)
            except StopIteration as end:
                if end.value is not None and end.value.interrupted:
                    # A search that goes on with a model half trained would choose wrongly.
                    raise KeyboardInterrupt from None
                break
            losses.append(now["loss"])
            validated.append(judged.get("loss", np.nan))
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
        check_is_fitted(self, "network_")
        return validate_data(self, X, accept_sparse="csr", dtype=self._dtype(), reset=False)

    def _by_rows(self, X: Any, method: str, *arguments: Any) -> np.ndarray:
        answers = []
        ask = getattr(self.network_, method)
        with floats(self._dtype()):
            for start in range(0, X.shape[0], ROWS):
                part = X[start : start + ROWS]
                answers.append(ask(_filled(part), *arguments)[: part.shape[0]])
        return np.concatenate(answers)

    def _dtype(self) -> Any:
        return np.dtype(self.network_.inputs[0].dtype)


def listed(hidden: Any) -> list[Any]:
    if isinstance(hidden, Integral):
        return [hidden]
    if isinstance(hidden, str | Mapping) or not isinstance(hidden, Sequence):
        raise TypeError(f"hidden={hidden!r}: pass one entry for each hidden layer, as in (100, (20, 'tanh'))")
    return list(hidden)


def _filled(X: Any) -> Any:
    """``X`` with rows of zeros, up to the next power of two."""
    missing = (1 << (X.shape[0] - 1).bit_length()) - X.shape[0]
    if not is_scipy(X):
        return np.pad(X, ((0, missing), (0, 0)))
    parts = X.data, X.indices, np.pad(X.indptr, (0, missing), mode="edge")
    return scipy.sparse.csr_array(parts, shape=(X.shape[0] + missing, X.shape[1]))


def row_weights(given: Any, X: Any) -> np.ndarray | None:
    """A weight for each row, or None where there are none. Raises ValueError for negative ones, and if all are zero."""
    if given is None:
        return None
    weights = _check_sample_weight(given, X, dtype=X.dtype)
    if (weights < 0).any():
        raise ValueError(f"Negative values in sample_weight: the least is {weights.min()}")
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights
