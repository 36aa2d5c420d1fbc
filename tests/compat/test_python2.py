import gzip
import importlib.util
import io
import pickle
from itertools import starmap

import numpy as np
import pytest

from croton.compat.modules import TableFinder
from croton.compat.python2 import NAMES, SIX, dump, load, python2_advice


@pytest.fixture
def six():
    """The stand-in for six, whether or not six is installed, and a way to its submodules."""
    finder = TableFinder(SIX)

    def module(name):
        spec = finder.find_spec(name)
        made = importlib.util.module_from_spec(spec)
        finder.exec_module(made)
        return made

    return module


def test_six_has_what_the_real_one_has(six):
    real = pytest.importorskip("six")
    made = six("six")
    for name in ("PY2", "PY3", "string_types", "integer_types", "text_type", "binary_type", "StringIO", "next"):
        assert getattr(made, name) == getattr(real, name), name
    table = {"a": 1, "b": 2}
    for name in ("iteritems", "iterkeys", "itervalues"):
        assert list(getattr(made, name)(table)) == list(getattr(real, name)(table)), name
    assert made.b("\xe9") == real.b("\xe9")
    for name in SIX["six.moves"]:
        assert getattr(six("six.moves"), name) is getattr(real.moves, name), name


def test_six_metaclasses(six):
    made = []

    class Meta(type):
        def __init__(cls, name, bases, namespace):
            made.append(name)
            super().__init__(name, bases, namespace)

    @six("six").add_metaclass(Meta)
    class Brick:
        __slots__ = ("size",)

    class Wall(six("six").with_metaclass(Meta, list)):
        pass

    assert (type(Brick), type(Wall)) == (Meta, Meta)
    assert isinstance(Wall(), list)
    assert Brick.__slots__ == ("size",)
    assert made[0] == "Brick" and made[-1] == "Wall"


def test_restored_numpy_names_mean_what_they_meant():
    cast = NAMES["numpy"]["cast"]
    assert cast["float32"]([1, 2]).dtype == np.float32
    assert NAMES["numpy"]["asscalar"](np.array([2.5])) == 2.5
    assert NAMES["numpy"]["NINF"] == -np.inf


def test_pickles_written_by_python_2_load():
    # Python 2's str of the byte 0xe9, which is not ASCII
    written = b"\x80\x02U\x01\xe9q\x00."
    with pytest.raises(UnicodeDecodeError):
        pickle.loads(written)
    assert load(io.BytesIO(written)) == "é"
    assert load(io.BytesIO(written), encoding="bytes") == b"\xe9"


def test_a_file_opened_as_text_is_read_and_written_as_bytes(tmp_path):
    path = tmp_path / "model.pkl"
    with open(path, "w") as file:
        dump({"W": np.arange(3)}, file)
    with open(path) as file:
        assert list(load(file)["W"]) == [0, 1, 2]
    with gzip.open(path, "wb") as file:
        dump([1], file, 2)
    with gzip.open(path, "rb") as file:
        assert load(file) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "print 'epoch', n",
        "    print",
        'if n: print "done"',
        "print n",
        "exec code in names",
        "except ValueError, error:",
        "except (ValueError, TypeError), error:",
        "raise ValueError, 'no data'",
        "if a <> b:",
        "n = `k`",
        "mode = 0755",
        "n = 10L",
        "text = ur'\\d'",
    ],
)
def test_python_2_lines_are_known(line):
    body = f"{line}\n    pass\n" if line.endswith(":") else f"{line}\n"
    if line.startswith("except"):
        body = f"try:\n    pass\n{body}"
    with pytest.raises(SyntaxError) as caught:
        compile(body, "prog.py", "exec")
    advice = python2_advice(caught.value)
    assert f'line {caught.value.lineno}, "{line.strip()}"' in advice
    assert "2to3 -w prog.py" in advice


@pytest.mark.parametrize("line", ["x = (1.05", "def f(:", "print('a'", "x = = 1", "import", "for x in 10"])
def test_other_syntax_errors_are_no_python_2(line):
    with pytest.raises(SyntaxError) as caught:
        compile(f"{line}\n", "prog.py", "exec")
    assert python2_advice(caught.value) is None


def test_the_names_given_back_are_really_missing_here():
    """A row that Python or NumPy has again would never be used."""
    missing = starmap(lambda module, names: names.keys() - vars(importlib.import_module(module)), NAMES.items())
    assert all(names for names in missing)
