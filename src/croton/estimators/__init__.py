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

from croton.estimators.classifier import NetClassifier
from croton.estimators.regressor import NetRegressor
from croton.estimators.transformer import NetTransformer

__all__ = ["NetClassifier", "NetRegressor", "NetTransformer"]
