"""Convolutions against SciPy's, their gradients against what linearity demands of them."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T
from croton.tensor import conv
from croton.tensor.conv import old, products, trilinear


def dilated(w, dims, dilations):
    for axis, d in zip(range(w.ndim - dims, w.ndim), dilations, strict=True):
        wide = np.zeros((*w.shape[:axis], (w.shape[axis] - 1) * d + 1, *w.shape[axis + 1 :]), w.dtype)
        wide[(slice(None),) * axis + (slice(None, None, d),)] = w
        w = wide
    return w


@np.errstate(invalid="ignore")  # SciPy casts what lies in the room for its result
def convolved(x, w, mode="valid", strides=None, flip=True, dilations=None, groups=1):
    """The convolution by SciPy, channel by channel."""
    dims = x.ndim - 2
    strides, dilations = strides or (1,) * dims, dilations or (1,) * dims
    w = dilated(w, dims, dilations)
    spans = w.shape[2:]
    modes = {"valid": [0] * dims, "full": [k - 1 for k in spans], "half": [k // 2 for k in spans]}
    pads = modes[mode] if isinstance(mode, str) else [mode] * dims if isinstance(mode, int) else mode
    pads = [p if isinstance(p, tuple) else (p, p) for p in pads]
    x = np.pad(x, [(0, 0), (0, 0), *pads])
    one = scipy.signal.convolve if flip else scipy.signal.correlate
    inner, per_group = w.shape[1], w.shape[0] // groups
    maps = [
        [
            sum(one(im[o // per_group * inner + c], w[o, c], "valid", "direct") for c in range(inner))
            for o in range(len(w))
        ]
        for im in x
    ]
    return np.array(maps)[(slice(None), slice(None), *[slice(None, None, s) for s in strides])]


@st.composite
def cases(draw, dims):
    few = st.integers(1, 3)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    n, inner, out = draw(few), draw(few), draw(st.integers(1, 2)) * groups
    kernel = [draw(few) for _ in range(dims)]
    strides, dilations = [tuple(draw(st.integers(1, 2)) for _ in range(dims)) for _ in "ab"]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    image = [span + draw(st.integers(0, 4)) for span in spans]
    pad = st.integers(0, 2)
    own = st.tuples(*[st.one_of(pad, st.tuples(pad, pad)) for _ in range(dims)])
    mode = draw(st.one_of(st.sampled_from(["valid", "full", "half"]), pad, own))
    x = (n, inner * groups, *image)
    return x, (out, inner, *kernel), mode, strides, draw(st.booleans()), dilations, groups


def check(case, dtype, seed):
    """Values, static shapes and gradients of one case, in one compiled function."""
    xs, ws, mode, strides, flip, dilations, groups = case
    dims = len(xs) - 2
    r = np.random.RandomState(seed)
    x, w = r.randn(*xs).astype(dtype), r.randn(*ws).astype(dtype)
    call = conv.conv2d if dims == 2 else conv.conv3d
    back = (
        (conv.conv2d_grad_wrt_inputs, conv.conv2d_grad_wrt_weights)
        if dims == 2
        else (conv.conv3d_grad_wrt_inputs, conv.conv3d_grad_wrt_weights)
    )
    options = {
        "border_mode": mode, "subsample": strides, "filter_flip": flip, "filter_dilation": dilations,
        "num_groups": groups,
    }  # fmt: skip
    vx, vw, vy = (T.TensorType(dtype, (False,) * (dims + 2))(name) for name in "xwy")
    out = call(vx, vw, **options)
    slopes = T.grad((out * vy).sum(), [vx, vw])
    apart = [
        back[0](vy, vw, (None, None, *[vx.shape[k] for k in range(2, dims + 2)]), **options),
        back[1](vx, vy, vw.shape, **options),
    ]
    expected = convolved(x, w, mode, strides, flip, dilations, groups)
    y = r.randn(*expected.shape).astype(dtype)
    found, dx, dw, dx2, dw2 = croton.function([vx, vw, vy], [out, *slopes, *apart])(x, w, y)

    tolerance = 1e-4 if dtype == "float32" else 1e-10
    assert {str(v.dtype) for v in (found, dx, dw, dx2, dw2)} == {dtype}
    assert found.shape == expected.shape == conv.get_conv_output_shape(xs, ws, mode, strides, dilations)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    # The form is linear in each, so its derivatives times another x or w are its values there.
    ex, ew = r.randn(*xs), r.randn(*ws)
    other = (mode, strides, flip, dilations, groups)
    np.testing.assert_allclose(
        (dx * ex).sum(), (y * convolved(ex, w, *other)).sum(), rtol=tolerance, atol=tolerance * 30
    )
    np.testing.assert_allclose(
        (dw * ew).sum(), (y * convolved(x, ew, *other)).sum(), rtol=tolerance, atol=tolerance * 30
    )
    np.testing.assert_allclose(dx2, dx, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(dw2, dw, rtol=tolerance, atol=tolerance)
    static = call(T.TensorType(dtype, shape=xs)(), T.TensorType(dtype, shape=ws)(), **options).type.shape
    assert static == expected.shape


@settings(max_examples=15, deadline=None)
@given(cases(2), st.sampled_from(["float32", "float64"]), st.integers(0, 99))
def test_conv2d_and_its_gradients(case, dtype, seed):
    check(case, dtype, seed)


@settings(max_examples=5, deadline=None)
@given(cases(3), st.sampled_from(["float32", "float64"]), st.integers(0, 99))
def test_conv3d_and_its_gradients(case, dtype, seed):
    check(case, dtype, seed)


@pytest.mark.parametrize("where", ["in parts", "by XLA"])
def test_every_way_to_compute_it_gives_the_same(monkeypatch, where):
    if where == "in parts":
        # Two or three images at a time, the last part not full.
        monkeypatch.setattr(products, "HELD", 5000)
    else:
        monkeypatch.setattr(trilinear, "SLICES", 0)
    check(((7, 4, 6, 5), (6, 2, 3, 2), ((1, 0), 2), (1, 2), True, (2, 1), 2), "float64", 0)
    check(((5, 1, 9, 9), (4, 1, 3, 3), "valid", (1, 1), True, (1, 1), 1), "float32", 1)


def test_no_images_and_no_channels():
    x, w = T.dtensor4(), T.dtensor4()
    out = T.nnet.conv2d(x, w)
    f = croton.function([x, w], [out, *T.grad(out.sum(), [x, w])])
    y, dx, dw = f(np.zeros((0, 2, 4, 4)), np.ones((3, 2, 2, 2)))
    assert y.shape == (0, 3, 3, 3) and dx.shape == (0, 2, 4, 4) and not dw.any()
    y, dx, dw = f(np.zeros((2, 0, 4, 4)), np.ones((3, 0, 2, 2)))
    assert y.shape == (2, 3, 3, 3) and not y.any() and dx.shape == (2, 0, 4, 4) and dw.shape == (3, 0, 2, 2)


def test_dtypes():
    x, w = T.ftensor4(), T.dtensor4()
    assert T.nnet.conv2d(x, w).dtype == "float32"
    assert T.nnet.conv2d(w, x).dtype == "float64"
    i = np.arange(16, dtype="int32").reshape(1, 1, 4, 4)
    k = np.array([[[[1, 2], [3, 4]]]], "int32")
    found = T.nnet.conv2d(i, k).eval()
    assert found.dtype == "int32"
    np.testing.assert_array_equal(found, convolved(i, k))
    with pytest.raises(TypeError, match="cast the first to a float"):
        T.nnet.conv2d(T.itensor4(), w)


def test_unshared_filters():
    """A kernel for each place; with the same one everywhere, the usual convolution."""
    r = np.random.RandomState(0)
    x, w = r.randn(2, 4, 6, 7), r.randn(6, 5, 3, 2, 3, 2)
    options = {"subsample": (1, 2), "border_mode": ((1, 0), 0), "num_groups": 2, "unshared": True}
    vx, vw, vy = T.dtensor4(), T.TensorType("float64", (False,) * 6)(), T.dtensor4()
    out = conv.conv2d(vx, vw, **options)
    y = r.randn(2, 6, 5, 3)
    found, dx, dw, dx2, dw2 = croton.function(
        [vx, vw, vy],
        [
            out,
            *T.grad((out * vy).sum(), [vx, vw]),
            conv.conv2d_grad_wrt_inputs(vy, vw, vx.shape, **options),
            conv.conv2d_grad_wrt_weights(vx, vy, vw.shape, **options),
        ],
    )(x, w, y)
    for i, j in np.ndindex(5, 3):
        whole = convolved(x, w[:, i, j], ((1, 0), (0, 0)), (1, 2), groups=2)
        np.testing.assert_allclose(found[:, :, i, j], whole[:, :, i, j])
    np.testing.assert_allclose(dx2, dx)
    np.testing.assert_allclose(dw2, dw)
    np.testing.assert_allclose((dw * w).sum(), (found * y).sum())
    np.testing.assert_allclose((dx * x).sum(), (found * y).sum())


def test_transposed_convolution_undoes_the_shape():
    r = np.random.RandomState(0)
    x, w = r.randn(2, 3, 4, 5), r.randn(3, 2, 3, 3)
    n = T.lscalar("n")
    v = T.dtensor4("v")
    out = T.nnet.conv2d_transpose(v, w, (None, 2, n, 11), border_mode=0, input_dilation=(2, 2))
    assert out.type.shape == (None, 2, None, 11)
    found = croton.function([v, n], out)(x, 9)
    spread = np.zeros((2, 3, 7, 9))
    spread[:, :, ::2, ::2] = x
    # The gradient of a convolution is the full correlation with the channels exchanged.
    np.testing.assert_allclose(found, convolved(spread, w.swapaxes(0, 1), "full", flip=False), atol=1e-12)


def test_separable_convolution_is_two():
    r = np.random.RandomState(0)
    x, deep, wide = r.randn(2, 3, 5, 6), r.randn(6, 1, 3, 2), r.randn(4, 6, 1, 1)
    found = T.nnet.separable_conv2d(x, deep, wide, 3, border_mode="half", subsample=(2, 1), filter_flip=False).eval()
    expected = convolved(convolved(x, deep, "half", (2, 1), False, groups=3), wide)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    x, deep, wide = r.randn(1, 2, 4, 4, 3), r.randn(2, 1, 2, 2, 2), r.randn(3, 2, 1, 1, 1)
    found = conv.separable_conv3d(x, deep, wide, 2).eval()
    np.testing.assert_allclose(found, convolved(convolved(x, deep, groups=2), wide), atol=1e-12)


@pytest.mark.parametrize("stride, dilation, flip", [(1, 1, True), (2, 3, False)])
def test_causal_convolution_sees_only_the_past(stride, dilation, flip):
    r = np.random.RandomState(0)
    x, w = r.randn(2, 3, 9), r.randn(4, 3, 3)
    found = conv.causal_conv1d(
        x, w, (4, 3, 3), input_shape=(None, 3, 9), subsample=stride, filter_flip=flip, filter_dilation=dilation
    ).eval()
    expected = convolved(x, w, [(2 * dilation, 0)], (stride,), flip, (dilation,))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_causal_convolution_unshared():
    r = np.random.RandomState(0)
    x, w = r.randn(2, 3, 5), r.randn(4, 5, 3, 2)
    found = conv.causal_conv1d(x, w, (4, 5, 3, 2), unshared=True).eval()
    for t in range(5):
        np.testing.assert_allclose(found[:, :, t], convolved(x, w[:, t], [(1, 0)])[:, :, t])


@pytest.mark.parametrize("mode", ["valid", "full", "half", ("valid", "full", "full"), ("half", "valid", "valid")])
def test_films(mode):
    r = np.random.RandomState(0)
    x, w = r.randn(2, 5, 3, 6, 7), r.randn(4, 2, 3, 3, 2)
    found = old.conv3d(x, w, x.shape, w.shape, mode).eval()
    lengths = dict(zip(("valid", "full", "half"), ([0, 0, 0], [1, 2, 1], [1, 1, 1]), strict=True))
    pads = [lengths[m][k] for k, m in enumerate((mode,) * 3 if isinstance(mode, str) else mode)]
    expected = convolved(x.swapaxes(1, 2), w.swapaxes(1, 2), pads).swapaxes(1, 2)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_old_function_takes_what_steered_the_old_op():
    r = np.random.RandomState(0)
    x, w = r.randn(2, 3, 5, 6), r.randn(4, 3, 3, 2)
    found = old.conv2d(x, w, (2, 3, 5, 6), (4, 3, 3, 2), "full", (2, 2), unroll_patch=True, version=-1).eval()
    np.testing.assert_allclose(found, convolved(x, w, "full", (2, 2)), atol=1e-12)
    with pytest.raises(TypeError, match="unknown arguments unrolled"):
        old.conv2d(x, w, unrolled=3)
    with pytest.raises(ValueError, match="'half'"):
        old.conv2d(x, w, border_mode="half")


def test_output_shapes_before_there_is_data():
    n = T.lscalar("n")
    symbolic = conv.get_conv_output_shape((2, 3, n, 8), (4, 3, 3, 2), "valid", (2, 1))
    assert symbolic[:2] == (2, 4) and symbolic[3] == 7 and symbolic[2].eval({n: 8}) == 3
    assert conv.get_conv_output_shape((2, 3, 7, 8), (4, 5, 9, 3, 3, 2), "valid", (1, 1)) == (2, 4, 5, 7)
    x, w = T.tensor4(), T.tensor4()
    out = T.nnet.conv2d(x, w, input_shape=(64, 3, 8, None), filter_shape=(5, 3, 3, 3), border_mode="half")
    # The number of images may vary, so a claim of it says nothing.
    assert out.type.shape == (None, 5, 8, None)
    assert T.nnet.conv2d(x, w, filter_shape=(1, None, None, None)).broadcastable == (False, True, False, False)


UP = {
    2: [0, 0.5, 1, 5.5, 10, 55, 100, 100],
    3: [0, 0, 1 / 3, 2 / 3, 1, 4, 7, 10, 40, 70, 100, 100],
    (3, 2): [0, 1 / 3, 1, 7, 40, 100],
    (7, 4): [0, 1 / 7, 5 / 7, 25 / 7, 61 / 7, 340 / 7, 100],
    (4, 6): [0, 5.5, 100],
    (1, 2): [0, 10],
}


@pytest.mark.parametrize("ratio", UP, ids=str)
def test_bilinear_upsampling(ratio):
    """The rows are what the original gave for [0, 1, 10, 100]."""
    x = np.tile([0.0, 1, 10, 100], (2, 1, 3, 1)).astype("float32")
    which = {"frac_ratio": ratio} if isinstance(ratio, tuple) else {"ratio": ratio}
    found = conv.bilinear_upsampling(x, **which, batch_size=2, num_input_channels=1)
    values = found.eval()
    assert found.type.shape == values.shape and values.dtype == "float32"
    np.testing.assert_allclose(values[1, 0, -1], UP[ratio], rtol=1e-5)
    columns = conv.bilinear_upsampling(x.swapaxes(2, 3), **which, use_1D_kernel=False).eval()
    np.testing.assert_allclose(columns, values.swapaxes(2, 3), rtol=1e-5)


def test_bilinear_upsampling_of_rows_and_columns_by_different_ratios():
    x = np.random.RandomState(0).rand(1, 2, 3, 4)
    both = conv.bilinear_upsampling(x, frac_ratio=((3, 2), (5, 3))).eval()
    rows = conv.bilinear_upsampling(x, frac_ratio=((3, 2), (1, 1))).eval()
    np.testing.assert_allclose(both, conv.bilinear_upsampling(rows, frac_ratio=((1, 1), (5, 3))).eval())
    assert both.shape == (1, 2, 5, 7)
    croton.gradient.verify_grad(lambda v: conv.bilinear_upsampling(v, frac_ratio=((3, 2), (5, 3))), [x])
