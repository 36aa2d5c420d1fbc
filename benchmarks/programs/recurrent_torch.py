"""Recurrent networks of PyTorch's own layers, eager."""

from collections.abc import Callable

import torch

from benchmarks.programs.recurrent_start import INPUTS, RATE, minibatch, start


def train(cell: str, units: int, batch: int, time: int, steps: int) -> Callable[[], list[float]]:
    """Return a function that makes ``steps`` training steps of a layer whose cost is the mean square of its outputs.

    The layers have a second bias, which begins at 0. A GRU's reset gate works after the product with the state, not
    before it.
    """
    layer = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](INPUTS, units)
    w = {name: torch.from_numpy(value) for name, value in start(cell, units).items()}
    with torch.no_grad():
        layer.weight_ih_l0.copy_(w["W"].T)
        layer.weight_hh_l0.copy_(w["U"].T)
        layer.bias_ih_l0.copy_(w["b"])
        layer.bias_hh_l0.zero_()
    sgd = torch.optim.SGD(layer.parameters(), lr=RATE)
    x = torch.from_numpy(minibatch(time, batch))

    def step() -> float:
        cost = layer(x)[0].square().mean()
        sgd.zero_grad()
        cost.backward()
        sgd.step()
        return cost.item()

    return lambda: [step() for _ in range(steps)]


def describe() -> str:
    """Name the version of PyTorch and its number of threads."""
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads"
