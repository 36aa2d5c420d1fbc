"""A program under ``croton run`` sees what it would see under ``python``."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def both(tmp_path):
    """Run a text as a program under python and under croton run, in a folder of its own; give what each did."""

    def run(text, *arguments):
        folder = tmp_path / "code"
        folder.mkdir()
        (folder / "program.py").write_text(text)
        (folder / "beside.py").write_text("answer = 42\ndef fail():\n    raise KeyError('beside')\n")
        script = os.path.join("code", "program.py")
        return [
            subprocess.run([sys.executable, *how, script, *arguments], cwd=tmp_path, capture_output=True, text=True)
            for how in ((), ("-m", "croton.cli", "run"))
        ]

    return run


def assert_alike(done):
    python, croton = done
    assert (croton.returncode, croton.stdout, croton.stderr) == (python.returncode, python.stdout, python.stderr)


def test_names_paths_and_arguments(both):
    done = both(
        """
import sys, os, beside
print(__name__, __file__, __doc__, sys.argv, sys.path[0], beside.answer)
print(sys.modules['__main__'].beside is beside, __spec__, __builtins__)
""",
        "--floatX",
        "-x",
        "one two",
    )
    assert_alike(done)
    assert "['code/program.py', '--floatX', '-x', 'one two']".replace("/", os.sep) in done[1].stdout


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('no data')", 1),
        ("import atexit; atexit.register(print, 'bye')", 0),
    ],
)
def test_ways_to_leave(both, end, code):
    done = both(f"import sys\nprint('started')\n{end}\n")
    assert_alike(done)
    assert done[1].returncode == code


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    return 1 / 0\n\nf()\n",
        "import beside\nbeside.fail()\n",
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('second')\n",
        "x = (1,\n",
        "import sys\nsys.excepthook = lambda *_: print('my own')\n1 / 0\n",
    ],
)
def test_an_exception_looks_as_under_python(both, text):
    done = both(text)
    assert_alike(done)
    assert done[1].returncode == 1


def test_interrupt(both):
    done = both("raise KeyboardInterrupt\n")
    assert done[1].returncode == 130
    assert done[1].stderr == done[0].stderr


def test_python_2_gets_advice(both):
    python, croton = both("import sys\nprint 'hello'\n")
    assert croton.returncode == 1
    assert croton.stderr.startswith(python.stderr)
    advice = croton.stderr.removeprefix(python.stderr)
    assert "is a Python 2 program: line 2, \"print 'hello'\", is not Python 3" in advice
    assert "2to3 -w" in advice


def test_python_2_in_an_imported_module_gets_advice(tmp_path):
    (tmp_path / "old.py").write_text("import older\n")
    (tmp_path / "older.py").write_text("print 'hello'\n")
    command = [sys.executable, "-m", "croton.cli", "run", "old.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "older.py is a Python 2 program: line 1" in done.stderr
