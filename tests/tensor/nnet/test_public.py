"""What nnet offers, by name and signature."""

import inspect

import numpy as np
import pytest

import croton
import croton.tensor as T

# The names and arguments that programs were written for.
SIGNATURES = {
    "batch_normalization": "(inputs, gamma, beta, mean, std, mode='low_mem')",
    "batch_normalization_test": "(inputs, gamma, beta, mean, var, axes='per-activation', epsilon=0.0001)",
    "batch_normalization_train": "(inputs, gamma, beta, axes='per-activation', epsilon=0.0001, "
    "running_average_factor=0.1, running_mean=None, running_var=None)",
    "binary_crossentropy": "(output, target)",
    "categorical_crossentropy": "(coding_dist, true_dist)",
    "confusion_matrix": "(actual, pred)",
    "conv2d": "(input, filters, input_shape=None, filter_shape=None, border_mode='valid', subsample=(1, 1), "
    "filter_flip=True, image_shape=None, filter_dilation=(1, 1), num_groups=1, unshared=False, **kwargs)",
    "conv2d_grad_wrt_inputs": "(output_grad, filters, input_shape, filter_shape=None, border_mode='valid', "
    "subsample=(1, 1), filter_flip=True, filter_dilation=(1, 1), num_groups=1, unshared=False)",
    "conv2d_transpose": "(input, filters, output_shape, filter_shape=None, border_mode='valid', "
    "input_dilation=(1, 1), filter_flip=True, filter_dilation=(1, 1), num_groups=1, unshared=False)",
    "conv3d": "(input, filters, input_shape=None, filter_shape=None, border_mode='valid', subsample=(1, 1, 1), "
    "filter_flip=True, filter_dilation=(1, 1, 1), num_groups=1)",
    "crossentropy_categorical_1hot": "(coding_dist, true_one_of_n)",
    "crossentropy_softmax_1hot": "(x, y_idx, **keywords)",
    "crossentropy_softmax_1hot_with_bias": "(x, b, y_idx, **keywords)",
    "crossentropy_softmax_1hot_with_bias_dx": "(dy, sm, y_idx, **keywords)",
    "crossentropy_softmax_argmax_1hot_with_bias": "(x, b, y_idx)",
    "crossentropy_softmax_max_and_argmax_1hot": "(x, y_idx, **keywords)",
    "crossentropy_softmax_max_and_argmax_1hot_with_bias": "(x, b, y_idx, **keywords)",
    "elu": "(x, alpha=1)",
    "h_softmax": "(x, batch_size, n_outputs, n_classes, n_outputs_per_class, W1, b1, W2, b2, target=None)",
    "logsoftmax": "(c, axis=None)",
    "prepend_0_to_each_row": "(mat)",
    "prepend_1_to_each_row": "(mat)",
    "prepend_scalar_to_each_row": "(val, mat)",
    "relu": "(x, alpha=0)",
    "selu": "(x)",
    "separable_conv2d": "(input, depthwise_filters, pointwise_filters, num_channels, input_shape=None, "
    "depthwise_filter_shape=None, pointwise_filter_shape=None, border_mode='valid', subsample=(1, 1), "
    "filter_flip=True, filter_dilation=(1, 1))",
    "sigmoid_binary_crossentropy": "(output, target)",
    "softmax": "(c, axis=None)",
    "softmax_graph": "(c)",
    "softmax_with_bias": "(x, b)",
    "softminus": "(x)",
}
CURVES = ("sigmoid", "ultra_fast_sigmoid", "hard_sigmoid", "softplus", "softsign")
CLASSES = ("Softmax", "LogSoftmax")
MODULES = ("blocksparse", "ctc", "neighbours")


def plain(function):
    signature = inspect.signature(function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def test_all_names_are_known():
    assert set(T.nnet.__all__) == {*SIGNATURES, *CURVES, *CLASSES, *MODULES}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name):
    assert plain(getattr(T.nnet, name)) == SIGNATURES[name]


@pytest.mark.parametrize("name", [*SIGNATURES, *CURVES])
def test_documented(name):
    assert len(getattr(T.nnet, name).__doc__.strip()) > 10


def test_curves_are_ops_of_one_argument():
    x = T.dvector("x")
    for name in CURVES:
        y = getattr(T.nnet, name)(x, name="y")
        assert str(y.owner.op) == name and y.name == "y"
        with pytest.raises((TypeError, ValueError)):
            getattr(T.nnet, name)(x, x)


def test_ops_are_found_in_the_graph():
    """Programs look at ``owner.op``."""
    x = T.dmatrix("x")
    assert isinstance(T.nnet.softmax(x).owner.op, T.nnet.Softmax)
    assert isinstance(T.nnet.logsoftmax(x).owner.op, T.nnet.LogSoftmax)
    assert T.nnet.softmax(x).owner.inputs == (x,)
    assert T.nnet.sigmoid(x).owner.op == T.nnet.sigmoid


def test_batch_normalization():
    x, gamma, beta, mean, std = T.dmatrix("x"), *T.dvectors("gamma", "beta", "mean", "std")
    outputs = [T.nnet.batch_normalization(x, gamma, beta, mean, std, mode=m) for m in ("low_mem", "high_mem")]
    data = np.arange(6.0).reshape(3, 2)
    args = [data, [1.0, 2.0], [0.5, -1.0], data.mean(axis=0), data.std(axis=0)]
    expected = (data - data.mean(axis=0)) * [1, 2] / data.std(axis=0) + [0.5, -1]
    for y in croton.function([x, gamma, beta, mean, std], outputs)(*args):
        np.testing.assert_allclose(y, expected, rtol=1e-14, atol=1e-15)
    with pytest.raises(ValueError, match="mode must be 'low_mem' or 'high_mem', not 'fast'"):
        T.nnet.batch_normalization(x, gamma, beta, mean, std, mode="fast")
