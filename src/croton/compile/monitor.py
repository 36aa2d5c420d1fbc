"""Monitoring: op by op, with functions of the user's called before and after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from croton.compile.lower import Env, Lowering
from croton.compile.modes import MonitorMode
from croton.graph.core import Apply, Variable
from croton.graph.printing import debugprint


class MonitoredLowering(Lowering):
    """An eager lowering that calls the functions of a `MonitorMode`."""

    def __init__(self, mode: MonitorMode) -> None:
        super().__init__(eager=True)
        self.mode = mode
        self.count = 0

    def compute(self, node: Apply, values: Sequence[Any]) -> Sequence[Any]:
        record = SimpleNamespace(inputs=_storage(values), outputs=[[None] for _ in node.outputs])
        self._call(self.mode.pre_func, node, record)
        results = super().compute(node, values)
        record.outputs = _storage(results)
        self._call(self.mode.post_func, node, record)
        self.count += 1
        return results

    def _differentiate(self, group: list[Apply], order: Sequence[Apply], wanted: Sequence[Variable], env: Env) -> None:
        super()._differentiate(group, order, wanted, env)
        for node in group:
            record = SimpleNamespace(
                inputs=_storage([env.get(v) for v in node.inputs]), outputs=_storage([env[v] for v in node.outputs])
            )
            self._call(self.mode.post_func, node, record)
            self.count += 1

    def _call(self, monitor: Callable[[int, Any, Any], None] | None, node: Apply, record: Any) -> None:
        if monitor is not None:
            monitor(self.count, node, record)


def _storage(values: Sequence[Any]) -> list[list[Any]]:
    """Each value in a list of its own: an array, or None where it is not at hand while a derivative is taken."""
    return [[_array(v)] for v in values]


def _array(value: Any) -> np.ndarray | None:
    if value is None:
        return None
    try:
        return np.asarray(jax.lax.stop_gradient(value))
    except jax.errors.TracerArrayConversionError:
        return None


def detect_nan(i: int, node: Apply, fn: Any) -> None:
    """For ``MonitorMode(post_func=detect_nan)``: print the op, what it was given and what it gave, where that is NaN.

    As theano.compile.monitormode.detect_nan.
    """
    for (value,) in fn.outputs:
        if value is not None and np.issubdtype(value.dtype, np.inexact) and np.isnan(value).any():
            print("*** NaN detected ***")
            debugprint(node)
            print(f"Inputs : {[v for (v,) in fn.inputs]}")
            print(f"Outputs: {[v for (v,) in fn.outputs]}")
            return
