"""Copies with replacements."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.graph import toposort


def test_replaces_leaves_and_intermediates_at_once():
    x, y = T.dscalars("x", "y")
    h = x * y
    z = h + x
    assert croton.clone(z, {x: y, y: x}).eval({x: 2.0, y: 5.0}) == 10.0 + 5.0
    assert croton.clone(z, [(h, x - y)]).eval({x: 2.0, y: 5.0}) == -3.0 + 2.0
    # What is put in is not itself searched.
    assert croton.clone(z, {x: x + 1}).eval({x: 1.0, y: 5.0}) == 12.0


def test_forms_of_output():
    x, y = T.dscalars("x", "y")
    many = croton.clone([x + 1, x * 2, y], {x: y})
    assert [v.eval({y: 3.0}) for v in many] == [4.0, 6.0, 3.0]
    named = croton.clone({"a": x + 1, "b": x}, {x: y})
    assert named["a"].eval({y: 3.0}) == 4.0 and named["b"] is y
    assert croton.clone(x, {x: y}) is y


def test_untouched_nodes_are_shared_and_the_original_stays():
    x, y = T.dscalars("x", "y")
    kept = T.exp(y)
    z = x + kept
    copy = croton.clone(z, {x: y})
    assert copy.owner.inputs[1] is kept and z.owner.inputs[0] is x


def test_names_tags_and_places_are_kept():
    x, y = T.dscalars("x", "y")
    z = x + 1
    z.name, z.tag.unit = "z", "m"
    copy = croton.clone(z * 2, {x: y}).owner.inputs[0]
    assert copy is not z and copy.name == "z" and copy.tag.unit == "m"
    assert copy.owner.place is z.owner.place


def test_strict_wants_equal_types():
    x, i = T.dscalar("x"), T.iscalar("i")
    with pytest.raises(TypeError, match="strict=False"):
        croton.clone(x * 2, {x: i})
    with pytest.raises(TypeError):
        croton.clone(x * 2, {x: T.fscalar()})
    assert croton.clone(T.exp(x), {x: T.fscalar()}, strict=False).dtype == "float32"
    loose = croton.clone(T.sqr(x), {x: i}, strict=False)
    assert loose.dtype == "int32" and loose.eval({i: 4}) == 16


def test_replacements_are_variables():
    x = T.dscalar("x")
    with pytest.raises(TypeError, match="variables"):
        croton.clone(x * 2, {x: 3.0})


def test_share_inputs_false_gives_new_leaves_on_the_same_values():
    x, w = T.dscalar("x"), croton.shared(2.0, "w")
    copy = croton.clone(x * w, share_inputs=False)
    x2, w2 = copy.owner.inputs
    assert x2 is not x and w2 is not w and (x2.name, w2.name) == ("x", "w")
    w2.set_value(5.0)
    assert w.get_value() == 5.0
    assert croton.clone(w, share_inputs=False).container is w.container
    again = croton.clone(x * w)
    assert again.owner.inputs == (x, w)


def test_default_update_may_be_set_on_the_clone_of_a_shared_variable():
    mean = croton.shared(np.float32(0), "mean")
    running = croton.clone(mean, share_inputs=False)
    running.default_update = running + 1
    f = croton.function([], running + 0)
    f()
    f()
    assert mean.get_value() == 2 and mean.default_update is None


def test_replacing_twice_in_a_row_is_replacing_by_the_last():
    x, y, z = T.dscalars("x", "y", "z")
    once = croton.clone(x**2, {x: y})
    twice = croton.clone(once, {y: z + 1})
    assert twice.eval({z: 2.0}) == 9.0


def test_a_shared_part_stays_shared():
    x, y = T.dscalars("x", "y")
    h = T.exp(x)
    assert len(toposort([croton.clone(h * h + h, {x: y})])) == 3
