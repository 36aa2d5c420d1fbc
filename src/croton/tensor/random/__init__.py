"""Random streams, and draws from states that the caller keeps."""

from croton.tensor.random.mrg import MRG_RandomStreams, guess_n_streams
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
from croton.tensor.random.streams import RandomStreams

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
