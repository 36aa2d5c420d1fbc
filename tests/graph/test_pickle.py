"""Pickles and copies: sharing, names, tags, cycles of default updates, containers, functions."""

import copy
import io
import pickle

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.graph import toposort


def through_pickle(obj):
    return pickle.loads(pickle.dumps(obj))


@pytest.mark.parametrize("again", [through_pickle, copy.deepcopy])
class TestCopies:
    def test_sharing_is_kept_across_one_dump(self, again):
        x = T.dmatrix("x")
        h = T.exp(x)
        model = again({"in": x, "h": h, "out": h * h, "pair": [x, (h,)], "node": h.owner})
        assert model["pair"][0] is model["in"] and model["pair"][1][0] is model["h"]
        assert model["h"].owner.inputs[0] is model["in"]
        assert model["out"].owner.inputs == (model["h"], model["h"])
        assert model["node"] is model["h"].owner
        assert model["in"] is not x

    def test_names_tags_types_and_places(self, again):
        x = T.TensorType("float32", (False, True))("x")
        x.tag.test_value = np.ones((2, 1), "float32")
        y = x + 1
        y.name, y.tag.role = "y", {"k": 1}
        y2 = again(y)
        x2 = y2.owner.inputs[0]
        assert (y2.name, y2.tag.role, x2.name) == ("y", {"k": 1}, "x")
        assert x2.type == x.type and x2.broadcastable == (False, True)
        assert (x2.tag.test_value == 1).all()
        assert str(y2.owner.place) == str(y.owner.place)

    def test_meaning_is_kept(self, again):
        x, w = T.dvector("x"), croton.shared(np.array([1.0, 2.0]), "w")
        cost = T.log(T.exp(x * w).sum()) + 3
        g = croton.grad(cost, [x, w])
        x2, g2 = again((x, g))
        point = np.array([0.1, 0.2])
        for a, b in zip(g, g2, strict=True):
            np.testing.assert_array_equal(a.eval({x: point}), b.eval({x2: point}))

    def test_a_shared_value_goes_along_and_stays_one(self, again):
        w = croton.shared(np.arange(3.0), "w")
        twin = w.clone()
        croton.function([], [], updates=[(w, w * 2)])()
        w2, twin2 = again([w, twin])
        assert w2.container is twin2.container and w2.container is not w.container
        w2.set_value([7.0, 8.0, 9.0])
        np.testing.assert_array_equal(twin2.get_value(), [7, 8, 9])
        np.testing.assert_array_equal(w.get_value(), [0, 2, 4])
        assert (w2.name, w2.strict, w2.allow_downcast) == ("w", w.strict, w.allow_downcast)

    def test_default_updates_are_cycles(self, again):
        n = croton.shared(np.int64(0), "n")
        n.default_update = n + 1
        m = croton.shared(np.int64(5), "m")
        m.default_update = n * m
        for whole in ([n, m], [n.default_update, m, n], [n * 1, m]):
            back = again(whole)
            m2 = next(v for v in back if getattr(v, "name", None) == "m")
            n2 = m2.default_update.owner.inputs[0]
            assert n2.name == "n" and n2.default_update.owner.inputs[0] is n2
            assert m2.default_update.owner.inputs[1] is m2
            f = croton.function([], m2)
            f()
            assert n2.get_value() == 1 and n.get_value() == 0

    def test_functions(self, again):
        x, w = T.dscalar("x"), croton.shared(1.0, "w")
        spare = croton.In(T.dscalar("unused"), value=2.0)
        out, updates = {"a": x * w}, [(w, w + x)]
        f = croton.function([x, spare], out, updates=updates, name="step", on_unused_input="ignore")
        f(1.0)
        f2, w2 = again((f, w))
        assert f2.name == "step"
        assert f2(3.0) == {"a": np.array(6.0)}
        assert w2.get_value() == 5.0 and w.get_value() == 2.0
        assert f2[w2] == 5.0

    def test_states_of_inputs_go_along(self, again):
        x, s = T.dscalar("x"), T.dscalar("s")
        f = croton.function([x, croton.In(s, value=0.0, update=s + x, name="s")], s)
        f(2.0)
        f2 = again(f)
        assert f2(1.0) == 2.0 and f2(1.0) == 3.0
        assert f["s"] == 2.0

    def test_marks_inside_gradients_survive(self, again):
        x, w, c = T.dscalars("x", "w", "c")
        g = croton.clone(croton.grad(x * w, w), {x: 3 * w})
        g2, w2, c2 = again([g, w, c])
        assert g2.eval({w2: 2.0}) == 6.0
        outer = croton.grad(croton.clone(croton.grad(x * w * w, w), {x: c}), c)
        assert again(outer).owner is not None
        outer2, w2, c2 = again([outer, w, c])
        assert outer2.eval({w2: 2.0, c2: 5.0}) == 4.0

    def test_one_output_of_several(self, again):
        x, y = T.dscalars("x", "y")
        gx, gy = croton.grad(x * y, [x, y])
        back = again(gy)
        assert back.index == 1 and back.owner.nout == 2
        both = again([gy, gx])
        assert both[0].owner is both[1].owner


def test_the_graph_is_written_once():
    x = T.dscalar("x")
    parts = [x]
    for _ in range(300):
        parts.append(T.exp(parts[-1]))
    assert len(pickle.dumps(parts)) < len(pickle.dumps(parts[-1])) + 150 * len(parts)


def test_what_was_pickled_may_grow():
    x, w = T.dscalar("x"), croton.shared(1.0, "w")
    y = x * w
    pickle.dumps(y)
    w.default_update = w + 1
    z = T.exp(y)
    z2, y2, w2 = through_pickle([z, y, w])
    assert z2.owner.inputs[0] is y2 and y2.owner.inputs[1] is w2
    assert w2.default_update.owner.inputs[0] is w2
    w.default_update = None
    assert through_pickle(w).default_update is None
    assert len(toposort([through_pickle(z)])) == 2


def test_a_rename_after_a_dump_is_seen_by_the_next():
    x = T.dscalar("x")
    y = x + 1
    pickle.dumps(y)
    y.name, x.name, x.tag.unit = "y", "renamed", "m"
    y2 = through_pickle(y)
    assert (y2.name, y2.owner.inputs[0].name, y2.owner.inputs[0].tag.unit) == ("y", "renamed", "m")


def test_a_dump_holds_only_what_is_needed():
    x = T.dscalar("x")
    y = T.exp(x)
    z = T.log(y + np.arange(100_000.0))
    pickle.dumps(z)
    assert len(pickle.dumps(y)) < 5_000


def test_generic_shared_values():
    box = croton.shared({"any": ["object"]}, "box")
    assert through_pickle(box).get_value() == {"any": ["object"]}


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol(protocol):
    x = T.dscalar("x")
    y, x2 = pickle.loads(pickle.dumps((T.exp(x), x), protocol))
    assert y.eval({x2: 0.0}) == 1.0


@pytest.mark.parametrize("again", [through_pickle, copy.deepcopy])
def test_tags_may_lead_back_to_the_graph(again):
    x, w = T.dscalar("x"), croton.shared(1.0, "w")
    y = x * w
    z = T.exp(y)
    y.tag.used_by, x.tag.first_use, w.tag.mine = z, y, [w, y]
    z2 = again(z)
    y2 = z2.owner.inputs[0]
    x2, w2 = y2.owner.inputs
    assert y2.tag.used_by is z2 and x2.tag.first_use is y2 and w2.tag.mine == [w2, y2]


def test_functions_kept_by_eval_are_not_written():
    x = T.dscalar("x")
    y = T.exp(x)
    before = len(pickle.dumps(y))
    y.eval({x: 1.0})
    assert len(pickle.dumps(y)) == before


def test_a_pickler_used_twice_keeps_sharing():
    x = T.dscalar("x")
    y = T.exp(x)
    page = io.BytesIO()
    writer = pickle.Pickler(page)
    writer.dump(y)
    writer.dump([y, T.log(y)])
    page.seek(0)
    reader = pickle.Unpickler(page)
    y2 = reader.load()
    again, z2 = reader.load()
    assert again is y2 and z2.owner.inputs[0] is y2
