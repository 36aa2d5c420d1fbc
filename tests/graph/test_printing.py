"""pp and debugprint."""

import io

import numpy as np
import pytest

import croton
import croton.tensor as T


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda x, y: x + y * 2, "(x + (y * 2))"),
        (lambda x, y: -x / y, "((-x) / y)"),
        (lambda x, y: T.exp(x) ** y, "(exp(x) ** y)"),
        (lambda x, y: T.lt(x, y), "(x < y)"),
        (lambda x, y: x // y % 3, "((x // y) % 3)"),
    ],
)
def test_pp_writes_what_one_would_write(build, text):
    x, y = T.dscalars("x", "y")
    assert croton.pp(build(x, y)) == text


def test_pp_of_matrices_and_leaves():
    W, x = T.dmatrix("W"), T.dvector("x")
    assert croton.pp(T.dot(W.T, x)) == "dot(W.T, x)"
    assert croton.pp(x) == "x"
    assert croton.pp(T.constant(3)) == "3"
    assert croton.pp(croton.shared(1.0, "s")) == "s"
    assert croton.pp(x + np.array([1.0, 2.0])) == "(x + [1. 2.])"


def test_pp_names_inner_variables_but_opens_the_outermost():
    x = T.dscalar("x")
    h = T.exp(x)
    h.name = "h"
    y = h + 1
    y.name = "y"
    assert croton.pp(y) == "(h + 1)"


def test_pp_says_what_a_gradient_is_of():
    x, y = T.dscalars("x", "y")
    assert croton.pp(croton.grad(x * y, x)) == "grad((x * y), x)"
    assert [croton.pp(g) for g in croton.grad(x * y, [x, y])] == ["grad((x * y), x)", "grad((x * y), y)"]
    h = T.exp(x)
    known = croton.grad(None, x, known_grads={h: y})
    assert croton.pp(known) == "Lop(exp(x), x, y)"
    assert croton.pp(croton.gradient.Rop(h * y, [x, y], [y, x])) == "Rop((exp(x) * y), [x, y], [y, x])"
    v = T.dvector("v")
    assert croton.pp(croton.gradient.jacobian(v**2, v)) == "jacobian((v ** 2), v)"


def test_debugprint_shows_every_node_once():
    x = T.dscalar("x")
    h = T.exp(x)
    text = croton.debugprint(h * h + x, file="str")
    assert text.splitlines() == [
        "add [id A]",
        " |mul [id B]",
        " | |exp [id C]",
        " | | |x [id D]",
        " | |exp [id C]",
        " |x [id D]",
    ]


def test_debugprint_options(capsys):
    x = T.dscalar("x")
    y = T.exp(x) + 1
    y.name = "y"
    assert croton.debugprint(y) is None
    assert capsys.readouterr().out.splitlines()[0] == "add [id A] 'y'"
    page = io.StringIO()
    croton.debugprint(y, depth=1, file=page)
    assert "exp" in page.getvalue() and "x [" not in page.getvalue()
    assert "<TensorType(float64, scalar)>" in croton.debugprint(y, print_type=True, file="str")
    assert "[id 0]" in croton.debugprint(y, ids="int", file="str")
    assert "[id" not in croton.debugprint(y, ids="", file="str")
    with pytest.raises(ValueError, match="ids"):
        croton.debugprint(y, ids="auto")
    with pytest.raises(TypeError, match="variable"):
        croton.debugprint(3)


def test_debugprint_of_lists_nodes_and_functions():
    x, w = T.dscalar("x"), croton.shared(2.0, "w")
    y = T.tanh(x * w)
    assert croton.debugprint([y, y.owner.inputs[0]], file="str").count("mul") == 2
    assert croton.debugprint(y.owner, file="str") == croton.debugprint(y, file="str")
    f = croton.function([x], y, updates=[(w, w - T.cosh(x))])
    text = croton.debugprint(f, file="str")
    assert "tanh" in text and "cosh" in text


def test_an_unnamed_leaf_shows_its_type():
    assert croton.pp(T.dscalar() + 1) == "(<TensorType(float64, scalar)> + 1)"


def test_ids_go_on_after_z():
    y = x = T.dscalar("x")
    for _ in range(30):
        y = T.exp(y)
    lines = croton.debugprint(y, file="str").splitlines()
    assert "[id Z]" in lines[25] and "[id AA]" in lines[26] and lines[30].endswith("x [id AE]")
    assert x.name == "x"


def test_what_is_shared_does_not_make_text_explode():
    y = T.dscalar("x")
    for _ in range(60):
        y = y + y
    assert len(croton.pp(y)) < 100_000
    assert len(croton.debugprint(y, file="str")) < 10_000
