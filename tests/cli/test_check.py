"""``croton check`` says what a program uses and what croton lacks of it, and runs nothing."""

import pytest
from click.testing import CliRunner

from croton.cli import main

FINE = "import theano.tensor as T\nx = T.matrix('x')\ny = T.exp(x)\nraise SystemExit('it was run')\n"
LACKS = "import theano\nprint 'old'\ntheano.gpuarray.dnn.dnn_conv(3)\ntheano.grda(1, 2)\n"


@pytest.fixture
def check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(**programs):
        for name, text in programs.items():
            (tmp_path / f"{name}.py").write_text(text)
        return CliRunner().invoke(main, ["check", *[f"{name}.py" for name in programs]])

    return run


def rows(output):
    """Name: (status, lines, reason), of the rows of the tables."""
    parts = [line.split(None, 2) for line in output.splitlines() if line.strip().startswith(("theano.", "theano "))]
    return {name: (status, rest.strip()) for name, status, rest in parts}


def test_a_program_that_lacks_nothing(check):
    result = check(fine=FINE)
    assert result.exit_code == 0
    assert rows(result.output)["theano.tensor.exp"] == ("there", "3")
    assert "fine.py: 3 old names, croton has all of them" in result.output
    assert "it was run" not in result.output


def test_a_program_that_lacks_names_comes_first_with_lines_and_reasons(check):
    result = check(lacks=LACKS)
    assert result.exit_code == 1
    table = rows(result.output)
    status, rest = table["theano.gpuarray.dnn.dnn_conv"]
    assert status == "lacking" and rest.startswith("3 ") and "no GPU code" in rest
    assert table["theano.grda"][0] == "unknown"
    assert list(table)[-1] == "theano"
    assert "of which croton lacks 2: theano.gpuarray.dnn.dnn_conv, theano.grda" in result.output


def test_several_programs(check):
    result = check(fine=FINE, lacks=LACKS, none="x = 1\n")
    assert result.exit_code == 1
    assert "none.py: it uses no old names" in result.output
    assert result.output.index("fine.py") < result.output.index("lacks.py") < result.output.index("none.py")


def test_many_lines_are_counted(check):
    result = check(many="import theano\n" + "theano.grad\n" * 12)
    assert rows(result.output)["theano.grad"][1] == "2, 3, 4, 5, 6, 7, 8, 9 and 4 more"


def test_a_program_that_cannot_be_read(check):
    result = check(broken="import theano\nx = (1,\n", fine=FINE)
    assert result.exit_code == 2
    assert "croton: broken.py cannot be read: line 2: '(' was never closed: x = (1," in result.stderr
    assert "fine.py: 3 old names" in result.output


def test_a_file_that_is_not_there():
    result = CliRunner().invoke(main, ["check", "no_such_file.py"])
    assert result.exit_code == 2
    assert "'no_such_file.py' does not exist" in result.output
    assert "Missing argument" in CliRunner().invoke(main, ["check"]).output


def test_names_with_brackets_are_shown_as_they_are(check):
    result = check(brackets="import theano\ntheano.function([], outs=[1])\n")
    assert rows(result.output)["theano.function(outs=)"][0] == "lacking"
