"""Products around what is computed for each example: those that make its features, and those of their gradient.

They are ``scores = inputs @ weights`` and, of the gradient d by the scores, ``d @ weights.T`` and ``inputs.T @ d``.
Made for some examples at a time, just before and after what is computed of their features, they find all that they read
in the nearest cache; and turned, as those are, they fill whole registers however few the features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from croton.native.equations import Equation, Name, multiplies, turns
from croton.native.groups import names

# Longer inputs, or a larger matrix, would leave the nearest caches; fewer multiplications are not worth it.
TERMS, WEIGHTS, LEAST = 512, 1 << 14, 1 << 20


@dataclass(eq=False)
class Head:
    """Such products, and the ``eqns`` that made them.

    ``inputs``: has a row of ``terms`` numbers for each example. ``slope``: the gradient by the scores; ``back``: that
    by the inputs, ``grown``: that by the weights, where they are asked for. ``turned``: of inputs and back, those whose
    two axes of examples are exchanged.
    """

    scores: Any
    inputs: Any
    weights: Any
    slope: Any = None
    back: Any = None
    grown: Any = None
    turned: list[Any] = field(default_factory=list)
    eqns: list[Equation] = field(default_factory=list)

    @property
    def terms(self) -> int:
        """How many numbers of an example each score is a sum over."""
        return int(self.weights.aval.shape[0])

    @property
    def work(self) -> int:
        """The multiplications for each example and feature."""
        return self.terms * (1 + (self.back is not None) + (self.grown is not None))

    # --- in C, where L, F and K are the numbers of examples, features and terms ---

    def _rows(self, v: Any, place: int) -> str:
        """Where the rows of some examples begin in an array."""
        e = "(first + l)"
        if v in self.turned:
            one, other = v.aval.shape[:2]
            e = f"({e} % {one} * {other} + {e} / {one})"
        return f"float* rows[L]; for (long l = 0; l < n; l++) rows[l] = (float*)at[{place}] + {e} * K;"

    def begin(self, weights: int, room: int, wide: int) -> tuple[list[str], int]:
        """What is there before the first examples, and the end of its room."""
        features = self.weights.aval.shape[1]
        # A row of the weights' gradient is as long as whole registers.
        lines = [f"enum {{ K = {self.terms}, R = (F + L / 2 - 1) / (L / 2) * (L / 2) }};"]
        rows = -(-features // wide) * wide
        for name, size, asked in (
            ("hx", self.terms * wide, True),
            ("hback", self.terms * wide, self.back),
            ("hrows", rows * wide, self.grown),
            ("hgrown", self.terms * rows, self.grown),
        ):
            if asked:
                lines.append(f"float* const {name} = room + {room};")
                room += -(-size // 16) * 16
        lines.append(f"const float* const hw = (float*)at[{weights}];")
        if self.grown:
            lines += ["memset(hrows, 0, L * R * sizeof(float));", "memset(hgrown, 0, K * R * sizeof(float));"]
        return lines, room

    def before(self, inputs: int, scores: str) -> list[str]:
        """The scores of some examples."""
        return [
            f"{{ {self._rows(self.inputs, inputs)} load(rows, K, n, hx); }}",
            f"product(hw, F, true, hx, {scores}, L, F, K, L, false);",
        ]

    def after(self, slope: str, back: int, begin: int) -> list[str]:
        """What is made of the gradient of some examples; sums of single precision go on for 32 times so many."""
        lines = []
        if self.back:
            lines.append(f"product(hw, F, false, {slope}, hback, L, K, F, L, false);")
            lines.append(f"{{ {self._rows(self.back, back)} store(rows, K, n, hback); }}")
        if self.grown:
            lines += [
                "for (long f = 0; f < F; f += L) {",
                "float* rows[L]; for (long l = 0; l < n; l++) rows[l] = hrows + f * n + l * L;",
                f"store(rows, F - f < L ? F - f : L, n, {slope} + f * L); }}",
                "product(hx, L, false, hrows, hgrown, R, K, n, R, true);",
                "if (full) {",
                "for (long k = 0; k < K; k++) for (long f = 0; f < F; f++)",
                f"sums[{begin} + k * F + f] += hgrown[k * R + f];",
                "memset(hgrown, 0, K * R * sizeof(float)); }",
            ]
        return lines


def head_of(each: Any, items: Sequence[Any], outvars: Sequence[Any]) -> Head | None:
    """The products around ``each``, one of the ``items`` of a program; None where there are none to make with it."""
    program, space = _Program(items, outvars), each.space
    for scores in each.invars:
        eqn, role = program.made_by.get(scores), space.role(scores)
        if eqn is None or not role or role[-1] != "F" or "E" not in role or program.users[scores] != [each]:
            continue
        if not _multiplies(eqn):
            continue
        inputs, weights = eqn.invars
        if _contracted(eqn) != ((inputs.aval.ndim - 1,), (0,)) or weights.aval.ndim != 2:
            continue
        before, size = program.made_by.get(inputs), weights.aval.size
        exchanged = before is not None and _exchanges(before)
        if before is not None and before.primitive.name == "transpose" and not exchanged:
            continue
        if weights.aval.shape[0] <= TERMS and size <= WEIGHTS and space.examples * size >= LEAST:
            head = Head(scores, inputs, weights, eqns=[eqn])
            for v in each.outvars:
                if space.role(v) == role and head.slope is None:
                    program.follow(head, v, inputs)
            if before is not None and exchanged:
                head.inputs = before.invars[0]
                head.turned.append(head.inputs)
            return head
    return None


class _Program:
    """Who makes, and who uses, each variable of a program; None for the program's caller."""

    def __init__(self, items: Sequence[Any], outvars: Sequence[Any]) -> None:
        self.made_by: dict[Any, Equation] = {v: e for e in items if isinstance(e, Equation) for v in e.outvars}
        self.users: dict[Any, list[Any]] = {}
        for item in (*items, None):
            for v in dict.fromkeys(names(outvars if item is None else item.invars)):
                self.users.setdefault(v, []).append(item)

    def follow(self, head: Head, slope: Name, inputs: Any) -> None:
        """Note what is made of the gradient by the scores, if this is it."""
        merged = [e for e in self.users[slope] if _merges(e)]
        alike = [slope, *[e.outvars[0] for e in merged]]
        for eqn in [e for v in alike for e in self.users.get(v, []) if isinstance(e, Equation) and _multiplies(e)]:
            (a, b), axes = eqn.invars, _contracted(eqn)
            summed = axes == (tuple(range(b.aval.ndim - 1)),) * 2
            if (
                a in alike
                and head.back is None
                and axes[0] == (a.aval.ndim - 1,)
                and self._features(b, axes[1], head.weights)
            ):
                head.back, head.slope = self._shown(eqn, _exchanges, head), slope
                if head.back is not eqn.outvars[0]:
                    head.turned.append(head.back)
            elif b in alike and head.grown is None and summed and self._inputs(a, inputs):
                head.grown, head.slope = eqn.outvars[0], slope
                head.eqns.append(eqn)
            elif a in alike and head.grown is None and summed and self._inputs(b, inputs) and self._only(eqn, turns):
                # The other way round, as JAX's own derivatives have it.
                head.grown, head.slope = self._shown(eqn, turns, head), slope
        head.eqns += [e for e in merged if all(user in head.eqns for user in self.users.get(e.outvars[0], []))]

    def _only(self, eqn: Equation, kind: Callable[[Equation], bool]) -> Equation | None:
        """The only equation that uses the result of this one, if it is of this kind."""
        users = self.users.get(eqn.outvars[0], [])
        return users[0] if len(users) == 1 and isinstance(users[0], Equation) and kind(users[0]) else None

    def _shown(self, eqn: Equation, kind: Callable[[Equation], bool], head: Head) -> Any:
        """The result of an equation, or what the only one of this kind makes of it; the head has what makes it."""
        user = self._only(eqn, kind)
        head.eqns += [eqn, user] if user else [eqn]
        return (user or eqn).outvars[0]

    def _features(self, b: Any, axes: tuple[int, ...], weights: Any) -> bool:
        """Whether these axes of b are the features of the weights."""
        by = self.made_by.get(b)
        turned = by is not None and turns(by) and by.invars[0] is weights
        return (b is weights and axes == (1,)) or (turned and axes == (0,))

    def _inputs(self, a: Any, inputs: Any) -> bool:
        """Whether this is the inputs, all axes but the last perhaps as one."""
        by = self.made_by.get(a)
        return a is inputs or (by is not None and _merges(by) and by.invars[0] is inputs)


def _multiplies(eqn: Equation) -> bool:
    """Whether this is a product of two variables."""
    return multiplies(eqn) and len(names(eqn.invars)) == 2


def _contracted(eqn: Equation) -> tuple[tuple[int, ...], tuple[int, ...]]:
    over, to = eqn.params["dimension_numbers"][0]
    return tuple(over), tuple(to)


def _exchanges(eqn: Equation) -> bool:
    """Whether this exchanges the first two axes of three."""
    return eqn.primitive.name == "transpose" and eqn.params["permutation"] == (1, 0, 2)


def _merges(eqn: Any) -> bool:
    """Whether this takes all axes but the last as one."""
    if not isinstance(eqn, Equation) or eqn.primitive.name != "reshape" or eqn.params.get("dimensions") is not None:
        return False
    shape = eqn.outvars[0].aval.shape
    return len(shape) == 2 and shape[-1] == eqn.invars[0].aval.shape[-1]
