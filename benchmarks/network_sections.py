"""The comparisons of networks: croton.nets against its peers, each measured and written up by one function."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks import contenders
from benchmarks.floor import LARGE, best_rates, floor
from benchmarks.networks import WORKS
from benchmarks.peers import PEERS
from benchmarks.pool import SETTLE, Failed, Measured, Worker, interleave
from benchmarks.report import Section, fastest, times, versus

WANTED, ABOVE, FAR = 0.7, 1.3, 2.5
"""The target: a ratio to the fastest peer of ``WANTED``, or ``ABOVE`` floors; ``FAR`` floors of products are marked."""
STARTED = ("classifier-64", "autoencoder", "lstm-128", "lenet-64")
"""The networks of (i) and (k)."""
LATER, LOWERED = 1.0, 0.3
"""How many seconds later than PyTorch croton may be there in (i), and how many it may take in (k)."""
EPOCHS = (10, 100, 500, 1_000)
"""After how many epochs (j) looks."""


def training(repeats: int, only: Sequence[str] | None = None, against: Sequence[str] | None = None) -> Section:
    """Measure (h), the training of networks: those called ``only``, against peers with one of ``against`` in a name."""
    rows: list[list[str]] = []
    notes: list[str] = []
    names = list(only or WORKS)
    rates, everyone = best_rates(names)
    for name in names:
        work = WORKS[name]
        asked = [one.asked(check=True) for one in contenders.networks(name) if one.ours or _named(one.name, against)]
        measured = interleave(asked, min(repeats, 5), warm=1, least=0.6)
        everyone += measured
        least, goes_for = floor(work, rates)
        reference = fastest(measured)
        for one in measured:
            if one.contender.ours and reference:
                wanted = max(WANTED, ABOVE * least * work.steps / _median(reference))
                one.contender = replace(one.contender, target=wanted)
        for one, row in zip(measured, versus(measured, reference, unit=1e-3 * work.steps), strict=True):
            floors = _median(one) / work.steps / least if one.rounds else None
            too_far = one.contender.ours and goes_for == "products" and floors and floors > FAR
            far = f"; FAR: over {FAR} floors" if too_far else ""
            to_floor = "" if floors is None else f"{floors:.1f}"
            rows.append([name, *row[:3], f"{1e3 * least:.3g} ({goes_for})", to_floor, row[3] + far])
        notes += _agreement(name, measured)
    memory = ", ".join(f"{rate / 1e9:.0f} ({size:,})" for size, rate in rates["memory"].items())
    return Section(
        "(h) Training steps of networks",
        "The same networks on the same data, float32, in `croton.nets` and in its peers, whole epochs of minibatches"
        " in a new order each. Milliseconds per step.",
        [
            ("network", "contender", "ms per step (quartiles)", "ratio to the fastest peer", "floor, ms")
            + ("ratio to the floor", "target"),
            *rows,
        ],
        [
            f"The machine multiplies float32 matrices at {rates['large'] / 1e9:.0f} GFLOP/s, where a product takes"
            f" less than {LARGE / 1e6:.0f} MFLOP at {rates['small'] / 1e9:.0f}, and updates arrays in place at"
            f" (for as many numbers) {memory} GB/s.",
            f"The target is a ratio to the fastest peer of {WANTED}, or of {ABOVE} floors where that is more.",
            *(["First losses apart: " + "; ".join(notes) + "."] if notes else []),
        ],
        everyone,
    )


def first_epoch(repeats: int, names: Sequence[str] = STARTED) -> Section:
    """Measure (i), the time to the first trained epoch in a new process, and its memory."""
    rows: list[list[str]] = []
    everyone: list[Measured] = []
    for name in names:
        measured = [Measured(one) for one in contenders.first_epoch(name)]
        everyone += measured
        peaks: list[list[int]] = [[] for _ in measured]
        for _ in range(min(repeats, 3)):
            with tempfile.TemporaryDirectory(dir=PEERS, prefix="cold-") as cache:
                for one, peak in zip(measured, peaks, strict=True):
                    _start(one, Path(cache), peak)
        torch = next(one for one in measured if one.contender.name == "PyTorch eager")
        for one, peak in zip(measured, peaks, strict=True):
            if one.error or not one.rounds:
                rows.append([name, one.contender.name, one.error or "not measured", "", ""])
                continue
            wanted = ""
            if one.contender.name == "croton, cold" and torch.rounds:
                most = _median(torch) + LATER
                wanted = f"at most {most:.1f}: {'met' if _median(one) <= most else 'missed'}"
            rows.append([name, one.contender.name, times(one, 1.0), f"{max(peak) / 2**20:.0f}", wanted])
    return Section(
        "(i) From the start of a process to the first trained epoch",
        "A new process imports its library, makes the data, builds the network of (h), compiles it and trains an epoch."
        " croton cold has an empty folder for compiled programs, croton warm what that left in it.",
        [("network", "contender", "seconds", "largest memory, MiB", "target"), *rows],
        [f"The target is {LATER:g} s later than PyTorch."],
        everyone,
    )


def memory(repeats: int, epochs: Sequence[int] = EPOCHS) -> Section:
    """Measure (j), the memory of a long training; ``repeats`` is not used."""
    one = Measured(contenders.epochs(list(epochs)))
    try:
        with Worker(one.contender) as worker:
            worker.build()
            told = [f"{size / 2**20:.1f}" for size in worker.ask("result")]
            one.versions = worker.describe()
    except Failed as failed:
        one.error = str(failed)
        told = [one.error]
    return Section(
        "(j) The memory of a long training",
        "croton alone: a classifier 64-100-10 trained on 1,024 rows in minibatches of 64, validated after every epoch."
        " What the process has in memory, MiB.",
        [("contender", *[f"after {n:,} epochs" for n in epochs]), (one.contender.name, *told)],
        [],
        [one],
    )


def lowering(repeats: int, names: Sequence[str] = STARTED) -> Section:
    """Measure (k), the time from a network's description to its program."""
    rows: list[Sequence[str]] = []
    everyone: list[Measured] = []
    for name in names:
        one = Measured(contenders.lowered(name))
        everyone.append(one)
        try:
            for _ in range(min(repeats, 5)):
                time.sleep(SETTLE)
                with Worker(one.contender) as worker:
                    worker.build()
                    one.rounds.append([worker.ask("result")])
                    one.versions = worker.describe()
        except Failed as failed:
            one.error = str(failed)
        wanted = f"at most {LOWERED:g}: {'met' if one.rounds and _median(one) <= LOWERED else 'missed'}"
        rows.append((name, one.error or times(one, 1.0), wanted))
    return Section(
        "(k) From a network's description to its program",
        "croton alone, in a new process that has imported it: from describing the layers until XLA is given the"
        " training program: building the graph, differentiating and rewriting it, tracing and lowering it. What XLA"
        " then takes to compile it is in (i).",
        [("network", "seconds (quartiles or runs)", "target"), *rows],
        [],
        everyone,
    )


def _start(one: Measured, cache: Path, peak: list[int]) -> None:
    """Time a process from its start to the end of an epoch, and note its largest memory; one that failed is left."""
    if one.error:
        return
    time.sleep(SETTLE)
    try:
        start = time.perf_counter()
        with Worker(one.contender, cache) as worker:
            worker.build()
            worker.ask("result")
            one.rounds.append([time.perf_counter() - start])
            peak.append(worker.ask("peak"))
            one.versions = worker.describe()
    except Failed as failed:
        one.error = str(failed)


def _named(name: str, parts: Sequence[str] | None) -> bool:
    return not parts or any(part.lower() in name.lower() for part in parts)


def _median(one: Measured) -> float:
    return median(run for turn in one.rounds for run in turn)


def _agreement(name: str, measured: list[Measured]) -> list[str]:
    """Say how far the first minibatch's losses of the contenders are from croton's, if they are."""
    first = {one.contender.name: one.result for one in measured if one.result is not None}
    ours = next((one.result for one in measured if one.contender.ours), None)
    apart = {who: abs(loss - ours) / ours for who, loss in first.items() if ours}
    return [f"{name}: {who} by {share:.1e}" for who, share in apart.items() if share > 1e-5]
