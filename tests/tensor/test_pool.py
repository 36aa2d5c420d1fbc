"""Pooling against sums over windows written out in NumPy."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T
from croton.tensor.pool import MODES, Pool, max_pool_2d, max_pool_2d_same_size, pool_2d, pool_3d
from croton.tensor.windows import Span, window_max


def windows(n, size, step, pad, ignore_border):
    """The cells [begin, end) of each window along an axis of n cells, and how many of them are padding."""
    r = n + 2 * pad
    if ignore_border:
        count = 0 if r < size else (r - size) // step + 1
    elif step >= size:
        count = (r - 1) // step + 1
    else:
        count = max(0, (r - 1 - size + step) // step) + 1
    found = []
    for k in range(count):
        begin, end = k * step - pad, min(k * step - pad + size, n + pad)
        inside = slice(max(begin, 0), min(end, n))
        found.append((inside, end - begin - (inside.stop - inside.start)))
    return found


def pooled(x, ws, ignore_border=True, stride=None, pad=None, mode="max"):
    """Each window's value, one by one."""
    nd = len(ws)
    stride, pad = stride or ws, pad or (0,) * nd
    axes = [windows(n, *w, ignore_border) for n, *w in zip(x.shape[-nd:], ws, stride, pad, strict=True)]
    z = np.zeros(x.shape[:-nd] + tuple(map(len, axes)), x.dtype)
    for at in np.ndindex(*map(len, axes)):
        cells = x[(..., *[axis[k][0] for axis, k in zip(axes, at, strict=True)])]
        cells = cells.reshape(*x.shape[:-nd], -1)
        real = cells.shape[-1]
        full = np.prod([s.stop - s.start + p for s, p in (axis[k] for axis, k in zip(axes, at, strict=True))])
        total = cells.max(-1) if mode == "max" else cells.sum(-1)
        size = {"average_exc_pad": real, "average_inc_pad": full}.get(mode, 1)
        # Integers are divided as C divides them.
        z[(..., *at)] = np.trunc(total / size) if x.dtype.kind in "iu" else total / size
    return z


@st.composite
def cases(draw, nd):
    """(size of the image, window, stride, pad, ignore_border), such that at least one window fits."""
    ignore_border = draw(st.booleans())
    lengths, ws, stride, pad = [], [], [], []
    for _ in range(nd):
        size = draw(st.integers(1, 4))
        padding = draw(st.integers(0, size - 1)) if ignore_border else 0
        least = max(1, size - 2 * padding) if ignore_border else 1
        lengths.append(draw(st.integers(least, least + 5)))
        ws.append(size), stride.append(draw(st.integers(1, 5))), pad.append(padding)
    return lengths, tuple(ws), tuple(stride), tuple(pad), ignore_border


@pytest.mark.parametrize("nd", [2, 3])
def test_values_shapes_and_dtypes(nd, agree):
    pool = {2: pool_2d, 3: pool_3d}[nd]

    @settings(max_examples=12 if nd == 2 else 5)
    @given(cases(nd), st.sampled_from(["float64", "float32", "int32", "uint8"]), st.integers(0, 99))
    def compare(case, dtype, seed):
        lengths, ws, stride, pad, ignore_border = case
        rng = np.random.RandomState(seed)
        x = (rng.randint(0, 9, (2, *lengths)) - (0 if dtype == "uint8" else 4)).astype(dtype)
        agree(
            lambda x: [pool(x, ws, ignore_border, stride, pad, mode) for mode in MODES],
            lambda x: [pooled(x, ws, ignore_border, stride, pad, mode) for mode in MODES],
            x,
        )

    compare()


def test_ragged_borders_as_documented():
    x = np.arange(25.0).reshape(5, 5)
    y = T.dmatrix("x")
    outputs = [
        pool_2d(y, (2, 2), ignore_border=False, mode="average_inc_pad"),
        pool_2d(y, (2, 2), ignore_border=True, pad=(1, 1), mode="average_inc_pad"),
        pool_2d(y, (2, 2), ignore_border=True, pad=(1, 1), mode="average_exc_pad"),
        pool_2d(-1 - y, (2, 2), ignore_border=True, pad=(1, 1)),
        pool_2d(y, (9, 9), ignore_border=False),
    ]
    ragged, inc, exc, largest, whole = croton.function([y], outputs)(x)
    np.testing.assert_array_equal(ragged, [[3, 5, 6.5], [13, 15, 16.5], [20.5, 22.5, 24]])
    np.testing.assert_array_equal(inc, [[0, 0.75, 1.75], [3.75, 9, 11], [8.75, 19, 21]])
    np.testing.assert_array_equal(exc, [[0, 1.5, 3.5], [7.5, 9, 11], [17.5, 19, 21]])
    np.testing.assert_array_equal(largest, [[-1, -2, -4], [-6, -7, -9], [-16, -17, -19]])  # never the padding's 0
    np.testing.assert_array_equal(whole, [[24]])


# Without overlap; stride below, equal to and above the window; padding; ragged ends; rank 3; one window for all.
DERIVED = [
    (2, (4, 5), (2, 2), (2, 2), (0, 0), True),
    (2, (5, 5), (3, 2), (2, 1), (1, 1), True),
    (2, (5, 6), (2, 3), (3, 2), (0, 0), False),
    (2, (3, 9), (3, 9), (3, 9), (0, 0), True),
    (3, (3, 4, 3), (2, 2, 3), (1, 2, 2), (0, 0, 1), True),
]


@pytest.mark.parametrize("nd, lengths, ws, stride, pad, ignore_border", DERIVED)
def test_gradients(nd, lengths, ws, stride, pad, ignore_border, gradients_agree):
    x = np.random.RandomState(4).permutation(2 * np.prod(lengths)).reshape(2, *lengths) / 8.0
    pool = {2: pool_2d, 3: pool_3d}[nd]
    gradients_agree(
        lambda x: [
            *[pool(x, ws, ignore_border, stride, pad, mode) for mode in MODES],
            max_pool_2d_same_size(x, ws[-2:]),
        ],
        x,
    )


@pytest.mark.parametrize("mode", MODES)
def test_second_derivatives_and_forward_mode(mode):
    """Of sum(pool(x ** 3)), by hand: the Hessian times v is the gradient of the gradient's product with v."""
    x, v = T.dmatrices("x", "v")

    def pool(x):
        return pool_2d(x, (2, 3), True, (1, 2), mode=mode)

    cost = (pool(x**3) ** 2).sum()
    gradient = croton.grad(cost, x)
    twice = croton.grad((gradient * v).sum(), x)
    f = croton.function(
        [x, v], [gradient, twice, croton.gradient.Rop(gradient, x, v), croton.gradient.Rop(pool(x), x, v)]
    )
    rng = np.random.RandomState(0)
    point, direction = rng.permutation(20).reshape(4, 5) / 10.0 - 1, rng.randn(4, 5)
    step = 1e-6
    by_differences = (f(point + step * direction, direction)[0] - f(point - step * direction, direction)[0]) / (
        2 * step
    )
    _, reverse, forward, pushed = f(point, direction)
    np.testing.assert_allclose(reverse, by_differences, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(forward, by_differences, rtol=1e-6, atol=1e-6)
    moved = [pooled(point + s * direction, (2, 3), True, (1, 2), mode=mode) for s in (step, -step)]
    np.testing.assert_allclose(pushed, (moved[0] - moved[1]) / (2 * step), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("ws, stride", [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((2, 3), (4, 4))])
def test_ties_share_the_gradient(ws, stride):
    """Of a constant image each window's gradient sums to one, nothing outside the windows gets any."""
    x, g = T.dmatrix("x"), T.dmatrix("g")
    z = pool_2d(x, ws, True, stride)
    f = croton.function([x, g], croton.grad(None, x, known_grads={z: g}))
    shape = np.shape(pooled(np.zeros((7, 7)), ws, True, stride))
    weights = 2.0 ** np.arange(np.prod(shape)).reshape(shape)
    for value in (1.0, -np.inf):
        got = f(np.full((7, 7), value), weights)
        assert got.sum() == pytest.approx(weights.sum(), rel=1e-14)
    inside = pooled(np.arange(49.0).reshape(7, 7), ws, True, stride).max()
    assert not f(np.zeros((7, 7)), weights).ravel()[int(inside) + 1 :].any()


def test_padding_takes_no_share():
    """Also where the largest element is what the padding counts as."""
    x = T.dmatrix("x")
    cost = pool_2d(x, (2, 3), False).sum() + 8 * pool_2d(x, (3, 2), True, (2, 1), pad=(1, 1)).sum()
    f = croton.function([x], croton.grad(cost, x))
    for value in (0.0, -np.inf):
        assert f(np.full((5, 5), value)).sum() == pytest.approx(3 * 2 + 8 * 3 * 6, rel=1e-14)


def test_nan_and_infinity():
    x = T.dmatrix("x")
    z = pool_2d(x, (2, 2), True)
    f = croton.function([x], [z, croton.grad(z.sum(), x)])
    z, g = f([[np.nan, 1, -np.inf, -np.inf], [2, 3, -np.inf, -np.inf]])
    np.testing.assert_array_equal(z, [[np.nan, -np.inf]])
    np.testing.assert_array_equal(g, [[0, 0, 0.25, 0.25], [0, 0, 0.25, 0.25]])


def test_symbolic_sizes_compile_once_for_each_value():
    x, ws, stride, pad = T.dtensor3("x"), *T.lvectors("ws", "stride", "pad")
    f = croton.function([x, ws, stride, pad], [pool_2d(x, ws, True, stride, pad), pool_2d(x, (ws[0], 2), True)])
    data = np.random.RandomState(0).randn(2, 6, 7)
    for sizes in (((2, 3), (1, 2), (1, 0)), ((3, 2), (3, 2), (0, 0))):
        first, second = f(data, *sizes)
        np.testing.assert_array_equal(first, pooled(data, sizes[0], True, *sizes[1:]))
        np.testing.assert_array_equal(second, pooled(data, (sizes[0][0], 2)))
    with pytest.raises(NotImplementedError, match="padding 2 must be smaller than the window 2"):
        f(data, (2, 2), (2, 2), (2, 0))
    with pytest.raises(ValueError, match="the window must have 2 entries"):
        f(data, (2, 2, 2), (2, 2), (0, 0))


def test_max_pool_2d_same_size():
    x = np.random.RandomState(1).randint(0, 5, (2, 5, 7)).astype("float64")
    y = T.dtensor3("x")
    found = croton.function([y], max_pool_2d_same_size(y, (2, 3)))(x)
    z = pooled(x, (2, 3)).repeat(2, 1).repeat(3, 2)
    expected = np.zeros_like(x)
    expected[:, :4, :6] = np.where(x[:, :4, :6] == z, x[:, :4, :6], 0)
    np.testing.assert_array_equal(found, expected)


def test_old_names_are_warned_of():
    x = T.dmatrix("x")
    data = np.random.RandomState(0).randn(5, 6)
    with pytest.warns(DeprecationWarning) as seen:
        old = pool_2d(x, ds=(3, 2), ignore_border=True, st=(1, 2), padding=(1, 0))
    assert [str(w.message) for w in seen] == [
        f"pool_2d: {a} is an old name of {b}" for a, b in (("ds", "ws"), ("st", "stride"), ("padding", "pad"))
    ]
    assert {w.filename for w in seen} == {__file__}
    with pytest.warns(UserWarning, match="ignore_border was not given and is taken as False") as seen:
        loose = pool_2d(x, (2, 4))
    assert seen[0].filename == __file__
    older = max_pool_2d(x, (3, 2), True, (1, 2), (1, 0), "sum")
    old_found, loose_found, older_found = croton.function([x], [old, loose, older])(data)
    np.testing.assert_array_equal(old_found, pooled(data, (3, 2), True, (1, 2), (1, 0)))
    np.testing.assert_array_equal(loose_found, pooled(data, (2, 4), False))
    np.testing.assert_allclose(older_found, pooled(data, (3, 2), True, (1, 2), (1, 0), "sum"), rtol=1e-14)


def test_out_shape_is_that_of_the_result():
    for n, size, step, pad, ignore_border in itertools.product((4, 7), (2, 3), (1, 2, 4), (0, 1), (True, False)):
        if ignore_border or not pad:
            expected = len(windows(n, size, step, pad, ignore_border))
            found = Pool.out_shape((3, n, 9), (size, 9), ignore_border, (step, 9), (pad, 0))
            assert found == [3, expected, 1]
    rows, size = T.lscalars("rows", "size")
    f = croton.function([rows, size], [
        Pool.out_shape((rows, rows), (size, 2), ignore_border, (2, 1))[0] for ignore_border in (True, False)
    ])  # fmt: skip
    for n, s in ((7, 2), (7, 3), (2, 3)):
        assert [int(v) for v in f(n, s)] == [len(windows(n, s, 2, 0, b)) for b in (True, False)]
    assert Pool.out_shape((5, 5), (9, 9), True) == [0, 0]
    with pytest.raises(TypeError, match="at least 2 dimensions"):
        Pool.out_shape((5,), (2, 2))


def test_ops_are_found_in_the_graph():
    z = pool_2d(T.dmatrix("x"), (2, 2), True, mode="max_deterministic")
    assert isinstance(z.owner.op, Pool) and z.owner.op == Pool(True, "max", 2)
    assert z.owner.op.mode == "max" and z.owner.op.ignore_border and z.owner.op.ndim == 2
    y = T.TensorType("float32", shape=(3, None, 9))("y")
    assert pool_2d(y, (2, 2), True, (2, 1)).type.shape == (3, None, 8)


X = T.dmatrix("x")
BAD = [
    (lambda: pool_2d(X, ignore_border=True), ValueError, "You must provide a tuple value for the window size"),
    (lambda: pool_2d(X, (2, 2), True, ds=(2, 2)), ValueError, "ws and its old name ds were both given"),
    (lambda: pool_2d(X, (2, 2), True, (1, 1), st=(2, 2)), ValueError, "stride and its old name st were both given"),
    (lambda: pool_2d(X, (2, 2), True, pad=(1, 1), padding=(1, 1)), ValueError, "pad and its old name padding"),
    (lambda: pool_2d(X, (2, 2), True, mode="median"), ValueError, "mode 'median' is none of 'max', 'sum'"),
    (lambda: pool_2d(T.dvector("v"), (2, 2), True), NotImplementedError, "v of type .* has 1 dimensions"),
    (lambda: pool_3d(X, (2, 2, 2), True), NotImplementedError, "x of type .* has 2 dimensions, at least 3"),
    (lambda: pool_2d(X, (2, 2), False, pad=(1, 1)), NotImplementedError, "works only with ignore_border=True"),
    (lambda: pool_2d(X, (2, 2), True, pad=(0, 2)), NotImplementedError, "padding 2 must be smaller than the window 2"),
    (lambda: pool_2d(X, (2.0, 2.0), True), TypeError, "the window must be integers"),
    (lambda: pool_2d(X, (2, 2, 2), True), ValueError, "Pool{max, 2d} of x: the window must have 2 entries"),
    (lambda: pool_2d(X, 2, True), ValueError, "the window must have 2 entries"),
    (lambda: pool_2d(X, (0, 2), True), ValueError, "window 0, stride 0, pad 0"),
    (lambda: pool_2d(X, (2, 2), True, (1, 0)), ValueError, "dimension 1: window 2, stride 0, pad 0"),
    (lambda: pool_2d(T.zmatrix("z"), (2, 2), True), TypeError, "z of type .* is complex"),
]


@pytest.mark.parametrize("build, kind, message", BAD)
def test_bad_arguments(build, kind, message):
    with pytest.raises(kind, match=message):
        build()


def test_a_window_larger_than_the_image():
    known = T.TensorType("float32", shape=(3, 4, 9))("image")
    with pytest.raises(
        ValueError, match=r"image, dimension 1: the window, of length 5, is larger than the image, of length 4;"
    ):
        pool_2d(known, (5, 5), True)
    x = T.dtensor3("image")
    with pytest.warns(UserWarning, match="ignore_border"):
        f = croton.function([x], [pool_2d(x, (5, 5)), pool_2d(x, (5, 7), True, pad=(0, 1))])
    with pytest.raises(
        ValueError, match=r"Pool{max, 2d} of image, dimension 2: .* of length 7, .* of length 4 and 1 of"
    ) as e:
        f(np.zeros((3, 9, 4)))
    assert "(3, 9, 4)" in str(e.value) and "Built at" in str(e.value)
    assert f(np.zeros((0, 5, 6)))[1].shape == (0, 1, 1)
    with pytest.raises(ValueError, match="of length 0"):
        f(np.zeros((3, 0, 9)))


def test_small_windows_are_folded_at_once_and_others_axis_by_axis():
    """Both ways give the same values and the same gradient where nothing is equal."""
    import jax

    x = np.random.RandomState(0).permutation(2 * 18 * 9).reshape(2, 18, 9).astype("float32")
    for size, step in ((9, 9), (3, 2)):
        spans = tuple(Span(a, size, step, 0, (x.shape[a] - size) // step + 1) for a in (1, 2))
        dims, steps = (1, size, size), (1, step, step)

        @jax.jit
        def both(x, spans=spans, dims=dims, steps=steps):
            z, pull = jax.vjp(lambda x: window_max(x, spans), x)
            other, other_pull = jax.vjp(
                lambda x: jax.lax.reduce_window(x, -np.inf, jax.lax.max, dims, steps, "VALID"), x
            )
            return z, pull(z)[0], other, other_pull(other)[0]

        z, g, expected_z, expected_g = both(x)
        np.testing.assert_array_equal(z, expected_z)
        np.testing.assert_array_equal(g, expected_g)
