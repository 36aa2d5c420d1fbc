"""What is computed for each example as a function of C, beside the same by XLA."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from croton import nets
from croton.native import each
from croton.native.build import compiler
from croton.native.library import ready
from croton.native.products import with_products

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to make the kernels with")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(each, "LEAST", 0)


NORMAL = np.random.RandomState(0).normal(size=5000).astype("float32")


def numbers(*shape):
    return np.resize(NORMAL, shape) * 2


def program(function, *arguments):
    """The text of the program, and what it computes."""
    with jax.enable_x64(True):
        lowered = jax.jit(lambda *a: with_products(function, *a), keep_unused=True).lower(*arguments)
        assert ready()
        return lowered.as_text(), lowered.compile()(*arguments)


def same(function, *arguments, calls=1, rtol=1e-5, atol=1e-6):
    """Check that there are so many functions of C, if that matters, and the results are XLA's."""
    text, found = program(function, *arguments)
    assert calls is None or text.count("@croton_each") == calls
    with jax.enable_x64(True):
        expected = jax.jit(function)(*arguments)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), found, expected)


def classified(x, bias, labels):
    """Cross-entropy, its gradients, and the share of examples that are read right."""

    def loss(x, bias):
        logits = x + bias
        right = jnp.arange(x.shape[-1]) == labels[..., None]
        return -jnp.where(right, jax.nn.log_softmax(logits), 0).sum(-1).mean(), logits

    (value, logits), slopes = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(x, bias)
    first = jnp.where(logits == logits.max(-1, keepdims=True), jnp.arange(x.shape[-1]), x.shape[-1]).min(-1)
    known = ((labels >= 0) & (labels < x.shape[-1])).all()
    return value, slopes, jnp.where(first == labels, 1.0, 0.0).mean(), known


@settings(max_examples=15)  # each has a function of its own
@given(st.integers(2, 150), st.integers(2, 60), st.sampled_from(["int32", "int64"]))
def test_softmax_of_any_shape(examples, features, dtype):
    labels = np.arange(examples).astype(dtype) % features
    same(classified, numbers(examples, features), numbers(features), labels)


def test_examples_of_several_axes():
    same(classified, numbers(7, 30, 12), numbers(12), np.arange(210).reshape(7, 30) % 12)


def test_examples_in_another_order():
    def function(x, weights):
        return jax.nn.softmax(x) * weights.T[..., None], jax.nn.softmax(x).max(-1).T * weights

    same(function, numbers(7, 30, 12), numbers(30, 7))


def test_sums_over_some_of_the_examples_axes_are_not_taken_for_others():
    """Squares, whose axes cannot be told by their lengths."""

    def over_examples(x, mask):
        return jax.nn.softmax(x) * mask[:, :, None] * mask.sum(0)

    def of_others(x, z):
        return jax.nn.softmax(x + z.sum(1)) * z, jax.nn.softmax(x + z.sum(1, keepdims=True)) * z

    same(over_examples, numbers(5, 7, 7), numbers(5, 7), calls=None)
    same(of_others, numbers(9, 9), numbers(9, 9) / 2, calls=None)
    same(lambda x, y: jax.nn.softmax(x + y.sum(1)) * y, numbers(9, 9), numbers(9, 1), calls=None)


def test_what_each_example_has_once_is_its_largest():
    same(lambda m: jnp.broadcast_to(m[:, None], (40, 10)).max(1), numbers(40), calls=None)
    same(lambda m: jnp.broadcast_to(m[:, None], (40, 10)).max(1).sum(), numbers(40), calls=None)
    same(lambda x: (x.max(1), x.sum()), numbers(40, 10), calls=None)


def test_numbers_in_the_order_of_columns():
    def function(x, w):
        return jax.nn.softmax(x).max(-1).reshape(-1, order="F") * w, x.reshape(12, 210, order="F").sum(0)

    same(function, numbers(7, 30, 12), numbers(210), calls=None)


def test_two_axes_are_not_one_of_features():
    def function(x, w, v):
        wide = jnp.broadcast_to(jax.nn.softmax(x).max(1)[:, None, None], (40, 2, 6)) * w
        return wide.transpose(0, 2, 1) * v

    same(function, numbers(40, 12), numbers(40, 2, 6), numbers(40, 6, 2), calls=None)


def test_bits_of_whole_numbers():
    def function(x):
        k = jnp.where(x == x.max(1, keepdims=True), jnp.arange(9, dtype="int32"), jnp.int32(7))
        return [
            lax.reduce(k, np.int32(start), how, (1,)) for start, how in [(-1, lax.bitwise_and), (0, lax.bitwise_or)]
        ]

    same(function, numbers(70, 9), calls=None)


def test_the_smallest_whole_number():
    least = np.iinfo("int64").min

    def function(x, k):
        return jnp.where(k == least, x.max(1), 0.0), jnp.where(k > jnp.int64(least), 1.0, x.max(1))

    same(function, numbers(3, 9), np.array([least, 0, 1]))


def test_long_sums_keep_their_digits():
    def function(x):
        return (x - x.max(1, keepdims=True)).sum(0)

    _, found = program(function, np.tile(np.float32([0.2, 0.1]), (1 << 21, 1)))
    np.testing.assert_allclose(found, [0, (1 << 21) * -0.1], rtol=1e-6)


def test_features_first():
    def function(x, labels):
        def loss(x):
            p = jax.nn.log_softmax(x, axis=0)
            return -jnp.where(jnp.arange(x.shape[0])[:, None] == labels, p, 0).sum(0).mean()

        return jax.value_and_grad(loss)(x)

    for examples in (5, 33, 600):
        same(function, numbers(10, examples), np.arange(examples) % 10)


def test_many_examples_are_taken_in_parts():
    same(classified, numbers(9000, 20), numbers(20), np.arange(9000) % 20)


def test_what_is_computed_again_is_the_same_to_the_last_bit():
    # A product and a sum may become one operation, or not: the largest would not be found again.
    def function(x, scale, bias):
        product = x * scale
        y = product + bias
        one, zero = jnp.float32(1), jnp.float32(0)
        return jnp.where(y == y.max(1, keepdims=True), one, zero).sum(1), jnp.exp(product).sum(1)

    text, (found, _) = program(function, numbers(700, 33), numbers(33), numbers(33)[::-1].copy())
    assert "croton_each" in text
    assert found.min() >= 1


def test_cheap_values_are_computed_again_rather_than_kept(monkeypatch):
    kept = []
    source = each.Each._source
    monkeypatch.setattr(each.Each, "_source", lambda self: (source(self), kept.append(len(self.kept)))[0])
    same(classified, numbers(300, 20), numbers(20), np.arange(300) % 20)
    assert kept == [3]  # scores, their exponentials, and the gradient


def test_results_in_other_shapes_and_other_places():
    def function(x, w):
        p = jax.nn.softmax(x)
        return p, p.T, p.reshape(5, 8, 10), p @ w, p.sum(0), p.max(1), jnp.broadcast_to(p.max(1)[:, None], p.shape) * 2

    same(function, numbers(40, 10), numbers(10, 10))


SPECIAL = np.array([0, -0.0, 1, -1, 2.5, 0.3, -200, 90, np.inf, -np.inf, np.nan, 3e38], "float32")
X, Y = (np.resize(a, (150, 4)) for a in (np.repeat(SPECIAL, len(SPECIAL)), SPECIAL))
OPERATIONS = {
    "exp": lambda x, y: jnp.exp(x),
    "log": lambda x, y: jnp.log(x),
    "tanh": lambda x, y: jnp.tanh(x),
    "logistic": lambda x, y: jax.nn.sigmoid(x),
    "max": lambda x, y: lax.max(x, y),
    "min": lambda x, y: lax.min(x, y),
    "sign": lambda x, y: jnp.sign(x),
    "abs": lambda x, y: abs(x),
    "rsqrt": lambda x, y: lax.rsqrt(x),
    "square": lambda x, y: x**2,
    "not": lambda x, y: jnp.where(~(x < y), x, 7.0),
    "or": lambda x, y: jnp.where((x < y) | (x == 1), x, 7.0),
    "truth": lambda x, y: x.astype(bool).astype("float32"),
    "whole": lambda x, y: (x < y).astype("int32").astype("float32") + (x > y).astype("int64").astype("float32"),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_on_special_numbers(name):
    def function(x, y):
        made = OPERATIONS[name](x, y)
        # The second pass keeps the first one's result from being all that there is.
        return made, jnp.where(x.max(1, keepdims=True) > 0, made, 0.5)

    same(function, X, Y, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("how", ["sum", "max", "min", "all", "any"])
def test_reductions(how):
    def function(x):
        y = x - x.max(1, keepdims=True)
        what = y if how in ("sum", "max", "min") else y < -2
        return getattr(what, how)(1), getattr(getattr(what, how)(1), how)(), getattr(what, how)()

    same(function, numbers(70, 9))
    with_nan = numbers(70, 9)
    with_nan[33, 4] = np.nan
    same(function, with_nan)


def test_whole_numbers_are_reduced():
    def function(x, k):
        at = jnp.where(x == x.max(1, keepdims=True), jnp.arange(9, dtype="int32"), jnp.int32(-5))
        return at.max(1), at.min(1), at.min(), at.max(), jnp.where(k[:, None] > at, k[:, None], at).max(1)

    same(function, numbers(70, 9), np.arange(70) - 10)


@pytest.mark.parametrize("function", [jnp.exp, jnp.log, jnp.tanh, jax.nn.sigmoid, jnp.sqrt])
def test_functions_to_the_last_digits(function):
    x = np.concatenate([NORMAL * 20, NORMAL, NORMAL * 1e-3, 1 + NORMAL * 1e-4, 2.0 ** np.arange(-126, 127, 0.1)])
    x = abs(x).astype("float32") if function in (jnp.log, jnp.sqrt) else x.astype("float32")
    x = np.resize(x, (len(x) // 8, 8))
    x = x[(abs(x) > 2e-38).all(1)]

    text, found = program(lambda x: jnp.where(x.max(1, keepdims=True) < 3e38, function(x), 0.0), x)
    assert "croton_each" in text
    with jax.enable_x64(True), np.errstate(over="ignore", invalid="ignore"):
        exact = np.asarray(function(jnp.asarray(x, "float64")))
        ulp = np.spacing(abs(exact).astype("float32")).astype("float64")
    ordinary = np.isfinite(ulp) & (abs(exact) > 1.2e-38)
    assert (abs(np.asarray(found, "float64")[ordinary] - exact[ordinary]) / ulp[ordinary]).max() <= 5


def test_what_needs_the_sum_over_all_examples_comes_after():
    def function(x, bias):
        x = x - x.mean(0)
        return jax.nn.log_softmax(x / (1 + jax.nn.softmax(x).max(1).sum()))

    same(function, numbers(50, 6), numbers(6), calls=2)


def test_two_softmaxes_of_their_own():
    def function(x, y):
        return jax.nn.softmax(x).sum(0) * 2, jax.nn.softmax(y @ y.T) @ jax.nn.log_softmax(x[:, :7]).T[:, :3].T

    same(lambda x, y: (jax.nn.softmax(x), jax.nn.softmax(y)), numbers(64, 10), numbers(30, 17), calls=2)


def test_a_number_for_all_examples_and_one_for_all_features():
    def function(x, rate, weights, scale):
        p = jax.nn.softmax(x * rate + weights[:, None]) * scale
        return p, jnp.broadcast_to(weights[:, None], x.shape).sum(1) + p.max(1), (p * rate).sum()

    same(function, numbers(40, 10), np.float32(0.5), numbers(40), numbers(10))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((40, 10), "float64"), ((40, 2000), "float32"), ((1, 10), "float32"), ((10,), "float32"), ((40, 1), "float32")],
    ids=["double", "many features", "one example", "no example", "one feature"],
)
def test_what_is_left_to_xla(shape, dtype):
    same(jax.nn.log_softmax, numbers(*shape).astype(dtype), calls=0)


def test_what_is_small_is_left_to_xla(monkeypatch):
    monkeypatch.setattr(each, "LEAST", 400)
    same(jax.nn.log_softmax, numbers(40, 10), calls=1)
    same(jax.nn.log_softmax, numbers(39, 10), calls=0)


def test_what_tells_is_left_to_xla():
    heard = []

    def function(x):
        jax.debug.callback(heard.append, x.sum())
        return jax.nn.softmax(x)

    same(function, numbers(40, 10), calls=0)
    jax.effects_barrier()
    assert len(heard) == 2


def test_no_kernels_where_nobody_wants_them(monkeypatch):
    monkeypatch.setenv("CROTON_NATIVE", "0")
    same(jax.nn.log_softmax, numbers(40, 10), calls=0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("width", [4, 40], ids=["few", "some"])
def test_networks_train_as_without_kernels(monkeypatch, width, weighted):
    rng = np.random.RandomState(1)
    x, y = numbers(170, 12), rng.randint(0, width, 170).astype("int32")
    data = [x, y, rng.uniform(size=170).astype("float32")] if weighted else [x, y]

    def trained():
        net = nets.Classifier([12, (20, "relu"), width], weighted=weighted, rng=3)
        epochs = net.itertrain(data, algo="rmsprop", batch_size=64, max_updates=3, progress=False)
        return [dict(told) for told, _ in epochs][-1], {p.name: p.get_value() for p in net.params}

    sources, compiled_loop = [], each.compiled_loop
    monkeypatch.setattr(each, "compiled_loop", lambda source: sources.append(source) or compiled_loop(source))
    told, params = trained()
    assert sources
    monkeypatch.setenv("CROTON_NATIVE", "0")
    others, expected = trained()
    for name, value in params.items():
        np.testing.assert_allclose(value, expected[name], rtol=2e-4, atol=2e-5)
    assert told == pytest.approx(others, rel=1e-4)
