"""Plain data with arrays in a safetensors file: the arrays as they are, the rest as JSON in its header."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from croton.nets.util import ConfigurationError


def looks(content: bytes) -> bool:
    """Whether it begins with the length of a header, in eight bytes, and then a header.

    That length can be the bytes that pickles or compressed files begin with, but these have no brace in ninth place.
    """
    return content[8:9] == b"{" and int.from_bytes(content[:8], "little") < 1 << 30


def write(document: Mapping[str, Any]) -> bytes:
    """A document as a safetensors file. Raises ConfigurationError for an array of a type that such files lack."""
    tensors: dict[str, np.ndarray] = {}
    header = json.dumps(_encode(document, "", tensors), allow_nan=False)
    try:
        return safetensors.numpy.save(tensors, {"croton": header})
    except SafetensorError as error:
        raise ConfigurationError(f"the network cannot be saved as safetensors: {error}") from error


def _encode(value: Any, name: str, tensors: dict[str, np.ndarray]) -> Any:
    """Plain data as JSON has it: arrays go to ``tensors``, what JSON lacks becomes a dict with one key in ``$``."""
    if isinstance(value, np.ndarray):
        tensors[name] = np.array(value, order="C")
        return {"$array": name}
    if isinstance(value, tuple):
        return {"$tuple": _encode(list(value), name, tensors)}
    if isinstance(value, list):
        return [_encode(v, f"{name}/{k}", tensors) for k, v in enumerate(value)]
    if isinstance(value, dict):
        if all(isinstance(k, str) and not k.startswith("$") for k in value):
            return {k: _encode(v, f"{name}/{k}" if name else k, tensors) for k, v in value.items()}
        return {"$dict": _encode([list(pair) for pair in value.items()], name, tensors)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value


_DECODED = {
    "$array": lambda v, tensors: tensors[v],
    "$tuple": lambda v, tensors: tuple(_decode(v, tensors)),
    "$dict": lambda v, tensors: dict(_decode(v, tensors)),
    "$float": lambda v, tensors: float(v),
}


def _decode(value: Any, tensors: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decode(v, tensors) for v in value]
    if isinstance(value, dict):
        for key in value.keys() & _DECODED.keys():
            return _DECODED[key](value[key], tensors)
        return {k: _decode(v, tensors) for k, v in value.items()}
    return value


def read(content: bytes, title: str) -> dict[str, Any]:
    """The document in a safetensors file. Raises ValueError, naming ``title``, where there is none."""
    try:
        tensors = safetensors.numpy.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        text = header.get("__metadata__", {}).get("croton")
        found = None if text is None else _decode(json.loads(text), tensors)
    except (SafetensorError, ValueError, TypeError, LookupError) as error:
        raise ValueError(
            f"{title} is no network that can be read: it looks like safetensors, cut off or damaged ({error})"
        ) from error
    if not isinstance(found, dict):
        raise ValueError(
            f"{title} is no network: it is a safetensors file of arrays alone, without croton's description"
        )
    return found
