"""MNIST: 70,000 handwritten digits of 28 x 28 pixels."""

import os
from pathlib import Path

import numpy as np
import pooch
from numpy.typing import NDArray

from croton.datasets.digits import Pair
from croton.datasets.idx import read_bytes, read_idx
from croton.datasets.unpickle import load_arrays

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
# SHA-256 of the gzipped files as they were published.
CHECKSUMS = {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
PICKLE = "mnist.pkl.gz"
PIXELS = 28 * 28


def mnist(data_dir: str | os.PathLike[str] | None = None) -> tuple[Pair, Pair, Pair]:
    """MNIST as training, validation and test pairs of 50,000, 10,000 and 10,000 images.

    x is pixel / 256, in [0, 1): the scale on which the well-known figures of the logistic regression tutorial were
    made. The first 50,000 images of the training file are for training, its last 10,000 for validation.

    Arguments: ``data_dir``, the folder with the four IDX files (``train-images-idx3-ubyte`` and so on; with ``.gz`` or
    without; a dot before ``idx`` will do) or with ``mnist.pkl.gz``; by default a folder in the user's cache. IDX files
    that are missing there are downloaded into it, and their SHA-256 is checked.

    Returns (train, valid, test), each a pair (x, y): x float32 of shape (n, 784), one image a row; y int32 of shape
    (n,), the digit shown. The arrays are the caller's own.

    Raises NotADirectoryError where ``data_dir`` is no folder; FileNotFoundError where a file is missing and could not
    be downloaded (the message says which, where it was looked for and where to get it); ValueError where a file is
    damaged or is not MNIST's (the message names it, what was expected and what was found).

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, Proceedings of
    the IEEE 86, 1998.

    >>> (x, y), valid, test = mnist("no-such-folder")
    Traceback (most recent call last):
    NotADirectoryError: data_dir: expected a folder with MNIST's files, and no-such-folder is no folder
    """
    folder = cache_folder() if data_dir is None else Path(data_dir)
    if data_dir is not None and not folder.is_dir():
        raise NotADirectoryError(f"data_dir: expected a folder with MNIST's files, and {folder} is no folder")
    if (folder / PICKLE).is_file() and not all(_local(folder, name) for name in CHECKSUMS):
        return _read_pickle(folder / PICKLE)
    paths = {name: _local(folder, name) or _fetch(folder, name) for name in CHECKSUMS}
    x, y = _read_pair(paths["train-images-idx3-ubyte"], paths["train-labels-idx1-ubyte"], 60_000)
    test = _read_pair(paths["t10k-images-idx3-ubyte"], paths["t10k-labels-idx1-ubyte"], 10_000)
    return (x[:50_000], y[:50_000]), (x[50_000:], y[50_000:]), test


def cache_folder() -> Path:
    """The folder in the user's cache where downloaded files are kept."""
    return Path(pooch.os_cache("croton"), "mnist")


def _local(folder: Path, name: str) -> Path | None:
    stems = (name, name.replace("-idx", ".idx"))
    candidates = [folder / (stem + suffix) for stem in stems for suffix in ("", ".gz")]
    return next((path for path in candidates if path.is_file()), None)


def _fetch(folder: Path, name: str) -> Path:
    url = f"{URL}{name}.gz"
    try:
        return Path(pooch.retrieve(url, f"sha256:{CHECKSUMS[name]}", fname=f"{name}.gz", path=folder))
    except OSError as error:
        raise FileNotFoundError(
            f"MNIST: {name}.gz (or {name}) is wanted in {folder}, is not there, and could not be downloaded "
            f"({type(error).__name__}: {error}). Get it from {url} and put it into that folder, or give data_dir a "
            f"folder that has it"
        ) from error
    except ValueError as error:
        raise ValueError(
            f"MNIST: what {url} sent is not the published file: expected SHA-256 {CHECKSUMS[name]}; nothing was kept "
            f"({error})"
        ) from error


def _read_pair(images_path: Path, labels_path: Path, count: int) -> Pair:
    images, labels = read_idx(images_path), read_idx(labels_path)
    for path, array, shape in ((images_path, images, (count, 28, 28)), (labels_path, labels, (count,))):
        if array.shape != shape or array.dtype != np.uint8:
            raise ValueError(f"{path}: expected uint8 of shape {shape}, found {array.dtype} of shape {array.shape}")
    x = images.reshape(count, PIXELS).astype(np.float32)
    x /= 256
    return x, _checked_labels(labels_path, labels)


def _checked_labels(path: Path, labels: NDArray[np.generic]) -> NDArray[np.int32]:
    y = labels.astype(np.int32)
    if y.min() < 0 or y.max() > 9:
        raise ValueError(f"{path}: expected labels 0 to 9, found {y.min()} to {y.max()}")
    return y


def _read_pickle(path: Path) -> tuple[Pair, Pair, Pair]:
    data = read_bytes(path)
    try:
        content = load_arrays(data)
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{path}: cannot be read as a pickle of arrays: {type(error).__name__}: {error}") from error
    pairs = list(content) if isinstance(content, (tuple, list)) else []
    if len(pairs) != 3 or not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
        raise ValueError(f"{path}: expected three (x, y) pairs, found {_outline(content)}")
    train, valid, test = (
        _pickled_pair(path, x, y, count) for (x, y), count in zip(pairs, (50_000, 10_000, 10_000), strict=True)
    )
    return train, valid, test


def _pickled_pair(path: Path, x: object, y: object, count: int) -> Pair:
    if not (
        isinstance(x, np.ndarray)
        and isinstance(y, np.ndarray)
        and (x.shape, y.shape) == ((count, PIXELS), (count,))
        and x.dtype.kind == "f"
        and y.dtype.kind in "iu"
    ):
        raise ValueError(
            f"{path}: expected x of floats of shape {(count, PIXELS)} and y of integers of shape {(count,)}, found "
            f"{_outline(x)} and {_outline(y)}"
        )
    if not (x.min() >= 0 and x.max() < 1):
        raise ValueError(f"{path}: expected pixels divided by 256, in [0, 1), found {x.min()} to {x.max()}")
    return x.astype(np.float32), _checked_labels(path, y)


def _outline(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
