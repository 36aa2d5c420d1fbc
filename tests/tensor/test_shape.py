"""Functions of shapes against NumPy: asking for them, changing them, joining, repeating."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import croton
import croton.tensor as T

Case = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]

# name: [(expression, the same in NumPy, the shapes of its arguments from three lengths)]
CASES: dict[str, list[Case]] = {
    "shape": [
        (T.shape, np.shape, lambda m, n, k: [(m, n)]),
        (lambda x: x.shape[1] * 2, lambda x: np.int64(2 * x.shape[1]), lambda m, n, k: [(m, n)]),
    ],
    "make_vector": [
        (
            lambda x, y: T.make_vector(x, y, 2),
            lambda x, y: np.stack([x, y, np.asarray(2, x.dtype)]),
            lambda m, n, k: [(), ()],
        )
    ],
    "reshape": [
        (
            lambda x: T.reshape(x, (x.shape[1], x.shape[0])),
            lambda x: x.reshape(x.shape[::-1]),
            lambda m, n, k: [(m, n)],
        ),
        (lambda x: x.reshape((6, -1)), lambda x: x.reshape((6, -1)), lambda m, n, k: [(m, 2, 3)]),
        (lambda x: x.reshape([-1]), lambda x: x.reshape(-1), lambda m, n, k: [(m, n)]),
        (lambda x, y: x.reshape(y.shape), lambda x, y: x.reshape(y.shape), lambda m, n, k: [(m, n * k), (m, n, k)]),
        (
            lambda x, y: x.reshape(y.shape * 1, ndim=3),
            lambda x, y: x.reshape(y.shape),
            lambda m, n, k: [(m, n * k), (m, n, k)],
        ),
    ],
    "flatten": [
        (T.flatten, np.ravel, lambda m, n, k: [(m, n)]),
        (T.flatten, np.ravel, lambda m, n, k: [()]),
        (lambda x: x.flatten(2), lambda x: x.reshape(x.shape[0], x.shape[1] * x.shape[2]), lambda m, n, k: [(m, n, k)]),
        (lambda x: T.flatten(x, outdim=2), lambda x: x, lambda m, n, k: [(m, n)]),
    ],
    "ravel": [(lambda x: x.ravel(), np.ravel, lambda m, n, k: [(m, n, k)])],
    "dimshuffle": [
        (lambda x: T.dimshuffle(x, (1, "x", 0)), lambda x: x.T[:, None, :], lambda m, n, k: [(m, n)]),
        (lambda x: x.dimshuffle("x"), lambda x: x[None], lambda m, n, k: [()]),
        (lambda x: x.dimshuffle([0, 2, 1]), lambda x: x.transpose(0, 2, 1), lambda m, n, k: [(m, n, k)]),
        (lambda x: (x * 1).dimshuffle(1), lambda x: x[0], lambda m, n, k: [(1, n)]),
    ],
    "transpose": [
        (T.transpose, np.transpose, lambda m, n, k: [(m, n, k)]),
        (lambda x: x.T, np.transpose, lambda m, n, k: [(m, n)]),
        (lambda x: x.transpose(2, 0, 1), lambda x: x.transpose(2, 0, 1), lambda m, n, k: [(m, n, k)]),
        (lambda x: x.transpose((0, -1, 1)), lambda x: x.transpose(0, -1, 1), lambda m, n, k: [(m, n, k)]),
        (lambda x: x.transpose(), np.transpose, lambda m, n, k: [(m, n)]),
    ],
    "swapaxes": [(lambda x: x.swapaxes(0, -1), lambda x: np.swapaxes(x, 0, -1), lambda m, n, k: [(m, n, k)])],
    "shape_padleft": [(lambda x: T.shape_padleft(x, 2), lambda x: x[None, None], lambda m, n, k: [(m, n)])],
    "shape_padright": [(T.shape_padright, lambda x: x[..., None], lambda m, n, k: [(m, n)])],
    "shape_padaxis": [
        (lambda x: T.shape_padaxis(x, 1), lambda x: np.expand_dims(x, 1), lambda m, n, k: [(m, n)]),
        (lambda x: T.shape_padaxis(x, -1), lambda x: np.expand_dims(x, -1), lambda m, n, k: [(m, n)]),
        (lambda x: T.shape_padaxis(x, -2), lambda x: np.expand_dims(x, -2), lambda m, n, k: [(m, n)]),
    ],
    "squeeze": [
        (lambda x: x.squeeze(1), lambda x: np.squeeze(x, 1), lambda m, n, k: [(m, 1, n)]),
        (lambda x: T.squeeze(x, (0, -1)), lambda x: np.squeeze(x, (0, -1)), lambda m, n, k: [(1, n, 1)]),
        (lambda x: T.squeeze(T.addbroadcast(x, 0)), lambda x: x[0], lambda m, n, k: [(1, 3)]),
    ],
    "specify_shape": [
        (lambda x: T.specify_shape(x, (2, None)), lambda x: x, lambda m, n, k: [(2, n)]),
        (lambda x: T.specify_shape(x, (2, 3)), lambda x: x, lambda m, n, k: [(2, 3)]),
    ],
    "addbroadcast": [(lambda x: T.addbroadcast(x, 1), lambda x: x, lambda m, n, k: [(m, 1)])],
    "unbroadcast": [(lambda x: T.unbroadcast(x, 0, -1), lambda x: x, lambda m, n, k: [(m, 1)])],
    "patternbroadcast": [(lambda x: T.patternbroadcast(x, (False, True)), lambda x: x, lambda m, n, k: [(m, 1)])],
    "join": [
        (lambda x, y: T.join(1, x, y), lambda x, y: np.concatenate([x, y], 1), lambda m, n, k: [(m, n), (m, k)]),
        (
            lambda x, y: T.join(-2, x, y, x),
            lambda x, y: np.concatenate([x, y, x], -2),
            lambda m, n, k: [(m, n), (k, n)],
        ),
    ],
    "concatenate": [
        (lambda x, y: T.concatenate([x, y]), lambda x, y: np.concatenate([x, y]), lambda m, n, k: [(m,), (n,)]),
        (
            lambda x, y: T.concatenate((x, y), axis=T.constant(2)),
            lambda x, y: np.concatenate([x, y], 2),
            lambda m, n, k: [(m, n, 1), (m, n, k)],
        ),
    ],
    "stack": [
        (lambda x, y: T.stack([x, y]), lambda x, y: np.stack([x, y]), lambda m, n, k: [(m, n)] * 2),
        (lambda x, y: T.stack([x, y], axis=-1), lambda x, y: np.stack([x, y], -1), lambda m, n, k: [(m, n)] * 2),
        (lambda x, y: T.stack(x, y, axis=1), lambda x, y: np.stack([x, y], 1), lambda m, n, k: [(m, n)] * 2),
        (lambda x, y: T.stack((x, y, x), 1), lambda x, y: np.stack([x, y, x], 1), lambda m, n, k: [(m,)] * 2),
        (lambda x, y: T.stack(x, y), lambda x, y: np.stack([x, y]), lambda m, n, k: [(), ()]),
    ],
    "horizontal_stack": [(T.horizontal_stack, lambda x, y: np.hstack([x, y]), lambda m, n, k: [(m, n), (m, k)])],
    "vertical_stack": [(T.vertical_stack, lambda x, y: np.vstack([x, y]), lambda m, n, k: [(m, n), (k, n)])],
    "split": [
        (lambda x: T.split(x, [1, 0, 2], 3), lambda x: [x[:1], x[1:1], x[1:]], lambda m, n, k: [(3, n)]),
        (
            lambda x: T.split(x, [1, x.shape[1] - 1], 2, axis=-1),
            lambda x: [x[:, :1], x[:, 1:]],
            lambda m, n, k: [(m, n + 1)],
        ),
    ],
    "repeat": [
        (lambda x: T.repeat(x, 2), lambda x: np.repeat(x, 2), lambda m, n, k: [(m, n)]),
        (lambda x: x.repeat(3, axis=1), lambda x: np.repeat(x, 3, 1), lambda m, n, k: [(m, n)]),
        (lambda x: x.repeat([2, 0, 1], axis=-1), lambda x: np.repeat(x, [2, 0, 1], -1), lambda m, n, k: [(m, 3)]),
        (lambda x: T.repeat(x, x.shape[0], 0), lambda x: np.repeat(x, len(x), 0), lambda m, n, k: [(m, n)]),
    ],
    "tile": [
        (lambda x: T.tile(x, 2), lambda x: np.tile(x, 2), lambda m, n, k: [(m, n)]),
        (lambda x: T.tile(x, (2, 0)), lambda x: np.tile(x, (2, 0)), lambda m, n, k: [(m, n)]),
        (lambda x: T.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3)), lambda m, n, k: [(m, n)]),
        (lambda x: T.tile(x, (2,), ndim=2), lambda x: np.tile(x, (1, 2)), lambda m, n, k: [(m,)]),
        (lambda x, y: T.tile(x, y.shape), lambda x, y: np.tile(x, y.shape), lambda m, n, k: [(2, 3), (m, n)]),
    ],
    "roll": [
        (lambda x: T.roll(x, 2), lambda x: np.roll(x, 2), lambda m, n, k: [(m, n)]),
        (lambda x: T.roll(x, -1, axis=1), lambda x: np.roll(x, -1, 1), lambda m, n, k: [(m, n)]),
        (lambda x: T.roll(x, 1, axis=0), lambda x: np.roll(x, 1, 0), lambda m, n, k: [(n,)]),
    ],
}
NUMBERED = [(name, k) for name, cases in CASES.items() for k in range(len(cases))]


@pytest.mark.parametrize(("name", "number"), NUMBERED)
def test_values_dtypes_and_shapes(name, number, agree):
    build, reference, shapes = CASES[name][number]

    @settings(max_examples=2)
    @given(*[st.integers(0, 4)] * 3, st.integers(0, 99))
    def compare(m, n, k, seed):
        drawn = [np.random.RandomState(seed + i).randint(-9, 9, s) for i, s in enumerate(shapes(m, n, k))]
        arrays = [d.astype(t) for t in ("int32", "float32") for d in drawn]
        step = len(drawn)

        def all_of(function: Callable[..., Any]) -> Callable[..., Any]:
            def apply(*v: Any) -> list[Any]:
                parts = [function(*v[i : i + step]) for i in range(0, len(v), step)]
                return [p for part in parts for p in (part if isinstance(part, list) else [part])]

            return apply

        wanted = "int64" if name == "shape" else None
        agree(all_of(build), all_of(reference), *arrays, dtypes=[wanted] * 2 if wanted else None)

    compare()


@pytest.mark.parametrize(("name", "number"), [(n, k) for n, k in NUMBERED if n != "shape"])
def test_derivatives(name, number, gradients_agree):
    build, _, shapes = CASES[name][number]
    gradients_agree(build, *[np.random.RandomState(1).uniform(-1, 1, s) for s in shapes(2, 2, 3)])


@settings(max_examples=10)
@given(st.data())
def test_any_order_of_dimensions(agree, data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3))
    order = data.draw(st.permutations(range(len(shape))))
    places = data.draw(st.lists(st.integers(0, len(shape)), max_size=2))
    pattern: list[Any] = list(order)
    for p in places:
        pattern.insert(p, "x")
    new = [k for k, p in enumerate(pattern) if p == "x"]
    agree(
        lambda x: x.dimshuffle(*pattern),
        lambda x: np.expand_dims(x.transpose(order), new),
        np.arange(np.prod(shape)).reshape(shape),
    )


def test_lengths_that_the_call_gives():
    x, n, counts = T.dvector(), T.iscalar(), T.lvector()
    f = croton.function(
        [x, n, counts], [x.reshape((n, -1)), T.tile(x, n), T.repeat(x, counts), T.roll(x, n), T.repeat(x, n)]
    )
    a = np.arange(6.0)
    for k, c in ((2, [1, 0, 2, 0, 0, 1]), (3, [0] * 6)):
        for found, wanted in zip(
            f(a, k, np.array(c)),
            [a.reshape(k, -1), np.tile(a, k), np.repeat(a, c), np.roll(a, k), np.repeat(a, k)],
            strict=True,
        ):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("build", "shapes"),
    [
        (lambda x: x.reshape((2, 4)), [(3, 2)]),
        (lambda x: x.reshape((4, -1)), [(3, 2)]),
        (lambda x: (x * 1).dimshuffle(0), [(3, 2)]),
        (lambda x: x.squeeze(0), [(3, 2)]),
        (lambda x: T.addbroadcast(x, 0), [(3, 2)]),
        (lambda x, y: T.join(0, x, y), [(3, 2), (3, 3)]),
        (lambda x, y: T.stack([x, y]), [(3, 2), (3, 3)]),
        (lambda x: T.split(x, [1, 1], 2)[0], [(3, 2)]),
        (lambda x: T.split(x, [4, -1], 2)[0], [(3, 2)]),
        (lambda x: T.repeat(x, [1, 2], 0), [(3, 2)]),
        (lambda x: T.repeat(x, -1, 0), [(3, 2)]),
    ],
)
def test_shapes_that_do_not_fit_are_errors_at_run_time(build, shapes):
    variables = [T.tensor("float64", (False,) * len(s)) for s in shapes]
    f = croton.function(variables, build(*variables))
    with pytest.raises(ValueError, match="test_shape"):
        f(*[np.zeros(s) for s in shapes])


def test_a_false_claim_about_the_shape_is_an_assertion_error():
    x = T.dmatrix()
    f = croton.function([x], T.specify_shape(x, (2, None)))
    with pytest.raises(AssertionError, match="length 2"):
        f(np.zeros((3, 2)))


def test_bad_arguments():
    x, v, s = T.matrix("x"), T.vector("v"), T.scalar("s")
    n = T.lvector("n")
    errors: list[tuple[Callable[[], Any], type[Exception], str]] = [
        (lambda: x.reshape(3, 2), ValueError, "ndim"),
        (lambda: x.reshape(n), ValueError, "give ndim"),
        (lambda: x.reshape((2, 3), ndim=3), ValueError, "ndim is 3"),
        (lambda: x.reshape((2.0, 3)), TypeError, "must be an integer"),
        (lambda: x.flatten(3), ValueError, "flatten"),
        (lambda: x.flatten(0), ValueError, "flatten"),
        (lambda: x.dimshuffle(0), ValueError, "drops dimension 1"),
        (lambda: x.dimshuffle(0, 2), ValueError, "no dimension"),
        (lambda: x.dimshuffle(0, 0), ValueError, "twice"),
        (lambda: x.dimshuffle(0, "y"), ValueError, "no dimension"),
        (lambda: T.swapaxes(x, 0, 2), ValueError, "out of range"),
        (lambda: T.shape_padaxis(x, 4), IndexError, "out of range"),
        (lambda: T.squeeze(x, 2), ValueError, "out of range"),
        (lambda: T.specify_shape(x, (2,)), ValueError, "2 dimensions"),
        (lambda: T.patternbroadcast(x, (True,)), ValueError, "2 dimensions"),
        (lambda: T.join(0, x, v), TypeError, "one rank"),
        (lambda: T.join(0, s, s), TypeError, "at least 1"),
        (lambda: T.join(2, x, x), IndexError, "out of range"),
        (lambda: T.join(0), ValueError, "no tensors"),
        (lambda: T.join(T.iscalar(), x, x), TypeError, "axis must be known"),
        (lambda: T.concatenate(x, 0), TypeError, "list or tuple"),
        (lambda: T.stack([]), ValueError, "no tensors"),
        (lambda: T.join(0, T.eye(2), T.TensorType("float32", shape=(2, 3))()), ValueError, "dimension 1"),
        (lambda: T.repeat(x, 1.5), TypeError, "integer"),
        (lambda: T.repeat(x, x), TypeError, "integer"),
        (lambda: T.tile(x, n), ValueError, "give ndim"),
        (lambda: T.tile(x, (1, 2, 3), ndim=2), ValueError, "ndim 2"),
        (lambda: T.split(x, [1, 2], 3), ValueError, "split"),
    ]
    for build, error, message in errors:
        with pytest.raises(error, match=message):
            build()


def test_what_is_known_of_lengths_stays_known():
    x = T.TensorType("float32", shape=(2, None, 3))()
    assert x.flatten(2).type.shape == (2, None) and x.dimshuffle(2, "x", 0, 1).type.shape == (3, 1, 2, None)
    assert T.stack([x, x]).type.shape == (2, 2, None, 3)
    assert T.join(0, x, x).type.shape == (4, None, 3)
    assert (x + T.row()).type.shape == (2, None, 3)
    assert x.sum(0, keepdims=True).broadcastable == (True, False, False)
    assert T.zeros((4, x.shape[0], x.shape[1])).type.shape == (4, 2, None)
    assert T.unbroadcast(T.row(), 0).broadcastable == (False, False)
    assert T.patternbroadcast(T.row(), (False, True)).broadcastable == (False, True)
    assert [part.type.shape for part in T.split(T.TensorType("float32", shape=(3, 2))(), [1, 2], 2)] == [(1, 2), (2, 2)]
    assert T.static_length(x) == 2 and T.static_length(T.vector()) is None
