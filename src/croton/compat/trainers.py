"""theanets.trainer for old programs: its trainers as objects; what they do is in ``croton.nets.training``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar


class _Trainer:
    """A way to train, and what it trains."""

    way: ClassVar[str] = ""

    def __init__(self, algo: str, network: Any) -> None:
        self.algo, self.network = algo, network

    def itertrain(self, train: Any, valid: Any = None, **kwargs: Any) -> Iterator[Any]:
        """As ``Network.itertrain``."""
        return self.network.itertrain(train, valid, algo=self.way, subalgo=self.algo, **kwargs)


class DownhillTrainer(_Trainer):
    """Trains a network by the algorithm called ``algo``. As theanets.trainer.DownhillTrainer."""

    def itertrain(self, train: Any, valid: Any = None, **kwargs: Any) -> Iterator[Any]:
        """As ``Network.itertrain``."""
        return self.network.itertrain(train, valid, algo=self.algo, **kwargs)


class SupervisedPretrainer(_Trainer):
    """Trains a network layer after layer. As theanets.trainer.SupervisedPretrainer."""

    way = "layerwise"


class UnsupervisedPretrainer(_Trainer):
    """Trains the hidden layers as an autoencoder. As theanets.trainer.UnsupervisedPretrainer."""

    way = "pretrain"


class SampleTrainer(_Trainer):
    """Sets weights to examples. As theanets.trainer.SampleTrainer."""

    way = "sample"

    def __init__(self, network: Any) -> None:
        super().__init__("sgd", network)
