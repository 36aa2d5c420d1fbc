import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from croton.datasets.idx import DTYPES, read_idx


def idx(array, code=0x08):
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


@given(data=st.data(), code=st.sampled_from(sorted(DTYPES)), gzipped=st.booleans())
def test_what_is_written_is_read(folder, data, code, gzipped):
    dtype = np.dtype(DTYPES[code])
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
    content = idx(array, code)
    path = folder / "values"
    path.write_bytes(gzip.compress(content, 1) if gzipped else content)
    found = read_idx(path)
    assert found.dtype == dtype.newbyteorder("=")
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, array)
    found[...] = 1  # the caller's own: writable


IMAGES = idx(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file.*found nothing"),
        (b"<html>", "not an IDX file.*found 3c 68 74 6d"),
        (b"\0\0\x07\x01" + IMAGES[4:], "not an IDX file.*found 00 00 07 01"),
        (IMAGES[:9], "expected a header of 16 bytes for rank 3, found 9"),
        (IMAGES[:-1], r"expected 12 bytes of values for shape \(3, 2, 2\) of uint8, found 11; the file is cut short"),
        (IMAGES + b"!", "expected 12 bytes.*found 13; the file is too long"),
        (gzip.compress(IMAGES)[:-9], "damaged gzip file"),
        (gzip.compress(IMAGES)[:-8] + b"\1" * 8, "damaged gzip file.*CRC"),
        (gzip.compress(IMAGES)[:10] + b"\xff" * 20, "damaged gzip file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_a_damaged_file_is_named_with_what_was_found(tmp_path, content, message):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"(?s)^{path}: .*{message}"):
        read_idx(path)
