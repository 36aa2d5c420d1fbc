"""One training: epochs of minibatch steps, validations between them, the best parameters kept."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from croton.compile.program import Uninterrupted
from croton.compile.wide import wide
from croton.nets.training import checkpoints
from croton.nets.training.data import Dataset
from croton.nets.training.engine import Carry, Pass
from croton.nets.training.progress import Progress
from croton.nets.training.sources import Exhausted

Monitors = dict[str, float]

log = logging.getLogger("croton.nets")


@dataclass(frozen=True)
class Schedule:
    """How long to train: the keywords of ``train`` with their defaults.

    Validated every ``validate_every`` epochs, training ends when more than ``patience`` validations in a row have not
    brought the loss down by the share ``min_improvement``, or after ``max_updates`` epochs. With ``validate_every=0``
    there is no validation, and the last parameters stand.
    """

    patience: float = 5
    validate_every: int = 10
    min_improvement: float = 0
    max_updates: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("patience", 0), ("validate_every", 0), ("min_improvement", 0), ("max_updates", 0)):
            value = getattr(self, name)
            if value is None and name == "max_updates":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not value >= least:
                raise ValueError(f"{name}={value!r}: must be a number of at least {least}")


@dataclass
class Best:
    """The best validation so far."""

    loss: float = math.inf
    at: int = 0
    count: int = 0
    params: list[Any] | None = None

    def offer(self, loss: float, params: Sequence[Any], schedule: Schedule) -> bool:
        """Count a validation; whether it is the best."""
        self.count += 1
        margin = abs(self.loss) * schedule.min_improvement if math.isfinite(self.loss) else 0
        # A loss that is no number is no improvement: every comparison with it is false.
        if self.loss - loss > margin or (self.params is None and math.isfinite(loss)):
            # A user's own function may consume the buffers of large parameters.
            self.loss, self.at, self.params = loss, self.count, _copied(params)
            return True
        return False


@wide
def _copied(values: Sequence[Any]) -> list[Any]:
    return [jnp.copy(v) for v in values]


class Listening(Uninterrupted):
    """While it lasts, Ctrl-C is heeded where ``heed`` is called and at the end; pressed again, at once."""

    def _note(self, *arguments: Any) -> None:
        if self.seen is not None:
            raise KeyboardInterrupt
        super()._note(*arguments)

    def heed(self) -> None:
        """Let a Ctrl-C that was pressed take effect."""
        if self.seen is not None and self.before is not None:
            seen, self.seen = self.seen, None
            self.before(*seen)


@dataclass
class Training:
    """A training that can be cut and resumed anywhere.

    ``names``: of the values that ``training`` and ``validation`` average, the loss first. ``judged``: whether the
    validation data are others than the training data; only then do the best parameters replace the last.
    """

    training: Pass
    validation: Pass
    data: Dataset
    valid: Dataset
    names: Sequence[str]
    watched: Sequence[str]
    schedule: Schedule
    judged: bool
    progress: Progress
    saver: checkpoints.Saver
    epoch: int = 0
    best: Best = field(default_factory=Best)
    seen: Monitors = field(default_factory=dict)
    validated: int = -1

    def __post_init__(self) -> None:
        self._carry: Carry | None = None
        self._done = 0
        self._optimizer: Any = None
        self._order: dict[str, Any] | None = None
        self._due = False
        #: Whether Ctrl-C ended the training.
        self.interrupted = False
        #: What the last epoch yielded.
        self.told: tuple[Monitors, Monitors] | None = None
        # What was known of validations before the one that closes a training of ``max_updates`` epochs, which a longer
        # one would not make.
        self._open: tuple[Best, Monitors, int] | None = None
        self._listening = Listening()

    # --- the loop ---

    def epochs(self) -> Iterator[tuple[Monitors, Monitors]]:
        """Train, yielding (training monitors, validation monitors) after each epoch."""
        with self.progress:
            try:
                while (pair := self._next()) is not None:
                    yield pair
                    self._due = True
                with self._listening:
                    self._end()
            except KeyboardInterrupt:
                self._interrupted()

    def _next(self) -> tuple[Monitors, Monitors] | None:
        """One epoch, or None where training is over."""
        with self._listening:
            return self._epoch()

    def _epoch(self) -> tuple[Monitors, Monitors] | None:
        if self._due:
            self._due = False
            self.saver.after(self.epoch - 1, self.state)
        limit = self.schedule.max_updates
        if limit is not None and self.epoch >= limit:
            return None
        if self._carry is None and self._due_to_validate() and self._impatient():
            self.progress.say("patience elapsed")
            return None
        try:
            monitors = self._train()
        except Exhausted:
            if not self.epoch:
                raise
            self.progress.say("the data have ended")
            self._carry = None
            return None
        if self.epoch == limit:
            self._close()
        self.told = monitors, dict(self.seen)
        if not math.isfinite(monitors["loss"]):
            log.warning(
                "the loss is %s in epoch %d: lower learning_rate, or scale the inputs", monitors["loss"], self.epoch
            )
        return self.told

    def _due_to_validate(self) -> bool:
        often = self.schedule.validate_every
        return bool(often) and self.epoch % often == 0

    def _impatient(self) -> bool:
        self._validate()
        return self.best.count - self.best.at > self.schedule.patience

    def _validate(self) -> None:
        """Validate the present parameters, unless that has been done."""
        if self.validated == self.epoch or not self.schedule.validate_every:
            return
        carry = begun = self.validation.begin()
        place = _place(self.valid)
        try:
            for carry, *_ in self.validation.over(self.valid, begun):  # noqa: B007
                self._listening.heed()
        except BaseException:
            # It will be done again from its beginning.
            if place:
                self.valid.restore(place)
            raise
        self.seen = dict(zip(self.watched, self.validation.averages(carry), strict=True))
        better = self.best.offer(self.seen["loss"], self.training.current(), self.schedule)
        self.validated = self.epoch
        self.progress.validation(self.best.count - 1, self.seen, better)

    def _close(self) -> None:
        """The validation that ends the training."""
        if self._open is None:
            self._open = replace(self.best), self.seen, self.validated
        self._validate()

    def _train(self) -> Monitors:
        """One epoch, from its beginning or from where it was cut."""
        if self._carry is None:
            self._carry, self._done, self._order = self.training.begin(self._optimizer), 0, _place(self.data)
        self.progress.began()
        limit = self.schedule.max_updates
        examples = 0
        for carry, done, examples in self.training.over(self.data, self._carry, self._done):
            self._carry, self._done = carry, done
            now = self._monitors(carry)
            self.progress.step(self.epoch, done, self.data.iteration_size, examples, now, limit)
            self.saver.within(self.state)
            self._listening.heed()
        monitors = self._monitors(self._carry)
        with Uninterrupted():
            self._optimizer = self._carry.optimizer
            self.training.commit(self._carry)
            self._carry = None
            self.epoch += 1
        self.progress.epoch(self.epoch - 1, monitors, examples, limit and limit - 1)
        return monitors

    def _monitors(self, carry: Carry) -> Monitors:
        return dict(zip(self.names, self.training.averages(carry), strict=True))

    # --- its end ---

    def _end(self) -> None:
        if self.epoch:
            self._close()
        self._settle("")

    def _interrupted(self) -> None:
        self.interrupted = True
        with Uninterrupted():
            if self._carry is not None:
                self.training.commit(self._carry)
            self._settle(f"interrupted in epoch {self.epoch}: ")

    def _settle(self, why: str) -> None:
        """Choose the parameters that stay, and say which."""
        with Uninterrupted():
            state = self.state() if self.saver.wanted else None
            broken = not all(np.isfinite(np.asarray(p)).all() for p in self.training.current())
            restore = self.best.params is not None and (self.judged or broken)
            if restore:
                self.training.set_params(self.best.params or [])
            if state is not None:
                self.saver.final(state)
        if why or restore:
            at = f"those of validation {self.best.at - 1}, loss {self.best.loss:.6g}"
            text = f"{why}the parameters are {at if restore else 'the last ones'}"
            self.progress.say(text)
            if why and not self.progress.enabled:
                log.warning(text)

    # --- cutting and resuming ---

    def state(self) -> checkpoints.State:
        """All that a training which goes on from here needs besides the network, as arrays and plain values."""
        carry = self._carry if self._carry is not None else self.training.begin(self._optimizer)
        order = self._order if self._carry is not None else _place(self.data)
        best, seen, validated = self._open or (self.best, self.seen, self.validated)
        arrays: dict[str, Any] = {
            **{f"params/{k}": p for k, p in enumerate(carry.params)},
            **{f"optimizer/{k}": p for k, p in enumerate(jax.tree.leaves(carry.optimizer))},
            **{f"states/{k}": p for k, p in enumerate(carry.states)},
            **{f"best/{k}": p for k, p in enumerate(best.params or ())},
            "sums": carry.sums,
        }
        values = {
            "epoch": self.epoch,
            "done": self._done if self._carry is not None else None,
            "best": [best.loss, best.at, best.count],
            "seen": seen,
            "validated": validated,
            "algo": self.progress.name,
            "told": [self.told[0], self.told[1]] if self.told else None,
        }
        for name, state in (("data", order), ("valid", _place(self.valid))):
            for key, value in (state or {}).items():
                (arrays if isinstance(value, np.ndarray) else values)[f"{name}/{key}"] = value
        return checkpoints.State({k: np.asarray(v) for k, v in arrays.items()}, values)

    @wide
    def resume(self, state: checkpoints.State) -> None:
        """Go on from what ``state`` once returned. Raises ValueError where it belongs to another training."""
        values = state.values
        if values["algo"] != self.progress.name:
            raise ValueError(
                f"resume: the checkpoint was written with algo={values['algo']!r}, not "
                f"{self.progress.name!r}: pass the same"
            )
        fresh = self.training.begin()
        carry = Carry(
            state.like("params", fresh.params),
            state.like("optimizer", fresh.optimizer),
            state.like("states", fresh.states, exact=False),
            jnp.asarray(state.arrays["sums"]),
            fresh.failed,
        )
        best = state.like("best", fresh.params) if "best/0" in state.arrays else None
        places = [
            (data, _place(data), state.under(name)) for name, data in (("data", self.data), ("valid", self.valid))
        ]
        try:
            for data, now, then in places:
                if now:
                    data.restore(then)
        except ValueError:
            for data, now, _ in places:
                if now:
                    data.restore(now)
            raise
        self.epoch, self.validated, self.seen = values["epoch"], values["validated"], dict(values["seen"])
        self.told = (dict(values["told"][0]), dict(values["told"][1])) if values["told"] else None
        loss, at, count = values["best"]
        self.best = Best(loss, at, count, best)
        self.training.commit(carry)
        self._optimizer = carry.optimizer
        if values["done"] is not None:
            self._carry, self._done, self._order = carry, values["done"], _place(self.data)


def _place(data: Dataset) -> dict[str, Any]:
    """Where a data set is; nothing for batches that somebody else makes, whose place cannot be kept."""
    return data.state() if data.resumable else {}


__all__ = ["Monitors", "Schedule", "Training"]
