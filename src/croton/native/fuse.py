"""Elementwise expressions of several results as one loop of C, for which XLA's CPU compiler makes one after the other.

XLA writes each result in a loop of its own, which reads all that the result is made of: RMSProp with momentum reads its
arrays four times. Here a group of equations becomes a C function, compiled once for all networks, since the numbers in
it are arguments; a gradient that is a product of matrices is made as it goes, some rows at a time (``products``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal, Primitive
from jax.interpreters import mlir

from croton.native.equations import Flat, Name, flat, read
from croton.native.groups import Group, edges, grouped
from croton.native.library import compiled_loop, usable, wanted
from croton.native.written import HEAD, WRITTEN

# A result of fewer elements is left to XLA: it stays in the processor's nearest cache.
LEAST = 1 << 12
# The arrays of a loop at most, as in kernels.cc.
MOST = 64
# A loop of elementwise code, around what is written for it.
LOOP = """extern "C" void loop(long n, float* const* at, const float* number) {{
{begin}
EACH for (long i = 0; i < n; i++) {{
{body}
}}
}}
"""


def fused(function: Callable[..., Any], state: Any, *others: Any) -> Any:
    """``function(state, *others)``, the next state, with elementwise expressions of several results as one loop each.

    For what is traced, not differentiated, and run when ``library.ready()``. ``state`` and the result are trees of the
    same arrays; a new value is written over the old one. What is not traced, is not for a CPU, or tells somebody of its
    values, is called as it is.
    """
    leaves, form = jax.tree.flatten((state, others))
    if not wanted() or not any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return function(state, *others)

    def called(*a: Any) -> Any:
        state, others = jax.tree.unflatten(form, a)
        return function(state, *others)

    closed, shape = jax.make_jaxpr(called, return_shape=True)(*leaves)
    if closed.effects:
        return function(state, *others)
    program = flat(closed)
    env = program.begin(leaves)
    # What an old value may be written over with: the new one in the same place of the state.
    room = {new: old for new, old in zip(program.outvars, program.invars, strict=False) if isinstance(new, Name)}
    for group in grouped(program.eqns, _fits):
        made = _loop_of(group, program, room)
        if made is None:
            for eqn in group.eqns:
                eqn.run(env)
        else:
            given = [env[v] for v in made.arguments]
            results = fused_loop.bind(*given, loop=made, turned=())
            env.update(zip(made.results, results, strict=True))
    return jax.tree.unflatten(jax.tree.structure(shape), [read(v, env) for v in program.outvars])


# --- groups ---


def _fits(eqn: Any) -> bool:
    if len(eqn.outvars) != 1:
        return False
    name, shape = eqn.primitive.name, eqn.outvars[0].aval.shape
    if name == "broadcast_in_dim":
        known = eqn.invars[0].aval.shape == ()
    elif name == "integer_pow":
        known = eqn.params["y"] == 2
    elif name == "select_n":
        known = len(eqn.invars) == 3
    else:
        known = name in WRITTEN
    return (
        known
        and prod(shape) >= LEAST
        and all(v.aval.dtype in (np.float32, np.bool_) for v in (*eqn.invars, *eqn.outvars))
        and all(v.aval.shape in ((), shape) for v in eqn.invars)
    )


def _loop_of(group: Group, program: Flat, room: dict[Any, Any]) -> Loop | None:
    """The group as a loop; None where XLA does as well, or what goes in or out is no array of numbers."""
    needed, results = edges(group.eqns, program.eqns, program.outvars)
    arguments = sorted(needed, key=lambda v: not v.aval.shape)
    fine = (
        group.fits
        and results
        and len(arguments) + len(results) <= MOST
        and all(v.aval.dtype == np.float32 for v in (*results, *arguments))
    )
    # One result is worth a loop where a gradient can become part of it that is a product of matrices.
    if not fine or (len(results) == 1 and results[0].aval.ndim != 2) or not usable():
        return None
    return Loop(group.eqns, arguments, results, room)


# --- one loop ---


class Loop:
    """Elementwise equations, with their arguments, arrays before scalars, and their results.

    ``aliases``: (place of an argument, place of the result that is written over it).
    """

    def __init__(self, eqns: Sequence[Any], arguments: Sequence[Any], results: Sequence[Any], room: Any) -> None:
        self.eqns, self.arguments, self.results = eqns, arguments, results
        places = {v: k for k, v in enumerate(arguments)}
        old = [(places.get(room.get(v)), k) for k, v in enumerate(results)]
        self.aliases = [(i, k) for i, k in old if i is not None and arguments[i].aval.shape == results[k].aval.shape]

    @property
    def kinds(self) -> list[jax.ShapeDtypeStruct]:
        return [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in self.results]

    def plain(self, *arguments: Any) -> list[Any]:
        """The results by XLA."""
        env = dict(zip(self.arguments, arguments, strict=True))
        for eqn in self.eqns:
            eqn.run(env)
        return [env[v] for v in self.results]

    def written(self) -> tuple[str, list[float]]:
        """The loop in C, of arrays ``at[k]`` and scalars ``number[k]``, and the scalars that stand in it."""
        arrays = sum(v.aval.shape != () for v in self.arguments)
        names: dict[Any, str] = {v: f"x{k}" for k, v in enumerate(self.arguments)}
        lines = [f"const float x{k} = at[{k}][i];" for k in range(arrays)]
        # Read before the loop: in it they could be what it writes.
        begin = [f"const float x{k} = number[{k - arrays}];" for k in range(arrays, len(self.arguments))]
        literals: list[float] = []
        for k, eqn in enumerate(self.eqns):
            values = []
            for v in eqn.invars:
                if isinstance(v, Literal):
                    place = len(begin)
                    begin.append(f"const float z{place} = number[{place}];")
                    values.append(f"z{place}")
                    literals.append(float(v.val))
                else:
                    values.append(names[v])
            kind = "int" if eqn.outvars[0].aval.dtype == np.bool_ else "float"
            names[eqn.outvars[0]] = f"y{k}"
            lines.append(f"const {kind} y{k} = {WRITTEN[eqn.primitive.name].format(*values)};")
        lines += [f"at[{arrays + k}][i] = {names[v]};" for k, v in enumerate(self.results)]
        return LOOP.format(begin="\n".join(begin), body="\n".join(lines)), literals


# The two factors of a product of matrices, and whether the axes of each have to be exchanged.
Factors = tuple[tuple[Any, bool], tuple[Any, bool]]
Turned = tuple[tuple[bool, bool], ...]
# Arguments: those of ``loop``. If there is something in ``turned``, the first is a sum of products, whose factors stand
# there: of each two it says whether their axes have to be exchanged.
fused_loop = Primitive("croton_fused")
fused_loop.multiple_results = True


def with_product(values: Sequence[Any], place: int, pairs: Sequence[Factors], of: Loop) -> list[Any]:
    """The loop's results on these values, the one at ``place`` being the sum of the products of these factors."""
    factors = [x for pair in pairs for x, _ in pair]
    order = [place, *[k for k in range(len(values)) if k != place]]
    # What the product is made of cannot be written over while it is made.
    room = {
        of.results[k]: of.arguments[i] for i, k in of.aliases if i != place and all(values[i] is not x for x in factors)
    }
    moved = Loop(of.eqns, [of.arguments[k] for k in order], of.results, room)
    turned = tuple((one, other) for (_, one), (_, other) in pairs)
    made: list[Any] = fused_loop.bind(*factors, *[values[k] for k in order[1:]], loop=moved, turned=turned)
    return made


@fused_loop.def_abstract_eval
def _shapes(*arguments: Any, loop: Loop, turned: Any) -> list[Any]:
    return [jax.core.ShapedArray(kind.shape, kind.dtype) for kind in loop.kinds]


def _lowered(*arguments: Any, loop: Loop, turned: Turned) -> list[Any]:
    if not turned and len(loop.results) == 1:
        return loop.plain(*arguments)
    source, literals = loop.written()
    head = [*compiled_loop(HEAD + source), len(turned), *(x for pair in turned for x in pair)]
    more = max(2 * len(turned) - 1, 0)
    call = jax.ffi.ffi_call("croton_fused", loop.kinds, input_output_aliases={i + more: k for i, k in loop.aliases})
    return list(call(*arguments, *map(np.float32, literals), code=np.array(head, "int32")))


def _by_xla(*arguments: Any, loop: Loop, turned: Turned) -> list[Any]:
    if not turned:
        return loop.plain(*arguments)
    products = [
        jax.lax.dot_general(a, b, (((not first,), (second,)), ((), ())))
        for a, b, (first, second) in zip(arguments[::2], arguments[1::2], turned, strict=False)
    ]
    return loop.plain(reduce(jax.lax.add, products), *arguments[2 * len(turned) :])


mlir.register_lowering(fused_loop, mlir.lower_fun(_by_xla, multiple_results=True))
mlir.register_lowering(fused_loop, mlir.lower_fun(_lowered, multiple_results=True), platform="cpu")
