"""The first weights of the tutorial's convolutional network, the same for every contender."""

from __future__ import annotations

import numpy as np

from benchmarks import data

RATE = 0.1
SHAPES = {
    "W1": (20, 1, 5, 5), "b1": (20,),
    "W2": (50, 20, 5, 5), "b2": (50,),
    "W3": (50 * 4 * 4, 500), "b3": (500,),
    "W4": (500, data.CLASSES), "b4": (data.CLASSES,),
}  # fmt: skip


def start(seed: int = 3) -> dict[str, np.ndarray]:
    """Draw the weights, float32: uniform within the root of 6 over the units that go into and come out of a layer."""
    random = np.random.RandomState(seed)
    drawn = {}
    for name, shape in SHAPES.items():
        bound = 0.0 if name[0] == "b" else np.sqrt(6.0 / ((shape[0] + shape[1]) * np.prod(shape[2:])))
        drawn[name] = random.uniform(-bound, bound, shape).astype("float32")
    return drawn
