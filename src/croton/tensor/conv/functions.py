"""What programs call: convolutions, their gradients, and what is made of them."""

from __future__ import annotations

import warnings
from typing import Any

from croton.graph.core import Variable
from croton.tensor.basic import as_tensor_variable
from croton.tensor.conv.geometry import steps_of
from croton.tensor.conv.ops import (
    AbstractConv,
    AbstractConv2d,
    AbstractConv2d_gradInputs,
    AbstractConv2d_gradWeights,
    AbstractConv3d,
    AbstractConv3d_gradInputs,
    AbstractConv3d_gradWeights,
)
from croton.tensor.shape import dimshuffle, static_value
from croton.tensor.variable import TensorVariable


def conv2d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    image_shape: Any = None,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
    **kwargs: Any,
) -> TensorVariable:
    """The convolution of images ``input`` (batch, channels, rows, columns) with ``filters``
    (out, channels / num_groups, rows, columns): (batch, out, rows, columns) of the dtype of ``input``.

    ``out[n, o, p] = sum over c, k of filters[o, c, -1 - k] input[n, c, p * subsample + k * filter_dilation - pad]``,
    and without ``filter_flip`` with ``filters[o, c, k]``, a cross-correlation. Along an axis of length n a kernel of
    length k gives ``(n + pads - ((k - 1) dilation + 1)) // subsample + 1`` elements.

    ``border_mode``: 'valid' (no padding), 'full' (``(k - 1) dilation`` zeros on either side), 'half' (half the length
    of the dilated kernel, rounded down), a number of zeros for all sides, one for each axis, or a pair (before, after)
    for each. ``num_groups``: so many equal parts of the channels, each with its part of the filters, apart from each
    other. ``unshared``: ``filters`` (out, out rows, out columns, channels / num_groups, rows, columns) with a kernel
    for each place. ``input_shape`` and ``filter_shape`` (with None for what is unknown) tell lengths before data is
    there; they must be true, except the number of images. ``image_shape`` is an old name of ``input_shape``. Other
    keywords, which steered the original, are ignored with a warning.

    Raises TypeError for a wrong rank, ValueError for an impossible option and for images and filters that do not fit
    each other, as early as that is known. As theano.tensor.nnet.conv2d.

    >>> import numpy as np
    >>> x, w = np.arange(4.).reshape(1, 1, 2, 2), np.array([[[[1., 10.]]]])
    >>> conv2d(x, w).eval()
    array([[[[ 1.],
             [23.]]]])
    """
    if "imshp_logical" in kwargs or "kshp_logical" in kwargs:
        raise ValueError("conv2d: imshp_logical and kshp_logical are not supported: use filter_dilation or subsample")
    if kwargs:
        warnings.warn(f"conv2d: the keywords {', '.join(sorted(kwargs))} have no effect", stacklevel=2)
    if image_shape is not None:
        if input_shape is not None:
            raise ValueError("conv2d: give either input_shape or image_shape, its old name, not both")
        warnings.warn("conv2d: image_shape is an old name of input_shape", DeprecationWarning, stacklevel=2)
        input_shape = image_shape
    options = (border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return AbstractConv2d(input_shape, filter_shape, *options)(input, filters)


def conv3d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
    num_groups: int = 1,
) -> TensorVariable:
    """:func:`conv2d` over three axes: ``input`` (batch, channels, depth, rows, columns), ``filters`` (out, channels /
    num_groups, depth, rows, columns). As theano.tensor.nnet.conv3d.

    >>> import croton.tensor as T
    >>> conv3d(T.ones((1, 2, 4, 4, 4)), T.ones((3, 2, 2, 2, 2)), border_mode='full').eval().shape
    (1, 3, 5, 5, 5)
    """
    options = (border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return AbstractConv3d(input_shape, filter_shape, *options)(input, filters)


def _asked(op: type[AbstractConv], shape: Any, what: str, unshared: bool = False) -> tuple[Any, tuple[Any, ...]]:
    """The lengths along the spatial axes of a whole shape, as given, and the shape with None for what is symbolic."""
    dims = op.convdim
    rank = dims + 2 + (dims if unshared else 0)
    if isinstance(shape, Variable):
        vector = as_tensor_variable(shape)
        known = static_value(vector)
        claim = (None,) * rank if known is None else tuple(int(n) for n in known)
        return vector[rank - dims : rank], claim
    if not isinstance(shape, list | tuple) or len(shape) != rank:
        raise ValueError(f"{what} must have {rank} lengths, got {shape!r}")
    if any(n is None for n in shape[-dims:]):
        raise ValueError(f"{what}: its last {dims} lengths decide the result and cannot be None, got {shape!r}")
    static = [static_value(n) if isinstance(n, Variable) else n for n in shape]
    return list(shape[-dims:]), tuple(None if n is None else int(n) for n in static)


def conv2d_grad_wrt_inputs(
    output_grad: Any,
    filters: Any,
    input_shape: Any,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> TensorVariable:
    """The gradient of ``sum(output_grad * conv2d(x, filters, ...))`` with respect to x, of shape ``input_shape``.

    The last two lengths of ``input_shape`` may be symbolic; the first two may be None. The other arguments are those of
    :func:`conv2d`. Raises ValueError where a conv2d of such shapes would not give the shape of ``output_grad``. As
    theano.tensor.nnet.abstract_conv.conv2d_grad_wrt_inputs.

    >>> import croton.tensor as T
    >>> conv2d_grad_wrt_inputs(T.ones((1, 1, 1, 2)), T.ones((1, 1, 1, 2)), (None, None, 1, 3)).eval()
    array([[[[1., 2., 1.]]]], dtype=float32)
    """
    lengths, claim = _asked(AbstractConv2d, input_shape, "conv2d_grad_wrt_inputs: input_shape")
    options = (border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return AbstractConv2d_gradInputs(claim, filter_shape, *options)(filters, output_grad, lengths)


def conv3d_grad_wrt_inputs(
    output_grad: Any,
    filters: Any,
    input_shape: Any,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
    num_groups: int = 1,
) -> TensorVariable:
    """:func:`conv2d_grad_wrt_inputs` over three axes.

    >>> import croton.tensor as T
    >>> g = conv3d_grad_wrt_inputs(T.ones((1, 4, 2, 2, 2)), T.ones((4, 3, 2, 2, 2)), (None, None, 3, 3, 3))
    >>> g.eval().shape
    (1, 3, 3, 3, 3)
    """
    lengths, claim = _asked(AbstractConv3d, input_shape, "conv3d_grad_wrt_inputs: input_shape")
    options = (border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return AbstractConv3d_gradInputs(claim, filter_shape, *options)(filters, output_grad, lengths)


def conv2d_grad_wrt_weights(
    input: Any,
    output_grad: Any,
    filter_shape: Any,
    input_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> TensorVariable:
    """The gradient of ``sum(output_grad * conv2d(input, w, ...))`` with respect to w, of shape ``filter_shape``.

    The last two lengths of ``filter_shape`` may be symbolic; the others may be None. The other arguments are those of
    :func:`conv2d`. Raises ValueError where a conv2d of such shapes would not give the shape of ``output_grad``. As
    theano.tensor.nnet.abstract_conv.conv2d_grad_wrt_weights.

    >>> import croton.tensor as T
    >>> conv2d_grad_wrt_weights(T.ones((1, 1, 1, 3)), T.ones((1, 1, 1, 2)), (None, None, 1, 2)).eval()
    array([[[[2., 2.]]]], dtype=float32)
    """
    lengths, claim = _asked(AbstractConv2d, filter_shape, "conv2d_grad_wrt_weights: filter_shape", unshared)
    options = (border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return AbstractConv2d_gradWeights(input_shape, claim, *options)(input, output_grad, lengths)


def conv3d_grad_wrt_weights(
    input: Any,
    output_grad: Any,
    filter_shape: Any,
    input_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
    num_groups: int = 1,
) -> TensorVariable:
    """:func:`conv2d_grad_wrt_weights` over three axes.

    >>> import croton.tensor as T
    >>> g = conv3d_grad_wrt_weights(T.ones((1, 3, 3, 3, 3)), T.ones((1, 4, 2, 2, 2)), (None, None, 2, 2, 2))
    >>> g.eval().shape
    (4, 3, 2, 2, 2)
    """
    lengths, claim = _asked(AbstractConv3d, filter_shape, "conv3d_grad_wrt_weights: filter_shape")
    options = (border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return AbstractConv3d_gradWeights(input_shape, claim, *options)(input, output_grad, lengths)


def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    input_dilation: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> TensorVariable:
    """The transposed convolution: :func:`conv2d_grad_wrt_inputs` of ``input`` as the gradient, with ``input_dilation``
    as its ``subsample``.

    ``filters`` (channels of ``input``, channels of the result, rows, columns). As theano.tensor.nnet.conv2d_transpose.

    >>> import croton.tensor as T
    >>> x, w = T.ones((1, 3, 4, 4)), T.ones((3, 5, 2, 2))
    >>> conv2d_transpose(x, w, (None, None, 8, 8), input_dilation=(2, 2)).eval().shape
    (1, 5, 8, 8)
    """
    options = (border_mode, input_dilation, filter_flip, filter_dilation, num_groups, unshared)
    return conv2d_grad_wrt_inputs(input, filters, output_shape, filter_shape, *options)


def separable_conv2d(
    input: Any,
    depthwise_filters: Any,
    pointwise_filters: Any,
    num_channels: int,
    input_shape: Any = None,
    depthwise_filter_shape: Any = None,
    pointwise_filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
) -> TensorVariable:
    """Each of ``num_channels`` channels of ``input`` (batch, channels, rows, columns) convolved with its own filters,
    and the results mixed in every place.

    ``depthwise_filters`` (channels * multiplier, 1, rows, columns), to which the options apply; ``pointwise_filters``
    (out, channels * multiplier, 1, 1). As theano.tensor.nnet.separable_conv2d.

    >>> import croton.tensor as T
    >>> x, depthwise, pointwise = T.ones((1, 3, 5, 5)), T.ones((6, 1, 3, 3)), T.ones((4, 6, 1, 1))
    >>> separable_conv2d(x, depthwise, pointwise, 3).eval().shape
    (1, 4, 3, 3)
    """
    options = (border_mode, subsample, filter_flip, filter_dilation, num_channels)
    deep = AbstractConv2d(input_shape, depthwise_filter_shape, *options)(input, depthwise_filters)
    return AbstractConv2d(None, pointwise_filter_shape)(deep, pointwise_filters)


def separable_conv3d(
    input: Any,
    depthwise_filters: Any,
    pointwise_filters: Any,
    num_channels: int,
    input_shape: Any = None,
    depthwise_filter_shape: Any = None,
    pointwise_filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
) -> TensorVariable:
    """:func:`separable_conv2d` over three axes.

    >>> import croton.tensor as T
    >>> x, depthwise, pointwise = T.ones((1, 3, 5, 5, 5)), T.ones((6, 1, 3, 3, 3)), T.ones((4, 6, 1, 1, 1))
    >>> separable_conv3d(x, depthwise, pointwise, 3).eval().shape
    (1, 4, 3, 3, 3)
    """
    options = (border_mode, subsample, filter_flip, filter_dilation, num_channels)
    deep = AbstractConv3d(input_shape, depthwise_filter_shape, *options)(input, depthwise_filters)
    return AbstractConv3d(None, pointwise_filter_shape)(deep, pointwise_filters)


def causal_conv1d(
    input: Any,
    filters: Any,
    filter_shape: Any,
    input_shape: Any = None,
    subsample: int = 1,
    filter_flip: bool = True,
    filter_dilation: int = 1,
    num_groups: int = 1,
    unshared: bool = False,
) -> TensorVariable:
    """The convolution along time of ``input`` (batch, channels, time) with ``filters`` (out, channels / num_groups,
    length), each result depending on its own time and earlier ones: the input is padded by ``(length - 1) *
    filter_dilation`` zeros in front.

    ``filter_shape`` says the shape of ``filters``, with the length known. With ``unshared``, filters (out, out time,
    channels / num_groups, length) have a kernel for each time. Raises ValueError for a wrong rank or shape. As
    theano.tensor.nnet.abstract_conv.causal_conv1d.

    >>> import numpy as np
    >>> causal_conv1d(np.array([[[1., 2., 4.]]]), np.array([[[1., 10.]]]), (1, 1, 2)).eval()
    array([[[ 1., 12., 24.]]])
    """
    name = "causal_conv1d"
    input, filters = as_tensor_variable(input), as_tensor_variable(filters)
    rank = 4 if unshared else 3
    for what, v, wanted in (("input", input, 3), ("filters", filters, rank)):
        if v.ndim != wanted:
            raise ValueError(f"{name}: the {what} {v} must have {wanted} dimensions, its type is {v.type}")
    if not isinstance(filter_shape, list | tuple) or len(filter_shape) != rank or filter_shape[-1] is None:
        raise ValueError(f"{name}: filter_shape must have {rank} lengths, the last one known, got {filter_shape!r}")
    if input_shape is not None and len(input_shape) != 3:
        raise ValueError(f"{name}: input_shape must have 3 lengths, got {input_shape!r}")
    (stride,), (dilation,) = (
        steps_of(subsample, 1, name, "subsample"),
        steps_of(filter_dilation, 1, name, "filter_dilation"),
    )
    pad = (int(filter_shape[-1]) - 1) * dilation
    if unshared:
        filters, claim = dimshuffle(filters, (0, 1, "x", 2, 3, "x")), (*filter_shape[:2], 1, *filter_shape[2:], 1)
    else:
        filters, claim = dimshuffle(filters, (0, 1, 2, "x")), (*filter_shape, 1)
    op = AbstractConv2d(
        None if input_shape is None else (*input_shape, 1),
        claim,
        ((pad, 0), (0, 0)),
        (stride, 1),
        filter_flip,
        (dilation, 1),
        num_groups,
        unshared,
    )
    return op(dimshuffle(input, (0, 1, 2, "x")), filters)[:, :, :, 0]
