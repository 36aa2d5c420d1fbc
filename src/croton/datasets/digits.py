"""Scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels. They need no network."""

import numpy as np
from numpy.typing import NDArray

Pair = tuple[NDArray[np.float32], NDArray[np.int32]]


def digits() -> tuple[Pair, Pair, Pair]:
    """The handwritten digits that scikit-learn carries, split into training, validation and test pairs.

    Pixels are grey levels 0 to 16; x is level / 17, so it lies in [0, 1) as ``mnist``'s pixels / 256 do. The split is
    fixed: of every six consecutive images the first is for validation, the second for testing, the rest for
    training. The images stand in the order in which people wrote them, so each writer is in all three parts.

    Returns (train, valid, test), each a pair (x, y): x float32 of shape (n, 64), one image a row; y int32 of shape
    (n,), the digit shown. n is 1,197, 300 and 300. The arrays are the caller's own.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998
    (its test set).

    >>> train, valid, test = digits()
    >>> [(x.shape, y.shape) for x, y in (train, valid, test)]
    [((1197, 64), (1197,)), ((300, 64), (300,)), ((300, 64), (300,))]
    >>> train[0].dtype, train[1].dtype
    (dtype('float32'), dtype('int32'))
    """
    from sklearn.datasets import load_digits  # here: it takes a second that only users of this data set should pay

    bunch = load_digits()
    x = bunch.data.astype(np.float32) / np.float32(17)
    y = bunch.target.astype(np.int32)
    place = np.arange(len(y)) % 6
    train, valid, test = ((x[rows], y[rows]) for rows in (place > 1, place == 0, place == 1))
    return train, valid, test
