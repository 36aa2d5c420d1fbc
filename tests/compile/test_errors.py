"""Bad input: an exception of the contract's class that names the op, the shapes and the line, and nothing changed."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import function, shared


def line_of(mark):
    """Where in this file a comment stands."""
    with open(__file__, encoding="utf-8") as lines:
        return next(k for k, line in enumerate(lines, 1) if line.rstrip().endswith(f"# {mark}"))


def checked(error, message, op, mark, shapes=""):
    """Whether an error of ``op`` says all that it should."""
    text = str(error.value)
    assert op in text
    assert f"{__file__}:{line_of(mark)}" in text
    if shapes:
        assert f"Inputs shapes: {shapes}" in text
    if message:
        assert message in text
    return True


class TestShapesThatDisagree:
    def run(self, y, inputs, values, kind=ValueError):
        s = shared(np.zeros(3), "s")
        f = function(inputs, y, updates=[(s, s + 1)])
        with pytest.raises(kind) as error:
            f(*values)
        np.testing.assert_array_equal(s.get_value(), np.zeros(3))
        return error

    def test_elementwise(self):
        x, y = T.dvectors("x", "y")
        z = T.exp(x) * y  # elementwise
        error = self.run(z, [x, y], [np.ones(2), np.ones(3)])
        assert checked(error, "", "mul", "elementwise", "[(2,), (3,)]")

    def test_dot(self):
        x, y = T.dmatrices("x", "y")
        z = T.dot(x, y).sum()  # dot
        error = self.run(z, [x, y], [np.ones((2, 3)), np.ones((2, 3))])
        assert checked(error, "", "Dot", "dot", "[(2, 3), (2, 3)]")

    def test_reshape(self):
        x = T.dvector("x")
        z = x.reshape((2, 3))  # reshape
        assert checked(self.run(z, [x], [np.ones(5)]), "", "Reshape", "reshape")

    def test_concatenate(self):
        x, y = T.dmatrices("x", "y")
        z = T.concatenate([x, y], axis=0)  # concatenate
        assert checked(self.run(z, [x, y], [np.ones((1, 2)), np.ones((1, 3))]), "", "Join", "concatenate")

    def test_set_subtensor(self):
        x, y = T.dvectors("x", "y")
        z = T.set_subtensor(x[:2], y)  # set_subtensor
        assert checked(self.run(z, [x, y], [np.ones(4), np.ones(3)]), "", "Subtensor", "set_subtensor")

    def test_in_a_gradient(self):
        x, w = T.dvector("x"), shared(np.ones(3), "w")
        cost = (x * w).sum()  # in a gradient
        f = function([x], [], updates=[(w, w - croton.grad(cost, w))])
        with pytest.raises(ValueError) as error:
            f(np.ones(2))
        assert checked(error, "", "mul", "in a gradient", "[(2,), (3,)]")
        np.testing.assert_array_equal(w.get_value(), np.ones(3))

    def test_in_over(self):
        x, w = T.dvector("x"), shared(np.ones(3), "w")
        f = function([x], (x * w).sum(), updates=[(w, w + 1)])
        with pytest.raises(ValueError, match="mul"):
            f.over(np.ones((4, 2)))
        np.testing.assert_array_equal(w.get_value(), np.ones(3))


def test_known_shapes_are_refused_while_building():
    with pytest.raises((ValueError, TypeError), match=r"add|mismatch"):
        T.constant(np.ones(2)) + T.constant(np.ones(3))


class TestIndices:
    @pytest.mark.parametrize("wrong", [5, -6, 2**40])
    def test_a_scalar_index(self, wrong):
        x, i, n = T.dvector("x"), T.lscalar("i"), shared(0, "n")
        f = function([x, i], x[i], updates=[(n, n + 1)])
        assert f(np.arange(5.0), -5) == 0 and n.get_value() == 1
        with pytest.raises(IndexError, match=str(wrong)):
            f(np.arange(5.0), wrong)
        assert n.get_value() == 1

    def test_the_line_is_named(self):
        x, v = T.dvector("x"), T.lvector("v")
        y = x[v].sum()  # gathered
        f = function([x, v], y)
        with pytest.raises(IndexError) as error:
            f(np.ones(3), [0, 3])
        assert checked(error, "", "Subtensor", "gathered")
        assert f(np.ones(3), [0, -3]) == 2

    def test_computed_and_constant_indices(self):
        x = T.dvector("x")
        with pytest.raises(IndexError):
            function([x], x[T.argmax(x) + 1])(np.arange(3.0))
        with pytest.raises(IndexError):
            function([x], x[3])(np.ones(3))
        with pytest.raises(IndexError, match="too many"):
            x[0, 0]
        with pytest.raises(TypeError):
            x[True]

    def test_in_the_gradient(self):
        w, v = shared(np.zeros(3), "w"), T.lvector("v")
        f = function([v], [], updates=[(w, w - croton.grad(w[v].sum(), w))])
        with pytest.raises(IndexError):
            f([0, 7])
        np.testing.assert_array_equal(w.get_value(), np.zeros(3))


def test_labels():
    p, y = T.dmatrix("p"), T.lvector("y")
    loss = T.nnet.categorical_crossentropy(p, y).mean()  # labels
    f = function([p, y], loss)
    for wrong in ([0, 2], [-1, 0]):
        with pytest.raises(ValueError, match="y_i value out of bounds") as error:
            f(np.full((2, 2), 0.5), wrong)
        assert checked(error, "", "", "labels")
    np.testing.assert_allclose(f(np.full((2, 2), 0.5), [0, 1]), np.log(2))


def test_the_class_is_exactly_what_users_catch():
    x, y = T.dvectors("x", "y")
    f = function([x, y], x + y)
    try:
        f(np.ones(2), np.ones(3))
    except ValueError as error:
        assert isinstance(error, ValueError) and type(error).__name__ == "ValueError"
    with pytest.raises(ValueError):
        f(np.ones(2), np.ones(3))
    np.testing.assert_array_equal(f(np.ones(2), np.ones(2)), [2, 2])


def test_integer_division_by_zero():
    x, y = T.lscalars("x", "y")
    f = function([x, y], x // y)
    assert f(7, -2) == -4
    with pytest.raises(ZeroDivisionError):
        f(1, 0)


def test_as_tensor_error():
    for wrong in ("abc", True, [T.dscalar(), "x"], {}):
        with pytest.raises(T.AsTensorError):
            T.as_tensor_variable(wrong)
    assert issubclass(T.AsTensorError, TypeError)
