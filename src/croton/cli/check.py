"""Reporting which old names programs use, and which of them croton lacks, without running them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from croton.compat.python2 import python2_advice
from croton.compat.syntax import parse, read
from croton.compat.uses import LACKING, THERE, UNKNOWN, Use, uses

_STYLES = {THERE: "green", LACKING: "red", UNKNOWN: "yellow"}
# So many lines are listed for a name; of further ones, how many there are.
_LINES = 8
_WIDE = 200


def check_scripts(scripts: Sequence[str]) -> int:
    """Print, for each program, a table of the old names that it uses.

    Returns:
        The exit code: 0 where croton has all of them, 1 where it lacks some, 2 where a program cannot be read.
    """
    # Where no terminal sets a width there is no reason to fold what is written.
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)
    code = 0
    for script in scripts:
        try:
            found = uses(parse(read(script), script))
        except SyntaxError as error:
            _explain(script, error)
            code = 2
            continue
        _report(console, script, found)
        if code == 0 and any(use.status != THERE for use in found):
            code = 1
    return code


def _report(console: Console, script: str, found: Sequence[Use]) -> None:
    missing = [use for use in found if use.status != THERE]
    if found:
        table = Table(title=script, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("name", "croton", "lines", "why"):
            table.add_column(column, overflow="fold", no_wrap=column != "why")
        for use in sorted(found, key=lambda use: use.status == THERE):
            table.add_row(use.name, f"[{_STYLES[use.status]}]{use.status}[/]", _listed(use.lines), use.note)
        console.print(table)
    names = f"{len(found)} old name{'s' * (len(found) != 1)}"
    said = "it uses no old names" if not found else f"{names}, croton has all of them"
    if missing:
        said = f"{names}, of which croton lacks {len(missing)}: {', '.join(use.name for use in missing)}"
    console.print(f"{script}: {said}", markup=False)


def _listed(lines: Sequence[int]) -> str:
    more = len(lines) - _LINES
    return ", ".join(map(str, lines[:_LINES])) + (f" and {more} more" if more > 0 else "")


def _explain(script: str, error: SyntaxError) -> None:
    advice = python2_advice(error)
    text = f"line {error.lineno}: {error.msg}: {(error.text or '').strip()}"
    print(f"croton: {script} cannot be read: {advice or text}", file=sys.stderr)
