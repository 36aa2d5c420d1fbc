"""What a step computes for each example by itself, such as softmax and cross-entropy, as one function of C.

XLA makes a kernel for each reduction and for what is around it, half a dozen passes over memory on one core. Here some
examples at a time, as many as fit into registers side by side, go through all that is computed of their features, in
the nearest cache; what is summed over the examples is added up on the way.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np

from croton.native.equations import Equation, Flat, Name
from croton.native.groups import edges, grouped, names
from croton.native.heads import Head, head_of
from croton.native.library import compiled_loop, usable
from croton.native.spaces import FOLDS, Space
from croton.native.written import COUNTING, HEAD, MATH, PRODUCT, ROWWISE, Unfit, in_c, number

log = logging.getLogger("croton")

# What is smaller is left to XLA. Examples of more features, and arrays of more numbers for some examples, leave the
# nearest caches.
LEAST, FEATURES, ROOM = 1 << 11, 1 << 10, 1 << 17
# The numbers that are worked on side by side at most, as in kernels.cc.
WIDE = 32
# Operations of a part that is worth a thread's while, and how many parts there are at most.
PART, PARTS = 1 << 20, 16
# What is much more work than to add, by the name of the function in C.
COSTS = {"exp_": 16, "log_": 16, "tanh_": 16, "sqrtf": 4, " / ": 4}
TYPES = {"float32": "float", "int32": "int", "int64": "long", "bool": "int"}
STORED = {"float32": "float", "int32": "int", "int64": "long", "bool": "bool"}
# How reductions go on: {0} is what there is so far, {1} one more.
ADDED = {"sum": "{0} + {1}", "max": ROWWISE["max"], "min": ROWWISE["min"], "and": "{0} & {1}", "or": "{0} | {1}"}
LARGEST = {"float": "INFINITY", "int": "__INT_MAX__", "long": "__LONG_MAX__"}
LOOP = """#if defined(__AVX512F__)
#define L 32
#else
#define L 16
#endif
typedef void Load(float* const*, long, long, float*);
typedef void Store(float* const*, long, long, const float*);
extern "C" long loop(long first, long last, long all, void* const* at, float* room, double* sums, Load* load,
                     Store* store, Product* product) {{
enum {{ F = {features} }};
if (first == last) return L;
if (first < 0) {{
{finish}
return L;
}}
{begin}
for (long block = 0; first < last; block++, first += L) {{
const long n = last - first < L ? last - first : L;
const bool full = block % 32 == 31 || first + L >= last;
{body}
}}
{end}
return L;
}}
"""


def arranged(program: Flat) -> list[Any]:
    """The equations of a program, those that compute something for each example brought together as ``Each``."""
    items: list[Any] = list(program.eqns)
    if any(eqn.of.effects for eqn in program.eqns):
        return items
    for seed in _seeds(program.eqns):
        if seed in items and usable():
            items = _with(seed, items, program.outvars)
    for item in [item for item in items if isinstance(item, Each)]:
        items = _with_head(item, items, program.outvars)
    return items


def _seeds(eqns: Sequence[Equation]) -> list[Equation]:
    """Where the largest of each example's features is found, as a softmax and an argmax have it: one for each array."""
    found: dict[Any, Equation] = {}
    for eqn in eqns:
        if eqn.primitive.name == "reduce_max" and len(eqn.params["axes"]) == 1:
            x, [axis] = eqn.invars[0].aval, eqn.params["axes"]
            many = 1 < x.shape[axis] <= FEATURES and x.size > max(x.shape[axis], LEAST - 1)
            if x.dtype == np.float32 and axis in (0, x.ndim - 1) and many:
                found.setdefault(eqn.invars[0], eqn)
    return list(found.values())


def _with(seed: Equation, items: Sequence[Any], outvars: Sequence[Any]) -> list[Any]:
    plain = [e for e in items if isinstance(e, Equation)]
    space = Space(plain, seed.invars[0], seed.params["axes"][0])
    kinds = {e: kind for e in plain if (kind := space.kind(e)) is not None and _writable(e, kind)}
    done: list[Any] = []
    for group in grouped(items, lambda e: e in kinds, lambda e: kinds[e] == "end"):
        if group.fits and any(kinds[e] == "fold" for e in group.eqns):
            needed, wanted = edges(group.eqns, items, outvars)
            shown = _shown(needed, {v: e for e in plain for v in e.outvars}, kinds)
            try:
                made = Each(space, kinds, [e for e in plain if e in shown or e in group.eqns], wanted)
            except Unfit as reason:
                log.debug("what is computed for each example is left to XLA: %s", reason)
            else:
                # What was made before and only shows something is there already.
                done += [made, *[e for e in made.after if e in group.eqns]]
                continue
        done += group.eqns
    return done


def _with_head(each: Each, items: Sequence[Any], outvars: Sequence[Any]) -> list[Any]:
    """The items, the products around ``each`` made with it, if there are such."""
    head = head_of(each, items, outvars)
    if head is None:
        return list(items)
    left = [e for e in items if e not in head.eqns]
    try:
        _, wanted = edges(each.eqns, left, outvars)
        made = Each(each.space, each.kinds, each.eqns, wanted, head)
    except Unfit as reason:
        log.debug("the products around what is computed for each example are left: %s", reason)
        return list(items)
    return [made if e is each else e for e in left]


def _writable(eqn: Equation, kind: str) -> bool:
    """Whether what an equation does can be written."""
    dtypes = [str(v.aval.dtype) for v in (*eqn.invars, *eqn.outvars)]
    if any(dtype not in TYPES for dtype in dtypes):
        return False
    if kind in ("fold", "end"):
        how = FOLDS[eqn.primitive.name]
        return dtypes[0] in {"sum": ("float32",), "and": ("bool",), "or": ("bool",)}.get(how, TYPES)
    if kind != "map":
        return True
    try:
        _in_c(eqn)
    except Unfit:
        return False
    return True


def _in_c(eqn: Equation) -> str:
    """What an equation is in C, element by element."""
    dtypes = [str(v.aval.dtype) for v in (*eqn.invars, *eqn.outvars)]
    if eqn.primitive.name == "convert_element_type":
        if dtypes[-1] == "bool":
            return "{0} != 0"
        if dtypes[0] == "float32":
            raise Unfit("whole numbers of others")
        return "{0}"
    return in_c(eqn, ROWWISE if dtypes[-1] in ("float32", "bool") else COUNTING)


def _shown(needed: Sequence[Any], made_by: dict[Any, Equation], kinds: dict[Equation, str]) -> set[Equation]:
    """The equations that make what is needed, directly or not, of an array that they only show in another shape."""
    found: set[Equation] = set()
    todo = list(needed)
    while todo:
        eqn = made_by.get(todo.pop())
        if eqn is not None and eqn not in found and kinds.get(eqn) in ("view", "iota"):
            found.add(eqn)
            todo += names(eqn.invars)
    return found


@dataclass(eq=False)
class _Node:
    """Something that is computed: for each example (``each``), for each of the features (``wide``), or once for all.

    ``time``: the pass in which it is there, an even one if there is one for each feature of each example, else an odd
    one. ``written``: in C, of ``of``. ``name``: what it is called there; ``kept``: whether a later pass finds it in an
    array ``x`` of that name.
    """

    ctype: str
    each: bool
    wide: bool
    time: int
    name: str
    written: str = ""
    of: list[_Node] = field(default_factory=list)
    fold: str = ""
    kept: bool = False

    @property
    def both(self) -> bool:
        return self.each and self.wide

    @cached_property
    def plain(self) -> bool:
        """Whether to compute it again is less work than to keep it, and gives the same bits.

        A product need not: where it is added to something, both may become one operation.
        """
        costs = any(name in self.written for name in (*COSTS, "*", "%"))
        return bool(self.written) and not costs and all(x.plain for x in self.of if x.both and x.written)


@dataclass(frozen=True)
class _End:
    """What is reduced over the examples: how, what, the first of its places among what is summed up, and its result."""

    how: str
    what: _Node
    begin: int
    result: Any


class Each:
    """Equations that compute something for each example, as one: a call of a function of C.

    ``after``: equations that show its results in other shapes. ``head``: the products that it makes besides.
    """

    def __init__(
        self,
        space: Space,
        kinds: dict[Equation, str],
        eqns: Sequence[Equation],
        wanted: Sequence[Any],
        head: Head | None = None,
    ) -> None:
        if space.examples >= 1 << 31:
            raise Unfit("there are too many examples")
        self.space, self.kinds, self.eqns, self.head = space, kinds, eqns, head
        made_by = {v: e for e in eqns for v in e.outvars}
        shown = _shown(wanted, made_by, kinds)
        self.after = [e for e in eqns if e in shown]
        asked = dict.fromkeys(v for v in (*wanted, *(v for e in self.after for v in names(e.invars))) if v in made_by)
        self.outvars = [v for v in asked if kinds[made_by[v]] not in ("view", "iota")]
        self.invars = [v for v in edges(eqns, (), ())[0] if head is None or v is not head.scores]
        self.nodes: list[_Node] = []
        self.same: dict[Any, _Node] = {}
        self.ends: list[_End] = []
        self.summed = 0
        self.arguments = {v: self._argument(v, k) for k, v in enumerate(self.invars)}
        self.env: dict[Any, _Node] = dict(self.arguments)
        if head is not None:
            self.invars += [head.inputs, head.weights]
            self.scores = self.env[head.scores] = _Node("float", True, True, 0, "z", kept=True)
        for eqn in eqns:
            made = self._made(eqn, kinds[eqn])
            if made is not None:
                self.env[eqn.outvars[0]] = made
        ended = {end.result for end in self.ends}
        self.results = {v: self._forced(self.env[v], v) for v in self.outvars if v not in ended}
        if head is not None:
            self.outvars += [v for v in (head.back, head.grown) if v is not None]
            if head.slope is not None:
                self.slope = self._forced(self.env[head.slope], head.slope)
                self.slope.kept = True
        self.source = self._source()

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        """The results on these values."""
        name = compiled_loop(self.source)
        kinds = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in self.outvars]
        code = [*name, self.space.examples, self.room, self.summed, self.parts]
        call = jax.ffi.ffi_call("croton_each", kinds)
        return list(call(*values, code=np.array(code, "int32")))

    # --- what is computed ---

    def _argument(self, v: Any, place: int) -> _Node:
        role, dtype = self.space.role(v) or (), str(v.aval.dtype)
        if dtype not in TYPES or (self.space.role(v) is None):
            raise Unfit(f"{v.aval.str_short()} has no place here")
        each, wide = "E" in role, "F" in role
        node = _Node(TYPES[dtype], each, wide, 0 if each and wide else -1, f"a{place}", kept=True)
        if node.both and dtype != "float32":
            raise Unfit(f"{v.aval.str_short()} is read")
        if not each:
            node.written = f"(({STORED[dtype]}*)at[{place}])[{'f' if wide else '0'}]"
            self.nodes.append(node)
        return node

    def _read(self, v: Any) -> _Node:
        if isinstance(v, Name):
            if v not in self.env:
                raise Unfit("what is reduced over the examples is used")
            return self.env[v]
        dtype, value = str(v.aval.dtype), np.asarray(v.val)
        if value.shape != ():
            raise Unfit("an array stands in the program")
        text = number(float(value)) if dtype == "float32" else _whole(int(value), TYPES[dtype])
        return _Node(TYPES[dtype], False, False, -1, text)

    def _made(self, eqn: Equation, kind: str) -> _Node | None:
        [out], name = eqn.outvars, eqn.primitive.name
        ctype = TYPES[str(out.aval.dtype)]
        if kind == "iota":
            return self._computed(f"({ctype})f", ctype, [], wide=True)
        given = [self._read(v) for v in eqn.invars]
        if kind == "view":
            return given[0]
        if kind == "map":
            return self._computed(_in_c(eqn), ctype, given)
        how, role = FOLDS[name], self.space.roles[eqn.invars[0]]
        gone = {role[k] for k in eqn.params["axes"]}
        what = self._fold(how, given[0]) if "F" in gone else given[0]
        if kind == "fold":
            return what
        wide = "F" in role and "F" not in gone
        if wide and how != "sum":
            raise Unfit(f"the {how} of the examples")
        what = self._level(what, True, wide)
        # Of truths, 0 and 1, "and" is the smallest.
        self.ends.append(_End({"and": "min", "or": "max"}.get(how, how), what, self.summed, out))
        self.summed += self.space.features if wide else 1
        return None

    def _computed(self, written: str, ctype: str, of: list[_Node], each: bool = False, wide: bool = False) -> _Node:
        """What is computed element by element, once for what is the same."""
        each, wide = each or any(x.each for x in of), wide or any(x.wide for x in of)
        time = max([-1 + (each and wide), *[x.time for x in of if x.each]])
        if each and (time % 2 == 1) == wide:
            time += 1
        key = written, ctype, each, wide, *[x.name for x in of]
        if key not in self.same:
            self.same[key] = _Node(ctype, each, wide, time, f"v{len(self.nodes)}", written, of)
            self.nodes.append(self.same[key])
        return self.same[key]

    def _fold(self, how: str, x: _Node) -> _Node:
        """The reduction of an example's features."""
        if not x.wide:
            return self._computed(f"{{0}} * {self.space.features}", x.ctype, [x]) if how == "sum" else x
        x = self._level(x, True, True)
        key = how, x.name
        if key not in self.same:
            self.same[key] = _Node(x.ctype, True, False, x.time + 1, f"v{len(self.nodes)}", of=[x], fold=how)
            self.nodes.append(self.same[key])
        return self.same[key]

    def _level(self, x: _Node, each: bool, wide: bool) -> _Node:
        """The same for each example, or each feature, where it is there once for all."""
        return x if (x.each, x.wide) == (each, wide) else self._computed("{0}", x.ctype, [x], each, wide)

    def _forced(self, x: _Node, v: Any) -> _Node:
        role = self.space.roles[v]
        x = self._level(x, "E" in role, "F" in role)
        if not x.each or (x.wide and x.ctype != "float"):
            raise Unfit(f"{v.aval.str_short()} is a result")
        return x

    # --- C ---

    def _source(self) -> str:
        """All of it, after noting what later passes need."""
        for x in self.results.values():
            x.kept |= x.both
        last = max([x.time for x in self.nodes] + [end.what.time for end in self.ends], default=-1)
        passes = {time: self._passed(time) for time in range(0, last + 1, 2)}
        scores = [self.scores] if self.head else []
        self.kept = [x for x in (*scores, *self.arguments.values(), *self.nodes) if x.both and x.kept]
        self.room = 0
        begin = [f"const {x.ctype} {x.name} = {_text(x, -1)};" for x in self.nodes if not x.each and not x.wide]
        for x in self.kept:
            begin.append(f"{x.ctype}* const x{x.name} = ({x.ctype}*)(room + {self.room});")
            self.room += WIDE * self.space.features * (2 if x.ctype == "long" else 1)
        before, after, add = self._around(begin)
        body = [*self._loads(), *before]
        for time in range(-1, last + 1):
            body += self._between(time) if time % 2 else self._through(time, passes[time])
        ends: list[str] = []
        finish: list[str] = []
        for k, end in enumerate(self.ends):
            more = self._ended(k, end)
            for lines, some in zip((begin, body, ends, finish), more, strict=True):
                lines += some
        body += [*self._stores(), *after]
        finish += add
        if self.room > ROOM:
            raise Unfit("there is much to keep of each example")
        parts = {"begin": begin, "body": body, "end": ends, "finish": finish}
        return (
            HEAD
            + MATH
            + PRODUCT
            + LOOP.format(features=self.space.features, **{k: "\n".join(v) for k, v in parts.items()})
        )

    def _around(self, begin: list[str]) -> tuple[list[str], list[str], list[str]]:
        """The products before and after what is computed of some examples, and what is added up of all in the end."""
        head = self.head
        if head is None:
            return [], [], []
        lines, self.room = head.begin(len(self.invars) - 1, self.room, WIDE)
        begin += lines
        back, grown = (self.outvars.index(v) if v is not None else 0 for v in (head.back, head.grown))
        first, size = self.summed, head.weights.aval.size
        before = head.before(len(self.invars) - 2, f"x{self.scores.name}")
        if head.slope is None:
            return before, [], []
        after = head.after(f"x{self.slope.name}", len(self.invars) + back, first)
        if head.grown is None:
            return before, after, []
        self.summed += size
        return before, after, [self._added(first, size, f"((float*)at[{len(self.invars) + grown}])")]

    @property
    def parts(self) -> int:
        """In how many parts the examples are taken: it follows from shapes alone, as results do."""
        work = 2 * len(self.kept) + (self.head.work if self.head else 0)
        for x in self.nodes:
            work += x.both * (1 + sum(cost for name, cost in COSTS.items() if name in x.written))
        return min(max(self.space.examples * self.space.features * work // PART, 1), PARTS)

    def _rows_first(self, v: Any) -> bool:
        return self.space.roles[v].index("E") < self.space.roles[v].index("F")

    def _loads(self) -> list[str]:
        """What is read of some examples."""
        lines = []
        for k, (v, x) in enumerate(self.arguments.items()):
            stored = STORED[str(v.aval.dtype)]
            if x.both and self._rows_first(v):
                lines.append(f"{{ float* rows[L]; {_rows(k)} load(rows, F, n, x{x.name}); }}")
            elif x.both:
                lines += [
                    f"if (n < L) memset(x{x.name}, 0, F * L * sizeof(float));",
                    f"for (long f = 0; f < F; f++)"
                    f" memcpy(x{x.name} + f * L, (float*)at[{k}] + f * all + first, n * sizeof(float));",
                ]
            elif x.each:
                lines += [
                    f"{x.ctype} {x.name}[L];",
                    f"EACH for (long l = 0; l < n; l++) {x.name}[l] = (({stored}*)at[{k}])[first + l];",
                    f"for (long l = n; l < L; l++) {x.name}[l] = 0;",
                ]
        return lines

    def _between(self, time: int) -> list[str]:
        """What is computed of each example alone."""
        now = [x for x in self.nodes if x.each and not x.wide and x.time == time and not x.fold]
        arrays = [f"{x.ctype} {x.name}[L];" for x in now]
        lines = [f"{x.name}[l] = {_text(x, time)};" for x in now]
        return [*arrays, "EACH for (long l = 0; l < L; l++) {", *lines, "}"] if now else []

    def _passed(self, time: int) -> list[_Node]:
        """What a pass computes of each feature of each example, some of it again; notes what it needs to be kept."""
        done = {x.name for x in self.nodes if x.both and x.time == time}
        for node in reversed(self.nodes):
            for x in node.of if node.name in done else ():
                if x.both and x.time < time:
                    if _again(x):
                        done.add(x.name)
                    else:
                        x.kept = True
        return [x for x in self.nodes if x.name in done]

    def _through(self, time: int, now: Sequence[_Node]) -> list[str]:
        """What is computed of each feature of each example, and reduced over the features."""
        folds = [x for x in self.nodes if x.fold and x.of[0].time == time]
        sums = [(k, end) for k, end in enumerate(self.ends) if end.what.both and end.what.time == time]
        alone: dict[str, _Node] = {}
        todo = [y for x in now for y in x.of]
        while todo:
            x = todo.pop()
            if x.wide and not x.each and x.name not in alone:
                alone[x.name] = x
                todo += x.of
        lines = [
            f"{x.ctype} {x.name}[L]; for (long l = 0; l < L; l++) {x.name}[l] = {_first(x.fold, x.ctype)};"
            for x in folds
        ]
        lines.append("for (long f = 0; f < F; f++) {")
        lines += [f"const {x.ctype} {x.name} = {_text(x, time)};" for x in self.nodes if x.name in alone]
        lines.append("EACH for (long l = 0; l < L; l++) {")
        for x in now:
            lines.append(f"const {x.ctype} {x.name} = {_text(x, time)};")
            if x.kept:
                lines.append(f"x{x.name}[f * L + l] = {x.name};")
        lines += [f"{x.name}[l] = {ADDED[x.fold].format(f'{x.name}[l]', _found(x.of[0], time))};" for x in folds]
        lines += [f"m{k}[f * L + l] += l < n ? {_found(end.what, time)} : 0;" for k, end in sums]
        return [*lines, "}}"]

    def _ended(self, k: int, end: _End) -> tuple[list[str], list[str], list[str], list[str]]:
        """A reduction over the examples: its beginning, what it does with some of them, its end in a part, and in all.

        Sums of features go on in single precision, for 32 times so many examples; all else in double.
        """
        dtype, place = end.result.aval.dtype, len(self.invars) + self.outvars.index(end.result)
        to, what, features = f"(({STORED[str(dtype)]}*)at[{place}])", end.what, self.space.features
        if what.wide:
            begin = [f"float* const m{k} = room + {self.room};", f"memset(m{k}, 0, F * L * sizeof(float));"]
            self.room += WIDE * features
            body = [
                "if (full) {",
                f"for (long f = 0; f < F; f++) {{ double s[8] = {{}}; for (long l = 0; l < L; l += 8)"
                f" for (long i = 0; i < 8; i++) s[i] += m{k}[f * L + l + i];"
                f" sums[{end.begin} + f] += ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])); }}",
                f"memset(m{k}, 0, F * L * sizeof(float));",
                "}",
            ]
            return begin, body, [], [self._added(end.begin, features, to)]
        if what.ctype == "long":
            raise Unfit("whole numbers may be too large")
        # Reduced by themselves, one example of each block.
        begin = [f"double m{k}[L]; for (long l = 0; l < L; l++) m{k}[l] = {_first(end.how)};"]
        more = ADDED[end.how]
        body = [
            f"EACH for (long l = 0; l < L; l++) {{ const double x = {what.name}[l];"
            f" const double y = {more.format(f'm{k}[l]', 'x')}; m{k}[l] = l < n ? y : m{k}[l]; }}"
        ]
        one, other = f"sums[{end.begin}]", f"sums[p * {self.summed} + {end.begin}]"
        ends = [f"{one} = m{k}[0]; for (long l = 1; l < L; l++) {one} = {more.format(one, f'm{k}[l]')};"]
        add = f"for (long p = 1; p < last; p++) {one} = {more.format(one, other)};"
        return begin, body, ends, [add, f"{to}[0] = {one};"]

    def _added(self, begin: int, size: int, to: str) -> str:
        """So many sums, from one on, of all parts together."""
        add = f"for (long p = 1; p < last; p++) sums[{begin} + i] += sums[p * {self.summed} + {begin} + i];"
        return f"for (long i = 0; i < {size}; i++) {{ {add} {to}[i] = sums[{begin} + i]; }}"

    def _stores(self) -> list[str]:
        """What is written for some examples."""
        lines = []
        for v, x in self.results.items():
            k = len(self.invars) + self.outvars.index(v)
            if x.both and self._rows_first(v):
                lines.append(f"{{ float* rows[L]; {_rows(k)} store(rows, F, n, x{x.name}); }}")
            elif x.both:
                lines.append(
                    "for (long f = 0; f < F; f++)"
                    f" memcpy((float*)at[{k}] + f * all + first, x{x.name} + f * L, n * sizeof(float));"
                )
            else:
                stored = STORED[str(v.aval.dtype)]
                lines.append(f"for (long l = 0; l < n; l++) (({stored}*)at[{k}])[first + l] = {x.name}[l];")
        return lines


def _whole(value: int, ctype: str) -> str:
    """A whole number in C, where the smallest has no name of its own."""
    return f"({ctype})({value + (value < 0)}L{' - 1' * (value < 0)})"


def _rows(place: int) -> str:
    return f"for (long l = 0; l < n; l++) rows[l] = (float*)at[{place}] + (first + l) * F;"


def _again(x: _Node) -> bool:
    """Whether later passes compute it again."""
    return x.plain and not x.kept


def _found(x: _Node, time: int) -> str:
    """Where a pass finds it."""
    if x.both:
        return x.name if x.written and (x.time == time or _again(x)) else f"x{x.name}[f * L + l]"
    return f"{x.name}[l]" if x.each else x.name


def _text(x: _Node, time: int) -> str:
    """It in C, as a pass computes it."""
    return x.written.format(*[_found(y, time) for y in x.of])


def _first(how: str, ctype: str = "float") -> str:
    """What a reduction begins with."""
    if how == "max":
        return f"-{LARGEST[ctype]}" + " - 1" * (ctype != "float")
    return LARGEST[ctype] if how == "min" else "1" if how == "and" else "0"
