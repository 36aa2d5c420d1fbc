"""Data sets: every kind of data, passes and their order, blocks, and going on from a kept state."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
from croton.nets.checking import Expected, accept_all
from croton.nets.training import blocks
from croton.nets.training.data import Dataset, pick
from croton.sparse.value import Sparse


def rows_of(passes):
    """The numbers of the examples in a pass: the data are their own numbers."""
    return [int(i) for (x,) in passes for i in x]


def of_blocks(made):
    """The same of a pass in blocks."""
    return [int(i) for block in made for k in range(len(block.order)) for i in block.batch(k)[0]]


def counted(n, **settings):
    return Dataset(np.arange(n), **settings)


def accepting(*expected):
    return partial(accept_all, expected, where="train")


# --- order ---


@pytest.mark.contract("6.2 shuffle")
@pytest.mark.contract("10.15")
@settings(max_examples=25)
@given(n=st.integers(1, 20), size=st.integers(-1, 22), count=st.none() | st.integers(1, 12), seed=st.integers(0, 99))
def test_passes_go_through_all_examples_again_and_again_in_new_orders(n, size, count, seed):
    """Whatever a pass's length, the stream of batches is one permutation after the other, each cut alike."""
    a, b = (counted(n, batch_size=size, iteration_size=count, rng=seed) for _ in range(2))
    width = n if size <= 0 else min(size, n)
    assert a.batch_size == width and len(a) == a.iteration_size == (count or -(-n // width))
    by_batch, by_block = [], []
    for _ in range(6):
        passed = [x for (x,) in a]
        assert len(passed) == len(a)
        by_batch += passed
        by_block += [blk.batch(k)[0] for blk in b.blocks() for k in range(len(blk.order))]
    assert [x.tolist() for x in by_batch] == [x.tolist() for x in by_block]
    each = -(-n // width)
    for start in range(0, len(by_batch) - each + 1, each):
        lengths = [len(x) for x in by_batch[start : start + each]]
        assert lengths == [width] * (n // width) + [n % width] * (n % width > 0)
        assert sorted(np.concatenate(by_batch[start : start + each])) == list(range(n))


def test_examples_are_reshuffled_not_only_batches():
    data = counted(40, batch_size=4)
    first, second = (np.reshape(rows_of(data), (10, 4)) for _ in range(2))
    assert first.tolist() != np.arange(40).reshape(10, 4).tolist()
    assert {frozenset(r) for r in first.tolist()} != {frozenset(r) for r in second.tolist()}


def test_without_shuffling_the_order_stays():
    data = counted(7, batch_size=3, shuffle=False)
    for _ in range(2):
        assert [x.tolist() for (x,) in data] == [[0, 1, 2], [3, 4, 5], [6]]
    data.shuffle()
    assert rows_of(data) != list(range(7)) and rows_of(data) == rows_of(data)


@pytest.mark.contract("6.2 iterate")
def test_iterating_without_shuffling_keeps_the_present_order():
    data = counted(30, batch_size=8)
    first = rows_of(data)
    assert rows_of(data.iterate(shuffle=False)) == first
    assert rows_of(data.iterate()) != first


def test_the_seed_decides_the_order():
    assert rows_of(counted(30)) == rows_of(counted(30, rng=13)) != rows_of(counted(30, rng=14))
    given = np.random.RandomState(3)
    a, b = counted(30, rng=given), counted(30, rng=given)
    assert rows_of(a) != rows_of(b)
    assert rows_of(counted(30, rng=np.random.RandomState(3))) == rows_of(counted(30, rng=np.random.RandomState(3)))
    assert sorted(rows_of(counted(5, rng=np.random.default_rng(1)))) == list(range(5))


@pytest.mark.contract("6.2 iteration_size")
def test_passes_go_on_where_the_last_one_ended():
    data = counted(10, batch_size=4, iteration_size=2, shuffle=False)
    assert [rows_of(data) for _ in range(3)] == [[*range(8)], [8, 9, 0, 1, 2, 3], [*range(4, 10)]]


def test_tables_have_one_shape_wherever_passes_end():
    data = counted(22, batch_size=4, iteration_size=3)
    made = [b for _ in range(8) for b in data.blocks()]
    assert {b.order.shape for b in made} == {(3, 4), (2, 4), (1, 2)}
    assert {b.table.shape for b in made} == {(3, 4), (1, 2)}
    assert all((b.table[: len(b.order)] == b.order).all() for b in made)
    assert {b.table.shape for b in counted(22, batch_size=4, iteration_size=30).blocks()} == {(5, 4), (1, 2)}


# --- a kept state ---


@settings(max_examples=15)
@given(n=st.integers(1, 20), size=st.integers(1, 8), count=st.integers(1, 9), before=st.integers(0, 5))
def test_a_restored_data_set_goes_on_alike(n, size, count, before):
    setup = {"batch_size": size, "iteration_size": count}
    whole, cut = counted(n, rng=5, **setup), counted(n, rng=99, **setup)
    for _ in range(before):
        whole.blocks()
    cut.restore({k: np.asarray(v) for k, v in whole.state().items()})
    for _ in range(3):
        assert of_blocks(whole.blocks()) == of_blocks(cut.blocks())


def test_a_state_of_other_data_is_refused_and_changes_nothing():
    data = counted(10, batch_size=4)
    before = data.state()
    for other in (counted(11, batch_size=4), counted(10, batch_size=5), counted(10, batch_size=4, shuffle=False)):
        with pytest.raises(ValueError, match="the data are 10 examples in batches of 4, reshuffled: resume with"):
            data.restore(other.state())
    assert all(np.array_equal(before[k], v) for k, v in data.state().items())


# --- kinds of data in memory ---


@pytest.mark.contract("6.2 inputs")
def test_kinds_of_arrays():
    x = np.arange(12.0).reshape(6, 2)
    y = np.arange(6)
    kinds = {
        "list of arrays": [x, y],
        "tuple of lists": (x.tolist(), y.tolist()),
        "dict": {"in": x, "target": y},
        "jax": [jnp.asarray(x), jnp.asarray(y)],
        "shared": [croton.compile.shared(x), croton.compile.shared(y)],
        "sparse": [scipy.sparse.csc_matrix(x), y],
        "sparse array": [scipy.sparse.coo_array(x), y],
        "data set": Dataset([x, y]),
    }
    for kind, inputs in kinds.items():
        batches = list(Dataset(inputs, batch_size=4, rng=1))
        assert [len(b) for b in batches] == [2, 2], kind
        for a, b in batches:
            a = a.toarray() if scipy.sparse.issparse(a) else a
            np.testing.assert_array_equal(a[:, 0] / 2, b, err_msg=kind)
        assert sum(len(b) for _, b in batches) == 6
    assert [a.shape for (a,) in Dataset(x, batch_size=4, rng=1)] == [(4, 2), (2, 2)]


@pytest.mark.contract("6.2 inputs")
def test_pandas_frames_and_series():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.0, 1.5]}, index=[7, 8, 9])
    for x, y in Dataset([frame, pandas.Series([1, 2, 3], index=[7, 8, 9])], batch_size=2):
        np.testing.assert_array_equal(x[:, 0], y)
    with pytest.raises(TypeError, match=r"d: in: columns without real numbers: 'b' \("):
        Dataset([frame.astype({"b": str})], name="d", names=["in"])


def test_a_dict_is_put_in_the_order_of_the_variables():
    expected = accepting(Expected("in", 2, "float32"), Expected("target", 1, "int32"))
    data = Dataset({"target": np.arange(4), "in": np.eye(4)}, accept=expected)
    assert [a.shape for a in next(iter(data))] == [(4, 4), (4,)]
    stream = Dataset(lambda: {"target": np.arange(4), "in": np.eye(4)}, accept=expected)
    assert [a.shape for a in next(iter(stream))] == [(4, 4), (4,)]


@pytest.mark.contract("6.2 axis")
def test_examples_may_lie_along_another_axis():
    x = np.arange(20).reshape(2, 10)
    data = Dataset([x, x.T[None]], batch_size=4, axis=1)
    for a, b in data:
        np.testing.assert_array_equal(a, b[0].T)
    assert [a.shape for a, _ in data] == [(2, 4), (2, 4), (2, 2)]
    made = list(data.blocks())
    assert [b.batch(0)[1].shape for b in made] == [(1, 4, 2), (1, 2, 2)]
    with pytest.raises(ValueError, match="the examples of a sparse matrix are its rows; axis=1"):
        Dataset(scipy.sparse.eye(3), axis=1)


def test_data_in_memory_are_checked_once_and_stay_the_same_objects():
    calls = []

    def accept(arrays):
        calls.append(1)
        return [a.astype("float32") for a in arrays]

    data = Dataset([np.arange(10), np.arange(10)], batch_size=4, accept=accept)
    passes = [list(data.blocks()) for _ in range(2)]
    assert calls == [1]
    assert [[b.order.shape for b in p] for p in passes] == [[(2, 4), (1, 2)]] * 2
    assert all(b.lasting and b.order.dtype == np.int32 for p in passes for b in p)
    kept = passes[0][0].arrays
    assert all(x is y for p in passes for b in p for x, y in zip(b.arrays, kept, strict=True))
    assert kept[0].dtype == np.float32


def test_another_check_replaces_the_first_or_changes_nothing():
    data = Dataset([np.arange(6.0)], batch_size=6, shuffle=False)
    data.accept(lambda arrays: [a * 2 for a in arrays])
    assert rows_of(data) == [0, 2, 4, 6, 8, 10]
    with pytest.raises(ValueError, match="expected 2 arrays"):
        data.accept(accepting(Expected("in", 1, "float32"), Expected("target", 1, "float32")))
    assert rows_of(data) == [0, 2, 4, 6, 8, 10]


# --- arrays outside memory ---


class File:
    """Rows that are read when asked for, in ascending order only, as of an HDF5 file."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, []

    def __getitem__(self, at):
        (rows,) = at
        if not isinstance(rows, slice):
            assert (np.diff(rows) > 0).all()
        found = self.array[rows]
        self.read.append(len(found))
        return found


@pytest.mark.contract("6.2 inputs")
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_file_is_read_in_parts(monkeypatch, shuffle):
    monkeypatch.setattr(blocks, "BLOCK", 6 * 4 * 8)
    x = File(np.arange(50.0)[:, None] * np.ones(3))
    expected = accepting(Expected("in", 2, "float32", width=3), Expected("target", 1, "int32"))
    data = Dataset([x, np.arange(50)], batch_size=4, shuffle=shuffle, accept=expected)
    for _ in range(2):
        made = list(data.blocks())
        assert max(x.read) == 4 and not any(b.lasting for b in made)
        assert [b.arrays[0].shape for b in made] == [(12, 3)] * 4 + [(2, 3)]
        assert max(a.nbytes for b in made for a in b.arrays) <= 6 * 4 * 8
        seen = []
        for b in made:
            for k in range(len(b.order)):
                xs, ys = b.batch(k)
                assert xs.dtype == np.float32 and ys.dtype == np.int32
                np.testing.assert_array_equal(xs[:, 1], ys)
                seen += ys.tolist()
        assert sorted(seen) == list(range(50)) and (seen == list(range(50))) is not shuffle


@pytest.mark.contract("6.2 inputs")
def test_a_memory_map_is_a_file_and_so_is_a_view_of_one(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.arange(30, dtype="float32").reshape(15, 2))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for x in (mapped, np.asarray(mapped)[:12]):
        data = Dataset(x, batch_size=5, accept=accepting(Expected("in", 2, "float32")))
        made = list(data.blocks())
        assert not any(b.lasting for b in made)
        seen = np.concatenate([b.batch(k)[0] for b in made for k in range(len(b.order))])
        np.testing.assert_array_equal(seen[np.argsort(seen[:, 0])], x)


def test_much_data_in_memory_comes_in_blocks_of_equal_shape(monkeypatch):
    monkeypatch.setattr(blocks, "RESIDENT", 100)
    monkeypatch.setattr(blocks, "BLOCK", 4 * 3 * 8)
    data = counted(35, batch_size=3, accept=lambda arrays: [a.astype("float64") for a in arrays])
    made = list(data.blocks())
    assert [b.arrays[0].shape for b in made] == [(12,), (12,), (12,), (2,)]
    assert [b.order.shape for b in made] == [(4, 3), (4, 3), (3, 3), (1, 2)]
    assert all((b.order == np.arange(b.order.size).reshape(b.order.shape)).all() for b in made)
    assert sorted(of_blocks(made)) == list(range(35))
    assert [b.order.shape for b in counted(27, batch_size=3).blocks()] == [(3, 3)] * 3
    # The shapes stay when a pass ends in other places, and when there is less left than fills a block.
    data = counted(24, batch_size=3, iteration_size=6)
    assert {b.arrays[0].shape for _ in range(3) for b in data.blocks()} == {(9,)}


def test_a_fault_far_in_is_found_before_the_first_pass(monkeypatch):
    monkeypatch.setattr(blocks, "RESIDENT", 100)
    monkeypatch.setattr(blocks, "BLOCK", 80)
    x = np.ones(40)
    x[33] = np.nan
    with pytest.raises(ValueError, match="not finite") as caught:
        Dataset(x, accept=accepting(Expected("in", 1, "float64")))
    assert any("examples 30 to 39" in note for note in caught.value.__notes__)


# --- sparse matrices ---


def sparse_rows(n=60, width=20, format="csr"):
    return scipy.sparse.random_array((n, width), density=0.3, format=format, random_state=0)


@pytest.mark.contract("6.2 inputs")
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_sparse_batches_are_stacked_with_one_room_for_all(format, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 1500)
    x = sparse_rows(format=format)
    expected = accepting(Expected("in", 2, "float32", width=20, sparse=format), Expected("target", 1, "int32"))
    data = Dataset([x, np.arange(60)], batch_size=4, accept=expected)
    rooms = set()
    run = jax.jit(lambda a, order, k: [pick(part, order[k], k) for part in a])
    for _ in range(3):
        made = list(data.blocks())
        assert len(made) > 2
        for block in made:
            stack = block.arrays[0]
            assert isinstance(stack, Sparse) and stack.format == format and stack.dtype == np.float32
            rooms.add(stack.data.shape[1])
            for k in range(len(block.order)):
                picked = run(block.arrays, block.order, k)
                for got, rows in (block.batch(k), picked):
                    np.testing.assert_allclose(got.scipy().toarray(), x.toarray()[np.asarray(rows)], rtol=1e-6)
    assert len(rooms) == 1


@pytest.mark.contract("6.2 inputs")
def test_sparse_data_become_dense_batches_where_the_variable_is_dense():
    x = sparse_rows()
    data = Dataset(
        [x, np.arange(60)], batch_size=4, accept=accepting(Expected("in", 2, "float32"), Expected("t", 1, "int32"))
    )
    for block in data.blocks():
        for k in range(len(block.order)):
            got, rows = block.batch(k)
            np.testing.assert_allclose(got, x.toarray()[rows], rtol=1e-6)


def test_dense_data_for_a_sparse_variable():
    x = sparse_rows().toarray()
    data = Dataset(
        [x, np.arange(60)],
        batch_size=4,
        accept=accepting(Expected("in", 2, "float32", sparse="csr"), Expected("t", 1, "int32")),
    )
    for block in data.blocks():
        got, rows = block.batch(0)
        np.testing.assert_allclose(got.scipy().toarray(), x[rows], rtol=1e-6)


def test_a_fault_in_sparse_data_is_found_before_the_first_pass():
    x = sparse_rows().tocsr()
    x.data[-1] = np.inf
    with pytest.raises(ValueError, match=r"in holds 1 value that is not finite, the first inf at \[59, "):
        Dataset(x, accept=accepting(Expected("in", 2, "float32", sparse="csr")))


# --- callables and iterables ---


class Batches:
    """An iterable of 5 batches that begins anew."""

    def __iter__(self):
        return (np.arange(2) + 2 * k for k in range(5))


class Counted(Batches):
    def __len__(self):
        return 5


def endless():
    return [np.ones((3, 2)), np.zeros(3)]


@pytest.mark.contract("6.2 callable")
def test_a_callable_gives_a_hundred_batches_or_as_many_as_it_says():
    class Maker:
        def __call__(self):
            return endless()

        def __len__(self):
            return 7

    assert len(Dataset(endless)) == len(list(Dataset(endless))) == 100
    assert len(Dataset(Maker())) == len(list(Dataset(Maker()))) == 7
    assert len(list(Dataset(endless, iteration_size=3))) == 3
    assert Dataset(endless).batch_size is None


def test_batches_that_are_made_come_in_blocks_of_equal_shape(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 4 * 72)
    made = list(Dataset(endless, iteration_size=11).blocks())
    assert [b.order.shape for b in made] == [(4, 3), (4, 3), (3, 3)]
    assert [b.arrays[0].shape for b in made] == [(12, 2)] * 3
    assert [b.table.shape for b in made] == [(4, 3)] * 3
    assert [b.order.shape for b in Dataset(endless, iteration_size=10).blocks()] == [(2, 3)] * 5
    assert [b.order.shape for b in Dataset(endless, iteration_size=3).blocks()] == [(3, 3)]


def test_batches_of_other_shapes_get_blocks_of_their_own():
    lengths = iter([2, 2, 5, 5, 5, 2])
    data = Dataset(lambda: np.ones((next(lengths), 2)), iteration_size=6)
    assert [b.order.shape for b in data.blocks()] == [(2, 2), (3, 5), (1, 2)]


@pytest.mark.contract("6.2 inputs")
def test_a_generator_is_gone_through_once():
    data = Dataset((np.full(2, k) for k in range(5)), name="train", iteration_size=2)
    assert [rows_of(data) for _ in range(3)] == [[0, 0, 1, 1], [2, 2, 3, 3], [4, 4]]
    with pytest.raises(ValueError, match="train: the iterator has ended, and can be gone through only once; pass"):
        list(data)
    with pytest.raises(ValueError, match="the iterator has ended"):
        list(data.blocks())
    assert len(Dataset(iter([np.ones(2)]))) == 100


@pytest.mark.contract("6.2 inputs")
def test_other_iterables_begin_anew():
    data = Dataset(Batches())
    assert data.iteration_size is None
    with pytest.raises(TypeError, match="pass iteration_size"):
        len(data)
    assert rows_of(data) == of_blocks(data.blocks()) == list(range(10))
    assert len(Dataset(Counted())) == 5
    data = Dataset(Batches(), iteration_size=3)
    assert [rows_of(data) for _ in range(3)] == [[*range(6)], [6, 7, 8, 9, 0, 1], [*range(2, 8)]]
    assert len(rows_of(Dataset(Batches(), iteration_size=12))) == 24


def test_iterables_without_batches():
    class Nothing(Batches):
        def __iter__(self):
            return iter(())

    for more in ({}, {"iteration_size": 3}):
        with pytest.raises(ValueError, match="gives no batches"):
            list(Dataset(Nothing(), **more))
    with pytest.raises(ValueError, match="length 0"):
        Dataset(type("Empty", (Counted,), {"__len__": lambda self: 0})())


def test_batches_are_checked_one_by_one():
    batches = iter([np.ones((2, 3)), np.ones((2, 4))])
    data = Dataset(batches, iteration_size=2, accept=accepting(Expected("in", 2, "float32", width=3)))
    passed = iter(data)
    assert next(passed)[0].dtype == np.float32
    with pytest.raises(ValueError, match=r"train: in has shape \(2, 4\), expected \(examples, 3\)"):
        next(passed)
    with pytest.raises(TypeError, match="a batch is an array, a list of arrays or a dict of them, got None"):
        list(Dataset(lambda: None, iteration_size=1))
    with pytest.raises(ValueError, match=r"differ in their number of examples \(axis 0\): x \(2,\), y \(3,\)"):
        list(Dataset(lambda: (np.ones(2), np.ones(3)), iteration_size=1, names=["x", "y"]))


@pytest.mark.parametrize("source", [endless, Batches()])
def test_what_somebody_else_makes_has_no_order_and_no_state(source):
    data = Dataset(source, name="train")
    assert not data.resumable and counted(3).resumable
    for refused in (data.shuffle, data.state, lambda: data.restore({})):
        with pytest.raises(TypeError, match=r"train: .* a callable or an iterable"):
            refused()


# --- what is refused ---


@pytest.mark.parametrize(
    "inputs, settings, error, message",
    [
        ([np.ones((4, 2)), np.ones(3)], {}, ValueError, r"differ .* x \(4, 2\), y \(3,\); pass equally many"),
        ([], {}, ValueError, "no examples: there are no arrays"),
        (np.ones((0, 3)), {}, ValueError, r"no examples: .* has shape \(0, 3\)"),
        ([1, 2, 3], {}, ValueError, "a list of numbers; pass an array"),
        ([[[1, 2], [3]]], {}, ValueError, "rows of differing lengths make no array"),
        ([np.ones(())], {}, ValueError, r"has shape \(\), and no axis 0"),
        ([endless, endless], {}, TypeError, "a callable is given alone"),
        ("foo", {}, TypeError, "got 'foo'; pass an array"),
        (3, {}, TypeError, "got 3; pass an array"),
        (None, {}, TypeError, "got None; pass an array"),
        (np.array(["a", "b"]), {}, TypeError, "expected real numbers, got dtype <U1"),
        (np.ones(3), {"batch_size": 2.5}, TypeError, "batch_size=2.5: pass a whole number"),
        (np.ones(3), {"iteration_size": 0}, ValueError, "iteration_size=0: a pass needs at least one batch"),
        (np.ones(3), {"axis": -1}, ValueError, "axis=-1: count"),
        (np.ones(3), {"axis": 1}, ValueError, r"array 0 has shape \(3,\), and no axis 1"),
        (np.ones(3), {"rng": "x"}, TypeError, "rng='x'"),
    ],
)
def test_what_is_refused(inputs, settings, error, message):
    with pytest.raises(error, match=message) as caught:
        Dataset(inputs, name="train", names=["x", "y"], **settings)
    if "rng" not in settings:
        assert str(caught.value).startswith("train: ")
