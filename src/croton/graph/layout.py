"""Where the boxes of a drawn graph stand: in layers, each below what it uses, with few crossings and short arrows.

Long arrows are led through a bend in every layer that they pass, so that they run between the boxes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

GAP_X, GAP_Y, HEIGHT = 18.0, 30.0, 28.0
SWEEPS = 8
# An arrow across more layers than this is drawn straight: bends for all would be too many.
LONGEST = 60


class Box:
    """A labelled box, or (with no label) a bend of an arrow; ``x`` and ``y`` are its centre."""

    def __init__(self, label: str, kind: str) -> None:
        self.label, self.kind = label, kind
        self.width = max(40.0, len(label) * 7.2 + 16) if label else 4.0
        self.x = self.y = 0.0
        self.layer = 0


Arrow = list[Box]


def place(boxes: Sequence[Box], edges: Sequence[tuple[Box, Box]]) -> list[Arrow]:
    """Set the boxes' places, given their layers; returns each edge as the boxes and bends that it leads through."""
    rows: list[list[Box]] = [[] for _ in range(1 + max((b.layer for b in boxes), default=-1))]
    for box in boxes:
        rows[box.layer].append(box)
    arrows = [_bent(start, end, rows) for start, end in edges]
    above: dict[Box, list[Box]] = {}
    below: dict[Box, list[Box]] = {}
    for arrow in arrows:
        for a, b in itertools.pairwise(arrow):
            above.setdefault(b, []).append(a)
            below.setdefault(a, []).append(b)
    for row in rows:
        _spread(row, [0.0] * len(row))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            wanted = {b: _mean((above if down else below).get(b, []), b.x) for b in row}
            row.sort(key=wanted.__getitem__)
            _spread(row, [wanted[b] for b in row])
    for _ in range(SWEEPS):
        for row in rows:
            _spread(row, [_mean([*above.get(b, []), *below.get(b, [])], b.x) for b in row])
    left = min((b.x - b.width / 2 for row in rows for b in row), default=0.0)
    for depth, row in enumerate(rows):
        for box in row:
            box.x, box.y = box.x - left, depth * (HEIGHT + GAP_Y) + HEIGHT / 2
    return arrows


def _bent(start: Box, end: Box, rows: Sequence[list[Box]]) -> Arrow:
    layers = range(start.layer + 1, end.layer)
    if len(layers) > LONGEST:
        return [start, end]
    bends = [Box("", "bend") for _ in layers]
    for layer, bend in zip(layers, bends, strict=True):
        bend.layer = layer
        rows[layer].append(bend)
    return [start, *bends, end]


def _mean(boxes: Sequence[Box], otherwise: float) -> float:
    return sum(b.x for b in boxes) / len(boxes) if boxes else otherwise


def _spread(row: Sequence[Box], wanted: Sequence[float]) -> None:
    """Bring the boxes of a row, in their order, as near as can be (least squares) to where they are wanted.

    They do not overlap: this is a monotone regression, in which neighbours that would are pooled.
    """
    pools: list[tuple[float, int]] = []
    offset, offsets = 0.0, []
    for k, box in enumerate(row):
        if k:
            offset += (row[k - 1].width + box.width) / 2 + GAP_X
        offsets.append(offset)
        total, count = wanted[k] - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, members = pools.pop()
            total, count = total + before, count + members
        pools.append((total, count))
    places = [total / count for total, count in pools for _ in range(count)]
    for box, base, off in zip(row, places, offsets, strict=True):
        box.x = base + off
