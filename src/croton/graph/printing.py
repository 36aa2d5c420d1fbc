"""Expressions as text: ``pp`` on one line, ``debugprint`` as a tree."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from croton.graph.core import Apply, Constant, Variable
from croton.graph.derivative import Derivative
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
        return text.get(v) or (constant_text(v) if isinstance(v, Constant) else str(v))

    for node in toposort([expression]):
        inputs = [of(v) for v in node.inputs]
        for output in node.outputs:
            # Names stand for what is inside; only the expression asked for is always opened.
            text[output] = output.name if output.name and output is not expression else _written(output, node, inputs)
    return of(expression)


def _written(output: Variable, node: Apply, inputs: Sequence[str]) -> str:
    if isinstance(node.op, Derivative):
        written = _derivative(output, node, node.op, inputs)
    else:
        written = _node(node, inputs) if len(node.outputs) == 1 else f"{_node(node, inputs)}.{output.index}"
    return written if len(written) <= _LIMIT else written[: _LIMIT // 2] + " ... " + written[-_LIMIT // 4 :]


def _derivative(output: Variable, node: Apply, op: Derivative, inputs: Sequence[str]) -> str:
    """``grad(cost, wrt)``, or, with other vectors than 1, ``Lop(f, wrt, vector)``; so Rop and jacobian."""
    sources, seeds, wrt, _ = op.split(node.inputs)
    texts = dict(zip(node.inputs, inputs, strict=True))
    if op.form == "forward":
        name, shown = "Rop", [[sources[output.index or 0]], wrt, seeds]
    else:
        plain = all(texts[s] in ("1", "1.0") for s in seeds)
        name, shown = (str(op) if plain else "Lop"), [sources, [wrt[output.index or 0]], () if plain else seeds]
    groups = [[texts[v] for v in group] for group in shown if group]
    return f"{name}({', '.join(g[0] if len(g) == 1 else '[' + ', '.join(g) + ']' for g in groups)})"


def constant_text(v: Constant) -> str:
    literal = getattr(v, "literal", None)
    text = str(v) if literal is None or v.name else repr(literal)
    text = " ".join(text.split())
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
    """Print the graph of a variable, of several, or of a function as a tree: op, id, name.

    What was shown before is only referred to. The graphs inside loops follow, one after another.

    ``depth``: how deep to go (-1: all the way); ``print_type``: add types; ``file``: where to print, or 'str' to
    return the text; ``ids``: what identifies a variable: 'CHAR' ([id A] ...), 'int' or '' (nothing).

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
    roots = roots_of(obj)
    lines: list[str] = []
    number: dict[int, int] = {}
    loops: list[Variable] = []
    for root in roots:
        loops += _tree(root, depth, print_type, ids, number, lines.append)
    for v in loops:
        lines += ["", f"Inner graph of {_line(v, number[id(v.owner)], False, ids)}"]
        for output in v.owner.op.graph.outputs:  # type: ignore[union-attr]
            loops += _tree(output, depth, print_type, ids, number, lines.append)
    text = "\n".join(lines)
    if file == "str":
        return text
    print(text, file=file or sys.stdout)  # type: ignore[arg-type]
    return None


def roots_of(obj: Any) -> list[Variable]:
    if isinstance(obj, Variable):
        return [obj]
    if isinstance(obj, Apply):
        return list(obj.outputs)
    if isinstance(obj, list | tuple):
        return [v for part in obj for v in roots_of(part)]
    program = getattr(obj, "_program", None)
    if program is not None:
        return [*program.outputs, *program.news]
    raise TypeError(f"debugprint takes a variable, a list of them or a function, not {obj!r}")


def _tree(
    root: Variable, depth: int, types: bool, ids: str, number: dict[int, int], emit: Callable[[str], None]
) -> list[Variable]:
    """Emit the lines of one tree; returns what in it is computed by a loop."""
    loops: list[Variable] = []
    stack: list[tuple[Variable, int]] = [(root, 0)]
    while stack:
        v, level = stack.pop()
        key = id(v.owner) if v.owner is not None else id(v)
        seen = key in number
        number.setdefault(key, len(number))
        indent = "" if level == 0 else " |" * level if level <= 40 else f" |...{level} "
        emit(indent + _line(v, number[key], types, ids))
        if v.owner is not None and not seen and v.owner.op.graph is not None:
            loops.append(v)
        if v.owner is not None and not seen and (depth < 0 or level < depth):
            stack += [(i, level + 1) for i in reversed(v.owner.inputs)]
    return loops


def _line(v: Variable, number: int, types: bool, ids: str) -> str:
    if v.owner is None:
        text = constant_text(v) if isinstance(v, Constant) else str(v)
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
