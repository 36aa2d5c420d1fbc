"""Executables are shared by programs of one text, and only where they are called alike."""

import re

import jax
import numpy as np
import pytest

import croton
from croton import nets
from croton import tensor as T
from croton.compile import memory

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


def training_loop(monkeypatch, options):
    """The compiled text of the steps of a net's training."""
    monkeypatch.setattr(memory, "OPTIONS", options)
    memory._kept.clear()
    texts = []
    compile_it = memory._executable

    def taken_down(lowered):
        made = compile_it(lowered)
        texts.append(made.as_text())
        return made

    monkeypatch.setattr(memory, "_executable", taken_down)
    # A size of its own: networks alike share their programs.
    net = nets.Classifier([13, 6 + len(options), 3])
    data = [np.ones((8, 13), "float32"), np.zeros(8, "int32")]
    net.train(data, algo="rmsprop", momentum=0.9, batch_size=4, train_batches=2, min_improvement=1, patience=0)
    (text,) = [t for t in texts if "while(" in t and "log" in t and "sqrt" in t]
    (body,) = set(re.findall(r"while\(.*?body=%([\w.\-]+)", text))
    return text[text.index(f"%{body} ") :].split("\n}", 1)[0]


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="an option of XLA's CPU compiler")
def test_the_steps_of_a_training_update_parameters_and_averages_in_place(monkeypatch):
    body = training_loop(monkeypatch, memory.OPTIONS)
    assert "f32[13,7]" in body
    assert not re.search(r"f32\[13,7\]\S* copy\(", body)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="an option of XLA's CPU compiler")
def test_a_compiler_that_does_not_know_the_options_goes_without(monkeypatch):
    options = {"xla_cpu_no_such_option": True, "xla_cpu_nor_this": True}
    assert "f32[13,8]" in training_loop(monkeypatch, options)
