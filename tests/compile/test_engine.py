"""What croton asks of JAX: its own precision, and nothing of the user's settings touched."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import croton
import croton.tensor as T


@pytest.mark.parametrize("x64", [False, True])
def test_precision_is_the_graphs_own(x64):
    x, y, i = T.dvector("x"), T.fvector("y"), T.lscalar("i")
    w = croton.shared(np.float64(1) / 3, "w")
    with jax.enable_x64(x64):
        f = croton.function(
            [x, y, i], [T.exp(x) * w, T.exp(y), i * 2, croton.grad((x * w).sum(), w)], updates=[(w, w / 3)]
        )
        a, b, c, d = f([1.0], np.ones(1, "float32"), 2**40)
        assert (a.dtype, b.dtype, c.dtype, d.dtype) == ("float64", "float32", "int64", "float64")
        np.testing.assert_allclose(a, [np.exp(1.0) / 3], rtol=1e-15)
        assert c == 2**41 and w.get_value() == np.float64(1) / 3 / 3
        assert f.over([[1.0], [2.0]], np.ones((2, 1), "float32"), [2**40, 2**41])[2][1] == 2**42
        # And the user's own arrays stay as the user has them.
        assert jnp.ones(1, float).dtype == ("float64" if x64 else "float32")


def test_inside_the_users_own_settings():
    x = T.fscalar("x")
    f = croton.function([x], x / 3)
    with jax.default_matmul_precision("bfloat16"), jax.debug_nans(True):
        assert f(1.0) == np.float32(1) / np.float32(3)


SETTINGS = """
import jax
before = dict(jax.config.values)
import numpy as np, croton, croton.tensor as T
x, w = T.dvector('x'), croton.shared(np.ones(3), 'w')
f = croton.function([x], (x * w).sum(), updates=[(w, w - croton.grad((x * w).sum(), w))])
f(np.ones(3)); f.over(np.ones((2, 3))); croton.gradient.verify_grad(T.exp, [np.ones(2)])
after = dict(jax.config.values)
changed = {k for k in after if after[k] != before.get(k)}
allowed = {'jax_num_cpu_devices', 'jax_compilation_cache_dir'}
assert changed <= allowed, changed
assert jax.numpy.ones(1, float).dtype == 'float32'
"""


def test_the_global_configuration_is_left_alone():
    run = subprocess.run([sys.executable, "-W", "error", "-c", SETTINGS], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr


def test_import_does_not_start_the_engine():
    text = "import croton, jax; from jax._src import xla_bridge as b; assert not b.backends_are_initialized()"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
