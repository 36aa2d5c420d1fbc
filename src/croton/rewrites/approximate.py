"""The approximate sigmoids, put in for the exact one where they are asked for by name, after everything else."""

from __future__ import annotations

from croton.graph.rewriting import Rule
from croton.rewrites.patterns import SIGMOID
from croton.tensor.nnet.activations import Activation, hard_sigmoid, ultra_fast_sigmoid


def _instead_of_sigmoid(curve: Activation) -> Rule:
    return Rule(f"local_{curve}", SIGMOID, lambda node: curve(node.inputs[0]), frozenset({"late"}), phase=2)


APPROXIMATE: list[Rule] = [_instead_of_sigmoid(ultra_fast_sigmoid), _instead_of_sigmoid(hard_sigmoid)]
