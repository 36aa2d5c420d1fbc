"""The training data of the benchmarks: seeded, of the size and the pixel values of handwritten digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

ROWS, PIXELS, CLASSES = 49_800, 784, 10
BATCH = 600
STEPS = ROWS // BATCH
RATE = 0.13


def make(seed: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Make images ``(ROWS, PIXELS)`` float32 of values k/256, a fifth of them lit, and labels ``(ROWS,)`` int32.

    Each class lights a quarter of the pixels of its own a little more often than the rest.
    """
    random = np.random.RandomState(seed)
    chance = np.where(random.rand(CLASSES, PIXELS) < 0.25, 0.26, 0.18)
    labels = random.randint(0, CLASSES, ROWS).astype("int32")
    images = np.empty((ROWS, PIXELS), "float32")
    for start in range(0, ROWS, BATCH):
        rows = slice(start, start + BATCH)
        lit = random.rand(BATCH, PIXELS) < chance[labels[rows]]
        images[rows] = lit * random.randint(1, 256, (BATCH, PIXELS)) / 256.0
    return images, labels


def save(folder: Path) -> None:
    """Write the data into ``folder``, unless a former run has written it there whole."""
    if (folder / "labels.npy").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = make()
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)


def load(folder: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read what :func:`save` has written."""
    return np.load(Path(folder) / "images.npy"), np.load(Path(folder) / "labels.npy")


def reference(folder: Path) -> np.ndarray:
    """Compute the cost of every step of the first epoch, ``(STEPS,)``, in float64 with NumPy alone."""
    images, labels = load(folder)
    weights, bias = np.zeros((PIXELS, CLASSES)), np.zeros(CLASSES)
    costs = []
    for start in range(0, ROWS, BATCH):
        x, y = images[start : start + BATCH].astype("float64"), labels[start : start + BATCH]
        scores = x @ weights + bias
        scores -= scores.max(axis=1, keepdims=True)
        log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        costs.append(-log_p[np.arange(BATCH), y].mean())
        slope = np.exp(log_p)
        slope[np.arange(BATCH), y] -= 1
        weights -= RATE * (x.T @ slope) / BATCH
        bias -= RATE * slope.mean(axis=0)
    return np.array(costs)
