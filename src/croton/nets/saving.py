"""Networks in files: a pickle that is read with care, or safetensors with a description, which executes nothing."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from croton.datasets.unpickle import ArrayUnpickler
from croton.nets import document as documents
from croton.nets import tensorfile
from croton.nets.network import Network
from croton.nets.training.checkpoints import State

# Reading protocol 5 makes Python print complaints where an array in the file is damaged.
PROTOCOL = 4


def save(network: Network, filename: Any, training: State | None = None) -> None:
    """Write a network to a file. See ``Network.save``.

    ``filename``: a name, a path, or a binary file open for writing. A name that ends in ``.safetensors`` makes a file
    that holds plain data only, any other a pickle; one that ends in ``.gz`` is compressed besides. ``training``: the
    state of a training that ``resume`` can go on from.

    A file that is named is written beside its place, flushed and then renamed: what stood there is whole until then. An
    open file is written to as it is. Attributes of a user's own model are kept unless their names begin with ``_``.

    Raises ConfigurationError, before anything is written, for what cannot be saved: a plain function as activation or
    kernel, and (in ``.safetensors``) a keyword that is not plain data. TypeError for what is no binary file.

    >>> import io
    >>> from croton import nets
    >>> stream = io.BytesIO()
    >>> nets.Regressor([2, 3, 1]).save(stream)
    >>> nets.Network.load(io.BytesIO(stream.getvalue()))
    <Regressor: in(2) hid1(3) out(1)>
    """
    name = _name(filename).lower()
    safe = name.removesuffix(".gz").endswith(".safetensors")
    found = documents.document(network, documents.refused if safe else documents.pickled)
    if training is not None:
        values = documents.plain(dict(training.values), "the training", documents.refused)
        found["training"] = {"arrays": dict(training.arrays), "values": values}
    content = tensorfile.write(found) if safe else pickle.dumps(_Saved(found), PROTOCOL)
    if name.endswith(".gz") and not isinstance(filename, gzip.GzipFile):
        # Without the time, so that equal networks make equal files.
        content = gzip.compress(content, 6, mtime=0)
    with _target(filename) as stream:
        stream.write(content)


def load(filename: Any, trust: Any = ()) -> Network:
    """The network in a file that ``save`` wrote. See ``Network.load``.

    ``filename``: a name, a path, or a binary file open for reading; whether it is a pickle, compressed, or safetensors
    is seen from its content. ``trust``: classes of your own, or their names as ``'module.name'``, that a pickle may
    use besides croton's and NumPy's arrays; needed only where a layer's keyword is an object of such a class. Layers,
    losses, activations and models of your own are found by their names: import the module that defines them first.

    Raises FileNotFoundError; ValueError for a file that is no network, is cut off, or needs what is not known here.
    """
    found = _read(filename, trust)
    try:
        return documents.restore(found)
    except ValueError as error:
        raise ValueError(f"{_title(filename)}: {error}") from error


def resume(network: Network, filename: Any, trust: Any = ()) -> State:
    """The training state in a file, with the file's random state and constants put into ``network``.

    Raises ValueError where the file holds no training, or another network: the first difference is named, and nothing
    is changed.
    """
    own: list[Any] = []
    documents.document(network, lambda value, _: own.append(value if hasattr(value, "__qualname__") else type(value)))
    found = _read(filename, [*own, *_trusted(trust).values()])
    if "training" not in found:
        raise ValueError(
            f"{_title(filename)} holds a network and no training: it was written by save(), not by "
            "train(save_progress=...); load it and train, or name a checkpoint"
        )
    try:
        documents.check_format(found)
        documents.put_state(network, found)
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{_title(filename)} is a checkpoint of another network: {error}") from error
    return State(found["training"]["arrays"], found["training"]["values"])


@dataclass(frozen=True)
class _Saved:
    """A document; pickled, it is what makes the network again."""

    document: Mapping[str, Any]

    def __reduce__(self) -> Any:
        return documents.restore, (self.document,)


# --- places ---


def _name(file: Any) -> str:
    if isinstance(file, str | os.PathLike):
        return os.fspath(file)
    name = getattr(file, "name", "")
    return name if isinstance(name, str) else ""


def _title(file: Any) -> str:
    return _name(file) or "the file"


@contextmanager
def _target(file: Any) -> Iterator[BinaryIO]:
    """Where to write: the open file, or one beside the named place, which takes that place in the end."""
    if not isinstance(file, str | os.PathLike):
        if isinstance(file, io.TextIOBase) or not hasattr(file, "write"):
            raise TypeError(f"save: {file!r} is neither a name nor a file open for writing bytes, as open(name, 'wb')")
        yield file
        return
    target = Path(os.path.realpath(file))
    if target.exists() and not target.is_file():
        with target.open("wb") as stream:  # a device or a pipe, which must not be replaced; a directory raises
            yield stream
        return
    if not target.parent.is_dir():
        raise FileNotFoundError(f"save: there is no folder {target.parent} to write {target.name!r} to")
    beside = target.with_name(f".{target.name}.{uuid4().hex[:8]}.tmp")
    try:
        with beside.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, target)
    except BaseException:
        with suppress(FileNotFoundError):
            beside.unlink()
        raise


def _content(file: Any) -> bytes:
    if isinstance(file, str | os.PathLike):
        return Path(file).read_bytes()
    content = file.read() if hasattr(file, "read") else None
    if not isinstance(content, bytes):
        raise TypeError(f"load: {file!r} is neither a name nor a file open for reading bytes, as open(name, 'rb')")
    return content


# --- reading ---

_STRANGERS = (
    (b"PK", "a zip archive, as .npz and .keras files are"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x89PNG", "a picture"),
)


def _read(file: Any, trust: Any) -> dict[str, Any]:
    """The document in a file. Raises ValueError, saying what the file is, where there is none."""
    content = _content(file)
    try:
        while content.startswith(b"\x1f\x8b") and not tensorfile.looks(content):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{_title(file)} is no network: it is compressed, and damaged or cut off ({error})") from error
    if tensorfile.looks(content):
        return tensorfile.read(content, _title(file))
    if content.startswith(b"\x80"):
        return _from_pickle(content, _trusted(trust), _title(file))
    known = next((what for start, what in _STRANGERS if content.startswith(start)), f"it begins with {content[:12]!r}")
    raise ValueError(
        f"{_title(file)} is no network: it is {'empty' if not content else known}; save() writes a pickle, maybe "
        "compressed, or safetensors"
    )


def _trusted(trust: Any) -> dict[str, Any]:
    """Qualified names -> what they stand for, or the name itself where that is all that was given."""
    found: dict[str, Any] = {}
    for given in [trust] if isinstance(trust, str) or callable(trust) else trust:
        if isinstance(given, str):
            found[given] = given
        elif callable(given) and hasattr(given, "__qualname__"):
            found[f"{given.__module__}.{given.__qualname__}"] = given
        else:
            raise TypeError(f"trust={trust!r}: pass classes, or their names as 'module.name'")
    return found


class _Unpickler(ArrayUnpickler):
    """Admits arrays, documents, and what the user trusts."""

    def __init__(self, content: bytes, trusted: Mapping[str, Any]) -> None:
        super().__init__(io.BytesIO(content))
        self._trusted = trusted

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (documents.restore.__module__, documents.restore.__name__):
            return _Saved
        known = self._trusted.get(f"{module}.{name}")
        if known is None:
            return super().find_class(module, name)
        return pickle.Unpickler.find_class(self, module, name) if isinstance(known, str) else known


def _from_pickle(content: bytes, trusted: Mapping[str, Any], title: str) -> dict[str, Any]:
    try:
        found = _Unpickler(content, trusted).load()
    except Exception as error:  # whatever: bytes that are no pickle can make pickle raise anything
        raise ValueError(
            f"{title} is no network that can be read: {error}. It is cut off, or written by another program, "
            "or, if it names a class of yours, pass that as trust=[...]"
        ) from error
    if not isinstance(found, _Saved) or not isinstance(found.document, dict):
        raise ValueError(f"{title} is no network: it is a pickle of a {type(found).__name__}")
    return found.document


__all__: Sequence[str] = ["load", "resume", "save"]
