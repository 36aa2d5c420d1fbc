"""Numerically stable, and faster, equivalents of patterns of ops. ``RULES`` lists them, in the order of trying."""

from croton.graph.rewriting import Rule
from croton.rewrites.approximate import APPROXIMATE
from croton.rewrites.loops import LOOPS
from croton.rewrites.pooling import POOLING
from croton.rewrites.speed import SPEED
from croton.rewrites.stabilize import STABILIZE
from croton.rewrites.switches import SWITCHES

RULES: list[Rule] = [*STABILIZE, *SPEED, *POOLING, *LOOPS, *SWITCHES, *APPROXIMATE]

__all__ = ["RULES"]
