"""Recurrent layers of several parts: a slow context beside the units, or modules of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from croton import tensor as T
from croton.graph.core import Variable
from croton.nets.layers.plain import RNN, _Rated
from croton.nets.layers.recurrent import Recurrent
from croton.nets.util import ConfigurationError
from croton.settings import config

__all__ = ["BCRNN", "SCRN", "Clockwork"]


class SCRN(_Rated):
    """A recurrent layer with a slow context s beside its units. As theanets.layers.SCRN.

        s_t = (1 - r) s_{t-1} + r (x_t @ xs), h_t = logistic(x_t @ xh + h_{t-1} @ hh + s_t @ sh),
        pre_t = h_t @ ho + s_t @ so + b, out_t = g(pre_t)

    T. Mikolov et al., "Learning longer memory in recurrent neural networks", 2014, arXiv:1412.7753.

    >>> SCRN(size=5, inputs=2).num_params == 2 * (1 + 2 + 2 * 5) * 5
    True

    Argument ``rate``: ``'vector'`` (also None): r = logistic(the parameter r); ``'uniform'``, ``'log'``: drawn and
    kept, as in ``RRNN``.

    Parameters: ``xs``, ``xh`` (input size, size), ``sh``, ``hh``, ``ho``, ``so`` (size, size), ``b``, and ``r`` where
    it is learned (size,). Outputs: ``rate`` (size,), ``state`` (s), ``hid`` (h), ``pre``, ``out``. States: ``s_0``,
    ``h_0``.
    """

    options: ClassVar[tuple[str, ...]] = ("s_0",)
    rates: ClassVar[tuple[str, ...]] = ("vector", "uniform", "log")
    kept: ClassVar[Mapping[str, str]] = {"s_0": "state", "h_0": "hid"}

    def setup(self) -> None:
        for name in ("xs", "xh"):
            self.add_weights(name, self.input_size, self.size)
        for name in ("sh", "hh", "ho", "so"):
            self.add_weights(name, self.size, self.size)
        self.add_bias("b", self.size)
        self.add_rate()

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs, and updates of carried states."""
        x, r, hh = self.in_time(inputs), self.rate_vector(), self.find("hh")

        def context(z: Any, s: Any) -> list[Any]:
            return [(1 - r) * s + z]

        def step(z: Any, h: Any) -> list[Any]:
            return [T.nnet.sigmoid(z + T.dot(h, hh))]

        # The context needs no unit's state: in a loop of its own, its products can be one for all steps.
        slow, updates = self.run(inputs, context, [r * self.affine(x, "xs")], states=["s_0"])
        state: Any = slow["state"]
        fed = self.affine(x, "xh") + T.dot(state.dimshuffle(1, 0, 2), self.find("sh"))
        fast, more = self.run(inputs, step, [fed], states=["h_0"])
        pre = self.affine(fast["hid"], "ho") + self.affine(state, "so", "b")
        return {**slow, **fast, "rate": r, "pre": pre, "out": self.activate(pre)}, [*updates, *more]


class Clockwork(Recurrent):
    """A recurrent layer whose modules of units change at steps of different periods. As theanets.layers.Clockwork.

    With q = x_t @ xh + b + h_{t-1} @ (hh mask), a unit of period T has pre_t = q where T divides t, and pre_{t-1}
    elsewhere; h_t = g(pre_t). The modules are ordered from the slowest to the fastest, and the mask lets each feed
    itself and the faster ones. t counts the steps of the input from 0 (real ones, where there is a ``mask``), in both
    directions. J. Koutnik et al., "A clockwork RNN", 2014, arXiv:1402.3511.

    >>> Clockwork((1, 8), size=4, inputs=2).periods
    (8, 1)

    Argument ``periods``: of the modules, positive integers; their number divides the size.

    Parameters: ``hh`` (size, size), ``xh`` (input size, size), ``b`` (size,). Outputs: ``pre``, ``out`` (h). States:
    ``p_0`` (pre), ``h_0``, and ``t_0`` (batch, 1), the number of steps done before.
    """

    options: ClassVar[tuple[str, ...]] = ("periods", "p_0")
    kept: ClassVar[Mapping[str, str]] = {"p_0": "pre", "h_0": "out"}

    def __init__(self, periods: Sequence[int] = (), **kwargs: Any) -> None:
        given = np.atleast_1d(np.asarray(periods))
        if given.ndim != 1 or not given.size or given.dtype.kind not in "iu" or given.min() < 1:
            raise ConfigurationError(
                f"layer {kwargs.get('name')!r} (clockwork) needs periods, positive integers; got {periods!r}"
            )
        self.periods = tuple(sorted((int(p) for p in given), reverse=True))
        super().__init__(**kwargs)

    @property
    def states(self) -> dict[str, int]:
        return {**super().states, "t_0": 1}

    def setup(self) -> None:
        count = len(self.periods)
        if self.size % count:
            raise self._wrong(f"size={self.size} is not a multiple of the number of periods, {count} {self.periods}")
        self.add_weights("hh", self.size, self.size)
        self.add_weights("xh", self.input_size, self.size)
        self.add_bias("b", self.size)

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs, and updates of carried states."""
        units = self.size // len(self.periods)
        hh = self.find("hh") * _blocks(np.triu(np.ones((len(self.periods),) * 2)), units)
        period = np.repeat(np.asarray(self.periods, config.floatX), units)
        z = self.affine(self.in_time(inputs), "xh", "b")
        times, done = self._times(inputs, z)

        def step(z: Any, t: Any, p: Any, h: Any) -> list[Any]:
            p = T.switch(T.eq(t % period, 0), z + T.dot(h, hh), p)
            return [p, self.activate(p)]

        outputs, updates = self.run(inputs, step, [z, times])
        self.hand_on(inputs, "t_0", done, outputs, updates)
        return outputs, updates

    def _times(self, inputs: Mapping[str, Variable], z: Any) -> tuple[Any, Any]:
        """The index of each step, (time, batch, 1), and how many have been done after the last, (batch, 1)."""
        before, real = self.start(inputs, "t_0", z.shape[1]), self.real(inputs)
        one = T.ones((z.shape[0], 1, 1), config.floatX) if real is None else T.cast(real, config.floatX)
        counts = T.cumsum(one, axis=0) + before
        return counts - 1, counts[-1]

    def to_spec(self) -> dict[str, Any]:
        """The description of every layer, and the periods."""
        return {**super().to_spec(), "periods": self.periods}


def _blocks(mask: np.ndarray, units: int) -> np.ndarray:
    """A matrix of modules as one of units, each entry a square block."""
    return np.kron(mask, np.ones((units, units))).astype(config.floatX)


class BCRNN(RNN):
    """A recurrent layer of modules in a cascade: pre_t = x_t @ xh + b + h_{t-1} @ (hh mask), h_t = g(pre_t).

    The mask lets each module feed itself and the one after it, so that what is remembered passes from module to module,
    a step at a time. As theanets.layers.BCRNN.

    >>> BCRNN(3, size=6, inputs=2).states
    {'h_0': 6}

    Argument ``num_modules``: how many; it divides the size.

    Parameters: ``xh`` (input size, size), ``hh`` (size, size), ``b`` (size,). Outputs: ``pre``, ``out`` (h).
    """

    options: ClassVar[tuple[str, ...]] = ("num_modules",)

    def __init__(self, num_modules: int | None = None, **kwargs: Any) -> None:
        if isinstance(num_modules, bool) or not isinstance(num_modules, int | np.integer) or num_modules < 1:
            raise ConfigurationError(
                f"layer {kwargs.get('name')!r} (bcrnn) needs num_modules, a positive integer; got {num_modules!r}"
            )
        self.num_modules = int(num_modules)
        super().__init__(**kwargs)

    def setup(self) -> None:
        if self.size % self.num_modules:
            raise self._wrong(f"size={self.size} is not a multiple of num_modules={self.num_modules}")
        super().setup()

    def recurrent_weights(self) -> Any:
        """``hh`` without the connections between modules that are not neighbours."""
        near = np.eye(self.num_modules) + np.eye(self.num_modules, k=1)
        return self.find("hh") * _blocks(near, self.size // self.num_modules)

    def to_spec(self) -> dict[str, Any]:
        """The description of every layer, and the number of modules."""
        return {**super().to_spec(), "num_modules": self.num_modules}
