"""Programs of either Python become trees with their names and lines."""

import ast

import pytest

from croton.compat.syntax import parse, read

PYTHON_2 = """\
import sys
print "epoch", n
print 'cost %f' % (f(x),
    g(y))
print
print >>sys.stderr, h(z)
print"close", -1
if a <> b: print a; print b
try:
    exec code in names
except (IOError, OSError), error:
    raise ValueError, "bad %s" % (
        error)
except KeyError, e: pass
mode = 0755
big = 10L + 0xFFL
small = 1e-07 + 0.5 + 0
text = ur'x' + `value`
pick = lambda (p, q): p
def pair(first, (second, third)): return first
def mixed():
        a = 1
\treturn a
"""


def test_python_2_is_read_with_its_names_and_lines():
    tree = parse(PYTHON_2)
    calls = {node.func.id: node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls == {"f": 3, "g": 4, "h": 6}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert {"n", "code", "names", "value", "a", "b", "error", "IOError", "ValueError"} <= names
    assert len(tree.body) == len(parse("\n".join(f"x{k} = 1" for k in range(len(tree.body)))).body)
    values = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    assert {0o755, 10, 255, 1e-07, 0.5} <= values


def test_python_3_is_left_as_it_is():
    text = "def f(a, *, b: int) -> int:\n    return f'{a!r} <> {b}'\nprint('0777', 10)\n"
    assert ast.dump(parse(text), include_attributes=True) == ast.dump(ast.parse(text), include_attributes=True)


def test_warnings_about_strings_are_no_matter():
    assert parse("x = '\\d'\n").body[0].value.value == "\\d"


@pytest.mark.parametrize("text", ["x = (1,\n", "def f(:\n    pass\n", "print 'x' +\n"])
def test_what_is_neither_is_refused_as_python_3_refuses_it(text):
    with pytest.raises(SyntaxError) as caught:
        parse(text, "program.py")
    assert caught.value.filename == "program.py"
    assert caught.value.text.rstrip() in text


@pytest.mark.parametrize(
    "data",
    [
        "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"),
        "x = 'é'\r\n".encode(),
        "x = 'é'\n".encode("latin-1"),
        b"# -*- coding: no-such -*-\nx = '\xe9'\n",
        b"\xef\xbb\xbfx = '\xc3\xa9'\n",
    ],
    ids=["declared", "utf-8", "undeclared", "wrong", "mark"],
)
def test_encodings(tmp_path, data):
    path = tmp_path / "program.py"
    path.write_bytes(data)
    tree = parse(read(path))
    assert tree.body[0].value.value == "é"
