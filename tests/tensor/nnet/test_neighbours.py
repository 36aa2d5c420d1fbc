"""Patches as rows, and back, against loops over the patches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T
from croton.tensor.nnet.neighbours import MODES, Images2Neibs, Neibs2Images, images2neibs, neibs2images


def patches(x, shape, step=None, mode="valid"):
    """The patches one by one, cell by cell; None where the sizes are not consistent."""
    step = step or shape
    border = [{"half": n // 2, "full": n - 1, "wrap_centered": n // 2}.get(mode, 0) for n in shape]
    lengths = x.shape[2:]
    if mode == "wrap_centered":
        counts = [-(-n // s) for n, s in zip(lengths, step, strict=True)]
    else:
        room = [n + 2 * b - c for n, b, c in zip(lengths, border, shape, strict=True)]
        if mode != "ignore_borders" and any(r % s for r, s in zip(room, step, strict=True)):
            return None
        counts = [r // s + 1 for r, s in zip(room, step, strict=True)]
    rows = []
    for n, c, i, j in np.ndindex(*x.shape[:2], *counts):
        row = []
        for k, m in np.ndindex(*shape):
            at = [i * step[0] + k - border[0], j * step[1] + m - border[1]]
            if mode == "wrap_centered":
                at = [a % length for a, length in zip(at, lengths, strict=True)]
            inside = all(0 <= a < length for a, length in zip(at, lengths, strict=True))
            row.append(x[n, c, at[0], at[1]] if inside else 0)
        rows.append(row)
    return np.asarray(rows, x.dtype).reshape(-1, shape[0] * shape[1])


@pytest.mark.parametrize("mode", MODES)
def test_values(mode, agree):
    @settings(max_examples=6)
    @given(st.data())
    def compare(data):
        sizes = [1, 3] if mode == "wrap_centered" else [1, 2, 3]
        shape = tuple(data.draw(st.lists(st.sampled_from(sizes), min_size=2, max_size=2)))
        step = tuple(data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=2)))
        lengths = [n + data.draw(st.integers(0, 3)) for n in shape]
        if mode in ("valid", "half", "full"):
            border = {"valid": lambda n: 0, "half": lambda n: n // 2, "full": lambda n: n - 1}[mode]
            while any((n + 2 * border(c) - c) % s for n, c, s in zip(lengths, shape, step, strict=True)):
                lengths = [n + bool((n + 2 * border(c) - c) % s) for n, c, s in zip(lengths, shape, step, strict=True)]
        x = np.arange(6 * np.prod(lengths), dtype=data.draw(st.sampled_from(["float32", "int32"])))
        x = x.reshape(2, 3, *lengths)
        agree(lambda x: images2neibs(x, shape, step, mode), lambda x: patches(x, shape, step, mode), x)

    compare()


def test_there_and_back(agree):
    x = np.random.RandomState(0).randn(2, 3, 4, 6)
    agree(lambda x: neibs2images(x, (2, 3), (2, 3, 4, 6)), lambda _: x, patches(x, (2, 3)))
    cut = np.pad(x, [(0, 0), (0, 0), (0, 1), (0, 2)])
    agree(lambda x: neibs2images(x, (2, 3), (2, 3, 5, 8), "ignore_borders"), lambda _: cut, patches(x, (2, 3)))


@pytest.mark.parametrize(
    "mode, step",
    [("valid", (1, 1)), ("ignore_borders", (2, 1)), ("half", (1, 2)), ("full", (5, 3)), ("wrap_centered", (2, 1))],
)
def test_gradients(mode, step, gradients_agree):
    """Each of the patches weighs its cells, those outside the image aside."""
    x = np.random.RandomState(0).randn(1, 2, 4, 5)
    shape = (3, 3)
    assert patches(x, shape, step, mode) is not None
    gradients_agree(lambda x: images2neibs(x, shape, step, mode), x)


def test_gradient_of_the_inverse(gradients_agree):
    x = np.random.RandomState(0).randn(4, 6)
    gradients_agree(lambda x: neibs2images(x, (2, 3), (1, 1, 5, 7), "ignore_borders"), x)


def test_symbolic_sizes():
    x, shape, step, original = T.tensor4("x", dtype="float64"), *T.lvectors("shape", "step", "original")
    y = images2neibs(x, shape, step)
    f = croton.function([x, shape, step, original], [y, neibs2images(y, shape, original)])
    data = np.random.RandomState(0).randn(2, 1, 4, 6)
    for size in ((2, 3), (4, 1)):
        rows, back = f(data, size, size, data.shape)
        np.testing.assert_array_equal(rows, patches(data, size))
        np.testing.assert_array_equal(back, data)
    with pytest.raises(
        ValueError, match=r"shape \(2, 1, 4, 4\) have 8 patches of 2 by 2, the matrix has shape \(12, 4\)"
    ):
        f(data, (2, 2), (2, 2), (2, 1, 4, 4))
    with pytest.raises(ValueError, match="neib_shape must be 2 integers"):
        f(data, (2, 2, 2), (2, 2), data.shape)
    # Between call and program a TypeError becomes a ValueError.
    with pytest.raises(
        (TypeError, ValueError), match=r"of x, dimension 2 of length 4: neib_shape\[0\] = 3 and neib_st"
    ):
        f(data, (3, 2), (2, 2), data.shape)


def test_ops_are_found_in_the_graph():
    y = images2neibs(T.tensor4("x"), (2, 2), mode="half")
    assert y.owner.op == Images2Neibs("half") and y.type.shape == (None, 4)
    assert neibs2images(y, (2, 2), (1, 1, 4, 4)).owner.op == Neibs2Images("valid")


X = T.TensorType("float32", shape=(1, 1, 4, 6))("x")
BAD = [
    (lambda: images2neibs(X, (2, 2), mode="same"), NotImplementedError, "mode 'same' is none of 'valid', 'half'"),
    (lambda: neibs2images(T.matrix(), (2, 2), (1, 1, 4, 4), "half"), NotImplementedError, "mode 'half' is neither"),
    (lambda: images2neibs(T.matrix("m"), (2, 2)), TypeError, "m of type .* must have 4 dimensions"),
    (lambda: images2neibs(X, (2, 2, 2)), TypeError, "neib_shape must be 2 integers"),
    (lambda: images2neibs(X, (2, 2), 1), TypeError, "neib_step must be 2 integers"),
    (lambda: images2neibs(X, (2.0, 2.0)), TypeError, "neib_shape must be 2 integers"),
    (
        lambda: images2neibs(X, (3, 2)),
        TypeError,
        r"of x, dimension 2 of length 4: neib_shape\[0\] = 3 .* not consistent",
    ),
    (lambda: images2neibs(X, (2, 7)), TypeError, "dimension 3 of length 6: a patch of 7 is larger"),
    (lambda: images2neibs(X, (2, 7), mode="ignore_borders"), TypeError, "a patch of 7 is larger"),
    (lambda: images2neibs(X, (2, 2), mode="wrap_centered"), TypeError, "must be odd"),
    (lambda: images2neibs(X, (2, 2), (0, 1)), ValueError, r"neib_step\[0\] = 0 must be at least 1"),
    (lambda: neibs2images(X, (2, 2), (1, 1, 4, 4)), TypeError, "must be a matrix"),
    (lambda: neibs2images(T.matrix(), (2, 2), (4, 4)), TypeError, "original_shape must be 4 integers"),
]


@pytest.mark.parametrize("build, kind, message", BAD)
def test_bad_arguments(build, kind, message):
    with pytest.raises(kind, match=message):
        build()


def test_images_that_are_no_multiples():
    m = T.matrix("m")
    with pytest.raises(
        (TypeError, ValueError), match="of m: patches of 2 by 2 are not consistent with images of 5 by 4"
    ):
        croton.function([m], neibs2images(m, (2, 2), (1, 1, 5, 4)))(np.ones((4, 4), "float32"))
