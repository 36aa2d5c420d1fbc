"""The networks of (h) in PyTorch: its own layers and optimizers, eager or compiled."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.networks import DECAY, GATES, MOMENTUM, RATE, WINDOW, WORKS, Work, data, partner, shapes, start

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Outputs(nn.Module):
    """A recurrent layer that gives its outputs and not its last state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the outputs, (batch, time, units)."""
        return self.layer(x)[0]


class Tied(nn.Module):
    """The transpose of another layer, with a bias of its own."""

    def __init__(self, partner: Any) -> None:
        super().__init__()
        self.weight, self.bias = partner.weight, nn.Parameter(torch.zeros(partner.in_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply by the partner's weights, transposed."""
        return F.linear(x, self.weight.T, self.bias)


def train(name: str, check: bool = False, compiled: bool = False) -> Callable[[], float]:
    """Return a function that trains for an epoch; it tells the epoch's loss, with ``check`` the first minibatch's."""
    work = WORKS[name]
    x, y = map(torch.from_numpy, data(work))
    y = y.long()  # the only dtype of labels that cross_entropy takes
    if len(work.inputs) == 3:
        x = x.permute(0, 3, 1, 2).contiguous()
    net = build(work)
    if work.algo == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(net.parameters(), RATE["sgd"])
    else:
        optimizer = torch.optim.RMSprop(net.parameters(), RATE["rmsprop"], alpha=DECAY, momentum=MOMENTUM)

    def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        out = net(x)
        if work.model == "Autoencoder":
            return F.mse_loss(out, x)
        return F.cross_entropy(out.flatten(0, -2), y.flatten())

    update = optimizer.step
    if compiled:
        loss, update = torch.compile(loss), torch.compile(update)
    first = loss(x[: work.batch], y[: work.batch]).item() if check else None

    def run() -> float:
        order, total = torch.randperm(len(x)), torch.zeros(())
        for i in range(0, len(x), work.batch):
            rows = order[i : i + work.batch]
            optimizer.zero_grad()
            value = loss(x[rows], y[rows])
            value.backward()
            update()
            total += value.detach()
        mean = float(total) / work.steps
        return mean if first is None else first

    return run


def build(work: Work) -> nn.Sequential:
    """Build the network with the first weights that every contender has."""
    modules: list[nn.Module] = []
    made: list[nn.Module] = []
    for place, ((form, size, act), of) in enumerate(zip(work.layers, shapes(work), strict=True)):
        if form == "ff":
            made.append(nn.Linear(*of["w"]))
        elif form == "tied":
            made.append(Tied(made[partner(work, place)]))
        elif form == "conv":
            made.append(nn.Conv2d(of["w"][1], size, WINDOW))
        elif form in CELLS:
            made.append(Outputs(CELLS[form](of["xh"][0], size, batch_first=True)))
        else:
            made.append(nn.MaxPool2d(size) if form == "pool" else nn.Flatten())
        modules.append(made[-1])
        if act in ACTIVATIONS and form not in CELLS:
            modules.append(ACTIVATIONS[act]())
    with torch.no_grad():
        for place, values in enumerate(start(work)):
            _fill(work, place, made[place], values)
    return nn.Sequential(*modules)


def describe() -> str:
    """Name the version of PyTorch and its number of threads."""
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads"


def _fill(work: Work, place: int, module: Any, of: dict[str, np.ndarray]) -> None:
    form = work.layers[place].form
    w = {key: torch.from_numpy(value) for key, value in of.items()}
    if form == "gru":  # its z keeps the state, where that of the others lets the new one in
        n = w["b"].shape[-1] // GATES[form]
        w = {key: torch.cat([v[..., :n], -v[..., n : 2 * n], v[..., 2 * n :]], -1) for key, v in w.items()}
    if form in CELLS:
        layer = module.layer
        pairs = ("weight_ih_l0", w["xh"].T), ("weight_hh_l0", w["hh"].T), ("bias_ih_l0", w["b"])
        for name, value in pairs:
            getattr(layer, name).copy_(value)
        layer.bias_hh_l0.zero_()
        return
    if form == "ff":
        matrix = w["w"]
        if place and work.layers[place - 1].form == "flat":  # channels come first here, elsewhere last
            channels = next(one.size for one in work.layers[place - 1 :: -1] if one.form == "conv")
            side = int((len(matrix) // channels) ** 0.5)
            matrix = matrix.reshape(side, side, channels, -1).permute(2, 0, 1, 3).flatten(0, 2)
        module.weight.copy_(matrix.T)
    elif form == "conv":
        module.weight.copy_(w["w"])
    if "b" in w:
        module.bias.copy_(w["b"])
