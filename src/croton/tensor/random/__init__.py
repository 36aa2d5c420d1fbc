"""Random streams, and draws from states that the caller keeps."""

from croton.tensor.random.raw import (
    binomial,
    choice,
    multinomial,
    normal,
    permutation,
    poisson,
    random_integers,
    truncated_normal,
    uniform,
)
from croton.tensor.random.state import RandomStateSharedVariable, StreamState
from croton.tensor.random.streams import MRG_RandomStreams, RandomStreams, guess_n_streams

__all__ = [
    "MRG_RandomStreams",
    "RandomStateSharedVariable",
    "RandomStreams",
    "StreamState",
    "binomial",
    "choice",
    "guess_n_streams",
    "multinomial",
    "normal",
    "permutation",
    "poisson",
    "random_integers",
    "truncated_normal",
    "uniform",
]
