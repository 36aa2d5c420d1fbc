"""Matrix products by croton's kernel, beside NumPy's in float64."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from croton.native.build import compiler
from croton.native.library import ready
from croton.native.products import with_products

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to make the kernels with")


def matrices(*shapes):
    rng = np.random.RandomState(0)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def program(function, *arguments):
    """The text of the program, and what it computes."""
    lowered = jax.jit(lambda *a: with_products(function, *a)).lower(*arguments)
    assert ready()
    return lowered.as_text(), lowered.compile()(*arguments)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def double(*arrays):
    return [a.astype("float64") for a in arrays]


@given(st.integers(8, 75), st.integers(8, 75), st.integers(32, 600), st.booleans(), st.booleans())
def test_product_of_any_shape(m, n, k, first, second):
    a, b = matrices((k, m) if first else (m, k), (n, k) if second else (k, n))
    over = (((0 if first else 1,), (1 if second else 0,)), ((), ()))
    text, found = program(lambda a, b: lax.dot_general(a, b, over), a, b)
    assert ("croton_product" in text) == (m * n * k >= 1 << 15)
    x, y = double(a, b)
    close(found, (x.T if first else x) @ (y.T if second else y))


@pytest.mark.parametrize(
    ("m", "n", "k"),
    [
        *[(1000, 16, 300), (9, 2000, 1000), (512, 512, 64), (20, 1024, 40), (20, 50, 6400), (300, 500, 300)],
        *[(64, 100, 784), (600, 10, 784), (10, 600, 784), (20, 500, 784), (64, 256, 784)],
    ],
)
def test_product_in_many_pieces(m, n, k):
    a, b = matrices((m, k), (k, n))
    text, found = program(lambda a, b: a @ b, a, b)
    assert "croton_product" in text
    close(found, np.dot(*double(a, b)))


@given(st.integers(8, 700), st.integers(8, 700), st.booleans(), st.booleans())
def test_a_row_times_a_matrix(n, k, first, second):
    a, b = matrices((k, 1) if first else (1, k), (n, k) if second else (k, n))
    over = (((0 if first else 1,), (1 if second else 0,)), ((), ()))
    text, found = program(lambda a, b: lax.dot_general(a, b, over), a, b)
    assert ("croton_product" in text) == (n * k >= 1 << 15 and b.shape[0] >= 32)
    x, y = double(a, b)
    close(found, (x.T if first else x) @ (y.T if second else y))


@pytest.mark.parametrize(("m", "n", "k", "ours"), [(64, 100, 10, True), (64, 10, 10, False), (6400, 100, 10, False)])
def test_product_of_few_terms_is_made_where_it_is_small(m, n, k, ours):
    a, b = matrices((m, k), (k, n))
    text, found = program(lambda a, b: a @ b, a, b)
    assert ("croton_product" in text) == ours
    close(found, np.dot(*double(a, b)))


def test_factors_and_results_are_not_turned_in_memory():
    a, b = matrices((300, 64), (90, 300))
    text, found = program(lambda a, b: (a.T @ b.T).T, a, b)
    assert "croton_product" in text and "stablehlo.transpose" not in text
    x, y = double(a, b)
    close(found, (x.T @ y.T).T)


def test_product_wanted_both_ways():
    a, b = matrices((64, 300), (300, 90))
    _, (straight, turned) = program(lambda a, b: (a @ b, (a @ b).T), a, b)
    close(straight, np.dot(*double(a, b)))
    np.testing.assert_array_equal(straight, turned.T)


def test_product_that_everybody_wants_turned_is_made_once():
    a, b = matrices((64, 300), (300, 90))

    def function(a, b):
        c = a @ b
        return c.T + 1, c.T * 2

    text, (one, two) = program(function, a, b)
    assert text.count("@croton_product") == 1
    expected = np.dot(*double(a, b)).T
    close(one, expected + 1)
    close(two, 2 * expected)


def test_products_in_loops_and_calls():
    x, w = matrices((64, 100), (100, 100))
    w /= 10  # the states do not grow

    def function(x, w):
        def step(h, _):
            return jax.jit(lambda h: jax.numpy.tanh(h @ w))(h), None

        h, _ = lax.scan(step, x, None, length=3)
        return lax.fori_loop(0, 2, lambda i, h: jax.nn.relu(h @ w), h)

    text, found = program(function, x, w)
    assert (text.count("@croton_scan"), text.count("@croton_product")) == (1, 1)
    close(found, function(x, w))


@pytest.mark.parametrize(
    ("one", "other", "dtype"),
    [((64, 100), (100, 40), "float64"), ((4, 64, 100), (4, 100, 40), "float32"), ((20, 20), (20, 20), "float32")],
    ids=["double", "stack", "small"],
)
def test_what_is_left_to_xla(one, other, dtype):
    a, b = (m.astype(dtype) for m in matrices(one, other))
    with jax.enable_x64(True):
        text, found = program(lambda a, b: a @ b, a, b)
    assert "croton" not in text
    close(found, a @ b)


def test_several_devices_have_no_kernels():
    from croton.devices import dividing, mesh_for

    a, b = matrices((64, 300), (300, 90))
    with dividing(mesh_for(64)):
        text, _ = program(lambda a, b: a @ b, a, b)
    assert "croton" not in text


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("start", [0, 77, 150, 1000, -5, np.int64(1 << 40), np.int64(-(1 << 40))])
def test_many_rows_from_a_place_on(start, dtype):
    x = (1000 * np.random.RandomState(0).normal(size=(250, 7, 100))).astype(dtype)

    def function(x, start):
        return lax.dynamic_slice_in_dim(x, start, 100, allow_negative_indices=False) * 2

    with jax.enable_x64(True):
        text, found = program(function, x, start)
        assert "croton_rows" in text
        np.testing.assert_array_equal(found, jax.jit(function)(x, start))
    np.testing.assert_array_equal(found, 2 * x[(first := int(np.clip(start, 0, 150))) : first + 100])


@pytest.mark.parametrize("case", ["few", "narrow", "some columns", "halves"])
def test_other_rows_are_left_to_xla(case):
    shape, wanted = {
        "few": ((250, 700), (90, 700)),
        "narrow": ((9000, 32), (3000, 32)),
        "some columns": ((250, 900), (100, 800)),
        "halves": ((250, 700), (100, 700)),
    }[case]
    x = np.zeros(shape, "float16" if case == "halves" else "float32")
    text, _ = program(lambda x, start: lax.dynamic_slice(x, (start, 0), wanted), x, np.int32(3))
    assert "croton_rows" not in text


@pytest.mark.parametrize(("shape", "there"), [((7, 100, 128), True), ((4000, 17), True), ((20, 30), False)])
def test_sums_over_all_axes_but_the_last(shape, there):
    (a,) = matrices(shape)
    over = tuple(range(a.ndim - 1))
    text, found = program(lambda a: a.sum(over), a)
    assert ("croton_sums" in text) == there
    np.testing.assert_allclose(found, a.astype("float64").sum(over), atol=1e-4)


@pytest.mark.parametrize("shape", [(1 << 20, 1), (1 << 18, 16), (300, 300)])
def test_long_sums_keep_their_digits(shape):
    text, found = program(lambda a: a.sum(0), np.full(shape, 0.1, "float32"))
    assert "croton_sums" in text
    np.testing.assert_allclose(found, np.float64(np.float32(0.1)) * shape[0], rtol=1e-6)


@pytest.mark.parametrize(("one", "other"), [((70,), (70, 40)), ((3, 4, 0), (0, 5)), ((0, 40), (40, 50))])
def test_products_of_vectors_and_of_nothing(one, other):
    a, b = matrices(one, other)
    close(program(lambda a, b: jax.numpy.tensordot(a, b, 1), a, b)[1], np.tensordot(*double(a, b), 1))


@pytest.mark.parametrize("axes", [(1, 2), (0,), (2,)])
def test_other_sums_are_left_to_xla(axes):
    (a,) = matrices((40, 50, 60))
    text, found = program(lambda a: a.sum(axes), a)
    assert "croton_sums" not in text
    np.testing.assert_allclose(found, a.astype("float64").sum(axes), atol=1e-4)


@pytest.mark.parametrize("turned", [False, True])
def test_products_of_stacks(turned):
    """Rows of several axes times a matrix, and the sum over them of products."""
    a, b, c = matrices((6, 50, 70), (40, 70) if turned else (70, 40), (6, 50, 40))
    first = lambda a, b, c: jax.numpy.tensordot(a, b.T if turned else b, 1)  # noqa: E731
    second = lambda a, b, c: jax.numpy.tensordot(a, c, ((0, 1), (0, 1)))  # noqa: E731
    for function in (first, second):
        text, found = program(function, a, b, c)
        assert "croton_product" in text
        close(found, function(*double(a, b, c)))
