"""A dictionary of updates: shared variables and the expressions that are to become their values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from croton.graph.core import SharedVariable


class OrderedUpdates(OrderedDict[SharedVariable, Any]):
    """Shared variable -> expression, for ``function(updates=...)``; what `scan` returns beside its outputs.

    Raises TypeError for a key that is no shared variable. Adding two, or ``update``, merges them, and raises KeyError
    where both update one variable to different expressions. As theano.updates.OrderedUpdates.

    >>> import croton
    >>> from croton.compile import OrderedUpdates
    >>> a, b = croton.shared(1.0, 'a'), croton.shared(2.0, 'b')
    >>> OrderedUpdates({a: a + 1}) + {b: b * 2}
    OrderedUpdates([(a, add.0), (b, mul.0)])
    """

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, SharedVariable):
            raise TypeError(f"OrderedUpdates keys must inherit from SharedVariable: {key!r} is a {type(key).__name__}")
        super().__setitem__(key, value)

    def update(self, other: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None = None) -> None:  # type: ignore[override]
        """Add the updates of ``other``, all or none."""
        pairs = list(OrderedUpdates(other or ()).items())
        for key, value in pairs:
            if key in self and self[key] is not value:
                raise KeyError("Collision", key)
        for key, value in pairs:
            self[key] = value

    def __add__(self, other: Any) -> OrderedUpdates:
        merged = self.copy()
        merged.update(other)
        return merged

    def __radd__(self, other: Any) -> OrderedUpdates:
        merged = OrderedUpdates(other)
        merged.update(self)
        return merged
