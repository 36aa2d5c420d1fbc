"""Recurrent layers: what they have in common, and the plain ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from croton import tensor as T
from croton.compile import shared
from croton.graph.core import SharedVariable, Variable
from croton.loop import scan
from croton.nets.layers.base import LAWS, Layer
from croton.nets.registry import nearest
from croton.nets.util import ConfigurationError, LayerError, random_matrix
from croton.settings import config

__all__ = ["MRNN", "RNN", "RRNN", "Recurrent"]

Updates = list[tuple[SharedVariable, Variable]]


class Recurrent(Layer):
    """The base of layers with a state that goes from step to step. As theanets.layers.recurrent.Recurrent.

    They read (batch, time, features), of any batch size and number of steps, and write (batch, time, size), aligned in
    time with the input whatever the direction.

    Arguments, besides those of every layer:
      ``direction``: ``'backwards'``, or any string with 'back' in it, for a loop from the last step to the first.
      ``bptt_limit``: derivatives flow through so many last steps only; None or -1: through all.
      ``radius``: the largest singular value of the recurrent matrices at the start; ``radius_hh`` of one of them. It
      and ``diagonal`` are for matrices whose rows are the layer's own units, and not for those from the input (whose
      names begin with x).
      ``h_0`` (and others, see the class): the name of an earlier output of shape (batch, size) to start from.
      ``carry``: if True, each call starts where the last one ended: at first from zeros. The states are shared
      variables ``{layer}.h_0`` and so on, listed in ``carried``, with updates.
      ``mask``: the name of an output of shape (batch, time) or (batch, time, 1), not 0 where a step is real; at other
      steps the state stays what it was, and so do the outputs that show it.

    Attribute ``states``: names of initial states -> sizes. Where ``inputs`` of ``transform`` has ``{layer}:h_0``, the
    loop starts from it, and the outputs also hold the last state as ``h_n``, (batch, size).

    Raises ConfigurationError where the input is not (batch, time, features), there is more than one, or an argument is
    none of these.
    """

    options: ClassVar[tuple[str, ...]] = ("direction", "bptt_limit", "radius", "h_0", "carry", "mask")
    example_ndim: ClassVar[int | None] = 2
    #: Names of initial states -> names of the outputs that show these states.
    kept: ClassVar[Mapping[str, str]] = {"h_0": "out"}

    def __init__(
        self, size: int | None, inputs: Any, name: str | None = None, activation: Any = "relu", **kwargs: Any
    ) -> None:
        for key in (*self.kept, "mask"):
            if isinstance(kwargs.get(key), Layer):
                kwargs[key] = kwargs[key].output_name()
        super().__init__(size, inputs, name, activation, **kwargs)
        self._check_loop()
        if self.kwargs.get("carry"):
            self.carried = [
                shared(np.zeros((1, size), config.floatX), name=f"{self.name}.{state}")
                for state, size in self.states.items()
                if self.kwargs.get(state) is None
            ]

    def _check_loop(self) -> None:
        direction, limit = self.kwargs.get("direction"), self.kwargs.get("bptt_limit")
        if direction is not None and not isinstance(direction, str):
            raise self._wrong(f"direction={direction!r}: pass 'backwards', 'forward' or None")
        if limit is not None and (not isinstance(limit, int | np.integer) or limit == 0 or limit < -1):
            raise self._wrong(f"bptt_limit={limit!r}: pass a number of steps, or -1 for no limit")
        if self.kwargs.get("carry") and self.backwards:
            raise self._wrong(BACKWARDS.format("carry=True"))
        for key in (*self.kept, "mask"):
            if not isinstance(self.kwargs.get(key), str | None):
                raise self._wrong(f"{key}={self.kwargs[key]!r}: pass the name of a layer or of an output")

    def _wrong(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"layer {self.name!r} ({type(self).__name__.lower()}): {what}")

    @property
    def backwards(self) -> bool:
        """Whether the loop runs from the last step to the first."""
        return "back" in (self.kwargs.get("direction") or "").lower()

    @property
    def states(self) -> dict[str, int]:
        return dict.fromkeys(self.kept, self.size)

    def laws(self) -> tuple[str, ...]:
        return (*LAWS, "radius")

    def add_weights(
        self,
        name: str,
        nin: int,
        nout: int,
        mean: float = 0,
        std: float = 0,
        sparsity: float = 0,
        diagonal: float = 0,
        radius: float = 0,
    ) -> None:
        """A weight matrix of shape (nin, nout), as every layer's; a recurrent one is drawn block by block.

        A matrix is recurrent if its rows are the layer's units, its columns a multiple of them, and its name does not
        begin with x. Each of its square blocks is drawn by itself and obeys ``radius`` and ``diagonal``.
        """
        own = nin == self.size and nout % nin == 0 and not name.startswith("x")
        blocks = nout // nin if own else 1
        laws = {
            "mean": self._law("mean", name, mean),
            "std": self._law("std", name, std or 1 / np.sqrt(nin + nout)),
            "sparsity": self._law("sparsity", name, sparsity),
            "radius": self._law("radius", name, radius, own),
            "diagonal": self._law("diagonal", name, diagonal, own),
        }
        drawn = [random_matrix(nin, nout // blocks, **laws, rng=self.rng) for _ in range(blocks)]
        self.add_param(name, np.concatenate(drawn, axis=1))

    # --- expressions ---

    def in_time(self, inputs: Mapping[str, Variable]) -> Any:
        """The input with time first: (time, batch, features)."""
        x: Any = inputs[self.input_name]
        return x.dimshuffle(1, 0, 2)

    def affine(self, x: Any, weights: str, bias: str | None = None) -> Any:
        """``x @ weights + bias`` of all time steps at once."""
        z = T.dot(x, self.find(weights))
        return z if bias is None else z + self.find(bias)

    def run(
        self,
        inputs: Mapping[str, Variable],
        step: Callable[..., Sequence[Any]],
        sequences: Sequence[Any],
        others: Sequence[str] = (),
        states: Sequence[str] | None = None,
    ) -> tuple[dict[str, Variable], Updates]:
        """The loop over time.

        ``step`` gets an element (batch, ...) of each of the ``sequences`` (time, batch, ...) and the states (batch,
        size), and returns the states after the step, in the same order, and then a value for each name in ``others``.
        ``states``: the names of the initial states, all of the layer's if None.

        Returns the outputs by name, (batch, time, ...), and the updates.
        """
        names = list(self.kept) if states is None else list(states)
        starts = [self.start(inputs, name, sequences[0].shape[1]) for name in names]
        real = self.real(inputs)
        count = len(sequences)

        def one(*values: Any) -> list[Any]:
            if real is None:
                return list(step(*values))
            here, *rest = values
            made = list(step(*rest))
            after = [T.switch(here, a, b) for a, b in zip(made, rest[count:], strict=False)]
            return [*after, *made[len(names) :]]

        results, more = scan(
            one,
            [*([] if real is None else [real]), *sequences],
            [*starts, *[None] * len(others)],
            go_backwards=self.backwards,
            truncate_gradient=self.kwargs.get("bptt_limit") or -1,
            name=self.name,
            return_list=True,
        )
        outputs = {
            key: self.aligned(r) for key, r in zip([*(self.kept[n] for n in names), *others], results, strict=True)
        }
        updates: Updates = list(more.items())
        for name, states_after in zip(names, results, strict=False):
            self.hand_on(inputs, name, states_after[-1], outputs, updates)
        return outputs, updates

    def aligned(self, result: Any) -> Any:
        """A loop's output with the batch first, its time steps in the order of the input's."""
        return (result[::-1] if self.backwards else result).dimshuffle(1, 0, *range(2, result.ndim))

    def start(self, inputs: Mapping[str, Variable], name: str, batch: Any) -> Any:
        """The initial state ``name``, (batch, size): from ``inputs``, an earlier layer, the last call, or zeros."""
        full = self.output_name(name)
        if full in inputs:
            if self.backwards:
                raise self._wrong(BACKWARDS.format(f"a state handed to it ({full})"))
            return inputs[full]
        given = self.kwargs.get(name)
        if given is not None:
            return self._named_state(inputs, name, given)
        held = [v for v in self.carried if v.name == f"{self.name}.{name}"]
        size = self.states[name]
        return T.alloc(held[0], batch, size) if held else T.zeros((batch, size), config.floatX)

    def _named_state(self, inputs: Mapping[str, Variable], name: str, given: str) -> Any:
        full = given if ":" in given else f"{given}:out"
        if full not in inputs:
            raise LayerError(
                f"layer {self.name!r} has {name}={given!r}, which no earlier layer makes: {nearest(full, inputs)}"
            )
        state: Any = inputs[full]
        if state.ndim != 2:
            raise self._wrong(
                f"{name}={given!r} must be (batch, {self.states[name]}), and {full!r} has {state.ndim} dimensions"
            )
        return state

    def hand_on(
        self, inputs: Mapping[str, Variable], name: str, last: Any, outputs: dict[str, Any], updates: Updates
    ) -> None:
        """Put the ``last`` value of a state where the next call finds it: an output ``h_n``, or an update."""
        if self.output_name(name) in inputs:
            outputs[f"{name.removesuffix('_0')}_n"] = last
            return
        updates += [(v, last) for v in self.carried if v.name == f"{self.name}.{name}"]

    def real(self, inputs: Mapping[str, Variable]) -> Any:
        """Which steps are real, (time, batch, 1) of bools; None if all are."""
        given = self.kwargs.get("mask")
        if given is None:
            return None
        full = given if ":" in given else f"{given}:out"
        if full not in inputs:
            raise LayerError(
                f"layer {self.name!r} has mask={given!r}, which no earlier layer makes: {nearest(full, inputs)}"
            )
        mask: Any = inputs[full]
        if mask.ndim not in (2, 3):
            raise self._wrong(
                f"mask={given!r} must be (batch, time) or (batch, time, 1), and has {mask.ndim} dimensions"
            )
        return T.neq(mask if mask.ndim == 2 else mask[:, :, 0], 0).dimshuffle(1, 0, "x")


BACKWARDS = (
    "{} needs a loop that runs forward; a backward one begins at the end of the sequence, which has not come yet"
)


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
            raise ConfigurationError(
                f"{where}: rate={rate!r} is none of {', '.join(self.rates)}: {nearest(self.rate, self.rates)}"
            )
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
