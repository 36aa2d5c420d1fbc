"""The old convolution of plain images, against SciPy."""

import numpy as np
import pytest
from scipy.signal import convolve2d

import croton
import croton.tensor as T
from croton.tensor.signal import conv2d

RNG = np.random.RandomState(1)
IMAGES, FILTERS = RNG.randn(3, 6, 5), RNG.randn(2, 3, 2)


def each(images, filters, mode="valid", subsample=(1, 1)):
    """Every image with every filter; without the dimension of images, or of filters, where there is none."""
    one = lambda x, f: convolve2d(x, f, mode)[:: subsample[0], :: subsample[1]]  # noqa: E731
    rows = [
        [one(x, f) for f in filters.reshape(-1, *filters.shape[-2:])] for x in images.reshape(-1, *images.shape[-2:])
    ]
    out = np.array(rows)
    out = out if filters.ndim == 3 else out[:, 0]
    return out if images.ndim == 3 else out[0]


@pytest.mark.parametrize("images", [IMAGES, IMAGES[0]], ids=["images", "image"])
@pytest.mark.parametrize("filters", [FILTERS, FILTERS[0]], ids=["filters", "filter"])
def test_values(images, filters, agree):
    modes = [("valid", (1, 1)), ("full", (1, 1)), ("valid", (2, 3)), ("full", (2, 1))]
    agree(
        lambda x, f: [conv2d(x, f, border_mode=mode, subsample=step) for mode, step in modes],
        lambda x, f: [each(x, f, mode, step) for mode, step in modes],
        images,
        filters,
    )


def test_given_shapes(agree):
    agree(lambda x, f: conv2d(x, f, (3, 6, 5), (2, 3, 2)), each, IMAGES.astype("float32"), FILTERS.astype("float32"))
    x, f = T.dmatrix("x"), T.dmatrix("f")
    z = conv2d(x, f, image_shape=(6, None), filter_shape=(3, 2))
    assert z.type.shape == (4, None)
    g = croton.function([x, f], z)
    np.testing.assert_allclose(g(IMAGES[0], FILTERS[0]), each(IMAGES[0], FILTERS[0]), rtol=1e-12)
    with pytest.raises(ValueError, match="dimension 0 of x must have length 6"):
        g(IMAGES[0, :5], FILTERS[0])


def test_gradients(gradients_agree):
    gradients_agree(lambda x, f: [conv2d(x, f), conv2d(x[0], f[0], border_mode="full")], IMAGES[:2, :4, :3], FILTERS)


def test_the_old_options_are_warned_of():
    with pytest.warns(UserWarning, match="unroll_batch, verbose steered the old op") as seen:
        z = conv2d(T.matrix(), T.matrix(), unroll_batch=2, verbose=1)
    assert seen[0].filename == __file__ and z.ndim == 2


X = T.dmatrix("x")
BAD = [
    (lambda: conv2d(T.dvector("v"), X), TypeError, "input must have 2 or 3 dimensions, got v"),
    (lambda: conv2d(X, T.dtensor4("f")), TypeError, "filters must have 2 or 3 dimensions, got f"),
    (lambda: conv2d(X, X, border_mode="same"), ValueError, "'valid' or 'full', not 'same'"),
    (lambda: conv2d(X, X, image_shape=(2, 3, 4)), ValueError, r"image_shape is \(2, 3, 4\), but input is x"),
    (
        lambda: conv2d(X, T.constant(FILTERS[0]), filter_shape=(2, 2)),
        ValueError,
        r"filter_shape is \(2, 2\), but filters",
    ),
    (lambda: conv2d(X, X, padding=1), TypeError, "no argument 'padding'"),
]


@pytest.mark.parametrize("build, kind, message", BAD)
def test_bad_arguments(build, kind, message):
    with pytest.raises(kind, match=message):
        build()


def test_a_filter_larger_than_the_image():
    with pytest.raises(ValueError):
        croton.function([X], conv2d(X, FILTERS[0]))(np.ones((2, 5)))
