"""Indexing against NumPy: all kinds read and written, bounds of a call, duplicates, masks, derivatives, errors."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import croton
import croton.tensor as T

# --- indices drawn at large ---


@st.composite
def indexed(draw: Any, masks: bool = True) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """A shape and an index into it that NumPy accepts."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    items: list[Any] = []
    axis, broadcast = 0, draw(st.sampled_from([(), (2,), (3,), (2, 1)]))
    while axis < len(shape) and draw(st.integers(0, 9)):
        n = shape[axis]
        kind = draw(st.sampled_from(["int", "slice", "slice", "none", "array", "mask" if masks else "slice"]))
        if kind == "none":
            items.append(None)
            if sum(i is None for i in items) > 2:
                items.pop()
                axis += 1
                items.append(slice(None))
            continue
        if kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            bound = st.one_of(st.none(), st.integers(-n - 2, n + 2))
            items.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, -1, -2, 3]))))
        elif kind == "array" or any(isinstance(i, np.ndarray) for i in items):
            items.append(draw(hnp.arrays("int64", broadcast, elements=st.integers(-n, n - 1))))
        else:
            width = draw(st.integers(1, min(2, len(shape) - axis)))
            count = broadcast[-1] if broadcast else 1
            mask = np.zeros(shape[axis : axis + width], bool)
            if mask.size < count:
                items.append(slice(None))
            else:
                mask.flat[draw(st.permutations(range(mask.size)))[:count]] = True
                items.append(mask)
                axis += width - 1
        axis += 1
    if draw(st.booleans()) and axis < len(shape):
        items.append(Ellipsis)
    return shape, tuple(items)


def symbolic(index: tuple[Any, ...], inputs: list[Any], values: list[Any], draw: Any) -> tuple[Any, ...]:
    """``index`` with some of its integers and arrays made inputs of the function."""

    def variable(value: Any) -> Any:
        array = np.asarray(value)
        if array.dtype != bool:
            array = array.astype("int64")
        inputs.append(T.tensor(str(array.dtype), (False,) * array.ndim))
        values.append(array)
        return inputs[-1]

    def part(item: Any) -> Any:
        if isinstance(item, slice):
            return slice(
                *[v if v is None or draw(st.booleans()) else variable(v) for v in (item.start, item.stop, item.step)]
            )
        if item is None or item is Ellipsis or draw(st.booleans()):
            return item
        return variable(item)

    return tuple(part(item) for item in index)


@settings(max_examples=40)
@given(indexed(), st.data())
@example(((2, 3, 4), (0, slice(None), np.array([0, 1]))), None)
@example(((2, 3, 4), (np.array([0, 1]), None, np.array([2, 1]))), None)
@example(((2, 3, 4), (slice(None), np.array([[0], [1]]), np.array([2, 1]))), None)
@example(((3, 3), (np.array([[True, False, True]] * 3),)), None)
def test_reading(drawn, data):
    shape, index = drawn
    a = np.arange(np.prod(shape), dtype="int32").reshape(shape)
    x = T.tensor("int32", (False,) * len(shape))
    inputs: list[Any] = [x]
    values: list[Any] = [a]
    used = index if data is None else symbolic(index, inputs, values, data.draw)
    result = x[used]
    found = croton.function(inputs, result)(*values)
    assert found.dtype == "int32" and found.shape == a[index].shape
    np.testing.assert_array_equal(found, a[index])
    for given_ in (x, T.TensorType("int32", shape=shape)(), T.constant(a)):
        static = given_[used].type.shape
        assert len(static) == found.ndim and all(n in (None, m) for n, m in zip(static, found.shape, strict=True))


@settings(max_examples=30)
@given(indexed(), st.data())
@example(((4,), (np.array([True, False, True, False]),)), None)
def test_writing(drawn, data):
    shape, index = drawn
    a = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    part = a[index]
    rng = np.random.RandomState(0)
    y = rng.permutation(part.size).reshape(part.shape) + 0.5
    if data is not None and data.draw(st.booleans()):
        y = y[(0,) * data.draw(st.integers(0, y.ndim))] if y.size else y
    x, v = T.tensor("float64", (False,) * a.ndim), T.tensor("float64", (False,) * np.ndim(y))
    inputs, values = [x, v], [a, np.asarray(y)]
    used = index if data is None else symbolic(index, inputs, values, data.draw)
    replaced, added = croton.function(inputs, [T.set_subtensor(x[used], v), T.inc_subtensor(x[used], v)])(*values)
    wanted = a.copy()
    wanted[index] = y
    np.testing.assert_array_equal(replaced, wanted)
    wanted = a.copy()
    np.add.at(wanted, index, y)
    np.testing.assert_allclose(added, wanted)


# --- bounds that only a call knows ---


def test_minibatches_compile_once_and_the_last_is_clipped():
    data = np.arange(46.0).reshape(23, 2)
    shared = croton.shared(data)
    i, n = T.lscalar("i"), 5
    x = T.dmatrix("x")
    f = croton.function([i], x * 1, givens={x: shared[i * n : (i + 1) * n]})
    for k in range(4):
        np.testing.assert_array_equal(f(k), data[k * n : (k + 1) * n])
    assert f.trace_count == 1
    assert f(4).shape == (3, 2) and f(5).shape == (0, 2) and f(9).shape == (0, 2)
    np.testing.assert_array_equal(f(4), data[20:])
    traces = f.trace_count
    for k in range(5):
        np.testing.assert_array_equal(f(k), data[k * n : (k + 1) * n])
    np.testing.assert_array_equal(f(-1), data[-5:0])
    np.testing.assert_array_equal(f(-2), data[-10:-5])
    assert f.trace_count == traces


def test_integers_of_a_call_do_not_recompile():
    data = np.arange(12.0).reshape(4, 3)
    x, i, j = croton.shared(data), T.lscalar(), T.iscalar()
    f = croton.function([i, j], [x[i, j], x[i], x[:, j], T.set_subtensor(x[i], 0.0), x[i : i + 2 : 1, j]])
    for k in range(3):
        for m in (-3, 0, 2):
            element, row, column, replaced, piece = f(k, m)
            wanted = data.copy()
            wanted[k] = 0
            assert element == data[k, m] and (row == data[k]).all() and (column == data[:, m]).all()
            assert (replaced == wanted).all() and (piece == data[k : k + 2, m]).all()
    assert f.trace_count == 1


@settings(max_examples=25)
@given(*[st.integers(-8, 8)] * 2, st.sampled_from([-3, -1, 1, 2]), st.integers(0, 6))
def test_slices_with_all_bounds_given_by_the_call(start, stop, step, length):
    a = np.arange(length * 2.0).reshape(length, 2)
    found, written = _sliced()(a, start, stop, step)
    np.testing.assert_array_equal(found, a[start:stop:step])
    wanted = a.copy()
    wanted[start:stop:step] = -1
    np.testing.assert_array_equal(written, wanted)


_kept: list[Any] = []


def _sliced() -> Any:
    if not _kept:
        x, i, j, k = T.dmatrix(), T.lscalar(), T.lscalar(), T.lscalar()
        _kept.append(croton.function([x, i, j, k], [x[i:j:k], T.set_subtensor(x[i:j:k], -1)]))
    return _kept[0]


def test_bounds_from_shapes_and_shared_values():
    x, y = T.dvectors("x", "y")
    count = croton.shared(2, "count")
    head, tail, half = croton.function([x, y], [x[: y.shape[0]], x[-count:], x[: x.shape[0] // 2]])(
        np.arange(5.0), [0.0, 0.0]
    )
    assert head.tolist() == [0, 1] and tail.tolist() == [3, 4] and half.tolist() == [0, 1]


def test_a_bound_that_depends_on_data():
    x = T.dvector()
    f = croton.function([x], x[: T.argmax(x)])
    assert f([1.0, 2.0, 9.0, 3.0]).tolist() == [1, 2]
    assert f([5.0, 1.0]).tolist() == []


# --- duplicates, masks, derivatives ---


def test_equal_indices():
    """Of several values for one place, set keeps the last and inc adds all."""
    x, places, values = T.dvector(), T.lvector(), T.dvector()
    f = croton.function([x, places, values], [T.set_subtensor(x[places], values), T.inc_subtensor(x[places], values)])
    for seed in range(5):
        rng = np.random.RandomState(seed)
        where, what = rng.randint(-4, 4, 50), rng.uniform(size=50)
        replaced, added = f(np.zeros(4), where, what)
        wanted = np.zeros(4)
        wanted[where] = what
        np.testing.assert_array_equal(replaced, wanted)
        wanted = np.zeros(4)
        np.add.at(wanted, where, what)
        np.testing.assert_allclose(added, wanted)


def test_positions_of_what_is_not_zero():
    a = np.array([[0, 3, 0], [4, 0, 5]], "int32")
    x, c = T.dmatrix(), T.imatrix()
    f = croton.function(
        [x, c], [*c.nonzero(), x[c.nonzero()], x[T.eq(c, 0)], T.nonzero(c, return_matrix=True), T.flatnonzero(c)]
    )
    b = np.arange(6.0).reshape(2, 3)
    rows, columns, picked, zeros, matrix, flat = f(b, a)
    assert rows.dtype == columns.dtype == "int64"
    np.testing.assert_array_equal([rows, columns], np.nonzero(a))
    np.testing.assert_array_equal(picked, b[np.nonzero(a)])
    np.testing.assert_array_equal(zeros, b[a == 0])
    np.testing.assert_array_equal(matrix, np.nonzero(a))
    np.testing.assert_array_equal(flat, np.flatnonzero(a))
    g = croton.function([c], [T.nonzero_values(c), c.compress([1, 0], axis=0), T.compress(c, [0, 0, 0, 1, 0, 1])])
    values, first, some = g(a)
    assert values.tolist() == [3, 4, 5] and first.tolist() == [[0, 3, 0]] and some.tolist() == [4, 5]
    with pytest.raises(ValueError, match="nonzero of the scalar"):
        T.nonzero(T.scalar())


def test_writing_through_positions_is_one_program():
    x, c = T.dmatrix(), T.imatrix()
    masked = T.set_subtensor(x[c.nonzero()], 0)
    by_x = croton.grad((masked**2).sum(), x)
    f = croton.function([x, c], [masked, T.inc_subtensor(x[T.gt(c, 0)], 1), by_x])
    rng = np.random.RandomState(0)
    for _ in range(3):
        a, mask = rng.uniform(size=(2, 3)), rng.randint(0, 2, (2, 3), dtype="int32")
        zeroed, raised, gradient = f(a, mask)
        np.testing.assert_array_equal(zeroed, np.where(mask, 0, a))
        np.testing.assert_array_equal(raised, a + mask)
        np.testing.assert_array_equal(gradient, np.where(mask, 0, 2 * a))
    assert f.trace_count == 1


def test_a_mask_that_does_not_fit_is_an_error():
    x, m = T.dvector(), T.vector(dtype="bool")
    for build in (x[m], T.set_subtensor(x[m], 0), T.set_subtensor(x[m], x[:1])):
        f = croton.function([x, m], build)
        for mask in ([True], [True] * 4):
            with pytest.raises(IndexError, match="mask"):
                f([1.0, 2.0, 3.0], np.array(mask))
    with pytest.raises(IndexError, match="too many"):
        x[T.matrix(dtype="bool")]


@pytest.mark.parametrize(
    "index",
    [
        (1,),
        (slice(1, None, 2),),
        (slice(None, None, -1), 0),
        (None, slice(0, 2)),
        ([0, 2, 0],),
        (slice(None), [1, 1]),
        ([0, 1], [2, 2]),
        (0, None, [1, 1]),
        (np.array([[True, False, True], [False, True, True], [False] * 3]),),
    ],
    ids=str,
)
def test_derivatives(index, gradients_agree):
    rng = np.random.RandomState(2)
    a = rng.uniform(-1, 1, (3, 3))
    gradients_agree(lambda x: x[index], a)
    y = rng.uniform(-1, 1, a[tuple(index)].shape)
    gradients_agree(lambda x, v: T.set_subtensor(x[index], v) ** 2, a, y)
    gradients_agree(
        lambda x, v: [T.inc_subtensor(x[index], v) ** 2, T.inc_subtensor(x[index], v[:1] if y.ndim else v)], a, y
    )


def test_derivatives_at_places_that_the_call_gives():
    data = np.random.RandomState(0).uniform(size=(5, 3))
    x, i, labels = T.dmatrix(), T.lscalar(), T.ivector()
    cost = (x[i : i + 2] ** 2).sum() + x[T.arange(labels.shape[0]), labels].sum() + (x[i] ** 3).sum()
    f = croton.function([x, i, labels], croton.grad(cost, x))
    for k in (0, 2):
        gradient = np.zeros((5, 3))
        gradient[k : k + 2] += 2 * data[k : k + 2]
        gradient[k] += 3 * data[k] ** 2
        np.add.at(gradient, (np.arange(3), [0, 2, -1]), 1)
        np.testing.assert_allclose(f(data, k, [0, 2, -1]), gradient)
    assert f.trace_count == 1


# --- take, choose and their kin ---


@settings(max_examples=8)
@given(st.data())
def test_take(agree, data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    axis = data.draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    places = data.draw(
        hnp.arrays("int64", hnp.array_shapes(min_dims=0, max_dims=2, max_side=3), elements=st.integers(-n, n - 1))
    )
    a = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    agree(
        lambda x, i: [T.take(x, i, axis), x.take(i * 3, axis, mode="wrap"), T.take(x, i * 3, axis, mode="clip")],
        lambda x, i: [np.take(x, i, axis), np.take(x, i * 3, axis, mode="wrap"), np.take(x, i * 3, axis, mode="clip")],
        a, places,
    )  # fmt: skip


def test_choose(agree):
    rng = np.random.RandomState(0)
    for a_shape, shape in [
        ((4,), (3, 4)),
        ((2, 4), (3, 2, 4)),
        ((4,), (3, 2, 4)),
        ((2, 1), (3, 4)),
        ((), (3, 2)),
        ((2, 4), (3, 1, 4)),
    ]:
        agree(
            lambda a, c: [a.choose(c), T.choose(a + 2, c, mode="wrap"), T.choose(a * 3, c, mode="clip")],
            lambda a, c: [np.choose(a, c), np.choose(a + 2, c, mode="wrap"), np.choose(a * 3, c, mode="clip")],
            rng.randint(0, 3, a_shape), rng.uniform(size=shape),
        )  # fmt: skip
    agree(
        lambda a, b, c: T.choose(a, [b, c]),
        lambda a, b, c: np.choose(a, [b, c]),
        np.array([0, 1]),
        np.zeros(2),
        np.ones(2),
    )


# --- errors ---


def test_out_of_range_at_run_time_leaves_shared_values():
    x, i, places = croton.shared(np.arange(3.0), "x"), T.lscalar("i"), T.lvector("places")
    calls = croton.shared(0, "calls")
    counted = [(calls, calls + 1)]
    by_number = croton.function([i], x[i], updates=counted)
    by_array = croton.function([places], x[places], updates=counted)
    writing = croton.function([i, places], [], updates=[(x, T.set_subtensor(x[places + i], 7)), *counted])
    assert by_number(-3) == 0 and by_array([-3, 2]).tolist() == [0, 2]
    for call in (
        lambda: by_number(3),
        lambda: by_number(-4),
        lambda: by_array([0, 3]),
        lambda: by_array([-4]),
        lambda: writing(1, [2]),
    ):
        with pytest.raises(IndexError, match="out of bounds"):
            call()
    assert calls.get_value() == 2 and x.get_value().tolist() == [0, 1, 2]


def test_out_of_range_while_the_graph_is_built():
    x = T.TensorType("float64", shape=(3, None))()
    for index in (3, -4, (3, 0)):
        with pytest.raises(IndexError, match="out of bounds"):
            x[index]
    f = croton.function([x], x[:, 2])
    with pytest.raises(IndexError, match=r"index 2 is out of bounds for dimension 1(.*\n)*.*test_index"):
        f(np.zeros((3, 2)))


def test_what_is_no_index():
    x, v = T.dmatrix("x"), T.dvector("v")
    for index in (
        True,
        False,
        (0, True),
        np.True_,
        1.0,
        "a",
        v,
        [0.5],
        slice(0.5, None),
        slice(True),
        slice(v[0], None),
        {},
    ):
        with pytest.raises(TypeError, match="indexed"):
            x[index]
    with pytest.raises(IndexError, match="too many indices for x"):
        x[0, 0, 0]
    with pytest.raises(IndexError, match="ellipsis"):
        x[..., 0, ...]
    with pytest.raises(ValueError, match="step"):
        x[::0]
    with pytest.raises(TypeError, match=r"set_subtensor\(x\[index\], value\)"):
        x[0] = 1
    for build in (lambda: T.set_subtensor(x, 1), lambda: T.inc_subtensor(x * 2, 1), lambda: T.set_subtensor(x[0], x)):
        with pytest.raises(TypeError, match="subtensor"):
            build()
    for build in (lambda: T.take(v, [0], mode="other"), lambda: T.choose(T.ivector(), [v], mode="other")):
        with pytest.raises(ValueError, match="mode 'other'"):
            build()
    with pytest.raises(IndexError, match="axis 1"):
        T.take(v, [0], axis=1)


def test_values_written_are_cast_to_the_dtype_of_the_whole():
    x = T.ivector()
    result = T.set_subtensor(x[1:], T.constant([2.7, -2.7]))
    assert result.dtype == "int32"
    assert croton.function([x], result)([1, 1, 1]).tolist() == [1, 2, -2]


def test_a_value_that_does_not_fit_is_an_error():
    x, y = T.dvector(), T.dvector()
    f = croton.function([x, y], T.set_subtensor(x[:3], y))
    assert f([0.0] * 4, [5.0]).tolist() == [5, 5, 5, 0]
    with pytest.raises(ValueError):
        f([0.0] * 4, [1.0, 2.0])
