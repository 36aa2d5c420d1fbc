"""From measurements to Markdown."""

import datetime
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks.pool import Measured


@dataclass
class Section:
    """One comparison: a title, what was done, a table (its first row the head), notes, and who took part."""

    title: str
    text: str
    table: list[Sequence[str]]
    notes: list[str]
    measured: list[Measured]

    def markdown(self) -> str:
        """Write the section as Markdown."""
        head, *rows = self.table
        lines = [_row(head), _row(["---"] + ["---:"] * (len(head) - 1)), *map(_row, rows)]
        return "\n\n".join([f"## {self.title}", self.text, "\n".join(lines), *self.notes])


def document(sections: list[Section], seconds: float) -> str:
    """Write the whole report: the machine, the versions, the sections."""
    measured = [one for section in sections for one in section.measured]
    versions = sorted(
        {f"- {one.versions['library']}; Python {one.versions['python']}" for one in measured if one.versions}
    )
    idle = max((one.idle for one in measured), default=0.0)
    parts = [
        "# Benchmarks",
        f"Measured on {datetime.date.today()}: {platform.system()} on {platform.machine()}, {os.cpu_count()} cores"
        f" ({_processor()}), in {seconds / 60:.0f} minutes. Written by `python -m benchmarks`; `README.md` in this"
        " folder says how the times and ratios are formed.",
        "\n".join(versions),
        f"While it waited for its turns, no contender used more than {100 * idle:.1f} % of a core (the pause after each"
        " turn included).",
        *[section.markdown() for section in sections],
    ]
    return "\n\n".join(parts) + "\n"


def times(one: Measured, unit: float) -> str:
    """Write the median of all runs, with the quartiles where there are enough, in units of ``unit`` seconds."""
    runs = sorted(run / unit for turn in one.rounds for run in turn)
    if len(runs) < 4:
        return f"{_number(median(runs))} ({len(runs)} runs)"
    low, middle, high = quantiles(runs, n=4)
    return f"{_number(middle)} ({_number(low)} to {_number(high)})"


def ratio(one: Measured, other: Measured) -> float:
    """Compute the median over the rounds of the ratio of the two contenders' medians of the round."""
    return median(median(mine) / median(theirs) for mine, theirs in zip(one.rounds, other.rounds, strict=False))


def fastest(measured: Iterable[Measured]) -> Measured | None:
    """Return the peer with the smallest median, None if no peer could be measured."""
    peers = [one for one in measured if not one.contender.ours and one.rounds and not one.error]
    return min(peers, key=lambda one: median(run for turn in one.rounds for run in turn), default=None)


def versus(measured: list[Measured], reference: Measured | None, unit: float) -> list[list[str]]:
    """Write the rows contender, time, ratio to the reference, target; one that could not be measured says why."""
    rows = []
    for one in measured:
        target = one.contender.target
        if one.error or not one.rounds:
            rows.append([one.contender.name, one.error or "not measured", "", ""])
            continue
        value = ratio(one, reference) if reference and reference.rounds else None
        wanted = "" if target is None else f"at most {target:.2g}"
        if value is not None and target is not None:
            wanted += ": met" if value <= target else ": missed"
        rows.append([one.contender.name, times(one, unit), "" if value is None else f"{value:.2f}", wanted])
    return rows


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _processor() -> str:
    if sys.platform == "linux":
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"
