"""``theano.config``: the old flags, from ``THEANO_FLAGS``, ``.theanorc`` and the program itself."""

from __future__ import annotations

import configparser
import os
import shlex
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ContextDecorator
from pathlib import Path
from typing import Any

from croton.compat.flags import SETTINGS, Flag, all_flags
from croton.settings import config as settings


class Section:
    """The flags whose names begin with a prefix, as attributes; ``theano.config`` is the section of all."""

    def __init__(self, flags: dict[str, Flag], values: dict[str, Any], prefix: str = "") -> None:
        self.__dict__.update(_flags=flags, _values=values, _prefix=prefix)

    def __getattr__(self, attribute: str) -> Any:
        name = self._prefix + attribute
        if name in SETTINGS:
            value = getattr(settings, name)
            return ":".join(value) if isinstance(value, tuple) else value
        if name in self._flags:
            return self._values.get(name, self._flags[name].default)
        if any(other.startswith(f"{name}.") for other in self._flags):
            return Section(self._flags, self._values, f"{name}.")
        raise AttributeError(f"theano.config has no flag {name!r}")

    def __setattr__(self, attribute: str, value: Any) -> None:
        name = self._prefix + attribute
        if name not in self._flags:
            raise AttributeError(f"theano.config has no flag {name!r}")
        if self._flags[name].fixed and value != getattr(self, attribute):
            raise Exception(
                f"theano.config.{name} cannot be changed once the program runs: it is {getattr(self, attribute)!r}"
            )
        self._store(name, value)

    def _store(self, name: str, value: Any) -> None:
        flag = self._flags[name]
        if name in SETTINGS:
            setattr(settings, name, value)
            return
        try:
            value = flag.read(value)
        except ValueError as error:
            raise ValueError(f"theano.config.{name}: {error}") from None
        if flag.honoured is None or value in flag.honoured:
            self._values[name] = value
            return
        warnings.warn(f"theano.config.{name} = {value!r} has no effect on croton", stacklevel=3)
        if not flag.fixed:
            self._values[name] = value

    def __dir__(self) -> list[str]:
        below = (name.removeprefix(self._prefix) for name in self._flags if name.startswith(self._prefix))
        return sorted({name.partition(".")[0] for name in below})

    def __str__(self) -> str:
        names = [name for name in self._flags if name.startswith(self._prefix)]
        return "\n".join(f"{name} = {lookup(name)}" for name in names)


config = Section(all_flags(), {})


def lookup(name: str) -> Any:
    """The value of the flag with this full name, as in ``lookup('warn.round')``."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def AddConfigVar(name: str, doc: str, configparam: Flag, root: Section = config, in_c_key: bool = True) -> None:
    """Add a flag of the program's own, given a value by ``THEANO_FLAGS`` or ``.theanorc`` if they have one for it.

    Raises:
        AttributeError: there is a flag of that name already.
    """
    full = root._prefix + name
    if full in root._flags:
        raise AttributeError(f"theano.config has a flag {full!r} already")
    root._flags[full] = configparam
    given = read_flags()
    if full in given:
        config._store(full, given[full])


class change_flags(ContextDecorator):
    """Set flags for the length of a ``with`` block, or of each call of a decorated function.

    >>> with change_flags(allow_gc=False):
    ...     config.allow_gc
    False
    >>> config.allow_gc
    True
    """

    def __init__(self, args: Mapping[str, Any] | tuple[Any, ...] = (), **kwargs: Any) -> None:
        self.changes = {**dict(args), **kwargs}
        self.before: list[dict[str, Any]] = []

    def __enter__(self) -> change_flags:
        before = {name: lookup(name) for name in self.changes}
        try:
            for name, value in self.changes.items():
                config._store(name, value)
        except Exception:
            self._restore(before)
            raise
        self.before.append(before)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore(self.before.pop())

    @staticmethod
    def _restore(before: dict[str, Any]) -> None:
        for name, value in before.items():
            config._store(name, value)


def _from_environment(text: str) -> dict[str, str]:
    """The flags in a text of the form ``name=value,name=value``; quotes and backslashes guard commas."""
    splitter = shlex.shlex(text, posix=True)
    splitter.whitespace = ","
    splitter.whitespace_split = True
    flags = {}
    for part in splitter:
        name, equals, value = part.strip().partition("=")
        if equals:
            flags[name.strip()] = value.strip()
        elif name:
            warnings.warn(f"THEANO_FLAGS: {name!r} has no value and is ignored", stacklevel=2)
    return flags


def _from_files(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """The flags in some ``.theanorc`` files, those of [global] without a section, later files last."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(paths)
    for section in parser.sections():
        for option, value in parser.items(section):
            yield (option if section == "global" else f"{section}.{option}"), value


def read_flags(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Flags and the texts given for them: those in ``.theanorc``, or the files that ``THEANORC`` names, and those in
    ``THEANO_FLAGS``, which come first.

    >>> read_flags({"THEANORC": "", "THEANO_FLAGS": "floatX=float32,warn.round=False"})
    {'floatX': 'float32', 'warn.round': 'False'}
    """
    named = environment.get("THEANORC", "~/.theanorc").split(os.pathsep)
    flags = dict(_from_files([Path(name).expanduser() for name in named if name]))
    flags |= _from_environment(environment.get("THEANO_FLAGS", ""))
    # The files' names were read without regard to case.
    spelled = {name.lower(): name for name in config._flags}
    return {spelled.get(name.lower(), name): value for name, value in flags.items()}


def apply_flags(given: Mapping[str, str]) -> None:
    """Set the flags given from outside; one that is unknown is warned of.

    Raises:
        ValueError: a value that its flag cannot have. Then no flag is changed.
    """
    known = {name: value for name, value in given.items() if name in config._flags}
    for name, value in given.items():
        if name not in known:
            warnings.warn(f"theano.config has no flag {name!r}; its value {value!r} is ignored", stacklevel=3)
    before = {name: lookup(name) for name in known}
    try:
        for name, value in known.items():
            config._store(name, value)
    except Exception:
        change_flags._restore(before)
        raise
