"""Layers without parameters: inputs put together, or one put into another shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np

from croton import tensor as T
from croton.graph.core import Variable
from croton.nets.layers.base import Layer, Shape
from croton.nets.util import ConfigurationError

__all__ = ["Concatenate", "Flatten", "Product", "Reshape"]


class _Merge(Layer):
    """A layer whose size follows from its inputs: it may be left out, and one that is given must be right."""

    activates: ClassVar[bool] = False

    def __init__(
        self, size: int | None, inputs: Any, name: str | None = None, activation: Any = "relu", **kwargs: Any
    ) -> None:
        # One that reads by a size alone whatever comes before it cannot know the shape of that.
        self._guessed = isinstance(inputs, int | np.integer) and not kwargs.get("input_shapes")
        super().__init__(size, inputs, name, activation, **kwargs)
        known = None if size is None or self._guessed else self.known_size()
        if known is not None and known != self.size:
            raise self._wrong(f"its size is {known}, as its inputs say, and size={size} was given")

    def known_size(self) -> int | None:
        """The size that follows from the inputs; None where it cannot be known."""
        raise NotImplementedError

    def infer_size(self) -> int:
        size = self.known_size()
        if size is None:
            shapes = ", ".join(f"{name} {shape}" for name, shape in self.input_shapes.items())
            raise self._wrong(f"its size does not follow from the shapes of its inputs ({shapes}): pass a size")
        return size

    def _wrong(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"layer {self.name!r} ({type(self).__name__.lower()}): {what}")


class Product(_Merge):
    """The elementwise product of its inputs, (..., size), all of one size. As theanets.layers.Product.

    Also called ``prod``. Output: ``out``; the activation is not applied.

    >>> Product(None, {"a:out": 3, "b:out": 3}).size
    3
    """

    __extra_registration_keys__ = ("prod",)

    def known_size(self) -> int:
        if len(set(self.inputs.values())) != 1:
            sizes = ", ".join(f"{name} {size}" for name, size in self.inputs.items())
            raise self._wrong(f"its inputs must have one size, and have {sizes or 'none'}")
        return next(iter(self.inputs.values()))

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The product, as ``out``."""
        first, *others = (inputs[name] for name in self.inputs)
        out: Any = first
        for other in others:
            out = out * other
        return {"out": out}, []


class Concatenate(_Merge):
    """Its inputs side by side along the last dimension, in the order of ``inputs``. As theanets.layers.Concatenate.

    Also called ``concat``. The original sorted the inputs by name. Output: ``out``, (..., sum of the sizes); the
    activation is not applied.

    >>> Concatenate(None, {"b:out": 3, "a:out": 2}).size
    5
    """

    __extra_registration_keys__ = ("concat",)

    def known_size(self) -> int:
        return sum(self.inputs.values())

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The inputs joined, as ``out``."""
        return {"out": T.concatenate([inputs[name] for name in self.inputs], axis=-1)}, []


class Flatten(_Merge):
    """All that an example has as one vector: (m, ...) to (m, product of the rest). As theanets.layers.Flatten.

    Also called ``flat``. The size follows from the shape of the input where that is known, as behind images it is.
    Output: ``out``; the activation is not applied.

    >>> Flatten(None, {"x:out": 3}, input_shapes={"x:out": (4, 4, 3)}).size
    48
    """

    __extra_registration_keys__ = ("flat",)

    def known_size(self) -> int | None:
        shape = self.input_shapes[self.input_name]
        return None if None in shape else prod(n for n in shape if n is not None)

    def infer_shape(self) -> Shape:
        return (self.size,)

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The input flattened, as ``out``."""
        return {"out": T.flatten(inputs[self.input_name], 2)}, []


class Reshape(_Merge):
    """Each example in another shape: (m, ...) to (m, *shape). As theanets.layers.Reshape.

    >>> Reshape((4, -1), inputs={"x:out": 12}).shape
    (4, 3)

    Arguments:
      ``shape``: of one example's output; one length may be -1, to be what is left over.

    The size is the last length. Output: ``out``; the activation is not applied. Raises ConfigurationError where the
    shape does not hold as many numbers as the input's, or its last length cannot be known.
    """

    def __init__(
        self,
        shape: Sequence[int],
        size: int | None = None,
        inputs: Any = None,
        name: str | None = None,
        activation: Any = "relu",
        **kwargs: Any,
    ) -> None:
        lengths: list[Any] = [shape] if isinstance(shape, int | np.integer) else list(shape)
        whole = all(isinstance(n, int | np.integer) and (n > 0 or n == -1) for n in lengths)
        if not lengths or not whole or lengths.count(-1) > 1:
            raise ConfigurationError(
                f"layer {name!r} (reshape): shape={shape!r} must be the positive lengths of an example; one may be -1"
            )
        self.given = tuple(int(n) for n in lengths)
        super().__init__(size, inputs, name, activation, **kwargs)

    def _total(self) -> int | None:
        shape = self.input_shapes[self.input_name]
        return None if None in shape else prod(n for n in shape if n is not None)

    def infer_shape(self) -> Shape:
        total, fixed = self._total(), prod(n for n in self.given if n != -1)
        if total is not None and not self._guessed and (total % fixed if -1 in self.given else total != fixed):
            raise self._wrong(
                f"shape={self.given} does not hold the {total} numbers of {self.input_name!r}, an example of which has "
                f"the shape {self.input_shapes[self.input_name]}"
            )
        left = None if total is None else total // fixed
        return tuple(left if n == -1 else n for n in self.given)

    def known_size(self) -> int | None:
        return self.infer_shape()[-1]

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The input reshaped, as ``out``."""
        x: Any = inputs[self.input_name]
        return {"out": T.reshape(x, [x.shape[0], *self.given], ndim=len(self.given) + 1)}, []

    def to_spec(self) -> dict[str, Any]:
        """The description of every layer, and the shape."""
        return {**super().to_spec(), "shape": list(self.given)}
