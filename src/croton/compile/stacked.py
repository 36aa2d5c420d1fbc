"""Arrays that hold a value for each step of a loop, written where the value is computed and read back from there.

XLA makes a kernel for each result, and writes and reads within larger arrays are part of them. So a value that is saved
and used is computed in its place; else one kernel would compute it and another would copy it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import lax


def row(stack: Any, t: Any) -> Any:
    """What ``stack`` holds for step ``t``."""
    return lax.dynamic_index_in_dim(stack, t, 0, keepdims=False, allow_negative_indices=False)


def with_row(stack: Any, t: Any, value: Any, first: int = 0) -> Any:
    """``stack`` with ``value`` for step ``t``, in the columns from the ``first`` on."""
    at = (t, *[0] * (value.ndim - 1), first) if value.ndim else (t,)
    return lax.dynamic_update_slice(stack, lax.expand_dims(value, (0,)), at, allow_negative_indices=False)


class Beside:
    """One step's view of arrays that hold the cotangents of groups of products side by side.

    One product takes a group's cotangents back to the left factor, and one is the gradient of all its matrices.

    ``groups``: positions of products with one left factor each; ``turned``: for each group its matrices, transposed,
    one below the other; ``stacks``: for each group an array of (steps, ..., columns of all its matrices); ``t``: which
    step it is.
    """

    def __init__(self, groups: Sequence[Sequence[int]], turned: Sequence[Any], stacks: Sequence[Any], t: Any) -> None:
        self.groups, self.turned, self.stacks, self.t = groups, turned, list(stacks), t
        self.found: dict[int, Any] = {}
        #: By identity, the cotangents and where they are: (cotangent, group, first column, last column and one).
        self.places: dict[int, tuple[Any, int, int, int]] = {}
        self.written: dict[tuple[int, ...], int] = {}
        #: For each group the one whose stack holds its cotangents; None where there are none.
        self.where: list[int | None] = [None] * len(groups)

    def product(self, k: int, a: Any, results: Sequence[Any]) -> Any:
        """The result of the k-th product, known already, as a function of the left factor."""
        if k not in self.found:
            group = next(g for g, ks in enumerate(self.groups) if k in ks)
            ks = self.groups[group]
            self.found.update(zip(ks, self._products(group)(a, [results[i] for i in ks]), strict=True))
        return self.found[k]

    def _products(self, group: int) -> Callable[..., Any]:
        @jax.custom_vjp
        def products(a: Any, results: Any) -> Any:
            return results

        products.defvjp(lambda a, results: (results, None), lambda _, cts: (self._back(group, cts), None))
        return products

    def _back(self, group: int, cts: Sequence[Any]) -> Any:
        """Write the cotangents into their places, and take them together back from there.

        Products with another left factor, added to these, have the same ones.
        """
        names = tuple(map(id, cts))
        if names not in self.written:
            self.written[names] = group
            first = 0
            for ct in cts:
                self.stacks[group] = with_row(self.stacks[group], self.t, ct, first)
                self.places[id(ct)] = ct, group, first, first + ct.shape[-1]
                first += ct.shape[-1]
        self.where[group] = where = self.written[names]
        return row(self.stacks[where], self.t) @ self.turned[group]
