"""Random streams with the interface of theano.sandbox.rng_mrg."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from croton.graph.core import Constant, Variable
from croton.tensor.basic import as_tensor_variable
from croton.tensor.random import raw
from croton.tensor.random.size import loose_size, strict_size
from croton.tensor.random.streams import Streams
from croton.tensor.variable import TensorVariable

# The moduli of MRG31k3p, which bound the seeds.
M1, M2 = 2147483647, 2147462579


class MRG_RandomStreams(Streams):
    """Streams of random numbers with the interface of theano.sandbox.rng_mrg.

    As ``RandomStreams``, but for: what ``size`` may be (a tuple of positive integers and scalars or an integer vector;
    for ``normal`` also a list, an integer or a scalar), ``binomial`` with n = 1 only, ``multinomial`` and ``choice``
    by the rows of a matrix. The numbers come from the same generator as those of ``RandomStreams``, not from MRG31k3p.
    ``nstreams``, how many generators the original ran side by side, and ``target``, None or 'cpu', change nothing.

    ``seed``: a positive integer below 2147462579, or 6 of them (the first three below 2147483647, neither three all 0).

    >>> import croton
    >>> from croton.tensor.random import MRG_RandomStreams
    >>> mask = MRG_RandomStreams(seed=1).binomial((2, 1000), n=1, p=0.8, dtype='float32')
    >>> float(mask.eval().mean()).__round__(1)
    0.8
    """

    def __init__(self, seed: int | Sequence[int] = 12345) -> None:
        super().__init__(seed)

    def _checked_seed(self, seed: Any) -> Any:
        if isinstance(seed, int | np.integer):
            if not 0 < seed < M2:
                raise ValueError(f"MRG_RandomStreams: the seed must be above 0 and less than {M2}, got {seed}")
            return [int(seed)] * 6
        numbers = list(seed) if np.ndim(seed) == 1 else []
        if len(numbers) != 6 or not all(isinstance(n, int | np.integer) for n in numbers):
            raise TypeError(f"MRG_RandomStreams: seed should be 1 integer or 6 integers, not {seed!r}")
        for part, most, which in ((numbers[:3], M1, "first"), (numbers[3:], M2, "last")):
            if not any(part) or not all(0 <= n < most for n in part):
                raise ValueError(
                    f"MRG_RandomStreams: the {which} 3 numbers of the seed must be at least 0, less than {most} and "
                    f"not all 0, got {part}"
                )
        return [int(n) for n in numbers]

    @property
    def rstate(self) -> np.ndarray:
        """The six numbers that streams still to be made are seeded with; what is assigned is checked as a seed."""
        return np.asarray(self._entropy, "int32")

    @rstate.setter
    def rstate(self, seed: Any) -> None:
        self._entropy = self._checked_seed(seed)

    def uniform(
        self,
        size: Any,
        low: Any = 0.0,
        high: Any = 1.0,
        ndim: int | None = None,
        dtype: Any = None,
        nstreams: int | None = None,
        target: str | None = None,
    ) -> TensorVariable:
        """Numbers spread evenly over the open interval (low, high)."""
        _unused(nstreams, target)
        dtype, ends = raw.float_parameters("uniform", dtype, low, high)
        return self.gen(raw.draw_of, "uniform", strict_size("uniform", size, ndim), dtype, ends)

    def binomial(
        self,
        size: Any = None,
        n: Any = 1,
        p: Any = 0.5,
        ndim: int | None = None,
        dtype: Any = "int64",
        nstreams: int | None = None,
        target: str | None = None,
    ) -> TensorVariable:
        """1 with probability ``p``, else 0. NotImplementedError for n other than 1. p counts to float32's precision."""
        _unused(nstreams, target)
        if isinstance(n, Constant):
            n = n.data
        if isinstance(n, Variable) or np.ndim(n) or n != 1:
            raise NotImplementedError(f"MRG_RandomStreams.binomial with n = {n}: use RandomStreams for n > 1")
        chance = raw.real(p)
        found = strict_size("binomial", size, ndim)
        return self.gen(raw.draw_of, "bernoulli", found, raw.known_dtype("binomial", dtype), [chance])

    def normal(
        self,
        size: Any,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: int | None = None,
        dtype: Any = None,
        nstreams: int | None = None,
        truncate: bool = False,
        target: str | None = None,
    ) -> TensorVariable:
        """Normal numbers of mean ``avg`` and standard deviation ``std``; with ``truncate`` none beyond avg ± 2 std."""
        _unused(nstreams, target)
        dtype, parameters = raw.float_parameters("normal", dtype, avg, std)
        what = "truncated_normal" if truncate else "normal"
        return self.gen(raw.draw_of, what, loose_size("normal", size, ndim), dtype, parameters)

    def truncated_normal(
        self,
        size: Any,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: int | None = None,
        dtype: Any = None,
        nstreams: int | None = None,
        target: str | None = None,
    ) -> TensorVariable:
        """Numbers of mean ``avg`` and standard deviation ``std``, none beyond avg ± 2.274 std: normal ones, cut off."""
        std = as_tensor_variable(std) / raw.CUT_DEVIATION
        return self.normal(size, avg, std, ndim, dtype, nstreams, True, target)

    def multinomial(
        self,
        size: None = None,
        n: Any = 1,
        pvals: Any = None,
        ndim: None = None,
        dtype: Any = "int64",
        nstreams: int | None = None,
        target: str | None = None,
    ) -> TensorVariable:
        """For each row of the matrix ``pvals`` of probabilities, how often each category comes in ``n`` trials.

        Of the shape of ``pvals``. Raises TypeError without pvals, ValueError for a size or ndim, NotImplementedError
        for pvals that are no matrix.
        """
        _unused(nstreams, target)
        if pvals is None:
            raise TypeError("multinomial: give pvals, a matrix of probabilities")
        _refuse("multinomial", size=size, ndim=ndim)
        chances = as_tensor_variable(pvals)
        if chances.ndim != 2:
            raise NotImplementedError(f"multinomial: pvals must be a matrix, not {pvals} of {chances.ndim} dimensions")
        return self.gen(raw.multinomial, None, n, chances, dtype=dtype)

    def choice(
        self,
        size: Any = 1,
        a: None = None,
        replace: bool = True,
        p: Any = None,
        ndim: None = None,
        dtype: Any = "int64",
        nstreams: int | None = None,
        target: str | None = None,
    ) -> TensorVariable:
        """For each row of the matrix ``p`` of probabilities, ``size`` different columns: of shape (rows, size).

        Only without replacement (NotImplementedError), and with ``a`` None (TypeError).
        """
        _unused(nstreams, target)
        if replace:
            raise NotImplementedError("MRG_RandomStreams.choice draws without replacement: pass replace=False")
        if a is not None:
            raise TypeError("MRG_RandomStreams.choice: a has to be None: the values are the columns of p")
        if p is None:
            raise TypeError("MRG_RandomStreams.choice: give p, a matrix of probabilities")
        _refuse("choice", ndim=ndim)
        return self.gen(raw.choice_by_rows, size, p, dtype)

    def multinomial_wo_replacement(
        self,
        size: None = None,
        n: Any = 1,
        pvals: Any = None,
        ndim: None = None,
        dtype: Any = "int64",
        nstreams: int | None = None,
        target: str | None = None,
    ) -> TensorVariable:
        """An old name of ``choice(size=n, replace=False, p=pvals)``; warns."""
        warnings.warn(
            "multinomial_wo_replacement is deprecated: use choice(size=n, replace=False, p=pvals)",
            DeprecationWarning,
            stacklevel=2,
        )
        _refuse("multinomial_wo_replacement", size=size)
        return self.choice(n, None, False, pvals, ndim, dtype, nstreams, target)


def _unused(nstreams: Any, target: Any) -> None:
    if nstreams is not None and (not isinstance(nstreams, int | np.integer) or nstreams < 1):
        raise TypeError(f"nstreams must be a positive integer or None, not {nstreams!r}")
    if target not in (None, "cpu"):
        raise TypeError(f"target={target!r}: only None and 'cpu' are known; JAX decides where values live")


def _refuse(what: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"MRG_RandomStreams.{what} does not use {name}, got {value!r}: leave it out")


def guess_n_streams(size: Any, warn: bool = False) -> int:
    """How many generators theano.sandbox.rng_mrg would have run side by side for a draw of ``size``.

    A sixth of the number of elements, between 1 and 15360; 15360 where the size is symbolic (with ``warn``, saying so).

    >>> guess_n_streams((20, 30))
    100
    """
    if isinstance(size, tuple | list) and all(isinstance(n, int) for n in size):
        count = int(np.prod(size))
        return min(count // 6 if count > 6 else max(count, 1), 15360)
    if warn:
        warnings.warn(f"the number of streams cannot be told from the size {size}: taking 15360", stacklevel=2)
    return 15360
