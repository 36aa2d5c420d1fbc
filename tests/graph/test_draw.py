"""Pictures of graphs."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import croton
import croton.tensor as T
from croton.graph.layout import GAP_X, Box, place

SVG = "{http://www.w3.org/2000/svg}"


def labels(svg):
    return [t.text for t in ET.fromstring(svg).iter(f"{SVG}text")]


def training_graph():
    x, y = T.matrix("x"), T.ivector("y")
    W, b = croton.shared(np.zeros((4, 3), "float32"), "W"), croton.shared(np.zeros(3, "float32"), "b")
    p = T.nnet.softmax(T.dot(x, W) + b)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    cost.name = "cost"
    return x, y, W, b, cost, croton.grad(cost, [W, b])


def test_svg_is_well_formed_and_shows_every_node():
    x, y = T.dscalars("x", "y")
    z = T.exp(x) * y + 2.5
    svg = croton.draw(z)
    assert sorted(labels(svg)) == sorted(["x", "y", "exp", "mul", "add(·, 2.5)", "output"])
    # Five arrows: x to exp, exp and y to mul, mul to add, add to the output.
    assert sum(p.get("marker-end") is not None for p in ET.fromstring(svg).iter(f"{SVG}path")) == 5


def test_colours_tell_what_is_what():
    x, w = T.dvector("x"), croton.shared(1.0, "w")
    svg = croton.draw(x * w + np.arange(9.0))
    root = ET.fromstring(svg)
    fills = {t.text: r.get("fill") for r, t in zip(root.iter(f"{SVG}rect"), root.iter(f"{SVG}text"), strict=True)}
    assert len({fills["x"], fills["w"], fills["mul"], fills["output"]}) == 4
    assert "#eeeeee" in fills.values()


def test_names_are_escaped():
    x = T.dscalar("<a & b>")
    assert "<a & b>" in labels(croton.draw(x + 1))


def test_boxes_do_not_overlap_and_lie_inside():
    *_, cost, grads = training_graph()
    root = ET.fromstring(croton.draw([cost, *grads]))
    x0, y0, width, height = map(float, root.get("viewBox").split())
    boxes = [tuple(float(r.get(k)) for k in ("x", "y", "width", "height")) for r in root.iter(f"{SVG}rect")]
    for x, y, w, h in boxes:
        assert x >= x0 and y >= y0 and x + w <= x0 + width and y + h <= y0 + height
    for k, (x, y, w, h) in enumerate(boxes):
        for x2, y2, w2, h2 in boxes[:k]:
            assert x + w < x2 or x2 + w2 < x or y + h < y2 or y2 + h2 < y
    assert {"grad", "W", "b", "x", "y", "cost"} <= set(labels(croton.draw([cost, *grads])))


def test_files(tmp_path):
    _, _, _, _, cost, _ = training_graph()
    svg = croton.draw(cost, tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == svg
    with pytest.raises(ValueError, match=r"graph\.gif"):
        croton.draw(cost, tmp_path / "graph.gif")
    assert not (tmp_path / "graph.gif").exists()


def test_png(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    x, y, W, b, cost, (gW, gb) = training_graph()
    f = croton.function([x, y], cost, updates=[(W, W - 0.1 * gW), (b, b - 0.1 * gb)])
    croton.draw(f, str(tmp_path / "graph.png"))
    pixels = image.imread(tmp_path / "graph.png")
    assert pixels.shape[0] > pixels.shape[1] > 300
    # White ground, and colours for inputs, shared variables and outputs.
    assert (pixels[0, 0, :3] == 1).all() and len(np.unique(pixels[..., :3].reshape(-1, 3), axis=0)) > 20


def test_leaves_and_functions_without_outputs():
    assert labels(croton.draw(T.dscalar("x"))) == ["x", "x"]
    s = croton.shared(1.0, "s")
    assert "add(·, 1)" in labels(croton.draw(croton.function([], [], updates=[(s, s + 1)])))
    assert labels(croton.draw([])) == []


@given(st.data())
def test_layout_keeps_boxes_of_a_row_apart_and_in_their_rows(data):
    layers = data.draw(st.lists(st.integers(1, 5), min_size=2, max_size=6))
    rows = [[Box("x" * data.draw(st.integers(1, 30)), "op") for _ in range(n)] for n in layers]
    edges = []
    for depth, row in enumerate(rows):
        for box in row:
            box.layer = depth
            if depth:
                above = rows[data.draw(st.integers(0, depth - 1))]
                edges.append((data.draw(st.sampled_from(above)), box))
    arrows = place([b for row in rows for b in row], edges)
    assert [(a[0], a[-1]) for a in arrows] == edges
    for arrow in arrows:
        assert [b.layer for b in arrow] == list(range(arrow[0].layer, arrow[-1].layer + 1))
    for row in rows:
        assert len({b.y for b in row}) == 1
        for left, right in zip(sorted(row, key=lambda b: b.x), sorted(row, key=lambda b: b.x)[1:], strict=False):
            assert right.x - right.width / 2 >= left.x + left.width / 2 + GAP_X - 1e-6
