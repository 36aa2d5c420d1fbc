"""The protocol of random streams: states, updates, seeds."""

import copy
import pickle

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.tensor.random import (
    MRG_RandomStreams,
    RandomStateSharedVariable,
    RandomStreams,
    StreamState,
    guess_n_streams,
    permutation,
    uniform,
)

BOTH = pytest.mark.parametrize("make", [RandomStreams, MRG_RandomStreams])


@BOTH
def test_a_draw_has_one_value_per_call_and_another_in_the_next(make):
    rng = make(7)
    u, v = rng.uniform((3,)), rng.uniform((3,))
    f = croton.function([], [u, u + 0, v])
    first, again, other = f()
    np.testing.assert_array_equal(first, again)
    assert not (first == other).any(), "two streams of one seed are one"
    assert not (first == f()[0]).any(), "a call does not advance the stream"
    fixed = croton.function([], u, no_default_updates=True)
    np.testing.assert_array_equal(fixed(), fixed())
    part = croton.function([], [u, v], no_default_updates=[u.rng])
    assert [(a == b).all() for a, b in zip(part(), part(), strict=True)] == [True, False]


@BOTH
def test_two_functions_share_a_stream(make):
    def sequence(alternating):
        u = make(3).uniform((2,))
        f, g = croton.function([], u), croton.function([], u * 2)
        return [f(), (g if alternating else f)() / (2 if alternating else 1), f()]

    np.testing.assert_array_equal(sequence(True), sequence(False))


@BOTH
def test_what_a_draw_and_its_state_bear(make):
    rng = make(1)
    u, n = rng.uniform((2,)), rng.normal((2,))
    assert rng.updates() == rng.state_updates == [u.update, n.update]
    assert rng.updates() is not rng.state_updates
    state, after = u.update
    assert u.rng is u.rstate is state and state.default_update is after
    assert isinstance(state, RandomStateSharedVariable) and state.tag.is_rng is True
    assert state.get_value().dtype == "uint32" and state.get_value().tolist()[2] == 0
    croton.function([], [], updates=rng.updates())()
    assert [s.get_value()[2] for s, _ in rng.updates()] == [1, 1]


@BOTH
def test_seeding_begins_every_stream_anew(make):
    rng = make(5)
    draws = [rng.uniform((2,)), rng.normal((2,))]
    f = croton.function([], draws)
    first, second = f(), f()
    rng.seed(5)
    np.testing.assert_array_equal(f(), first)
    rng.seed()
    np.testing.assert_array_equal(f(), first)
    rng.seed(6)
    other = f()
    assert not np.equal(other, first).any() and not np.equal(other, second).any()
    like = make(6)
    np.testing.assert_array_equal(croton.function([], [like.uniform((2,)), like.normal((2,))])(), other)
    np.testing.assert_array_equal(rng.uniform((2,)).eval(), like.uniform((2,)).eval())


def test_streams_without_a_seed_differ():
    one, two = RandomStreams(), RandomStreams()
    u = one.uniform((2,))
    before = u.rng.get_value()
    assert (before != two.uniform((2,)).rng.get_value()).any()
    one.seed()
    assert (u.rng.get_value() != before).any()


def test_states_are_read_written_and_copied():
    rng = RandomStreams(2)
    u, v = rng.uniform((2,)), rng.uniform((2,))
    f = croton.function([], [u, v])
    kept = u.rng.get_value()
    first = f()
    u.rng.set_value(kept)
    second = f()
    np.testing.assert_array_equal(second[0], first[0])
    assert (second[1] != first[1]).all()
    v.rng.set_value(kept)
    np.testing.assert_array_equal(f()[1], first[0])
    rng[v] = rng[u.rng]
    np.testing.assert_array_equal(*f())
    with pytest.raises(KeyError, match="no stream of these 2"):
        rng[RandomStreams(2).uniform((2,))]
    with pytest.raises(TypeError, match="length 3"):
        u.rng.set_value(np.zeros(6, "uint32"))
    with pytest.raises(TypeError, match="loss of precision"):
        u.rng.set_value(np.zeros(3, "float32"))
    np.testing.assert_array_equal(rng[u], rng[v])


def test_what_old_programs_do_with_a_state():
    """They seed the RandomState that get_value gives and put it back; or keep its state and return to it."""
    rng = RandomStreams(seed=234)
    u = rng.uniform((2,))
    f = croton.function([], u)
    state = u.rng.get_value(borrow=True)
    assert isinstance(state, StreamState)
    state.seed(89234)
    u.rng.set_value(state, borrow=True)
    first = f()
    kept = u.rng.get_value().get_state()
    second = f()
    state.set_state(kept)
    u.rng.set_value(state, borrow=True)
    np.testing.assert_array_equal(f(), second)
    assert (first != second).all()
    numpys = np.random.RandomState(4)
    before = numpys.get_state()[1].copy()
    u.rng.set_value(numpys)
    third = f()
    np.testing.assert_array_equal(numpys.get_state()[1], before)
    u.rng.set_value(np.random.RandomState(4))
    np.testing.assert_array_equal(f(), third)
    u.rng.set_value(np.random.RandomState(5))
    assert (f() != third).all()


@BOTH
def test_streams_and_functions_pickle_with_their_states(make):
    rng = make(9)
    u = rng.uniform((2,))
    f = croton.function([], u)
    f()
    twins = [pickle.loads(pickle.dumps((rng, u, f))), copy.deepcopy((rng, u, f))]
    expected = [f(), f()]
    for other, drawn, g in twins:
        assert drawn.update == other.updates()[0] and drawn.rng.tag.is_rng and drawn.rng is not u.rng
        np.testing.assert_array_equal(g(), expected[0])
        np.testing.assert_array_equal(croton.function([], drawn)(), expected[1])
        assert (other.uniform((2,)).eval() == rng.uniform((2,)).eval()).all()
        rng.state_updates.pop()


def test_gen_takes_any_function_of_a_state():
    rng = RandomStreams(1)
    drawn = rng.gen(uniform, (3,), low=5, high=6)
    assert drawn.update in rng.updates() and drawn.rng.tag.is_rng
    values = croton.function([], drawn)
    assert ((values() > 5) & (values() < 6)).all()


def test_raw_draws_follow_from_the_state():
    state = T.TensorType("uint32", shape=(3,))("state")
    after, u = uniform(state, (2,))
    last, order = permutation(after, n=4)
    f = croton.function([state], [after, last, u, order])
    start = np.array([1, 2, 3], "uint32")
    one, two, first, shuffled = f(start)
    assert one.tolist() == [1, 2, 4] and two.tolist() == [1, 2, 5]
    np.testing.assert_array_equal(f(start)[2], first)
    assert sorted(shuffled) == [0, 1, 2, 3]
    with pytest.raises(TypeError, match="the state must be of type"):
        uniform(T.vector("x"), (2,))


def test_draws_inside_one_program_of_many_calls():
    i = T.lscalar("i")
    rng = RandomStreams(4)
    u = rng.uniform((2,))
    f = croton.function([i], u + i)
    together = f.over(range(4))
    after = u.rng.get_value()
    rng.seed(4)
    np.testing.assert_array_equal(together, [f(k) for k in range(4)])
    np.testing.assert_array_equal(after, u.rng.get_value())
    assert after[2] == 4


@pytest.mark.parametrize("seed", [0, 12, 2**62, np.int64(3), [1, 2], np.array([3, 4], "uint32")])
def test_seeds_of_random_streams(seed):
    assert (RandomStreams(seed).uniform((2,)).eval() == RandomStreams(seed).uniform((2,)).eval()).all()


@pytest.mark.parametrize(
    ("make", "seed", "error"),
    [
        (RandomStreams, -1, ValueError),
        (RandomStreams, [1, -2], ValueError),
        (RandomStreams, 1.5, TypeError),
        (RandomStreams, "a", TypeError),
        (RandomStreams, [], TypeError),
        (MRG_RandomStreams, 0, ValueError),
        (MRG_RandomStreams, 2147462579, ValueError),
        (MRG_RandomStreams, [1, 2, 3], TypeError),
        (MRG_RandomStreams, 1.5, TypeError),
        (MRG_RandomStreams, None, TypeError),
        (MRG_RandomStreams, [0, 0, 0, 1, 1, 1], ValueError),
        (MRG_RandomStreams, [1, 1, 1, 0, 0, 0], ValueError),
        (MRG_RandomStreams, [2147483647, 1, 1, 1, 1, 1], ValueError),
        (MRG_RandomStreams, [1, 1, 1, 2147462579, 1, 1], ValueError),
    ],
)
def test_wrong_seeds_are_refused_and_change_nothing(make, seed, error):
    with pytest.raises(error, match="seed"):
        make(seed)
    if seed is not None:
        rng = make(3)
        state = rng.uniform((2,)).rng
        before = state.get_value()
        with pytest.raises(error, match="seed"):
            rng.seed(seed)
        np.testing.assert_array_equal(state.get_value(), before)
        np.testing.assert_array_equal(rng.normal((2,)).rng.get_value(), _second_state(make))


def _second_state(make):
    rng = make(3)
    rng.uniform((2,))
    return rng.normal((2,)).rng.get_value()


def test_mrg_seeds_of_one_and_of_six_numbers():
    one, six = MRG_RandomStreams(42), MRG_RandomStreams([42] * 6)
    np.testing.assert_array_equal(one.uniform((2,)).rstate.get_value(), six.uniform((2,)).rstate.get_value())
    other = MRG_RandomStreams([42, 42, 42, 42, 42, 43])
    assert (other.uniform((2,)).rstate.get_value() != six.state_updates[0][0].get_value()).any()


def test_the_rstate_of_one_generator_makes_another_go_on_like_it():
    one, two = MRG_RandomStreams(42), MRG_RandomStreams(7)
    two.rstate = one.rstate
    assert one.rstate.tolist() == [42] * 6
    np.testing.assert_array_equal(two.uniform((2,)).eval(), one.uniform((2,)).eval())
    with pytest.raises(ValueError, match="seed"):
        two.rstate = 0


def test_guess_n_streams():
    assert [guess_n_streams(s) for s in ((), (4,), (7,), [20, 30], (10**4, 10))] == [1, 4, 1, 100, 15360]
    assert guess_n_streams(T.lvector("s")) == 15360
    with pytest.warns(UserWarning, match="cannot be told"):
        guess_n_streams((T.lscalar("n"),), warn=True)
