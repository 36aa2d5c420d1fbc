"""What a training says while it runs: a live line in a terminal, plain lines elsewhere, nothing when asked."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

Monitors = Mapping[str, float]


def line(monitors: Monitors) -> str:
    """The monitors in one line.

    >>> line({'loss': 0.25, 'acc': 0.9})
    'loss=0.250000 acc=0.900000'
    """
    return " ".join(
        f"{name}={value:.6f}" if abs(value) < 1e5 else f"{name}={value:.6g}" for name, value in monitors.items()
    )


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> duration(7.4), duration(75), duration(3700)
    ('7 s', '1:15', '1:01:40')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


class Progress:
    """Tells of one training. In a terminal the present epoch is a line that changes; the others stay above it.

    ``enabled``: False for silence. ``name``: of the algorithm, which begins each line.
    """

    #: Epochs that take less are told of no more often than this, in seconds.
    PAUSE = 0.5

    def __init__(self, name: str, enabled: bool = True) -> None:
        self.name = name
        self.enabled = enabled
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._live = Live(console=self.console, auto_refresh=False, transient=True) if self._moving else None
        self._told = 0.0
        self.began()
        self._pending: str | None = None
        self._paced = False

    @property
    def _moving(self) -> bool:
        return self.enabled and self.console.is_terminal

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.is_finalizing():  # the iterator was left standing until the program ended: nothing can be printed now
            return
        self._flush()
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line of its own."""
        if self.enabled:
            self._flush()
            self.console.print(Text(text))

    def _flush(self) -> None:
        if self.enabled and self._pending is not None:
            pending, self._pending = self._pending, None
            self.console.print(Text(pending))

    def began(self) -> None:
        """An epoch begins."""
        self._epoch_began = time.perf_counter()
        self._step_at = self._epoch_began, 0

    def step(
        self, epoch: int, done: int, total: int | None, examples: int, monitors: Monitors, last: int | None
    ) -> None:
        """Some minibatches of an epoch are done. ``last``: the number of epochs to come to, if known."""
        if self._live is None:
            return
        now = time.perf_counter()
        # Of the last steps alone: the first of all also compile.
        pace = (now - self._step_at[0]) / max(done - self._step_at[1], 1)
        self._step_at = now, done
        seconds = max(now - self._epoch_began, 1e-9)
        parts = [f"{self.name} {epoch}"]
        known, self._paced = self._paced, True
        if total and known:
            filled = round(12 * min(done / total, 1))
            left = pace * max(total - done, 0)
            whole = left + (last - epoch - 1) * pace * total if last is not None else left
            parts += [
                "━" * filled + "╌" * (12 - filled),
                f"{duration(left)} left" + f", {duration(whole)} in all" * (whole > left),
            ]
        parts += [f"{name}={monitors[name]:.4g}" for name in ("loss", "acc") if name in monitors]
        parts += [f"{examples / seconds:,.0f} examples/s"]
        self._live.update(Text("  ".join(parts)), refresh=True)

    def epoch(self, epoch: int, monitors: Monitors, examples: int, last: int | None = None) -> None:
        """An epoch is done. Where epochs are short, only some lines are printed; the last always is."""
        if not self.enabled:
            return
        seconds = max(time.perf_counter() - self._epoch_began, 1e-9)
        self._pending = f"{self.name} {epoch} {line(monitors)} ({examples / seconds:,.0f} examples/s)"
        if time.perf_counter() - self._told >= self.PAUSE or epoch == last:
            self._flush()
            self._told = time.perf_counter()

    def validation(self, number: int, monitors: Monitors, better: bool) -> None:
        """The network was validated; ``better`` than ever before or not."""
        if self.enabled and (better or time.perf_counter() - self._told >= self.PAUSE or number == 0):
            self.say(f"validation {number} {line(monitors)}{' *' if better else ''}")
