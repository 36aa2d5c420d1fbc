"""Two recurrent layers side by side, one for each direction of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from croton import tensor as T
from croton.graph.core import SharedVariable, Variable
from croton.nets.layers.base import Layer
from croton.nets.layers.recurrent import BACKWARDS, Recurrent
from croton.nets.util import ConfigurationError

__all__ = ["Bidirectional"]


class Bidirectional(Layer):
    """Two recurrent layers of half the size, one from each end, side by side. As theanets.layers.Bidirectional.

    M. Schuster, K. Paliwal, "Bidirectional recurrent neural networks", IEEE Transactions on Signal Processing 45, 1997.

    >>> both = Bidirectional("lstm", size=6, inputs=2, name="hid1")
    >>> both.forward.name, both.backward.name, both.find("fw.xh").get_value().shape
    ('hid1_fw', 'hid1_bw', (2, 12))

    Arguments:
      ``worker``: the form of the two layers, by name. Other keywords (``rate``, ``periods``, ``mask``, ``h_0``, ...) go
      to both of them; ``direction`` has no meaning and is left out.

    Attributes: ``worker``, ``forward``, ``backward``. Parameters: the workers', found as ``fw.xh``, ``bw.xh``.
    Outputs: ``out``, and ``pre`` and ``cell`` where the workers have them, (batch, time, size), the forward half first
    and both aligned in time with the input; and each of the workers' as ``fw_out``, ``bw_out`` and so on.

    Raises ConfigurationError for an odd size, a worker that is not recurrent, ``carry``, and states handed to it.
    """

    example_ndim: ClassVar[int | None] = 2
    activates: ClassVar[bool] = False

    def __init__(self, worker: str = "rnn", **kwargs: Any) -> None:
        cls = worker if isinstance(worker, type) else Layer.get_class(worker)
        name = kwargs.get("name")
        if not issubclass(cls, Recurrent):
            raise ConfigurationError(f"layer {name!r} (bidirectional): worker={worker!r} is not a recurrent layer")
        if kwargs.get("carry"):
            raise ConfigurationError(f"layer {name!r} (bidirectional): {BACKWARDS.format('carry=True')}")
        for key in (*cls.kept, "mask"):
            if isinstance(kwargs.get(key), Layer):
                kwargs[key] = kwargs[key].output_name()
        self.worker = cls.__name__.lower()
        self._class = cls
        self._worker_activation = kwargs.pop("activation", "relu")
        kwargs.pop("direction", None)
        super().__init__(**kwargs, activation="linear")

    def _known_options(self) -> list[str] | None:
        return None  # the workers look at them

    def setup(self) -> None:
        if self.size % 2:
            raise ConfigurationError(
                f"layer {self.name!r} (bidirectional): size={self.size} is odd, and each direction gets half of it"
            )
        self.forward = self._half("fw", "forward")
        self.backward = self._half("bw", "backwards")
        self.activation, self.activate = self._worker_activation, self.forward.activate

    def _half(self, suffix: str, direction: str) -> Recurrent:
        half: Recurrent = self._class(
            size=self.size // 2,
            inputs=self.inputs,
            input_shapes=self.input_shapes,
            name=f"{self.name}_{suffix}",
            activation=self._worker_activation,
            rng=self.rng,
            direction=direction,
            **self.kwargs,
        )
        self.constants += half.constants
        return half

    @property
    def params(self) -> list[SharedVariable]:
        """The parameters of both workers, the forward one's first."""
        return [*self.forward.params, *self.backward.params]

    def short_names(self) -> list[str]:
        return [*(f"fw.{n}" for n in self.forward.short_names()), *(f"bw.{n}" for n in self.backward.short_names())]

    @property
    def states(self) -> dict[str, int]:
        return self.forward.states

    def output_shape(self, name: str = "out") -> tuple[int | None, ...]:
        prefix, _, short = name.partition("_")
        halves = {"fw": self.forward, "bw": self.backward}
        return halves[prefix].output_shape(short) if prefix in halves else self.shape

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs, and the workers' updates."""
        handed = [full for state in self.states if (full := self.output_name(state)) in inputs]
        if handed:
            what = BACKWARDS.format(f"a state handed to it ({handed[0]})")
            raise ConfigurationError(f"layer {self.name!r} (bidirectional): {what}")
        ahead, updates = self.forward.transform(inputs)
        back, more = self.backward.transform(inputs)
        joined = {k: T.concatenate([ahead[k], back[k]], axis=2) for k in ("out", "pre", "cell") if k in ahead}
        parts = {f"{way}_{k}": v for way, half in (("fw", ahead), ("bw", back)) for k, v in half.items()}
        return {**joined, **parts}, [*updates, *more]

    def to_spec(self) -> dict[str, Any]:
        """The description of every layer, and the worker's form."""
        return {**super().to_spec(), "worker": self.worker}
