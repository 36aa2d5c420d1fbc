"""What recurrent layers have in common: the loop over time, and where its states begin and end."""

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

__all__ = ["Recurrent"]

Updates = list[tuple[SharedVariable, Variable]]

BACKWARDS = (
    "{} needs a loop that runs forward; a backward one begins at the end of the sequence, which has not come yet"
)


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
        size, wanted = self.states[name], f"{name}={given!r} must be (batch, {self.states[name]})"
        if state.ndim != 2:
            raise self._wrong(f"{wanted}, and {full!r} has {state.ndim} dimensions")
        if state.type.shape[-1] not in (None, size):
            raise self._wrong(f"{wanted}, and {full!r} is (batch, {state.type.shape[-1]})")
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
