"""Test values: while a graph is built, its expressions are also computed on what ``x.tag.test_value`` gives."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from croton.compile.lower import Lowering
from croton.compile.wide import wide
from croton.graph.core import Apply, Constant, SharedVariable, Variable
from croton.graph.derivative import Derivative, settle
from croton.graph.walk import inputs as edge
from croton.settings import config
from croton.sparse.value import inside, outside


class MissingTestValue(AttributeError):
    """A variable has no test value though config.compute_test_value asks for one."""


def get_test_value(v: Any) -> Any:
    """The value of ``v`` by test values, constants and shared variables; MissingTestValue where there is none."""
    if not isinstance(v, Variable):
        return np.asarray(v)
    if isinstance(v, Constant):
        return v.data
    if isinstance(v, SharedVariable):
        return v.get_value()
    if not hasattr(v.tag, "test_value"):
        raise MissingTestValue(f"{v} (of type {v.type}) has no test value: set {v.name or 'x'}.tag.test_value")
    return v.type.filter(v.tag.test_value)


def compute(node: Apply, policy: str) -> None:
    """Put test values on the outputs of ``node``; where one is missing do what ``policy`` says."""
    leaves = edge(node.inputs) if isinstance(node.op, Derivative) else list(dict.fromkeys(node.inputs))
    try:
        values = {v: get_test_value(v) for v in leaves}
    except MissingTestValue as error:
        if policy == "raise":
            raise
        if policy == "warn":
            warnings.warn(str(error), stacklevel=3)
        return
    _put(node, values)


@wide
def _put(node: Apply, values: dict[Variable, Any]) -> None:
    with config(compute_test_value="off"):
        lowering = Lowering(eager=True)
        env: dict[Variable, Any] = {v: inside(x) for v, x in values.items()}
        settled = settle(node.outputs)
        lowering.evaluate(settled, env)
        for condition, make_error in lowering.checks:
            if not bool(condition):
                raise make_error()
        for v, same in zip(node.outputs, settled, strict=True):
            v.tag.test_value = outside(env[same])
