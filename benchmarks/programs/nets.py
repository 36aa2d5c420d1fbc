"""The networks of (h) trained as users of croton.nets do, and of theanets, whose names are the same.

Runs on every Python from 3.7, the newest that Theano knows.
"""

from __future__ import annotations

import importlib
import logging
import resource
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.networks import GATES, MOMENTUM, RATE, WORKS, Work, data, start

MODULES = {1: "feedforward", 2: "recurrent", 3: "convolution"}
"""Where the models are, by the number of dimensions of an example."""


def train(library: str, name: str, check: bool = False) -> Callable[[], float]:
    """Return a function that trains for an epoch; it tells the epoch's loss, with ``check`` the first minibatch's.

    The first minibatch is the data's first rows, and its loss that before training.
    """
    work = WORKS[name]
    x, y = data(work)
    nets = importlib.import_module("croton.nets") if library == "croton" else _theanets()
    net = getattr(getattr(nets, MODULES[len(work.inputs)]), work.model)(describe_layers(work))
    for place, of in enumerate(start(work), 1):
        for key, value in of.items():
            _set(net, place, work.layers[place - 1].form, key, value)
    arrays = [x] if work.model == "Autoencoder" else [x, y]
    how = {"algo": work.algo, "learning_rate": RATE[work.algo], "batch_size": work.batch}
    if work.algo == "rmsprop":
        how["momentum"] = MOMENTUM
    quiet = {"validate_every": 0, "progress": False} if library == "croton" else {"validate_every": 10**9}
    first = _first(library, net, [a[: work.batch] for a in arrays]) if check else None
    epochs = net.itertrain(arrays, **how, **quiet)
    if library == "theanets":
        next(epochs)  # the validation before training

    def run() -> float:
        told = next(epochs)[0]["loss"]
        return float(told) if first is None else first

    return run


def resident(library: str, epochs: list[int]) -> Callable[[], list[int]]:
    """Return a function that trains a small classifier, validated every epoch: bytes in memory after so many epochs."""
    nets = importlib.import_module(library + ".nets")
    random = np.random.RandomState(0)
    x, y = random.normal(size=(1280, 64)).astype("float32"), random.randint(0, 10, 1280)
    net = nets.Classifier([64, 100, 10])

    def run() -> list[int]:
        how = {"validate_every": 1, "patience": max(epochs), "max_updates": max(epochs), "progress": False}
        training = net.itertrain([x[:1024], y[:1024]], [x[1024:], y[1024:]], batch_size=64, **how)
        return [_resident() for done, _ in enumerate(training, 1) if done in epochs]

    return run


def lowered(name: str) -> Callable[[], float]:
    """Return a function that tells the seconds from describing the network to handing its training program to XLA.

    What else is compiled on the way does not count. It is to be called once: a second network of the shape is known.
    """
    work = WORKS[name]._replace(steps=4)
    x, y = data(work)
    nets = importlib.import_module("croton.nets")
    engine = importlib.import_module("croton.nets.training.engine")
    arrays = [x] if work.model == "Autoencoder" else [x, y]
    compiled, lower, spent = engine.compiled, engine.Steps._lowered, [0.0]

    def timed(program: Any) -> Any:
        start = time.perf_counter()
        made = compiled(program)
        spent[0] += time.perf_counter() - start
        return made

    def stopped(*arguments: Any) -> Any:
        lower(*arguments)
        raise _LoweredError

    def run() -> float:
        engine.compiled, engine.Steps._lowered = timed, stopped
        start = time.perf_counter()
        net = getattr(getattr(nets, MODULES[len(work.inputs)]), work.model)(describe_layers(work))
        try:
            net.train(arrays, algo=work.algo, batch_size=work.batch, validate_every=0, progress=False)
        except _LoweredError:
            return time.perf_counter() - start - spent[0]
        raise RuntimeError("there was no program to lower")

    return run


class _LoweredError(Exception):
    """The training program is lowered."""


def describe_layers(work: Work) -> list[Any]:
    """Describe the layers as croton.nets and theanets want them; the last activation is the model's."""
    layers: list[Any] = [work.inputs if len(work.inputs) == 3 else work.inputs[-1]]
    for form, size, act in work.layers:
        if form == "conv":
            layers.append({"form": "conv2", "size": size, "filter_size": (5, 5), "activation": act})
        elif form == "pool":
            layers.append({"form": "pool2", "pool_size": (size, size)})
        elif form == "flat":
            layers.append(form)
        elif form == "tied":
            layers.append((form,) if act == "out" else (form, act))
        elif act == "out":
            layers.append(size)
        elif form == "ff":
            layers.append((size, act))
        else:
            layers.append({"form": form, "size": size, "activation": act})
    return layers


def describe(library: str) -> str:
    """Name the library's version."""
    if library == "croton":
        return "croton " + importlib.import_module("croton").__version__
    return "theanets 0.7.3 on Theano " + importlib.import_module("theano").__version__


def _theanets() -> Any:
    """Import theanets, which wants a module of logging that is no more: PyPI's climate is another."""
    climate = types.ModuleType("climate")
    vars(climate)["get_logger"] = logging.getLogger
    sys.modules["climate"] = climate
    return importlib.import_module("theanets")


def _set(net: Any, place: int, form: str, key: str, value: np.ndarray) -> None:
    if form == "conv" and key == "w":
        value = np.ascontiguousarray(value[:, :, ::-1, ::-1])  # these libraries turn filters round
    if form != "gru":
        net.find(place, key).set_value(value)
        return
    for gate, part in zip("rzh", np.split(value, GATES["gru"], axis=-1)):  # noqa: B905
        net.find(place, key[:-1] + gate if key != "b" else "b" + gate).set_value(np.ascontiguousarray(part))


def _first(library: str, net: Any, arrays: list[np.ndarray]) -> float:
    graphs = importlib.import_module("croton" if library == "croton" else "theano")
    return float(graphs.function(net.variables, net.loss())(*arrays))


def _resident() -> int:
    with open("/proc/self/statm") as told:
        return int(told.read().split()[1]) * resource.getpagesize()
