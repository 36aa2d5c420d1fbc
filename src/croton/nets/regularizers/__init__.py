"""Regularizers: terms added to the loss, and noise put into outputs. As theanets.regularizers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from croton.graph.core import Variable
from croton.nets.registry import nearest
from croton.nets.regularizers.base import Regularizer, exactly, hidden, is_input
from croton.nets.regularizers.noise import BernoulliDropout, GaussianNoise, Noise
from croton.nets.regularizers.penalties import (
    Contractive,
    HiddenL1,
    HiddenL2,
    RecurrentNorm,
    RecurrentState,
    WeightL1,
    WeightL2,
)
from croton.nets.util import as_random_state
from croton.tensor.random import RandomStreams

__all__ = [
    "BernoulliDropout",
    "Contractive",
    "GaussianNoise",
    "HiddenL1",
    "HiddenL2",
    "RecurrentNorm",
    "RecurrentState",
    "Regularizer",
    "WeightL1",
    "WeightL2",
    "check_matched",
    "from_kwargs",
    "keywords",
]


_PLACES = ("input", "hidden", "output")
_NOISES: dict[str, type[Noise]] = {"dropout": BernoulliDropout, "noise": GaussianNoise}


_NOISE_KEYWORDS = [*(f"{place}_{noise}" for noise in _NOISES for place in _PLACES), *_NOISES]


def keywords() -> list[str]:
    """The keywords that ``from_kwargs`` understands, those of users' classes included."""
    return ["regularizers", "rng", *_NOISE_KEYWORDS, *(k for k in Regularizer.known() if k != "regularizer")]


def from_kwargs(network: Any, **kwargs: Any) -> list[Regularizer]:
    """The regularizers that keywords of ``train``, ``predict`` and the like ask for. As in theanets.regularizers.

    Keywords:
      ``input_dropout``, ``hidden_dropout``, ``output_dropout``: rates for the outputs of input layers, hidden layers
      and the last; ``dropout``: a dict from patterns to rates. ``input_noise``, ``hidden_noise``, ``output_noise``,
      ``noise``: standard deviations likewise.
      A regularizer's name (``weight_l2``): a number, its weight, or a dict of its arguments.
      ``regularizers``: a dict of further keywords; or a ``Regularizer`` or several, which come first.
      ``rng``: a seed, a numpy RandomState, or croton's RandomStreams; each source of noise has a seed of its own,
      drawn from it. 13 if left out.

    Raises TypeError, naming the nearest, for a keyword that is none of these or has a value of another kind;
    ConfigurationError for rates and deviations out of range.

    >>> from croton import nets
    >>> net = nets.Regressor([2, 3, 1])
    >>> [r.pattern for r in from_kwargs(net, input_noise=0.1, hidden_dropout=0.5, weight_l2=1e-4)]
    [('hid1:out',), ('in:out',), None]
    """
    made: list[Regularizer] = []
    given = kwargs.pop("regularizers", None)
    if isinstance(given, Mapping):
        kwargs = {**kwargs, **given}
    elif given is not None:
        made = _instances(given)
    named = {key: value for key, value in kwargs.items() if key not in ("rng", *_NOISE_KEYWORDS)}
    for key in named:
        if key == "regularizer" or not Regularizer.is_registered(key):
            raise TypeError(f"there is no regularizer or keyword {key!r}: {nearest(key, keywords())}")
    rng = kwargs.get("rng", 13)
    rng = rng if isinstance(rng, RandomStreams) else as_random_state(rng)
    for noise, form in _NOISES.items():
        for pattern, weight in _noises(network.layers, noise, kwargs):
            made.append(form(pattern, weight, rng=rng))
    for key, value in named.items():
        said = dict(value) if isinstance(value, Mapping) else {"weight": _number(key, value)}
        if issubclass(Regularizer.get_class(key), Noise):
            said.setdefault("rng", rng)
        made.append(Regularizer.build(key, **said))
    return made


def _instances(given: Any) -> list[Regularizer]:
    listed = list(given) if isinstance(given, list | tuple) else [given]
    for regularizer in listed:
        if not isinstance(regularizer, Regularizer):
            raise TypeError(f"regularizers={given!r}: pass a dict of keywords, a Regularizer, or a list of these")
    return listed


def _number(key: str, value: Any, also: str = "a dict of the regularizer's arguments") -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{key}={value!r}: pass a number" + (f", or {also}" if also else ""))
    return value


def _noises(layers: Sequence[Any], noise: str, kwargs: Mapping[str, Any]) -> list[tuple[Any, float]]:
    """(patterns, weight) of each source of this kind of noise that is not 0."""
    inputs = exactly(layer.output_name() for layer in layers if is_input(layer))
    last = exactly(layer.output_name() for layer in layers[-1:])
    places: list[tuple[Any, str, Any]] = []
    for place, patterns in zip(_PLACES, (inputs, hidden(layers), last), strict=True):
        key = f"{place}_{noise}"
        places.append((patterns, key, kwargs.get(key)))
    named = kwargs.get(noise)
    if named is not None and not isinstance(named, Mapping):
        raise TypeError(
            f"{noise}={named!r}: pass a dict from patterns of outputs to numbers, or a number as hidden_{noise}="
        )
    places += [(pattern, f"{noise}[{pattern!r}]", weight) for pattern, weight in (named or {}).items()]
    return [(p, w) for p, key, w in places if w is not None and _number(key, w, "")]


def check_matched(regularizers: Iterable[Regularizer], outputs: Mapping[str, Variable], layers: Sequence[Any]) -> None:
    """Refuse patterns that have matched nothing in the graph that was built: ConfigurationError says what there is."""
    for regularizer in regularizers:
        regularizer.check(layers, outputs)
