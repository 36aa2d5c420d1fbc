"""Expressions as text: ``pp`` on one line, ``debugprint`` as a tree."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from croton.graph.core import Apply, Constant, Variable
from croton.graph.walk import toposort

_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "true_div": "/", "int_div": "//", "mod": "%", "pow": "**",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "neq": "!=", "and_": "&", "or_": "|", "xor": "^",
}  # fmt: skip
# Text longer than this is cut: what a deep graph shares would otherwise be written out exponentially often.
_LIMIT = 20_000


def pp(expression: Variable) -> str:
    """``expression`` on one line, as one would write it.

    >>> import croton, croton.tensor as T
    >>> x = T.scalar('x')
    >>> croton.pp(T.exp(x) + 1)
    '(exp(x) + 1)'
    """
    text: dict[Variable, str] = {}

    def of(v: Variable) -> str:
        return text.get(v) or (_constant(v) if isinstance(v, Constant) else str(v))

    for node in toposort([expression]):
        written = _node(node, [of(v) for v in node.inputs])
        if len(written) > _LIMIT:
            written = written[: _LIMIT // 2] + " ... " + written[-_LIMIT // 4 :]
        for k, output in enumerate(node.outputs):
            text[output] = output.name or (written if len(node.outputs) == 1 else f"{written}.{k}")
    return of(expression) if expression.name is None or expression.owner is None else _unnamed(expression, text)


def _unnamed(expression: Variable, text: dict[Variable, str]) -> str:
    assert expression.owner is not None
    return _node(expression.owner, [text.get(v) or str(v) for v in expression.owner.inputs])


def _constant(v: Constant) -> str:
    text = str(v).replace(" ", "")
    return text if len(text) < 40 else text[:37] + "..."


def _node(node: Apply, inputs: Sequence[str]) -> str:
    name = str(node.op)
    if name in _INFIX and len(inputs) == 2:
        return f"({inputs[0]} {_INFIX[name]} {inputs[1]})"
    if name == "neg":
        return f"(-{inputs[0]})"
    if name == "DimShuffle{1,0}":
        return f"{inputs[0]}.T"
    if name == "Dot":
        return f"dot({', '.join(inputs)})"
    return f"{name}({', '.join(inputs)})"


def debugprint(
    obj: Any,
    depth: int = -1,
    print_type: bool = False,
    file: TextIO | str | None = None,
    ids: str = "CHAR",
) -> str | None:
    """Print the graph of a variable, of several, or of a function as a tree: op, id, name; what was shown before is only referred to.

    ``depth``: how deep to go (-1: all the way); ``print_type``: add types; ``file``: where to print, or 'str' to return the text;
    ``ids``: what identifies a variable: 'CHAR' ([id A] ...), 'int' or '' (nothing).

    >>> import croton, croton.tensor as T
    >>> x = T.scalar('x')
    >>> croton.debugprint(T.exp(x) + 1)
    add [id A]
     |exp [id B]
     | |x [id C]
     |1 [id D]
    """
    if ids not in ("CHAR", "int", ""):
        raise ValueError(f"debugprint: ids must be 'CHAR', 'int' or '', not {ids!r}")
    roots = _roots(obj)
    lines: list[str] = []
    number: dict[int, int] = {}
    for root in roots:
        _tree(root, depth, print_type, ids, number, lines.append)
    text = "\n".join(lines)
    if file == "str":
        return text
    print(text, file=file or sys.stdout)  # type: ignore[arg-type]
    return None


def _roots(obj: Any) -> list[Variable]:
    if isinstance(obj, Variable):
        return [obj]
    if isinstance(obj, Apply):
        return list(obj.outputs)
    if isinstance(obj, list | tuple):
        return [v for part in obj for v in _roots(part)]
    program = getattr(obj, "_program", None)
    if program is not None:
        return [*program.outputs, *program.news]
    raise TypeError(f"debugprint takes a variable, a list of them or a function, not {obj!r}")


def _tree(
    root: Variable, depth: int, types: bool, ids: str, number: dict[int, int], emit: Callable[[str], None]
) -> None:
    stack: list[tuple[Variable, int]] = [(root, 0)]
    while stack:
        v, level = stack.pop()
        key = id(v.owner) if v.owner is not None else id(v)
        seen = key in number
        number.setdefault(key, len(number))
        indent = "" if level == 0 else " |" * level if level <= 40 else f" |...{level} "
        emit(indent + _line(v, number[key], types, ids))
        if v.owner is not None and not seen and (depth < 0 or level < depth):
            stack += [(i, level + 1) for i in reversed(v.owner.inputs)]


def _line(v: Variable, number: int, types: bool, ids: str) -> str:
    if v.owner is None:
        text = _constant(v) if isinstance(v, Constant) else str(v)
    else:
        text = str(v.owner.op) + (f".{v.index}" if len(v.owner.outputs) > 1 else "")
    if types:
        text += f" <{v.type}>"
    if ids:
        text += f" [id {_letters(number) if ids == 'CHAR' else number}]"
    if v.owner is not None and v.name:
        text += f" '{v.name}'"
    return text


def _letters(number: int) -> str:
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def min_informative_str(obj: Any) -> str:
    """The graph of ``obj`` as text, as ``debugprint(obj, file='str')``."""
    return debugprint(obj, file="str") or ""
