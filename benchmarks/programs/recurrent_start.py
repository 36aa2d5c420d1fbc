"""The recurrent networks' sizes, first weights and inputs, the same for every contender."""

from __future__ import annotations

import numpy as np

INPUTS = 10
RATE = 0.5
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def start(cell: str, units: int, seed: int = 5) -> dict[str, np.ndarray]:
    """Draw the weights, float32, normal with deviation 0.1; the gates lie side by side, each ``units`` columns wide."""
    random, wide = np.random.RandomState(seed), GATES[cell] * units
    shapes = {"W": (INPUTS, wide), "b": (wide,), "U": (units, wide)}
    return {name: random.normal(0.0, 0.1, shape).astype("float32") for name, shape in shapes.items()}


def minibatch(time: int, batch: int, seed: int = 6) -> np.ndarray:
    """Draw inputs ``(time, batch, INPUTS)``, float32."""
    return np.random.RandomState(seed).normal(size=(time, batch, INPUTS)).astype("float32")
