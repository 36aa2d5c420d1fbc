"""The reverse pass of a loop, which decides how fast recurrent nets train.

A matrix that enters the step only as the right factor of products gets its gradient from one product over all steps
after the loop, not from a sum inside it. Of what the forward pass computes, the carries and the values of costly ops
from which their derivative follows are saved, as far as the backward pass reads them; the rest is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.interpreters import partial_eval
from jax.sharding import Mesh

from croton.compile.dividing import ask
from croton.compile.hoist import Merged, by_left_factor, products_of
from croton.compile.layout import plain
from croton.compile.stacked import Beside, row, with_row
from croton.devices import current, divided
from croton.graph.core import Apply, Variable
from croton.graph.derivative import Derivative
from croton.graph.walk import toposort
from croton.loop.op import Scan
from croton.loop.parts import last_slice
from croton.tensor.basic import Cast
from croton.tensor.elemwise import Elemwise
from croton.tensor.nnet.activations import Activation
from croton.tensor.stacks import product_over_all

if TYPE_CHECKING:
    from croton.compile.loops import Feed, Loop
    from croton.compile.lower import Compute

# The derivative of a costly op as a formula of its own value.
SLOPES: dict[str, Callable[[Any], Any]] = {
    "tanh": lambda y: lax.sub(y.dtype.type(1), lax.mul(y, y)),
    "exp": lambda y: y,
    "sigmoid": lambda y: lax.mul(y, lax.sub(y.dtype.type(1), y)),
    "ultra_fast_sigmoid": lambda y: y * (1 - y),
    "hard_sigmoid": lambda y: y * (1 - y),
    "softplus": lambda y: -jnp.expm1(-y),
}


# Up to so many elements of a step it is the number of kernels that counts, and from there on the memory.
SMALL = 1 << 14
# A stack of so many elements is large whatever a step's are.
LARGE = 1 << 20


def _by_element(node: Apply) -> bool:
    """Whether the node is one that leaves rows where they are."""
    return isinstance(node.op, Elemwise | Activation | Cast) or last_slice(node) is not None


def _slope(node: Apply) -> Callable[[Any], Any] | None:
    return SLOPES.get(node.op.name) if type(node.op) in (Elemwise, Activation) else None  # type: ignore[attr-defined]


def reversible(op: Scan) -> bool:
    """Whether the step is one whose nodes are all evaluated by themselves."""
    return not any(isinstance(n.op, Derivative) or len(n.op.always(n)) < len(n.inputs) for n in op.graph.order)


# --- the step, with values of its costly nodes taken down, or put in ---


@cache
def _known(slope: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """An elementwise function of x that is known to have the value y there."""

    @jax.custom_jvp
    def known(y: Any, x: Any) -> Any:
        return y

    @known.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (y, _), (_, t) = primals, tangents
        return y, lax.mul(slope(y), t)

    return known


class Reverse:
    """One loop's forward and backward pass. Calling it gives (stacked outputs, conditions, carry).

    Carries, the sequences' elements and what is fixed are passed as lists of arrays.
    """

    def __init__(self, loop: Loop, n: int, start: Any, feed: Feed) -> None:
        self.loop, self.op, self.n = loop, loop.op, n
        self.host = {v: x for v, x in feed.fixed.items() if isinstance(x, np.ndarray)}
        moving = {v: x for v, x in feed.fixed.items() if v not in self.host}
        self.start, self.carry_tree = jax.tree.flatten(start)
        self.x_names, self.xs = list(feed.xs), list(feed.xs.values())
        self.fixed_names = list(moving)
        self.fixed, self.fixed_tree = jax.tree.flatten(list(moving.values()))
        inside = toposort(self.op.graph.outputs, stop={*feed.fixed, *feed.xs})
        self.products = [p for p in products_of(self.op, moving) if p in inside]
        self.curves = [m for m in inside if _slope(m) is not None]
        self.users: dict[Variable, list[Apply]] = {}
        for node in inside:
            for v in node.inputs:
                self.users.setdefault(v, []).append(node)
        elsewhere = set(self.op.graph.outputs)
        for node in inside:
            elsewhere.update(v for k, v in enumerate(node.inputs) if k == 0 or node not in self.products)
        # The gradients of others, matrices that enter by products alone, do not arise inside the loop.
        owners = [v for v, x in moving.items() for _ in jax.tree.leaves(x)]
        floats = [v for v, x in zip(owners, self.fixed, strict=True) if _is_float(x)]
        self.summed = [k for k, v in enumerate(floats) if v in elsewhere]
        self.place = {v: k for k, v in enumerate(floats)}
        self.rows = {v: set[Any]() for v in floats if v in elsewhere and v not in self.op.graph.outputs}
        places = loop.carried(jax.tree.unflatten(self.carry_tree, range(len(self.start))))
        # Where in the carry a product's left factor is, if it is there as it is.
        self.left = [places.get(p.inputs[0]) for p in self.products]
        # Where the carry before a step is the output of the step before: outputs by position in the carry.
        self.shifted = {
            places[slots[taps.index(-1)]]: k
            for k, (taps, slots) in enumerate(zip(self.op.taps, self.op.slots.initial, strict=True))
            if -1 in taps
        }
        # What computes an output, if it is a node with this one result.
        makers = enumerate(v.owner for v in self.op.graph.outputs[: len(self.op.taps)])
        self.makers = {j: n for j, n in makers if n is not None and n in inside and len(n.outputs) == 1}
        # Whether each row of the products' left factors, an example, goes its own way.
        self.apart = all(n in self.products or _by_element(n) for n in inside)
        self.mesh: Mesh | None = None

    def __call__(self) -> tuple[Any, Any, Any]:
        @jax.custom_vjp
        def run(start: Any, xs: Any, fixed: Any) -> Any:
            merged = self._merged(fixed)
            carry, (outs, conditions, *_) = lax.scan(
                lambda c, x: self.forward(c, x, fixed, merged), start, xs, length=self.n
            )
            return carry, outs, conditions

        run.defvjp(self.save, self.pull)
        carry, outs, conditions = run(self.start, self.xs, self.fixed)
        rows = iter(outs)
        stacked = [next(rows) if k in self.loop.collected else None for k in range(len(self.op.taps))]
        return stacked, conditions, jax.tree.unflatten(self.carry_tree, carry)

    # --- one step ---

    def forward(
        self, carry: Any, x: Any, fixed: Any, merged: Merged, through: Callable[[Apply, Any], Any] = lambda _, x: x
    ) -> Any:
        """The carry after a step; outputs, conditions; values of the curves and of the products.

        The value of a curve or of an output goes ``through`` a function, of its node and it, before it is used.
        """
        kept = {*self.curves, *self.makers.values()}
        child = self.loop.context.child()
        child.forms = ()
        merged.watch(child)
        values: dict[Apply, Any] = {}

        def watch(node: Apply, given: Sequence[Any], compute: Compute) -> Sequence[Any]:
            if self.mesh is not None and node in self.products:
                given = [divided(self.mesh, plain(given[0]), 0), *given[1:]]
            found = compute(node, given)
            for v in self.rows.keys() & set(node.inputs):
                self.rows[v].add(plain(found[0]).shape if type(node.op) is Elemwise else None)
            if node in kept:
                found = (through(node, jnp.asarray(plain(found[0]))),)
            if node in self.curves or node in self.products:
                values[node] = jnp.asarray(plain(found[0]))
            return found

        child.wrap(watch)
        outs, after = self._evaluate(child, carry, x, fixed)
        known = [values[m] for m in self.curves], [values[p] for p in self.products]
        return after, (outs, self.loop.conditions(child), *known)

    def _merged(self, fixed: Sequence[Any]) -> Merged:
        return Merged(self.products, self._named(fixed))

    def _named(self, fixed: Sequence[Any]) -> dict[Variable, Any]:
        return dict(zip(self.fixed_names, jax.tree.unflatten(self.fixed_tree, fixed), strict=True))

    def _evaluate(self, child: Any, carry: Any, x: Any, fixed: Any) -> tuple[list[Any], list[Any]]:
        before = jax.tree.unflatten(self.carry_tree, carry)
        elements = dict(zip(self.x_names, x, strict=True))
        outs, after, _ = self.loop.evaluate(child, before, elements, {**self.host, **self._named(fixed)})
        return [outs[k] for k in sorted(self.loop.collected)], jax.tree.leaves(after)

    def factors(self, whole: Sequence[Any], fixed: Any) -> list[Any]:
        """The left factors of the products, from what is saved of a step; None where they are in the carry."""
        carry, x, known, results = whole
        child = self.loop.context.child()
        child.tells = False
        values = dict(zip(self.curves, known, strict=True))
        left: dict[Apply, Any] = {}

        def replay(node: Apply, given: Sequence[Any], compute: Compute) -> Sequence[Any]:
            if node in self.products:
                left[node] = jnp.asarray(plain(given[0]))
                return (results[self.products.index(node)],)
            return (values[node],) if node in values else compute(node, given)

        child.wrap(replay)
        self._evaluate(child, carry, x, fixed)
        return [left[p] if k is None else None for p, k in zip(self.products, self.left, strict=True)]

    def backward(
        self,
        cts: Any,
        ct_outs: Any,
        carry: Any,
        x: Any,
        known: Any,
        results: Any,
        fixed: Any,
        beside: Beside,
    ) -> tuple[Any, Any, Any]:
        """The cotangents of the carry before a step, of its xs and of what is fixed; the products' go ``beside``.

        ``known`` are the values of the curves.
        """
        values = dict(zip(self.curves, known, strict=True))
        (carry_f, carry_rest), (x_f, x_rest), (fixed_f, fixed_rest) = _floats(carry), _floats(x), _floats(fixed)
        for k, shape in self.wide.items():
            fixed_f[k] = jnp.broadcast_to(fixed_f[k], shape)

        def forward(carry_f: Any, x_f: Any, fixed_f: Any) -> Any:
            child = self.loop.context.child()
            child.tells = False

            def replay(node: Apply, given: Sequence[Any], compute: Compute) -> Sequence[Any]:
                if node in self.products:
                    return (beside.product(self.products.index(node), jnp.asarray(plain(given[0])), results),)
                if node in values:
                    return (_known(_slope(node))(values[node], jnp.asarray(plain(given[0]))),)
                return compute(node, given)

            child.wrap(replay)
            outs, after = self._evaluate(
                child, _joined(carry_f, carry_rest), _joined(x_f, x_rest), _joined(fixed_f, fixed_rest)
            )
            return _floats(after)[0], _floats(outs)[0]

        _, pull = jax.vjp(forward, carry_f, x_f, fixed_f)
        return pull((cts, ct_outs))

    # --- all steps ---

    def save(self, start: Any, xs: Any, fixed: Any) -> Any:
        """The forward pass, and what the backward pass reads of it."""
        read_carry, read_x, read_known, read_results = self._reads(start, xs, fixed)
        collected = sorted(self.loop.collected)
        kept = [k for k, read in enumerate(read_carry) if read or k in self.left]
        shifted = {k: j for k, j in self.shifted.items() if k in kept and (j in self.makers or j in collected)}
        makers = {j: n for j, n in self.makers.items() if j in collected or j in shifted.values()}
        nodes = dict.fromkeys([*[m for m, read in zip(self.curves, read_known, strict=True) if read], *makers.values()])
        over = self._over(nodes, [not read for read in read_x])
        # Nodes whose stacks begin with a carry before the first step: its rows are then the carries before all steps.
        ahead = {
            makers[j]: k
            for k, j in shifted.items()
            if read_carry[k]
            and j in makers
            and makers[j] not in over.values()
            and _alike(self.made[makers[j]], start[k][None])
        }
        merged = self._merged(fixed)

        def step(t: Any, state: Any) -> Any:
            carry, stacks, others = state
            stacks = dict(zip(nodes, stacks, strict=True))
            x = [row(stacks[over[k]] if k in over else x, t) for k, x in enumerate(xs)]

            def through(node: Apply, value: Any) -> Any:
                if node not in stacks:
                    return value
                at = t + 1 if node in ahead else t
                stacks[node] = with_row(stacks[node], at, value)
                return row(stacks[node], at)

            after, found = self.forward(carry, x, fixed, merged, through)
            others = jax.tree.map(lambda stack, x: with_row(stack, t, x), others, rest(carry, *found))
            return after, [stacks[n] for n in nodes], others

        def rest(carry: Any, outs: Any, conditions: Any, _: Any, results: Any) -> Any:
            """What else is saved of a step."""
            outs = [None if j in makers else o for j, o in zip(collected, outs, strict=True)]
            return outs, conditions, _where(read_results, results), [carry[k] for k in kept if k not in shifted]

        stacks, others = _rooms(self.n, ([self.made[n] for n in nodes], rest(start, *self.found)))
        under = {n: xs[k] for k, n in over.items()}
        stacks = [
            jnp.concatenate([start[ahead[n]][None], stack]) if n in ahead else under.get(n, stack)
            for n, stack in zip(nodes, stacks, strict=True)
        ]
        state = start, stacks, others
        carry, stacks, (outs, conditions, results, rows) = lax.fori_loop(0, self.n, step, state)
        of = dict(zip(nodes, stacks, strict=True))
        known = [of.get(m) if read else None for m, read in zip(self.curves, read_known, strict=True)]
        outs = [
            jnp.asarray(of[makers[j]][-self.n :], s.dtype) if j in makers else o
            for j, o, s in zip(collected, outs, self.found[0], strict=True)
        ]
        own = iter(rows)
        before: list[Any] = [None] * len(start)
        for k in kept:
            if k in ahead.values():
                before[k] = of[makers[shifted[k]]]
            elif k in shifted:
                j = shifted[k]
                after = of[makers[j]][-self.n :] if j in makers else outs[collected.index(j)]
                before[k] = jnp.concatenate([start[k][None], jnp.asarray(after[:-1], start[k].dtype)])
            else:
                before[k] = next(own)
        read = _where(read_carry, before), _where(read_x, xs), known, results
        factors = [None if k is None else before[k] for k in self.left]
        return (carry, outs, conditions), (*read, factors, fixed)

    def _over(self, nodes: Container[Apply], free: Sequence[bool]) -> dict[int, Apply]:
        """The nodes whose values are written over elements of a sequence, by the sequence's position.

        It is so where a node's value is all that becomes of an element, by operations that go element by element: one
        stack less, for one kernel more, since XLA copies what is read where it writes.
        """
        found: dict[int, Apply] = {}
        for k, v in enumerate(self.x_names):
            large = free[k] and self.xs[k].size > min(SMALL * self.n, LARGE)
            while large and len(users := self.users.get(v, [])) == 1 and v not in self.op.graph.outputs:
                node, v = users[0], users[0].out
                if not _by_element(node):
                    break
                if node in nodes:
                    if node not in found.values() and _alike(self.made[node], self.xs[k]):
                        found[k] = node
                    break
        return found

    def _reads(self, start: Any, xs: Any, fixed: Any) -> list[list[bool]]:
        """Which leaves of the carry, elements, values of curves and products the backward step reads."""
        one = [jax.eval_shape(lambda x: x[0], x) for x in xs]
        self.made: dict[Apply, Any] = {}

        def noted(node: Apply, value: Any) -> Any:
            self.made[node] = jax.ShapeDtypeStruct(value.shape, value.dtype)
            return value

        shape = jax.eval_shape(lambda c, x, f: self.forward(c, x, f, self._merged(f), noted), start, one, fixed)
        self.wide = self._wide(_floats(fixed)[0])
        after, self.found = shape
        outs, _, known, results = self.found
        self._offer(results, fixed)
        self.groups = []
        for ps in by_left_factor(self.products).values():
            ks = [self.products.index(p) for p in ps]
            small = sum(results[k].size for k in ks) <= SMALL
            self.groups += [ks] if small else [[k] for k in ks]
        self.shapes = list(start), one, known, results
        room = [jax.ShapeDtypeStruct((self.n, *z.shape), z.dtype) for z in self._beside()]
        cts = _floats(after)[0], _floats(outs)[0]
        arguments = (*cts, *self.shapes, list(fixed), jax.eval_shape(self._turned, fixed), room)

        def backward(
            cts: Any, ct_outs: Any, carry: Any, x: Any, known: Any, results: Any, fixed: Any, *more: Any
        ) -> Any:
            beside = Beside(self.groups, more[0], more[1], 0)
            found = self.backward(cts, ct_outs, carry, x, known, results, fixed, beside)
            return found, beside.stacks, self.factors([carry, x, known, results], fixed)

        jaxpr = jax.make_jaxpr(backward)(*arguments)
        _, used = partial_eval.dce_jaxpr(jaxpr.jaxpr, [True] * len(jaxpr.out_avals))
        flags = iter(used)
        return [[next(flags) for _ in part] for part in arguments][2:6]

    def _offer(self, results: Sequence[Any], fixed: Sequence[Any]) -> None:
        """Have the examples divided over several devices, now if there are some, or else when it is traced again."""
        rows = {r.shape[0] if r.ndim == 2 else 1 for r in results}
        examples = rows.pop() if self.apart and len(rows) == 1 else 1
        ask(examples, sum(2.0 * self.n * r.size * len(m) for r, m in zip(results, self._matrices(fixed), strict=True)))
        mesh = current()
        self.mesh = mesh if mesh is not None and examples % mesh.size == 0 else None

    def _wide(self, floats: Sequence[Any]) -> dict[int, tuple[int, ...]]:
        """The shapes to which values are broadcast wherever the step uses them, such as a layer's peephole weights.

        Their cotangents are added up in that shape: a sum over the examples in each step would cost more, and have
        devices that share the examples wait for each other.
        """
        wide = {}
        for v, shapes in self.rows.items():
            k = self.place[v]
            if len(shapes) == 1 and None not in shapes and shapes != {floats[k].shape}:
                (wide[k],) = shapes
        return wide

    def _whole(self, read: Sequence[Any]) -> list[list[Any]]:
        """What was saved of a step, with zeros for what is not read."""
        return [_filled(r, s) for r, s in zip(read, self.shapes, strict=True)]

    def _taken(self, read: Sequence[Any], take: Callable[[Any, int], Any]) -> list[Any]:
        """What ``take`` takes of each stack, given also which row the first step's is.

        A stack of one row more begins with the carry before the first step; values of the steps follow it.
        """
        carry, x, known, results = read
        known = jax.tree.map(lambda s: take(s, len(s) - self.n), known)
        carry, x, results = jax.tree.map(lambda s: take(s, 0), [carry, x, results])
        return [carry, x, known, results]

    def _matrices(self, fixed: Sequence[Any]) -> list[Any]:
        """The products' matrices."""
        floats = _floats(fixed)[0]
        return [floats[self.place[p.inputs[1]]] for p in self.products]

    def _turned(self, fixed: Sequence[Any]) -> list[Any]:
        """For each group of products its matrices, transposed, one below the other."""
        matrices = self._matrices(fixed)
        return [jnp.concatenate([matrices[k].T for k in ks]) for ks in self.groups]

    def _beside(self) -> list[Any]:
        """For each group of products what their cotangents of a step take."""
        shapes = [[self.shapes[3][k] for k in ks] for ks in self.groups]
        return [jax.ShapeDtypeStruct((*s[0].shape[:-1], sum(z.shape[-1] for z in s)), s[0].dtype) for s in shapes]

    def pull(self, saved: Any, cotangents: Any) -> Any:
        """The backward pass: cotangents of the start, the sequences and what is fixed."""
        *read, factors, fixed = saved
        factors = [None if a is None else a[: self.n] for a in factors]
        ct_carry, ct_outs, _ = cotangents
        floats = _floats(fixed)[0]
        turned = self._turned(fixed)
        once = _Once()
        where: list[int | None] = []

        def step(state: Any, now: Any) -> Any:
            t, cts, sums, stacks = state
            carry, x, known, results = self._whole(self._taken(read, lambda s, first: row(s, t + first)))
            beside = Beside(self.groups, turned, stacks, t)
            cts, ct_x, ct_fixed = self.backward(cts, now, carry, x, known, results, fixed, beside)
            sums = [total + ct_fixed[k] for total, k in zip(sums, self.summed, strict=True)]
            where[:] = beside.where
            return (t - 1, cts, sums, beside.stacks), once(ct_x, beside.places)

        empty = [jnp.zeros(self.wide.get(k, floats[k].shape), floats[k].dtype) for k in self.summed]
        state = jnp.asarray(self.n - 1), _moving(ct_carry), empty, _rooms(self.n, self._beside(), -1)
        (_, cts, sums, stacks), found = lax.scan(step, state, _moving(ct_outs), length=self.n, reverse=True)
        ct_xs = once.again(found, stacks)
        if any(a is None for a in factors):
            aligned = self._taken(read, lambda s, first: s[first : first + self.n])
            own = jax.vmap(lambda *now: self.factors(self._whole(now), fixed))(*aligned)
            factors = [mine if a is None else a for a, mine in zip(factors, own, strict=True)]
        ct_fixed: list[Any] = [None] * len(floats)
        for k, total in zip(self.summed, sums, strict=True):
            spread = jax.linear_transpose(partial(jnp.broadcast_to, shape=total.shape), floats[k])
            ct_fixed[k] = spread(total)[0]
        for ks, group in zip(self.groups, where, strict=True):
            if group is None:
                continue
            total = product_over_all(factors[ks[0]], stacks[group])
            first = 0
            for place in (self.place[self.products[k].inputs[1]] for k in ks):
                last = first + floats[place].shape[1]
                own = total[:, first:last]
                ct_fixed[place] = own if ct_fixed[place] is None else ct_fixed[place] + own
                first = last
        return _spread(cts, self.start), _spread(ct_xs, self.xs), _spread(ct_fixed, fixed)


class _Once:
    """A list of arrays without repetition, and without what lies beside others: a gate's cotangent is its product's."""

    def __call__(self, xs: Sequence[Any], beside: dict[int, Any]) -> list[Any]:
        """The list, shorter; ``beside`` tells by identity where some of its elements are."""
        unique = {id(x): x for x in xs if id(x) not in beside}
        numbers = {name: k for k, name in enumerate(unique)}
        self.places = [beside[id(x)][1:] if id(x) in beside else numbers[id(x)] for x in xs]
        return list(unique.values())

    def again(self, found: Sequence[Any], stacks: Sequence[Any]) -> list[Any]:
        """The list as it was, of what became of its elements."""

        def whole(place: Any) -> Any:
            if isinstance(place, int):
                return found[place]
            group, first, last = place
            return stacks[group][..., first:last]

        return [whole(place) for place in self.places]


def _rooms(n: int, shapes: Any, sign: int = 1) -> Any:
    """Arrays to write ``n`` values of each shape into, floats with a number of their own: XLA copies what is equal."""
    numbers = count(1)
    return jax.tree.map(lambda s: jnp.full((n, *s.shape), sign * next(numbers) * _is_float(s), s.dtype), shapes)


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


def _alike(one: Any, all_steps: Any) -> bool:
    return (one.shape, one.dtype) == (all_steps.shape[1:], all_steps.dtype)


def _floats(leaves: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The floats among ``leaves``; and ``leaves`` with None in their places."""
    return [x for x in leaves if _is_float(x)], [None if _is_float(x) else x for x in leaves]


def _joined(floats: Sequence[Any], rest: Sequence[Any]) -> list[Any]:
    own = iter(floats)
    return [next(own) if x is None else x for x in rest]


def _spread(cts: Sequence[Any], leaves: Sequence[Any]) -> list[Any]:
    """Cotangents of the floats among ``leaves``, and None for the others."""
    own = iter(cts)
    return [next(own) if _is_float(x) else None for x in leaves]


def _moving(cts: Sequence[Any]) -> list[Any]:
    return [c for c in cts if c.dtype != jax.dtypes.float0]


def _where(flags: Sequence[bool], values: Sequence[Any]) -> list[Any]:
    """``values``, None in the places of those not flagged."""
    return [v if flag else None for flag, v in zip(flags, values, strict=True)]


def _filled(read: Sequence[Any], shapes: Sequence[Any]) -> list[Any]:
    """``read`` with zeros where nothing is read."""
    return [jnp.zeros(s.shape, s.dtype) if r is None else r for r, s in zip(read, shapes, strict=True)]
