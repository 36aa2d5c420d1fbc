"""Which old names a program uses, read from its syntax tree, and which of them croton has."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from croton.compat.config import Section, config
from croton.compat.modules import Absent, find
from croton.compat.names import MODULES
from croton.compat.reasons import why

# The packages of old whose names are looked for.
ROOTS = ("theano", "theanets", "downhill")
THERE, LACKING, UNKNOWN = "there", "lacking", "unknown"


@dataclass
class Use:
    """An old name in full, the lines that use it, whether croton has it, and what there is to say of that."""

    name: str
    lines: list[int] = field(default_factory=list)
    status: str = THERE
    note: str = ""


def uses(tree: ast.Module) -> list[Use]:
    """The old names that a program uses, by name; a keyword argument that croton's function does not take is one too.

    >>> import ast
    >>> found = uses(ast.parse('import theano.tensor as T; T.exp(T.matrix())'))
    >>> [(use.name, use.status) for use in found]
    [('theano.tensor', 'there'), ('theano.tensor.exp', 'there'), ('theano.tensor.matrix', 'there')]
    """
    reader = _Reader()
    # Functions may use what the module binds below them: the second reading knows all that the first has met.
    reader.visit(tree)
    reader.lines.clear()
    reader.calls.clear()
    reader.visit(tree)
    found = {name: _judge(name) for name in reader.lines}
    for name, lines in reader.lines.items():
        found[name].lines = sorted(set(lines))
    for use in _keywords(reader.calls, found):
        found[use.name] = use
    return [found[name] for name in sorted(found)]


class _Reader(ast.NodeVisitor):
    """Follows names through imports and plain assignments, and notes where those of old packages are used."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, str | None]] = [{}]
        self.stars: list[str] = []
        self.lines: dict[str, list[int]] = {}
        self.calls: list[tuple[str, ast.Call]] = []

    def note(self, full: str, line: int) -> None:
        self.lines.setdefault(locate(full), []).append(line)

    def resolve(self, node: ast.AST) -> str | None:
        """The full old name that an expression of names and dots stands for."""
        if isinstance(node, ast.Attribute):
            base = self.resolve(node.value)
            return None if base is None else f"{base}.{node.attr}"
        if not isinstance(node, ast.Name):
            return None
        for scope in reversed(self.scopes):
            if node.id in scope:
                return scope[node.id]
        return next((f"{m}.{node.id}" for m in reversed(self.stars) if node.id in _rows(m)), None)

    # --- what binds names ---

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            root = alias.name.partition(".")[0]
            ours = root in ROOTS
            if ours:
                self.note(alias.name, node.lineno)
            self.scopes[-1][alias.asname or root] = (alias.name if alias.asname else root) if ours else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        ours = not node.level and module.partition(".")[0] in ROOTS
        for alias in node.names:
            full = f"{module}.{alias.name}"
            if not ours:
                self.scopes[-1][alias.asname or alias.name] = None
            elif alias.name == "*":
                self.note(module, node.lineno)
                self.stars.append(module)
            else:
                self.note(full, node.lineno)
                self.scopes[-1][alias.asname or alias.name] = full

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        names = [t.id for t in node.targets if isinstance(t, ast.Name)]
        full = self.resolve(node.value)
        for name in names:
            # At the module's level a name that an import has given stays what it was.
            if full is not None or len(self.scopes) > 1 or self.scopes[0].get(name) is None:
                self.scopes[-1][name] = full

    def _function(self, node: Any) -> None:
        for outside in (
            *getattr(node, "decorator_list", ()),
            *node.args.defaults,
            *filter(None, node.args.kw_defaults),
        ):
            self.visit(outside)
        a = node.args
        arguments = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
        body = node.body if isinstance(node.body, list) else [node.body]
        own = {argument.arg for argument in arguments} | set(_stored(body))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.scopes[-1].setdefault(node.name, None)
        self.scopes.append(dict.fromkeys(own))
        for statement in body:
            self.visit(statement)
        self.scopes.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for outside in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outside)
        self.scopes[-1].setdefault(node.name, None)
        # What a class binds is not seen by name in its methods.
        for statement in node.body:
            self.visit(statement)

    # --- what uses them ---

    def visit_Name(self, node: ast.Name) -> None:
        full = self.resolve(node)
        if full is not None and isinstance(node.ctx, ast.Load):
            self.note(full, node.lineno)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        full = self.resolve(node)
        if full is None:
            self.generic_visit(node)
        else:
            self.note(full, node.lineno)

    def visit_Call(self, node: ast.Call) -> None:
        full = self.resolve(node.func)
        if full is not None:
            self.calls.append((full, node))
        self.generic_visit(node)


def _stored(body: Iterable[ast.AST]) -> Iterator[str]:
    """The names that statements bind, other than by imports, not looking into functions within them."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, ast.Lambda):
            yield from _stored(ast.iter_child_nodes(node))


# --- against the table ---


def _rows(module: str) -> dict[str, Any]:
    rows = MODULES.get(module, {})
    return rows if isinstance(rows, dict) else {}


def locate(full: str) -> str:
    """The module or the name in one that ``full`` begins with; what follows are attributes of that.

    >>> locate("theano.tensor.exp.nin"), locate("theano.config.floatX.lower")
    ('theano.tensor.exp', 'theano.config.floatX')
    """
    parts = full.split(".")
    module = parts[0]
    for k, part in enumerate(parts[1:], 1):
        name = f"{module}.{part}"
        deeper = name in MODULES and k + 1 < len(parts) and parts[k + 1] in _rows(name)
        if part in _rows(module) and not deeper:
            return _flag(name, parts[k + 1 :]) if part == "config" else name
        if name not in MODULES:
            return name
        module = name
    return module


def _flag(name: str, rest: list[str]) -> str:
    value: Any = config
    for part in rest:
        if not isinstance(value, Section):
            break
        name = f"{name}.{part}"
        value = getattr(value, part, None)
    return name


def _judge(name: str) -> Use:
    """What croton has to say of a located name."""
    module, _, last = name.rpartition(".")
    if name.partition(".")[0] not in MODULES:
        return Use(name, status=LACKING, note="croton does not serve this package")
    if name in MODULES and last not in _rows(module):
        return Use(name)
    if ".config." in name:
        flag = name.partition(".config.")[2]
        known = flag in config._flags or any(other.startswith(f"{flag}.") for other in config._flags)
        return Use(name) if known else Use(name, status=UNKNOWN, note="no such flag is known")
    if last not in _rows(module):
        return Use(name, status=UNKNOWN, note="no such name is known")
    try:
        find(_rows(module)[last])
    except Absent:
        return Use(name, status=LACKING, note=why(name))
    return Use(name)


def _keywords(calls: Iterable[tuple[str, ast.Call]], found: dict[str, Use]) -> Iterator[Use]:
    """A use for each keyword that a function croton has is called with and does not take."""
    strange: dict[str, Use] = {}
    for full, call in calls:
        use = found.get(full)
        if use is None or use.status != THERE or full in MODULES or ".config." in full:
            continue
        taken = _parameters(full)
        for keyword in call.keywords:
            if taken is not None and keyword.arg is not None and keyword.arg not in taken:
                name = f"{full}({keyword.arg}=)"
                note = "croton's function takes no argument of this name"
                strange.setdefault(name, Use(name, [], LACKING, note)).lines.append(call.lineno)
    yield from strange.values()


def _parameters(full: str) -> set[str] | None:
    """The names of the arguments that may be given by keyword, or None where any may be."""
    module, _, last = full.rpartition(".")
    try:
        parameters = inspect.signature(find(_rows(module)[last])).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY}
