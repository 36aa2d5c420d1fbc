"""MonitorMode calls the user's functions with what each op is given and what it gives."""

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.compile import MonitorMode, detect_nan

x = T.dvector("x")


def test_each_op_is_seen_before_and_after():
    seen = []

    def note(when):
        return lambda i, node, fn: seen.append((when, i, str(node.op)[:3], [v[0] for v in (*fn.inputs, *fn.outputs)]))

    f = croton.function([x], T.exp(x).sum(), mode=MonitorMode(note("pre"), note("post")))
    assert f([0.0, 0.0]) == 2.0
    assert [s[:3] for s in seen] == [("pre", 0, "exp"), ("post", 0, "exp"), ("pre", 1, "sum"), ("post", 1, "sum")]
    np.testing.assert_array_equal(seen[1][3], [[0.0, 0.0], [1.0, 1.0]])
    assert seen[2][3][1] is None and seen[3][3][1] == 2.0


def test_the_ops_of_a_derivative_and_the_derivative_are_seen():
    seen = {}
    mode = MonitorMode(post_func=lambda i, node, fn: seen.update({str(node.op): fn.outputs[0][0]}))
    f = croton.function([x], croton.grad((x**3).sum(), x), mode=mode)
    np.testing.assert_array_equal(f([2.0]), [12.0])
    assert {"pow", "grad"} <= seen.keys()
    assert seen["grad"] == 12.0


def test_nan_is_detected(capsys):
    f = croton.function([x], T.log(x) + 1, mode=MonitorMode(post_func=detect_nan))
    f([1.0])
    assert capsys.readouterr().out == ""
    with np.errstate(all="ignore"):
        f([-1.0])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["*** NaN detected ***", "log [id A]"]
    assert "Inputs : [array([-1.])]" in lines and "Outputs: [array([nan])]" in lines


def test_an_error_of_a_monitor_comes_out_and_changes_nothing():
    state = croton.shared(1.0, "state")

    def stop(i, node, fn):
        raise KeyboardInterrupt

    f = croton.function([x], x * 2, updates=[(state, state + 1)], mode=MonitorMode(stop))
    with pytest.raises(KeyboardInterrupt):
        f([1.0])
    assert state.get_value() == 1.0
