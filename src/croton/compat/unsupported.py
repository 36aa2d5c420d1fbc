"""What stands in for an old name that croton does not have: harmless until it is used."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from croton.compat.reasons import why

_PACKAGE = __name__.partition(".")[0]


class UnsupportedName(NotImplementedError):
    """A name of the old system that croton lacks was used.

    Attributes:
        name: the old name in full, as in ``theano.scan_checkpoints``.
        filename, lineno: the line of the program that used it.
    """

    def __init__(self, name: str, filename: str, lineno: int) -> None:
        super().__init__(name, filename, lineno)
        self.name, self.filename, self.lineno = name, filename, lineno

    def __str__(self) -> str:
        reason = why(self.name)
        text = f"{self.name} is not supported by croton; it is used in {self.filename}, line {self.lineno}"
        return f"{text} ({reason})" if reason else text


def refuse(name: str) -> NoReturn:
    """Raise `UnsupportedName` for ``name``, used by the innermost line on the stack outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    raise UnsupportedName(name, frame.f_code.co_filename, frame.f_lineno)


class Placeholder:
    """The value of an unsupported name.

    It can be imported, passed around, tested with ``isinstance`` (nothing is an instance of it) and named as a base
    class; calling it, reading its attributes or its items, and making an instance of such a class raise.

    >>> from croton.compat.unsupported import Placeholder
    >>> scan = Placeholder("theano.scan")
    >>> isinstance(3, scan)
    False
    >>> scan(lambda x: x)
    Traceback (most recent call last):
        ...
    croton.compat.unsupported.UnsupportedName: theano.scan is not supported by croton; it is used in ...
    """

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def __repr__(self) -> str:
        return f"<{self._name}, not supported by croton>"

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        refuse(self._name)

    def __getitem__(self, _: Any) -> NoReturn:
        refuse(self._name)

    def __getattr__(self, attribute: str) -> NoReturn:
        # Python and its libraries look for special attributes on any object; that is no use of the name.
        if attribute.startswith("__") and attribute.endswith("__"):
            raise AttributeError(f"{self!r} has no attribute {attribute!r}")
        refuse(f"{self._name}.{attribute}")

    def __instancecheck__(self, _: object) -> bool:
        return False

    def __subclasscheck__(self, _: type) -> bool:
        return False

    def __mro_entries__(self, _: tuple[Any, ...]) -> tuple[type, ...]:
        name: str = self._name

        def refused(cls: type, *_: Any, **__: Any) -> NoReturn:
            refuse(name)

        return (type(name.rpartition(".")[2], (), {"__new__": refused}),)


def stand_in(name: str) -> Any:
    """A placeholder for ``name``; for an exception's name, a class that nothing raises, so that ``except`` works.

    >>> stand_in("theano.compile.debugmode.DebugModeError").__mro__[1]
    <class 'Exception'>
    """
    module, _, last = name.rpartition(".")
    if last.endswith(("Error", "Exception")):
        return type(last, (Exception,), {"__module__": module})
    return Placeholder(name)
