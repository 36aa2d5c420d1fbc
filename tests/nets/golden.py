"""Reads the golden numbers of whole networks, builds the networks, and computes what there is to compare."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import croton
from croton import nets

FOLDER = Path(__file__).parents[1] / "golden"


@cache
def _cases() -> dict[str, dict[str, Any]]:
    return {c["case"]: c for c in json.loads((FOLDER / "nets.json").read_text())}


@cache
def _arrays() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "nets.npz") as arrays:
        return dict(arrays)


def names(*prefixes: str) -> list[str]:
    """The cases whose names begin with one of the prefixes."""
    return [name for name in _cases() if name.startswith(prefixes)]


@dataclass
class Computed:
    """What a network makes of a case's data: as the case's own numbers, by the same names."""

    outputs: dict[str, np.ndarray]
    loss: float
    grads: dict[str, np.ndarray]


class Case:
    """A recorded network: ``data``, ``params``, ``outputs``, ``loss`` and ``grads``, in float64."""

    def __init__(self, name: str) -> None:
        self.name, self.said = name, _cases()[name]
        arrays = _arrays()
        self.data = [arrays[f"{name}/data/{k}"] for k in range(self.said["n_data"])]
        self.params = {p: arrays[f"{name}/param/{p}"] for p in self.said["params"]}
        self.outputs = {o: arrays[f"{name}/output/{o}"] for o in self.said["outputs"]}
        self.loss = float(arrays[f"{name}/loss"])
        self.grads = {p: arrays[f"{name}/grad/{p}"] for p in self.said["params"]}

    def network(self) -> Any:
        """The network, with the recorded parameters; in float64."""
        family, _, model = self.said["model"].rpartition(".")
        loss = {} if self.said["loss"] == "default" else {"loss": self.said["loss"]}
        with croton.config(floatX="float64"):
            net = getattr(nets.recurrent if family else nets, model)(
                self.said["layers"], weighted=self.said["weighted"], **loss
            )
        params = {p.name: p for p in net.params}
        assert sorted(params) == sorted(self.params)
        for name, value in self.params.items():
            params[name].set_value(value)
        return net

    def compute(self, net: Any, slopes: bool = True) -> Computed:
        """All recorded outputs, the loss and, with ``slopes``, its gradients, in one function."""
        with croton.config(floatX="float64"):
            outputs, _ = net.build_graph()
            said = self.said["regularizers"]
            loss = net.loss(**said) if said else sum(term.weight * term(outputs) for term in net.losses)
            params = {p.name: p for p in net.params}
            wanted = list(self.params) if slopes else []
            grads = croton.grad(loss, [params[p] for p in wanted]) if slopes else []
            run = croton.function(net.variables, [*(outputs[o] for o in self.outputs), loss, *grads])
            made = run(*self.data)
        n = len(self.outputs)
        return Computed(
            dict(zip(self.outputs, made, strict=False)), made[n], dict(zip(wanted, made[n + 1 :], strict=True))
        )


def close(given: Any, wanted: Any, what: str = "") -> None:
    """Fail unless the values agree as two float64 programs do."""
    np.testing.assert_allclose(given, wanted, rtol=1e-9, atol=1e-12, err_msg=what)
