"""Dictionaries of updates: shared variables only, merged without contradiction."""

import pickle

import pytest

import croton
from croton.compile import OrderedUpdates

a, b = croton.shared(1.0, "a"), croton.shared(2.0, "b")


def test_a_function_takes_them():
    f = croton.function([], a, updates=OrderedUpdates([(a, a + 1), (b, b * a)]))
    assert f() == 1.0
    assert (a.get_value(), b.get_value()) == (2.0, 2.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: OrderedUpdates({"a": 1}),
        lambda: OrderedUpdates([(a + 1, 1)]),
        lambda: OrderedUpdates() + {"a": 1},
        lambda: OrderedUpdates().update({"a": 1}),
        lambda: OrderedUpdates().__setitem__("a", 1),
    ],
)
def test_keys_are_shared_variables(make):
    with pytest.raises(TypeError, match="must inherit from SharedVariable"):
        make()


def test_sums_merge_and_leave_their_parts():
    first, second = OrderedUpdates({a: a + 1}), {b: b * 2}
    assert dict(first + second) == {a: first[a], b: second[b]}
    assert list(second + first) == [b, a]
    assert isinstance(second + first, OrderedUpdates)
    assert list(first) == [a] and list(second) == [b]
    assert list(first + first) == [a]


def test_two_updates_of_one_variable_collide_and_change_nothing():
    updates = OrderedUpdates({a: a + 1})
    with pytest.raises(KeyError, match="Collision"):
        updates.update({b: b * 2, a: a + 2})
    with pytest.raises(KeyError, match="Collision"):
        updates + {a: a + 2}
    assert list(updates) == [a]
    updates[a] = a * 3
    assert updates[a].owner.op.name == "mul"


def test_they_pickle_and_copy():
    updates = OrderedUpdates({a: a + 1})
    again = pickle.loads(pickle.dumps(updates))
    assert isinstance(again, OrderedUpdates) and [s.name for s in again] == ["a"]
    assert isinstance(updates.copy(), OrderedUpdates)
