"""What is computed before a loop, once or for all steps together."""

import jax
import numpy as np
import pytest
from jax.interpreters import partial_eval

import croton
import croton.tensor as T
from croton.compile import hoist
from croton.graph.walk import toposort
from croton.loop.op import Scan


def operations(f, *arguments):
    """(name, shape of the result) of what the program does outside its loops, and uses."""
    program = f._program
    with jax.enable_x64(True):
        traced = jax.make_jaxpr(lambda *a: program.trace((), None, a, [])[:1])(*arguments, *program.shared_values())
    used, _ = partial_eval.dce_jaxpr(traced.jaxpr, [True] * len(traced.out_avals))
    return [(eqn.primitive.name, v.aval.shape) for eqn in used.eqns for v in eqn.outvars]


def stacks(f, *arguments):
    return {shape for _, shape in operations(f, *arguments)}


def layer():
    x = T.dmatrix("x")
    W = croton.shared(np.arange(12.0).reshape(3, 4), "W")
    y, _ = croton.scan(lambda row, h: T.tanh(T.dot(row, W) / 100 + h), x, T.zeros(4, "float64"))
    return croton.function([x], y[-1]), croton.function([x], T.grad(y.sum(), W))


def test_a_product_with_the_elements_is_one_product_before_the_loop():
    assert (5, 4) in stacks(layer()[0], np.ones((5, 3)))


def test_a_product_that_would_take_too_much_memory_stays_in_the_loop(monkeypatch):
    x = np.random.RandomState(0).normal(size=(5, 3))
    expected = [f(x) for f in layer()]
    monkeypatch.setattr(hoist, "_room", lambda program: hoist.MOST + 1)
    last, slope = layer()
    assert (5, 4) not in stacks(last, x)
    for f, right in zip((last, slope), expected, strict=True):
        np.testing.assert_allclose(f(x), right, rtol=1e-12)


def test_room_counts_what_every_operation_makes():
    program = jax.make_jaxpr(lambda x: (x * 2).sum())(np.ones((10, 4), "float32"))
    assert hoist._room(program) == 4 * (40 + 1)


def test_a_slice_beyond_the_only_column_is_empty_whoever_wrote_its_bounds():
    z = T.dtensor3("z")
    zero = T.zeros((4, 1), "float64")

    def step(z, h):
        n = h.shape[1]
        return h + z[:, n : 2 * n].sum(axis=1, keepdims=True) + z[:, n:].sum(axis=1, keepdims=True) + z[:, :n]

    h, _ = croton.scan(step, z, zero)
    f = croton.function([z], [h[-1], T.grad(h.sum(), z)])
    for columns in (1, 3):
        given = np.random.RandomState(0).normal(size=(2, 4, columns))
        last, slope = f(given)
        each = given[..., :1] + given[..., 1:2].sum(-1, keepdims=True) + given[..., 1:].sum(-1, keepdims=True)
        np.testing.assert_allclose(last, each.sum(0), rtol=1e-12)
        counts = np.array([1, 2, 1])[:columns] * np.array([2, 1])[:, None, None]
        np.testing.assert_allclose(slope, np.broadcast_to(counts, given.shape))


def test_gates_to_the_end_of_matrix_and_sequence_are_cut_before_the_loop():
    z, U = T.dtensor3("z"), croton.shared(np.random.RandomState(1).normal(size=(3, 6)), "U")

    def step(z, h):
        n = h.shape[1]
        return T.tanh(z[:, :n] + T.dot(h, U[:, :n])) * T.tanh(z[:, n:] + T.dot(h, U[:, n:]))

    h, _ = croton.scan(step, z, T.zeros((4, 3), "float64"))
    f = croton.function([z], [h[-1], *T.grad(h.sum(), [z, U])])
    given = np.random.RandomState(2).normal(size=(5, 4, 6))
    assert (5, 4, 3) in stacks(f, given)
    state, matrix = np.zeros((4, 3)), U.get_value()
    for row in given:
        state = np.tanh(row[:, :3] + state @ matrix[:, :3]) * np.tanh(row[:, 3:] + state @ matrix[:, 3:])
    np.testing.assert_allclose(f(given)[0], state, rtol=1e-12)


def inside(f, name, *arguments):
    """How many operations of this name the bodies of the program's loops have, in each of them."""
    program = f._program
    with jax.enable_x64(True):
        traced = jax.make_jaxpr(lambda *a: program.trace((), None, a, []))(*arguments, *program.shared_values())
    bodies = [v for e in traced.eqns for k, v in e.params.items() if k in ("jaxpr", "body_jaxpr")]
    return [sum(e.primitive.name == name for e in body.jaxpr.eqns) for body in bodies if "dot_general" in str(body)]


def test_products_that_are_added_share_their_cotangent(monkeypatch):
    x, U, V = T.dtensor3("x"), T.dmatrix("U"), T.dmatrix("V")
    r = np.random.RandomState(0)
    given = [r.normal(size=shape) for shape in ((5, 3, 2), (4, 4), (2, 4))]

    def slopes(step):
        h, _ = croton.scan(step, x, T.zeros((3, 4), "float64"), [U, V])
        return croton.function([x, U, V], T.grad(T.sqr(h).sum(), [x, U, V]))

    def added(x, h, U, V):
        return T.tanh(T.dot(h, U) + T.dot(x, V))

    expected = slopes(added)(*given)
    monkeypatch.setattr(hoist, "_room", lambda program: hoist.MOST + 1)
    shared, apart = slopes(added), slopes(lambda x, h, U, V: T.tanh(T.dot(h, U)) * T.tanh(T.dot(x, V)))
    assert inside(shared, "dynamic_update_slice", *given)[-1] == 1
    assert inside(apart, "dynamic_update_slice", *given)[-1] == 2
    for found, right in zip(shared(*given), expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-12)


def test_update_gates_and_their_complements_are_one_sigmoid_each():
    x, U = T.dtensor3("x"), T.dmatrix("U")

    def layer(x, h, U):
        u = T.nnet.sigmoid(x + T.dot(h, U))
        return u * h + (1 - u) * T.tanh(x)

    def step(x, g, h, U):
        g = layer(x, g, U)
        return g, layer(g, h, U)

    zero = T.zeros((3, 4), "float64")
    (_, h), _ = croton.scan(step, x, [zero, zero], U)
    f = croton.function([x, U], h[-1])
    (loop,) = [n.op for n in toposort(f._program.outputs) if isinstance(n.op, Scan)]
    names = [getattr(n.op, "name", None) for n in loop.graph.order]
    assert [names.count(name) for name in ("sigmoid", "tanh", "neg")] == [2, 2, 0]

    given = np.random.RandomState(0).normal(size=(5, 3, 4)), np.eye(4) / 2

    def by_hand(x, h):
        u = 1 / (1 + np.exp(-x - h / 2))
        return u * h + (1 - u) * np.tanh(x)

    one = two = np.zeros((3, 4))
    for row in given[0]:
        one = by_hand(row, one)
        two = by_hand(one, two)
    np.testing.assert_allclose(f(*given), two, rtol=1e-12)


def gates(name, more=()):
    """A function of the outputs' sum and its gradients, of a loop whose two gates have parts of ``dot(x, W) + b``."""
    x, W, b, U = T.dtensor3("x"), T.dmatrix("W"), T.dvector("b"), T.dmatrix("U")
    z = T.dot(x, W) + b
    z.name = name

    def step(z, h, U):
        both = z + T.dot(h, U)
        return T.tanh(both[:, :4]) * T.nnet.sigmoid(both[:, 4:])

    h, _ = croton.scan(step, z, T.zeros((3, 4), "float64"), U, n_steps=z.shape[0])
    return croton.function([x, W, b, U], [h.sum(), *T.grad(h.sum(), [x, W, b, U]), *[m(z) for m in more]])


@pytest.mark.parametrize("name", [None, "z"])
def test_parts_of_a_sum_with_a_product_come_from_the_columns_of_the_matrix(name):
    r = np.random.RandomState(0)
    given = [r.normal(size=shape) for shape in ((5, 3, 2), (2, 8), 8, (4, 8))]
    f, whole = gates(name), gates(name, [T.sum])
    product = ("dot_general", (5, 3, 8))
    assert product not in operations(f, *given)
    assert product in operations(whole, *given), "what else is made of the sum needs all of it"
    for found, right in zip(f(*given), whole(*given), strict=False):
        np.testing.assert_allclose(found, right, rtol=1e-12)


def zeros(f, x):
    """How many arrays of zeros, of the shape of ``x``, loops begin with."""
    return operations(f, x).count(("broadcast_in_dim", x.shape))


def test_what_is_saved_is_written_over_the_elements_that_it_is_made_of():
    x = T.dtensor3("x")
    given = np.random.RandomState(0).normal(size=(5, 3, 4))

    def slope(step):
        h, _ = croton.scan(step, x, T.zeros((3, 4), "float64"))
        return croton.function([x], T.grad(T.sqr(h).sum(), x))

    over, twice = slope(lambda x, h: T.tanh(x + 2 * h)), slope(lambda x, h: T.tanh(x + 2 * h) + x)
    assert zeros(over, given) < zeros(twice, given)
    for f, extra in ((over, 0), (twice, 1)):
        h, ct, states = np.zeros((3, 4)), np.zeros((3, 4)), []
        for row in given:
            states.append(h)
            h = np.tanh(row + 2 * h) + extra * row
        found = f(given)
        for row, before, own in zip(given[::-1], states[::-1], found[::-1], strict=True):
            curve = np.tanh(row + 2 * before)
            ct = 2 * (curve + extra * row) + ct
            np.testing.assert_allclose(own, ct * (1 - curve**2) + extra * ct, rtol=1e-10)
            ct = ct * (1 - curve**2) * 2
