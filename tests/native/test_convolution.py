"""Convolutions by croton's kernels, beside XLA's."""

import jax
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from croton.native import library
from croton.native.build import compiler
from croton.tensor.conv.geometry import Geometry
from croton.tensor.conv.trilinear import FILTERS, IMAGES, MAPS, _by_kernel, _by_xla, _form, _shape

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to make the kernels with")


def both(wanted, n, channels, maps, geometry):
    assert library.usable()
    rng = np.random.RandomState(0)
    shapes = {
        IMAGES: (n, channels, *geometry.image),
        FILTERS: (maps, channels, *geometry.kernel),
        MAPS: (n, maps, *geometry.out),
    }
    arrays = [rng.normal(size=s).astype("float32") for slot, s in shapes.items() if slot != wanted]
    found = jax.jit(_by_kernel, static_argnums=(2, 3))(*arrays, wanted, geometry)
    assert found.shape == _shape(wanted, *[a.shape for a in arrays], geometry) == shapes[wanted]
    expected = jax.jit(_by_xla, static_argnums=(2, 3))(*arrays, wanted, geometry)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * max(1.0, abs(expected).max(initial=0)))


lengths = st.tuples(st.integers(6, 20), st.integers(6, 20))
some = st.tuples(st.integers(1, 3), st.integers(1, 3))
pads = st.tuples(st.integers(0, 2), st.integers(0, 2))


@pytest.mark.parametrize("wanted", [IMAGES, FILTERS, MAPS])
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 20), lengths, some, some, some, st.tuples(pads, pads))
def test_any_geometry(wanted, n, channels, maps, image, kernel, strides, dilations, pads):
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    assume(all(span <= length for span, length in zip(spans, image, strict=True)))
    both(wanted, n, channels, maps, Geometry(image, kernel, pads, strides, dilations, 1))


@pytest.mark.parametrize("wanted", [IMAGES, FILTERS, MAPS])
@pytest.mark.parametrize(
    ("n", "channels", "maps", "image", "kernel"),
    [
        (64, 1, 20, (28, 28), (5, 5)),
        (7, 70, 300, (9, 9), (2, 2)),
        (2, 3, 5, (40, 40), (1, 1)),
        (0, 2, 3, (8, 8), (3, 3)),
    ],
    ids=["lenet", "deep", "points", "none"],
)
def test_many_and_none(wanted, n, channels, maps, image, kernel):
    both(wanted, n, channels, maps, Geometry(image, kernel, ((0, 0), (0, 0)), (1, 1), (1, 1), 1))


@pytest.mark.parametrize(
    ("dtype", "groups", "there"), [("float32", 1, True), ("float64", 1, False), ("float32", 2, False)]
)
def test_where_it_is_used(dtype, groups, there):
    geometry = Geometry((8, 8), (3, 3), ((0, 0), (0, 0)), (1, 1), (1, 1), groups)
    with jax.enable_x64(True):
        x, w = jax.numpy.ones((2, 4, 8, 8), dtype), jax.numpy.ones((6, 4 // groups, 3, 3), dtype)
        text = jax.jit(lambda x, w: _form.bind(x, w, wanted=MAPS, geometry=geometry)).lower(x, w).as_text()
    assert ("croton_maps" in text) == there
