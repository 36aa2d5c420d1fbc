"""From the short ways of describing a layer (a size, a tuple, a dict) to the layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from croton.nets import activations
from croton.nets.layers import Input, Layer, Tied
from croton.nets.registry import UnknownName, nearest
from croton.nets.util import ConfigurationError, LayerError


def build_layer(
    given: Any, layers: Sequence[Layer], defaults: Mapping[str, Any], first: Mapping[str, Any], extra: Mapping[str, Any]
) -> Layer:
    """The layer that ``given`` describes, to stand behind ``layers``.

    ``defaults`` are the keywords of a layer that computes, ``first`` those of an input; ``extra`` the caller's own,
    which win over both and lose against what ``given`` says.
    """
    if isinstance(given, Layer):
        if extra:
            raise TypeError(f"layer {given.name!r} is built already: {', '.join(extra)} cannot reach it any more")
        return given
    said = {**extra, **keywords(given)}
    form = said.pop("form", "feedforward" if layers else "input")
    cls = form if isinstance(form, type) else Layer.get_class(form)
    if issubclass(cls, Input):
        if "shape" in said:
            first = {k: v for k, v in first.items() if k != "ndim"}
        made = cls(**{**first, **said})
        if not isinstance(made, Layer):
            raise TypeError(f"{cls.__name__} made {made!r}, which is no layer")
        return made
    if not layers:
        raise ConfigurationError(
            f"the first layer of a network is its input, and {cls.__name__.lower()} is none: begin with its size, "
            "as in Network([10, ...])"
        )
    return _computing(cls, layers, {**defaults, **said}, said)


def _computing(cls: Any, layers: Sequence[Layer], keywords: dict[str, Any], said: Mapping[str, Any]) -> Layer:
    previous = layers[-1]
    if issubclass(cls, Tied):
        keywords["partner"] = partner(layers, said.get("partner"))
        for key in ("size", "shape"):
            keywords.pop(key, None)
        if "name" not in said:
            keywords.pop("name")
    given = keywords.pop("inputs", None)
    if issubclass(cls, Tied) and (given is None or (isinstance(given, Mapping) and list(given) == ["out"])):
        # By its alias, so that the layer can also stand on another one: layerwise training moves it.
        inputs, shapes = {"out": previous.size}, {"out": previous.shape}
    else:
        inputs, shapes = resolve(layers, previous if given is None else given, keywords.get("name"))
    if "shape" in keywords and not issubclass(cls, _shaped()):
        shape = keywords.pop("shape")
        keywords.setdefault("size", shape[-1])
    if not issubclass(cls, Tied):
        keywords.setdefault("size", None)
    layer: Layer = cls(inputs=inputs, input_shapes=shapes, **keywords)
    return layer


def _shaped() -> tuple[type, ...]:
    """The forms that take a shape of their own."""
    return (Layer.get_class("reshape"),)


def keywords(given: Any) -> dict[str, Any]:
    """What a specification says, as keywords. Raises TypeError for what is no specification."""
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, str):
        return {"form": given}
    if isinstance(given, type) and issubclass(given, Layer):
        return {"form": given}
    if isinstance(given, tuple | list):
        return _from_sequence(given)
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        return {"size": int(given)}
    raise TypeError(
        f"{given!r} describes no layer: pass a size, a tuple such as (100, 'tanh'), a dict such as "
        "dict(size=100, form='rnn'), the name of a form, or a Layer"
    )


def _from_sequence(given: Sequence[Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    sizes: list[int] = []
    for item in given:
        if isinstance(item, int | np.integer) and not isinstance(item, bool):
            sizes.append(int(item))
        elif isinstance(item, type) and issubclass(item, Layer):
            said["form"] = item
        elif isinstance(item, str):
            key = "form" if Layer.is_registered(item) else "activation"
            if key == "activation" and not _is_activation(item):
                raise UnknownName(
                    f"{item!r} in {given!r} is neither a form of layer nor an activation: "
                    f"{nearest(item, [*Layer.known(), *activations.known()])}"
                )
            said[key] = item
        elif callable(item):
            said["activation"] = item
        else:
            raise TypeError(
                f"{item!r} in the layer {given!r} is not understood: a tuple holds a size, a form, an activation; "
                "pass a dict for more"
            )
    if len(sizes) == 1:
        said["size"] = sizes[0]
    elif sizes:
        said["shape"] = tuple(sizes)
    return said


def _is_activation(name: str) -> bool:
    known = activations.known()
    return all(part.strip().lower() in known or part.strip().lower().startswith("maxout:") for part in name.split("+"))


def resolve(layers: Sequence[Layer], given: Any, name: Any) -> tuple[dict[str, int], dict[str, Any]]:
    """(full output name -> size, full output name -> shape of one example) of what a layer called ``name`` reads."""
    if isinstance(given, Mapping):
        shapes: dict[str, Any] = {}
        for key, size in given.items():
            layer, output = _find(layers, key, name)
            shape = (*layer.output_shape(output)[:-1], size)
            shapes[key] = shape
        return {str(k): int(v) for k, v in given.items()}, shapes
    listed = [given] if isinstance(given, str | Layer) else given
    if not isinstance(listed, tuple | list) or not listed or not all(isinstance(i, str | Layer) for i in listed):
        raise TypeError(
            f"layer {name!r}: inputs={given!r}: pass the name of a layer or output, a layer, a list of them, or a "
            "dict from output names to sizes"
        )
    found = [_find(layers, i, name) for i in listed]
    shapes = {layer.output_name(output): layer.output_shape(output) for layer, output in found}
    return {key: _last(shape, key, name) for key, shape in shapes.items()}, shapes


def _last(shape: Any, key: str, name: Any) -> int:
    if shape[-1] is None:
        raise ConfigurationError(
            f"layer {name!r}: the size of {key!r} is not known (its shape is {shape}): pass inputs={{{key!r}: size}}"
        )
    return int(shape[-1])


def _find(layers: Sequence[Layer], given: Any, name: Any) -> tuple[Layer, str]:
    """The layer and the short name of its output that ``given`` names."""
    wanted, _, output = (given.name if isinstance(given, Layer) else given).partition(":")
    if wanted == "out" and not output and all(x.name != "out" for x in layers):
        return layers[-1], "out"
    for layer in layers:
        if layer.name == wanted:
            return layer, output or "out"
    raise LayerError(
        f"layer {name!r} reads {given if isinstance(given, str) else wanted!r}, and no earlier layer has that name: "
        f"{nearest(wanted, [x.name for x in layers])}"
    )


def partner(layers: Sequence[Layer], given: Any = None) -> Layer:
    """The layer whose weights a tied layer shares: the one given, or the one that its place mirrors.

    Walking back from the end, a tied layer adds one to a count that begins at 1 and any other takes one off; the layer
    where it reaches 0 is the partner. Raises LayerError if there is none.
    """
    if isinstance(given, Layer):
        return given
    if given is not None:
        return _find(layers, given, "tied")[0]
    count = 1
    for layer in reversed(layers):
        count += 1 if isinstance(layer, Tied) else -1
        if count == 0:
            if isinstance(layer, Input):
                break
            return layer
    raise LayerError(
        "a tied layer has no partner: there are more tied layers than layers with weights before them; name "
        "one by partner="
    )
