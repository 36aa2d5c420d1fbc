"""What convolutions refuse, when, and what they say."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.tensor import conv
from croton.tensor.conv import old

A, B = T.dtensor4("images"), T.dtensor4("kernels")
V = T.tensor5("films")

REFUSED = [
    (lambda: T.nnet.conv2d(T.matrix("flat"), B), TypeError, "img must be 4D tensor: flat"),
    (lambda: T.nnet.conv2d(A, T.matrix("flat")), TypeError, "kern must be 4D tensor: flat"),
    (lambda: T.nnet.conv2d(A, B, unshared=True), TypeError, "kern must be 6D tensor for unshared"),
    (lambda: T.nnet.conv3d(A, V), TypeError, "conv3d: img must be 5D tensor"),
    (lambda: T.nnet.conv2d(T.ztensor4(), B), TypeError, "real numbers"),
    (lambda: T.nnet.conv2d(A, B, border_mode="same"), ValueError, "'same'.*'valid', 'full', 'half', an integer"),
    (lambda: T.nnet.conv2d(A, B, border_mode=(-1, 0)), ValueError, "invalid border_mode"),
    (lambda: T.nnet.conv2d(A, B, border_mode=-1), ValueError, "invalid border_mode"),
    (lambda: T.nnet.conv2d(A, B, border_mode=(1, 1, 1)), ValueError, "2 integers or pairs"),
    (lambda: T.nnet.conv2d(A, B, border_mode=((1, 1, 1), 0)), ValueError, "invalid border_mode"),
    (lambda: T.nnet.conv2d(A, B, subsample=(1, 1, 1)), ValueError, "subsample must have 2 elements"),
    (lambda: T.nnet.conv2d(A, B, subsample=(0, 1)), ValueError, "subsample must be positive"),
    (lambda: T.nnet.conv2d(A, B, filter_dilation=(1, 0)), ValueError, "filter_dilation must be positive"),
    (lambda: T.nnet.conv2d(A, B, num_groups=0), ValueError, "num_groups"),
    (lambda: T.nnet.conv2d(A, B, input_shape=(1, 2, 3)), ValueError, "input_shape must be a tuple of 4"),
    (lambda: T.nnet.conv2d(A, B, input_shape=(1, 2, T.lscalar("n"), 3)), ValueError, "not the symbolic n"),
    (lambda: T.nnet.conv2d(A, B, filter_shape=(1, 2, 2.5, 3)), ValueError, "filter_shape must hold integers"),
    (lambda: T.nnet.conv2d(A, B, (1,) * 4, image_shape=(1,) * 4), ValueError, "not both"),
    (lambda: T.nnet.conv2d(A, B, imshp_logical=(1, 2, 3)), ValueError, "imshp_logical"),
    # Known from the shapes that are claimed.
    (lambda: T.nnet.conv2d(A, B, (2, 3, 7, 8), (4, 2, 3, 2)), ValueError, r"size.*3 channels.*take 2\n.*images: "),
    (lambda: T.nnet.conv2d(A, B, (2, 3, 7, 8), (4, 3, 9, 2)), ValueError, "impossible output.*length 9.*length 7"),
    (lambda: T.nnet.conv2d(np.zeros((1, 3, 5, 5)), B, (1, 4, 5, 5)), ValueError, r"\(1, 3, 5, 5\).*says \(1, 4"),
    (lambda: T.nnet.conv2d(A, np.zeros((3, 1, 2, 2)), num_groups=2), ValueError, "divisible by num_groups 2"),
    (lambda: conv.conv2d_grad_wrt_inputs(A, B, (1, 2, None, 4)), ValueError, "cannot be None"),
    (lambda: conv.conv2d_grad_wrt_inputs(A, B, (1, 2, 3)), ValueError, "must have 4 lengths"),
    (lambda: conv.AbstractConv2d_gradInputs()(B, A, [3, 3, 3]), ValueError, "must have 2 lengths"),
    (lambda: conv.AbstractConv2d_gradInputs()(B, A, T.dvector()), TypeError, "must be integers"),
    (lambda: conv.AbstractConv2d_gradInputs()(B, T.matrix("flat"), [3, 3]), TypeError, "topgrad must be 4D"),
    (lambda: conv.conv2d_grad_wrt_weights(np.zeros((1, 3, 5, 5)), A, (4,) * 4, num_groups=2), ValueError, "divisible"),
    (lambda: conv.AbstractConv3d(unshared=True), NotImplementedError, "unshared"),
    (lambda: conv.causal_conv1d(A, T.tensor3(), (1, 1, 1)), ValueError, "input images must have 3 dimensions"),
    (lambda: conv.causal_conv1d(T.tensor3(), T.tensor3(), (1, 1, None)), ValueError, "the last one known"),
    (lambda: old.conv3d(A, V), TypeError, "signals must be 5D"),
    (lambda: old.conv3d(V, V, border_mode=("valid", "full", "full")), ValueError, "need filters_shape"),
    (lambda: old.conv3d(V, V, border_mode="same"), ValueError, "'same'"),
    (lambda: conv.get_conv_output_shape((2, 3, 7), (4, 3, 3, 2), "valid", (2, 1)), ValueError, "4 lengths"),
    (lambda: conv.bilinear_upsampling(A), ValueError, "either ratio or frac_ratio"),
    (lambda: conv.bilinear_upsampling(A, 2, (3, 2)), ValueError, "either ratio or frac_ratio"),
    (lambda: conv.bilinear_upsampling(A, 2.5), ValueError, "positive integer.*2.5"),
    (lambda: conv.bilinear_upsampling(A, T.lscalar()), ValueError, "known when the graph is built"),
    (lambda: conv.bilinear_upsampling(A, frac_ratio=(3, 0)), ValueError, r"\(3, 0\)"),
    (lambda: conv.bilinear_upsampling(T.matrix(), 2), TypeError, "4D tensor of floats"),
    (lambda: conv.bilinear_upsampling(np.zeros((1, 2, 3, 3)), 2, batch_size=4), ValueError, "batch_size is 4"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_refused_when_built(case):
    build, kind, words = REFUSED[case]
    with pytest.raises(kind, match="(?s)" + words):
        build()


def run(expression, *arrays):
    croton.function([A, B], expression)(*arrays)


@pytest.mark.parametrize(
    "build, shapes, words",
    [
        (lambda: T.nnet.conv2d(A, B), [(2, 3, 5, 5), (4, 2, 3, 3)], "stack size.*3 channels.*take 2"),
        (lambda: T.nnet.conv2d(A, B, num_groups=2), [(2, 3, 5, 5), (4, 1, 3, 3)], "2 groups, so 2"),
        (lambda: T.nnet.conv2d(A, B), [(2, 3, 5, 5), (4, 3, 3, 6)], r"axis 1 the filters of length 6.*\(2, 3, 5, 5\)"),
        (lambda: T.nnet.conv2d(A, B, (None, 3, 5, 6)), [(2, 3, 5, 5), (4, 3, 3, 3)], "input_shape says"),
        (lambda: T.nnet.conv2d(A, B, None, (4, 3, 3, 3)), [(2, 3, 5, 5), (5, 3, 3, 3)], "filter_shape says"),
        (
            lambda: conv.conv2d_grad_wrt_inputs(A, B, (None, None, 9, 9)),
            [(2, 4, 5, 5), (4, 3, 3, 3)],
            r"shape inconsistency.*\(9, 9\).*give an output of shape \(2, 4, 7, 7\), but output_grad.*\(2, 4, 5, 5\)",
        ),
        (
            lambda: conv.conv2d_grad_wrt_weights(A, B, (None, None, 4, 2)),
            [(2, 3, 5, 5), (2, 4, 3, 3)],
            r"shape inconsistency.*\(2, 4, 2, 4\)",
        ),
        (lambda: conv.bilinear_upsampling(A, 2, None, 3) + B.sum(), [(2, 1, 2, 2), (1,) * 4], "batch_size is 3"),
    ],
)
def test_refused_when_run(build, shapes, words):
    with pytest.raises(ValueError, match="(?s)" + words + ".*images"):
        run(build(), *[np.ones(s) for s in shapes])


def test_a_batch_of_another_size_than_claimed_is_none():
    out = T.nnet.conv2d(A, B, input_shape=(20, 1, 3, 3), filter_shape=(1, 1, 3, 3))
    f = croton.function([A, B], [out, T.grad(out.sum(), A)])
    assert [v.shape for v in f(np.ones((7, 1, 3, 3)), np.ones((1, 1, 3, 3)))] == [(7, 1, 1, 1), (7, 1, 3, 3)]


def test_words_of_another_time():
    with pytest.warns(DeprecationWarning, match="image_shape"):
        out = T.nnet.conv2d(A, B, image_shape=(None, 3, 8, 8), filter_shape=(2, 3, 3, 3))
    assert out.type.shape == (None, 2, 6, 6)
    with pytest.warns(UserWarning, match="unroll_batch, version have no effect"):
        T.nnet.conv2d(A, B, unroll_batch=1, version=2)


def test_ops_can_be_compared_and_looked_at():
    out = T.nnet.conv2d(A, B, subsample=(2, 2), border_mode=[1, 2])
    assert isinstance(out.owner.op, conv.AbstractConv2d)
    assert out.owner.op == conv.AbstractConv2d(border_mode=(1, 2), subsample=(2, 2))
    assert out.owner.op.border_mode == (1, 2) and out.owner.op.filter_flip and out.owner.op.imshp is None
    assert "subsample=(2, 2)" in str(out.owner.op)
    assert conv.AbstractConv2d() != conv.AbstractConv3d()
