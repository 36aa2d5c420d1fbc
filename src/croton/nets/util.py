"""What the rooms of nets share: errors, random matrices and vectors, names matched by pattern."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from croton.graph.core import SharedVariable, Variable
from croton.nets.registry import Registrar
from croton.settings import config

__all__ = [
    "ConfigurationError",
    "Error",
    "LayerError",
    "Registrar",
    "as_patterns",
    "as_random_state",
    "outputs_matching",
    "params_matching",
    "random_matrix",
    "random_vector",
]


class Error(Exception):
    """The base of the errors that nets raise. As theanets.util.Error."""


class ConfigurationError(Error):
    """A network, a loss or a regularizer is described in a way that cannot be built. As in theanets.util."""


class LayerError(ConfigurationError):
    """A layer refers to a layer or an output that is not there. As theanets.graph.LayerError."""


def as_random_state(rng: Any = None) -> np.random.RandomState:
    """The stream to draw from: ``rng`` itself, one seeded by an int, one over a ``Generator``'s bits, or a fresh one.

    Raises TypeError for anything else.
    """
    if isinstance(rng, np.random.RandomState):
        return rng
    if isinstance(rng, np.random.Generator):
        return np.random.RandomState(rng.bit_generator)
    if rng is None or (isinstance(rng, int | np.integer) and not isinstance(rng, bool)):
        return np.random.RandomState(rng)
    raise TypeError(f"rng={rng!r}: pass an int seed, a numpy RandomState or Generator, or None for a fresh seed")


def random_matrix(
    rows: int,
    cols: int,
    mean: float = 0,
    std: float = 1,
    sparsity: float = 0,
    radius: float = 0,
    diagonal: float = 0,
    rng: Any = None,
) -> np.ndarray:
    """A random matrix of shape (rows, cols) in ``config.floatX``. As theanets.util.random_matrix.

    Arguments:
      ``mean``, ``std``: of the normal distribution of the entries.
      ``sparsity``: in (0, 1), the share of entries set to zero; the main diagonal is always kept.
      ``radius``: if positive, the matrix is scaled to this largest singular value.
      ``diagonal``: if not zero, the matrix is this number times the identity, and nothing else matters.
      ``rng``: a RandomState, an int seed, or None.

    >>> random_matrix(2, 2, diagonal=3)
    array([[3., 0.],
           [0., 3.]], dtype=float32)
    """
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity={sparsity}: a share of the entries, from 0 to below 1")
    stream = as_random_state(rng)
    matrix = mean + std * stream.randn(rows, cols)
    if sparsity > 0:
        mask = stream.binomial(n=1, p=1 - sparsity, size=(rows, cols)).astype(bool)
        np.fill_diagonal(mask, True)
        matrix *= mask
    if radius > 0:
        u, s, vt = np.linalg.svd(matrix, full_matrices=False)
        matrix = (u * (radius * s / abs(s[0]))) @ vt
    if diagonal != 0:
        matrix = diagonal * np.eye(rows, cols)
    return matrix.astype(config.floatX)


def random_vector(size: int, mean: float = 0, std: float = 1, rng: Any = None) -> np.ndarray:
    """A vector of ``size`` normal numbers in ``config.floatX``. As theanets.util.random_vector.

    >>> random_vector(3, mean=1, std=0)
    array([1., 1., 1.], dtype=float32)
    """
    return (mean + std * as_random_state(rng).randn(size)).astype(config.floatX)


def as_patterns(patterns: str | Sequence[str] | None) -> list[str]:
    """One pattern or several as a list; none for None."""
    if patterns is None:
        return []
    return [patterns] if isinstance(patterns, str) else list(patterns)


def _matching(patterns: Any, items: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    globs = as_patterns(patterns)
    return ((name, item) for name, item in items if any(fnmatchcase(name, g) for g in globs))


def params_matching(layers: Iterable[Any], patterns: Any) -> Iterator[tuple[str, SharedVariable]]:
    """(name, parameter) of each parameter of the layers whose ``layer.param`` name matches a glob. As in theanets.util.

    >>> from croton import nets
    >>> net = nets.Regressor([2, 3, 1])
    >>> [name for name, _ in params_matching(net.layers, "*.w")]
    ['hid1.w', 'out.w']
    """
    return _matching(patterns, ((p.name, p) for layer in layers for p in layer.params))


def outputs_matching(outputs: Mapping[str, Variable], patterns: Any) -> Iterator[tuple[str, Variable]]:
    """(name, expression) of each output whose ``layer:output`` name matches a glob, by name. As in theanets.util.

    >>> from croton import nets
    >>> outputs, _ = nets.Regressor([2, 3, 1]).build_graph()
    >>> [name for name, _ in outputs_matching(outputs, "hid*")]
    ['hid1:out', 'hid1:pre']
    """
    return _matching(patterns, sorted(outputs.items()))
