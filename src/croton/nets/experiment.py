"""A network and its training in one object, as theanets.Experiment was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from croton.nets.network import Network


class Experiment:
    """A network, made, given or loaded. As theanets.Experiment.

    ``network``: a model class or another callable, called with the remaining arguments; a network; or the path of a
    saved one. Attribute: ``network``. Raises FileNotFoundError for a path that is not there.

    >>> from croton import nets
    >>> nets.Experiment(nets.Regressor, layers=[2, 3, 1]).network.num_params
    13
    """

    def __init__(self, network: Any, *args: Any, **kwargs: Any) -> None:
        self.network: Network
        if isinstance(network, Network):
            self.network = network
        elif isinstance(network, str | Path):
            self.load(network)
        elif callable(network):
            self.network = network(*args, **kwargs)
        else:
            raise TypeError(f"Experiment({network!r}): pass a model class, a network, or the path of a saved one")

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train the network; see ``Network.train``."""
        return self.network.train(*args, **kwargs)

    def itertrain(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Train the network epoch by epoch; see ``Network.itertrain``."""
        return self.network.itertrain(*args, **kwargs)

    def save(self, path: Any) -> None:
        """Save the network; see ``Network.save``."""
        self.network.save(path)

    def load(self, path: Any) -> Network:
        """Take the network saved at ``path`` in the place of the present one, and return it."""
        self.network = Network.load(path)
        return self.network
