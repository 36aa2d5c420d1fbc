"""The keywords of ``train``, sorted by who takes them; a misspelt one is refused with the name that was meant."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from croton.nets import regularizers
from croton.nets.registry import nearest
from croton.nets.training import optimizers
from croton.nets.training.loop import Schedule

SCHEDULE = tuple(f.name for f in fields(Schedule))
DATA = ("batch_size", "iteration_size", "train_batches", "valid_batches", "axis", "shuffle")
OLD = {"max_gradient_clip": "max_gradient_elem", "gradient_clip": "max_gradient_elem"}
OTHER = ("rng", "monitors", "monitor_gradients", "progress", "resume")


@dataclass(frozen=True)
class Options:
    """The keywords of one training with one algorithm."""

    algo: str
    hyper: Mapping[str, Any]
    schedule: Schedule
    data: Mapping[str, Any]
    regularizers: Mapping[str, Any]
    rng: Any = None
    monitors: Any = None
    monitor_gradients: bool = False
    progress: bool = True
    resume: Any = None

    @classmethod
    def of(cls, algo: str, keywords: Mapping[str, Any]) -> Options:
        """The keywords for the algorithm called ``algo``.

        Raises TypeError, naming the nearest, for a keyword that nobody knows. One that only other algorithms know is
        reported by a UserWarning, because it has no effect.
        """
        own = optimizers.parameters(algo)
        left = _renamed(keywords)
        take = lambda names: {k: left.pop(k) for k in list(left) if k in names}  # noqa: E731
        hyper, schedule, data, other = take(own), take(SCHEDULE), take(DATA), take(OTHER)
        elsewhere = take({k for name in optimizers.known() for k in optimizers.parameters(name)})
        if elsewhere:
            warnings.warn(
                f"train: {', '.join(elsewhere)} {'has' if len(elsewhere) == 1 else 'have'} no effect on "
                f"{algo!r}, whose "
                f"hyper-parameters are {', '.join(own)}",
                stacklevel=2,
            )
        penalties = take({k for k in left if k.lower() in regularizers.keywords()})
        for key in left:
            if key in MEANT:
                raise TypeError(f"train has no keyword {key!r}: did you mean {MEANT[key]!r}?")
            known = [*own, *SCHEDULE, *DATA, *OTHER, *regularizers.keywords(), *SAVING]
            raise TypeError(f"train has no keyword {key!r}: {nearest(key, known)}")
        return cls(algo, hyper, Schedule(**schedule), data, penalties, **other)


def _renamed(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords, those with names of old under their present ones."""
    found = dict(keywords)
    for old in OLD.keys() & found.keys():
        warnings.warn(f"{old}= is an old name: use {OLD[old]}=", DeprecationWarning, stacklevel=3)
        value = found.pop(old)
        found.setdefault(OLD[old], value)
    return found


# What others call it.
MEANT = {
    "decay": "weight_l2",
    "epochs": "max_updates",
    "lr": "learning_rate",
    "max_epochs": "max_updates",
    "optimize": "algo",
    "optimizer": "algo",
    "verbose": "progress",
}

SAVING = ("algo", "subalgo", "valid", "save_every", "save_progress")
