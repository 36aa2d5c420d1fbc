"""Traced programs, run again equation by equation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax.extend.core import Literal

# Primitives that are a program of their own within a program.
_CALLS = frozenset({"jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call"})

Env = dict[Any, Any]


def inner(eqn: Any) -> Any:
    """The program that an equation calls, or None."""
    return eqn.params.get("jaxpr", eqn.params.get("call_jaxpr")) if eqn.primitive.name in _CALLS else None


def read(v: Any, env: Env) -> Any:
    """The value of a variable or of a number."""
    return v.val if isinstance(v, Literal) else env[v]


def bind(eqn: Any, values: Sequence[Any], **changed: Any) -> list[Any]:
    """The results of an equation on these values, with some of its parameters changed."""
    with eqn.ctx.manager:
        made = eqn.primitive.bind(*values, **{**eqn.params, **changed})
    return list(made) if eqn.primitive.multiple_results else [made]


def begin(jaxpr: Any, consts: Sequence[Any], values: Sequence[Any]) -> Env:
    """What is known when a program begins."""
    return dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *values], strict=True))


def run(eqn: Any, env: Env) -> None:
    """Run one equation, the programs it calls as if written out."""
    values, of = [read(v, env) for v in eqn.invars], inner(eqn)
    results = bind(eqn, values) if of is None else inlined(of.jaxpr, of.consts, values)
    env.update(zip(eqn.outvars, results, strict=True))


def scanned(params: Any) -> tuple[int, int]:
    """How many of a ``scan`` equation's arguments are the same in all steps, and how many are carried."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    # So JAX has it from 0.12 on.
    consts, carried, _ = (len(list(part)) for part in params["ft_in"].unpack())
    return consts, carried


def inlined(jaxpr: Any, consts: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The results of a program whose calls are written out."""
    env = begin(jaxpr, consts, values)
    for eqn in jaxpr.eqns:
        run(eqn, env)
    return [read(v, env) for v in jaxpr.outvars]
