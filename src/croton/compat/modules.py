"""Modules made from a table: each name is looked up in croton when a program first asks for it."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NamedTuple

from croton.compat.unsupported import stand_in


class Value(NamedTuple):
    """A row of the table that is the value itself, not the place where to find it."""

    value: Any


# A name's value is at "module:attribute", or in the row itself; None is known to have no counterpart.
Row = str | Value | None
# A module's rows, or the name of the module that it is another name of.
Table = Mapping[str, Mapping[str, Row] | str]


class Absent(LookupError):
    """croton does not have what a row points to."""


def find(row: Row) -> Any:
    """The value of a row.

    Raises:
        Absent: the module that the row names, or the attribute in it, does not exist.

    >>> find("math:pi")
    3.141592653589793
    """
    if isinstance(row, Value):
        return row.value
    if row is None:
        raise Absent
    home, _, attribute = row.partition(":")
    try:
        module = import_module(home)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{home}.".startswith(f"{error.name}."):
            raise
        raise Absent from None
    if not attribute:
        return module
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise Absent from None


class OldModule(ModuleType):
    """A module whose names are the rows of a table."""

    def __init__(self, name: str, table: Table, rows: Mapping[str, Row]) -> None:
        super().__init__(name, f"{name}, as served by croton.")
        self.__dict__.update(_table=table, _rows=rows)

    def __getattr__(self, name: str) -> Any:
        full = f"{self.__name__}.{name}"
        if name in self._rows:
            try:
                value = find(self._rows[name])
            except Absent:
                value = stand_in(full)
        elif full in self._table:
            return import_module(full)
        elif name == "__all__":
            below = {m.rpartition(".")[2] for m in self._table if m.rpartition(".")[0] == self.__name__}
            # The rows may shadow builtins, as sum and max always did; a module (theano.tensor.type) need not.
            return sorted(name for name in {*self._rows, *(below - set(dir(builtins)))} if not name.startswith("_"))
        else:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # Python binds an imported submodule in its package, but where a row has that name the row wins:
        # theano.tensor.var is a function although there is a module theano.tensor.var as well.
        if not (isinstance(value, OldModule) and name in self._rows):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*self._rows, *self.__dict__} - {"_rows", "_table"})


class TableFinder(MetaPathFinder, Loader):
    """Serves the modules of a table to ``import``."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.table:
            return None
        package = any(name.startswith(f"{fullname}.") for name in self.table)
        return ModuleSpec(fullname, self, origin="croton", is_package=package)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        rows = self.table[spec.name]
        return None if isinstance(rows, str) else OldModule(spec.name, self.table, rows)

    def exec_module(self, module: ModuleType) -> None:
        rows = self.table[module.__name__]
        if isinstance(rows, str):
            sys.modules[module.__name__] = import_module(rows)


def absent(table: Table) -> Iterator[str]:
    """The names of a table, in full, that have no counterpart, in the table's order."""
    for module, rows in table.items():
        if isinstance(rows, str):
            continue
        for name, row in rows.items():
            try:
                find(row)
            except Absent:
                yield f"{module}.{name}"
