"""climate for old programs, the helper that theanets' examples log and read their command lines with."""

from __future__ import annotations

import argparse
import inspect
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

FORMAT = "%(levelname).1s %(asctime)s %(name)s:%(lineno)d %(message)s"


def _new_parser(parents: Sequence[argparse.ArgumentParser] = ()) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        parents=parents,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        conflict_handler="resolve",
        fromfile_prefix_chars="@",
    )


_parser = _new_parser()


# --- logging ---


def get_logger(name: str | None = None, level: Any = None, default_level: Any = None) -> logging.Logger:
    """The logger called ``name``, set to a level if one is given.

    >>> get_logger('prog').name
    'prog'
    """
    logger = logging.getLogger(name)
    wanted = level or (default_level if logger.level == logging.NOTSET else None)
    if wanted:
        logger.setLevel(wanted)
    return logger


def enable_default_logging(default_level: Any = "INFO", **_: Any) -> None:
    """Write what is logged at this level or above to stdout; a second call sets the level alone."""
    root = logging.getLogger()
    root.setLevel(default_level)
    # The engine below tells of devices that it has looked for in vain: nothing that programs of old were told.
    engine = logging.getLogger("jax")
    engine.setLevel(engine.level or "WARNING")
    if not any(getattr(handler, "of_climate", False) for handler in root.handlers):
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter(FORMAT, "%H:%M:%S"))
        handler.of_climate = True  # type: ignore[attr-defined]
        root.addHandler(handler)


def disable_default_logging() -> None:
    """Undo ``enable_default_logging``."""
    root = logging.getLogger()
    for handler in [h for h in root.handlers if getattr(h, "of_climate", False)]:
        root.removeHandler(handler)


# --- the command line ---


def add_arg(*args: Any, **kwargs: Any) -> argparse.Action:
    """Add an argument, as ``ArgumentParser.add_argument``."""
    return _parser.add_argument(*args, **kwargs)


def add_group(*args: Any, **kwargs: Any) -> Any:
    """Add a group of arguments, as ``ArgumentParser.add_argument_group``."""
    return _parser.add_argument_group(*args, **kwargs)


def add_mutex_group(*args: Any, **kwargs: Any) -> Any:
    """Add a group of arguments of which one may be given."""
    return _parser.add_mutually_exclusive_group(*args, **kwargs)


def parse_args(args: Sequence[str] | None = None, **overrides: Any) -> argparse.Namespace:
    """The arguments of the command line, or ``args``; ``overrides`` are other defaults.

    >>> action = add_arg('--size', type=int, default=2)
    >>> parse_args(['--size', '3']).size
    3
    """
    _parser.set_defaults(**overrides)
    return _parser.parse_args(args)


def print_help(*args: Any) -> None:
    """Print what arguments there are."""
    _parser.print_help(*args)


def annotate(**notes: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that says what each argument of a main function is on the command line.

    Each note is a help text, or a tuple of help, kind ('positional', 'option' or 'flag'), abbreviation, type, choices
    and metavar, of which the later ones may be left out.
    """

    def decorate(main: Callable[..., Any]) -> Callable[..., Any]:
        main.__annotations__.update(notes)
        return main

    return decorate


def call(main: Callable[..., Any], default_level: Any = "INFO", args: Sequence[str] | None = None) -> Any:
    """Run a program's main function with the arguments of the command line, logging enabled.

    A function of ``annotate``, or one with defaults, gets each argument by its name; one with a single argument and no
    note of it gets all that ``add_arg`` and its like have asked for, as one object; one without arguments gets none.

    >>> call(annotate(n=('how many', 'option', None, int))(lambda n=1: n + 1), 'ERROR', ['--n', '4'])
    5
    """
    enable_default_logging(default_level)
    parameters = inspect.signature(main).parameters
    notes = main.__annotations__
    if not notes and all(p.default is p.empty for p in parameters.values()) and len(parameters) < 2:
        given = parse_args(args)
        return main(given) if parameters else main()
    parser = _new_parser([_parser])
    for name, parameter in parameters.items():
        _declare(parser, name, parameter, notes)
    given = parser.parse_args(args)
    return main(**{name: getattr(given, name) for name in parameters})


def _declare(
    parser: argparse.ArgumentParser, name: str, parameter: inspect.Parameter, notes: Mapping[str, Any]
) -> None:
    """Add the argument of the command line that a parameter stands for."""
    note = notes.get(name, "")
    text, kind, short, type_, choices, metavar = (*(note if isinstance(note, tuple) else (note,)), *[None] * 6)[:6]
    required = parameter.default is parameter.empty
    keywords: dict[str, Any] = {"help": text or argparse.SUPPRESS if required else text or " "}
    if not required:
        keywords["default"] = parameter.default
    if kind == "flag":
        parser.add_argument(*_flags(name, short), dest=name, action="store_true", **keywords)
        return
    keywords.update(type=type_, choices=choices, metavar=metavar)
    if kind == "option":
        parser.add_argument(*_flags(name, short), dest=name, **keywords)
    else:
        parser.add_argument(name, nargs=None if required else "?", **keywords)


def _flags(name: str, short: str | None) -> list[str]:
    return [*([f"-{short}"] if short else []), f"--{name.replace('_', '-')}"]
