"""Convolutions as older programs call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from croton.tensor.basic import as_tensor_variable
from croton.tensor.conv.ops import AbstractConv2d, AbstractConv3d
from croton.tensor.shape import dimshuffle
from croton.tensor.variable import TensorVariable

# Options of the original that steered how it computed.
_STEERING = {
    "unroll_batch", "unroll_kern", "unroll_patch", "openmp", "version", "verbose", "direction_hint", "nodes",
}  # fmt: skip


def conv2d(
    input: Any,
    filters: Any,
    image_shape: Any = None,
    filter_shape: Any = None,
    border_mode: str = "valid",
    subsample: Any = (1, 1),
    **kargs: Any,
) -> TensorVariable:
    """The convolution of images with filters as :func:`croton.tensor.conv.conv2d` was before: ``border_mode`` 'valid'
    or 'full', always a true convolution.

    The options that steered the original op (``unroll_batch``, ``openmp``, ``version`` ...) are taken and change
    nothing; others raise TypeError. As theano.tensor.nnet.conv.conv2d.

    >>> import croton.tensor as T
    >>> conv2d(T.ones((1, 1, 4, 4)), T.ones((1, 1, 3, 3)), border_mode='full').eval().shape
    (1, 1, 6, 6)
    """
    if unknown := sorted(set(kargs) - _STEERING):
        raise TypeError(f"nnet.conv.conv2d: unknown arguments {', '.join(unknown)}")
    if border_mode not in ("valid", "full"):
        raise ValueError(
            f"nnet.conv.conv2d: border_mode must be 'valid' or 'full', not {border_mode!r}: use nnet.conv2d"
        )
    return AbstractConv2d(image_shape, filter_shape, border_mode, subsample)(input, filters)


def conv3d(
    signals: Any,
    filters: Any,
    signals_shape: Any = None,
    filters_shape: Any = None,
    border_mode: str | Sequence[str] = "valid",
) -> TensorVariable:
    """The convolution of films with filters in time and space: ``signals`` (batch, time, channels, rows, columns),
    ``filters`` (out, time, channels, rows, columns), the result (batch, time, out, rows, columns).

    ``border_mode``: 'valid', 'full', 'half', or one of them each for time, rows and columns. As
    theano.tensor.nnet.conv3d2d.conv3d.

    >>> import croton.tensor as T
    >>> conv3d(T.ones((1, 5, 3, 8, 8)), T.ones((4, 2, 3, 3, 3))).eval().shape
    (1, 4, 4, 6, 6)
    """
    order = (0, 2, 1, 3, 4)
    signals, filters = as_tensor_variable(signals), as_tensor_variable(filters)
    for what, v in (("signals", signals), ("filters", filters)):
        if v.ndim != 5:
            raise TypeError(f"conv3d2d.conv3d: {what} must be 5D tensor: {v} has type {v.type}")
    images, kernels = (None if s is None else tuple(s[k] for k in order) for s in (signals_shape, filters_shape))
    modes = (border_mode,) * 3 if isinstance(border_mode, str) else tuple(border_mode)
    if len(modes) != 3 or any(m not in ("valid", "full", "half") for m in modes):
        raise ValueError(
            f"conv3d2d.conv3d: border_mode must be 'valid', 'full' or 'half', or three of these, got {border_mode!r}"
        )
    if len(set(modes)) == 1:
        op = AbstractConv3d(images, kernels, modes[0])
    else:
        known = _kernel_lengths(filters, kernels)
        pads = [{"valid": 0, "full": k - 1, "half": k // 2}[m] for m, k in zip(modes, known, strict=True)]
        op = AbstractConv3d(images, kernels, tuple(pads))
    return dimshuffle(op(dimshuffle(signals, order), dimshuffle(filters, order)), order)


def _kernel_lengths(filters: TensorVariable, claim: Any) -> list[int]:
    """The lengths of ``filters`` (out, time, channels, rows, columns) in time and space; ValueError where unknown."""
    own = [filters.type.shape[k] for k in (1, 3, 4)]
    lengths = own if claim is None else [b if a is None else a for a, b in zip(own, claim[2:], strict=True)]
    known = [int(k) for k in lengths if k is not None]
    if len(known) < 3:
        raise ValueError("conv3d2d.conv3d: different border_modes for time and space need filters_shape")
    return known
