"""The approximate sigmoids, put in for the exact one where they are asked for by name, after everything else."""

from __future__ import annotations

from croton.graph.rewriting import Rule
from croton.rewrites.patterns import SIGMOID
from croton.tensor.nnet.activations import hard_sigmoid, ultra_fast_sigmoid

APPROXIMATE: list[Rule] = [
    Rule(f"local_{op}", SIGMOID, lambda node, op=op: op(node.inputs[0]), frozenset({"late"}), phase=2)
    for op in (ultra_fast_sigmoid, hard_sigmoid)
]
