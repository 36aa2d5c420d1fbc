"""Ctrl-C at any moment leaves every shared value whole: of one call all updates are stored, or none."""

import signal
import sys

import jax
import numpy as np
import pytest

import croton
from croton.compile import program
from croton.compile.wide import wide


@pytest.fixture(autouse=True)
def heed_interrupts():
    """A process started in the background may have been told to ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("size", [4, program.DONATED // 8 + 1], ids=["kept", "consumed"])
def test_updates_are_stored_together_though_interrupted(size):
    a, b = croton.shared(np.zeros(size), "a"), croton.shared(np.zeros(size), "b")
    f = croton.function([], a[0], updates=[(a, a + 1), (b, b + 1)])
    f()
    interrupted = 0
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        for k in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0002 + 0.00003 * k)
                for _ in range(2000):
                    f()
            except KeyboardInterrupt:
                interrupted += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert a.get_value()[0] == b.get_value()[-1]
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 30
    assert a.get_value()[0] > 1


def test_jax_is_left_as_it_was_though_interrupted():
    """Of its 64-bit types, which are allowed while a program runs, nothing is left when a call is cut short."""
    for event in range(400):
        # A signal arrives where Python next looks for one, which it does as functions begin and end.
        seen = 0

        def interrupt(frame, kind, _, event=event):
            nonlocal seen
            seen += 1
            if seen == event:
                raise KeyboardInterrupt
            return interrupt

        before = sys.gettrace()
        sys.settrace(interrupt)
        try:
            wide(np.zeros)(3)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        assert not jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", True)
        allowed = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", False)
        assert allowed, "what the user says counts no longer"
    assert 0 < seen < event


def test_a_consuming_program_puts_off_the_interrupt_until_its_results_are_stored():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append("handled"))
    try:
        with program.Uninterrupted():
            signal.raise_signal(signal.SIGINT)
            assert seen == []
        assert seen == ["handled"]
    finally:
        signal.signal(signal.SIGINT, before)
