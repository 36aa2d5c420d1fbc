"""Which axes of a program's arrays are examples and which are features, found out from one reduction over features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import prod
from typing import Any

from jax.extend.core import Literal

from croton.native.equations import Equation, Name
from croton.native.written import ROWWISE

# What each axis of an array is: "E", one of those of the examples; "F", that of their features; "", of length 1.
Role = tuple[str, ...]
FOLDS = {"reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min", "reduce_and": "and", "reduce_or": "or"}
SAME = ("reshape", "squeeze", "expand_dims")


class Space:
    """The roles that follow from those of a reduction's argument, which has ``examples`` rows of ``features`` numbers.

    The examples' axes lie together, in the same order in all arrays.
    """

    def __init__(self, eqns: Sequence[Equation], of: Any, axis: int) -> None:
        shape = of.aval.shape
        self.features = shape[axis]
        self.examples = prod(shape) // max(self.features, 1)
        self.roles: dict[Any, Role] = {}
        self._note(of, tuple("F" if k == axis else "E" * (size != 1) for k, size in enumerate(shape)))
        before = -1
        while before != len(self.roles):
            before = len(self.roles)
            for eqn in (*eqns, *reversed(eqns)):
                self._spread(eqn)

    def role(self, v: Any) -> Role | None:
        """The role of a variable or number; None where it has none here."""
        if v.aval.shape == ():
            return ()
        return None if isinstance(v, Literal) else self.roles.get(v)

    def kind(self, eqn: Equation) -> str | None:
        """What an equation does here: "map", "view", "iota", "fold" features, or "end" with a reduction of examples."""
        given, made = [self.role(v) for v in eqn.invars], [self.role(v) for v in eqn.outvars]
        if len(made) != 1 or any(role is None for role in (*given, *made)):
            return None
        name, out, role = eqn.primitive.name, made[0], given[0] if given else ()
        assert role is not None and out is not None
        if name == "iota":
            return "iota" if out[eqn.params["dimension"]] == "F" else None
        if name == "broadcast_in_dim":
            good = [not r or out[k] == r for r, k in zip(role, eqn.params["broadcast_dimensions"], strict=True)]
            return "view" if len(given) == 1 and all(good) and any(out) else None
        if name in SAME or name == "transpose":
            return "view" if any(out) and self._follows(eqn, role) == out else None
        if name in FOLDS:
            gone = {role[k] for k in eqn.params["axes"]} - {""}
            if self._follows(eqn, role) != out:
                return None
            if not gone:
                return "view" if any(out) else None
            return None if "E" not in role else "end" if "E" in gone else "fold"
        same = all(r in ((), _narrowed(out, v.aval.shape)) for r, v in zip(given, eqn.invars, strict=True))
        return "map" if name in ROWWISE and "E" in out and same else None

    # --- finding roles ---

    def _note(self, v: Any, role: Role | None) -> None:
        if role is None or isinstance(v, Literal) or v in self.roles or v.aval.shape == ():
            return
        shape = v.aval.shape
        sizes = {
            kind: prod(n for n, r in zip(shape, role, strict=True) if r == kind) for kind in ("E", "F") if kind in role
        }
        right = all(n == (self.examples if kind == "E" else self.features) for kind, n in sizes.items())
        right = right and role.count("F") <= 1
        if right and _order(role) is not None and all(r or n == 1 for r, n in zip(role, shape, strict=True)):
            self.roles[v] = role

    def _spread(self, eqn: Equation) -> None:
        name = eqn.primitive.name
        if len(eqn.outvars) != 1 or not eqn.invars:
            return
        [out], v = eqn.outvars, eqn.invars[0]
        role, made = self.role(v), self.roles.get(out)
        if name == "broadcast_in_dim":
            dims = eqn.params["broadcast_dimensions"]
            if made is not None:
                self._note(v, tuple(made[k] if n != 1 else "" for n, k in zip(v.aval.shape, dims, strict=True)))
            elif role:
                self._note(out, self._widened(role, dims, out.aval.shape))
        elif name in SAME or name in FOLDS or name == "transpose":
            if role:
                self._note(out, self._follows(eqn, role))
            elif made is not None and name not in FOLDS:
                self._note(v, self._before(eqn, made))
        elif name in ROWWISE:
            whole = [x for x in (*eqn.invars, out) if x.aval.shape == out.aval.shape]
            found = next((self.roles[x] for x in whole if isinstance(x, Name) and x in self.roles), None)
            for x in (*eqn.invars, out) if found else ():
                self._note(x, _narrowed(found, x.aval.shape))

    def _widened(self, role: Role, dims: Sequence[int], shape: Sequence[int]) -> Role | None:
        """The role of what an array is broadcast to, where it says what the new axes are."""
        out = ["" for _ in shape]
        for r, k in zip(role, dims, strict=True):
            out[k] = r
        fresh = [k for k, n in enumerate(shape) if n != 1 and not out[k]]
        if not fresh:
            return tuple(out)
        missing = "F" if "F" not in role else "E" if "E" not in role else ""
        for k in fresh:
            out[k] = missing
        return tuple(out) if missing else None

    def _follows(self, eqn: Equation, role: Role) -> Role | None:
        """The role of the result of an equation on an array of this role: of what is left of it, or shown otherwise."""
        if eqn.primitive.name in FOLDS:
            return tuple(r for k, r in enumerate(role) if k not in eqn.params["axes"])
        if eqn.primitive.name == "transpose":
            order = eqn.params["permutation"]
            examples = [k for k in order if role[k] == "E"]
            return tuple(role[k] for k in order) if examples == sorted(examples) else None
        # As Fortran goes through an array, its numbers come in another order.
        if eqn.params.get("dimensions") is not None:
            return None
        return self._fitted(eqn.outvars[0].aval.shape, _order(role) or [])

    def _before(self, eqn: Equation, made: Role) -> Role | None:
        """The role of what such a role comes from."""
        if eqn.primitive.name == "transpose":
            order = eqn.params["permutation"]
            examples = [k for k, r in zip(order, made, strict=True) if r == "E"]
            role = ["" for _ in order]
            for k, r in zip(order, made, strict=True):
                role[k] = r
            return tuple(role) if examples == sorted(examples) else None
        if eqn.params.get("dimensions") is not None:
            return None
        return self._fitted(eqn.invars[0].aval.shape, _order(made) or [])

    def _fitted(self, shape: Sequence[int], order: Sequence[str]) -> Role | None:
        """The role of an array of this shape whose numbers are of these kinds, in this order."""
        sizes, todo, role, have = {"E": self.examples, "F": self.features}, list(order), list[str](), 1
        for n in shape:
            if n == 1:
                role.append("")
                continue
            if not todo or sizes[todo[0]] % (have * n) or (todo[0] == "F" and n != self.features):
                return None
            role.append(todo[0])
            have *= n
            if have == sizes[todo[0]]:
                todo.pop(0)
                have = 1
        return tuple(role) if not todo else None


def _narrowed(role: Role | None, shape: Sequence[int]) -> Role | None:
    """The role of what goes with an array of this role: its axes of length 1 stand for any number."""
    if role is None or len(role) != len(shape):
        return None
    return tuple(r * (n != 1) for r, n in zip(role, shape, strict=True))


def _order(role: Role) -> list[str] | None:
    """The kinds of axes in their order; None where those of one kind do not lie together."""
    order = [kind for kind, _ in groupby(filter(None, role))]
    return order if len(order) == len(set(order)) else None
