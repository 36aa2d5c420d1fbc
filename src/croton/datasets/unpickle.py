"""Reading a pickle of NumPy arrays that somebody else made, without running anything of theirs."""

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np


def _dtype(spec: str, align: object = False, copy: object = False) -> np.dtype[Any]:
    # Python 2 wrote the flags as integers, which newer NumPys warn about.
    return np.dtype(spec, align=bool(align), copy=bool(copy))


def _encode(text: str, encoding: str) -> bytes:
    # Python 3 writes bytes so in the old protocols, always with this encoding.
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in encoding {encoding!r}: expected 'latin1'")
    return text.encode("latin1")


# What pickled arrays are made of, under the module names of old and new NumPys.
_RECONSTRUCT: Any = np.empty(0).__reduce__()[0]
_FROMBUFFER: Any = np.empty(0).__reduce_ex__(5)[0]
_ADMITTED: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy.core.numeric", "_frombuffer"): _FROMBUFFER,
    ("numpy._core.numeric", "_frombuffer"): _FROMBUFFER,
    ("_codecs", "encode"): _encode,
}


class ArrayUnpickler(pickle.Unpickler):
    """Admits NumPy arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only NumPy arrays are admitted") from None


def load_arrays(data: bytes) -> Any:
    """The object in a pickle of tuples, lists, dicts, numbers, strings and NumPy arrays, Python 2's included.

    Anything else in the pickle, a function above all, is refused before it is touched.

    Raises pickle.UnpicklingError where the pickle names something else than NumPy's array constructors; on bytes that
    are no pickle, whatever ``pickle`` raises.

    >>> load_arrays(pickle.dumps((np.arange(3.0), "a")))
    (array([0., 1., 2.]), 'a')
    """
    return ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
