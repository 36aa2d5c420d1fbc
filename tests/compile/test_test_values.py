"""config.compute_test_value: expressions computed while they are built."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.compile import get_test_value


@pytest.fixture
def x():
    x = T.dmatrix("x")
    x.tag.test_value = np.arange(6.0).reshape(2, 3)
    return x


def test_values_flow_through_the_graph(x):
    w = croton.shared(np.ones(3), "w")
    with croton.config(compute_test_value="raise"):
        y = T.dot(x, w) + 1
        g = croton.grad((y**2).sum(), w)
        h = croton.grad((y**2).sum(), y)
    np.testing.assert_array_equal(y.tag.test_value, [4, 13])
    np.testing.assert_array_equal(h.tag.test_value, [8, 26])
    np.testing.assert_array_equal(g.tag.test_value, x.tag.test_value.T @ [8, 26])
    np.testing.assert_array_equal(get_test_value(y), [4, 13])
    np.testing.assert_array_equal(get_test_value(w), np.ones(3))
    assert get_test_value(T.constant(3)) == 3


def test_shape_errors_appear_at_the_line(x):
    v = T.dvector("v")
    v.tag.test_value = np.ones(2)
    with croton.config(compute_test_value="raise"), pytest.raises(ValueError, match="mul"):
        x * v


def test_missing_values(x):
    y = T.dmatrix("y")
    with croton.config(compute_test_value="raise"), pytest.raises(AttributeError, match="y .*no test value"):
        x + y
    with croton.config(compute_test_value="warn"), pytest.warns(UserWarning, match="no test value"):
        z = x + y
    assert not hasattr(z.tag, "test_value")
    with croton.config(compute_test_value="ignore"):
        assert not hasattr((x + y).tag, "test_value")
        assert hasattr((x + 1).tag, "test_value")


def test_off_computes_nothing(x):
    assert not hasattr((x + 1).tag, "test_value")


def test_wrong_values_are_refused(x):
    x.tag.test_value = np.ones(3)
    with croton.config(compute_test_value="raise"), pytest.raises(TypeError, match="dimensions"):
        x + 1


def test_functions_build_while_it_is_on(x):
    with croton.config(compute_test_value="raise"):
        f = croton.function([x], croton.grad(T.log(T.nnet.softmax(x))[0, 0], x))
    assert f(np.zeros((2, 3))).shape == (2, 3)
