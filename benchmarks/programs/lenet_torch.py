"""The training step of the tutorial's convolutional network in PyTorch, eager."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from benchmarks import data
from benchmarks.programs.lenet_start import RATE, start


def train(folder: str, batch: int, steps: int) -> Callable[[], list[float]]:
    """Return a function that trains the network for ``steps`` minibatches of ``batch`` images, reading each cost."""
    images, labels = map(torch.from_numpy, data.load(folder))
    images, labels = images.reshape(-1, 1, 28, 28), labels.long()
    p = {name: torch.tensor(value, requires_grad=True) for name, value in start().items()}

    def step(index: int) -> float:
        rows = slice(index * batch, (index + 1) * batch)
        maps = images[rows]
        for number in "12":
            maps = torch.tanh(F.max_pool2d(F.conv2d(maps, p["W" + number], p["b" + number]), 2))
        hidden = torch.tanh(torch.addmm(p["b3"], maps.flatten(1), p["W3"]))
        cost = F.cross_entropy(torch.addmm(p["b4"], hidden, p["W4"]), labels[rows])
        cost.backward()
        with torch.no_grad():
            for w in p.values():
                w.sub_(w.grad, alpha=RATE)
                w.grad = None
        return cost.item()

    return lambda: [step(i) for i in range(steps)]


def describe() -> str:
    """Name the version of PyTorch and its number of threads."""
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads"
