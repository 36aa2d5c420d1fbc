"""Recurrent layers written with ``scan``, with symbolic expressions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import croton
import croton.tensor as T
from benchmarks.programs.recurrent_start import RATE, minibatch, start
from croton.loop import scan, scan_checkpoints

sigmoid, tanh = T.nnet.sigmoid, T.tanh


def rnn(z: Any, h: Any, U: Any) -> Any:
    """Compute the state after a step from the projected input and the state before."""
    return tanh(z + T.dot(h, U))


def lstm(z: Any, h: Any, c: Any, U: Any) -> tuple[Any, Any]:
    """Compute the output and the cell after a step; the gates are i, f, g, o."""
    i, f, g, o = _gates(z + T.dot(h, U), h, 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def gru(z: Any, h: Any, U: Any) -> Any:
    """Compute the state after a step; the gates are r, u, n."""
    units = h.shape[1]
    zr, zu, zn = _gates(z, h, 3)
    r, u = (sigmoid(a + b) for a, b in zip((zr, zu), _gates(T.dot(h, U[:, : 2 * units]), h, 2), strict=True))
    n = tanh(zn + T.dot(r * h, U[:, 2 * units :]))
    return u * h + (1 - u) * n


def train(cell: str, units: int, batch: int, time: int, steps: int) -> Callable[[], list[Any]]:
    """Return a function that makes ``steps`` training steps of a layer whose cost is the mean square of its outputs."""
    p = {name: croton.shared(value, name=name) for name, value in start(cell, units).items()}
    x = T.ftensor3("x")
    zero = T.zeros((batch, units), "float32")
    z = T.dot(x, p["W"]) + p["b"]
    if cell == "lstm":
        (h, _), _ = scan(lstm, z, [zero, zero], p["U"])
    else:
        h, _ = scan({"rnn": rnn, "gru": gru}[cell], z, zero, p["U"])
    call = partial(_descend(x, h, p), minibatch(time, batch))
    return lambda: [call() for _ in range(steps)]


def last(units: int, batch: int, time: int, save_every: int | None = None) -> Callable[[], Any]:
    """Return a function that makes one training step of an LSTM whose cost is the mean square of its last output.

    With ``save_every`` the loop is a `scan_checkpoints`, else a `scan`.
    """
    p = {name: croton.shared(value, name=name) for name, value in start("lstm", units).items()}
    x = T.ftensor3("x")
    zero = T.zeros((batch, units), "float32")

    def step(x: Any, h: Any, c: Any, W: Any, b: Any, U: Any) -> tuple[Any, Any]:
        return lstm(T.dot(x, W) + b, h, c, U)

    loop = partial(scan_checkpoints, save_every_N=save_every) if save_every else scan
    (h, _), _ = loop(step, x, [zero, zero], [p["W"], p["b"], p["U"]])
    return partial(_descend(x, h[-1], p), minibatch(time, batch))


def describe(library: str) -> str:
    """Name croton's version."""
    return f"{library} {croton.__version__}"


def _gates(joined: Any, h: Any, number: int) -> list[Any]:
    units = h.shape[1]
    return [joined[:, k * units : (k + 1) * units] for k in range(number)]


def _descend(x: Any, outputs: Any, p: dict[str, Any]) -> Any:
    cost = T.sqr(outputs).mean()
    slopes = T.grad(cost, list(p.values()))
    updates = [(w, w - RATE * slope) for w, slope in zip(p.values(), slopes, strict=True)]
    return croton.function([x], cost, updates=updates)
