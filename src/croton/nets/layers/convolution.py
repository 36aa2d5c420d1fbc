"""Convolution and pooling over time (``conv1``, ``pool1``) and over images (``conv2``, ``pool2``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np

from croton import tensor as T
from croton.graph.core import Variable
from croton.nets.layers.base import Layer, Shape
from croton.nets.registry import nearest
from croton.nets.util import ConfigurationError, random_matrix
from croton.tensor.pool import pool_2d

__all__ = ["Conv1", "Conv2", "Convolution", "Pool1", "Pool2", "Pooling"]

MODES = {"max": "max", "mean": "average_exc_pad", "sum": "sum"}


class _Windows(Layer):
    """A layer that moves a window over the one or two dimensions between batch and channels."""

    #: Over how many dimensions the window moves.
    axes: ClassVar[int]
    window: tuple[int, ...]
    stride: tuple[int, ...]

    def _lengths(self, what: str, given: Any) -> tuple[int, ...]:
        """``given`` as a positive int for each axis; for several axes one int stands for all of them."""
        several = given if isinstance(given, tuple | list | np.ndarray) else (given,) * self.axes
        whole = [isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0 for n in several]
        if len(whole) != self.axes or not all(whole):
            kind = "a positive integer" if self.axes == 1 else f"{self.axes} positive integers"
            raise self._wrong(f"{what}={given!r} must be {kind}")
        return tuple(int(n) for n in several)

    def _wrong(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"layer {self.name!r} ({type(self).__name__.lower()}): {what}")

    def _pads(self) -> list[tuple[int, int]]:
        """How many zeros stand before and after each axis."""
        return [(0, 0)] * self.axes

    def infer_shape(self) -> Shape:
        window, stride = self.window, self.stride
        lengths: list[int | None] = []
        for n, size, step, pads in zip(self.input_shapes[self.input_name], window, stride, self._pads(), strict=False):
            length = None if n is None else (n + sum(pads) - size) // step + 1
            if length is not None and length < 1:
                raise self._wrong(f"its window {window} does not fit into {self.input_shapes[self.input_name][:-1]}")
            lengths.append(length)
        return (*lengths, self.size)

    def _images(self, x: Any) -> Any:
        """(batch, ..., channels) as (batch, channels, rows, columns)."""
        return x.dimshuffle(0, 2, "x", 1) if self.axes == 1 else x.dimshuffle(0, 3, 1, 2)

    def _channels_last(self, y: Any) -> Any:
        return y[:, :, 0, :].dimshuffle(0, 2, 1) if self.axes == 1 else y.dimshuffle(0, 2, 3, 1)

    def _two(self, lengths: Sequence[Any], other: Any = 1) -> tuple[Any, ...]:
        return (other, *lengths) if self.axes == 1 else tuple(lengths)


class Convolution(_Windows):
    """The base of ``Conv1`` and ``Conv2``: pre = b + sum_k x[i stride + size - 1 - k] @ w[:, :, k].T, out = g(pre).

    Arguments, besides those of every layer: ``filter_size``, ``stride`` (ints, one for each axis), ``border_mode``:
    ``'valid'``, where the filter lies within the data; ``'full'``, where it touches them; ``'same'``, with as many
    results as there are data (divided by the stride). As theanets.layers.convolution.Convolution.
    """

    axes: ClassVar[int] = 1
    options: ClassVar[tuple[str, ...]] = ("filter_size", "stride", "border_mode")

    def __init__(self, filter_size: Any, stride: Any = 1, border_mode: str = "valid", **kwargs: Any) -> None:
        self.name = kwargs.get("name") or type(self).__name__.lower()
        self.window = self._lengths("filter_size", filter_size)
        self.stride = self._lengths("stride", stride)
        if border_mode not in ("valid", "full", "same"):
            known = nearest(border_mode, ("valid", "full", "same"))
            raise self._wrong(f"there is no border_mode={border_mode!r}: {known}")
        self.border_mode = border_mode
        super().__init__(**kwargs)

    def _pads(self) -> list[tuple[int, int]]:
        if self.border_mode == "same":
            return [((n - 1) // 2, n // 2) for n in self.window]
        return [(n - 1, n - 1) if self.border_mode == "full" else (0, 0) for n in self.window]

    def laws(self) -> tuple[str, ...]:
        return ("mean", "std", "sparsity")

    def setup(self) -> None:
        self.add_filters("w")
        self.add_bias("b", self.size)

    def add_filters(self, name: str, mean: float = 0, std: float = 0, sparsity: float = 0) -> None:
        """Filters (size, input size, rows, columns), drawn as one matrix for each place of the window."""
        nin, nout = self.input_size, self.size
        laws = {
            "mean": self._law("mean", name, mean),
            "std": self._law("std", name, std or 1 / np.sqrt(nin + nout)),
            "sparsity": self._law("sparsity", name, sparsity),
        }
        drawn = [random_matrix(nout, nin, **laws, rng=self.rng) for _ in range(prod(self.window))]
        self.add_param(name, np.stack(drawn, axis=-1).reshape(nout, nin, *self._two(self.window)))

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs ``pre`` and ``out``."""
        w = self.find("w")
        pads = self._two(self._pads(), (0, 0))
        y = T.nnet.conv2d(
            self._images(inputs[self.input_name]),
            w,
            filter_shape=(self.size, self.input_size, *self._two(self.window)),
            border_mode=pads,
            subsample=self._two(self.stride),
        )
        pre = self._channels_last(y) + self.find("b")
        return {"pre": pre, "out": self.activate(pre)}, []

    def to_spec(self) -> dict[str, Any]:
        """The description of every layer, and filter_size, stride and border_mode."""
        size, stride = (self.window[0], self.stride[0]) if self.axes == 1 else (list(self.window), list(self.stride))
        return {**super().to_spec(), "filter_size": size, "stride": stride, "border_mode": self.border_mode}


class Conv1(Convolution):
    """Convolution over time: pre_i = b + sum_k x_{i stride + filter_size - 1 - k} @ w[:, :, 0, k].T, out = g(pre).

    As theanets.layers.Conv1. It reads (batch, time, channels) and writes (batch, time', size), where time' is
    (time - filter_size) // stride + 1 with ``border_mode='valid'``, (time + filter_size - 2) // stride + 1 with
    ``'full'`` and (time - 1) // stride + 1 with ``'same'``.

    >>> Conv1(3, size=5, inputs=2, name="c").find("w").get_value().shape
    (5, 2, 1, 3)

    Arguments: ``filter_size``, ``stride``: ints; ``border_mode``. Parameters: ``w`` (size, input size, 1,
    filter_size), ``b`` (size,). Outputs: ``pre`` and ``out``.
    """

    example_ndim: ClassVar[int | None] = 2


class Conv2(Convolution):
    """Convolution over images, out = g(pre): pre[i, j] = b + sum_kl x[i s + a-1-k, j t + c-1-l] @ w[:, :, k, l].T.

    It reads (batch, height, width, channels) and writes (batch, height', width', size). The lengths are those of
    ``Conv1``. As theanets.layers.Conv2 (0.8).

    >>> Conv2((5, 5), size=20, inputs={"in:out": 1}, input_shapes={"in:out": (28, 28, 1)}).shape
    (24, 24, 20)

    Arguments: ``filter_size`` (a, c), ``stride`` (s, t): pairs, or an int for both; ``border_mode``. Parameters: ``w``
    (size, input size, a, c), ``b`` (size,). Outputs: ``pre`` and ``out``.
    """

    axes: ClassVar[int] = 2
    example_ndim: ClassVar[int | None] = 3

    def __init__(self, filter_size: Any, stride: Any = (1, 1), border_mode: str = "valid", **kwargs: Any) -> None:
        super().__init__(filter_size, stride, border_mode, **kwargs)


class Pooling(_Windows):
    """The base of ``Pool1`` and ``Pool2``: of each channel, one number for each window.

    Arguments, besides those of every layer: ``pool_size``, the window; ``stride``, the window's size if None; ``mode``:
    ``'max'``, ``'mean'`` or ``'sum'``. A window that does not fit at the end is left out. ``size`` is that of the
    input. Output: ``out``; the activation is not applied.
    """

    axes: ClassVar[int] = 1
    activates: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("pool_size", "stride", "mode")

    def __init__(
        self, pool_size: Any = 2, stride: Any = None, mode: str = "max", size: int | None = None, **kwargs: Any
    ) -> None:
        self.name = kwargs.get("name") or type(self).__name__.lower()
        self.window = self._lengths("pool_size", pool_size)
        self.stride = self.window if stride is None else self._lengths("stride", stride)
        if mode not in MODES:
            raise self._wrong(f"there is no mode={mode!r}: {nearest(mode, MODES)}")
        self.mode = mode
        super().__init__(size, **{"activation": "linear", **kwargs})
        if self.size != self.input_size:
            raise self._wrong(f"its size is that of its input, {self.input_size}, and size={size} was given")

    def infer_size(self) -> int:
        return self.input_size

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The output ``out``."""
        pooled = pool_2d(
            self._images(inputs[self.input_name]),
            self._two(self.window),
            ignore_border=True,
            stride=self._two(self.stride),
            mode=MODES[self.mode],
        )
        return {"out": self._channels_last(pooled)}, []

    def to_spec(self) -> dict[str, Any]:
        """The description of every layer, and pool_size, stride and mode."""
        size, stride = (self.window[0], self.stride[0]) if self.axes == 1 else (list(self.window), list(self.stride))
        return {**super().to_spec(), "pool_size": size, "stride": stride, "mode": self.mode}


class Pool1(Pooling):
    """Pooling over time: (batch, time, channels) to (batch, (time - pool_size) // stride + 1, channels).

    >>> Pool1(2, inputs={"c:out": 5}, input_shapes={"c:out": (9, 5)}).shape
    (4, 5)

    Arguments: ``pool_size``, ``stride``: ints; ``mode``, as for ``Pooling``.
    """

    example_ndim: ClassVar[int | None] = 2


class Pool2(Pooling):
    """Pooling over images: (batch, height, width, channels), each window to one number.

    >>> Pool2(2, inputs={"c:out": 20}, input_shapes={"c:out": (24, 24, 20)}).shape
    (12, 12, 20)

    Arguments: ``pool_size``, ``stride``: pairs, or an int for both; ``mode``, as for ``Pooling``.
    """

    axes: ClassVar[int] = 2
    example_ndim: ClassVar[int | None] = 3
