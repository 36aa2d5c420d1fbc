"""Convolution of plain images, as old programs call it; pooling, its neighbour there, is `croton.tensor.pool`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from croton.tensor.basic import as_tensor_variable
from croton.tensor.claims import SpecifyShape
from croton.tensor.conv import conv2d as convolve
from croton.tensor.variable import TensorVariable

# How the old op was to unroll its loops and what it was to print; there is nothing here for them to steer.
_OLD_OPTIONS = ("direction_hint", "openmp", "unroll_batch", "unroll_kern", "unroll_patch", "verbose", "version")


def conv2d(
    input: Any,
    filters: Any,
    image_shape: Sequence[int | None] | None = None,
    filter_shape: Sequence[int | None] | None = None,
    border_mode: str = "valid",
    subsample: Sequence[int] = (1, 1),
    **kargs: Any,
) -> TensorVariable:
    """Each image convolved with each filter: z[i, j] = sum over k, l of filter[k, l] image[i - k, j - l].

    ``input``: ([images,] rows, columns); ``filters``: ([filters,] rows, columns). ``image_shape``, ``filter_shape``:
    their shapes, of which entries may be None. ``border_mode``: 'valid', where the filter lies inside the image, or
    'full', wherever it touches it; ``subsample``: the strides. The options of the old op are taken with a warning.

    Returns ([images,] [filters,] rows, columns). Raises TypeError for another rank and unknown options, ValueError for
    another ``border_mode``, shapes that are not as given, and filters larger than the image. As
    theano.tensor.signal.conv.conv2d.

    >>> import croton.tensor as T
    >>> conv2d(T.constant([[1., 2., 4.]]), T.constant([[1., -1.]])).eval()
    array([[1., 2.]])
    """
    unknown = [k for k in kargs if k not in _OLD_OPTIONS]
    if unknown:
        raise TypeError(f"signal.conv2d has no argument {', '.join(map(repr, unknown))}")
    if kargs:
        warnings.warn(f"signal.conv2d: {', '.join(kargs)} steered the old op and have no effect", stacklevel=2)
    if border_mode not in ("valid", "full"):
        raise ValueError(f"signal.conv2d: border_mode must be 'valid' or 'full', not {border_mode!r}")
    images = _claimed("input", as_tensor_variable(input), "image_shape", image_shape)
    kernels = _claimed("filters", as_tensor_variable(filters), "filter_shape", filter_shape)
    x, f = (v.dimshuffle(0, "x", 1, 2) if v.ndim == 3 else v.dimshuffle("x", "x", 0, 1) for v in (images, kernels))
    maps = convolve(x, f, border_mode=border_mode, subsample=tuple(subsample))
    kept = [axis for axis, v in enumerate((images, kernels)) if v.ndim == 3]
    return maps if len(kept) == 2 else maps[tuple(slice(None) if axis in kept else 0 for axis in (0, 1))]


def _claimed(what: str, v: TensorVariable, argument: str, lengths: Sequence[int | None] | None) -> TensorVariable:
    """``v``, of rank 2 or 3, said to have these lengths; ValueError, at the latest when run, where it has others."""
    if v.ndim not in (2, 3):
        raise TypeError(f"signal.conv2d: {what} must have 2 or 3 dimensions, got {v} of type {v.type}")
    if lengths is None:
        return v
    if len(lengths) != v.ndim or any(None not in (a, b) and a != b for a, b in zip(lengths, v.type.shape, strict=True)):
        raise ValueError(f"signal.conv2d: {argument} is {tuple(lengths)}, but {what} is {v} of type {v.type}")
    return SpecifyShape(tuple(lengths))(v)
