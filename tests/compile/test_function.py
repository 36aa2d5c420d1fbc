"""``function``: inputs, outputs, names, defaults and their errors."""

import copy
import warnings

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import In, MissingInputError, Out, UnusedInputError, function, shared


def sample():
    x, y = T.dscalars("x", "y")
    return x, y, x + 10 * y


class TestOutputs:
    def test_forms(self):
        x, y, z = sample()
        at = (1.0, 2.0)
        assert function([x, y], z)(*at) == 21.0
        assert function([x, y], [z])(*at) == [21.0]
        assert function([x, y], (z, x))(*at) == [21.0, 1.0]
        assert function([x, y], {"b": z, "a": x})(*at) == {"a": 1.0, "b": 21.0}
        assert list(function([x, y], {"b": z, "a": x})(*at)) == ["a", "b"]
        assert function([])() == [] and function([], [])() == []
        assert function([x, y], Out(z, borrow=True))(*at) == 21.0

    @pytest.mark.parametrize("wrong", [3, np.ones(2), "z", [1]])
    def test_what_is_no_output(self, wrong):
        with pytest.raises(TypeError, match="Outputs must be"):
            function([], wrong)

    def test_keys_of_a_dict_are_strings(self):
        x, _, _ = sample()
        with pytest.raises(AssertionError, match="strings"):
            function([x], {1: x})

    def test_scalars_are_arrays_of_no_dimensions(self):
        x = T.fscalar("x")
        got = function([x], x * 2)(1.5)
        assert type(got) is np.ndarray and got.shape == () and got.dtype == "float32"

    def test_results_are_fresh_and_writable(self):
        x, w = T.dvector("x"), shared(np.ones(3), "w")
        f = function([x], [x, w, x + w, x[::2], T.constant([1.0, 2.0])])
        given = np.arange(3.0)
        first = f(given)
        for result in first:
            assert result.flags.writeable and result.base is None
            result += 100.0
        np.testing.assert_array_equal(given, np.arange(3.0))
        np.testing.assert_array_equal(w.get_value(), np.ones(3))
        for result, want in zip(
            f(given), [np.arange(3.0), np.ones(3), np.arange(3.0) + 1, [0, 2], [1, 2]], strict=True
        ):
            np.testing.assert_array_equal(result, want)

    def test_the_same_output_twice_is_two_arrays(self):
        x = T.dvector("x")
        y = x * 2
        a, b = function([x], [y, y])([1.0])
        a[0] = 7
        assert b[0] == 2


class TestInputs:
    def test_wrong_lists(self):
        x, _, _ = sample()
        with pytest.raises(Exception, match="list"):
            function(x, x)
        with pytest.raises(TypeError, match="constant"):
            function([T.constant(1)], x)
        with pytest.raises(TypeError, match="Cannot use a shared variable"):
            function([shared(1.0, "w")], x)
        with pytest.raises(TypeError, match="variable"):
            function([3], x)
        with pytest.raises(UnusedInputError, match="twice"):
            function([x, x], x)

    def test_unused(self):
        x, y, _ = sample()
        assert UnusedInputError.__bases__ == (Exception,)
        with pytest.raises(UnusedInputError, match="input 1 .* y,"):
            function([x, y], x)
        with pytest.warns(UserWarning, match="not needed"):
            function([x, y], x, on_unused_input="warn")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert function([x, y], x, on_unused_input="ignore")(1.0, 2.0) == 1.0
        with pytest.raises(ValueError, match="on_unused_input"):
            function([x, y], x, on_unused_input="maybe")
        with croton.config(on_unused_input="ignore"):
            function([x, y], x)

    def test_missing(self):
        x, y, z = sample()
        assert MissingInputError.__bases__ == (Exception,)
        with pytest.raises(MissingInputError, match=r"input y .*add|input y .*mul"):
            function([x], z)
        with pytest.raises(MissingInputError):
            function([x], x, updates=[(w := shared(0.0, "w"), w + y)])

    def test_an_intermediate_may_be_an_input(self):
        x = T.dscalar("x")
        h = T.exp(x)
        assert function([h], h * 2)(3.0) == 6.0
        assert function([h, x], h * x)(3.0, 2.0) == 6.0
        y, w = T.dscalar("y"), shared(1.0, "w")
        f = function([h], croton.grad(h**2 * w, w), updates=[(w, w + h)], givens={w: h * 1})
        assert (f(3.0), w.get_value()) == (9.0, 6.0)
        assert function([h], h * y, givens={y: h + 1})(3.0) == 12.0
        noise = shared(0.0, "noise")
        noise.default_update = noise + 1
        drawn = noise * 2
        assert function([drawn], drawn + 1)(3.0) == 4.0 and noise.get_value() == 0.0

    def test_by_keyword(self):
        x, y, z = sample()
        f = function([x, In(y, name="scale")], z)
        assert f(1.0, scale=2.0) == f(x=1.0, scale=2.0) == f(scale=2.0, x=1.0) == 21.0
        with pytest.raises(TypeError, match="Unknown input or state: y"):
            f(1.0, y=2.0)
        with pytest.raises(TypeError, match="did you mean 'scale'"):
            f(1.0, scal=2.0)
        with pytest.raises(TypeError, match="twice"):
            f(1.0, x=2.0)

    def test_counts(self):
        x, y, z = sample()
        f = function([x, y], z)
        with pytest.raises(TypeError, match="Missing required input: y"):
            f(1.0)
        with pytest.raises(TypeError, match="Too many parameter passed"):
            f(1.0, 2.0, 3.0)

    def test_default_values(self):
        x, y, z = sample()
        w = shared(3.0, "w")
        f = function([x, In(y, value=2.0)], z)
        assert (f(1.0), f(1.0, 5.0), f(1.0, y=6.0), f(1.0)) == (21.0, 51.0, 61.0, 21.0)
        g = function([x, In(y, value=w)], z)
        assert g(1.0) == 31.0
        w.set_value(4.0)
        assert g(1.0) == 41.0
        with pytest.raises(TypeError):
            In(y, value="much")
        with pytest.raises(TypeError, match="variable"):
            In(3)

    def test_a_default_is_copied(self):
        v, start = T.dvector("v"), np.ones(2)
        f = function([In(v, value=start)], v * 2)
        start[:] = 9
        np.testing.assert_array_equal(f(), [2, 2])

    def test_an_input_with_an_update_keeps_state(self):
        x, s = T.dscalar("x"), T.dscalar("s")
        f = function([x, In(s, value=10.0, update=s + x, name="s")], s * 2)
        assert [f(1.0), f(2.0), f(0.0)] == [20.0, 22.0, 26.0]
        assert f["s"] == 13.0
        assert f(1.0, s=0.0) == 0.0 and f["s"] == 1.0
        with pytest.raises(TypeError, match="type"):
            In(s, value=0.0, update=T.dvector())
        with pytest.raises(TypeError, match="value"):
            function([x, In(s, update=s + x)], s)

    def test_a_failing_call_leaves_the_state(self):
        v, s = T.dvector("v"), T.dscalar("s")
        f = function([v, In(s, value=1.0, update=s + v[2], name="s")], s)
        with pytest.raises(IndexError):
            f([1.0], s=5.0)
        assert f["s"] == 1.0


class TestConversion:
    @pytest.mark.parametrize(
        ("dtype", "given"),
        [
            ("float32", 0.1),
            ("float32", np.float32(0.1)),
            ("float32", np.int16(3)),
            ("float32", 1),
            ("int64", 1.0),
            ("float64", np.float32(0.5)),
            ("float32", np.float64(0.5)),
            ("int8", 100),
            ("bool", True),
        ],
    )
    def test_scalars_that_fit(self, dtype, given):
        x = T.scalar("x", dtype=dtype)
        got = function([x], x)(given)
        assert got == np.asarray(given, dtype) and got.dtype == dtype

    @pytest.mark.parametrize(
        ("dtype", "given"),
        [
            ("float32", np.float64(0.1)),
            ("int64", 1.5),
            ("int8", 300),
            ("float32", "1"),
            ("float32", None),
            ("float32", [1.0]),
            ("float32", np.array(0.5)),
            ("float32", np.array(3)),
        ],
    )
    def test_scalars_that_do_not(self, dtype, given):
        x = T.scalar("x", dtype=dtype)
        with pytest.raises(TypeError, match=r"Bad input argument.*index 0.*x"):
            function([x], x)(given)

    def test_arrays(self):
        x = T.fmatrix("x")
        f = function([x], x)
        assert f([[1.0, 2.0]]).dtype == "float32"
        for fits in (np.ones((1, 2), "int16"), np.ones((1, 2), "bool"), np.ones((1, 2), "float16")):
            np.testing.assert_array_equal(f(fits), [[1, 1]])
        for wrong in ([[0.1]], np.ones((1, 2)), np.ones((1, 2), "int32"), np.ones((1, 2), "int64")):
            with pytest.raises(TypeError, match="precision"):
                f(wrong)
        with pytest.raises(TypeError, match=r"expected 2, got 1 with shape \(2,\)"):
            f(np.ones(2, "float32"))
        with pytest.raises(TypeError, match="symbolic"):
            f(x)
        with pytest.raises(TypeError):
            f([[1.0], [1.0, 2.0]])

    def test_memory_layouts(self):
        x = T.dmatrix("x")
        f = function([x], x * 1)
        base = np.arange(24.0).reshape(4, 6)
        for view in (base.T, base[::2, ::-1], np.asfortranarray(base), base.astype(">f8")):
            np.testing.assert_array_equal(f(view), view)

    def test_broadcastable_dimensions_have_length_one(self):
        r = T.drow("r")
        with pytest.raises(TypeError, match="length 1"):
            function([r], r)(np.ones((2, 3)))

    def test_downcast_and_strict(self):
        x = T.fvector("x")
        assert function([x], x, allow_input_downcast=True)(np.array([0.1]))[0] == np.float32(0.1)
        assert function([In(x, allow_downcast=True)], x)(np.array([0.1])).dtype == "float32"
        i = T.ivector("i")
        assert list(function([i], i, allow_input_downcast=True)([1.7])) == [1]
        s = T.fscalar("s")
        with pytest.raises(TypeError):
            function([s], s, allow_input_downcast=False)(0.1)
        with pytest.raises(TypeError, match="strict"):
            function([In(x, strict=True)], x)(np.ones(1, "int8"))
        np.testing.assert_array_equal(function([In(x, strict=True)], x)(np.ones(1, "float32")), [1])


class TestGivens:
    def test_forms(self):
        x, y, z = sample()
        assert function([y], z, givens={x: y * 2})(1.0) == 12.0
        assert function([y], z, givens=[(x, np.float64(3))])(1.0) == 13.0
        assert function([], z, givens={x: 1.0, y: 2.0})() == 21.0
        assert function([x], z, givens={y: x, z: x * 7})(1.0) == 7.0

    def test_at_once(self):
        x, y, z = sample()
        a, b = T.dscalars("a", "b")
        assert function([a, b], z, givens={x: b, y: a})(1.0, 2.0) == 12.0
        # Replacements are not searched for what is replaced.
        assert function([x, y], T.exp(a), givens={a: x - y})(1.0, 1.0) == 1.0

    def test_in_updates_too(self):
        x, w = T.dscalar("x"), shared(1.0, "w")
        function([], [], updates=[(w, w + x)], givens={x: 5.0})()
        assert w.get_value() == 6.0

    def test_a_shared_variable_by_another(self):
        w, u, x = shared(1.0, "w"), shared(5.0, "u"), T.dscalar("x")
        f = function([x], w * x, givens={w: u})
        assert f(2.0) == 10.0
        w.set_value(3.0)
        assert f(2.0) == 10.0

    def test_an_input_given_is_refused(self):
        x, y, z = sample()
        with pytest.raises(RuntimeError, match="givens replace the input x"):
            function([x, y], z, givens={x: y})

    def test_types(self):
        x, i, v = T.fscalar("x"), T.iscalar("i"), T.fvector("v")
        y = v.sum() * x
        for wrong in ({x: np.float64(0.1)}, {x: v}, {v: np.ones(2)}, {x: T.dscalar()}, {x: "one"}):
            with pytest.raises(TypeError):
                function([], y, givens=wrong)
        with pytest.raises(TypeError, match="Cannot convert Type"):
            function([], i * 2, givens={i: T.lscalar()})
        with pytest.raises(TypeError):
            function([], x, givens={3: x})

    def test_unused_givens_do_no_harm(self):
        x, y, z = sample()
        assert function([x], x * 2, givens={y: shared(1.0)})(2.0) == 4.0
        assert z.owner is not None


class TestObject:
    def test_name(self):
        x, _, _ = sample()
        assert function([x], x, name="half").name == "half"
        assert "test_function.py:" in function([x], x).name

    def test_modes(self):
        x, _, _ = sample()
        for mode in ("FAST_RUN", "FAST_COMPILE", "DebugMode", "DEBUG_MODE", "NanGuardMode", "Mode", croton.Mode("cvm")):
            assert function([x], x * 2, mode=mode)(2.0) == 4.0
        with pytest.raises(Exception, match="no predefined mode"):
            function([x], x, mode="FASTER")

    def test_shared_variables_are_seen(self):
        x, w = T.dscalar("x"), shared(2.0, "w")
        f = function([x, In(T.dscalar("k"), value=1.5)], x * w, on_unused_input="ignore")
        assert f.get_shared() == [w] and f[w] == f["w"] == 2.0 and f["k"] == 1.5
        with pytest.raises(KeyError):
            f["nothing"]

    def test_copy_swaps_and_drops_updates(self):
        x, w, u = T.dscalar("x"), shared(2.0, "w"), shared(10.0, "u")
        f = function([x], x * w, updates=[(w, w + 1)], name="f")
        g = f.copy(swap={w: u}, name="g")
        h = f.copy(delete_updates=True)
        assert (f(1.0), g(1.0), h(1.0)) == (2.0, 10.0, 3.0)
        assert (w.get_value(), u.get_value(), g.name, h.name) == (3.0, 11.0, "g", "f")
        with pytest.raises(ValueError, match="no shared variable"):
            f.copy(swap={u: w})
        with pytest.raises(TypeError):
            f.copy(swap={w: shared(np.ones(2))})
        assert copy.copy(f)(1.0) == 3.0

    def test_accepted_keywords(self):
        x, _, _ = sample()
        assert function([x], x, accept_inplace=True, profile=True, rebuild_strict=False)(1.0) == 1.0


class TestTraces:
    def test_once_for_equal_shapes(self):
        x, w = T.dmatrix("x"), shared(np.ones(3), "w")
        f = function([x], T.dot(x, w), updates=[(w, w * 2)])
        for _ in range(3):
            f(np.ones((2, 3)))
        assert f.trace_count == 1
        f(np.ones((5, 3)))
        assert f.trace_count == 2
        f(np.ones((2, 3)))
        assert f.trace_count == 2
        w.set_value(np.ones(4))
        f(np.ones((2, 4)))
        assert f.trace_count == 3

    def test_a_minibatch_index_does_not_count(self):
        data, i = shared(np.arange(50.0).reshape(25, 2), "data"), T.lscalar("i")
        x = T.dmatrix("x")
        f = function([i], x.sum(axis=0), givens={x: data[i * 10 : (i + 1) * 10]})
        X = data.get_value()
        for k in (0, 1, 0):
            np.testing.assert_array_equal(f(k), X[10 * k : 10 * k + 10].sum(0))
        assert f.trace_count == 1
        np.testing.assert_array_equal(f(2), X[20:].sum(0))
        assert f.trace_count == 2
        np.testing.assert_array_equal(f(7), [0, 0])
        np.testing.assert_array_equal(f(-2), X[-20:-10].sum(0))
