"""The cost of CTC against the sum over all paths."""

import itertools

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.tensor.nnet.ctc import ConnectionistTemporalClassification, ctc


def spelled(path):
    return [s for s, _ in itertools.groupby(path) if s]


def by_paths(x, labels, lengths):
    costs = []
    for n, length in enumerate(lengths):
        wanted = [label for label in labels[n] if label >= 0]
        e = np.exp(x[:length, n])
        p = e / e.sum(1, keepdims=True)
        paths = itertools.product(range(x.shape[2]), repeat=length)
        total = sum(np.prod([p[t, s] for t, s in enumerate(path)]) for path in paths if spelled(path) == wanted)
        costs.append(-np.log(total) if total else np.inf)
    return np.asarray(costs, x.dtype)


# Labels, and steps: repeats, padding in the middle, too few steps for them, none at all.
LABELS = np.array([[1, 2, -1], [1, 1, -1], [2, -1, 1], [1, 1, -1], [-1, -1, -1], [-1, -1, -1], [2, 1, 2], [1, -1, -1]])
LENGTHS = np.array([5, 4, 5, 2, 3, 0, 3, 0])
X = np.random.RandomState(0).randn(5, len(LENGTHS), 3) * 2


@pytest.mark.parametrize("dtypes", [("float32", "int32"), ("float64", "int64")])
def test_against_the_sum_over_all_paths(dtypes, agree):
    x, labels, lengths = X.astype(dtypes[0]), LABELS.astype(dtypes[1]), LENGTHS.astype(dtypes[1])
    assert np.isinf(by_paths(x, labels, lengths)).tolist() == [0, 0, 0, 1, 0, 0, 0, 1]
    agree(ctc, by_paths, x, labels, lengths, tolerance=2e-5 if dtypes[0] == "float32" else None)


def test_gradient(gradients_agree):
    finite = [0, 1, 2, 4, 5, 6]
    gradients_agree(ctc, X[:, finite], LABELS[finite], LENGTHS[finite])
    x = T.tensor3("x", dtype="float64")
    g = croton.function([x], croton.grad(ctc(x, LABELS, LENGTHS)[3], x))(X)
    assert not g.any()


def test_long_sequences_do_not_underflow():
    """A thousand steps of almost certain symbols: the cost is that of leaving nothing out."""
    x = np.zeros((1000, 1, 3), "float32")
    x[:, :, 0] = 20
    x[::2, :, 0], x[::2, :, 1] = 0, 20
    v = T.ftensor3("x")
    (cost,) = croton.function([v], ctc(v, np.ones((1, 500), "int32"), np.array([1000])))(x)
    assert abs(cost) < 1e-3


def test_bad_arguments():
    x, labels, lengths = T.ftensor3("x"), T.imatrix("labels"), T.ivector("lengths")
    for arguments, kind, message in (
        ((T.itensor3("i"), labels, lengths), TypeError, "activations must be floats, got i"),
        ((x, T.fmatrix("f"), lengths), TypeError, "labels must be integers, got f"),
        ((x, labels, T.fvector("f")), TypeError, "input_lengths must be integers"),
        ((T.fmatrix("m"), labels, lengths), ValueError, "activations must have 3 dimensions, got m"),
        ((x, T.ivector("v"), lengths), ValueError, "labels must have 2 dimensions"),
        ((x, labels, labels), ValueError, "input_lengths must have 1 dimensions"),
    ):
        with pytest.raises(kind, match=message):
            ctc(*arguments)
    cost = ctc(x, labels, lengths)
    assert isinstance(cost.owner.op, ConnectionistTemporalClassification)
    f = croton.function([x, labels, lengths], cost)
    zeros = np.zeros((2, 2, 3), "float32")
    for values, message in (
        (([[1], [3]], [2, 2]), "labels must lie between 1 and 2"),
        (([[1], [0]], [2, 2]), "labels must lie between 1 and 2"),
        (([[1], [2]], [2, 3]), "input_lengths must lie between 0 and 2"),
        (([[1], [2]], [2, -1]), "input_lengths must lie between 0 and 2"),
        (([[1]], [2, 2]), r"activations of shape \(2, 2, 3\) are of 2 sequences, labels of 1, input_lengths of 2"),
    ):
        with pytest.raises(ValueError, match=message):
            f(zeros, *[np.asarray(v, "int32") for v in values])
