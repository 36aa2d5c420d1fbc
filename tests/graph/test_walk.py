"""Orders and edges of graphs."""

from hypothesis import given
from hypothesis import strategies as st

import croton
import croton.tensor as T
from croton.graph import ancestors, explicit_inputs, inputs, toposort
from croton.graph.walk import reached


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30))
def test_toposort_puts_every_node_after_what_it_uses(edges):
    made = [T.dscalar("x")]
    for a, b in edges:
        made.append(made[a % len(made)] + made[b % len(made)])
    order = toposort([made[-1], made[len(made) // 2]])
    place = {node: k for k, node in enumerate(order)}
    assert len(place) == len(order)
    for node in order:
        assert all(v.owner is None or place[v.owner] < place[node] for v in node.inputs)
    assert made[-1].owner is order[place[made[-1].owner]]


def test_stop_ends_the_walk():
    x = T.dscalar("x")
    h = T.exp(x)
    y = h * 2 + x
    assert [str(n.op) for n in toposort([y], stop=[h])] == ["mul", "add"]
    assert h in inputs([y], stop=[h]) and x in inputs([y], stop=[h])
    assert toposort([h], stop=[h]) == []


def test_edges():
    x, w = T.dscalar("x"), croton.shared(1.0, "w")
    y = x * w + 3
    assert set(inputs([y])) >= {x, w} and len(inputs([y])) == 3
    assert explicit_inputs([y]) == [x]
    assert explicit_inputs([x]) == [x]


def test_ancestors_come_before_what_uses_them():
    x = T.dscalar("x")
    h = x + 1
    y = h * x
    found = ancestors([y])
    assert found.index(x) < found.index(h) < found.index(y)
    assert ancestors([x]) == [x]


def test_reached_follows_the_arrows():
    x, y = T.dscalars("x", "y")
    a, b = x + 1, y + 1
    c = a * b
    assert reached([x], toposort([c])) == {x, a, c}
