"""The lengths of convolutions: paddings, outputs, and what cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from croton.graph.core import Variable

Pads = tuple[tuple[int, int], ...]
BorderMode = str | tuple[int | tuple[int, int], ...]


@dataclass(frozen=True)
class Geometry:
    """The lengths along the spatial axes, what is padded before and after each, and the groups of channels."""

    image: tuple[int, ...]
    kernel: tuple[int, ...]
    pads: Pads
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int

    @property
    def out(self) -> tuple[int, ...]:
        """The lengths of the maps."""
        rows = zip(self.image, self.kernel, self.pads, self.strides, self.dilations, strict=True)
        return tuple(output_length(*row) for row in rows)


def output_length(n: Any, k: Any, pads: tuple[Any, Any], stride: int, dilation: int) -> Any:
    """The length of a map along one axis: ``(n + pads - ((k - 1) dilation + 1)) // stride + 1``."""
    return (n + pads[0] + pads[1] - ((k - 1) * dilation + 1)) // stride + 1


def pads_of(mode: BorderMode, kernel: Sequence[Any], dilations: Sequence[int]) -> tuple[tuple[Any, Any], ...]:
    """What a border mode, as :func:`border_mode_of` gives it, adds before and after each axis."""
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if mode == "valid":
        return ((0, 0),) * len(spans)
    if mode == "full":
        return tuple((n - 1, n - 1) for n in spans)
    if mode == "half":
        return tuple((n // 2, n // 2) for n in spans)
    return tuple(p if isinstance(p, tuple) else (p, p) for p in mode)


def border_mode_of(mode: Any, dims: int, name: str) -> BorderMode:
    """``mode`` as 'valid', 'full', 'half', or per axis a length or the two lengths before and after; ValueError where
    it is none of these.
    """
    if mode in ("valid", "full", "half"):
        return str(mode)
    if _is_length(mode):
        mode = (mode,) * dims
    right = isinstance(mode, list | tuple) and len(mode) == dims
    if right and all(_is_length(p) or _is_pair(p) for p in mode):
        return tuple(tuple(map(int, p)) if isinstance(p, list | tuple) else int(p) for p in mode)  # type: ignore[misc]
    raise ValueError(
        f"{name}: invalid border_mode {mode!r}: it must be 'valid', 'full', 'half', an integer, or a tuple of {dims} "
        f"integers or pairs of integers (before, after), none of them negative"
    )


def _is_length(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 0


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_length, value))


def steps_of(value: Any, dims: int, name: str, what: str) -> tuple[int, ...]:
    """A step per axis (a stride or a dilation), from a sequence or from one number for all; ValueError where it is
    none.
    """
    given = value
    if isinstance(value, int | np.integer):
        value = (value,) * dims
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != dims:
        raise ValueError(f"{name}: {what} must have {dims} elements, got {given!r}")
    if not all(_is_length(n) and n > 0 for n in value):
        raise ValueError(f"{name}: {what} must be positive integers, got {given!r}")
    return tuple(int(n) for n in value)


def claim_of(shape: Any, rank: int, name: str, what: str) -> tuple[int | None, ...] | None:
    """A shape that the user claims: ``rank`` integers, or None for what is unknown; None where nothing is claimed."""
    from croton.tensor.shape import static_value

    if shape is None:
        return None
    if not isinstance(shape, list | tuple | np.ndarray) or len(shape) != rank:
        raise ValueError(f"{name}: {what} must be a tuple of {rank} integers or None, got {shape!r}")
    known: list[int | None] = []
    for n in shape:
        value = static_value(n) if isinstance(n, Variable) else n
        if isinstance(n, Variable) and value is None:
            raise ValueError(
                f"{name}: {what} must hold integers or None, not the symbolic {n}: leave None in its place"
            )
        if value is not None and (np.ndim(value) or np.asarray(value).dtype.kind not in "iu" or value < 0):
            raise ValueError(f"{name}: {what} must hold integers or None, got {shape!r}")
        known.append(None if value is None else int(value))
    return tuple(known)


def get_conv_output_shape(
    image_shape: Sequence[Any],
    kernel_shape: Sequence[Any],
    border_mode: Any,
    subsample: Sequence[int],
    filter_dilation: Sequence[int] | None = None,
) -> tuple[Any, ...]:
    """The shape of a convolution's result, from those of the images ``(N, C, *image)`` and of the filters
    ``(O, C, *kernel)``; a length may be a symbolic scalar, or None, which gives None.

    Per axis ``(n + padding - ((k - 1) dilation + 1)) // stride + 1``. Raises ValueError where the arguments do not fit
    each other. As theano.tensor.nnet.abstract_conv.get_conv_output_shape.

    >>> get_conv_output_shape((2, 3, 7, None), (4, 3, 3, 2), 'half', (2, 1))
    (2, 4, 4, None)
    """
    name = "get_conv_output_shape"
    dims = len(subsample)
    # The filters of an unshared convolution have their own for each place of the map.
    if len(image_shape) != dims + 2 or len(kernel_shape) not in (dims + 2, 2 * dims + 2):
        raise ValueError(
            f"{name}: for {dims} strides {tuple(subsample)!r} an image_shape and a kernel_shape of {dims + 2} lengths "
            f"are wanted, got {image_shape!r} and {kernel_shape!r}"
        )
    strides = steps_of(tuple(subsample), dims, name, "subsample")
    dilations = steps_of((1,) * dims if filter_dilation is None else filter_dilation, dims, name, "filter_dilation")
    mode = border_mode_of(border_mode, dims, name)
    lengths: list[Any] = []
    for axis in range(dims):
        n, k = image_shape[2 + axis], kernel_shape[len(kernel_shape) - dims + axis]
        if n is None or k is None:
            lengths.append(None)
            continue
        only = mode if isinstance(mode, str) else (mode[axis],)
        (pads,) = pads_of(only, [k], [dilations[axis]])
        lengths.append(output_length(n, k, pads, strides[axis], dilations[axis]))
    return (image_shape[0], kernel_shape[0], *lengths)
