"""Passes over data: the graph of one minibatch, run for many minibatches in one program."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend.core import Literal
from jax.sharding import Mesh

from croton.compile import function
from croton.compile.memory import compiled
from croton.compile.program import evaluate, store, to_device, turn
from croton.compile.wide import wide
from croton.devices import at_home, divided, dividing, everywhere, held_whole, mesh_for
from croton.graph.core import SharedVariable, Variable
from croton.graph.walk import toposort
from croton.loop.op import Scan
from croton.native.equations import flat
from croton.native.fuse import fused
from croton.native.library import early, loaded, ready, wanted
from croton.native.products import LoopLeft, with_products
from croton.nets.training.data import Block, Dataset, pick
from croton.settings import config
from croton.sparse.value import Sparse

# Seconds that one call of a program is meant to last: Ctrl-C, progress and checkpoints wait for its end.
CALL = 1.0
# Arrays of more bytes are taken as long as they are: the room would cost more than a compilation.
ROUNDED = 64 << 20


@dataclass(frozen=True)
class Carry:
    """What goes from step to step: parameters, the optimizer's state, states of the graph, and sums over the pass."""

    params: list[Any]
    optimizer: Any
    states: list[Any]
    sums: Any
    failed: Any  # the number of the first check that failed, or -1


jax.tree_util.register_dataclass(Carry, ["params", "optimizer", "states", "sums", "failed"], [])


class Steps:
    """The programs that make many steps in one call: functions of arrays, which hold no values themselves.

    ``trace``: (key, starts, leaves, errors) -> (outputs, new states, flags of the checks), the graph of one minibatch.
    ``places``: for each of its shared values, in which list of the carry it is, and where there. ``sizes``: the numbers
    of values, gradients and products among the outputs, which come after the weight.
    """

    def __init__(
        self, trace: Any, places: Sequence[tuple[int, int]], sizes: tuple[int, int, int], optimizer: Any
    ) -> None:
        self.trace, self.places, self.sizes, self.optimizer = trace, places, sizes, optimizer
        self.errors: list[Any] = []
        #: How often the loop has been traced: once for each combination of shapes.
        self.traces = 0
        self._run = jax.jit(self._loop, static_argnums=(6, 7, 8), keep_unused=True)
        self._programs: dict[Any, tuple[Any, Mesh | None]] = {}

    def __call__(self, arguments: list[Any], axis: int, mesh: Mesh | None = None) -> Carry:
        """The carry after the steps from ``first`` to ``last``: (arrays, order, first, last, fixed values, carry).

        With a ``mesh`` the examples of each minibatch are divided over its devices, where no kernel runs the loops.
        """
        key = (axis, mesh, *[(a.shape, str(a.dtype)) for a in jax.tree.leaves(arguments) if hasattr(a, "shape")])
        if key not in self._programs:
            if len(self._programs) >= config.structures_kept:
                self._programs.pop(next(iter(self._programs)))
            self._programs[key] = self._made(arguments, axis, mesh)
        program, over = self._programs[key]
        carry: Carry
        if over is None:
            carry = jax.block_until_ready(program(*arguments))
        else:
            carry = at_home(program(*everywhere(over, arguments)))
        return carry

    def _made(self, arguments: list[Any], axis: int, mesh: Mesh | None) -> tuple[Any, Mesh | None]:
        """The program, and over which devices it divides examples."""
        native = wanted()
        try:
            with early() as asked:
                lowered, over = self._lowered(arguments, axis, mesh)
            there = not asked or loaded()
        except BaseException:
            # After Ctrl-C nobody would wait for the kernels that a remembered trace calls.
            self._run.clear_cache()  # type: ignore[attr-defined]
            raise
        if not there:
            lowered, over = self._once_more(arguments, axis, mesh)
        program = compiled(lowered)
        if native and not ready():
            # There is a compiler that made the kernels, and cannot make a loop: XLA makes it.
            lowered, over = self._once_more(arguments, axis, mesh)
            program = compiled(lowered)
        return program, over

    def _once_more(self, arguments: list[Any], axis: int, mesh: Mesh | None) -> tuple[Any, Mesh | None]:
        self._run.clear_cache()  # type: ignore[attr-defined]
        return self._lowered(arguments, axis, mesh)

    def _lowered(self, arguments: list[Any], axis: int, mesh: Mesh | None) -> tuple[Any, Mesh | None]:
        try:
            return self._run.lower(*arguments, axis, None, mesh is not None), None
        except LoopLeft:
            assert mesh is not None
            with dividing(mesh):
                return self._run.lower(*everywhere(mesh, arguments), axis, mesh, False), mesh

    def _loop(
        self,
        arrays: Any,
        order: Any,
        first: Any,
        last: Any,
        fixed: Any,
        carry: Carry,
        axis: int,
        mesh: Mesh | None,
        whole: bool,
    ) -> Carry:
        def body(k: Any, carry: Carry) -> Carry:
            rows = jax.lax.dynamic_index_in_dim(order, k, keepdims=False)
            batch = [pick(a, rows, k, axis) for a in arrays]
            if mesh is None:
                return with_products(self._step, batch, fixed, carry, whole=whole)
            return held_whole(mesh, self._step([divided(mesh, a, axis) for a in batch], fixed, carry))

        carry = jax.lax.fori_loop(first, last, body, carry)
        self.traces += 1
        return carry

    def _step(self, batch: Sequence[Any], fixed: Any, carry: Carry) -> Carry:
        lists = (carry.params, carry.states, fixed)
        outputs, states, flags = self.trace((), None, [*batch, *[lists[i][k] for i, k in self.places]], self.errors)
        failed = carry.failed
        if self.errors:
            now = jnp.where(flags.all(), -1, jnp.argmin(flags)).astype("int32")
            failed = jnp.where(failed < 0, now, failed)
        return self.advanced(outputs, replace(carry, states=states, failed=failed))

    def advanced(self, outputs: Sequence[Any], carry: Carry) -> Carry:
        """The carry after a step whose outputs are these."""
        values, gradients, _ = self.sizes
        weight = outputs[0].astype("float64")
        sums = carry.sums + jnp.stack([weight, *[weight * v.astype("float64") for v in outputs[1 : 1 + values]]])
        if self.optimizer is None:
            return replace(carry, sums=sums)
        slopes, products = list(outputs[1 + values : 1 + values + gradients]), list(outputs[1 + values + gradients :])
        extra = {"hessian_vector": products} if products else {}

        def stepped(state: Any, slopes: Any, extra: Any) -> Any:
            params, before = state
            steps, after = self.optimizer.update(slopes, before, params, **extra)
            return optax.apply_updates(params, steps), after

        params, optimizer = fused(stepped, (carry.params, carry.optimizer), slopes, extra)
        return replace(carry, sums=sums, params=params, optimizer=optimizer)


@dataclass
class Pass:
    """Minibatches through one graph, with or without steps of an optimizer.

    ``variables`` are fed from the data; ``weight`` says how much a minibatch counts in the averages of ``values``;
    ``updates`` belong to the graph. With an ``optimizer`` the ``params`` are stepped by ``gradients`` (and
    ``products``, the Hessian's with random vectors, where the algorithm asks for them). The shared variables in
    ``carried`` hold a state for each example of a batch: zeros at the beginning of a pass. Passes with equal graphs and
    an equal ``identity``, which tells the optimizer, share their programs; None for one that shares nothing.
    """

    variables: Sequence[Variable]
    weight: Variable
    values: Sequence[Variable]
    updates: Sequence[tuple[SharedVariable, Variable]]
    params: Sequence[SharedVariable]
    gradients: Sequence[Variable] = ()
    products: Sequence[Variable] = ()
    optimizer: Any = None
    carried: Sequence[SharedVariable] = ()
    identity: Any = None
    _device: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    _pace: dict[Any, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        outputs = [self.weight, *self.values, *self.gradients, *self.products]
        run = function(
            list(self.variables), outputs, updates=list(self.updates), on_unused_input="ignore", name="training"
        )
        self.program = run._program
        updated = self.program.shared[self.program.first_updated :]
        for p in self.params:
            if p in updated:
                raise ValueError(f"an update of a layer changes the parameter {p}, which the optimizer changes too")
        self._states = list(updated)
        self._fixed = [v for v in self.program.shared if v not in updated and v not in self.params]
        # Several devices of a CPU help where there is a loop, whose products are each too small for two cores.
        loops = any(isinstance(n.op, Scan) for n in toposort(self.program.wanted))
        self._divides = loops and not self.program.tells
        self.steps = self._made_steps()

    # --- what a pass begins with ---

    @wide
    def begin(self, optimizer: Any = None) -> Carry:
        """The carry at the beginning of a pass, from the shared variables' values."""
        with turn:
            params = _values(self.params)
            known = zip(self._states, _values(self._states), strict=True)
            states = [to_device(np.zeros(s.shape, s.dtype)) if v in self.carried else s for v, s in known]
            if optimizer is None and self.optimizer is not None:
                optimizer = first_state(self.optimizer, params)
            sums = to_device(np.zeros(1 + len(self.values)))
            return Carry(params, optimizer, states, sums, to_device(np.array(-1, "int32")))

    def commit(self, carry: Carry) -> None:
        """Put what the carry holds into the shared variables, all or nothing."""
        with turn:
            variables = [*(self.params if self.optimizer is not None else ()), *self._states]
            values = [*(carry.params if self.optimizer is not None else ()), *carry.states]
            store([v.container for v in variables], values)

    @wide
    def current(self) -> list[Any]:
        """The parameters as they are now."""
        with turn:
            return _values(self.params)

    def set_params(self, values: Sequence[Any]) -> None:
        """Put these values into the parameters."""
        with turn:
            store([p.container for p in self.params], values)

    def averages(self, carry: Carry) -> list[float]:
        """The averages of the values over the steps made so far."""
        sums = np.asarray(carry.sums)
        with np.errstate(invalid="ignore", divide="ignore"):
            return [float(s) for s in sums[1:] / sums[0]]

    # --- running ---

    def over(self, data: Dataset, carry: Carry, done: int = 0) -> Iterator[tuple[Carry, int, int]]:
        """Run one pass over the data from its minibatch number ``done`` on.

        Yields, as it goes: the carry, the number of minibatches done, and that of the examples in them.

        Raises what a check within the graph finds wrong; what was yielded before stays good.
        """
        position = examples = 0
        for block in data.blocks():
            steps = len(block.order)
            first = max(done - position, 0)
            while first < steps:
                last = min(steps, first + self._steps(block))
                carry = self._timed(block, first, last, carry)
                examples += (last - first) * block.order.shape[1]
                first = last
                yield carry, position + first, examples
            position += steps

    def _steps(self, block: Block) -> int:
        """How many steps to make in one call: one for a shape that is new, and then what takes about ``CALL``."""
        pace = self._pace.get(_key(block))
        return 1 if pace is None else max(1, math.ceil(CALL / max(pace, 1e-7)))

    def _timed(self, block: Block, first: int, last: int, carry: Carry) -> Carry:
        start = time.perf_counter()
        carry = self._stepped(block, first, last, carry)
        seconds = (time.perf_counter() - start) / (last - first)
        key = _key(block)
        # The first call of a shape is one step that also compiles: too slow to go by, so the next guess is cautious.
        self._pace[key] = seconds if key in self._pace else CALL / 4
        return carry

    @wide
    def _stepped(self, block: Block, first: int, last: int, carry: Carry) -> Carry:
        with turn:
            arrays = [self._placed(a, block) for a in block.arrays]
            carry = replace(carry, states=self._fitted(carry.states, block))
            if self.program.eager or self.program.planned:
                return self._one_by_one(block, first, last, carry)
            table = _rounded(block.table) if block.lasting else block.table
            whole = not self._divides or any(isinstance(a, Sparse) for a in block.arrays)
            mesh = None if whole else mesh_for(block.order.shape[1])
            carry = self.steps([arrays, table, first, last, _values(self._fixed), carry], block.axis, mesh)
        if (failed := int(carry.failed)) >= 0:
            raise self.steps.errors[failed]()
        return carry

    def _placed(self, array: Any, block: Block) -> Any:
        """The device's copy of an array: kept for those that stay the same from pass to pass."""
        if not block.lasting:
            return jax.tree.map(jax.device_put, array)
        known = self._device.get(id(array))
        if known is None or known[0] is not array:
            longer = _rounded(array, block.axis)
            # What was made longer is a copy already.
            known = self._device[id(array)] = array, to_device(array) if longer is array else jax.device_put(longer)
        return known[1]

    def _fitted(self, states: list[Any], block: Block) -> list[Any]:
        """The states that are carried from batch to batch, at zero where the batch has another size."""
        rows = block.order.shape[1]
        return [
            to_device(np.zeros((rows, *s.shape[1:]), s.dtype)) if v in self.carried and s.shape[0] != rows else s
            for v, s in zip(self._states, states, strict=True)
        ]

    def _made_steps(self) -> Steps:
        """The steps; those of an earlier pass where graph and optimizer are equal."""
        if self.identity is not None:
            self.program.share()
        body = self.program.body
        places = _places(self.program.shared, (self.params, self._states, self._fixed))
        sizes = len(self.values), len(self.gradients), len(self.products)
        if body is None:
            return Steps(self.program.trace, places, sizes, self.optimizer)
        key = self.identity, tuple(places), sizes
        if key not in body.kept:
            count = len(self.program.outputs)
            body.kept[key] = Steps(partial(evaluate, body, count), places, sizes, self.optimizer)
        steps: Steps = body.kept[key]
        return steps

    def _one_by_one(self, block: Block, first: int, last: int, carry: Carry) -> Carry:
        """Steps of a graph that no program can hold whole, because a shape or a choice in it depends on the data."""
        before = [v.container.value for v in (*self.params, *self._states)]
        try:
            for k in range(first, last):
                store([v.container for v in (*self.params, *self._states)], [*carry.params, *carry.states])
                outputs = [jnp.asarray(o) for o in self.program(block.batch(k))]
                carry = self.steps.advanced(outputs, replace(carry, states=_values(self._states)))
        except BaseException:
            store([v.container for v in (*self.params, *self._states)], before)
            raise
        return carry


def first_state(optimizer: Any, params: Sequence[Any]) -> Any:
    """The optimizer's state before the first step.

    Where it is full of numbers that are known beforehand, as it is for most, nothing is compiled for it.
    """
    closed, shape = jax.make_jaxpr(optimizer.init, return_shape=True)(params)
    program = flat(closed)
    full: dict[Any, Any] = {e.outvars[0]: e.invars[0] for e in program.eqns if e.primitive.name == "broadcast_in_dim"}
    numbers: list[Any] = [v if isinstance(v, Literal) else full.get(v) for v in program.outvars]
    if not all(isinstance(n, Literal) for n in numbers):
        # As one program: each operation by itself would be compiled by itself.
        return compiled(jax.jit(optimizer.init, keep_unused=True).lower(params))(params)
    kinds, form = jax.tree.flatten(shape)
    values = [to_device(np.full(k.shape, n.val, k.dtype)) for k, n in zip(kinds, numbers, strict=True)]
    return jax.tree.unflatten(form, values)


def _places(shared: Sequence[Any], lists: Sequence[Sequence[Any]]) -> list[tuple[int, int]]:
    """For each shared variable, in which list it is, and where there."""
    known = {v: (i, k) for i, variables in enumerate(lists) for k, v in enumerate(variables)}
    return [known[v] for v in shared]


def _values(variables: Sequence[SharedVariable]) -> list[Any]:
    """The values of shared variables on the device."""
    values = []
    for v in variables:
        v.container.value = to_device(v.container.value)
        values.append(v.container.value)
    return values


def _rounded(array: Any, axis: int = 0) -> Any:
    """The array with zeros behind it, up to one of a few lengths: data sets nearly as long share their programs."""
    length = array.shape[axis]
    step = 1 << max(length.bit_length() - 4, 0)
    missing = -length % step
    if not missing or array.nbytes > ROUNDED:
        return array
    return np.pad(array, [(0, missing if k == axis else 0) for k in range(array.ndim)])


def _key(block: Block) -> Any:
    return block.order.shape[1], tuple(a.shape for a in block.arrays)
