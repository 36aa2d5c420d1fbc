"""Expressions as pictures: an SVG written here, or a PNG by matplotlib."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from croton.graph.core import Apply, Constant, SharedVariable, Variable
from croton.graph.printing import _roots
from croton.graph.walk import toposort

_COLOURS = {"input": "#cfe8ff", "shared": "#ffe6b3", "constant": "#eeeeee", "op": "#ffffff", "output": "#d8f5d0"}
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 7.2, 30, 18, 34


class _Box:
    def __init__(self, label: str, kind: str) -> None:
        self.label, self.kind = label, kind
        self.width = max(44.0, len(label) * _WIDTH + 16)
        self.x = self.y = 0.0
        self.layer = 0


def draw(obj: Any, path: str | os.PathLike[str] | None = None) -> str:
    """Draw the graph of a variable, of several, or of a function: inputs blue, shared variables orange, outputs green.

    ``path`` ends in .svg or .png (which needs matplotlib); None writes nothing. Returns the SVG as text.
    Raises ValueError for another ending.

    >>> import croton, croton.tensor as T
    >>> croton.draw(T.exp(T.scalar('x')))[:4]
    '<svg'
    """
    boxes, arrows = _layout(_roots(obj))
    svg = _svg(boxes, arrows)
    if path is not None:
        target = Path(path)
        if target.suffix == ".svg":
            target.write_text(svg, encoding="utf-8")
        elif target.suffix == ".png":
            _png(boxes, arrows, target)
        else:
            raise ValueError(f"draw writes .svg and .png files, not {target.name!r}")
    return svg


def _kind(v: Variable) -> str:
    return "shared" if isinstance(v, SharedVariable) else "constant" if isinstance(v, Constant) else "input"


def _layout(roots: Sequence[Variable]) -> tuple[list[_Box], list[tuple[_Box, _Box]]]:
    """Boxes in layers, each below what it uses, ordered within a layer by where their inputs stand."""
    found: dict[Any, _Box] = {}
    arrows: list[tuple[_Box, _Box]] = []

    def leaf(v: Variable) -> _Box:
        if v not in found:
            label = str(v)
            found[v] = _Box(label if len(label) <= 28 else label[:25] + "...", _kind(v))
        return found[v]

    def source(v: Variable) -> _Box:
        return leaf(v) if v.owner is None else found[v.owner]

    for node in toposort(roots):
        box = found[node] = _Box(_label(node), "op")
        for v in node.inputs:
            arrows.append((source(v), box))
            box.layer = max(box.layer, source(v).layer + 1)
    for k, root in enumerate(roots):
        box = found["output", k] = _Box(
            root.name or f"output {k}" if len(roots) > 1 else root.name or "output", "output"
        )
        box.layer = source(root).layer + 1
        arrows.append((source(root), box))
    boxes = list(found.values())
    _place(boxes, arrows)
    return boxes, arrows


def _label(node: Apply) -> str:
    text = str(node.op)
    return text if len(text) <= 28 else text[:25] + "..."


def _place(boxes: Sequence[_Box], arrows: Sequence[tuple[_Box, _Box]]) -> None:
    above: dict[int, list[_Box]] = {}
    for start, end in arrows:
        above.setdefault(id(end), []).append(start)
    for start, end in reversed(arrows):
        if start.kind not in ("op", "output") and start.layer == 0 and end.layer > 1:
            start.layer = max(start.layer, min(e.layer for s, e in arrows if s is start) - 1)
    layers: dict[int, list[_Box]] = {}
    for box in boxes:
        layers.setdefault(box.layer, []).append(box)
    for depth in sorted(layers):
        row = layers[depth]
        row.sort(key=lambda b: sum(s.x for s in above.get(id(b), [])) / max(len(above.get(id(b), [])), 1))
        x = 0.0
        for box in row:
            box.x, box.y = x + box.width / 2, depth * (_HEIGHT + _GAP_Y) + _HEIGHT / 2
            x += box.width + _GAP_X
    widest = max((sum(b.width + _GAP_X for b in row) for row in layers.values()), default=0)
    for row in layers.values():
        shift = (widest - sum(b.width + _GAP_X for b in row)) / 2
        for box in row:
            box.x += shift


def _svg(boxes: Sequence[_Box], arrows: Sequence[tuple[_Box, _Box]]) -> str:
    width = max((b.x + b.width / 2 for b in boxes), default=0) + 20
    height = max((b.y for b in boxes), default=0) + _HEIGHT / 2 + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="-10 -10 {width:.0f} {height:.0f}">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#666"/></marker></defs>',
    ]
    for start, end in arrows:
        parts.append(
            f'<line x1="{start.x:.1f}" y1="{start.y + _HEIGHT / 2:.1f}" x2="{end.x:.1f}" y2="{end.y - _HEIGHT / 2:.1f}" '
            f'stroke="#666" marker-end="url(#tip)"/>'
        )
    for b in boxes:
        parts.append(
            f'<rect x="{b.x - b.width / 2:.1f}" y="{b.y - _HEIGHT / 2:.1f}" width="{b.width:.1f}" height="{_HEIGHT}" rx="6" '
            f'fill="{_COLOURS[b.kind]}" stroke="#444"/>'
            f'<text x="{b.x:.1f}" y="{b.y + 4:.1f}" font-family="monospace" font-size="12" text-anchor="middle">{escape(b.label)}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def _png(boxes: Sequence[_Box], arrows: Sequence[tuple[_Box, _Box]], target: Path) -> None:
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    except ImportError:
        raise ImportError("draw needs matplotlib for a PNG: install croton[plot], or draw an .svg file") from None
    width = max(b.x + b.width / 2 for b in boxes) + 20
    height = max(b.y for b in boxes) + _HEIGHT / 2 + 20
    figure = Figure(figsize=(min(width / 80, 120), min(height / 80, 120)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-10, width), ylim=(height, -10))
    axes.axis("off")
    for start, end in arrows:
        axes.add_patch(
            FancyArrowPatch(
                (start.x, start.y + _HEIGHT / 2),
                (end.x, end.y - _HEIGHT / 2),
                arrowstyle="-|>",
                mutation_scale=10,
                color="#666666",
            )
        )
    for b in boxes:
        corner = (b.x - b.width / 2, b.y - _HEIGHT / 2)
        axes.add_patch(
            FancyBboxPatch(
                corner, b.width, _HEIGHT, boxstyle="round,pad=0,rounding_size=6", fc=_COLOURS[b.kind], ec="#444444"
            )
        )
        axes.text(b.x, b.y, b.label, ha="center", va="center", family="monospace", fontsize=8)
    figure.savefig(target, dpi=100)
