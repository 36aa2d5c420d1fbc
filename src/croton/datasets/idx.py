"""The IDX format: a magic number, the sizes, then the values, all big-endian. Plain or gzipped."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_bytes(path: Path) -> bytes:
    """The content of a file, decompressed if it is gzipped (told by its first bytes, not by its name).

    Raises ValueError where the file is gzipped and damaged or cut short.
    """
    data = path.read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: a damaged gzip file ({error}); delete it and get it again") from error


def read_idx(path: Path) -> NDArray[np.generic]:
    """The array in an IDX file, gzipped or not, in this machine's byte order.

    The format: two zero bytes, a byte for the dtype, a byte for the rank, the sizes as big-endian 32-bit integers,
    and then the values in C order.

    Raises ValueError where the file is not IDX, or has fewer or more bytes than its header says. The message names
    the file and what was expected and found.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    data = read_bytes(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in DTYPES:
        raise ValueError(
            f"{path}: not an IDX file; expected it to begin with two zero bytes, a dtype code "
            f"({', '.join(f'0x{code:02x}' for code in DTYPES)}) and a rank, found {data[:4].hex(' ') or 'nothing'}"
        )
    dtype, rank = np.dtype(DTYPES[data[2]]), data[3]
    start = 4 + 4 * rank
    if len(data) < start:
        raise ValueError(f"{path}: expected a header of {start} bytes for rank {rank}, found {len(data)} bytes in all")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", rank, offset=4))
    expected, found = dtype.itemsize * math.prod(shape), len(data) - start
    if expected != found:
        raise ValueError(
            f"{path}: expected {expected} bytes of values for shape {shape} of {dtype.newbyteorder('=').name}, "
            f"found {found}; the file is {'cut short' if found < expected else 'too long'}"
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
