"""Values printed when they are computed, and not otherwise."""

import pickle

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.loop import scan
from croton.printing import Print

x = T.dvector("x")


def test_lines_are_those_of_the_array(capsys):
    attrs = ("__str__", "shape", "dtype", "mean", "min")
    f = croton.function([x], Print("the x", attrs)(x) * 2)
    np.testing.assert_array_equal(f([1.0, 2.0]), [2.0, 4.0])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "the x __str__ = [1. 2.]",
        "the x shape = (2,)",
        "the x dtype = float64",
        "the x mean = 1.5",
        "the x min = 1.0",
    ]


def test_every_call_prints_each_value_in_the_order_in_which_it_is_computed(capsys):
    out = Print("b")(Print("a")(x).sum() + 1)
    f = croton.function([x], [out, Print("c")(out * 2)])
    for k in range(3):
        f(np.full(k + 1, 1.0))
    printed = [line.split(" __str__ = ") for line in capsys.readouterr().out.splitlines()]
    assert printed == [
        [name, value]
        for k in range(3)
        for name, value in (("a", str(np.ones(k + 1))), ("b", str(k + 2.0)), ("c", str(2 * k + 4.0)))
    ]


def test_a_function_of_ones_own_gets_the_op_and_the_array():
    got = []
    f = croton.function([x], Print("mine", ("shape",), global_fn=lambda op, value: got.append((op, value)))(x).sum())
    assert f([1.0, 2.0]) == 3.0
    ((op, value),) = got
    assert (op.message, op.attrs, type(value), value.dtype) == ("mine", ("shape",), np.ndarray, "float64")


def test_derivatives_pass_and_print_once(capsys):
    y = Print("y")(x**3)
    f = croton.function([x], [croton.grad(y.sum(), x), croton.Rop(y, x, T.ones_like(x)), y])
    first, forward, value = f([2.0])
    assert (first, forward, value) == (12.0, 12.0, 8.0)
    second = croton.function([x], croton.grad(croton.grad(y.sum(), x).sum(), x))
    assert second([2.0]) == 12.0
    assert set(capsys.readouterr().out.splitlines()) == {"y __str__ = [8.]"}


def test_it_is_printed_though_nothing_comes_out(capsys):
    state = croton.shared(1.0, "state")
    f = croton.function([], [], updates=[(state, Print("state")(state) * 2)])
    f()
    f()
    assert capsys.readouterr().out == "state __str__ = 1.0\nstate __str__ = 2.0\n"


@pytest.mark.parametrize("of", [lambda v: v.shape[0], lambda v: T.as_tensor_variable(3)], ids=["length", "constant"])
def test_what_is_known_before_the_program_runs_is_printed_at_each_call(of, capsys):
    f = croton.function([x], T.arange(Print("n")(of(x))), on_unused_input="ignore")
    for _ in range(2):
        np.testing.assert_array_equal(f([1.0, 2.0, 3.0]), [0, 1, 2])
    assert capsys.readouterr().out == "n __str__ = 3\n" * 2


def test_an_integer_that_decides_a_shape_is_printed_at_each_call(capsys):
    n = T.lscalar("n")
    f = croton.function([n], T.zeros(Print("n")(n)))
    assert [f(k).shape for k in (2, 3, 2)] == [(2,), (3,), (2,)]
    assert capsys.readouterr().out == "n __str__ = 2\nn __str__ = 3\nn __str__ = 2\n"


def test_many_calls_in_one_program(capsys):
    i = T.lscalar("i")
    f = croton.function([i], Print("i")(i * 2))
    np.testing.assert_array_equal(f.over(range(3)), [0, 2, 4])
    assert capsys.readouterr().out == "i __str__ = 0\ni __str__ = 2\ni __str__ = 4\n"


@pytest.mark.parametrize("mode", ["FAST_RUN", "DebugMode"])
def test_an_error_in_telling_comes_out_of_the_call_and_changes_nothing(mode):
    state = croton.shared(1.0, "state")
    out = Print("x", attrs=("no_such_thing",))(x)
    f = croton.function([x], out, updates=[(state, state + 1)], mode=mode)
    for _ in range(2):
        with pytest.raises(AttributeError, match="no_such_thing"):
            f([1.0])
    assert state.get_value() == 1.0
    assert croton.function([x], Print("x", global_fn=lambda op, v: None)(x))([2.0]) == 2.0


def test_equal_prints_of_one_value_are_one(capsys):
    f = croton.function([x], [Print("x")(x), Print("x")(x), Print("other")(x)])
    f([1.0])
    assert sorted(capsys.readouterr().out.splitlines()) == ["other __str__ = [1.]", "x __str__ = [1.]"]


def test_an_expression_that_prints_pickles(capsys):
    again = pickle.loads(pickle.dumps(Print("again")(x * 2)))
    f = croton.function([again.owner.inputs[0].owner.inputs[0]], again)
    f([1.0])
    assert capsys.readouterr().out == "again __str__ = [2.]\n"
    assert str(again.owner.op) == "Print{message='again', attrs=('__str__',)}"


def test_float32_stays_float32(capsys):
    s = T.fscalar("s")
    croton.function([s], Print("s", ("dtype",))(s))(1.0)
    assert capsys.readouterr().out == "s dtype = float32\n"


def test_each_step_of_a_loop_prints(capsys):
    out, _ = scan(lambda v, a: Print("a")(a + v), sequences=x, outputs_info=T.constant(0.0, dtype="float64"))
    np.testing.assert_array_equal(croton.function([x], out)([1.0, 2.0]), [1.0, 3.0])
    assert capsys.readouterr().out == "a __str__ = 1.0\na __str__ = 3.0\n"
