"""Derivatives through choices: what is not taken passes back nothing, however singular it is."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.graph.walk import inputs, toposort
from croton.tensor.guarded import Guarded

X = np.array([-1.0, 0.0, 4.0])


# name: (expression of a vector x, its derivative at -1, 0 and 4)
TAKEN = {
    "log": (lambda x: T.switch(x > 0, T.log(x), 0), [0, 0, 0.25]),
    "other_side": (lambda x: T.switch(T.le(x, 0), x, T.log(x)), [1, 1, 0.25]),
    "sqrt": (lambda x: T.switch(x > 0, T.sqrt(x), x), [1, 1, 0.25]),
    "division": (lambda x: T.switch(T.eq(x, 0), 0, 1 / x), [-1, 0, -1 / 16]),
    "division_by_a_function": (lambda x: T.switch(T.neq(x, 0), (x + 1) / T.sqr(x), 5), [1, 0, -3 / 32]),
    "power": (lambda x: T.switch(x > 0, x**0.5, 0), [0, 0, 0.25]),
    "overflow": (lambda x: T.switch(x < 3, x, T.exp(x * 1000)), [1, 1, np.inf]),
    "overflow_not_taken": (lambda x: T.switch(x < 5, x, T.exp(x * 1000)), [1, 1, 1]),
    "nested": (lambda x: T.switch(x > 0, T.switch(x > 3, T.log(x), T.sqrt(x)), x), [1, 1, 0.25]),
    "one_inside_the_other": (lambda x: T.switch(x > 3, T.log(T.switch(x > 0, T.sqrt(x), x)), 0), [0, 0, 0.125]),
    "several_ops": (lambda x: T.switch(x > 0, 3 * T.log(T.sqrt(x)) + x, 0), [0, 0, 1 + 3 / 8]),
    "cast": (lambda x: T.switch(x > 0, T.cast(T.log(x), "float32"), 0), [0, 0, 0.25]),
    "scalar_condition": (lambda x: T.switch(x[0] > 0, T.log(x), x), [1, 1, 1]),
    "maximum": (lambda x: T.maximum(T.log(abs(x)), -5), [-1, 0, 0.25]),
    "minimum": (lambda x: T.minimum(5, -T.log(abs(x))), [1, 0, -0.25]),
    "clip": (lambda x: T.clip(T.log(abs(x)), -5, 5), [-1, 0, 0.25]),
    "relu": (lambda x: T.nnet.relu(T.log(abs(x))), [0, 0, 0.25]),
    "both_branches": (
        lambda x: (lambda y: T.switch(x > 0, y, -y))(T.sqrt(abs(x) + 1)),
        [0.5 / 2**0.5, 0, 0.5 / 5**0.5],
    ),
    "taken_elsewhere_too": (
        lambda x: (lambda y: T.switch(x > 5, y, 0) + T.switch(x > 2, y, 0))(T.log(x)),
        [0, 0, 0.25],
    ),
    "reduced": (
        lambda x: (lambda n: T.switch(n > 0, T.sqrt(n), 0))(T.sum(T.sqr(x.dimshuffle(0, "x")), axis=1)),
        [-1, 0, 1],
    ),
    "unit_rows": (lambda x: (lambda m: _unit(m)[:, 0] + 2 * _unit(m)[:, 1])(T.stack([x, 2 * x], axis=1)), [0, 0, 0]),
    "through_an_index": (lambda x: T.switch(x[::-1] > 2, T.log(x[::-1]), 0), [0, 0, 0.25]),
}


def _unit(m):
    """Rows divided by their length, but rows of zeros as they are."""
    length = T.sqrt(T.sum(T.sqr(m), axis=1)).dimshuffle(0, "x")
    return T.switch(length > 0, m / length, 0)


@pytest.mark.parametrize("name", TAKEN)
def test_derivatives(name):
    """Backward and forward."""
    expression, true = TAKEN[name]
    x = T.dvector("x")
    y = expression(x)
    backward, forward = croton.function([x], [croton.grad(y.sum(), x), croton.gradient.Rop(y, x, T.ones_like(x))])(X)
    np.testing.assert_allclose(backward, true, rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(np.sort(forward), np.sort(true), rtol=1e-6, atol=1e-15)


def test_gradients_at_the_branches_own_pieces():
    x = T.dvector("x")
    y = T.log(x)
    z = 2 * y
    cost = T.switch(x > 0, z, 0).sum()
    together = croton.function([x], croton.grad(cost, [x, y, z]))(X)
    for found, true in zip(together, ([0, 0, 0.5], [0, 0, 2], [0, 0, 1]), strict=True):
        np.testing.assert_array_equal(found, true)
    np.testing.assert_array_equal(croton.function([x], croton.grad(cost, y))(X), [0, 0, 2])


def test_second_derivatives():
    x = T.dvector("x")
    cost = T.switch(x > 0, T.log(x), T.sqr(x)).sum()
    np.testing.assert_allclose(
        croton.function([x], croton.gradient.hessian(cost, x))(X), np.diag([2, 2, -1 / 16]), rtol=1e-14
    )


def test_what_is_taken_keeps_its_infinite_derivative():
    x = T.dvector("x")
    y = T.log(x)
    masked, plain = T.switch(x > 0, y, 0).sum(), y.sum()
    outputs = [croton.grad(masked, x), croton.grad(plain, x), croton.grad(masked + plain, x), y]
    found = croton.function([x], outputs)([0.0, 2.0])
    np.testing.assert_array_equal(found, [[0, 0.5], [np.inf, 0.5], [np.inf, 1], [-np.inf, np.log(2)]])


@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 1), (1, 4), (3, 1)])
@pytest.mark.parametrize("condition_shape", [(), (4,), (3, 1), (3, 4)])
def test_conditions_and_branches_that_broadcast(condition_shape, shape):
    """Where a branch is spread over the condition, its derivative is the sum over the places where it is taken."""
    x = T.TensorType("float64", (False,) * len(shape))("x")
    c = T.TensorType("bool", (False,) * len(condition_shape))("c")
    y = T.switch(c, T.log(x) + T.zeros((3, 4)), 0)
    f = croton.function([c, x], [y, croton.grad(y.sum(), x)])
    condition = np.zeros(condition_shape, bool)
    values = np.full(shape, 2.0)
    values.flat[0] = 0
    np.testing.assert_array_equal(f(condition, values)[1], np.zeros(shape))
    condition.flat[-1] = True
    full = np.broadcast_to(condition, (3, 4))
    value, gradient = f(condition, values)
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(value, np.where(full, np.log(values), 0))
        slopes = np.where(full, 1 / values, 0)
    np.testing.assert_array_equal(gradient, gathered(slopes, shape))


def gathered(full, shape):
    """The sums of ``full`` over the places to which each element of an array of ``shape`` is spread."""
    full = full.sum(axis=tuple(range(full.ndim - len(shape))))
    return full.sum(axis=tuple(k for k, n in enumerate(shape) if n == 1), keepdims=True)


def test_a_sum_that_is_spread_over_the_condition():
    """What is summed up has other lengths than the condition."""
    w, c = T.dmatrix("w"), T.bmatrix("c")
    y = T.switch(c, T.sqrt(w).sum(axis=0, keepdims=True), 0)
    f = croton.function([w, c], croton.grad(y.sum(), w))
    values, condition = np.array([[0.0], [4.0], [1.0]]), np.zeros((2, 5), "int8")
    np.testing.assert_array_equal(f(values, condition), np.zeros((3, 1)))
    condition[1, 3] = condition[0, 3] = 1
    np.testing.assert_array_equal(f(values, condition), [[np.inf], [0.5], [1]])


def test_a_bias_is_masked_element_by_element():
    """log(x + b) is -inf in one row, not taken there; other rows of that column are."""
    x, b = T.dmatrix("x"), T.dvector("b")
    y = T.switch(x + b > 0, T.log(x + b), 0).sum()
    dx, db = croton.function([x, b], croton.grad(y, [x, b]))([[0.0, 1.0], [3.0, 1.0]], [0.0, 1.0])
    np.testing.assert_array_equal(dx, [[0, 0.5], [1 / 3, 0.5]])
    np.testing.assert_array_equal(db, [1 / 3, 1])


def guarded(outputs):
    program = croton.function([], outputs, givens=[(x, np.ones(3)) for x in inputs(outputs) if x.name])._program
    return [node for node in toposort(program.outputs) if isinstance(node.op, Guarded)]


def test_only_singular_ops_of_graphs_with_derivatives_are_guarded():
    x = T.dvector("x")
    y = T.log(x) + 0.5 * T.tanh(x) + x / 3
    assert [str(node.op) for node in guarded([croton.grad(y.sum(), x)])] == ["log"]
    assert not guarded([y])


def test_a_guarded_op_keeps_its_name_and_place():
    x = T.dvector("x")
    y = T.log(x)
    y.name = "logs"
    (node,) = guarded([croton.grad(T.switch(x > 0, y, 0).sum(), x)])
    assert node.outputs[0].name == "logs" and str(node.op) == "log"
    assert node.place is y.owner.place


def test_guards_through_picked_elements_and_masks():
    """Not only choices send back zeros."""
    x = T.dvector("x")
    for y in (T.log(x)[[0, 2]], T.set_subtensor(T.log(x)[1], 0.0), T.log(x) * T.constant([1.0, 0.0, 1.0])):
        np.testing.assert_array_equal(croton.function([x], croton.grad(y.sum(), x))([1.0, 0.0, 4.0]), [1, 0, 0.25])


def test_guards_under_jacobian_and_hessian():
    x = T.dvector("x")
    y = T.switch(x > 0, T.log(x) * x, 0)
    matrix, second = croton.function([x], [croton.gradient.jacobian(y, x), croton.gradient.hessian(y.sum(), x)])(X)
    np.testing.assert_allclose(matrix, np.diag([0, 0, np.log(4) + 1]))
    np.testing.assert_allclose(second, np.diag([0, 0, 0.25]))


def test_shapes_that_disagree_are_told_as_ever():
    x, w = T.dvector("x"), T.dvector("w")
    f = croton.function([x, w], croton.grad(T.switch(x > 0, x / w, 0).sum(), x))
    with pytest.raises(ValueError, match="true_div: input dimension mismatch.*\n*.*") as caught:
        f([1.0, 2.0], [1.0, 2.0, 3.0])
    assert __file__ in str(caught.value)


def test_long_chains_of_choices_stay_small():
    x = h = T.dvector("x")
    for _ in range(300):
        h = T.switch(h > 0, T.sqrt(h) * x, h)
    gradient = croton.grad(h.sum(), x)
    before = len(toposort([h, gradient]))
    assert len(toposort(croton.function([x], [h, gradient])._program.outputs)) <= before
