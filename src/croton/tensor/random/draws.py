"""The draws as ops: values that are pure functions of a stream's state, a size and parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from croton.graph.core import Apply, Constant, Type, Variable
from croton.tensor.basic import TensorOp
from croton.tensor.random.bits import STATE_WORDS, advanced, below, key_of, unit, wide
from croton.tensor.types import Shape as StaticShape
from croton.tensor.types import TensorType

STATE = TensorType("uint32", shape=(STATE_WORDS,))
Shape = tuple[int, ...]

# --- the distributions: (state, shape, dtype, *parameters) -> values ---


def _uniform(state: Any, shape: Shape, dtype: str, low: Any, high: Any) -> Any:
    u = unit(state, shape, dtype)
    if _is(low, 0) and _is(high, 1):
        return u
    # Rounding must not bring a value onto a bound.
    inside = jnp.clip(low + (high - low) * u, jnp.nextafter(low, high), jnp.nextafter(high, low))
    return jnp.where(low < high, inside, low)


def _normal(state: Any, shape: Shape, dtype: str, avg: Any, std: Any) -> Any:
    return _scaled(_standard(state, shape, dtype, 1.0), avg, std)


def _truncated(state: Any, shape: Shape, dtype: str, avg: Any, std: Any) -> Any:
    inside = 0.9544997361036416  # erf(sqrt(2)): the part of a normal distribution within two standard deviations
    return _scaled(jnp.clip(_standard(state, shape, dtype, inside), -2, 2), avg, std)


def _standard(state: Any, shape: Shape, dtype: str, part: float) -> Any:
    """The inverse of the normal distribution function, on its middle ``part``."""
    exact = "float64" if dtype == "float64" else "float32"
    v = 2 * unit(state, shape, exact) - 1
    return (np.asarray(2**0.5, exact) * lax.erf_inv(np.asarray(part, exact) * v)).astype(dtype)


def _scaled(z: Any, avg: Any, std: Any) -> Any:
    return z if _is(avg, 0) and _is(std, 1) else avg + std * z


def _bernoulli(state: Any, shape: Shape, dtype: str, p: Any) -> Any:
    one = jnp.ones((), dtype)
    return jnp.where(below(state, shape, p), one, jnp.zeros_like(one))


def _binomial(state: Any, shape: Shape, dtype: str, n: Any, p: Any) -> Any:
    return jax.random.binomial(key_of(state), n.astype("float64"), p.astype("float64"), shape, "float64").astype(dtype)


def _poisson(state: Any, shape: Shape, dtype: str, lam: Any) -> Any:
    return jax.random.poisson(key_of(state), lam.astype("float64"), shape, "int64").astype(dtype)


def _integers(state: Any, shape: Shape, dtype: str, low: Any, high: Any) -> Any:
    span = (high - low).astype("uint64") + np.uint64(1)
    number = wide(state, shape)
    # All of 64 bits wrap to a span of 0.
    return (low + jnp.where(span == 0, number, number % jnp.maximum(span, 1)).astype("int64")).astype(dtype)


def _permutation(state: Any, shape: Shape, dtype: str, n: Any) -> Any:
    return jnp.argsort(wide(state, (*shape, int(n))), axis=-1).astype(dtype)


def _category(u: Any, p: Any) -> Any:
    """Which of the categories along the last axis of ``p``, by inverting the distribution function at ``u``."""
    edges = jnp.cumsum(p.astype("float64"), axis=-1)
    return jnp.minimum((edges <= u[..., None] * edges[..., -1:]).sum(axis=-1), p.shape[-1] - 1)


# So many trials are made one by one; for more, one binomial draw for each category is quicker, but slow to compile.
_TRIALS = 64


def _multinomial(state: Any, shape: Shape, dtype: str, n: Any, p: Any) -> Any:
    if not isinstance(n, np.ndarray) or n.max(initial=0) > _TRIALS:
        chances = jnp.broadcast_to(p.astype("float64"), (*shape, p.shape[-1]))
        chances = chances / chances.sum(axis=-1, keepdims=True)
        trials = jnp.broadcast_to(n.astype("float64"), shape)
        return jax.random.multinomial(key_of(state), trials, chances, dtype="float64").astype(dtype)
    most = int(n.max(initial=0))
    u = unit(state, (most, *shape), "float64")
    limit = jnp.broadcast_to(jnp.asarray(n), shape)[..., None]

    def trial(k: Any, counts: Any) -> Any:
        hit = (_category(u[k], p)[..., None] == np.arange(p.shape[-1])) & (k < limit)
        return counts + jnp.where(hit, jnp.ones((), dtype), jnp.zeros((), dtype))

    counts = jnp.zeros((*shape, p.shape[-1]), dtype)
    return trial(0, counts) if most == 1 else lax.fori_loop(0, most, trial, counts)


def _choice(state: Any, shape: Shape, dtype: str, a: Any, *p: Any) -> Any:
    if p:
        return _picked(a, _category(unit(state, shape, "float64"), p[0]), dtype)
    count = int(a) if a.ndim == 0 else a.shape[0]
    return _picked(a, (wide(state, shape) % np.uint64(count)).astype("int64"), dtype)


def _sample(state: Any, shape: Shape, dtype: str, a: Any, *p: Any) -> Any:
    """Without replacement: the least of random keys, which are exponential with rates ``p`` where these are given."""
    count, wanted = (int(a) if a.ndim == 0 else a.shape[0]), int(np.prod(shape))
    order = _race(state, p[0]) if p else jnp.argsort(wide(state, (count,)))
    return _picked(a, order[:wanted].reshape(shape), dtype)


def _rows(state: Any, shape: Shape, dtype: str, p: Any) -> Any:
    return _race(state, p)[:, : shape[1]].astype(dtype)


def _race(state: Any, p: Any) -> Any:
    """The categories in the order of exponential times with rates ``p``: successive draws without replacement."""
    p = p.astype("float64")
    times = -jnp.log(unit(state, p.shape, "float64")) / jnp.where(p > 0, p, 1)
    return jnp.argsort(jnp.where(p > 0, times, jnp.inf), axis=-1)


def _picked(a: Any, index: Any, dtype: str) -> Any:
    return (index if a.ndim == 0 else jnp.asarray(a)[index]).astype(dtype)


def _is(value: Any, number: float) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 0 and value == number


# Positions of parameters, what must hold of them, in words.
Limit = tuple[tuple[int, ...], Callable[..., Any], str]


class Kind(NamedTuple):
    """A distribution: what computes it, its parameters' names, what must hold of them, and how their shapes relate to
    the result's: ``tail`` dimensions of theirs come after those that broadcast; None where nothing broadcasts.
    """

    meaning: Callable[..., Any]
    parameters: tuple[str, ...]
    limits: tuple[Limit, ...] = ()
    tail: tuple[int, ...] | None = None
    # How many dimensions the result has besides those of the size.
    added: int = 0


def _probability(k: int) -> Limit:
    return (k,), lambda p: (p >= 0) & (p <= 1), "must lie between 0 and 1"


def _not_negative(k: int) -> Limit:
    return (k,), lambda v: v >= 0, "must not be negative"


def _total(k: int) -> Limit:
    return (k,), lambda p: abs(p.sum(axis=-1) - 1) < 1e-3, "must add up to 1 along the last axis"


_ORDERED: Limit = (0, 1), lambda low, high: low <= high, "must not be greater than high"

KINDS: dict[str, Kind] = {
    "uniform": Kind(_uniform, ("low", "high"), (_ORDERED,), (0, 0)),
    "normal": Kind(_normal, ("avg", "std"), (_not_negative(1),), (0, 0)),
    "truncated_normal": Kind(_truncated, ("avg", "std"), (_not_negative(1),), (0, 0)),
    "bernoulli": Kind(_bernoulli, ("p",), (_probability(0),), (0,)),
    "binomial": Kind(_binomial, ("n", "p"), (_not_negative(0), _probability(1)), (0, 0)),
    "poisson": Kind(_poisson, ("lam",), (_not_negative(0),), (0,)),
    "random_integers": Kind(_integers, ("low", "high"), (_ORDERED,), (0, 0)),
    "multinomial": Kind(_multinomial, ("n", "pvals"), (_not_negative(0), _probability(1), _total(1)), (0, 1), 1),
    "permutation": Kind(_permutation, ("n",), (_not_negative(0),), None, 1),
    "choice": Kind(_choice, ("a", "p"), (_probability(1), _total(1))),
    "choice_without_replacement": Kind(_sample, ("a", "p"), (_probability(1), _total(1))),
    "choice_by_rows": Kind(_rows, ("p",), (_probability(0), _total(0))),
}
# Scalars that say how long the result is.
_COUNTS = ("permutation", "choice", "choice_without_replacement")


@dataclass(frozen=True)
class Advance(TensorOp):
    """The state of a stream after one more draw."""

    def output_types(self, state: Variable) -> Sequence[Type]:
        return [STATE]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return advanced(jnp.asarray(values[0]))


@dataclass(frozen=True)
class Draw(TensorOp):
    """Random numbers: of a state, a size (an int64 vector) and a distribution's parameters.

    Equal inputs give equal numbers, so that a value and its gradient see one draw. No derivative by the parameters
    is defined: asking for one raises NullTypeGradError.
    """

    kind: str
    dtype: str
    # The static lengths of the result.
    lengths: StaticShape
    undefined: ClassVar[bool] = True

    def output_types(self, state: Variable, size: Variable, *parameters: Variable) -> Sequence[Type]:
        return [TensorType(self.dtype, shape=self.lengths)]

    def structural(self, node: Apply) -> Sequence[Variable]:
        counts = node.inputs[2:3] if self.kind in _COUNTS and node.inputs[2].type.ndim == 0 else ()  # type: ignore[attr-defined]
        return node.inputs[1], *counts

    def connected(self, node: Apply) -> Sequence[bool]:
        own = self.structural(node)
        return [False, False, *[v not in own for v in node.inputs[2:]]]

    def checked(self, node: Apply) -> Sequence[Variable]:
        """The scalar parameters that are held against their limits when the program runs."""
        return [v for _, variables, _, _ in self._limits(node) for v in variables]

    def _limits(self, node: Apply) -> list[tuple[tuple[int, ...], list[Variable], Callable[..., Any], str]]:
        parameters = node.inputs[2:]
        found = []
        for places, holds, words in KINDS[self.kind].limits:
            own = [parameters[k] for k in places if k < len(parameters)]
            known = all(isinstance(v, Constant) for v in own)
            if own and not known and all(v.type.ndim == 0 for v in own):  # type: ignore[attr-defined]
                found.append((places, own, holds, words))
        return found

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        state, size, *parameters = values
        kind = KINDS[self.kind]
        shape = tuple(int(n) for n in size)
        if any(n < 0 for n in shape):
            raise ValueError(f"{self.kind}: the size {shape} has a negative length")
        if len(shape) + kind.added != len(self.lengths):
            raise ValueError(
                f"{self.kind}: a size of {len(shape)} dimensions where {len(self.lengths) - kind.added} were promised"
            )
        self._check_shapes(kind, shape, parameters)
        for places, _, holds, words in self._limits(node):
            own = [parameters[k] for k in places]
            message = f"{self.kind}: {kind.parameters[places[0]]} {words}"
            context.check(jnp.asarray(holds(*own)), node, lambda message=message: ValueError(message))
        held = [p if isinstance(p, np.ndarray) else lax.stop_gradient(p) for p in parameters]
        # What jax.random draws would be another thing under another setting of JAX's.
        with jax.threefry_partitionable(True):
            return kind.meaning(jnp.asarray(state), shape, self.dtype, *held)

    def _check_shapes(self, kind: Kind, shape: Shape, parameters: Sequence[Any]) -> None:
        for k, p in enumerate(parameters if kind.tail is not None else ()):
            own = tuple(p.shape)[: p.ndim - kind.tail[k]]  # type: ignore[index]
            if len(own) > len(shape) or any(n not in (1, m) for n, m in zip(own[::-1], shape[::-1], strict=False)):
                raise ValueError(
                    f"{self.kind}: {kind.parameters[k]} of shape {tuple(p.shape)} does not spread over the size {shape}"
                )
        if self.kind.startswith("choice"):
            _check_choice(self.kind, shape, parameters)

    def __str__(self) -> str:
        return f"random.{self.kind}"


def _check_choice(kind: str, shape: Shape, parameters: Sequence[Any]) -> None:
    """ValueError where there is too little to choose from."""
    first, *rest = parameters
    by_rows = kind == "choice_by_rows"
    count = first.shape[1] if by_rows else int(first) if first.ndim == 0 else first.shape[0]
    if rest and rest[0].shape != (count,):
        raise ValueError(f"choice: p has shape {tuple(rest[0].shape)} where there are {count} values to choose from")
    wanted = shape[1] if by_rows else int(np.prod(shape))
    if wanted > count and kind != "choice":
        raise ValueError(f"choice: {wanted} of {count} values cannot be taken without replacement")
    if wanted and count < 1:
        raise ValueError("choice: there is nothing to choose from")


def check_constants(kind: str, parameters: Sequence[Variable]) -> None:
    """ValueError where parameters that are constants break their distribution's limits."""
    for places, holds, words in KINDS[kind].limits:
        own = [parameters[k] for k in places if k < len(parameters)]
        if own and all(isinstance(v, Constant) for v in own):
            data = [np.asarray(v.data) for v in own]  # type: ignore[attr-defined]
            if not np.all(holds(*data)):
                raise ValueError(
                    f"{kind}: {KINDS[kind].parameters[places[0]]} {words}, got {' and '.join(map(str, own))}"
                )
