"""A recurrent loop as one function of C, which takes some of the examples through all of the steps.

XLA runs a loop's body as a chain of kernels, each of which costs microseconds to begin, and multiplies by the same
weights from their place in memory in each step. Where a step mixes no examples, each thread takes a part of them
through the whole loop instead, without a word to the others; what is elementwise between two products is one pass over
numbers that are still in the nearest cache; and weights are laid out for their products once, before the first step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import numpy as np
from jax.extend.core import Literal

from croton.native.equations import Flat, Name, flat, scanned
from croton.native.groups import names
from croton.native.library import compiled_loop, usable
from croton.native.written import COUNTING, HEAD, MATH, PRODUCT, ROWWISE, Unfit, in_c, number

log = logging.getLogger("croton")

# A recurrent loop, after MATH and around what is written for it.
LOOP = """static inline long within(long i, long length) {{ return i < 0 ? 0 : i < length ? i : length - 1; }}
extern "C" void loop(long first, long last, long rows, long steps, void* const* at, const long* lengths,
                     const float* const* right, float* room, Product* product) {{
const long count = last - first;
{begin}
for (long step = 0; step < steps; step++) {{
{body}
}}
{end}
}}
"""


# --- what is computed ---


@dataclass(frozen=True)
class Count:
    """A whole number or truth that is the same for all examples: a variable of C, or 0, and what is added to it."""

    base: str
    plus: int = 0

    def __str__(self) -> str:
        return f"({self.base} + {self.plus})" if self.plus else self.base

    @property
    def known(self) -> bool:
        """Whether it is a number that is known."""
        return self.base == "0"


@dataclass(frozen=True)
class Number:
    """A number that is the same for all examples, in C."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(eq=False)
class Row:
    """A row of numbers for each example, or one for all, in memory.

    ``width``: how many numbers. ``begin``: in C, where the row of the first example begins; None where it has no place.
    ``stride``: the numbers from one example's to the next's. ``across``: 1, or 0 for one number that stands for all.
    ``time``: when it is written last; -2 for what was there before the step.
    """

    width: int
    begin: str | None
    stride: int
    across: int = 1
    time: int = -2
    truth: bool = False


@dataclass(eq=False)
class View(Row):
    """A row of a stack: after so many of the step's writes, that of one step, from a column on.

    One that is written has its ``row``.
    """

    stack: Stack = field(kw_only=True)
    writes: int = field(kw_only=True)
    step: Count = field(kw_only=True)
    column: int = field(kw_only=True)
    row: Row | None = None


@dataclass(eq=False)
class Result(Row):
    """An elementwise result, at an even time. ``to``: the rows that it is written to, the first of which it begins."""

    written: str = field(kw_only=True)
    of: list[Any] = field(kw_only=True)
    to: list[Row] = field(default_factory=list)


@dataclass(eq=False)
class Product(Row):
    """Rows times a matrix, at an odd time. ``right``: the place of the matrix among those laid out."""

    left: Row = field(kw_only=True)
    right: int = field(kw_only=True)
    terms: int = field(kw_only=True)


@dataclass(eq=False)
class Part(Row):
    """Some columns of what is computed, from ``column`` on."""

    whole: Result | Product = field(kw_only=True)
    column: int = field(kw_only=True)


@dataclass(eq=False)
class Stack:
    """An array that has a row for each step and example. ``at``: it, in C; ``length``: its number of steps, in C."""

    at: str
    length: str
    width: int
    carried: int | None
    writes: list[View] = field(default_factory=list)


@dataclass(frozen=True)
class Version:
    """A stack after so many of the writes that a step makes to it."""

    stack: Stack
    writes: int


@dataclass(frozen=True)
class Matrix:
    """An argument that is the right factor of products. ``turned``: with its axes exchanged."""

    place: int
    turned: bool = False


def _even(time: int) -> int:
    """The time of the next elementwise pass after this."""
    return time + 2 - time % 2


def _odd(time: int) -> int:
    """The time of the next product after this."""
    return time + 1 + time % 2


# --- loops ---


def looped(eqn: Any, values: Sequence[Any]) -> list[Any] | None:
    """The results of a ``scan`` equation on these values by a function of C; None where there can be none."""
    if not usable():
        return None
    starts = [None if isinstance(x, jax.core.Tracer) else x for x in values]
    try:
        loop = _Loop(eqn.params, starts)
    except Unfit as reason:
        log.debug("a loop is left to XLA: %s", reason)
        return None
    name = compiled_loop(loop.source)
    rights = [number for right in loop.rights for number in right]
    head = [*name, loop.rows, eqn.params["length"], loop.room, min(loop.work, 1 << 30), len(loop.rights), *rights]
    kinds = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.outvars]
    call = jax.ffi.ffi_call("croton_scan", kinds, input_output_aliases=loop.aliases)
    given = [np.float32(0) if k in loop.unread else x for k, x in enumerate(values)]
    return list(call(*given, *loop.more, code=np.array(head, "int32")))


class _Loop:
    """A ``scan`` and its ``source`` in C.

    ``rows``: how many examples. ``room``: the numbers that each needs for what does not stay in registers; ``work``:
    its multiplications by matrices in a step. ``rights``: the right factors of products: which argument each is, and
    whether its axes have to be exchanged. ``more``: what the body holds besides its arguments. ``aliases``: {argument:
    the result that is written over it}. ``unread``: arguments that nothing depends on.
    """

    def __init__(self, params: Any, starts: Sequence[Any]) -> None:
        closed = params["jaxpr"]
        if closed.jaxpr.effects:
            raise Unfit("a step does more than compute")
        self.program = flat(closed)
        self.more = list(self.program.consts.values())
        self.consts, self.carried = scanned(params)
        self.starts, self.length = starts, params["length"]
        self.order = Count("(steps - 1 - step)" if params["reverse"] else "step")
        self.eqns = self.program.eqns
        self.examples = _examples(self.program, self.consts, self.carried)
        self.rows = next((v.aval.shape[k] for v, k in self.examples), 1)
        self.factors = {eqn.invars[1] for eqn in self._all("dot_general") if isinstance(eqn.invars[1], Name)}
        self.factors |= {eqn.invars[0] for eqn in self._all("transpose") if eqn.outvars[0] in self.factors}
        self.env: dict[Any, Any] = {}
        self.rights: list[tuple[int, int]] = []
        self.computed: list[Result | Product] = []
        self.aliases: dict[int, int] = {}
        self.unread: set[int] = set()
        self.room = self.work = 0
        self.begin: list[str] = []
        self.once: list[str] = []
        self.names: dict[str, str] = {}
        self.last: list[str] = []
        self.end: list[str] = []
        read = set(names([*self.program.outvars, *(v for eqn in self.eqns for v in eqn.invars)]))
        for place, v in enumerate((*self.program.invars, *self.program.consts)):
            if place < self.consts and v not in read:
                self.unread.add(place)
            else:
                self.env[v] = self._argument(v, place)
        for eqn in self.eqns:
            self._add(eqn)
        self._results()
        self._check()
        body = [*self.once, *self._written(), *self.last]
        begin, step, end = map("\n".join, (self.begin, body, self.end))
        self.source = HEAD + MATH + PRODUCT + LOOP.format(begin=begin, body=step, end=end)

    def _all(self, name: str) -> list[Any]:
        return [eqn for eqn in self.eqns if eqn.primitive.name == name]

    # --- arguments and results ---

    def _argument(self, v: Any, place: int) -> Any:
        k = place - self.consts
        carried, each = 0 <= k < self.carried, self.carried <= k < len(self.program.invars) - self.consts
        shape, kind, role = v.aval.shape, v.aval.dtype, self._role(v)
        if shape == () and not each:
            return self._scalar(v, place, carried)
        if kind != np.float32:
            return None
        if each:
            return self._row_of_step(place, role) if role else None
        if len(shape) == 3:
            at = len(self.program.invars) + len(self.more) + k if carried else place
            if carried:
                self.aliases[place] = k
            return Version(Stack(f"((float*)at[{at}])", f"lengths[{at}]", shape[2], k if carried else None), 0)
        if carried:
            if role is None or not self._own(role):
                return None
            row = self._own_row(f"old{k}", role[0])
            self._own_row(f"new{k}", row.width)
            result = len(self.program.invars) + len(self.more) + k
            size = f"count * {row.width} * sizeof(float)"
            self.begin.append(f"memcpy(old{k}, (float*)at[{place}] + first * {row.width}, {size});")
            self.end.append(f"memcpy((float*)at[{result}] + first * {row.width}, old{k}, {size});")
            return row
        if v in self.factors:
            return Matrix(place) if len(shape) == 2 else None
        if role is None:
            return None
        width, own = role
        return Row(width, f"(float*)at[{place}]" + f" + first * {width}" * own, width * own)

    def _scalar(self, v: Any, place: int, carried: bool) -> Any:
        types = {"int64": "long", "bool": "bool", "float32": "float"}
        kind = types.get(str(v.aval.dtype))
        if kind is None or (carried and kind != "long"):
            return None
        self.begin.append(f"{'float' if kind == 'float' else 'long'} s{place} = *({kind}*)at[{place}];")
        return Number(f"s{place}") if kind == "float" else Count(f"s{place}")

    def _row_of_step(self, place: int, role: tuple[int, bool]) -> Row:
        width, own = role
        begin = f"(float*)at[{place}] + {self.order} * {'rows * ' * own}{width}" + f" + first * {width}" * own
        return Row(width, begin, width * own)

    def _own_row(self, name: str, width: int) -> Row:
        """Room for a row of each example, called so in C."""
        self.begin.append(f"float* {name} = room + count * {self.room};")
        self.room += width
        return Row(width, name, width)

    def _results(self) -> None:
        """Where the step's results go."""
        for k, v in enumerate(self.program.outvars):
            place = len(self.program.invars) + len(self.more) + k
            given, role = self._read(v), self._role(v)
            old = self.env[self.program.invars[self.consts + k]] if k < self.carried else None
            if isinstance(old, Count) and isinstance(given, Count):
                self.once.append(f"const long next{k} = {given};")
                self.last.append(f"{old} = next{k};")
                self.end.append(f"if (first == 0) *(long*)at[{place}] = {old};")
            elif isinstance(old, Version) and isinstance(given, Version):
                if given.stack is not old.stack or given.writes != len(old.stack.writes):
                    raise Unfit("a stack is carried to another place")
            elif isinstance(old, Row):
                self._put(given, Row(old.width, f"new{k}", old.width))
                self.last.append(f"float* const swap{k} = old{k}; old{k} = new{k}; new{k} = swap{k};")
            elif k >= self.carried and role is not None and self._own(role) and v.aval.dtype == np.float32:
                self._put(given, self._row_of_step(place, role))
            else:
                raise Unfit(f"{v.aval.str_short()} is a result of a step")
        for k, v in enumerate(self.program.invars[self.consts : self.consts + self.carried]):
            old = self.env[v]
            if isinstance(old, Version) and self._filled(k, old.stack):
                self.unread.add(self.consts + k)
                del self.aliases[self.consts + k]

    def _filled(self, k: int, stack: Stack) -> bool:
        """Whether the steps write every number of a stack, and read none but those of the row they have written."""
        steps = {w.step for w in stack.writes}
        if self.program.outvars[k].aval.shape[0] != self.length or len(steps) != 1:
            return False
        if sum(w.width for w in stack.writes) != stack.width:
            return False
        read = [x for c in self.computed for x in _read_by(c) if isinstance(x, View) and x.stack is stack]
        if any(x.writes < len(stack.writes) or x.step not in steps for x in read):
            return False
        [step] = steps
        for i, v in enumerate(self.program.outvars[: self.carried]):
            place = self.consts + i
            if self.env[self.program.invars[place]] == Count(step.base) and self.starts[place] is not None:
                [by] = [n for n in (1, -1) if self._read(v) == Count(step.base, n)] or [0]
                first = int(self.starts[place]) + step.plus
                return (by, first) in ((1, 0), (-1, self.length - 1))
        return False

    def _own(self, role: tuple[int, bool] | None) -> bool:
        return role is not None and (role[1] or self.rows == 1)

    def _put(self, value: Any, to: Row) -> Result | Product:
        """Have a value written there; what is, is a copy where it is in another place for good."""
        if isinstance(value, Product) and value.begin is None:
            value.begin, value.stride = to.begin, to.stride
            return value
        if not isinstance(value, Result):
            value = self._result(ROWWISE["copy"], [value], to.width)
        if value.begin is None:
            value.begin, value.stride = to.begin, to.stride
        value.to.append(to)
        return value

    # --- equations ---

    def _role(self, v: Any) -> tuple[int, bool] | None:
        """How many numbers there are for each example, and whether they are its own; None where it is no such row."""
        axes = [k for k, size in enumerate(v.aval.shape) if size != 1]
        own = [k for k in axes if (v, k) in self.examples]
        rest = [k for k in axes if k not in own]
        if len(rest) > 1 or own[1:] or (own and rest and own[0] > rest[0]):
            return None
        return v.aval.shape[rest[0]] if rest else 1, bool(own)

    def _width(self, v: Any) -> int:
        role = self._role(v)
        if role is None:
            raise Unfit(f"{v.aval.str_short()} is no row for each example")
        return role[0]

    def _read(self, v: Any) -> Any:
        if not isinstance(v, Literal):
            return self.env[v]
        value = np.asarray(v.val)
        if value.shape != ():
            raise Unfit("an array stands in the step")
        return Number(number(float(value))) if value.dtype.kind == "f" else Count("0", int(value))

    def _add(self, eqn: Any) -> None:
        given = [self._read(v) for v in eqn.invars]
        if any(x is None for x in given):
            raise Unfit(f"{eqn.primitive.name} of {', '.join(v.aval.str_short() for v in eqn.invars)}")
        meaning = self.MEANINGS.get(eqn.primitive.name)
        if meaning is not None:
            made = meaning(self, eqn, given)
        elif len(eqn.outvars) == 1:
            made = [(self._number if eqn.outvars[0].aval.shape == () else self._elementwise)(eqn, given)]
        else:
            raise Unfit(f"{eqn.primitive.name} has several results")
        self.env.update(zip(eqn.outvars, made, strict=True))

    def _number(self, eqn: Any, given: Sequence[Any]) -> Any:
        """What is the same for all examples."""
        name, kind = eqn.primitive.name, eqn.outvars[0].aval.dtype
        if name in ("add", "sub") and all(isinstance(x, Count) for x in given) and given[1].known:
            return replace(given[0], plus=given[0].plus + (given[1].plus if name == "add" else -given[1].plus))
        whole = kind.kind in "bi"
        if not (whole or kind == np.float32) or any(not isinstance(x, Count | Number) for x in given):
            raise Unfit(f"{name} of {', '.join(v.aval.str_short() for v in eqn.invars)}")
        text = in_c(eqn, COUNTING if whole else ROWWISE).format(*given)
        if text not in self.names:
            self.names[text] = f"k{len(self.names)}"
            self.once.append(f"const {'long' if whole else 'float'} {self.names[text]} = {text};")
        return Count(self.names[text]) if whole else Number(self.names[text])

    def _elementwise(self, eqn: Any, given: Sequence[Any]) -> Result:
        kind = eqn.outvars[0].aval.dtype
        if kind not in (np.float32, np.bool_):
            raise Unfit(f"{eqn.primitive.name} is {kind}")
        width, written = self._width(eqn.outvars[0]), in_c(eqn, ROWWISE)
        if eqn.primitive.name == "convert_element_type" and kind == np.bool_:
            written = "{0} != 0"
        given = [self._wide(x, width) if isinstance(x, Row) else x for x in given]
        return self._result(written, given, width, kind == np.bool_)

    def _wide(self, x: Row, width: int) -> Row:
        """A row that is so wide, or one number for each of so many columns."""
        if x.width == width:
            return x
        if x.width != 1:
            raise Unfit("rows change their length")
        return replace(self._part(x, 0, 1), width=width, across=0)

    def _result(self, written: str, given: Sequence[Any], width: int, truth: bool = False) -> Result:
        time = 0
        for x in given:
            if isinstance(x, Result) and x.width == width:
                time = max(time, x.time)
            elif isinstance(x, Row):
                time = max(time, _even(x.time))
            elif not isinstance(x, Count | Number):
                raise Unfit("a step uses a whole array")
        result = Result(width, None, width, time=time, truth=truth, written=written, of=list(given))
        self.computed.append(result)
        return result

    def _same(self, eqn: Any, given: Sequence[Any]) -> list[Any]:
        """What has the same rows in another shape."""
        [v], [x] = eqn.outvars, given
        if not isinstance(x, Row | Count | Number):
            raise Unfit("a step uses a whole array")
        return [self._wide(x, self._width(v)) if isinstance(x, Row) else x]

    def _columns(self, eqn: Any, given: Sequence[Any]) -> list[Row]:
        """Some of the columns."""
        shape, params = eqn.invars[0].aval.shape, eqn.params
        if eqn.primitive.name == "split":
            ends = np.cumsum([0, *params["sizes"]])
            starts = [[int(e) if k == params["axis"] else 0 for k in range(len(shape))] for e in ends[:-1]]
        else:
            starts = [params["start_indices"]]
        if params.get("strides") is not None or not isinstance(given[0], Row) or given[0].across == 0:
            raise Unfit("a step takes every second column")
        parts = []
        for v, start in zip(eqn.outvars, starts, strict=True):
            cut = [k for k, size in enumerate(v.aval.shape) if size != shape[k]]
            if not cut:
                parts.append(given[0])
                continue
            if cut != [len(shape) - 1]:
                raise Unfit("a step takes some of the examples")
            parts.append(self._part(given[0], start[-1], v.aval.shape[-1]))
        return parts

    def _part(self, x: Row, column: int, width: int) -> Row:
        if isinstance(x, Result | Product):
            return Part(width, None, 0, time=x.time, truth=x.truth, whole=x, column=column)
        if isinstance(x, Part):
            return replace(x, width=width, column=x.column + column)
        if isinstance(x, View):
            return replace(x, width=width, begin=f"{x.begin} + {column}", column=x.column + column)
        return replace(x, width=width, begin=f"{x.begin} + {column}")

    def _turned(self, eqn: Any, given: Sequence[Any]) -> list[Matrix]:
        """A matrix with its axes exchanged."""
        if not isinstance(given[0], Matrix) or eqn.params["permutation"] != (1, 0):
            raise Unfit("a step exchanges axes")
        return [Matrix(given[0].place, not given[0].turned)]

    def _slice(self, eqn: Any, given: Sequence[Any]) -> list[Row]:
        """A row of a stack."""
        stack, view = self._of_stack(eqn, given[0], given[1:], eqn.outvars[0].aval.shape)
        for write in reversed(stack.writes[: view.writes]):
            if (write.step, write.column, write.width) == (view.step, view.column, view.width):
                assert write.row is not None
                return [write.row]
            if _meet(write, view):
                break
        view.time = max([-2, *[w.time for w in stack.writes[: view.writes]]])
        return [view]

    def _of_stack(self, eqn: Any, version: Any, at: Sequence[Any], shape: Sequence[int]) -> tuple[Stack, View]:
        if not isinstance(version, Version) or len(shape) != 3 or not all(isinstance(x, Count) for x in at):
            raise Unfit("a step reads what is no stack")
        stack, (step, example, column) = version.stack, at
        own = (eqn.invars[0], 1) in self.examples or eqn.invars[0].aval.shape[1] == self.rows == 1
        if not own or shape[:2] != (1, self.rows) or example != Count("0") or not column.known:
            raise Unfit("a step reads some of the examples, or several steps")
        width, first = shape[2], column.plus
        if not 0 <= first <= stack.width - width:
            raise Unfit("a step reads beyond the last column")
        begin = f"{stack.at} + (within({step}, {stack.length}) * rows + first) * {stack.width} + {first}"
        return stack, View(width, begin, stack.width, stack=stack, writes=version.writes, step=step, column=first)

    def _update(self, eqn: Any, given: Sequence[Any]) -> list[Version]:
        """Write a row of a stack."""
        stack, view = self._of_stack(eqn, given[0], given[2:], eqn.invars[1].aval.shape)
        if stack.carried is None or view.writes != len(stack.writes) or any(_meet(w, view) for w in stack.writes):
            raise Unfit("a step writes to what is kept")
        view.row = self._put(given[1], view)
        view.time = view.row.time
        stack.writes.append(view)
        return [Version(stack, view.writes + 1)]

    def _product(self, eqn: Any, given: Sequence[Any]) -> list[Row]:
        (over, to), batch = eqn.params["dimension_numbers"]
        left, right = given
        a = eqn.invars[0].aval
        if not isinstance(right, Matrix) or batch != ((), ()) or over != (a.ndim - 1,) or len(to) != 1 or not a.size:
            raise Unfit("a product is not of rows and a matrix that stays the same")
        if not isinstance(left, Row) or left.across == 0 or left.truth or not self._own(self._role(eqn.invars[0])):
            left = self._result(ROWWISE["copy"], [left], a.shape[-1])
        self.rights.append((right.place, int(right.turned != (to == (1,)))))
        width = self._width(eqn.outvars[0])
        self.work += a.shape[-1] * width
        product = Product(
            width, None, width, time=_odd(left.time), left=left, right=len(self.rights) - 1, terms=a.shape[-1]
        )
        self.computed.append(product)
        return [product]

    MEANINGS: ClassVar[dict[str, Callable[..., list[Any]]]] = {
        "broadcast_in_dim": _same,
        "squeeze": _same,
        "reshape": _same,
        "slice": _columns,
        "split": _columns,
        "transpose": _turned,
        "dynamic_slice": _slice,
        "dynamic_update_slice": _update,
        "dot_general": _product,
    }

    # --- C ---

    def _check(self) -> None:
        """That nothing is read after it has been written over."""
        for c in self.computed:
            for x in _read_by(c):
                later = x.stack.writes[x.writes :] if isinstance(x, View) else []
                for w in later:
                    together = isinstance(c, Result) and isinstance(w.row, Result) and _together(c, w.row)
                    in_place = together and (x.column, x.across) == (w.column, 1)
                    if _meet(w, x) and not (c.time < w.time or in_place):
                        raise Unfit("a step reads what it has written over")

    def _written(self) -> list[str]:
        """What a step computes, pass by pass."""
        for c in self.computed:
            for x in _read_by(c):
                made = x.whole if isinstance(x, Part) else x
                if isinstance(made, Result | Product) and made.begin is None and not (x is made and _together(c, x)):
                    self._put(made, self._own_row(f"kept{self.room}", made.width))
        lines: list[str] = []
        for time in sorted({c.time for c in self.computed}):
            now = [c for c in self.computed if c.time == time]
            for width in dict.fromkeys(c.width for c in now):
                some = [c for c in now if c.width == width]
                # A product that nobody reads has no place.
                lines += [self._multiplied(c) for c in some if c.begin] if time % 2 else self._pass(some)
        return lines

    def _multiplied(self, p: Any) -> str:
        begin, stride, _ = _place(p.left)
        right = f"right[{p.right}], {p.begin}, {p.stride}"
        return f"product({begin}, {stride}, false, {right}, count, {p.terms}, {p.width}, false);"

    def _pass(self, results: Sequence[Any]) -> list[str]:
        """Elementwise results in one loop: what they read, what they are, and where they are written."""
        width, lines = results[0].width, list[str]()
        places: dict[tuple[str, int, int], int] = {}
        names: dict[Row, str] = {}

        def at(row: Row) -> str:
            place = _place(row)
            k = places.setdefault(place, len(places))
            return f"p{k}[AT({place[1]}, {place[2]})]"

        for c in results:
            texts = []
            for x in c.of:
                if isinstance(x, Row) and x not in names:
                    names[x] = f"x{len(names)}"
                    lines.append(f"const {'int' if x.truth else 'float'} {names[x]} = {at(x)}{' != 0' * x.truth};")
                texts.append(names[x] if isinstance(x, Row) else str(x))
            names[c] = f"y{len(names)}"
            lines.append(f"const {'int' if c.truth else 'float'} {names[c]} = {c.written.format(*texts)};")
        lines += [f"{at(to)} = {names[c]};" for c in results for to in c.to]
        flat = all(place[1:] == (width, 1) for place in places)
        text = "\n".join(lines)
        for stride, across in {place[1:] for place in places}:
            text = text.replace(f"[AT({stride}, {across})]", "[i]" if flat else f"[b * {stride} + j * {across}]")
        loop = [f"EACH for (long i = 0; i < count * {width}; i++) {{"]
        if not flat:
            loop = ["for (long b = 0; b < count; b++)", f"EACH for (long j = 0; j < {width}; j++) {{"]
        pointers = [f"float* const p{k} = {place[0]};" for place, k in places.items()]
        return ["{", *pointers, *loop, text, "}}"]


def _together(c: Row, other: Row) -> bool:
    """Whether these are elementwise results of one pass."""
    return isinstance(c, Result) and isinstance(other, Result) and (c.time, c.width) == (other.time, other.width)


def _read_by(c: Any) -> list[Any]:
    return [x for x in (c.of if isinstance(c, Result) else [c.left]) if isinstance(x, Row)]


def _place(row: Row) -> tuple[str, int, int]:
    """Where the row of the first example begins, and the numbers to the next example's, and to the next number."""
    if isinstance(row, Part):
        return f"{row.whole.begin} + {row.column}", row.whole.stride, row.across
    return str(row.begin), row.stride, row.across


def _meet(a: View, b: View) -> bool:
    """Whether two views of a stack may have a number in common."""
    return a.step != b.step or (a.column < b.column + b.width and b.column < a.column + a.width)


# --- which axes are those of examples ---


def _examples(program: Flat, consts: int, carried: int) -> set[tuple[Any, int]]:
    """The axes, as (variable, number), along which a step computes each element from elements in the same place.

    Those that go together with the first axis of what is carried, or the second where that is a stack.
    """
    heads: dict[Any, Any] = {}
    invars, outvars, eqns = list[Any](program.invars), list[Any](program.outvars), program.eqns
    mixed: set[Any] = set()

    def head(axis: Any) -> Any:
        while axis in heads:
            axis = heads[axis]
        return axis

    def same(a: Any, i: int, b: Any, j: int) -> None:
        if not isinstance(a, Literal) and not isinstance(b, Literal):
            one, other = head((a, i)), head((b, j))
            if a.aval.shape[i] != b.aval.shape[j]:
                mixed.update((one, other))
            elif one != other:
                heads[one] = other
                if one in mixed:
                    mixed.add(other)

    def mix(v: Any, axes: Sequence[int]) -> None:
        if not isinstance(v, Literal):
            mixed.update(head((v, k)) for k in axes)

    for old, new in zip(invars[consts:], outvars[:carried], strict=False):
        for i in range(old.aval.ndim):
            same(old, i, new, i)
    for eqn in eqns:
        for a, i, b, j in _pairs(eqn):
            same(a, i, b, j)
        if eqn.primitive.name == "dot_general":
            (a, b), out, ((over, _), _) = eqn.invars, eqn.outvars[0], eqn.params["dimension_numbers"]
            mix(a, over)
            mix(b, range(b.aval.ndim))
            mix(out, range(a.aval.ndim - len(over), out.aval.ndim))
        elif eqn.primitive.name not in (*_Loop.MEANINGS, *ROWWISE):
            for v in (*eqn.invars, *eqn.outvars):
                mix(v, range(v.aval.ndim))
    first = [head((v, int(v.aval.ndim == 3))) for v in invars[consts : consts + carried] if v.aval.ndim]
    good = [(v, k) for v, k in first if v.aval.shape[k] > 1 and (v, k) not in mixed]
    own = {(v, k) for v, k in good if v.aval.shape[k] == good[0][0].aval.shape[good[0][1]]}
    variables = {v for eqn in eqns for v in (*eqn.invars, *eqn.outvars) if not isinstance(v, Literal)}
    variables.update(v for v in (*invars, *outvars) if not isinstance(v, Literal))
    return {(v, k) for v in variables for k in range(v.aval.ndim) if head((v, k)) in own}


def _pairs(eqn: Any) -> list[tuple[Any, int, Any, int]]:
    """The axes of an equation's arguments and results that go together; those of different length end in each other."""
    name, outs, params = eqn.primitive.name, eqn.outvars, eqn.params
    first: Any = next(iter(eqn.invars), None)
    out = outs[0]
    if name == "dot_general":
        kept = [k for k in range(first.aval.ndim) if k not in params["dimension_numbers"][0][0]]
        return [(first, k, out, i) for i, k in enumerate(kept)]
    if name == "broadcast_in_dim":
        axes = list(enumerate(params["broadcast_dimensions"]))
        return [(first, i, out, k) for i, k in axes if first.aval.shape[i] != 1]
    if name == "transpose":
        return [(first, k, out, i) for i, k in enumerate(params["permutation"])]
    if name in ("squeeze", "reshape"):
        long = [[k for k, size in enumerate(v.aval.shape) if size != 1] for v in (first, out)]
        return [(first, i, out, k) for i, k in zip(*long, strict=len(long[0]) == len(long[1]))]
    others = eqn.invars[1:2] if name == "dynamic_update_slice" else []
    if name in ("dynamic_slice", "slice", "split", "dynamic_update_slice"):
        return [(first, k, v, k) for v in (*outs, *others) for k in range(first.aval.ndim)]
    alike = [(v, k) for v in eqn.invars if v.aval.ndim == out.aval.ndim for k in range(out.aval.ndim)]
    return [(v, k, out, k) for v, k in alike if v.aval.shape[k] == out.aval.shape[k]]
