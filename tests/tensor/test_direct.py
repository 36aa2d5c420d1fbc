"""Operations by the primitives, beside jax.numpy's: the same programs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from croton.native.equations import flat
from croton.tensor import direct
from croton.tensor.elemwise import ROWS

DTYPES = ["float16", "float32", "float64"]


def program(function, *values):
    """The equations of the program, its calls written out."""
    with jax.enable_x64(True):
        closed = jax.make_jaxpr(function)(*values)
    return [(str(e.primitive), [v.aval.str_short() for v in (*e.invars, *e.outvars)]) for e in flat(closed).eqns]


@given(st.sampled_from(sorted(direct.OF_FLOATS)), st.sampled_from(DTYPES), st.data())
def test_elementwise_is_the_program_of_jax_numpy(name, dtype, data):
    row = ROWS[name]
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=row.nin, min_dims=0, max_dims=3)).input_shapes
    values = [np.ones(shape, dtype) for shape in shapes]
    found = program(lambda *v: direct.elementwise(name, v), *values)
    assert found == program(lambda *v: row.meaning(jnp, *v), *values) != []


@given(st.sampled_from(DTYPES + ["int32", "bool"]), st.data())
def test_where_is_the_program_of_jax_numpy(dtype, data):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3)).input_shapes
    condition, x, y = (np.ones(shape, d) for shape, d in zip(shapes, ("bool", dtype, dtype), strict=True))
    with jax.enable_x64(True):
        found = jax.make_jaxpr(direct.where)(condition, x, y).out_avals
        assert found == jax.make_jaxpr(jnp.where)(condition, x, y).out_avals


@pytest.mark.parametrize("number", [0, 0.5])
def test_where_of_an_array_and_a_number(number):
    x = np.arange(6, dtype="float32").reshape(2, 3)
    for arguments in ((x > 2, x, number), (x > 2, number, x), (x[0] > 1, x, number)):
        np.testing.assert_array_equal(direct.where(*arguments), np.where(*arguments))


@pytest.mark.parametrize(
    ("name", "dtypes"), [("add", ["int32", "int32"]), ("add", ["float32", "float64"]), ("gamma", ["float32"])]
)
def test_what_is_left_to_jax_numpy(name, dtypes):
    assert direct.elementwise(name, [np.ones(2, d) for d in dtypes]) is None
