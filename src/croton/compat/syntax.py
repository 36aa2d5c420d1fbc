"""The syntax tree of an old program, Python 2's included: to be looked at, not to be run."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from pathlib import Path

# What Python 3 cannot parse, and something of about the same names that it can. Lines that lie in strings change too,
# which does no harm here.
_REPAIRS = [
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"(^|[:;])(\s*)(print|exec)[ \t]+(?!>>|[\s=.,:;)(\]#])", r"\1\2\3, "),  # print x
        (r"(^|[:;])(\s*)(print|exec)(?=[\"'`])", r"\1\2\3, "),  # print"x"
        (r"(\bexcept\b[^:#]*?[\w)])\s*,\s*(\w+)\s*:", r"\1 as \2:"),  # except Error, e:
        (r"\braise\s+([\w.]+)\s*,", r"\1,"),  # raise Error, text
        (r"<>", "!="),
        (r"`([^`]*)`", r"(\1)"),
        (r"(?<![\w.])(?<![eE][+-])0([0-7]+)\b(?![.eE])", r"0o\1"),  # 0777
        (r"\b(0[xX][0-9a-fA-F]+|\d+)[lL]\b", r"\1"),  # 10L
        (r"\b[uU][rR](?=[\"'])", "r"),  # ur'x'
        (r"\blambda\s*\(([^()]*)\)\s*:", r"lambda \1:"),  # lambda (a, b): a
        (r"(\bdef\s+\w+\s*\([^()]*)\(([^()]*)\)", r"\1\2"),  # def f(a, (b, c)):
    )
]


def read(path: str | Path) -> str:
    """The text of a Python file, in the encoding that it declares, or Latin-1 where it declares a wrong one."""
    data = Path(path).read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        text = data.decode("latin-1")
    return "\n".join(text.splitlines()) + "\n"


def parse(text: str, filename: str = "<unknown>") -> ast.Module:
    """The syntax tree of a program of Python 3, or of Python 2, in which what is Python 2's alone is bent into shape.

    The lines are those of the program; names and calls are kept, the rest (printing, raising) may not be.

    Raises SyntaxError for a text that is neither.

    >>> import ast
    >>> ast.dump(parse("print 'x', f(y)").body[0].value.elts[2].func)
    "Name(id='f', ctx=Load())"
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return ast.parse(text, filename)
        except SyntaxError as error:
            try:
                return ast.parse("\n".join(map(_repaired, text.split("\n"))), filename)
            except SyntaxError:
                raise error from None


def _repaired(line: str) -> str:
    line = line.expandtabs(8)
    for pattern, instead in _REPAIRS:
        line = pattern.sub(instead, line)
    return line
