"""The settings behind ``croton.config``: a few named values, each checked when it is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def _one_of(*allowed: Any) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in allowed:
            raise ValueError(f"{value!r} is none of {', '.join(map(repr, allowed))}")
        return value

    return check


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(name for name in value.replace(":", ",").split(",") if name)
    return tuple(str(name) for name in value)


def _positive(value: Any) -> int:
    if int(value) != value or value < 1:
        raise ValueError(f"{value!r} is not a positive whole number")
    return int(value)


# name: (default, check, what it decides)
FIELDS: dict[str, tuple[Any, Callable[[Any], Any], str]] = {
    "floatX": (
        "float32",
        _one_of("float16", "float32", "float64"),
        "dtype of float variables and literals that name none",
    ),
    "mode": (
        "FAST_RUN",
        _one_of("Mode", "FAST_RUN", "FAST_COMPILE", "DebugMode", "DEBUG_MODE", "NanGuardMode"),
        "the mode of a function that names none",
    ),
    "optimizer": (
        "fast_run",
        _one_of("fast_run", "fast_compile", "None", "o1", "o2", "o3", "o4"),
        "which rewrites run: all of them, the stabilizing ones (fast_compile), none (None)",
    ),
    "optimizer_including": ((), _names, "rewrites to run besides, by name or tag"),
    "optimizer_excluding": ((), _names, "rewrites not to run, by name or tag"),
    "on_unused_input": (
        "raise",
        _one_of("raise", "warn", "ignore"),
        "what function() does with an input it does not need",
    ),
    "compute_test_value": (
        "off",
        _one_of("off", "ignore", "warn", "raise"),
        "whether expressions are computed on x.tag.test_value while they are built",
    ),
    "structures_kept": (64, _positive, "compiled programs that one function keeps for different shapes"),
}


class Config:
    """Settings as attributes; a wrong value is refused when it is set.

    Called, it changes settings for the length of a ``with`` block.

    >>> from croton import config
    >>> with config(floatX="float64"):
    ...     config.floatX
    'float64'
    >>> config.floatX
    'float32'
    """

    def __init__(self) -> None:
        object.__setattr__(self, "_values", {name: default for name, (default, _, _) in FIELDS.items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"croton.config has no setting {name!r}; it has {', '.join(sorted(FIELDS))}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in FIELDS:
            raise AttributeError(f"croton.config has no setting {name!r}; it has {', '.join(sorted(FIELDS))}")
        try:
            self._values[name] = FIELDS[name][1](value)
        except (ValueError, TypeError) as error:
            raise ValueError(f"croton.config.{name}: {error}") from None

    def __dir__(self) -> list[str]:
        return sorted(FIELDS)

    @contextmanager
    def __call__(self, **changes: Any) -> Iterator[Config]:
        before = dict(self._values)
        try:
            for name, value in changes.items():
                setattr(self, name, value)
            yield self
        finally:
            self._values.update(before)


config = Config()
