"""Executables are shared by programs of one text, and only where they are called alike."""

import numpy as np
import pytest

import croton
from croton import tensor as T

ONES = np.ones(3, "float32")


@pytest.mark.parametrize("which", [0, 1])
def test_programs_that_use_another_of_their_inputs_are_not_confused(which):
    inputs = [T.fvector("x"), T.fvector("y")]
    functions = [croton.function(inputs, v + 41.5, on_unused_input="ignore") for v in inputs]
    given = [0 * ONES, ONES]
    for first in (which, 1 - which):
        np.testing.assert_array_equal(functions[first](*given), given[first] + 41.5)


def test_programs_that_do_not_use_an_input_take_each_its_own_shape_of_it():
    x, m = T.fvector("x"), T.fmatrix("m")
    vectors = croton.function([x], T.constant(ONES) * 2.5, on_unused_input="ignore")
    matrices = croton.function([m], T.constant(ONES) * 2.5, on_unused_input="ignore")
    np.testing.assert_array_equal(vectors(ONES), 2.5 * ONES)
    np.testing.assert_array_equal(matrices(np.ones((2, 3), "float32")), 2.5 * ONES)
    empty = [croton.function([m], m.shape) for _ in range(2)]
    assert [list(empty[k](np.ones((3, 3 * k), "float32"))) for k in range(2)] == [[3, 0], [3, 3]]
