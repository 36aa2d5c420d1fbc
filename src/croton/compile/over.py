"""Many calls of a function inside one XLA program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

import jax
import numpy as np

from croton.compile.program import Program, raise_failed, store, turn
from croton.compile.signals import hear
from croton.compile.wide import wide
from croton.native.products import WithKernels
from croton.sparse.types import SparseType


@wide
def run_over(
    program: Program, filters: Sequence[Callable[[Any], np.ndarray]], sequences: Sequence[Any], name: str
) -> list[np.ndarray]:
    """The stacked outputs of the calls whose arguments the sequences give, updates carried from each to the next."""
    _refuse_sparse(program, name)
    columns = _columns(filters, sequences, name)
    with turn:
        if program.eager:
            return _one_by_one(program, columns)
        runs = _runs(program, columns)
        carry = program.shared_values()
        if not _steady(program, runs, columns, carry):
            return _one_by_one(program, columns)
        pieces: list[list[Any]] = []
        failures: list[Any] = []
        for key, first, last, starts in runs:
            outputs, news, flags, errors = _run(program, key, starts, [c[first:last] for c in columns], carry)
            carry = [*carry[: program.first_updated], *news]
            pieces.append(outputs)
            failures.append((flags, errors))
        if program.tells:
            hear((pieces, carry))
        for flags, errors in failures:
            if errors:
                raise_failed(np.asarray(flags).all(axis=0), errors)
        # The program may still be reading the caller's own arrays.
        jax.block_until_ready(carry)
        store(program.written, carry[program.first_updated :])
        return [np.concatenate([np.asarray(p[k]) for p in pieces]) for k in range(len(program.outputs))]


def _refuse_sparse(program: Program, name: str) -> None:
    for v in (*program.inputs, *program.outputs, *program.updated):
        if isinstance(v.type, SparseType):
            raise NotImplementedError(
                f"over: function {name!r} has the sparse {v} as an input, an output or an update: calls whose sparse "
                "matrices differ in their entries do not stack; call the function once for each"
            )


def _columns(filters: Sequence[Callable[[Any], np.ndarray]], sequences: Sequence[Any], name: str) -> list[Any]:
    if len(sequences) != len(filters):
        raise TypeError(
            f"over: function {name!r} has {len(filters)} inputs, {len(sequences)} sequences were given: one for each"
        )
    if not sequences:
        raise TypeError(
            f"over: function {name!r} has no inputs, so nothing says how often to call it: give it an input"
        )
    columns = [_column(accept, sequence, name) for accept, sequence in zip(filters, sequences, strict=True)]
    lengths = {len(c) for c in columns}
    if len(lengths) > 1:
        raise ValueError(
            f"over: the sequences have lengths {', '.join(str(len(c)) for c in columns)}: they must be equal"
        )
    if lengths == {0}:
        raise ValueError("over: the sequences are empty: there is no call to make")
    return columns


def _column(accept: Callable[[Any], np.ndarray], sequence: Any, name: str) -> Any:
    """The values of one argument, checked: one array where a single check serves all of them, else a list."""
    if not isinstance(sequence, Iterable):
        raise TypeError(f"over: function {name!r} takes a sequence for each input, such as range(n), not {sequence!r}")
    if isinstance(sequence, range) and sequence:
        first, _ = accept(sequence[0]), accept(sequence[-1])
        return np.arange(sequence.start, sequence.stop, sequence.step).astype(first.dtype)
    if isinstance(sequence, np.ndarray) and len(sequence):
        first = accept(sequence[0])
        if (first.dtype, first.ndim + 1) == (sequence.dtype, sequence.ndim):
            return sequence
    return [accept(item) for item in sequence]


def _runs(program: Program, columns: list[Any]) -> list[tuple[Any, int, int, Any]]:
    """(key, first, last, starts) of each run of consecutive calls with one key and one set of shapes."""
    count = len(columns[0])
    if not program.planned and all(isinstance(c, np.ndarray) for c in columns):
        return [((), 0, count, np.zeros((count, 0), "int64"))]
    shared = program.shared_values()
    calls = []
    for k in range(count):
        values = [np.asarray(c[k]) for c in columns]
        key, starts = program.plan.settle(values, shared) if program.planned else ((), np.zeros(0, "int64"))
        calls.append((k, key, tuple(v.shape for v in values), starts))
    runs = []
    for (key, _), group in groupby(calls, key=lambda call: (call[1], call[2])):
        members = list(group)
        runs.append((key, members[0][0], members[-1][0] + 1, np.stack([m[3] for m in members])))
    return runs


def _steady(program: Program, runs: Sequence[Any], columns: Sequence[Any], carry: Sequence[Any]) -> bool:
    """Whether every update keeps its variable's shape. ValueError where outputs of two runs cannot be stacked."""
    seen: dict[int, tuple[int, tuple[int, ...]]] = {}
    for key, first, _, _ in runs:
        outputs, news = _shapes(program, key, [c[first] for c in columns], carry)
        if news != [v.shape for v in carry[program.first_updated :]]:
            return False
        for k, shape in enumerate(outputs):
            call, before = seen.setdefault(k, (first, shape))
            if before != shape:
                raise ValueError(
                    f"over: output {k} has shape {before} in call {call} and {shape} in call {first}: they cannot "
                    "be stacked. "
                    f"Make the calls of another length by themselves"
                )
    return True


def _shapes(program: Program, key: Any, values: Sequence[Any], carry: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The shapes of the outputs and of the updated values of one call."""
    cache = program.__dict__.setdefault("_shapes_of_calls", {})
    cache_key = (key, tuple(v.shape for v in values), tuple((v.shape, v.nbytes) for v in carry))
    if cache_key not in cache:
        starts = jax.ShapeDtypeStruct((len(program.plan.slices),), "int64")
        structs = [starts, *[jax.tree.map(_struct, v) for v in [*values, *carry]]]
        outputs, news = jax.eval_shape(lambda s, *v: program.trace(key, s, v, [])[:2], *structs)
        program.traces -= 1
        cache[cache_key] = [o.shape for o in outputs], [n.shape for n in news]
    return cache[cache_key]


def _struct(value: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(value.shape, value.dtype)


def _run(program: Program, key: Any, starts: Any, columns: Sequence[Any], carry: Sequence[Any]) -> tuple[Any, ...]:
    compiled = program.__dict__.setdefault("_over", {})
    if key not in compiled:
        errors: list[Any] = []

        def traced(starts: Any, columns: Any, fixed: Any, updated: Any) -> Any:
            def step(state: Any, xs: Any) -> Any:
                own_starts, own = xs
                outputs, news, flags = program.trace(key, own_starts, [*own, *fixed, *state], errors)
                return news, (outputs, flags)

            news, (outputs, flags) = jax.lax.scan(step, updated, (starts, columns))
            return outputs, news, flags

        compiled[key] = (WithKernels(traced) if program.divides else jax.jit(traced)), errors
    run, errors = compiled[key]
    stacked = [c if isinstance(c, np.ndarray) else np.stack(c) for c in columns]
    first = program.first_updated
    outputs, news, flags = run(starts, stacked, list(carry[:first]), list(carry[first:]))
    return outputs, news, flags, errors


def _one_by_one(program: Program, columns: Sequence[Any]) -> list[np.ndarray]:
    before = [c.value for c in program.containers]
    try:
        results = [[np.array(o) for o in program([np.asarray(c[k]) for c in columns])] for k in range(len(columns[0]))]
        for k in range(len(program.outputs)):
            shapes = {r[k].shape for r in results}
            if len(shapes) > 1:
                raise ValueError(
                    f"over: output {k} has the shapes {sorted(shapes)} in different calls: they cannot be stacked"
                )
        return [np.stack([r[k] for r in results]) for k in range(len(program.outputs))]
    except BaseException:
        for container, value in zip(program.containers, before, strict=True):
            container.value = value
        raise
