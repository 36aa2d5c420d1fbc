import numpy as np
from sklearn.datasets import load_digits

from croton.datasets import digits


def test_each_image_is_in_one_part_and_keeps_its_label():
    parts = digits()
    source = load_digits()
    wanted = sorted((*np.round(row).astype(int), label) for row, label in zip(source.data, source.target, strict=True))
    found = sorted((*np.round(row * 17).astype(int), label) for x, y in parts for row, label in zip(x, y, strict=True))
    assert found == wanted


def test_scale_and_dtypes():
    for x, y in digits():
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
        assert x.min() == 0 and x.max() == np.float32(16) / np.float32(17)


def test_every_digit_is_well_represented_in_every_part():
    for x, y in digits():
        counts = np.bincount(y, minlength=10)
        assert counts.shape == (10,)
        assert counts.min() > 0.07 * len(x)


def test_the_arrays_are_the_callers_own():
    (x, y), _, _ = digits()
    x[:] = -1
    y[:] = -1
    (again, labels), _, _ = digits()
    assert again.min() == 0 and labels.min() == 0
