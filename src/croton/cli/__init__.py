"""The ``croton`` command."""

from __future__ import annotations

import sys

import click

from croton import __version__
from croton.cli.check import check_scripts
from croton.cli.run import run_script


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Symbolic expressions, compiled by XLA: Theano's way of working, on JAX."""


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    short_help="Run an old program, which imports theano, theanets or downhill, unchanged.",
)
@click.option(
    "--floatX",
    "floatX",
    type=click.Choice(["float16", "float32", "float64"]),
    help="The dtype of variables that name none; without it, what THEANO_FLAGS or .theanorc says, or float64.",
)
@click.argument("script", type=click.Path(exists=True, dir_okay=False))
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run(floatX: str | None, script: str, args: tuple[str, ...]) -> None:
    """Run the old program SCRIPT, which imports theano, theanets or downhill, unchanged. ARGS are the program's own."""
    sys.exit(run_script(script, args, floatX))


@main.command(short_help="Say which old names programs use, and which of them croton lacks.")
@click.argument("scripts", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False), metavar="SCRIPT...")
def check(scripts: tuple[str, ...]) -> None:
    """Report which names of theano, theanets and downhill each SCRIPT uses, and which of them croton lacks.

    No program is run; those of Python 2 can be checked too. The exit code is 0 where nothing is lacking, 1 where
    something is, 2 where a program cannot be read.
    """
    sys.exit(check_scripts(scripts))


__all__ = ["main"]
