"""Modes: which rewrites a function gets, and whether it runs as one program or op by op."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from croton.graph.rewriting import Rule
from croton.settings import config

_TAGS_OF = {
    "fast_run": {"stabilize", "speed"},
    "fast_compile": {"stabilize"},
    "None": set(),
    None: set(),
}
for _name in ("default", "o1", "o2", "o3", "o4", "merge"):
    _TAGS_OF[_name] = _TAGS_OF["fast_run"]
# Theano's linkers; the way a program runs here is one for all of them.
_LINKERS = (None, "py", "c", "c|py", "cvm", "vm", "cvm_nogc", "vm_nogc", "c|py_nogc", "jax")


@dataclass(frozen=True)
class Mode:
    """A choice of rewrites: those of ``optimizer`` ('fast_run', 'fast_compile', 'None'), some included and some
    excluded by name or tag.

    ``linker`` takes Theano's names: every mode runs on XLA.

    >>> from croton import Mode
    >>> sorted(Mode().including('local_hard_sigmoid').included)
    ['local_hard_sigmoid']
    """

    linker: str | None = None
    optimizer: str | None = "default"
    included: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.linker not in _LINKERS:
            raise ValueError(f"unknown linker {self.linker!r}: it is one of {', '.join(map(repr, _LINKERS))}")
        if self.optimizer not in _TAGS_OF:
            raise ValueError(f"unknown optimizer {self.optimizer!r}: it is one of {', '.join(map(repr, _TAGS_OF))}")

    def including(self, *names: str) -> Mode:
        """This mode with rewrites added, by name or tag."""
        return replace(self, included=self.included | set(names), excluded=self.excluded - set(names))

    def excluding(self, *names: str) -> Mode:
        """This mode with rewrites left out, by name or tag."""
        return replace(self, excluded=self.excluded | set(names), included=self.included - set(names))

    def rules(self) -> list[Rule]:
        """The rewrites that this mode runs, in order."""
        from croton.rewrites import RULES

        tags = _TAGS_OF[config.optimizer if self.optimizer == "default" else self.optimizer]
        wanted = tags | self.included | set(config.optimizer_including)
        unwanted = self.excluded | set(config.optimizer_excluding)
        return [
            r
            for r in RULES
            if not unwanted & {r.name, *r.tags} and (r.name in wanted or (wanted & r.tags and "late" not in r.tags))
        ]


@dataclass(frozen=True)
class NanGuardMode(Mode):
    """Run op by op and stop at the first NaN, infinity or huge value, in the forward pass or in a derivative.

    The AssertionError names the op, the line that built it, and what it was given. Slow: for finding an error.

    >>> import croton, croton.tensor as T
    >>> x = T.dscalar('x')
    >>> f = croton.function([x], T.log(x), mode=croton.NanGuardMode())
    >>> f(-1.0)
    Traceback (most recent call last):
    ...
    AssertionError: NaN detected in the output of log...
    """

    nan_is_error: bool = True
    inf_is_error: bool = True
    big_is_error: bool = True
    linker: str | None = field(default=None, kw_only=True)
    optimizer: str | None = field(default="default", kw_only=True)
    included: frozenset[str] = field(default=frozenset(), kw_only=True)
    excluded: frozenset[str] = field(default=frozenset(), kw_only=True)


@dataclass(frozen=True)
class MonitorMode(Mode):
    """Run op by op, calling ``pre_func`` before and ``post_func`` after each op with its number, its node and a record.

    The record's ``inputs`` and ``outputs`` are lists of one-element lists that hold the arrays; a derivative is one
    op. Slow: for looking at what happens. As theano.compile.MonitorMode.

    >>> import croton, croton.tensor as T
    >>> x = T.dscalar('x')
    >>> show = lambda i, node, fn: print(i, node, fn.outputs[0][0])
    >>> f = croton.function([x], T.exp(x) + x, mode=croton.compile.MonitorMode(post_func=show))
    >>> f(0.0)
    0 exp(x) 1.0
    1 add(exp.0, x) 1.0
    array(1.)
    """

    pre_func: Callable[[int, Any, Any], None] | None = None
    post_func: Callable[[int, Any, Any], None] | None = None
    linker: str | None = field(default=None, kw_only=True)
    optimizer: str | None = field(default="default", kw_only=True)
    included: frozenset[str] = field(default=frozenset(), kw_only=True)
    excluded: frozenset[str] = field(default=frozenset(), kw_only=True)


@dataclass(frozen=True)
class DebugMode(Mode):
    """Run op by op, so that an error comes from the op that made it; slow. Extra keywords of Theano's DebugMode are not
    taken.
    """


def get_mode(mode: Any) -> Mode:
    """The mode that ``mode`` (an object, a name, None for ``config.mode``) means; Exception for an unknown name."""
    if isinstance(mode, Mode):
        return mode
    named = {
        "Mode": Mode(),
        "FAST_RUN": Mode(),
        "FAST_COMPILE": Mode(optimizer="fast_compile"),
        "DebugMode": DebugMode(),
        "DEBUG_MODE": DebugMode(),
        "NanGuardMode": NanGuardMode(),
    }
    mode = config.mode if mode is None else mode
    if mode not in named:
        raise Exception(
            f"no predefined mode exists for {mode!r}: it is one of {', '.join(map(repr, named))}, or a Mode object"
        )
    return named[mode]


def get_default_mode() -> Mode:
    """The mode of a function that names none."""
    return get_mode(None)
