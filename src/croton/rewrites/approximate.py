"""The approximate sigmoids, put in for the exact one where they are asked for by name, after everything else."""

from __future__ import annotations

from croton.graph.rewriting import Rule
from croton.rewrites.patterns import SIGMOID, rule
from croton.tensor.nnet.activations import hard_sigmoid, ultra_fast_sigmoid

APPROXIMATE: list[Rule] = [
    rule("local_ultra_fast_sigmoid", [(SIGMOID, "x")], lambda x: ultra_fast_sigmoid(x), "late"),
    rule("local_hard_sigmoid", [(SIGMOID, "x")], lambda x: hard_sigmoid(x), "late"),
]
