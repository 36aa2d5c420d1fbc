"""Loops inside expressions: ``scan`` and what is made of it."""

from croton.loop.build import scan, until
from croton.loop.op import Scan
from croton.loop.views import foldl, foldr, map, reduce, scan_checkpoints

__all__ = ["Scan", "foldl", "foldr", "map", "reduce", "scan", "scan_checkpoints", "until"]
