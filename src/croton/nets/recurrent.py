"""Models of sequences: data are (examples, time, features). As theanets.recurrent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from croton import tensor as T
from croton.compile import function
from croton.nets import feedforward
from croton.nets.layers import Layer
from croton.nets.network import Network
from croton.nets.util import ConfigurationError, as_random_state
from croton.settings import config

State = dict[str, np.ndarray]


class Recurrent(Network):
    """What models of sequences share: prediction step by step."""

    INPUT_NDIM: ClassVar[int] = 3
    OUTPUT_NDIM: ClassVar[int] = 3

    def _keeps_time(self) -> bool:
        return not any(isinstance(layer, _mixing()) or not _ours(layer) for layer in self.layers)

    def _states(self) -> dict[str, int]:
        """The full name and the size of each state that recurrent layers hand from step to step."""
        for layer in self.layers:
            if isinstance(layer, _mixing()):
                raise ConfigurationError(
                    f"layer {layer.name!r} ({type(layer).__name__.lower()}) makes its steps from several of "
                    "its input's, so "
                    "the network cannot go step by step"
                )
        return {layer.output_name(name): size for layer in self.layers for name, size in layer.states.items()}

    def _stepper(self) -> tuple[dict[str, int], Any]:
        """(sizes of the states, function of the input and the states to the output and the next states)."""

        def make() -> tuple[dict[str, int], Any]:
            sizes = self._states()
            given = {name: T.matrix(name, dtype=self.dtype) for name in sizes}
            outputs, updates = self.build_graph(given=given)
            wanted = [outputs[self._last().output_name()], *[outputs[f"{name[:-1]}n"] for name in sizes]]
            run = function(
                [*self.inputs, *given.values()], wanted, updates=updates, on_unused_input="ignore", name="predict_step"
            )
            return sizes, run

        return self._cached("predict_step", {}, make)

    def predict_step(self, x: Any, state: State | None = None) -> tuple[np.ndarray, State]:
        """The output for some further steps of sequences, and the state to go on from.

        ``x``: of shape (examples, steps, features), given as for ``predict``; one step or many. ``state``: what an
        earlier call returned for the same examples; the beginning of the sequences if None. Running steps one by one
        gives what ``predict`` gives for all of them, at the same cost for each step.

        Raises ConfigurationError for a network with layers that need the future, such as bidirectional ones.

        >>> import numpy as np
        >>> from croton import nets
        >>> net = nets.recurrent.Regressor([2, (3, 'gru'), 1])
        >>> x = np.ones((1, 4, 2), 'f')
        >>> first, state = net.predict_step(x[:, :3])
        >>> last, state = net.predict_step(x[:, 3:], state)
        >>> bool(np.allclose(np.concatenate([first, last], axis=1), net.predict(x)))
        True
        """
        arrays = self._arrays(x, "predict_step")
        sizes, run = self._stepper()
        rows = arrays[0].shape[0]
        if state is None:
            state = {name: np.zeros((rows, size), self.dtype) for name, size in sizes.items()}
        for name, size in sizes.items():
            if name not in state or np.shape(state[name]) != (rows, size):
                raise ValueError(
                    f"predict_step: state[{name!r}] must have shape {(rows, size)}, got "
                    f"{np.shape(state[name]) if name in state else 'none'}: pass what the call before returned"
                )
        out, *news = run(*arrays, *[state[name] for name in sizes])
        return out, dict(zip(sizes, news, strict=True))


def _mixing() -> tuple[type, ...]:
    """The forms of layers whose output at a step is not made from the input at that step."""
    return tuple(Layer.get_class(form) for form in ("conv1", "conv2", "pool1", "pool2", "flatten", "reshape"))


def _ours(layer: Layer) -> bool:
    return type(layer).__module__.startswith("croton.")


class Autoencoder(Recurrent, feedforward.Autoencoder):
    """A network that is trained to give back sequences, arrays of shape (examples, time, features).

    As theanets.recurrent.Autoencoder; see ``feedforward.Autoencoder``.
    """


class Regressor(Recurrent, feedforward.Regressor):
    """A network that is trained to give a target for each step of sequences.

    Inputs have shape (examples, time, features), targets (examples, time, outputs). As theanets.recurrent.Regressor.
    """


class Classifier(Recurrent, feedforward.Classifier):
    """A network that is trained to tell the class of each step of sequences.

    Inputs have shape (examples, time, features), labels (examples, time). As theanets.recurrent.Classifier.
    """

    OUTPUT_NDIM: ClassVar[int] = 2

    def predict_sequence(self, labels: Any, steps: int, streams: int = 1, rng: Any = None) -> Iterator[Any]:
        """Draw labels that go on from the given ones, each from what the network says of it after all before.

        The network must take one-hot labels, at least as many as it tells classes. It keeps its state, so each step
        costs the same.

        Arguments: ``labels``, the beginning, whole numbers, at least one; ``steps``, how many to draw; ``streams``, the
        number of sequences drawn side by side; ``rng``, a seed or a numpy generator, or None for a fresh seed.

        A generator: yields ``steps`` times an int, or a list of ``streams`` ints if there are several.

        >>> from croton import nets
        >>> net = nets.recurrent.Classifier([5, (8, 'rnn'), 5])
        >>> [int(k) for k in net.predict_sequence([1, 2], 3, rng=4)]
        [4, 3, 4]
        """
        size = self._last().size
        known = self.layers[0].size
        start = np.asarray(labels)
        if start.ndim != 1 or not start.size or start.dtype.kind not in "iu":
            raise ValueError(f"predict_sequence: labels must be at least one whole number, in a list, got {labels!r}")
        if start.min() < 0 or start.max() >= known:
            raise ValueError(f"predict_sequence: labels must lie in 0..{known - 1}, got {start.min()}..{start.max()}")
        if len(self.inputs) != 1 or known < size:
            raise ConfigurationError(
                f"predict_sequence: the network has {len(self.inputs)} inputs, the first of size {known}, and "
                f"{size} classes: what it predicts cannot be its next input"
            )
        return self._draw(start, steps, streams, as_random_state(rng))

    def _draw(self, start: np.ndarray, steps: int, streams: int, rng: np.random.RandomState) -> Iterator[Any]:
        one_hot = np.eye(self.layers[0].size, dtype=config.floatX)
        state: State | None = None
        for label in start[:-1]:
            _, state = self.predict_step(np.repeat(one_hot[label][None, None], streams, 0), state)
        drawn = np.full(streams, start[-1])
        for _ in range(steps):
            p, state = self.predict_step(one_hot[drawn][:, None], state)
            cumulative = np.cumsum(p[:, -1].astype(float), axis=1)
            drawn = (cumulative < rng.random_sample((streams, 1)) * cumulative[:, -1:]).sum(axis=1)
            yield int(drawn[0]) if streams == 1 else [int(k) for k in drawn]


def batches(arrays: Any, steps: int = 100, batch_size: int = 64, rng: Any = None) -> Callable[[], list[np.ndarray]]:
    """A callable that returns one batch of random windows of long sequences, for training.

    ``arrays``: one array or several of equal length, time first: (T, features), or (T,) for labels. Each call returns
    a list with an array of shape (batch_size, steps, ...) for each; all are cut at the same places, any window being
    as likely as any other. As theanets.recurrent.batches.

    Raises ValueError for arrays of differing lengths, or shorter than ``steps``.

    >>> import numpy as np
    >>> sample = batches([np.arange(20.0).reshape(10, 2)], steps=4, batch_size=3, rng=1)
    >>> sample()[0].shape
    (3, 4, 2)
    """
    series = [np.asarray(a) for a in (arrays if isinstance(arrays, list | tuple) else [arrays])]
    lengths = {len(a) for a in series}
    if len(lengths) != 1 or min(lengths) < steps:
        raise ValueError(
            f"batches: the arrays have lengths {', '.join(str(len(a)) for a in series)}: they must be equal, "
            "and at least "
            f"steps={steps}"
        )
    return _windows(series, steps, batch_size, rng)


def _windows(series: Sequence[np.ndarray], steps: int, batch_size: int, rng: Any) -> Callable[[], list[np.ndarray]]:
    for what, value in (("steps", steps), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{what}={value}: must be at least 1")
    stream = as_random_state(rng)
    last = len(series[0]) - steps

    def sample() -> list[np.ndarray]:
        rows = stream.randint(0, last + 1, batch_size)[:, None] + np.arange(steps)
        return [a[rows] for a in series]

    return sample


def pad(sequences: Iterable[Any], value: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of differing lengths as one array, and the mask that tells which steps are real.

    Each sequence has shape (steps, ...). Returns (array of shape (examples, longest, ...), float mask of shape
    (examples, longest): 1 where a step is real, 0 where it is padding of ``value``). A recurrent layer with
    ``mask=`` the name of an input takes the mask; as weights of a loss it leaves the padding out.

    >>> x, mask = pad([[1, 2, 3], [4]])
    >>> x
    array([[1, 2, 3],
           [4, 0, 0]])
    >>> mask
    array([[1., 1., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    arrays = [np.asarray(s) for s in sequences]
    if not arrays or any(a.ndim < 1 or a.shape[1:] != arrays[0].shape[1:] for a in arrays):
        raise ValueError(
            f"pad: sequences must be of one kind (steps, ...), got shapes "
            f"{', '.join(str(a.shape) for a in arrays) or 'none'}"
        )
    longest = max(len(a) for a in arrays)
    out = np.full((len(arrays), longest, *arrays[0].shape[1:]), value, np.result_type(*arrays))
    mask = np.zeros((len(arrays), longest), config.floatX)
    for k, a in enumerate(arrays):
        out[k, : len(a)] = a
        mask[k, : len(a)] = 1
    return out, mask


class Text:
    """A text as classes of characters, for networks that predict the next one. As theanets.recurrent.Text.

    Arguments: ``text``, a str; ``alpha``, the characters that have classes of their own, those that occur
    ``min_count`` times or more if None; ``unknown``, the character that stands for all others, of class 0.

    Attributes: ``alpha``, a str, its characters being classes 1, 2, ...; ``text``, with ``unknown`` for every other
    character; ``unknown``. A network for it has ``1 + len(alpha)`` inputs and classes.

    >>> text = Text('hello world')
    >>> text.alpha, text.encode('hello world')
    ('lo', [0, 0, 1, 1, 2, 0, 0, 2, 0, 1, 0])
    """

    def __init__(self, text: str, alpha: str | None = None, min_count: int = 2, unknown: str = "\0") -> None:
        if alpha is None:
            counts = Counter(text)
            alpha = "".join(sorted(c for c, n in counts.items() if n >= min_count and c != unknown))
        if unknown in alpha:
            raise ValueError(f"unknown={unknown!r} is in the alphabet: choose a character that is not")
        if not alpha:
            raise ValueError(f"no character occurs {min_count} times: lower min_count, or pass alpha")
        if len(set(alpha)) != len(alpha):
            raise ValueError("alpha names a character twice")
        self.alpha, self.unknown = alpha, unknown
        self._codes: Mapping[str, int] = {c: k + 1 for k, c in enumerate(alpha)}
        self.text = "".join(c if c in self._codes else unknown for c in text)

    def encode(self, txt: str) -> list[int]:
        """The class of each character: 0 for those not in the alphabet."""
        return [self._codes.get(c, 0) for c in txt]

    def decode(self, enc: Iterable[int]) -> str:
        """The characters of classes."""
        characters = self.unknown + self.alpha
        return "".join(characters[k] for k in enc)

    def classifier_batches(
        self, steps: int = 100, batch_size: int = 64, rng: Any = None
    ) -> Callable[[], list[np.ndarray]]:
        """A callable that returns one batch to train a ``recurrent.Classifier`` with.

        Each call returns [inputs, labels]: one-hot characters of shape (batch_size, steps, 1 + len(alpha)) and the
        characters that follow each, int32 of shape (batch_size, steps), from random places in the text.

        Raises ValueError for a text that is shorter than ``steps + 1``.
        """
        codes = np.asarray(self.encode(self.text), "int32")
        if len(codes) < steps + 1:
            raise ValueError(f"the text has {len(codes)} characters: at least steps + 1 = {steps + 1} are needed")
        one_hot = np.eye(1 + len(self.alpha), dtype=config.floatX)
        sample = _windows([codes], steps + 1, batch_size, rng)

        def batch() -> list[np.ndarray]:
            (window,) = sample()
            return [one_hot[window[:, :-1]], window[:, 1:]]

        return batch


__all__ = ["Autoencoder", "Classifier", "Recurrent", "Regressor", "Text", "batches", "pad"]
