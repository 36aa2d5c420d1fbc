"""Elementwise expressions of several results as one loop, beside the same by XLA."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croton.compile.memory import compiled
from croton.native.build import compiler
from croton.native.fuse import fused
from croton.native.library import ready
from croton.native.products import with_products
from croton.nets.training import optimizers

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to make the kernels with")

NORMAL = np.random.RandomState(0).normal(size=6000).astype("float32")


def program(function, *arguments):
    """The text of the program that has loops of its own, and what it computes."""
    lowered = jax.jit(lambda *a: with_products(lambda *b: fused(function, *b), *a), keep_unused=True).lower(*arguments)
    assert ready()
    return lowered.as_text(), compiled(lowered)(*arguments)


def equal(found, expected, rtol=1e-5, atol=1e-7):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), found, expected)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, np.inf, -np.inf, np.nan, 1e-40, 3e38, -3e38]
X, Y = (np.resize(a, 5000).astype("float32") for a in (np.repeat(SPECIAL, len(SPECIAL)), SPECIAL))
OPERATIONS = {
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": lambda x, y: jax.lax.div(x, y),
    "neg": lambda x, y: -x,
    "abs": lambda x, y: abs(x),
    "sqrt": lambda x, y: jnp.sqrt(x),
    "rsqrt": lambda x, y: jax.lax.rsqrt(x),
    "square": lambda x, y: x**2,
    "max": lambda x, y: jax.lax.max(x, y),
    "min": lambda x, y: jax.lax.min(x, y),
    "sign": lambda x, y: jnp.sign(x),
    "lt": lambda x, y: jnp.where(x < y, x, 7.0),
    "le": lambda x, y: jnp.where(x <= y, x, 7.0),
    "gt": lambda x, y: jnp.where(x > y, x, 7.0),
    "ge": lambda x, y: jnp.where(x >= y, x, 7.0),
    "eq": lambda x, y: jnp.where(x == y, x, 7.0),
    "ne": lambda x, y: jnp.where(x != y, x, 7.0),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_on_special_numbers(name):
    def function(state):
        x, y = state
        made = OPERATIONS[name](x, y)
        return made, made + 1.0

    text, (found, _) = program(function, (X, Y))
    assert "croton_fused" in text
    expected = np.asarray(OPERATIONS[name](jnp.asarray(X), jnp.asarray(Y)))
    # XLA takes what is smaller than 1e-38 for 0, or not, by its own lights.
    ordinary = ~((abs(X) < 1e-38) & (X != 0)) & ~((abs(Y) < 1e-38) & (Y != 0))
    np.testing.assert_allclose(np.asarray(found)[ordinary], expected[ordinary], rtol=1e-6)


@given(st.integers(4096, 9000))
def test_any_length(n):
    def function(state):
        x, y = state
        twice = 2.0 * x
        return twice + y, twice - y

    x = np.resize(NORMAL, n)
    text, found = program(function, (x, x + 1))
    assert "croton_fused" in text
    equal(found, function((x, x + 1)))


def test_values_that_change_places():
    x, y = NORMAL, NORMAL[::-1].copy()

    def function(state):
        a, b = state
        return b + 0.5 * a, a - 0.5 * b

    run = jax.jit(lambda s: jax.lax.fori_loop(0, 3, lambda i, s: fused(function, s), s), keep_unused=True)
    lowered = run.lower((x, y))
    assert ready()
    assert "croton_fused" in lowered.as_text()
    state = x, y
    for _ in range(3):
        state = function(state)
    equal(compiled(lowered)((x, y)), state, atol=1e-5)


@pytest.mark.parametrize("algorithm", [a for a in optimizers.known() if a != "esgd"])
@pytest.mark.parametrize(
    "hyper", [{}, {"momentum": 0.9}, {"max_gradient_norm": 0.5}, {"max_gradient_elem": 0.5}], ids=str
)
def test_algorithms_of_training(algorithm, hyper):
    made = optimizers.build(algorithm, **hyper)
    rng = np.random.RandomState(1)
    params = [rng.normal(size=shape).astype("float32") for shape in ((70, 90), (90,), (64, 65))]
    slopes = [rng.normal(size=p.shape).astype("float32") for p in params]

    def stepped(state, slopes):
        params, before = state
        steps, after = made.update(slopes, before, params)
        return optax.apply_updates(params, steps), after

    plain = quick = (params, made.init(params))
    for k in range(3):
        now = [s * (-1) ** k for s in slopes]
        plain = jax.jit(stepped)(plain, now)
        text, quick = program(stepped, quick, now)
    equal(quick, plain)
    if algorithm in ("rmsprop", "adam", "adagrad", "adadelta") and "max_gradient_norm" not in hyper:
        assert text.count("@croton_fused") == 2  # one for each matrix


def test_gradient_is_made_within_the_loop():
    rng = np.random.RandomState(0)
    x, g, w, v = (rng.normal(size=s).astype("float32") for s in ((64, 100), (64, 70), (100, 70), (100, 70)))

    def step(state, x, g):
        def stepped(state, slope):
            w, v = state
            v = 0.9 * v - 0.1 * slope
            return w + v, v

        return fused(stepped, state, jax.lax.dot_general(g, x, (((0,), (0,)), ((), ()))).T)

    lowered = jax.jit(lambda *a: with_products(step, *a), keep_unused=True).lower((w, v), x, g)
    assert ready()
    assert "croton_product" not in lowered.as_text() and "dot_general" not in lowered.as_text()
    velocity = 0.9 * v.astype("float64") - 0.1 * (x.T.astype("float64") @ g)
    equal(compiled(lowered)((w, v), x, g), (w + velocity, velocity), atol=1e-5)


@pytest.mark.parametrize(("m", "n"), [(784, 100), (90, 513)])
def test_gradient_that_is_a_sum_of_products_is_made_within_the_loop(m, n):
    # As that of weights which two layers share, one of them turned.
    rng = np.random.RandomState(0)
    x, g, y, h = (rng.normal(size=s).astype("float32") for s in ((64, m), (64, n), (40, m), (40, n)))
    w = rng.normal(size=(m, n)).astype("float32")

    def step(state, x, g, y, h):
        shared = jax.lax.dot_general(y, h, (((0,), (0,)), ((), ()))).T.T
        slope = jax.lax.dot_general(g, x, (((0,), (0,)), ((), ()))).T + shared
        return fused(lambda s, d: (s[0] - 0.1 * d, 0.9 * s[1] + d), state, slope)

    lowered = jax.jit(lambda *a: with_products(step, *a), keep_unused=True).lower((w, w + 1), x, g, y, h)
    assert ready()
    text = lowered.as_text()
    assert "croton_fused" in text and "croton_product" not in text and "dot_general" not in text
    x, g, y, h = (a.astype("float64") for a in (x, g, y, h))
    slope = x.T @ g + y.T @ h
    equal(
        compiled(lowered)((w, w + 1), *map(np.float32, (x, g, y, h))),
        (w - 0.1 * slope, 0.9 * (w + 1) + slope),
        1e-4,
        1e-4,
    )


def test_sum_of_products_that_a_loop_does_not_take():
    a, b = NORMAL[:4096].reshape(64, 64), NORMAL[100:4196].reshape(64, 64)

    def step(w, a, b):
        total = a @ b + b @ a
        slope = total * jnp.tanh(total)
        return w[0] - slope, w[1] + slope

    _, found = program(step, (a, b), a, b)
    x, y = a.astype("float64"), b.astype("float64")
    slope = (x @ y + y @ x) * np.tanh(x @ y + y @ x)
    equal(found, (a - slope, b + slope), 1e-4, 1e-4)


@given(
    st.integers(60, 200),
    st.integers(40, 300),
    st.integers(1, 200),
    st.booleans(),
    st.booleans(),
)
def test_gradient_of_any_shape(m, n, k, first, second):
    rng = np.random.RandomState(0)
    a, b = rng.normal(size=(k, m) if first else (m, k)), rng.normal(size=(n, k) if second else (k, n))
    w = rng.normal(size=(m, n)).astype("float32")

    def step(w, a, b):
        slope = (a.T if first else a) @ (b.T if second else b)
        return fused(lambda w, s: (w[0] - 0.5 * s, w[1] + s), w, slope)

    a, b = a.astype("float32"), b.astype("float32")
    lowered = jax.jit(lambda *x: with_products(step, *x), keep_unused=True).lower((w, w), a, b)
    assert ready()
    text = lowered.as_text()
    made_within = m * n >= 4096 and k * (n + 15) <= 1 << 16 and (k >= 8 or k == 1)
    assert made_within == ("croton_fused" in text and "croton_product" not in text and "dot_general" not in text)
    x, y = a.astype("float64"), b.astype("float64")
    slope = (x.T if first else x) @ (y.T if second else y)
    equal(compiled(lowered)((w, w), a, b), (w - 0.5 * slope, w + slope), 1e-4, 1e-4)


def test_results_of_the_same_arrays_are_one_loop():
    rng = np.random.RandomState(0)
    x, g, f, v = (rng.normal(size=s).astype("float32") for s in ((64, 100), (64, 70), (100, 70), (100, 70)))

    def step(state, x, g):
        # The two have nothing in common but what they read.
        return fused(lambda s, slope: (0.9 * s[0] + slope, s[1] - slope * slope), state, x.T @ g)

    lowered = jax.jit(lambda *a: with_products(step, *a), keep_unused=True).lower((f, v), x, g)
    assert ready()
    text = lowered.as_text()
    assert (text.count("@croton_fused"), text.count("@croton_product")) == (1, 0)
    slope = x.T.astype("float64") @ g
    equal(compiled(lowered)((f, v), x, g), (0.9 * f + slope, v - slope**2), 1e-4, 1e-4)


def test_sum_between_elementwise_parts():
    def function(state):
        x, y = state
        norm = jnp.sqrt(jnp.sum(x * x))
        return x / norm, y + x / norm

    _, found = program(function, (NORMAL, NORMAL * 2))
    norm = np.sqrt((NORMAL.astype("float64") ** 2).sum())
    equal(found, (NORMAL / norm, NORMAL * 2 + NORMAL / norm), 1e-4)


def test_what_is_left_to_xla():
    small, long = NORMAL[:100], NORMAL.astype("float64")
    for function, state in [
        (lambda s: (s[0] + 1, s[1] * 2), (small, small)),
        (lambda s: (s[0] + 1, s[1] * 2), (long, long)),
        (lambda s: (jnp.exp(s[0]), jnp.tanh(s[1])), (NORMAL, NORMAL)),
        (lambda s: s * 2.0, NORMAL),
    ]:
        with jax.enable_x64(True):
            text, found = program(function, state)
            assert "croton" not in text
            equal(found, function(jax.tree.map(jnp.asarray, state)))


def test_what_is_not_traced_is_called():
    one, other = fused(lambda s: (s[0] + s[1], s[0] - s[1]), (NORMAL, 2 * NORMAL))
    equal((one, other), (3 * NORMAL, -NORMAL))


def test_what_tells_of_its_values_is_called(capfd):
    def function(state):
        jax.debug.print("seen {}", state[0][0])
        return state[0] + state[1], state[0] - state[1]

    text, found = program(function, (NORMAL, 2 * NORMAL))
    jax.effects_barrier()
    assert "croton_fused" not in text
    assert capfd.readouterr().out.count("seen") == 1
    equal(found, (3 * NORMAL, -NORMAL))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_a_matrix_that_is_a_factor_of_its_own_gradient(turned, first):
    rng = np.random.RandomState(0)
    w, m = (rng.normal(size=(96, 96)).astype("float32") / 10 for _ in range(2))

    def slope(w, m):
        w = w.T if turned else w
        return w @ m if first else m @ w

    def step(state, m):
        return fused(lambda s, g: (s[0] - 0.1 * g, 0.9 * s[1] + g), state, slope(state[0], m))

    def steps(state, m):
        return jax.lax.fori_loop(0, 3, lambda i, s: with_products(step, s, m), state)

    lowered = jax.jit(steps, keep_unused=True).lower((w, w + 1), m)
    assert ready()
    assert "croton_fused" in lowered.as_text() and "croton_product" not in lowered.as_text()
    found = compiled(lowered)((w, w + 1), m)
    state = w.astype("float64"), w.astype("float64") + 1
    for _ in range(3):
        g = slope(state[0], m)
        state = state[0] - 0.1 * g, 0.9 * state[1] + g
    equal(found, state, 1e-4, 1e-5)
