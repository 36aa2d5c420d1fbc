"""The training step in PyTorch, eager."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from benchmarks import data


def train(folder: str, steps: int = data.STEPS, optimizer: bool = False) -> Callable[[], list[float]]:
    """Return a function that trains the logistic regression for ``steps`` minibatches, reading back each cost.

    The parameters are updated in place by hand, or with ``optimizer`` by ``torch.optim.SGD``.
    """
    images, labels = map(torch.from_numpy, data.load(folder))
    labels = labels.long()  # the only dtype of labels that cross_entropy takes
    parameters = [torch.zeros(shape, requires_grad=True) for shape in [(data.PIXELS, data.CLASSES), (data.CLASSES,)]]
    weights, bias = parameters
    sgd = torch.optim.SGD(parameters, lr=data.RATE)

    def update() -> None:
        if optimizer:
            sgd.step()
            sgd.zero_grad()
            return
        with torch.no_grad():
            for p in parameters:
                p.sub_(p.grad, alpha=data.RATE)
                p.grad = None

    def step(index: int) -> float:
        rows = slice(index * data.BATCH, (index + 1) * data.BATCH)
        cost = F.cross_entropy(torch.addmm(bias, images[rows], weights), labels[rows])
        cost.backward()
        update()
        return cost.item()

    return lambda: [step(i) for i in range(steps)]


def describe() -> str:
    """Name the version of PyTorch and its number of threads."""
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads"
