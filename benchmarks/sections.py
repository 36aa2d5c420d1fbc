"""The comparisons of ``python -m benchmarks``, each measured and written up by one function."""

import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks import contenders, data
from benchmarks.peers import PEERS
from benchmarks.pool import SETTLE, Failed, Measured, Worker, interleave
from benchmarks.report import Section, fastest, ratio, times, versus

DATA = PEERS / "data"
CALLS = 500
OUTPUTS = (1_000, 10_000, 100_000, 1_000_000)
LENET = ((64, 20), (500, 4))
"""The sizes of the minibatches of (e), and how many steps a run is."""
AGREEMENT = 1e-4
STARTING = 60.0
"""Seconds after which (c) starts a contender no more."""


def training(repeats: int) -> Section:
    """Measure (a), the tutorial's training step."""
    data.save(DATA)
    measured = interleave(contenders.training(DATA), repeats, warm=1, least=0.25)
    reference = fastest(measured)
    rows = versus(measured, reference, unit=1e-3 * data.STEPS)
    apart = _apart(measured)
    for row, distance in zip(rows, apart, strict=True):
        row.append("" if distance is None else f"{distance:.1e}")
    known = [distance for distance in apart if distance is not None]
    agree = "agree" if known and max(known) <= AGREEMENT else "DO NOT AGREE"
    return Section(
        "(a) The training step of the logistic regression tutorial",
        f"{data.PIXELS} inputs, {data.CLASSES} classes, minibatches of {data.BATCH} of {data.ROWS:,} rows, float32,"
        f" rate {data.RATE}; every step gives its cost back. Milliseconds per step over whole epochs"
        f" of {data.STEPS} steps.",
        [("contender", "ms per step (quartiles)", "ratio to the fastest peer", "target", "cost off by"), *rows],
        [
            f"The fastest peer: {reference.contender.name if reference else 'none'}.",
            f"The costs of the first epoch {agree} to {AGREEMENT:g}: the last column is the largest difference,"
            f" over all {data.STEPS} steps, from the same epoch in float64 with NumPy.",
        ],
        measured,
    )


def calls(repeats: int) -> Section:
    """Measure (b), the call of a tiny function with one update."""
    measured = interleave(contenders.calls(CALLS), repeats, warm=1, least=0.1)
    reference = next(one for one in measured if one.contender.name == "bare jax.jit")
    return Section(
        "(b) The call of a tiny function with one update",
        "`function([x], x * 2 + state, updates=[(state, state + 1)])` on ten numbers, the result a writable NumPy"
        f" array. Microseconds per call, in runs of {CALLS} calls.",
        [
            ("contender", "µs per call (quartiles)", "ratio to bare jax.jit", "target"),
            *versus(measured, reference, unit=1e-6 * CALLS),
        ],
        ["Bare jax.jit has a donated state, waits for each result and copies it by `numpy.array`."],
        measured,
    )


def first_step(repeats: int) -> Section:
    """Measure (c), the time from the start of a process to the first trained minibatch."""
    data.save(DATA)
    measured = [Measured(contender) for contender in contenders.first_step(DATA)]
    spent: dict[int, float] = defaultdict(float)
    for _ in range(min(repeats, 5)):
        for place, one in enumerate(measured):
            if one.error or spent[place] > STARTING:
                continue
            time.sleep(SETTLE)
            try:
                seconds = _start(one)
            except Failed as failed:
                one.error = str(failed)
                continue
            one.rounds.append([seconds])
            spent[place] += seconds
    return Section(
        "(c) From the start of a process to the first trained minibatch",
        "A new process imports its library, loads the data, builds the step of (a), compiles it and trains one"
        " minibatch; nothing compiled is kept from one process to the next. Seconds.",
        [
            ("contender", "seconds (quartiles or runs)", "ratio to the fastest peer", "target"),
            *versus(measured, fastest(measured), unit=1.0),
        ],
        [f"A contender is started no more once it has taken {STARTING:g} s in all."],
        measured,
    )


def many_outputs(repeats: int) -> Section:
    """Measure (d), the hierarchical softmax against the full one."""
    rows: list[list[str]] = []
    everyone: list[Measured] = []
    for outputs in OUTPUTS:
        measured = interleave(contenders.many_outputs(outputs), min(repeats, 5), warm=1, least=0.1)
        everyone += measured
        rows.append([f"{outputs:,}"])
        for hierarchical, full in zip(measured[::2], measured[1::2], strict=True):
            rows[-1] += [one.error or times(one, 1e-3) for one in (hierarchical, full)]
            rows[-1].append("" if hierarchical.error or full.error else f"{ratio(full, hierarchical):.1f}")
    head = ["outputs"]
    for task in ("forward", "training step"):
        head += [f"{task}: hierarchical, ms", "full, ms", "full / hierarchical"]
    return Section(
        "(d) `h_softmax` against the full softmax as the outputs grow",
        "croton alone: 64 inputs, batch 32, float32. Forward gives the probability of each row's target; the"
        " training step is gradient descent on all parameters with the cost -mean(log(that probability))."
        " Milliseconds (quartiles).",
        [head, *rows],
        [],
        everyone,
    )


def lenet(repeats: int) -> Section:
    """Measure (e), the training step of the tutorial's convolutional network."""
    data.save(DATA)
    rows: list[list[str]] = []
    everyone: list[Measured] = []
    apart = 0.0
    for batch, steps in LENET:
        measured = interleave(contenders.lenet(DATA, batch, steps), min(repeats, 8), warm=1, least=0.25)
        everyone += measured
        reference = fastest(measured)
        rows += [[f"{batch}", *row] for row in versus(measured, reference, unit=1e-3 * steps)]
        costs = [np.array(one.result) for one in measured if one.result is not None]
        apart = max([apart, *[float(np.abs(one - costs[-1]).max()) for one in costs]])
    return Section(
        "(e) The training step of the tutorial's convolutional network",
        "Convolutions with 20 and 50 filters of 5 by 5, each followed by max-pooling by 2 and tanh, a layer of 500 tanh"
        " units and a softmax of 10; float32, plain gradient descent; every step gives its cost back. Milliseconds per"
        " step.",
        [("batch", "contender", "ms per step (quartiles)", "ratio to PyTorch", "target"), *rows],
        [f"The largest difference between two contenders' costs of the first steps: {apart:.1e}."],
        everyone,
    )


def _apart(measured: list[Measured]) -> list[float | None]:
    """Compute how far each contender's costs of the first epoch are from the float64 ones."""
    true = data.reference(DATA)
    return [None if one.result is None else float(np.abs(np.array(one.result) - true).max()) for one in measured]


def _start(one: Measured) -> float:
    """Time one process from its start to its first cost."""
    with tempfile.TemporaryDirectory(dir=PEERS, prefix="cold-") as cache:
        start = time.perf_counter()
        with Worker(one.contender, Path(cache)) as worker:
            worker.build()
            worker.ask("result")
            seconds = time.perf_counter() - start
            one.versions = worker.describe()
    return seconds


SECTIONS = {"a": training, "b": calls, "c": first_step, "d": many_outputs, "e": lenet}
