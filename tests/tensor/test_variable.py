"""What a symbolic tensor can do: operators, methods, attributes, and what it refuses."""

import operator
import pickle
from typing import Any

import numpy as np
import pytest

import croton
import croton.tensor as T

A = np.array([[1.5, -2.0, 3.0], [4.0, 0.5, -6.0]])
B = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, 2.0]])


def test_operators():
    x, y = T.dmatrices("x", "y")
    binary = [
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.floordiv,
        operator.mod,
        operator.lt,
        operator.le,
        operator.gt,
        operator.ge,
    ]
    unary = [operator.neg, operator.pos, abs, np.ceil, np.floor, np.trunc]
    symbolic = [*unary[:3], T.ceil, T.floor, T.trunc]
    outputs = (
        [o(x, y) for o in binary] + [o(3, y) for o in binary] + [o(x, 2) for o in binary] + [o(x) for o in symbolic]
    )
    outputs += [x @ y.T, y**x, 2**x, A @ y.T, A + y]
    wanted = [o(A, B) for o in binary] + [o(3, B) for o in binary] + [o(A, 2) for o in binary] + [o(A) for o in unary]
    wanted += [A @ B.T, B**A, 2**A, A @ B.T, A + B]
    for found, value in zip(croton.function([x, y], outputs)(A, B), wanted, strict=True):
        np.testing.assert_allclose(found, value)
        assert found.dtype == value.dtype


def test_operators_of_integers():
    i, j = T.ivectors("i", "j")
    a, b = np.array([5, -6, 7], "int32"), np.array([3, 2, -4], "int32")
    outputs = [i & j, i | j, i ^ j, ~i, i & 1, 1 | i, 6 ^ j, i // j, i % j, *divmod(i, j), *divmod(7, j)]
    wanted = [a & b, a | b, a ^ b, ~a, a & 1, 1 | a, 6 ^ b, a // b, a % b, *divmod(a, b), *divmod(7, b)]
    for found, value in zip(croton.function([i, j], outputs)(a, b), wanted, strict=True):
        np.testing.assert_array_equal(found, value)


def test_methods():
    x, v = T.dmatrix("x"), T.dvector("v")
    pairs: list[tuple[Any, Any]] = [
        (x.sum(0), A.sum(0)),
        (x.mean(axis=1), A.mean(1)),
        (x.std(0), A.std(0)),
        (x.var(), A.var()),
        (x.prod(1), A.prod(1)),
        (x.max(0), A.max(0)),
        (x.min(keepdims=True), A.min(keepdims=True)),
        (x.argmax(0), A.argmax(0)),
        (x.argmin(), A.argmin()),
        (x.all(), A.all()),
        ((x > 4).any(1), (A > 4).any(1)),
        (x.ptp(0), np.ptp(A, 0)),
        (x.norm(2), np.linalg.norm(A)),
        (x.norm(1, axis=0), np.linalg.norm(A, 1, 0)),
        (x.T, A.T),
        (x.transpose(1, 0), A.T),
        (x.dimshuffle(1, "x", 0), A.T[:, None]),
        (x.reshape((3, 2)), A.reshape(3, 2)),
        (x.flatten(), A.ravel()),
        (x.flatten(ndim=2), A),
        (x.ravel(), A.ravel()),
        (x.swapaxes(0, 1), A.T),
        (x.dot(x.T), A @ A.T),
        (x.clip(-1, 2), A.clip(-1, 2)),
        (x.round(), A.round()),
        (x.copy(), A),
        (x.astype("int32"), A.astype("int32")),
        (x.repeat(2, 1), A.repeat(2, 1)),
        (x.cumsum(), A.cumsum()),
        (x.cumprod(1), A.cumprod(1)),
        (x.sort(), np.sort(A)),
        (x.argsort(0), A.argsort(0)),
        (x.take([0, 4]), A.take([0, 4])),
        (x.diagonal(), A.diagonal()),
        (x.trace(), A.trace()),
        (x.fill(2), np.full(A.shape, 2, "int8")),
        (x.zeros_like(), np.zeros_like(A)),
        (x.ones_like(), np.ones_like(A)),
        (x.conj(), A),
        (x.real, A),
        (x.imag, np.zeros_like(A)),
        (x.size, np.int64(6)),
        (x.shape, np.array([2, 3])),
        (x.argmax(0).choose(x), A.argmax(0).choose(A)),
        (x.compress([0, 1, 1], 1), A.compress([0, 1, 1], 1)),
        (v.searchsorted(x), np.searchsorted([-1.0, 0.0, 2.0], A)),
        (x.nonzero()[0], A.nonzero()[0]),
        (x[:1].squeeze(0), A[0]),
    ]
    results = croton.function([x, v], [s for s, _ in pairs])(A, [-1.0, 0.0, 2.0])
    for (variable, wanted), found in zip(pairs, results, strict=True):
        np.testing.assert_allclose(found, wanted, err_msg=str(variable))
        assert found.dtype == np.asarray(wanted).dtype == variable.dtype


def test_equality_is_identity():
    x, y = T.dvectors("x", "y")
    assert x == x and x != y and x in [y, x] and len({x, y, x}) == 2
    assert T.eq(x, y).dtype == "bool"


def test_truth():
    x, y = T.dscalars("x", "y")
    assert x and (x + y) and bool(x * 0)
    for comparison in (x < y, x >= 0, T.eq(x, y), T.neq(x, y), T.isnan(x)):
        with pytest.raises(TypeError, match="do not support boolean operations"):
            bool(comparison)
    with pytest.raises(TypeError):
        0 < x < 1  # noqa: B015


def test_what_has_no_value_yet():
    x, s = T.dvector("x"), T.dscalar("s")
    for convert in (len, float, int, operator.index, complex):
        with pytest.raises(TypeError):
            convert(x if convert is len else s)
    with pytest.raises(TypeError, match="'in' has no value"):
        1 in x  # noqa: B015
    with pytest.raises(TypeError):
        range(T.lscalar())
    with pytest.raises(TypeError):
        [1, 2, 3][T.lscalar()]


def test_iteration():
    m, v, s = T.dmatrix(), T.dvector(), T.dscalar()
    with pytest.raises(TypeError):
        iter(m)
    with pytest.raises(ValueError, match="length not known"):
        list(v)
    with pytest.raises(TypeError):
        sum(s)
    rows, columns = m.shape
    assert croton.function([m], [rows, columns])(A) == [2, 3]
    fixed = T.TensorType("float64", shape=(2, None))()
    assert [r.ndim for r in fixed] == [1, 1]
    assert croton.function([fixed], sum(fixed))(A).tolist() == A.sum(0).tolist()
    assert [k.eval().item() for k in T.stack([1, 2, 3])] == [1, 2, 3]


def test_arrays_on_the_left_let_the_variable_compute():
    x = T.fvector("x")
    for result in (np.ones(2) + x, np.float32(2) * x, np.ones(2, "float32") - x, np.float64(1) / x):
        assert isinstance(result, T.TensorVariable)
    assert isinstance(np.ones(2) < x, T.TensorVariable) and isinstance(np.ones((2, 2)) @ x, T.TensorVariable)


def test_other_operands_are_type_errors():
    x = T.dvector("x")
    for other in ("a", None, True, object()):
        with pytest.raises(TypeError):
            x + other
        with pytest.raises(TypeError):
            other * x


def test_names_and_owners():
    x = T.dvector("x")
    y = x.sum()
    assert y.owner.inputs[0] is x and y.owner.outputs[0] is y and y.index == 0 and x.owner is None
    assert y.owner.op.name == "sum" and (x + 1).owner.op == T.add
    y.name = "total"
    assert str(y) == "total" and str(x) == "x" and repr(x) == "x"
    y.tag.note = 3
    assert y.tag.note == 3
    assert x.copy(name="twin").name == "twin" and T.exp(x, name="power").name == "power"


def test_evaluation():
    x, y = T.dscalar("x"), T.dscalar("y")
    z = x * 2 + y
    assert z.eval({x: 3.0, y: 1.0}) == 7 and z.eval({x: 0.0, y: 1.0}) == 1
    with pytest.raises(croton.MissingInputError, match="y"):
        z.eval({x: 3.0})


def test_pickling():
    x = T.dmatrix("x")
    y = (x * 2).sum()
    again, twice = pickle.loads(pickle.dumps((x, y)))
    assert twice.owner.inputs[0].owner.inputs[0] is again or twice.owner.inputs[0].owner.inputs[1] is again
    assert twice.eval({again: A}) == 2 * A.sum()
    constant = pickle.loads(pickle.dumps(T.constant(0.1)))
    assert (constant * T.dscalar()).owner is not None and constant.literal == 0.1


def test_assignment_is_explained():
    x = T.dvector("x")
    with pytest.raises(TypeError, match="set_subtensor"):
        x[0] = 1.0
    with pytest.raises(TypeError, match="set_subtensor"):
        x[0] += 1.0
