"""The plain recurrent layers, those with rates, and those with factors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from croton import tensor as T
from croton.compile import shared
from croton.graph.core import Variable
from croton.nets.layers.recurrent import Recurrent
from croton.nets.registry import nearest
from croton.nets.util import ConfigurationError
from croton.settings import config

__all__ = ["MRNN", "RNN", "RRNN"]


class RNN(Recurrent):
    """The plain recurrent layer: h_t = g(pre_t), pre_t = x_t @ xh + h_{t-1} @ hh + b. As theanets.layers.RNN.

    J. L. Elman, "Finding structure in time", Cognitive Science 14, 1990.

    >>> RNN(3, 2).states
    {'h_0': 3}

    Parameters: ``xh`` (input size, size), ``hh`` (size, size), ``b`` (size,). Outputs: ``pre``, ``out`` (h).
    """

    def setup(self) -> None:
        self.add_weights("xh", self.input_size, self.size)
        self.add_weights("hh", self.size, self.size)
        self.add_bias("b", self.size)

    def recurrent_weights(self) -> Any:
        """The matrix (size, size) by which the state reaches the next step."""
        return self.find("hh")

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs, and updates of carried states."""
        hh = self.recurrent_weights()

        def step(z: Any, h: Any) -> list[Any]:
            pre = z + T.dot(h, hh)
            return [self.activate(pre), pre]

        return self.run(inputs, step, [self.affine(self.in_time(inputs), "xh", "b")], ["pre"])


class _Rated(Recurrent):
    """A layer with a rate for each unit: learned, or drawn once and kept."""

    options: ClassVar[tuple[str, ...]] = ("rate",)
    rates: ClassVar[tuple[str, ...]] = ()

    def __init__(self, rate: str | None = None, **kwargs: Any) -> None:
        self.rate = self.rates[0] if rate is None else str(rate).lower().strip()
        if self.rate not in self.rates:
            where = f"layer {kwargs.get('name')!r} ({type(self).__name__.lower()})"
            raise ConfigurationError(f"{where}: there is no rate={rate!r}: {nearest(self.rate, self.rates)}")
        super().__init__(**kwargs)

    def add_rate(self) -> None:
        """The parameters of learned rates, or the constant ``{layer}.rate`` of drawn ones."""
        if self.rate in ("matrix", "vector"):
            self.add_bias("r", self.size)
            if self.rate == "matrix":
                self.add_weights("xr", self.input_size, self.size)
            return
        low, high = (1e-4, 1 - 1e-4) if self.rate == "uniform" else (-6, -1e-4)
        drawn = self.rng.uniform(low, high, self.size)
        value = drawn if self.rate == "uniform" else np.exp(drawn)
        self.constants.append(shared(value.astype(config.floatX), name=f"{self.name}.rate"))

    def rate_vector(self) -> Any:
        """The rates (size,), where they do not depend on the input."""
        return T.nnet.sigmoid(self.find("r")) if self.rate == "vector" else self.constants[0]

    def to_spec(self) -> dict[str, Any]:
        """The description of every layer, and the rate."""
        return {**super().to_spec(), "rate": self.rate}


class RRNN(_Rated):
    """A recurrent layer whose units change at rates r: h_t = (1 - r_t) h_{t-1} + r_t g(pre_t).

    pre_t = x_t @ xh + h_{t-1} @ hh + b. As theanets.layers.RRNN. Y. Bengio et al., "Advances in optimizing recurrent
    networks", 2012, arXiv:1212.0901.

    >>> [p.name for p in RRNN("vector", size=3, inputs=2, name="h").params]
    ['h.xh', 'h.hh', 'h.b', 'h.r']

    Argument ``rate``: ``'matrix'`` (also None): r_t = logistic(x_t @ xr + r); ``'vector'``: r_t = logistic(r);
    ``'uniform'``: drawn from (1e-4, 1 - 1e-4) by the layer's stream and kept; ``'log'``: exp of a number drawn from
    (-6, -1e-4).

    Parameters: ``xh``, ``hh``, ``b``, and with it ``r`` (size,) and ``xr`` (input size, size) where there are such.
    Outputs: ``pre``, ``hid`` (g(pre)), ``rate`` ((batch, time, size), or (size,) where it does not depend on the
    input), ``out`` (h).
    """

    rates: ClassVar[tuple[str, ...]] = ("matrix", "vector", "uniform", "log")

    def setup(self) -> None:
        self.add_weights("xh", self.input_size, self.size)
        self.add_weights("hh", self.size, self.size)
        self.add_bias("b", self.size)
        self.add_rate()

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs, and updates of carried states."""
        x, hh = self.in_time(inputs), self.find("hh")
        varies = self.rate == "matrix"
        rate = T.nnet.sigmoid(self.affine(x, "xr", "r")) if varies else self.rate_vector()

        def step(z: Any, *rest: Any) -> list[Any]:
            r, h = rest if varies else (rate, *rest)
            pre = z + T.dot(h, hh)
            hid = self.activate(pre)
            return [(1 - r) * h + r * hid, pre, hid]

        sequences = [self.affine(x, "xh", "b"), *([rate] if varies else [])]
        outputs, updates = self.run(inputs, step, sequences, ["pre", "hid"])
        return {**outputs, "rate": rate.dimshuffle(1, 0, 2) if varies else rate}, updates


class MRNN(Recurrent):
    """A recurrent layer whose transition depends on the input through factors: h_t = g(pre_t).

    f_t = x_t @ xf, pre_t = x_t @ xh + b + (f_t * (h_{t-1} @ hf)) @ fh. As theanets.layers.MRNN. I. Sutskever, J.
    Martens, G. Hinton, "Generating text with recurrent neural networks", ICML 2011.

    >>> MRNN(size=10, inputs=2).factors
    4

    Argument ``factors``: their number; the root of the size, rounded up, if None.

    Parameters: ``xh`` (input size, size), ``xf`` (input size, factors), ``hf`` (size, factors), ``fh`` (factors,
    size), ``b`` (size,). Outputs: ``pre``, ``factors`` (batch, time, factors), ``out`` (h).
    """

    options: ClassVar[tuple[str, ...]] = ("factors",)

    def __init__(self, factors: int | None = None, **kwargs: Any) -> None:
        if factors is not None and (not isinstance(factors, int | np.integer) or factors < 1):
            raise ConfigurationError(
                f"layer {kwargs.get('name')!r} (mrnn): factors={factors!r} must be a positive integer"
            )
        self.factors = int(factors or 0)
        super().__init__(**kwargs)

    def setup(self) -> None:
        self.factors = self.factors or int(np.ceil(np.sqrt(self.size)))
        self.add_weights("xh", self.input_size, self.size)
        self.add_weights("xf", self.input_size, self.factors)
        self.add_weights("hf", self.size, self.factors)
        self.add_weights("fh", self.factors, self.size)
        self.add_bias("b", self.size)

    def output_shape(self, name: str = "out") -> tuple[int | None, ...]:
        return (*self.shape[:-1], self.factors) if name == "factors" else self.shape

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs, and updates of carried states."""
        x = self.in_time(inputs)
        hf, fh = self.find("hf"), self.find("fh")
        factors = self.affine(x, "xf")

        def step(z: Any, f: Any, h: Any) -> list[Any]:
            pre = z + T.dot(f * T.dot(h, hf), fh)
            return [self.activate(pre), pre]

        outputs, updates = self.run(inputs, step, [self.affine(x, "xh", "b"), factors], ["pre"])
        return {**outputs, "factors": factors.dimshuffle(1, 0, 2)}, updates

    def to_spec(self) -> dict[str, Any]:
        """The description of every layer, and the number of factors."""
        return {**super().to_spec(), "factors": self.factors}
