"""The loop's own reverse pass against the same steps written out one after another, for steps drawn at random."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T
from croton.compile import DebugMode, reverse
from croton.loop import scan

STEPS, BATCH, WIDTH, WORDS = 4, 2, 3, 5

# What a drawn step may make of values (of the shape of a state) and of what it is given besides.
UNARY = {
    "tanh": T.tanh,
    "sigmoid": T.nnet.sigmoid,
    "softplus": T.nnet.softplus,
    "exp": lambda v: T.exp(-T.sqr(v)),
    "softmax": lambda v: T.exp(v) / T.exp(v).sum(axis=-1, keepdims=True),
    "sum": lambda v: v - v.mean(axis=-1, keepdims=True),
    "relu": T.nnet.relu,
    "roll": lambda v: T.concatenate([v[..., 1:], v[..., :1]], axis=-1),
}
BINARY = {
    "add": lambda v, w: v + w,
    "mul": lambda v, w: v * w,
    "sub": lambda v, w: v - w,
    "switch": lambda v, w: T.switch(T.gt(v, w), v, 2 * w),
    "max": T.maximum,
}
GIVEN = {
    "U": lambda v, g: T.dot(v, g["U"]),
    "V": lambda v, g: T.dot(v, g["V"]),
    "U.T": lambda v, g: T.dot(v, g["U"].T),
    "U twice": lambda v, g: T.dot(T.dot(v, g["U"]), g["U"]),
    "U elsewhere": lambda v, g: T.dot(v, g["U"]) + g["U"][0] * v,
    "bias": lambda v, g: v + g["b"],
    "gates": lambda v, g: _gates(T.dot(v, g["G"]) + T.dot(g["x"], g["G"])),
    "gates by row": lambda v, g: _gates(T.dot(v, g["G"]) + g["E"][g["k"]]),
    "mask": lambda v, g: g["m"] * v + (1 - g["m"]) * g["h"],
    "row": lambda v, g: v * g["E"][g["k"], :WIDTH],
    "rows with U": lambda v, g: v + T.dot(g["E"][g["k"]][..., :WIDTH], g["U"]),
    "product of x": lambda v, g: v * T.dot(T.tanh(g["x"]), g["V"]),
}


def _gates(z):
    a, b = z[..., :WIDTH], z[..., WIDTH : 2 * WIDTH]
    return T.tanh(a) * T.nnet.sigmoid(b)


def step_of(recipe, wanted):
    """A step: (what it is given, h, h before that, c) -> new h, new c, an output that does not feed back."""

    def step(given, h, h2, c):
        pool = [given["x"], h, h2, c]
        for name, i, j in recipe:
            v, w = pool[-1 - i % len(pool)], pool[-1 - j % len(pool)]
            if name in UNARY:
                pool.append(UNARY[name](v))
            elif name in BINARY:
                pool.append(BINARY[name](v, w))
            else:
                pool.append(GIVEN[name](v, given))
        new = [pool[-1 - k % len(pool)] for k in wanted]
        return T.tanh(new[0]), T.tanh(new[1] + 0.5 * c), new[2] + 0 * h

    return step


def both_ways(step, v, backwards, truncate):
    """The outputs [h, c, y] of the loop, and of the steps one after another."""
    names = ["U", "V", "G", "b", "E"]

    def one(x, k, m, h, h2, c, *fixed):
        return step({"x": x, "k": k, "m": m, "h": h, **dict(zip(names, fixed, strict=True))}, h, h2, c)

    looped, _ = scan(
        one,
        sequences=[v["x"], v["k"], v["m"]],
        outputs_info=[{"initial": v["h0"], "taps": [-1, -2]}, v["c0"], None],
        non_sequences=[v[n] for n in names],
        go_backwards=backwards,
        truncate_gradient=truncate,
    )
    h, h2, c = v["h0"][1], v["h0"][0], v["c0"]
    rows = []
    for t in range(STEPS):
        at = STEPS - 1 - t if backwards else t
        new, c, y = one(v["x"][at], v["k"][at], v["m"][at], h, h2, c, *[v[n] for n in names])
        if truncate > 0 and t < STEPS - truncate:
            new, c, y, h = map(croton.gradient.disconnected_grad, (new, c, y, h))
        h, h2 = new, h
        rows.append((new, c, y))
    return looped, [T.stack(row) for row in zip(*rows, strict=True)]


def variables(batched):
    """The variables of the test and values for them."""
    rng = np.random.RandomState(5)
    row = (BATCH, WIDTH) if batched else (WIDTH,)
    tokens = T.imatrix("k") if batched else T.ivector("k")
    shapes = {"x": (STEPS, *row), "m": (STEPS, *row[:-1], 1), "h0": (2, *row), "c0": row}
    shapes |= {"U": (WIDTH, WIDTH), "V": (WIDTH, WIDTH), "G": (WIDTH, 2 * WIDTH), "b": (WIDTH,)}
    shapes |= {"E": (WORDS, 2 * WIDTH)}
    v = {n: T.TensorType("float64", [False] * len(s))(n) for n, s in shapes.items()}
    v["m"] = T.TensorType("float64", [*[False] * (len(shapes["m"]) - 1), True])("m")
    values = {n: rng.normal(0, 0.7, s) for n, s in shapes.items()}
    values["m"] = (values["m"] > -0.3).astype("float64")
    return {**v, "k": tokens}, {**values, "k": rng.randint(0, WORDS, (STEPS, *row[:-1])).astype("int32")}


recipes = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY, *GIVEN, *GIVEN]), st.integers(0, 5), st.integers(0, 5)),
    min_size=1,
    max_size=7,
)


@settings(max_examples=5)
@given(
    recipe=recipes,
    wanted=st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)),
    read=st.sets(st.sampled_from(["h", "c", "y", "h[-1]", "c[-1]", "y[-1]", "c[1:]"]), min_size=1),
    batched=st.booleans(),
    backwards=st.booleans(),
    truncate=st.sampled_from([-1, -1, 1, 2, 6]),
    beside=st.booleans(),
)
@example([("U", 2, 0), ("gates", 0, 0), ("gates by row", 0, 0)], (0, 1, 2), {"h", "c[-1]"}, True, False, -1, True)
@example([("U elsewhere", 2, 0), ("U twice", 2, 0), ("U.T", 1, 0)], (0, 1, 2), {"h", "y"}, False, True, -1, False)
def test_a_loop_has_the_derivatives_of_its_steps_written_out(
    recipe, wanted, read, batched, backwards, truncate, beside
):
    v, values = variables(batched)
    looped, written = both_ways(step_of(recipe, wanted), v, backwards, truncate)
    rng = np.random.RandomState(9)
    weights = {name: T.constant(rng.normal(size=(STEPS, *values["c0"].shape))) for name in sorted(read)}

    def results(outputs):
        found = dict(zip("hcy", outputs, strict=True))
        parts = {name: eval(name, {}, found) for name in sorted(read)}
        cost = sum(
            (p * weights[n][: p.shape[0]] if p.ndim == weights[n].ndim else p * weights[n][0]).sum()
            for n, p in parts.items()
        )
        wrt = [w for n, w in v.items() if n not in "mk"]
        return [cost, *croton.grad(cost, wrt, disconnected_inputs="ignore")]

    given = list(v.values())
    f = croton.function(given, results(looped), on_unused_input="ignore")
    g = croton.function(given, results(written), on_unused_input="ignore", mode=DebugMode())
    arguments = [values[n] for n in v]
    with mock.patch.object(reverse, "SMALL", reverse.SMALL if beside else 0):
        looped_values = f(*arguments)
    for name, a, b in zip(["cost", *[n for n in v if n not in "mk"]], looped_values, g(*arguments), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("small", [reverse.SMALL, 0])
@pytest.mark.parametrize("steps", [1, 2, STEPS])
def test_one_value_as_two_outputs_with_their_own_beginnings(steps, small):
    x, W, U, a, b = T.dtensor3("x"), T.dmatrix("W"), T.dmatrix("U"), T.dmatrix("a"), T.dmatrix("b")
    z = T.dot(x, W)

    def step(z, h, g, k):
        new = T.tanh(z[:, :WIDTH] + T.dot(h, U) + g * T.nnet.sigmoid(z[:, WIDTH:]))
        return new, new, k + 1

    (h, g, k), _ = scan(step, z, [a, b, T.constant(np.int8(0))])
    rows = []
    for t in range(steps):
        new, _, _ = step(z[t], *([a, b] if t == 0 else [rows[-1]] * 2), 0)
        rows.append(new)

    def results(h, g, k):
        cost = (T.sqr(h) + h * g + k.dimshuffle(0, "x", "x") * h).sum()
        return [cost, *croton.grad(cost, [x, W, U, a, b])]

    rng = np.random.RandomState(3)
    shapes = (steps, BATCH, 2), (2, 2 * WIDTH), (WIDTH, WIDTH), (BATCH, WIDTH), (BATCH, WIDTH)
    given = [rng.normal(size=shape) for shape in shapes]
    f = croton.function([x, W, U, a, b], results(h, g, k))
    written = T.stack(rows)
    expected = croton.function([x, W, U, a, b], results(written, written, T.arange(1, steps + 1)))(*given)
    with mock.patch.object(reverse, "SMALL", small):
        for found, right in zip(f(*given), expected, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-10)
