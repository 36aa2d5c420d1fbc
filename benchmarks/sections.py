"""The comparisons of ``python -m benchmarks``, each measured and written up by one function."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from math import isqrt
from pathlib import Path

import numpy as np

from benchmarks import contenders, data, network_sections
from benchmarks.peers import PEERS
from benchmarks.pool import SETTLE, Failed, Measured, Worker, interleave
from benchmarks.report import Section, fastest, ratio, times, versus

DATA = PEERS / "data"
CALLS = 500
OUTPUTS = (1_000, 10_000, 100_000, 1_000_000)
LENET = ((64, 20), (500, 4))
"""The sizes of the minibatches of (e), and how many steps a run is."""
CELLS = ("rnn", "lstm", "gru")
UNITS = {20: 10, 128: 3, 320: 1}
"""The numbers of units of (f), and how many training steps a run is."""
BATCHES = (16, 64)
TIME = 100
"""The steps of the sequences of (f)."""
LENGTHS = (100, 1_000, 3_000, 10_000)
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


def recurrent(repeats: int, cells: Sequence[str] = CELLS, units: Sequence[int] = tuple(UNITS)) -> Section:
    """Measure (f), the training step of recurrent layers."""
    rows: list[list[str]] = []
    everyone: list[Measured] = []
    from_jax, from_torch = [0.0], [0.0]
    for cell, width, batch in product(cells, units, BATCHES):
        steps = UNITS[width]
        measured = interleave(contenders.recurrent(cell, width, batch, TIME, steps), min(repeats, 5), 1, 0.25)
        everyone += measured
        ours, jax, torch = measured
        (_, taken, to_jax, target), (_, by_jax, *_) = versus([ours, jax], jax, unit=1e-3 * steps)
        (_, _, to_torch, _), (_, by_torch, *_) = versus([ours, torch], torch, unit=1e-3 * steps)
        rows.append([cell, f"{width}", f"{batch}", taken, by_jax, by_torch, to_jax, target, to_torch])
        if ours.result and jax.result:
            from_jax.append(float(np.abs(np.subtract(ours.result, jax.result)).max()))
        if ours.result and torch.result and cell != "gru":
            from_torch.append(float(abs(ours.result[0] - torch.result[0])))
    return Section(
        "(f) The training step of recurrent layers written with scan",
        f"A recurrent layer (10 inputs) over {TIME} steps, trained by plain gradient descent to have outputs of a small"
        " mean square, so that the layer is all there is; float32, NumPy inputs, each step gives its cost back."
        " croton's is a"
        " `scan`, JAX's a `lax.scan` differentiated by JAX in one jitted step with donated parameters, PyTorch's its"
        " own `RNN`, `LSTM` or `GRU`, eager with `torch.optim.SGD`. Milliseconds per training step (quartiles).",
        [
            ("layer", "units", "batch", "croton, ms", "JAX, ms", "PyTorch, ms", "croton / JAX", "target", "/ PyTorch"),
            *rows,
        ],
        [
            f"The costs of the first steps ({', '.join(map(str, UNITS.values()))} of them) differ by at most"
            f" {max(from_jax):.1e} between croton and JAX; the first cost of PyTorch's rnn and lstm by at most"
            f" {max(from_torch):.1e} from croton's (its layers have a second bias, and its gru another formula).",
        ],
        everyone,
    )


def memory(repeats: int, lengths: Sequence[int] = LENGTHS) -> Section:
    """Measure (g), the memory of a training step against the number of steps of the loop; ``repeats`` is not used."""
    units, batch = 128, 16
    rows: list[list[str]] = []
    everyone: list[Measured] = []
    for time_ in lengths:
        measured = [Measured(one) for one in contenders.recurrent_memory(units, batch, time_, isqrt(time_))]
        everyone += measured
        rows.append([f"{time_:,}", f"{isqrt(time_)}"])
        for one in measured:
            try:
                with Worker(one.contender) as worker:
                    worker.build()
                    first, later = worker.ask("memory", runs=2)
                    one.versions = worker.describe()
                rows[-1] += [f"{first / 2**20:.0f}", f"{later / 2**20:.0f}"]
            except Failed as failed:
                one.error = str(failed)
                rows[-1] += [one.error, ""]
    head = ["steps", "save_every_N"]
    for name in ("JAX `lax.scan`", "croton `scan`", "croton `scan_checkpoints`"):
        head += [f"{name}: first, MiB", "later, MiB"]
    return Section(
        "(g) The memory of a training step against the number of steps of the loop",
        f"An LSTM of {units} units (10 inputs) in minibatches of {batch}, float32, whose cost is that of its last state"
        " alone; the product with the inputs is written inside the step. By how many MiB the process grows at most in"
        " the first training step, which compiles, and in the second; each pair from a process of its own.",
        [head, *rows],
        [],
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


SECTIONS = {
    "a": training, "b": calls, "c": first_step, "d": many_outputs, "e": lenet, "f": recurrent, "g": memory,
    "h": network_sections.training, "i": network_sections.first_epoch, "j": network_sections.memory,
    "k": network_sections.lowering,
}  # fmt: skip
