"""Variables, constants, shared variables and apply nodes."""

import linecache

import pytest

import croton
import croton.tensor as T
from croton.graph import Apply, Op


def test_variable_knows_its_node():
    x, y = T.dscalars("x", "y")
    z = x * y
    assert z.owner.inputs == (x, y)
    assert z.owner.outputs == [z] and z.owner.out is z
    assert z.index == 0 and z.owner.nin == 2 and z.owner.nout == 1
    assert x.owner is None and x.index is None


def test_equality_is_identity():
    x, y = T.dscalars("x", "y")
    assert x == x and x != y and (x * y) != (x * y)
    assert len({x, y, x}) == 2


def test_ordinary_variables_are_true_and_comparisons_have_no_truth():
    x = T.dvector("x")
    assert x and (x + 1)
    with pytest.raises(TypeError, match="Variables do not support boolean operations"):
        bool(x < 1)
    with pytest.raises(TypeError, match="Variables do not support boolean operations"):
        bool(T.eq(x, 1))


@pytest.mark.parametrize("convert", [len, float, int])
def test_symbols_are_not_numbers(convert):
    with pytest.raises(TypeError, match="until a function runs"):
        convert(T.dscalar("x"))


def test_iteration_needs_a_known_length():
    with pytest.raises(TypeError):
        iter(T.matrix("m"))
    with pytest.raises(ValueError, match="length not known"):
        iter(T.vector("v"))
    rows, columns = T.matrix("m").shape
    assert rows.ndim == columns.ndim == 0


def test_tag_and_name_are_free():
    x = T.dscalar()
    assert x.name is None
    x.name, x.tag.colour = "x", "red"
    assert str(x) == "x" and x.tag.colour == "red"


def test_clone_of_a_variable_is_a_new_leaf():
    x = T.dmatrix("x")
    twin = (x + 1).clone()
    assert twin.owner is None and twin.type == x.type
    assert x.clone() is not x and x.clone().name == "x"


def test_shared_clone_holds_the_same_value():
    w = croton.shared(1.0, "w")
    w.tag.role = "bias"
    twin = w.clone()
    twin.set_value(2.0)
    assert w.get_value() == 2.0 and twin.name == "w" and twin.tag.role == "bias"
    assert twin is not w


def test_shared_has_no_value_attribute():
    w = croton.shared(1.0)
    with pytest.raises(Exception, match="get_value"):
        _ = w.value
    with pytest.raises(Exception, match="set_value"):
        w.value = 2.0


def test_node_remembers_the_line_that_built_it():
    x = T.dscalar("x")
    y = x + 1  # this line
    assert linecache.getline(__file__, y.owner.place.line).endswith("# this line\n")
    assert y.owner.place.function == "test_node_remembers_the_line_that_built_it"


def test_inputs_of_a_node_are_variables():
    with pytest.raises(TypeError, match="not a variable"):
        Apply(T.add(T.dscalar(), 1).owner.op, [1.0, 2.0], [T.dscalar()])


def test_an_op_of_ones_own():
    class Twice(Op):
        def output_types(self, x):
            return [x.type]

        def lower(self, context, node, values):
            return 2 * values[0]

        def __eq__(self, other):
            return type(other) is Twice

        def __hash__(self):
            return hash(Twice)

    x = T.dscalar("x")
    y = Twice()(x, name="y")
    assert y.name == "y"
    assert croton.grad(y**2, x).eval({x: 3.0}) == 24.0
    with pytest.raises(NotImplementedError, match="does not say the types"):
        Op()(x)


def test_eval_takes_values_by_variable_and_keeps_its_functions():
    x, y = T.dscalars("x", "y")
    z = x / y
    assert z.eval({x: 1.0, y: 2.0}) == 0.5
    assert z.eval({x: 3.0, y: 2.0}) == 1.5
    assert len(z.__dict__["_functions"]) == 1
    with pytest.raises(croton.MissingInputError, match="input y"):
        z.eval({x: 1.0})
