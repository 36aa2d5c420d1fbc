"""What every regularizer is: a pattern, a weight, a term of the objective and changes of the graph."""

from __future__ import annotations

import glob
import logging
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from croton.graph.core import Variable
from croton.nets.registry import Registrar, nearest
from croton.nets.util import ConfigurationError, as_patterns, outputs_matching

log = logging.getLogger("croton.nets")

# What an output is called before noise was put into it: its name and one of these.
BEFORE = ("-prenoise", "-predrop")


class Regularizer(metaclass=Registrar):
    """A term of the objective, or a change of the graph. As theanets.regularizers.Regularizer.

    A subclass overrides ``loss`` or ``modify_graph``; its lower-cased name is a keyword of ``train``, ``predict``
    and the like as soon as it is defined:

    >>> from croton import nets
    >>> from croton.nets.regularizers import Regularizer
    >>> class Growing(Regularizer):
    ...     def loss(self, layers, outputs):
    ...         return -abs(outputs["out"]).mean()
    >>> nets.Regressor([2, 3, 1]).loss(growing=0.1).ndim
    0

    Arguments: ``pattern``: a shell-style glob over names of parameters (``'hid[23].w'``) or outputs (``'hid1:out'``),
    or several; None for the regularizer's own choice. ``weight``: what the term is multiplied by.

    Attributes: ``pattern``, ``weight``. Raises TypeError for a pattern that is none.
    """

    #: What the pattern is for, in words.
    about: ClassVar[str] = "output or parameter"

    def __init__(self, pattern: str | Sequence[str] | None = None, weight: float = 0.0) -> None:
        if not (pattern is None or isinstance(pattern, str) or all(isinstance(p, str) for p in _items(pattern))):
            raise TypeError(
                f"regularizer {self._name}: pattern={pattern!r}: pass a glob, as in '*.w', several, or None; a "
                "number is given as weight="
            )
        self.pattern = pattern
        self.weight = weight

    @classmethod
    def build(cls, key: str, *args: Any, **kwargs: Any) -> Any:
        """A regularizer by its name. A single number among the positional arguments is taken for its weight."""
        given: list[Any] = list(args)
        if len(given) == 1 and isinstance(given[0], int | float) and not isinstance(given[0], bool):
            given, kwargs = [], {"weight": given[0], **kwargs}
        return Registrar.build(cls, key, *given, **kwargs)

    @property
    def _name(self) -> str:
        """The name of the regularizer: its class's, in lower case."""
        return type(self).__name__.lower()

    def log(self) -> None:
        """Log the regularizer at level INFO: weight, class and pattern."""
        log.info("regularizer %s * %s(%s)", self.weight, type(self).__name__, self.pattern)

    def modify_graph(self, outputs: dict[str, Variable]) -> None:
        """Replace expressions among one layer's outputs, by full name; called for each layer. The base changes none."""

    def loss(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> Any:
        """The term, a scalar, before it is multiplied by the weight. The base's is 0."""
        return 0.0

    def names(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> list[str]:
        """The names that the pattern may match: here those of outputs and of parameters."""
        return [*outputs, *(str(p.name) for layer in layers for p in layer.params)]

    def check(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> None:
        """Refuse a pattern that matches nothing, with a ConfigurationError; called when the graph has been built."""
        there = self.names(layers, outputs)
        for pattern in as_patterns(self.pattern):
            if not any(fnmatchcase(name, pattern) for name in there):
                raise ConfigurationError(
                    f"regularizer {self._name}: the pattern {pattern!r} matches no {self.about}: "
                    f"{nearest(pattern, there)}"
                )


def _items(pattern: Any) -> list[Any]:
    return list(pattern) if isinstance(pattern, list | tuple | set | frozenset) else [pattern]


def exactly(names: Iterable[str]) -> tuple[str, ...]:
    """Patterns that match these names and no others."""
    return tuple(map(glob.escape, names))


def hidden(layers: Sequence[Any]) -> tuple[str, ...]:
    """Patterns for the outputs of the hidden layers."""
    return exactly(layer.output_name() for layer in layers[1:-1])


def matched_outputs(outputs: Mapping[str, Variable], patterns: Any) -> list[tuple[str, Any]]:
    """(name, output), each output once: not again by its alias, nor as it was before noise unless that is named."""
    globs = as_patterns(patterns)
    wants_old = any(p.endswith(BEFORE) for p in globs)
    found = [(n, v) for n, v in outputs_matching(outputs, globs) if wants_old or not n.endswith(BEFORE)]
    full = [v for n, v in found if ":" in n]
    return [(n, v) for n, v in found if ":" in n or v not in full]


def is_input(layer: Any) -> bool:
    """Whether the layer is an input."""
    from croton.nets.layers import Input

    return isinstance(layer, Input)
