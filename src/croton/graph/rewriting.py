"""The rewriting engine: rules as rows, merging of equal nodes, and passes over a graph until nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from croton.graph.clone import copy_node
from croton.graph.core import Apply, Constant, Op, Variable, origin
from croton.graph.walk import toposort

MAX_PASSES = 20


@dataclass(frozen=True)
class Rule:
    """A rewrite: where the op ``root`` stands, ``apply`` returns the variables to take instead of its outputs, or None.

    ``tags`` name the groups (``stabilize``, ``speed``, ``late`` ...) by which a mode includes or excludes it, besides
    its own name. Rules of a higher ``phase`` begin when those of the lower ones find nothing more to do.
    """

    name: str
    root: Callable[[Op], bool]
    apply: Callable[[Any], Sequence[Variable] | Variable | None]
    tags: frozenset[str] = field(default_factory=frozenset)
    phase: int = 0


# Patterns are tuples (op test, *inputs) whose leaves are names to bind, numbers to find, or patterns.
Pattern = Any


def match(pattern: Pattern, variable: Variable, found: dict[str, Variable], number: Callable[[Variable], Any]) -> bool:
    """Whether ``variable`` has the form ``pattern``; what its names stand for is left in ``found``.

    ``number(variable)`` gives the number that a variable stands for, or None.
    Inputs of an op that commutes are tried in both orders.
    """
    if isinstance(pattern, str):
        if pattern in found:
            return same(found[pattern], variable)
        found[pattern] = variable
        return True
    if isinstance(pattern, int | float):
        return number(variable) == pattern
    test, *parts = pattern
    node = variable.owner
    if node is None or not test(node.op) or len(node.inputs) != len(parts):
        return False
    orders = [node.inputs]
    if getattr(node.op, "commutes", False) and len(parts) == 2:
        orders.append(node.inputs[::-1])
    for inputs in orders:
        trial = dict(found)
        if all(match(p, v, trial, number) for p, v in zip(parts, inputs, strict=True)):
            found.update(trial)
            return True
    return False


def same(a: Variable, b: Variable) -> bool:
    """Whether two variables surely have one value: the same variable, or equal constants."""
    if a is b:
        return True
    return isinstance(a, Constant) and isinstance(b, Constant) and a.signature() == b.signature()


def merge(outputs: Sequence[Variable]) -> list[Variable]:
    """``outputs`` with equal nodes on equal inputs made one, and equal constants made one."""
    new: dict[Variable, Variable] = {}
    constants: dict[Any, Variable] = {}
    nodes: dict[Any, list[Variable]] = {}

    def settled(v: Variable) -> Variable:
        if v in new:
            return new[v]
        if isinstance(v, Constant):
            return new.setdefault(v, constants.setdefault(v.signature(), v))
        return v

    for node in toposort(outputs):
        inputs = [settled(v) for v in node.inputs]
        key = (node.op, tuple(map(id, inputs)))
        if key in nodes:
            new.update(zip(node.outputs, nodes[key], strict=True))
            continue
        if any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            node = copy_node(node, inputs, new)
        nodes[key] = node.outputs
    return [settled(v) for v in outputs]


def rewrite(outputs: Sequence[Variable], rules: Iterable[Rule]) -> list[Variable]:
    """``outputs`` with ``rules`` applied bottom-up, phase after phase, in each pass after pass until none applies.

    A new variable takes the name and the place of the one it stands for. The graph given is left as it was.
    """
    rules = list(rules)
    current = merge(outputs)
    for phase in sorted({rule.phase for rule in rules}):
        current = _rewrite_phase(current, [rule for rule in rules if rule.phase == phase])
    return current


def _rewrite_phase(outputs: list[Variable], rules: list[Rule]) -> list[Variable]:
    by_op: dict[Op, list[Rule]] = {}
    for _ in range(MAX_PASSES):
        outputs, changed = _rewrite_once(outputs, rules, by_op)
        if not changed:
            break
        outputs = merge(outputs)
    return outputs


def _rewrite_once(
    outputs: list[Variable], rules: list[Rule], by_op: dict[Op, list[Rule]]
) -> tuple[list[Variable], bool]:
    order = toposort(outputs)
    present = {v for node in order for v in node.outputs}
    new: dict[Variable, Variable] = {}
    changed = False
    for node in order:
        current = node
        inputs = [new.get(v, v) for v in node.inputs]
        if any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            current = copy_node(node, inputs, new)
            present.update(current.outputs)
        if current.op not in by_op:
            by_op[current.op] = [rule for rule in rules if rule.root(current.op)]
        for rule in by_op[current.op]:
            replacements = _apply(rule, current)
            if replacements is not None:
                for old, fresh in zip(node.outputs, replacements, strict=True):
                    if fresh not in present and fresh.owner is not None and fresh.name is None:
                        fresh.name = old.name
                    new[old] = fresh
                present.update(replacements)
                changed = True
                break
    return [new.get(v, v) for v in outputs], changed


def _apply(rule: Rule, node: Apply) -> list[Variable] | None:
    """What ``rule`` puts in the place of the node's outputs, checked; None where it does not apply."""
    with origin(node.place):
        result = rule.apply(node)
    if result is None:
        return None
    results = [result] if isinstance(result, Variable) else list(result)
    for output, fresh in zip(node.outputs, results, strict=True):
        if not output.type.accepts(fresh.type):
            raise TypeError(f"rewrite {rule.name} replaced a {output.type} by a {fresh.type}: please report this")
    return results
