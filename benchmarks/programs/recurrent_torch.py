"""Recurrent networks of PyTorch's own layers, eager."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from benchmarks.programs.recurrent_start import INPUTS, OUTPUTS, RATE, minibatch, start


def train(cell: str, units: int, batch: int, time: int, steps: int) -> Callable[[], list[float]]:
    """Return a function that makes ``steps`` training steps, each on the labels of all ``time`` steps of a sequence.

    The layers have a second bias, which begins at 0. A GRU's reset gate works after the product with the state, not
    before it.
    """
    layer = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](INPUTS, units)
    linear = torch.nn.Linear(units, OUTPUTS)
    w = {name: torch.from_numpy(value) for name, value in start(cell, units).items()}
    with torch.no_grad():
        layer.weight_ih_l0.copy_(w["W"].T)
        layer.weight_hh_l0.copy_(w["U"].T)
        layer.bias_ih_l0.copy_(w["b"])
        layer.bias_hh_l0.zero_()
        linear.weight.copy_(w["V"].T)
        linear.bias.copy_(w["c"])
    sgd = torch.optim.SGD([*layer.parameters(), *linear.parameters()], lr=RATE)
    x, y = map(torch.from_numpy, minibatch(time, batch))
    y = y.long()  # the only dtype of labels that cross_entropy takes

    def step() -> float:
        cost = F.cross_entropy(linear(layer(x)[0]).flatten(0, 1), y.flatten())
        sgd.zero_grad()
        cost.backward()
        sgd.step()
        return cost.item()

    return lambda: [step() for _ in range(steps)]


def describe() -> str:
    """Name the version of PyTorch and its number of threads."""
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads"
