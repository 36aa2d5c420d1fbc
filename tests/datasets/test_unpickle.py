import os
import pickle
import struct

import numpy as np
import pytest

from croton.datasets.unpickle import load_arrays

ARRAYS = (
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
    np.array([1, 255], ">u2"),
)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_every_protocol(protocol):
    found = load_arrays(pickle.dumps((ARRAYS, {"name": [1, 2.5, None]}), protocol))
    for array, wanted in zip(found[0], ARRAYS, strict=True):
        assert array.dtype.newbyteorder("=") == wanted.dtype.newbyteorder("=")
        np.testing.assert_array_equal(array, wanted)
    assert found[1] == {"name": [1, 2.5, None]}


def python2_pickle(array):
    """The bytes that Python 2 wrote for an array: 8-bit strings, and integers for the flags of its dtype."""
    code = array.dtype.str[1:].encode()
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01("
        + b"".join(b"K" + bytes([n]) for n in array.shape)
        + b"tcnumpy\ndtype\nU"
        + bytes([len(code)])
        + code
        + b"K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<I", array.nbytes)
        + array.tobytes()
        + b"tb."
    )


def test_python2_arrays_with_bytes_above_127():
    array = np.array([[-1.5, 200, 3e38], [0, 1, 2]], "<f4")
    found = load_arrays(python2_pickle(array))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, array)


class Command:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (Command(os.mkdir, "made"), "mkdir"),
        (Command(eval, "open('made', 'w')"), "eval"),
        (Command(np.load, "made"), "load"),
        (Command(getattr, np, "load"), "getattr"),
    ],
)
def test_anything_else_is_refused_before_it_runs(tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    try:
        data = pickle.dumps([ARRAYS[0], command])
    except TypeError:  # a module does not pickle: write the same by name
        data = b"cbuiltins\ngetattr\n."
    with pytest.raises(pickle.UnpicklingError, match=rf"{name}, and only NumPy arrays are admitted"):
        load_arrays(data)
    assert not list(tmp_path.iterdir())


def test_bytes_in_another_encoding_are_refused():
    with pytest.raises(pickle.UnpicklingError, match="utf-16"):
        load_arrays(b"c_codecs\nencode\n(Vabc\nVutf-16\ntR.")
