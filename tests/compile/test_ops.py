"""Ops computed by Python functions: values, shapes, the derivatives that they define, and their errors."""

import pickle

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.compile import OpFromGraph, UserOp, as_op
from croton.gradient import DisconnectedType, grad_not_implemented, verify_grad

x = T.dvector("x")


class Cube(UserOp):
    __props__ = ("factor",)

    def __init__(self, factor):
        self.factor = factor

    def make_node(self, v):
        v = T.as_tensor_variable(v)
        return croton.Apply(self, [v], [v.type()])

    def perform(self, node, inputs, output_storage):
        (v,) = inputs
        if v.size and v[0] == 13:
            raise KeyError("unlucky")
        output_storage[0][0] = self.factor * v**3

    def grad(self, inputs, output_grads):
        return [3 * self.factor * inputs[0] ** 2 * output_grads[0]]

    def R_op(self, inputs, eval_points):
        return [3 * self.factor * inputs[0] ** 2 * eval_points[0]]


class ShapedCube(Cube):
    def infer_shape(self, node, input_shapes):
        return input_shapes


BOTH = pytest.mark.parametrize("kind", [Cube, ShapedCube])


@BOTH
def test_values_and_all_derivatives(kind):
    y = kind(2.0)(x)
    outputs = [
        y,
        croton.grad(y.sum(), x),
        croton.Rop(y, x, T.ones_like(x)),
        croton.grad(croton.grad(y.sum(), x).sum(), x),
        croton.Rop(croton.grad(y.sum(), x), x, x),
    ]
    v = np.array([1.0, 2.0])
    for found, true in zip(
        croton.function([x], outputs)(v), (2 * v**3, 6 * v**2, 6 * v**2, 12 * v, 12 * v**2), strict=True
    ):
        np.testing.assert_allclose(found, true)


def test_jacobian_and_hessian():
    y = ShapedCube(1.0)(x)
    jacobian, hessian = croton.function([x], [croton.jacobian(y, x), croton.hessian(y.sum(), x)])([1.0, 2.0])
    np.testing.assert_allclose(jacobian, np.diag([3.0, 12.0]))
    np.testing.assert_allclose(hessian, np.diag([6.0, 12.0]))


@BOTH
def test_an_error_of_perform_comes_out_and_changes_nothing(kind):
    state = croton.shared(0.0, "state")
    f = croton.function([x], kind(1.0)(x).sum(), updates=[(state, state + 1)])
    with pytest.raises(KeyError, match="unlucky"):
        f([13.0])
    assert state.get_value() == 0.0
    assert f([2.0]) == 8.0


def test_a_shape_that_is_inferred_wrongly_is_an_error():
    class Wrong(Cube):
        def infer_shape(self, node, input_shapes):
            return [(input_shapes[0][0] + 1,)]

    with pytest.raises(ValueError, match=r"shapes \[\(2,\)\], its infer_shape says \[\(3,\)\]"):
        croton.function([x], Wrong(1.0)(x))([1.0, 2.0])


def test_props_make_ops_equal_and_pickle():
    assert Cube(1.0) == Cube(1.0) != Cube(2.0)
    assert Cube(1.0) != ShapedCube(1.0)
    assert len({Cube(1.0), Cube(1.0)}) == 1
    assert str(Cube(1.0)) == "Cube{factor=1.0}"
    again = pickle.loads(pickle.dumps(Cube(2.0)(x)))
    assert again.owner.op == Cube(2.0)


class Split(UserOp):
    """A float and an integer in, a float and an integer out."""

    itypes = (T.dvector, T.lscalar)
    otypes = (T.dscalar, T.lscalar)

    def perform(self, node, inputs, output_storage):
        v, k = inputs
        output_storage[0][0] = v[k] ** 2
        output_storage[1][0] = np.int64(v.argmax())

    def L_op(self, inputs, outputs, output_grads):
        v, k = inputs
        assert isinstance(output_grads[1].type, DisconnectedType)
        one = T.set_subtensor(T.zeros_like(v)[k], 2 * v[k])
        return [one * output_grads[0], grad_not_implemented(self, 1, k)]


def test_several_inputs_and_outputs_of_which_some_have_no_derivative():
    k = T.lscalar("k")
    square, largest = Split()(x, k)
    f = croton.function([x, k], [square, largest, croton.grad(square * 3, x)])
    found = f([1.0, 2.0], 1)
    assert (found[0], found[1]) == (4.0, 1)
    np.testing.assert_array_equal(found[2], [0.0, 12.0])
    verify_grad(lambda v: Split()(v, 1)[0], [np.array([0.5, 0.7])])


class Bare(UserOp):
    itypes = otypes = (T.dscalar,)

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0] * 2


def test_derivatives_that_are_not_written_are_asked_for_in_vain():
    s = T.dscalar("s")
    with pytest.raises(NotImplementedError, match="Bare has no grad"):
        croton.function([s], croton.grad(Bare()(s), s))(1.0)
    with pytest.raises(NotImplementedError, match="Bare has no R_op"):
        croton.function([s], croton.Rop(Bare()(s), s, s))(1.0)
    assert croton.function([s], Bare()(s))(2.0) == 4.0


class WrongGrad(Bare):
    def grad(self, inputs, output_grads):
        return [T.ones((2,)) * output_grads[0]]


def test_a_gradient_of_the_wrong_shape_is_an_error():
    s = T.dscalar("s")
    with pytest.raises(ValueError, match=r"shape \(2,\) for input 0"):
        croton.function([s], croton.grad(WrongGrad()(s), s))(1.0)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: Bare()(x), TypeError, "must be of type .*scalar"),
        (lambda: Bare()(1.0, 2.0), ValueError, "takes 1 inputs, 2"),
        (lambda: UserOp()(x), NotImplementedError, "neither make_node nor itypes"),
        (lambda: as_op([3], [T.dscalar]), TypeError, "not 3"),
        (lambda: as_op([T.dscalar], [T.dscalar], infer_shape=3), TypeError, "infer_shape"),
    ],
)
def test_wrong_use(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_functions_become_ops():
    @as_op(itypes=[T.dvector, T.dscalar], otypes=[T.dvector, T.dscalar], infer_shape=lambda node, shapes: shapes)
    def scaled(v, factor):
        return v * factor, v.sum()

    y, total = scaled(x, 3.0)
    f = croton.function([x], [y, total])
    found = f([1.0, 2.0])
    np.testing.assert_array_equal(found[0], [3.0, 6.0])
    assert found[1] == 3.0
    assert str(y.owner.op) == "FromFunction{scaled}"

    @as_op(x.type, T.lscalar)
    def wrong(v):
        return 1, 2

    with pytest.raises(ValueError, match="gave 2 outputs"):
        croton.function([x], wrong(x))([1.0])


def test_in_a_branch_it_runs_only_when_taken():
    out = T.ifelse(x.sum() > 0, ShapedCube(1.0)(x), -x)
    f = croton.function([x], [out, croton.grad(out.sum(), x)])
    np.testing.assert_array_equal(f([2.0]), [[8.0], [12.0]])
    np.testing.assert_array_equal(f([13.0 - 26.0]), [[13.0], [-1.0]])
    with pytest.raises(KeyError):
        f([13.0])


# --- graphs as ops ---


def test_a_graph_is_put_in_the_place_of_each_call():
    a, b, c = T.dscalars("a", "b", "c")
    w = croton.shared(2.0, "w")
    op = OpFromGraph([a, b], [a * b + w, a - b], name="pair")
    first, second = op(c, c * 3)
    assert croton.function([c], [first, second, croton.grad(first, c)])(2.0) == [14.0, -4.0, 12.0]
    single = OpFromGraph([a], [a**2])
    assert single(single(c)).eval({c: 2.0}) == 16.0


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda a, b: OpFromGraph([a], [a * b]), croton.compile.MissingInputError, "needs b too"),
        (lambda a, b: OpFromGraph([T.constant(1.0)], [a]), TypeError, "neither constant nor shared"),
        (lambda a, b: OpFromGraph([a], [a], grad_overrides=lambda i, g: g), NotImplementedError, "perform and grad"),
        (lambda a, b: OpFromGraph([a, b], [a])(a), TypeError, "takes 2 inputs, 1"),
        (lambda a, b: OpFromGraph([a], [a])(x), TypeError, "the input a of OpFromGraph must be of type"),
    ],
)
def test_graphs_that_are_no_ops(make, error, says):
    with pytest.raises(error, match=says):
        make(*T.dscalars("a", "b"))
