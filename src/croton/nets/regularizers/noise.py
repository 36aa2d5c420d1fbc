"""Noise put into outputs: Gaussian noise and dropout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from croton import sparse
from croton import tensor as T
from croton.graph.core import Variable
from croton.nets.regularizers.base import BEFORE, Regularizer, matched_outputs
from croton.nets.util import ConfigurationError, as_random_state
from croton.tensor.random import RandomStreams


class Noise(Regularizer):
    """Matched outputs made noisy; the original is kept under the name with ``before`` after it."""

    before = ""
    about = "output that a layer makes"

    def __init__(self, pattern: Any = "*:out", weight: float = 0.0, rng: Any = 13) -> None:
        super().__init__(pattern, weight)
        self.matched: dict[str, None] = {}
        self.rng = (
            rng if isinstance(rng, RandomStreams) else RandomStreams(int(as_random_state(rng).randint(2**31 - 1)))
        )

    def noisy(self, values: Any) -> Any:
        """The values with noise, of the same shape."""
        raise NotImplementedError

    def modify_graph(self, outputs: dict[str, Variable]) -> None:
        for name, values in matched_outputs(outputs, self.pattern):
            self.matched[name] = None
            outputs[name + self.before] = values
            outputs[name] = self.noisy(values)

    def names(self, layers: Sequence[Any], outputs: Mapping[str, Variable]) -> list[str]:
        # Not aliases: what the layers have not made under this name has not been made noisy.
        return [n for n in outputs if ":" in n and (n in self.matched or not n.endswith(BEFORE))]


class GaussianNoise(Noise):
    """Z + N(0, weight²), drawn anew for each element and call. As theanets.regularizers.GaussianNoise.

    Arguments: ``pattern``: the outputs, by full name; ``weight``: the standard deviation; ``rng``: a seed, a numpy
    RandomState, or croton's RandomStreams. The keywords ``input_noise``, ``hidden_noise``, ``output_noise`` and
    ``noise={pattern: deviation}`` make it. The output without noise is called ``{name}-prenoise``.
    """

    before = "-prenoise"

    def __init__(self, pattern: Any = "*:out", weight: float = 0.0, rng: Any = 13) -> None:
        super().__init__(pattern, weight, rng)
        if not weight >= 0:
            raise ConfigurationError(f"noise on {pattern!r}: a standard deviation is from 0 on, got {weight!r}")

    def noisy(self, values: Any) -> Any:
        values = _dense(values)
        return values + self.weight * self.rng.normal(size=values.shape, dtype=values.dtype)


class BernoulliDropout(Noise):
    """Z m / (1 - weight), m being 1 with probability 1 - weight, else 0, drawn anew for each element and call.

    So the mean is that of Z (Srivastava et al. 2014). Arguments: ``pattern``: the outputs, by full name; ``weight``:
    the share that is dropped, from 0 to below 1; ``rng``: a seed, a numpy RandomState, or croton's RandomStreams. The
    keywords ``input_dropout``, ``hidden_dropout``, ``output_dropout`` and ``dropout={pattern: rate}`` make it. The
    output without dropout is called ``{name}-predrop``. As theanets.regularizers.BernoulliDropout, which divided
    by the weight.
    """

    before = "-predrop"

    def __init__(self, pattern: Any = "*:out", weight: float = 0.0, rng: Any = 13) -> None:
        super().__init__(pattern, weight, rng)
        if not 0 <= weight < 1:
            raise ConfigurationError(f"dropout of {pattern!r}: a rate is from 0 to below 1, got {weight!r}")

    def noisy(self, values: Any) -> Any:
        kept = self.rng.binomial(size=values.shape, p=1 - self.weight, dtype=values.dtype)
        if isinstance(values, sparse.SparseVariable):
            return sparse.mul(values, kept / (1 - self.weight))
        return T.switch(kept, values / (1 - self.weight), T.cast(0, values.dtype))


def _dense(x: Any) -> Any:
    return sparse.dense_from_sparse(x) if isinstance(x, sparse.SparseVariable) else x


del Regularizer._registry["noise"]  # the keyword of a dict, and no regularizer
