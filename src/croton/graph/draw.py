"""Expressions as pictures: an SVG written here, or a PNG by matplotlib."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from croton.graph.core import Apply, Constant, SharedVariable, Variable
from croton.graph.derivative import Derivative
from croton.graph.layout import HEIGHT, Arrow, Box, place
from croton.graph.printing import constant_text, roots_of
from croton.graph.walk import toposort

_COLOURS = {"input": "#cfe8ff", "shared": "#ffe6b3", "constant": "#eeeeee", "op": "#ffffff", "output": "#d8f5d0"}
_LINE, _EDGE = "#8a8a8a", "#444444"
_MARGIN = 12.0
# A leaf is drawn again for a use this many layers below its first one, so that arrows stay short.
_NEAR = 4


def draw(obj: Any, path: str | os.PathLike[str] | None = None) -> str:
    """Draw the graph of a variable, of several, or of a function: inputs blue, shared variables orange, outputs green.

    Small constants stand in the box of the op that uses them, and an input used far apart is drawn near each use.
    ``path`` ends in .svg or .png (which needs matplotlib); None writes nothing. Returns the SVG as text.
    Raises ValueError for another ending.

    >>> import croton, croton.tensor as T
    >>> croton.draw(T.exp(T.scalar('x')))[:4]
    '<svg'
    """
    target = None if path is None else Path(path)
    if target is not None and target.suffix not in (".svg", ".png"):
        raise ValueError(f"draw writes .svg and .png files, not {target.name!r}")
    boxes, edges = _graph(roots_of(obj))
    arrows = place(boxes, edges)
    svg = _svg(boxes, arrows)
    if target is not None and target.suffix == ".svg":
        target.write_text(svg, encoding="utf-8")
    elif target is not None:
        _png(boxes, arrows, target)
    return svg


def _graph(roots: Sequence[Variable]) -> tuple[list[Box], list[tuple[Box, Box]]]:
    """Boxes with their layers, and the edges between them."""
    order = toposort(roots)
    boxes: dict[Any, Box] = {}
    for node in order:
        box = boxes[node] = Box(_label(node), "op")
        box.layer = 1 + max((boxes[v.owner].layer for v in node.inputs if v.owner is not None), default=0)
    uses: list[tuple[Variable, Box]] = [(v, boxes[n]) for n in order for v in n.inputs if not _inline(v)]
    for k, root in enumerate(roots):
        box = boxes["output", k] = Box(_short(root.name or (f"output {k}" if len(roots) > 1 else "output")), "output")
        box.layer = 1 if root.owner is None else boxes[root.owner].layer + 1
        uses.append((root, box))
    latest: dict[Variable, Box] = {}
    leaves: list[Box] = []
    edges: dict[tuple[Box, Box], None] = {}
    for v, user in sorted(uses, key=lambda use: use[1].layer):
        if v.owner is not None:
            edges[boxes[v.owner], user] = None
            continue
        if v not in latest or user.layer - latest[v].layer > _NEAR:
            latest[v] = Box(_short(str(v)), _kind(v))
            latest[v].layer = user.layer - 1
            leaves.append(latest[v])
        edges[latest[v], user] = None
    return [*leaves, *boxes.values()], list(edges)


def _kind(v: Variable) -> str:
    return "shared" if isinstance(v, SharedVariable) else "constant" if isinstance(v, Constant) else "input"


def _inline(v: Variable) -> bool:
    """Whether a variable is written inside the boxes of the ops that use it."""
    return isinstance(v, Constant) and len(constant_text(v)) <= 8


def _label(node: Apply) -> str:
    name = str(node.op)
    if any(map(_inline, node.inputs)) and not isinstance(node.op, Derivative):
        name += "(" + ", ".join(constant_text(v) if _inline(v) else "·" for v in node.inputs) + ")"  # type: ignore[arg-type]
    return _short(name)


def _short(text: str) -> str:
    return text if len(text) <= 28 else text[:25] + "..."


def _size(boxes: Sequence[Box]) -> tuple[float, float]:
    width = max((b.x + b.width / 2 for b in boxes), default=0.0)
    return width + 2 * _MARGIN, max((b.y + HEIGHT / 2 for b in boxes), default=0.0) + 2 * _MARGIN


def _curve(arrow: Arrow) -> list[tuple[float, float]]:
    """The points of an arrow's line: a start, then three (two that steer, one that ends) for each of its parts."""
    points = [(arrow[0].x, arrow[0].y + HEIGHT / 2)]
    for box in arrow[1:]:
        x, y = points[-1]
        bend = box.kind == "bend"
        top = box.y - HEIGHT / 2 - (0 if bend else 1)
        middle = (y + top) / 2
        points += [(x, middle), (box.x, middle), (box.x, top)]
        if bend:  # straight down between the boxes of the layer
            points += [(box.x, box.y), (box.x, box.y), (box.x, box.y + HEIGHT / 2)]
    return points


def _svg(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> str:
    width, height = _size(boxes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-_MARGIN:.0f} {-_MARGIN:.0f} {width:.0f} {height:.0f}">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{_LINE}"/></marker></defs>',
    ]
    for arrow in arrows:
        start, *rest = [f"{x:.1f} {y:.1f}" for x, y in _curve(arrow)]
        parts.append(f'<path d="M{start} C{" ".join(rest)}" fill="none" stroke="{_LINE}" marker-end="url(#tip)"/>')
    for b in boxes:
        parts.append(
            f'<rect x="{b.x - b.width / 2:.1f}" y="{b.y - HEIGHT / 2:.1f}" width="{b.width:.1f}" height="{HEIGHT:.0f}" '
            f'rx="6" fill="{_COLOURS[b.kind]}" stroke="{_EDGE}"/>'
            f'<text x="{b.x:.1f}" y="{b.y + 4:.1f}" font-family="monospace" font-size="12" '
            f'text-anchor="middle">{escape(b.label)}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def _png(boxes: Sequence[Box], arrows: Sequence[Arrow], target: Path) -> None:
    figure_of(boxes, arrows).savefig(target, dpi=144 if max(_size(boxes)) < 4000 else 72)


def figure_of(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> Any:
    """Placed boxes and their arrows as a matplotlib Figure. Raises ImportError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
        from matplotlib.path import Path as Line
    except ImportError:
        raise ImportError("draw needs matplotlib for a PNG: install croton[plot], or draw an .svg file") from None
    width, height = _size(boxes)
    # 72 of the picture's units to the inch make 12-point letters as wide as the boxes reckon with.
    figure = Figure(figsize=(min(width / 72, 200), min(height / 72, 200)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-_MARGIN, width - _MARGIN), ylim=(height - _MARGIN, -_MARGIN))
    axes.axis("off")
    for arrow in arrows:
        points = _curve(arrow)
        line = Line(points, [Line.MOVETO, *[Line.CURVE4] * (len(points) - 1)])
        axes.add_patch(
            FancyArrowPatch(path=line, arrowstyle="-|>", mutation_scale=9, color=_LINE, shrinkA=0, shrinkB=0)
        )
    for b in boxes:
        corner = (b.x - b.width / 2, b.y - HEIGHT / 2)
        style = "round,pad=0,rounding_size=6"
        axes.add_patch(FancyBboxPatch(corner, b.width, HEIGHT, boxstyle=style, fc=_COLOURS[b.kind], ec=_EDGE, lw=0.8))
        axes.text(b.x, b.y, b.label, ha="center", va="center", family="monospace", fontsize=11)
    return figure
