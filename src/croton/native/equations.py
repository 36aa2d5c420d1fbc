"""Traced programs, their calls written out, to be run again equation by equation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.extend.core import Literal

# Primitives that are a program of their own within a program.
_CALLS = frozenset({"jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call"})

Env = dict[Any, Any]


class Name:
    """A variable of a program whose calls are written out. ``aval``: its shape and dtype."""

    def __init__(self, aval: Any) -> None:
        self.aval = aval


@dataclass(eq=False)
class Equation:
    """JAX's equation ``of`` with other variables: names, or numbers among ``invars``."""

    of: Any
    invars: list[Any]
    outvars: list[Name]

    def __post_init__(self) -> None:
        self.primitive, self.params = self.of.primitive, self.of.params

    def bind(self, values: Sequence[Any], **changed: Any) -> list[Any]:
        """The results on these values, with some of the parameters changed."""
        with self.of.ctx.manager:
            made = self.primitive.bind(*values, **{**self.params, **changed})
        return list(made) if self.primitive.multiple_results else [made]

    def run(self, env: Env) -> None:
        """Have ``env`` know the results."""
        env.update(zip(self.outvars, self.bind([read(v, env) for v in self.invars]), strict=True))


@dataclass(eq=False)
class Flat:
    """A program whose calls are written out, without what nothing needs. ``consts``: the values that stand in it."""

    invars: list[Name]
    outvars: list[Any]
    eqns: list[Equation]
    consts: Env

    def begin(self, values: Sequence[Any]) -> Env:
        """What is known when it begins."""
        return {**self.consts, **dict(zip(self.invars, values, strict=True))}


def read(v: Any, env: Env) -> Any:
    """The value of a variable or of a number."""
    return v.val if isinstance(v, Literal) else env[v]


def flat(closed: Any) -> Flat:
    """A program of JAX's with its calls written out."""
    names: dict[Any, Any] = {}
    eqns: list[Equation] = []
    consts: Env = {}

    def named(variables: Sequence[Any]) -> list[Name]:
        made = [Name(v.aval) for v in variables]
        names.update(zip(variables, made, strict=True))
        return made

    def known(variables: Sequence[Any]) -> list[Any]:
        return [v if isinstance(v, Literal) else names[v] for v in variables]

    def write(closed: Any) -> list[Any]:
        consts.update(zip(named(closed.jaxpr.constvars), closed.consts, strict=True))
        for eqn in closed.jaxpr.eqns:
            if _same(eqn):
                names.update(zip(eqn.outvars, known(eqn.invars), strict=True))
                continue
            if eqn.primitive.name not in _CALLS:
                eqns.append(Equation(eqn, known(eqn.invars), named(eqn.outvars)))
                continue
            called = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
            # One program may be called several times: each time its variables are others.
            names.update(zip(called.jaxpr.invars, known(eqn.invars), strict=True))
            names.update(zip(eqn.outvars, write(called), strict=True))
        return known(closed.jaxpr.outvars)

    invars, outvars = named(closed.jaxpr.invars), write(closed)
    return Flat(invars, outvars, _live(eqns, outvars), consts)


def _same(eqn: Any) -> bool:
    """Whether the result is the argument, which only differentiation tells apart."""
    if eqn.primitive.name == "convert_element_type":
        return bool(eqn.invars[0].aval.dtype == eqn.outvars[0].aval.dtype)
    return eqn.primitive.name == "stop_gradient"


def _live(eqns: Sequence[Equation], outvars: Sequence[Any]) -> list[Equation]:
    """The equations that the results need, and those that do more than compute."""
    needed = {v for v in outvars if isinstance(v, Name)}
    kept = []
    for eqn in reversed(eqns):
        if needed.intersection(eqn.outvars) or eqn.of.effects:
            needed.update(v for v in eqn.invars if isinstance(v, Name))
            kept.append(eqn)
    return kept[::-1]


def multiplies(eqn: Any) -> bool:
    """Whether an equation is one product of arrays of single precision."""
    if eqn.primitive.name != "dot_general" or eqn.params["dimension_numbers"][1] != ((), ()):
        return False
    return all(v.aval.dtype == np.float32 for v in (*eqn.invars, *eqn.outvars))


def turns(eqn: Any) -> bool:
    """Whether an equation exchanges the axes of a matrix."""
    return bool(eqn.primitive.name == "transpose" and eqn.params["permutation"] == (1, 0))


def scanned(params: Any) -> tuple[int, int]:
    """How many of a ``scan`` equation's arguments are the same in all steps, and how many are carried."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    # So JAX has it from 0.12 on.
    consts, carried, _ = (len(list(part)) for part in params["ft_in"].unpack())
    return consts, carried
