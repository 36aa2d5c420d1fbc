"""Equations brought together that one function computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jax.extend.core import Literal

from croton.native.equations import Equation


@dataclass(eq=False)
class Group:
    """Connected equations of a kind (``fits``) that nothing outside must come between, or one other equation."""

    fits: bool
    depth: int
    first: int
    eqns: list[Equation] = field(default_factory=list)


def names(variables: Iterable[Any]) -> list[Any]:
    """The variables among numbers and variables."""
    return [v for v in variables if not isinstance(v, Literal)]


def grouped(
    eqns: Sequence[Equation],
    fits: Callable[[Equation], bool],
    ends: Callable[[Equation], bool] = lambda eqn: False,
) -> list[Group]:
    """The equations in groups, in an order in which they can be run: connected by what they make, or by what they read.

    ``ends``: whether no equation of a group may use what this one makes. A value's depth counts how often its
    computation left a group and came back: a group of one depth needs nothing that needs itself.
    """
    groups: dict[Group, None] = {}
    of: dict[Any, Group] = {}
    readers: dict[Any, Group] = {}
    ended: set[Any] = set()
    for place, eqn in enumerate(eqns):
        fit, read = fits(eqn), names(eqn.invars)
        made_by = [(of[v], v in ended) for v in read if v in of]
        depth = max((g.depth + ((g.fits and not fit) or last) for g, last in made_by), default=0)
        group = Group(fit, depth, place)
        near = [g for g, _ in made_by if g.fits and g.depth == depth] if fit else []
        arrays = [(v, depth) for v in read if fit and v.aval.shape and of.get(v) not in near]
        near += [readers[key] for key in arrays if key in readers]
        for g in dict.fromkeys(near):
            group.eqns += g.eqns
            group.first = min(group.first, g.first)
            groups.pop(g)
        group.eqns.append(eqn)
        groups[group] = None
        of.update((v, group) for e in group.eqns for v in e.outvars)
        readers.update((key, group) for key in arrays)
        readers.update((key, group) for key, g in readers.items() if g in near)
        if fit and ends(eqn):
            ended.update(eqn.outvars)
    return sorted(groups, key=lambda g: (g.depth, g.fits, g.first))


def edges(eqns: Sequence[Any], others: Iterable[Any], outvars: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """What these equations need of others, and what they make that others, or the caller of the program, need."""
    own, made = {id(e) for e in eqns}, {v for e in eqns for v in e.outvars}
    wanted = {v for e in others if id(e) not in own for v in names(e.invars)}
    wanted.update(names(outvars))
    needed = dict.fromkeys(v for e in eqns for v in names(e.invars) if v not in made)
    return list(needed), [v for e in eqns for v in e.outvars if v in wanted]
