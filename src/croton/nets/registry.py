"""Classes found by name: each subclass of a registered family is known by its lower-cased name and by its aliases."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from typing import Any


def nearest(given: object, known: Iterable[str]) -> str:
    """The end of an error message: the known name most like the given one, or all of them."""
    names = sorted(set(known))
    close = difflib.get_close_matches(str(given).lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if close:
        return f"did you mean {next(n for n in names if n.lower() == close[0])!r}?"
    return f"known are {', '.join(names)}" if names else "none is known"


class UnknownName(KeyError):
    """A name that no class of the family has. A ``KeyError`` whose message reads as it was written."""

    def __str__(self) -> str:
        return str(self.args[0])


def keywords_of(cls: type) -> list[str] | None:
    """The keywords that a class's constructor takes, those it hands to its bases' included; None where any goes."""
    found: list[str] = []
    for base in cls.__mro__[:-1]:
        if "__init__" in vars(base):
            parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
            found += [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
            if all(p.kind != p.VAR_KEYWORD for p in parameters):
                return found
    return None


class Registrar(type):
    """The metaclass of layers, activations, losses and regularizers. As theanets.util.Registrar.

    The first class made with it in a line of inheritance begins a family; every class of the family is registered
    under its lower-cased name, unless that begins with an underscore, and under each name in its own
    ``__extra_registration_keys__``.

    >>> from croton.nets import Layer
    >>> Layer.get_class("GRU").__name__
    'GRU'
    """

    _registry: dict[str, type]

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        if not any(isinstance(b, Registrar) for b in bases):
            cls._registry = {}
        names = () if name.startswith("_") else (name,)
        for key in (*names, *namespace.get("__extra_registration_keys__", ())):
            cls._registry[key.lower()] = cls

    def build(cls, key: str, *args: Any, **kwargs: Any) -> Any:
        """An instance of the class registered as ``key``. Raises KeyError, naming the nearest, for an unknown one, and
        TypeError, naming the nearest, for a keyword that the class does not take.
        """
        form = cls.get_class(key)
        known = keywords_of(form)
        for keyword in kwargs:
            if known is not None and keyword not in known:
                raise TypeError(f"{key!r} has no keyword {keyword!r}: {nearest(keyword, known)}")
        return form(*args, **kwargs)

    def get_class(cls, key: str) -> Any:
        """The class registered as ``key``, whatever its case. Raises KeyError, naming the nearest, if none is."""
        try:
            return cls._registry[key.lower()]
        except KeyError:
            family = next(c for c in reversed(cls.__mro__) if isinstance(c, Registrar)).__name__.lower()
            raise UnknownName(f"there is no {family} {key!r}: {nearest(key, cls.known())}") from None

    def is_registered(cls, key: object) -> bool:
        """Whether a class is registered as ``key``, whatever its case."""
        return isinstance(key, str) and key.lower() in cls._registry

    def known(cls) -> list[str]:
        """The registered names."""
        return sorted(cls._registry)
