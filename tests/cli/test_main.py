import pytest
from click.testing import CliRunner

import croton
from croton.cli import main


def test_version():
    result = CliRunner().invoke(main, ["--version"])
    assert result.output.split()[-1] == croton.__version__
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "Missing argument 'SCRIPT'"),
        (["run", "no_such_file.py"], "'no_such_file.py' does not exist"),
        (["run", "--floatX", "float31", "x.py"], "'float31' is not one of"),
        (["walk"], "No such command 'walk'"),
    ],
)
def test_wrong_use_is_explained(arguments, said):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_help_names_what_run_takes():
    result = CliRunner().invoke(main, ["run", "--help"])
    assert "SCRIPT" in result.output and "--floatX" in result.output and "THEANO_FLAGS" in result.output
