"""Recurrent loops as functions of C, beside the same by XLA."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from croton import nets
from croton.native.build import compiler
from croton.native.library import ready
from croton.native.products import LoopLeft, with_products
from croton.nets.training import engine

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to make the kernels with")

T, B, N = 7, 10, 12


def arrays(*shapes):
    rng = np.random.RandomState(0)
    return [rng.normal(size=shape).astype("float32") / (shape[0] if len(shape) == 2 else 1) for shape in shapes]


def program(function, *arguments, whole=False):
    """The text of the program, and what it computes."""
    with jax.enable_x64(True):
        lowered = jax.jit(lambda *a: with_products(function, *a, whole=whole), keep_unused=True).lower(*arguments)
        assert ready()
        return lowered.as_text(), lowered.compile()(*arguments)


def same(function, *arguments, fits=True):
    """Check that the loop is one function, if it ``fits``, which None leaves open, and the results are XLA's."""
    text, found = program(function, *arguments)
    assert fits is None or ("croton_scan" in text) == fits
    with jax.enable_x64(True):
        expected = jax.jit(function)(*arguments)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6), found, expected)


@settings(max_examples=15)  # each has a function of its own
@given(
    st.integers(2, 9),
    st.integers(1, 20),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_rows_in_and_out_of_any_shape(steps, examples, inputs, units, reverse, turned, stacked):
    x, w, u, h = arrays((steps, examples, inputs), (inputs, units), (units, units), (examples, units))

    def function(x, w, u, h):
        def step(h, row):
            h = jnp.tanh(row @ w + (h @ u.T if turned else h @ u))
            return h, (h, h * 2) if stacked else None

        return lax.scan(step, h, x, reverse=reverse)

    same(function, x, w, u, h)


def test_gates_side_by_side():
    x, u, h, c, p = arrays((T, B, 4 * N), (N, 4 * N), (B, N), (B, N), (N,))

    def function(x, u, h, c, p):
        def step(carry, row):
            h, c = carry
            i, f, o, g = jnp.split(row + h @ u, 4, axis=1)
            c = jax.nn.sigmoid(f + c * p) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), c

        return lax.scan(step, (h, c), x)

    same(function, x, u, h, c, p)


def stacks(first, by, at, rows):
    """A loop that counts from ``first`` by ``by`` and writes rows of a stack, reading what ``at`` says."""
    x, u, h, filled = arrays((rows, B, N), (N, N), (B, N), (rows, B, N))

    def function(x, u, h, filled):
        def step(carry, _):
            k, h, filled = carry
            row = lax.dynamic_index_in_dim(x, k + at, keepdims=False)
            h = jnp.tanh(row + h @ u)
            filled = lax.dynamic_update_index_in_dim(filled, h, k, 0)
            return (k + by, lax.dynamic_index_in_dim(filled, k, keepdims=False) * 0.5, filled), None

        return lax.scan(step, (jnp.int64(first), h, filled), None, length=T)[0]

    same(function, x, u, h, filled)


@pytest.mark.parametrize("at", [0, 1, -1])
@pytest.mark.parametrize(("first", "by", "rows"), [(0, 1, T), (T - 1, -1, T), (1, 1, T + 1), (0, 1, T + 3), (3, 1, T)])
def test_stacks_by_a_counter(first, by, rows, at):
    # Where counters leave the stack, the first and last row stand for what is not there, as in XLA.
    stacks(first, by, at, rows)


def test_a_stack_that_is_filled_is_not_read():
    x, u, h = arrays((T, B, N), (N, N), (B, N))

    def function(x, u, h):
        def step(carry, _):
            k, h, filled = carry
            h = jnp.tanh(lax.dynamic_index_in_dim(x, k, keepdims=False) + h @ u)
            return (k + 1, h, lax.dynamic_update_index_in_dim(filled, h, k, 0, allow_negative_indices=False)), None

        return lax.scan(step, (0, h, jnp.full((T, B, N), 9.0, "float32")), None, length=T)[0]

    with jax.enable_x64(True):
        text = jax.jit(lambda *a: with_products(function, *a)).lower(x, u, h).compile().as_text()
    assert "croton_scan" in text and "constant(9)" not in text
    _, found = program(function, x, u, h)
    np.testing.assert_allclose(found[2], function(x, u, h)[2], rtol=2e-5, atol=2e-6)


def test_what_no_step_reads_is_not_made():
    x, u, h, other = arrays((T, B, N), (N, N), (B, N), (91, 17))

    def function(x, u, h, other):
        unread = jnp.sin(other)

        def step(h, row):
            unread * 2
            return jnp.tanh(row + h @ u), None

        return lax.scan(step, h, x)

    text, _ = program(function, x, u, h, other)
    [call] = [line for line in text.splitlines() if "@croton_scan" in line]
    assert "91x17" not in call
    same(function, x, u, h, other)


@pytest.mark.parametrize("column", [0, 3])
def test_rows_are_written_over_what_was_read(column):
    """The same columns in place; and others, which no pass can do at once."""
    gates, u, h = arrays((T, B, 2 * N), (2 * N, N), (B, N))

    def function(gates, u, h):
        def step(carry, _):
            k, h, gates = carry
            row = lax.dynamic_index_in_dim(gates, k, keepdims=False)
            a, b = jnp.split(row, 2, axis=1)
            gates = lax.dynamic_update_slice(gates, (h * a - b)[None], (k, 0, column))
            return (k - 1, jnp.tanh(lax.dynamic_index_in_dim(gates, k, keepdims=False) @ u), gates), None

        return lax.scan(step, (T - 1, h, gates), None, length=T)[0]

    same(function, gates, u, h, fits=column == 0)


def test_masks_counts_and_numbers():
    x, u, h, mask, rate = *arrays((T, B, N), (N, N), (B, N), (T, B, 1)), np.float32(0.3)

    def function(x, u, h, mask, rate):
        def step(carry, rows):
            k, h = carry
            row, m = rows
            new = jnp.where(k % 3 == 1, h, row + h @ u) * rate + jnp.sqrt(rate)
            return (k + 1, jnp.where(m > 0, new, h)), None

        return lax.scan(step, (0, h), (x, mask))[0]

    same(function, x, u, h, mask, rate)


def test_two_stacks_that_begin_alike():
    """They are one array to XLA, and each is written over in part."""
    x, u, h, begun = arrays((T, B, N), (N, N), (B, N), (T + 2, B, N))

    def function(x, u, h, begun):
        def step(carry, row):
            k, h, one, other = carry
            h = jnp.tanh(row + h @ u)
            one, other = (lax.dynamic_update_index_in_dim(s, h * f, k, 0) for s, f in ((one, 2), (other, 3)))
            return (k + 1, h, one, other), None

        return lax.scan(step, (jnp.int64(1), h, begun, begun), x)[0], begun.sum()

    same(function, x, u, h, begun)


@pytest.mark.parametrize("inner", [1, N])
def test_stacks_whose_rows_are_not_examples(inner):
    """A matrix for each step, as high as there are examples."""
    table, h = arrays((T, B, inner), (B, B))

    def function(table, h):
        def step(carry, _):
            k, h = carry
            column = lax.dynamic_index_in_dim(table, k, keepdims=False)[:, 0]
            return (k + 1, jnp.tanh(h + column[None, :])), None

        return lax.scan(step, (jnp.int64(0), h), None, length=T)[0]

    same(function, table, h, fits=False)


def test_carries_change_places():
    x, u, a, b = arrays((T, B, N), (N, N), (B, N), (B, N))

    def function(x, u, a, b):
        return lax.scan(lambda c, row: ((c[1], c[0] + row @ u, c[0] * 0 + 1.5), c[0]), (a, b, a), x)

    same(function, x, u, a, b)


MIXING = {
    "a sum over examples": lambda h, u: h - h.mean(0),
    "examples against each other": lambda h, u: h @ h.T @ h,
    "examples in another order": lambda h, u: h[::-1],
    "some examples": lambda h, u: jnp.concatenate([h[:1], h[1:] @ u]),
    "a sum over units": lambda h, u: h / h.sum(1, keepdims=True),
    "a matrix that changes": lambda h, u: h @ (u * h[0, 0]),
    "a product over two axes": lambda h, u: h + jnp.tensordot(h, h),
    "what has no name in C": lambda h, u: lax.erf_inv(jnp.tanh(h)),
}


@pytest.mark.parametrize("case", MIXING)
def test_what_is_left_to_xla(case):
    u, h = arrays((N, N), (B, N))

    def function(u, h):
        return lax.scan(lambda h, _: (jnp.tanh(MIXING[case](h, u)), None), h, None, length=T)[0]

    same(function, u, h, fits=False)
    with pytest.raises(LoopLeft):
        program(function, u, h, whole=True)


BROADCAST = {
    "a column": lambda h, r, c, o: h * c * 0.5 + r,
    "one number": lambda h, r, c, o: h * o + r,
    "a gate of one unit": lambda h, r, c, o: jax.nn.sigmoid(r[:, :1]) * h + r,
    "a product of one column": lambda h, r, c, o: h @ jnp.full((N, 1), 0.05, "float32") + jnp.tanh(h + r),
    "truths": lambda h, r, c, o: jnp.where((r * 0.5).astype(bool) & (c > 0), h, r),
    "an axis more": lambda h, r, c, o: jnp.squeeze(lax.split(h[..., None], (1,), axis=2)[0], 2) + r,
    "rows of one": lambda h, r, c, o: h * r[:1] + r,
}


@pytest.mark.parametrize("case", BROADCAST)
@pytest.mark.parametrize("examples", [B, 1])
def test_rows_of_one_number(case, examples):
    """Whether the loop fits or not; what is broadcast is so in derivatives too."""
    x, h, c, o = arrays((T, examples, N), (examples, N), (examples, 1), (1, 1))

    def function(x, h, c, o):
        return lax.scan(lambda h, r: (BROADCAST[case](h, r, c, o), h), h, x)

    def slopes(*a):
        return jax.grad(lambda *a: (function(*a)[1] ** 2).sum(), argnums=(0, 1, 2, 3))(*a)

    same(function, x, h, c, o, fits=None)
    same(slopes, x, h, c, o, fits=None)


READING = ["the row before", "the row to come", "what was there", "what is there"]


@pytest.mark.parametrize("case", READING)
def test_stacks_that_are_read_before_they_are_filled(case):
    x, u, h, begun = arrays((T, B, N), (N, N), (B, N), (T, B, N))

    def row(f, k):
        return lax.dynamic_index_in_dim(f, k, keepdims=False, allow_negative_indices=False)

    def function(x, u, h, begun):
        def step(carry, r):
            k, h, f = carry
            h = jnp.tanh(r + h @ u)
            after = lax.dynamic_update_index_in_dim(f, h, k, 0, allow_negative_indices=False)
            seen = [(f, k - 1), (f, k + 1), (f, k), (after, k + 1)][READING.index(case)]
            return (k + 1, h, after), row(*seen)

        return lax.scan(step, (0, h, begun), x)

    same(function, x, u, h, begun, fits=None)


def test_matrices_of_another_shape():
    v, w, h = arrays((N, 1), (N // 2, 2 * N), (B, N))
    loop = lambda of: lambda a, h: lax.scan(lambda h, _: (jnp.tanh(h @ of(a)), None), h, None, length=T)[0]  # noqa: E731
    for of, a in ((lambda v: jnp.broadcast_to(v, (N, N)), v), (lambda w: w.reshape(N, N), w)):
        same(loop(of), a, h, fits=None)
    same(loop(lambda v: lax.broadcasted_iota("float32", (N, N), 0) * 0.01), v, h, fits=None)


def test_rows_of_a_stack_by_a_vector():
    """What is carried has no axis of examples: the second axis of the stack is another."""
    x, v = arrays((T, 5, N), (N,))

    def function(x, v):
        def step(carry, _):
            k, v = carry
            return (k + 1, v * 0.5 + lax.dynamic_slice(x, (k, 0, 0), (1, 1, N))[0, 0]), v

        return lax.scan(step, (0, v), None, length=T)

    same(function, x, v, fits=None)


def test_remainders_by_nothing():
    x, m = arrays((T, B, N))[0], np.array([0, -1, 3])

    def function(x, m):
        def step(carry, r):
            k, h = carry
            wholes = [lax.rem(k, m[i]) for i in range(3)]
            return (k + 1, h + r * sum(wholes).astype("float32")), None

        return lax.scan(step, (jnp.int64(5), x[0]), x)[0]

    same(function, x, m, fits=None)


def test_examples_as_many_as_units():
    """Axes of one length are told apart by what happens to them."""
    x, u, h = arrays((B, B, B), (B, B), (B, B))
    same(lambda x, u, h: lax.scan(lambda h, row: (jnp.tanh(row + h @ u),) * 2, h, x), x, u, h)


def test_double_precision_is_left_to_xla():
    u, h = (a.astype("float64") for a in arrays((N, N), (B, N)))
    same(lambda u, h: lax.scan(lambda h, _: (jnp.tanh(h @ u), None), h, None, length=T)[0], u, h, fits=False)


SPECIAL = [0.0, -0.0, 1e-30, -1e-5, 3e-4, 5e-4, 0.5, -1.0, 8.0, -9.0, 20.0, 88.7, 89.0, -87.0, -104.0, 1e30, -1e30]
FUNCTIONS = {
    "exp": (jnp.exp, np.exp, 2),
    "tanh": (jnp.tanh, np.tanh, 6),
    "logistic": (jax.nn.sigmoid, lambda x: 1 / (1 + np.exp(-x)), 4),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_to_the_last_bits(name):
    of, exact, bits = FUNCTIONS[name]
    given = np.concatenate([SPECIAL, np.linspace(-30, 30, 4000), [np.inf, -np.inf, np.nan]])
    x = np.resize(given, (8, -(-len(given) // 8))).astype("float32")
    text, found = program(lambda x: lax.scan(lambda c, _: ((c[0], of(c[0])), None), (x, x), None, length=2)[0][1], x)
    assert "croton_scan" in text
    with np.errstate(over="ignore"):
        expected = exact(x.astype("float64")).astype("float32")
    unit = np.spacing(np.abs(expected))
    fine = (found == expected) | (np.isnan(found) & np.isnan(expected)) | (abs(found - expected) <= bits * unit)
    assert fine[abs(expected) > 1e-37].all(), x[~fine]
    np.testing.assert_allclose(found, expected, atol=1e-37, rtol=1e-5)


FORMS = {
    "rnn": dict(form="rnn", size=12),
    "lstm": dict(form="lstm", size=12),
    "gru": dict(form="gru", size=12),
    "mrnn": dict(form="mrnn", size=12, factors=3),
    "both directions": dict(form="bidirectional", size=12, worker="lstm"),
    "rates of each unit": dict(form="rrnn", size=12, rate="vector"),
}
WHOLE = set(FORMS) - {"rates of each unit"}


@pytest.mark.parametrize("form", FORMS)
def test_networks_train_as_without_kernels(monkeypatch, form):
    rng = np.random.RandomState(0)
    x, y = rng.randn(40, 9, 5).astype("float32"), rng.randint(0, 4, (40, 9)).astype("int32")
    made, results = [], []
    start = engine.Steps.__init__
    monkeypatch.setattr(engine.Steps, "__init__", lambda self, *a: made.append(self) or start(self, *a))
    for said in ("1", "0"):
        monkeypatch.setenv("CROTON_NATIVE", said)
        net = nets.recurrent.Classifier([5, FORMS[form], 4], rng=1)
        if said == "0":
            # Networks of one graph share their programs, and those of the first have kernels.
            monkeypatch.setattr(engine.Pass, "_made_steps", fresh)
        net.train([x, y], algo="rmsprop", batch_size=16, learning_rate=0.01, max_updates=6, train_batches=3)
        results.append([p.get_value() for p in net.params])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    texts = [program.as_text() for steps in made for program, _ in steps._programs.values()]
    assert any("croton_scan" in text for text in texts)
    kerneled = [over for steps in made[:2] for _, over in steps._programs.values()]
    if len(jax.local_devices()) > 1:
        assert all(over is None for over in kerneled) == (form in WHOLE)


def fresh(self):
    program = self.program
    places = engine._places(program.shared, (self.params, self._states, self._fixed))
    return engine.Steps(
        program.trace, places, (len(self.values), len(self.gradients), len(self.products)), self.optimizer
    )
