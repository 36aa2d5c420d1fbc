"""Small functions of the old system, under croton's own test values, pickles and graphs."""

import io
import zipfile

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.compat import shims

x = T.dvector("x")
x.tag.test_value = np.array([1.0, 2.0])
bare = T.dvector("bare")


def test_debug_values_are_test_values_where_these_are_asked_for():
    assert shims.get_debug_values(x) == []
    with croton.config(compute_test_value="warn"):
        ((value),) = shims.get_debug_values(x)
        np.testing.assert_array_equal(value, [1.0, 2.0])
        ((first, second),) = shims.get_debug_values(x, T.constant(3))
        assert second == 3 and first is value
        with pytest.warns(UserWarning, match="bare"):
            assert shims.get_debug_values(x, bare) == []
    with croton.config(compute_test_value="raise"), pytest.raises(AttributeError, match="bare"):
        shims.get_debug_values(bare)
    with croton.config(compute_test_value="ignore"):
        assert shims.get_debug_values(bare) == []


@pytest.mark.parametrize(
    ("tell", "error"),
    [(shims.debug_error_message, ValueError), (lambda text: shims.debug_assert(False, text), AssertionError)],
)
def test_wrong_debug_values_are_an_error_or_a_warning(tell, error):
    with croton.config(compute_test_value="raise"), pytest.raises(error, match="wrong"):
        tell("wrong")
    with croton.config(compute_test_value="warn"), pytest.warns(UserWarning, match="wrong"):
        tell("wrong")
    shims.debug_assert(True, "right")


def test_dump_and_load():
    state = croton.shared(np.arange(3.0), "state")
    file = io.BytesIO()
    shims.dump([state, state * 2], file)
    file.seek(0)
    again, doubled = shims.load(file)
    np.testing.assert_array_equal(doubled.eval(), [0.0, 2.0, 4.0])
    assert doubled.owner.inputs[0] is again
    file = io.BytesIO()
    shims.StripPickler(file, protocol=2).dump(doubled)
    file.seek(0)
    np.testing.assert_array_equal(shims.CompatUnpickler(file).load().eval(), [0.0, 2.0, 4.0])


def test_a_file_of_theanos_own_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("pkl", b"...")
    file.seek(0)
    with pytest.raises(ValueError, match="written by Theano"):
        shims.load(file)


def test_rebroadcast_says_which_axes_have_length_one():
    y = shims.Rebroadcast((0, True), (1, False))(T.dmatrix("m"))
    assert y.broadcastable == (True, False)
    assert shims.Rebroadcast((0, False))(T.drow("r")).broadcastable == (False, False)
    assert shims.Rebroadcast((0, False))(3.0 * T.dcol("c")).broadcastable == (False, True)


def test_descriptions_are_equal_for_graphs_that_look_alike():
    def graph(name):
        v = T.dvector(name)
        return T.exp(v) + 1

    assert shims.var_descriptor(graph("v")) == shims.var_descriptor(graph("v")) != shims.var_descriptor(graph("w"))
    assert shims.hashtype(graph("v").owner.op) == shims.hashtype(graph("w").owner.op)
    assert shims.hashtype(1) != shims.hashtype("1")


def test_format_as_refuses_several_where_one_is_asked_for():
    with pytest.raises(ValueError, match="2 outputs"):
        shims.format_as(False, False, [1, 2])
    with pytest.raises(ValueError, match="at once"):
        shims.format_as(True, True, [1])
