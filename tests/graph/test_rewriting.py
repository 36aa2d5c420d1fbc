"""The rewriting engine, with rules made for the purpose."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.graph.rewriting import MAX_PASSES, Rule, match, merge, rewrite, same
from croton.graph.walk import ancestors, toposort
from croton.rewrites import RULES
from croton.rewrites.patterns import ADD, EXP, LOG, MUL, number, rule


def ops(outputs):
    return [str(node.op) for node in toposort(outputs)]


LOG_OF_EXP = rule("log_of_exp", [(LOG, (EXP, "x"))], lambda x: x)
SQUARE = rule("square", [(MUL, "x", "x")], lambda x: T.sqr(x))
DOUBLE = rule("double", [(ADD, "x", "x")], lambda x: 2 * x)


# --- patterns ---


def test_a_pattern_binds_names_numbers_and_parts():
    x, y = T.dvectors("x", "y")
    pattern = (ADD, 1, (EXP, "a"))
    found = {}
    assert match(pattern, 1 + T.exp(x), found, number) and found == {"a": x}
    assert match(pattern, T.exp(x) + 1, {}, number)
    for other in (2 + T.exp(x), 1 + T.log(x), T.exp(x) - 1, x, T.exp(x) + y):
        assert not match(pattern, other, {}, number)


def test_a_name_stands_for_one_thing():
    x, y = T.dvectors("x", "y")
    assert match((MUL, "a", (EXP, "a")), x * T.exp(x), {}, number)
    assert match((MUL, "a", (EXP, "a")), T.exp(x) * x, {}, number)
    assert not match((MUL, "a", (EXP, "a")), x * T.exp(y), {}, number)
    assert match((MUL, "a", "a"), T.mul(T.constant(2.5), T.constant(2.5)), {}, number)


def test_what_does_not_match_binds_nothing():
    x, y = T.dvectors("x", "y")
    found = {"b": y}
    assert not match((ADD, (EXP, "a"), (EXP, "b")), T.exp(x) + T.exp(x), found, number)
    assert found == {"b": y}


def test_numbers_are_constants_of_one_element():
    assert number(T.constant(3)) == 3 and number(T.constant([[0.5]])) == 0.5
    assert number(T.constant(0.1)) == 0.1
    assert number(T.constant([1.0, 1.0])) is None and number(T.scalar()) is None


def test_same():
    x = T.dscalar("x")
    assert same(x, x) and not same(x, T.dscalar("x"))
    assert same(T.constant(2.0), T.constant(2.0)) and not same(T.constant(2.0), T.constant(3.0))
    assert not same(T.constant(2.0), T.constant(2, dtype="float64"))


# --- merging ---


def test_equal_nodes_become_one():
    x, y = T.dvectors("x", "y")
    a, b = merge([T.exp(x + 1) * y, T.exp(x + 1)])
    assert a.owner.inputs[0] is b
    assert len(toposort([a, b])) == 3
    c, d = merge([T.exp(x), T.exp(y)])
    assert c is not d


def test_merging_goes_by_value_for_constants_and_by_op():
    x = T.dvector("x")
    a, b = merge([x + 2.5, x + 2.5])
    assert a is b
    c, d = merge([x.sum(axis=0), x.sum(axis=0, keepdims=True)])
    assert c is not d


def test_random_looking_twins_stay_apart():
    """Shared variables and inputs are told apart by identity, not by name or value."""
    first, second = croton.shared(1.0, "s"), croton.shared(1.0, "s")
    a, b = merge([first * 2, second * 2])
    assert a is not b


# --- rewriting ---


def test_rules_apply_everywhere_until_none_does():
    x = T.dvector("x")
    (y,) = rewrite([T.log(T.exp(T.log(T.exp(x)))) + T.log(T.exp(x))], [LOG_OF_EXP, DOUBLE])
    assert ops([y]) == ["mul"] and x in y.owner.inputs


def test_what_a_rule_makes_is_rewritten_too():
    x = T.dvector("x")
    twice = rule("twice", [(EXP, "x")], lambda x: T.sqrt(x) * T.sqrt(x))
    (y,) = rewrite([T.exp(x)], [twice, SQUARE])
    assert ops([y]) == ["sqrt", "sqr"]


def test_no_rule_no_change():
    x = T.dvector("x")
    y = T.exp(x) * 2
    assert rewrite([y], [LOG_OF_EXP]) == [y]


def test_the_first_rule_that_applies_wins():
    x = T.dvector("x")
    first = rule("first", [(EXP, "x")], lambda x: T.sin(x))
    second = rule("second", [(EXP, "x")], lambda x: T.cos(x))
    assert ops(rewrite([T.exp(x)], [first, second])) == ["sin"]
    assert ops(rewrite([T.exp(x)], [second, first])) == ["cos"]


def test_phases_run_one_after_the_other():
    x = T.dvector("x")
    late = Rule("late", LOG, lambda node: T.log2(node.inputs[0]), phase=1)
    assert ops(rewrite([T.log(T.exp(x)) + T.log(x)], [late, LOG_OF_EXP])) == ["log2", "add"]


def test_the_given_graph_stays_as_it_was():
    x = T.dvector("x")
    h = T.exp(x)
    y = T.log(h)
    y.name = "y"
    outer = T.log(T.exp(h))
    outer.name = "outer"
    before = [(v, v.owner, v.name) for v in ancestors([y, outer])]
    rewritten = rewrite([y, outer], [LOG_OF_EXP])
    assert rewritten == [x, h]
    assert [(v, v.owner, v.name) for v in ancestors([y, outer])] == before


def test_new_variables_take_names_and_places():
    x = T.dvector("x")
    y = x * x
    y.name = "energy"
    z = T.exp(y)
    z.name = "z"
    (new,) = rewrite([z], [SQUARE])
    (square, exp) = toposort([new])
    assert (square.outputs[0].name, exp.outputs[0].name) == ("energy", "z")
    assert square.place is y.owner.place and exp.place is z.owner.place


def test_errors_of_rewritten_nodes_name_the_users_line():
    x, w = T.dmatrix("x"), T.dvector("w")
    f = croton.function([x, w], T.nnet.binary_crossentropy(T.nnet.sigmoid(x), w))
    with pytest.raises(ValueError, match="test_errors_of_rewritten_nodes_name_the_users_line"):
        f(np.zeros((2, 3)), np.zeros(2))


def test_a_rule_that_changes_the_type_is_caught():
    x = T.dvector("x")
    with pytest.raises(TypeError, match=r"rewrite bad replaced a .*float64, vector.* by a .*float64, scalar"):
        rewrite([T.exp(x)], [Rule("bad", EXP, lambda node: node.inputs[0].sum())])


def test_rules_that_chase_each_other_end():
    x = T.dvector("x")
    calls = []

    def flip(node):
        calls.append(node)
        return T.log(node.inputs[0]) if EXP(node.op) else T.exp(node.inputs[0])

    (y,) = rewrite([T.exp(x)], [Rule("flip", lambda op: EXP(op) or LOG(op), flip)])
    assert len(calls) == MAX_PASSES and ops([y]) in (["exp"], ["log"])


def test_nodes_with_several_outputs():
    x = T.dvector("x")
    parts = T.split(x, [1, 2], 2)
    swap = Rule(
        "swap", lambda op: type(op) is type(parts[0].owner.op), lambda node: [node.inputs[0][:1], node.inputs[0][1:]]
    )
    a, b = rewrite(parts, [swap])
    values = croton.function([x], [a, b], mode=croton.Mode(optimizer="None"))([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(values[0], [1])
    np.testing.assert_array_equal(values[1], [2, 3])


CHAINS = {
    "sum": lambda h, x: h + x,
    "product": lambda h, x: h * x,
    "negatives": lambda h, x: -h,
    "choices": lambda h, x: T.switch(h > 0, h, x),
    "curves": lambda h, x: T.nnet.sigmoid(h) * T.exp(h),
    "logarithms": lambda h, x: T.log(1 + T.exp(h)),
    "shapes": lambda h, x: h.dimshuffle("x", 0).dimshuffle(1),
}


@pytest.mark.parametrize("name", CHAINS)
def test_long_chains(name):
    """5,000 steps, without recursion (and in seconds: what grew with the square of the length would take minutes)."""
    x = h = T.dvector("x")
    for _ in range(5000):
        h = CHAINS[name](h, x)
    (y,) = rewrite([h], RULES[:-2])
    assert len(toposort([y])) <= len(toposort([h]))
