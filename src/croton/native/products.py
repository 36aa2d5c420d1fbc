"""Matrix products by croton's own kernel, which shares them better among cores than XLA's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.extend.core import Literal, jaxpr_as_fun

from croton.native.each import Each, arranged
from croton.native.equations import Equation, Flat, flat, multiplies, read, turns
from croton.native.fuse import Factors, fused_loop, with_product
from croton.native.library import ready, usable, wanted
from croton.native.loops import looped
from croton.native.rows import copied, taken

# A product of fewer multiplications is left to XLA; so is one that is so narrow, or that sums over so few terms, unless
# it is so small that XLA takes longer to begin than to multiply.
LEAST = 1 << 15
TERMS, NARROW, SMALL = 32, 8, 1 << 17
# A sum of fewer numbers is left to XLA, and rows of fewer in all.
SUMMED = 1 << 16
# The numbers of a right factor that a pass keeps beside it at most.
CACHED = 1 << 16


class LoopLeft(Exception):
    """There is a loop that no kernel can run whole."""


def with_products(
    function: Callable[..., Any], *arguments: Any, whole: bool = False, worth: Callable[[float], bool] | None = None
) -> Any:
    """``function(*arguments)``, the products of matrices and the loops in it by croton's kernels.

    For what is traced, not differentiated, and run when ``library.ready()``. With ``whole``, raises LoopLeft where a
    loop is left to XLA. ``worth``: whether to use kernels at all, if products outside of loops multiply so often; asked
    when the function has been traced.
    """
    if not wanted():
        if whole:
            raise LoopLeft
        return function(*arguments)
    leaves, form = jax.tree.flatten(arguments)
    closed, shape = jax.make_jaxpr(lambda *a: function(*jax.tree.unflatten(form, a)), return_shape=True)(*leaves)
    program = flat(closed)
    left = worth is not None and not worth(sum(map(_multiplications, program.eqns)))
    made = jaxpr_as_fun(closed)(*leaves) if left else _run(program, leaves, whole)
    return jax.tree.unflatten(jax.tree.structure(shape), made)


class WithKernels:
    """``function`` as a compiled function that calls kernels (``with_products``), and waits for those of its loops."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._run = jax.jit(lambda *arguments: with_products(function, *arguments))
        self._known: set[Any] = set()

    def __call__(self, *arguments: Any) -> Any:
        key = tuple([(a.shape, a.dtype) for a in jax.tree.leaves(arguments)])
        if key not in self._known:
            self._run.trace(*arguments)
            if not ready():
                self._run.clear_cache()  # type: ignore[attr-defined]
            self._known.add(key)
        return self._run(*arguments)


class _Turned:
    """A matrix that has not been turned yet: who multiplies it reads it the other way."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix


class _Product:
    """A sum of products that has not been made yet, most often of one: the factors of each."""

    def __init__(self, pairs: Sequence[Factors]) -> None:
        self.pairs = pairs
        (a, first), (b, second) = pairs[0]
        self.shape: tuple[int, int] = a.shape[first], b.shape[not second]
        self.terms: list[int] = [a.shape[not first] for (a, first), _ in pairs]

    def turned(self) -> _Product:
        return _Product([((b, not second), (a, not first)) for (a, first), (b, second) in self.pairs])

    def plus(self, other: _Product) -> _Product:
        return _Product([*self.pairs, *other.pairs])

    def made(self) -> Any:
        one, *more = map(self._made, self.pairs, self.terms)
        return reduce(lax.add, more, one)

    def _made(self, factors: Factors, terms: int) -> Any:
        (a, first), (b, second) = factors
        work = prod(self.shape) * terms
        if self.shape[0] == 1:  # a row: b is divided by its rows
            fits = min(b.shape) >= NARROW and b.shape[0] >= TERMS
        else:
            fits = min(self.shape) >= NARROW and (terms >= TERMS or work <= SMALL)
        if not (fits and work >= LEAST and usable()):
            return lax.dot_general(a, b, (((not first,), (second,)), ((), ())))
        kind = jax.ShapeDtypeStruct(self.shape, np.float32)
        return jax.ffi.ffi_call("croton_product", kind)(a, b, code=np.array([first, second], "int32"))


def _made(value: Any) -> Any:
    if isinstance(value, _Product):
        return value.made()
    return lax.transpose(value.matrix, (1, 0)) if isinstance(value, _Turned) else value


def _run(program: Flat, values: Sequence[Any], whole: bool = False) -> list[Any]:
    env = program.begin(values)
    users: dict[Any, list[Any]] = {}
    eqns = arranged(program)
    for eqn in (*eqns, None):
        for v in program.outvars if eqn is None else eqn.invars:
            if not isinstance(v, Literal):
                users.setdefault(v, []).append(eqn)
    for eqn in eqns:
        given = [read(v, env) for v in eqn.invars]
        if isinstance(eqn, Each):
            env.update(zip(eqn.outvars, eqn([_made(x) for x in given]), strict=True))
            continue
        out: Any = next(iter(eqn.outvars), None)
        use = users.get(out, [])
        if turns(eqn):
            env[out] = _other_way(given[0], _only(use, _takes))
        elif _adds(eqn) and all(isinstance(x, _Product) for x in given):
            total = given[0].plus(given[1])
            env[out] = total if _only(use, _takes) else total.made()
        elif _multiplies(eqn):
            product = _product(eqn, given)
            if out.aval.ndim > 2:
                env[out] = product.made().reshape(out.aval.shape)
            elif _only(use, _takes):
                env[out] = product
            else:
                all_turn = use and all(_is(e, turns) for e in use)
                env[out] = _Turned(product.turned().made()) if all_turn else product.made()
        elif _steps(eqn) and (place := _product_in(given)) is not None:
            others = [None if k == place else _made(x) for k, x in enumerate(given)]
            results = with_product(others, place, given[place].pairs, eqn.params["loop"])
            env.update(zip(eqn.outvars, results, strict=True))
        else:
            env.update(zip(eqn.outvars, _other(eqn, [_made(x) for x in given], whole), strict=True))
    return [_made(read(v, env)) for v in program.outvars]


def _only(users: Sequence[Any], kind: Callable[[Any], bool]) -> bool:
    """Whether there is one user, and of this kind."""
    return len(users) == 1 and _is(users[0], kind)


def _is(user: Any, kind: Callable[[Any], bool]) -> bool:
    return isinstance(user, Equation) and kind(user)


def _other_way(x: Any, kept: bool) -> Any:
    if isinstance(x, _Product):
        return x.turned() if kept else x.turned().made()
    return x.matrix if isinstance(x, _Turned) else _Turned(x)


def _product_in(given: Sequence[Any]) -> int | None:
    """The place of a product that a loop can make itself, its right factor staying in the cache."""
    for k, x in enumerate(given):
        if not isinstance(x, _Product) or sum(x.terms) * (x.shape[1] + 15) > CACHED:
            continue
        if min(x.terms) >= NARROW or x.terms == [1]:  # one term is no work
            return k
    return None


def _other(eqn: Any, values: Sequence[Any], whole: bool) -> list[Any]:
    name = eqn.primitive.name
    if _sums(eqn) and usable():
        return [jax.ffi.ffi_call("croton_sums", _kind(eqn.outvars[0]))(*values, code=np.array([], "int32"))]
    if _takes_rows(eqn) and copied(eqn.invars[0].aval):
        x, start, count = *values[:2], eqn.outvars[0].aval.shape[0]
        first = lax.clamp(start.dtype.type(0), start, start.dtype.type(x.shape[0] - count))
        return [taken(x, lax.convert_element_type(first, "int32") + lax.iota("int32", count))]
    if name == "scan" and (results := looped(eqn, values)) is not None:
        return results
    if name in ("scan", "while"):
        if whole:
            raise LoopLeft
        body = "jaxpr" if name == "scan" else "body_jaxpr"
        made: list[Any] = eqn.bind(values, **{body: _with_products(eqn.params[body])})
        return made
    return list(eqn.bind(values))


def _with_products(closed: Any) -> Any:
    kinds = [_kind(v) for v in closed.jaxpr.invars]
    return jax.make_jaxpr(lambda *a: _run(flat(closed), a))(*kinds)


def _kind(v: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype)


def _sums(eqn: Any) -> bool:
    """Whether this is a large sum over all axes but the last."""
    if eqn.primitive.name != "reduce_sum":
        return False
    x = eqn.invars[0].aval
    return x.dtype == np.float32 and x.size >= SUMMED and eqn.params["axes"] == tuple(range(x.ndim - 1)) != ()


def _takes_rows(eqn: Any) -> bool:
    """Whether this takes many of an array's rows, one after the other."""
    if eqn.primitive.name != "dynamic_slice" or eqn.outvars[0].aval.size < SUMMED:
        return False
    x, start, out = eqn.invars[0].aval, eqn.invars[1].aval, eqn.outvars[0].aval
    counted = start.dtype in (np.int32, np.int64) and x.shape[0] < 1 << 31
    return counted and x.shape[1:] == out.shape[1:]


def _steps(eqn: Any) -> bool:
    return eqn.primitive is fused_loop


def _adds(eqn: Any) -> bool:
    """Whether this is a sum of two arrays of one shape."""
    return eqn.primitive.name in ("add", "add_any") and eqn.invars[0].aval.shape == eqn.invars[1].aval.shape


def _takes(eqn: Any) -> bool:
    """Whether this may take a product that has not been made yet."""
    return _steps(eqn) or _adds(eqn) or turns(eqn)


def _multiplies(eqn: Any) -> bool:
    """Whether this is a product of matrices, of which some axes may have to be taken as one."""
    if not multiplies(eqn):
        return False
    (over, to), _ = eqn.params["dimension_numbers"]
    a, b = (v.aval for v in eqn.invars)
    rows = a.ndim >= 2 == b.ndim and len(over) == 1 and over[0] in ((0, 1) if a.ndim == 2 else (a.ndim - 1,))
    sums = a.ndim == b.ndim > 2 and over == to == tuple(range(a.ndim - 1))
    return rows or sums


def _multiplications(eqn: Any) -> float:
    if not _multiplies(eqn):
        return 0
    (over, _), _ = eqn.params["dimension_numbers"]
    x = eqn.invars[0].aval
    return float(eqn.outvars[0].aval.size) * prod(x.shape[k] for k in over)


def _product(eqn: Any, given: Sequence[Any]) -> _Product:
    (over, to), _ = eqn.params["dimension_numbers"]
    factors = []
    for x, axes, first in zip(given, (over, to), (True, False), strict=True):
        if isinstance(x, _Turned):
            factors.append((x.matrix, (axes[0] == 0) != first))
            continue
        x = _made(x)
        swapped = (axes[0] == 0) == first
        factors.append((x.reshape(prod(x.shape[:-1]), x.shape[-1]) if x.ndim > 2 else x, swapped))
    return _Product([(factors[0], factors[1])])
