"""Random expressions: values against a NumPy interpreter, gradients against central differences, all in float64."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T

# Smooth and tame on all reals, so that central differences are good; (croton, numpy).
UNARY = {
    "tanh": (T.tanh, np.tanh),
    "sin": (T.sin, np.sin),
    "sigmoid": (T.nnet.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "softplus": (T.nnet.softplus, lambda x: np.logaddexp(0, x)),
    "log1psqr": (lambda x: T.log(1 + T.sqr(x)), lambda x: np.log1p(x * x)),
    "halve": (lambda x: x / 2, lambda x: x / 2),
    "square": (lambda x: T.tanh(x) ** 2, lambda x: np.tanh(x) ** 2),
    "transpose": (lambda x: x.T, lambda x: x.T),
    "rows": (lambda x: x - x.mean(axis=1, keepdims=True), lambda x: x - x.mean(axis=1, keepdims=True)),
    "total": (lambda x: x + x.sum(axis=0) / 5, lambda x: x + x.sum(axis=0) / 5),
    "reverse": (lambda x: x[::-1], lambda x: x[::-1]),
    "shift": (lambda x: T.set_subtensor(x[0], x[1]), lambda x: np.concatenate([x[1:2], x[1:]])),
    "softmax": (T.nnet.softmax, lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    "logsumexp": (
        lambda x: x - T.log(T.exp(x).sum(axis=1, keepdims=True)),
        lambda x: x - np.log(np.exp(x).sum(1, keepdims=True)),
    ),
}
BINARY = {
    "add": (lambda a, b: a + b, lambda a, b: a + b),
    "mul": (lambda a, b: a * b, lambda a, b: a * b),
    "sub": (lambda a, b: a - b, lambda a, b: a - b),
    "div": (lambda a, b: a / (2 + T.sin(b)), lambda a, b: a / (2 + np.sin(b))),
    "dot": (lambda a, b: T.dot(a, b) / 3, lambda a, b: a @ b / 3),
}
N = 3
program = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 99)),
        st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 99), st.integers(0, 99)),
    ),
    min_size=2,
    max_size=9,
)


def run(steps, start, which):
    made = list(start)
    for name, *places in steps:
        op = (UNARY if name in UNARY else BINARY)[name][which]
        made.append(op(*[made[-1 - p % len(made)] for p in places]))
    return made


def cost_of(made, xp):
    return (made[-1] * xp).sum() + (made[len(made) // 2] ** 2).mean()


@settings(max_examples=30)
@given(program, st.integers(0, 2**31))
def test_random_expressions(steps, seed):
    rng = np.random.default_rng(seed)
    points = [rng.normal(size=(N, N)) for _ in range(2)]
    weights = rng.normal(size=(N, N))
    variables = [T.dmatrix("a"), T.dmatrix("b")]
    made = run(steps, variables, 0)
    cost = cost_of(made, weights)
    middle = made[1 + len(made) // 2]
    wanted = [cost, middle, *croton.grad(cost, [*variables, middle], disconnected_inputs="ignore")]
    value, inner, *gradients, by_middle = croton.function(variables, wanted, on_unused_input="ignore")(*points)
    plain = run(steps, points, 1)
    np.testing.assert_allclose(value, cost_of(plain, weights), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(inner, plain[1 + len(made) // 2], rtol=1e-9, atol=1e-9)
    step = 1e-5
    for k, gradient in enumerate(gradients):
        direction = rng.normal(size=(N, N))
        sides = []
        for sign in (step, -step):
            moved = list(points)
            moved[k] = points[k] + sign * direction
            sides.append(cost_of(run(steps, moved, 1), weights))
        slope = (sides[0] - sides[1]) / (2 * step)
        np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-5, atol=1e-6)
    # The derivative with respect to a value on the way: run on from there in NumPy.
    at, direction = 1 + len(made) // 2, rng.normal(size=(N, N))

    def onward(sign):
        table = list(points)
        for position, (name, *places) in enumerate(steps, start=2):
            op = (UNARY if name in UNARY else BINARY)[name][1]
            result = op(*[table[-1 - p % len(table)] for p in places])
            table.append(result + (sign * direction if position == at else 0))
        return cost_of(table, weights)

    if at >= 2:
        slope = (onward(step) - onward(-step)) / (2 * step)
        np.testing.assert_allclose((by_middle * direction).sum(), slope, rtol=1e-5, atol=1e-6)
