"""The least time that the machine needs for a training step of a network: its products, or its update."""

from math import prod
from typing import Any

from benchmarks.contenders import rates
from benchmarks.networks import WINDOW, WORKS, Work, partner, shapes
from benchmarks.pool import Failed, Measured, Worker

LARGE = 2**26
"""The floating-point operations from which a product counts as large."""
STATES = {"sgd": 0, "rmsprop": 2}
"""How many numbers an algorithm keeps for each parameter: an average square and a velocity."""

Rates = dict[str, Any]


def best_rates(names: list[str]) -> tuple[Rates, list[Measured]]:
    """Measure the machine's rates, the best of the libraries' (see `programs/rates.py`), and by whom."""
    measured = [Measured(one) for one in rates(sorted({parameters(WORKS[name]) for name in names}))]
    for one in measured:
        try:
            with Worker(one.contender) as worker:
                worker.build()
                one.result, one.versions = worker.ask("result"), worker.describe()
        except Failed as failed:
            one.error = str(failed)
    told = [one.result for one in measured if one.result]
    if not told:
        raise RuntimeError(f"no rate could be measured: {[one.error for one in measured]}")
    memory = {int(size): max(one["memory"][size] for one in told) for size in told[0]["memory"]}
    return {"large": max(r["large"] for r in told), "small": max(r["small"] for r in told), "memory": memory}, measured


def floor(work: Work, rate: Rates) -> tuple[float, str]:
    """Compute the seconds below which no training step can be, and what they go for."""
    flops = sum(n / rate["large" if n >= LARGE else "small"] for n in products(work))
    moved = 8 * (1 + STATES[work.algo]) * parameters(work) / rate["memory"][parameters(work)]
    return max((flops, "products"), (moved, "update"))


def parameters(work: Work) -> int:
    """Count the numbers that training changes."""
    return sum(prod(shape) for of in shapes(work) for shape in of.values())


def products(work: Work) -> list[int]:
    """List the floating-point operations of each product of a step: forward, and for both gradients.

    The gradient by the network's input is not wanted. A recurrent product is made at each time step, forward and for
    the gradient by the state; for the gradient by the weights all steps are one product, as are those with the inputs.
    """
    found: list[int] = []
    time, side = (work.inputs[0] if len(work.inputs) == 2 else 1), work.inputs[0]
    known = shapes(work)
    for place, (form, size, _) in enumerate(work.layers):
        w = known[place].get("xh", known[place].get("w"))
        if form == "tied":
            w = known[partner(work, place)]["w"]
        if form == "conv":
            side += 1 - WINDOW
        elif form == "pool":
            side //= size
        if w is None:
            continue
        once = 2 * work.batch * time * prod(w) * (side * side if form == "conv" else 1)
        found += [once] * (3 if place else 2)
        if "hh" in known[place]:
            step = 2 * work.batch * prod(known[place]["hh"])
            found += [step] * (2 * time) + [step * time]
    return found
