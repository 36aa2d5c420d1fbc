"""Random streams: every draw has a state of its own, which every call of a function that uses the draw advances."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable
from croton.tensor.random import raw
from croton.tensor.random.draws import STATE
from croton.tensor.random.state import RandomStateSharedVariable, Seed, key_words
from croton.tensor.variable import TensorVariable


class Streams:
    """What the two classes of streams have in common: a seed, and a list of the states made so far."""

    def __init__(self, seed: Any) -> None:
        self.state_updates: list[tuple[RandomStateSharedVariable, TensorVariable]] = []
        self.default_instance_seed = seed
        self._entropy = self._checked_seed(seed)

    def _checked_seed(self, seed: Any) -> Any:
        raise NotImplementedError

    def updates(self) -> list[tuple[RandomStateSharedVariable, TensorVariable]]:
        """The pairs (state, state after one more draw) of every stream made so far."""
        return list(self.state_updates)

    def seed(self, seed: Any = None) -> None:
        """Begin anew: every stream made so far, and those to come, as if made with ``seed``, the constructor's if None.

        Raises as the constructor; then no stream has changed.
        """
        self._entropy = self._checked_seed(self.default_instance_seed if seed is None else seed)
        for k, (state, _) in enumerate(self.state_updates):
            state.set_value(key_words(self._entropy, k))

    def gen(self, op: Callable[..., Any], *args: Any, **kwargs: Any) -> TensorVariable:
        """A draw from a new stream: ``op(state, ...)`` returns (next state, values), as the functions of
        ``croton.tensor.random`` do. The result bears ``rng`` and ``rstate`` (the state) and ``update`` (the pair).
        """
        first = key_words(self._entropy, len(self.state_updates))
        state = RandomStateSharedVariable(None, STATE, first)
        state.tag.is_rng = True
        after, values = op(state, *args, **kwargs)
        state.default_update = after
        values.rng = values.rstate = state
        values.update = (state, after)
        self.state_updates.append(values.update)
        return values

    def __getitem__(self, item: Any) -> np.ndarray:
        """The present state of a stream: of a state variable, or of what was drawn."""
        return self._own(item).get_value()

    def __setitem__(self, item: Any, value: Any) -> None:
        self._own(item).set_value(value)

    def _own(self, item: Any) -> RandomStateSharedVariable:
        wanted = getattr(item, "rng", item)
        for state, _ in self.state_updates:
            if state is wanted:
                return state
        raise KeyError(f"{item!r} is no stream of these {len(self.state_updates)}, nor drawn from one")

    def poisson(
        self, size: Any = None, lam: Any = None, ndim: int | None = None, dtype: Any = "int64"
    ) -> TensorVariable:
        """Poisson counts of mean ``lam`` (not negative); of the shape of ``lam`` if ``size`` is None."""
        return self.gen(raw.poisson, size, lam, ndim=ndim, dtype=dtype)

    def random_integers(
        self, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None, dtype: Any = "int64"
    ) -> TensorVariable:
        """Integers from ``low`` to ``high``, both included."""
        return self.gen(raw.random_integers, size, low, high, ndim=ndim, dtype=dtype)

    def permutation(
        self, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64"
    ) -> TensorVariable:
        """Permutations of 0 .. n - 1: of shape size + (n,). ``n`` is a scalar that decides the shape."""
        return self.gen(raw.permutation, size, n, ndim=ndim, dtype=dtype)

    def shuffle_row_elements(self, input: Any) -> TensorVariable:
        """``input`` with the elements of every row (along the last dimension) in an order of their own.

        The result's ``permutation`` is the draw that says which. Gradients flow to ``input``.
        """
        given = as_tensor_variable(input)
        if given.ndim == 0:
            raise TypeError(f"shuffle_row_elements: {input} has no rows: it takes at least a vector")
        order = self.permutation(size=given.shape[:-1], n=given.shape[-1], ndim=given.ndim - 1)
        shuffled = Reorder()(given, order)
        shuffled.permutation, shuffled.rng, shuffled.rstate, shuffled.update = order, order.rng, order.rng, order.update
        return shuffled


@dataclass(frozen=True)
class Reorder(TensorOp):
    """Elements along the last dimension in the order that a permutation of its positions says."""

    def output_types(self, x: Variable, order: Variable) -> Sequence[Type]:
        return [x.type]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return jnp.take_along_axis(jnp.asarray(values[0]), values[1], axis=-1, mode="promise_in_bounds")


class RandomStreams(Streams):
    """Streams of random numbers, as in theano.tensor.shared_randomstreams.

    Each call of a method makes a new stream and returns a symbolic draw from it. A draw has one value per call of a
    function, however often the function's graph uses it, and another in the next call: the stream's state is a shared
    variable whose default update advances it (``function(..., no_default_updates=True)`` draws the same again). The
    same seed gives the same numbers whatever the device and the number of devices; they are not NumPy's
    (``croton.tensor.random.bits`` says which they are).

    ``size`` is a tuple or list of integers and scalars, in which -1 stands for the length of a parameter's dimension,
    an integer vector (of unknown length: with ``ndim``), or None for the shape to which the parameters broadcast.
    ``dtype`` defaults to the larger of floatX and the parameters' dtypes, for counts to int64. The derivative by a
    parameter is not defined (NullTypeGradError): write ``mu + sigma * rng.normal(mu.shape)``.

    Constants out of range raise ValueError when the draw is built, scalar variables when it runs. ``seed``: None
    (a different one every time), an integer from 0 on, or a sequence of them.

    >>> import croton
    >>> from croton.tensor.random import RandomStreams
    >>> rng = RandomStreams(seed=234)
    >>> f = croton.function([], rng.uniform((2, 2)))
    >>> first, second = f(), f()
    >>> (first == second).any()
    np.False_
    >>> rng.seed(234)
    >>> (f() == first).all()
    np.True_
    """

    def __init__(self, seed: Seed = None) -> None:
        super().__init__(seed)

    def _checked_seed(self, seed: Any) -> Any:
        numbers = [seed] if np.ndim(seed) == 0 else list(seed)
        if seed is None:
            return np.random.SeedSequence().entropy
        if not numbers or not all(isinstance(n, int | np.integer) for n in numbers):
            raise TypeError(f"RandomStreams: a seed is an integer, a sequence of integers or None, not {seed!r}")
        if any(n < 0 for n in numbers):
            raise ValueError(f"RandomStreams: a seed must not be negative, got {seed!r}")
        return [int(n) for n in numbers]

    def uniform(
        self, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> TensorVariable:
        """Numbers spread evenly over the open interval (low, high)."""
        return self.gen(raw.uniform, size, low, high, ndim=ndim, dtype=dtype)

    def normal(
        self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> TensorVariable:
        """Normal numbers of mean ``avg`` and standard deviation ``std``."""
        return self.gen(raw.normal, size, avg, std, ndim=ndim, dtype=dtype)

    def truncated_normal(
        self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> TensorVariable:
        """Numbers of mean ``avg`` and standard deviation ``std``, none beyond avg ± 2.274 std: normal ones, cut off."""
        return self.gen(raw.truncated_normal, size, avg, std, ndim=ndim, dtype=dtype)

    def binomial(
        self,
        size: Any = None,
        n: Any = 1,
        p: Any = 0.5,
        ndim: int | None = None,
        dtype: Any = "int64",
        prob: Any = None,
    ) -> TensorVariable:
        """How many of ``n`` trials succeed, each with probability ``p`` (``prob`` is its old name).

        With n = 1, the mask of dropout, p is honoured to float32's precision.
        """
        if prob is not None:
            warnings.warn("binomial: prob is deprecated: it is now called p", DeprecationWarning, stacklevel=2)
        return self.gen(raw.binomial, size, n, p, ndim=ndim, dtype=dtype, prob=prob)

    def multinomial(
        self,
        size: Any = None,
        n: Any = 1,
        pvals: Any = (0.5, 0.5),
        ndim: int | None = None,
        dtype: Any = "int64",
    ) -> TensorVariable:
        """How often each category comes in ``n`` trials, with the probabilities ``pvals`` along its last dimension.

        Of shape size + (number of categories,); ``n`` and the other dimensions of ``pvals`` broadcast to size.
        """
        return self.gen(raw.multinomial, size, n, pvals, ndim=ndim, dtype=dtype)

    def choice(
        self,
        size: Any = None,
        a: Any = 2,
        replace: bool = True,
        p: Any = None,
        ndim: int | None = None,
        dtype: Any = "int64",
    ) -> TensorVariable:
        """Elements of the vector ``a``, or of 0 .. a - 1, with probabilities ``p`` (equal ones if None).

        ``size`` None draws one. Raises ValueError where more are wanted than there are, without replacement.
        """
        return self.gen(raw.choice, size, a, replace, p, ndim=ndim, dtype=dtype)
