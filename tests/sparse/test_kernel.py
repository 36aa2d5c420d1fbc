"""The product primitive: each of the ways it is computed in, and each of its derivatives, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from croton.sparse import kernel

N, M, K, COUNT = 7, 5, 3, 11
RNG = np.random.RandomState(0)
DATA = RNG.randn(COUNT)
TO, FROM = (RNG.randint(n, size=COUNT).astype("int32") for n in (N, M))
DENSE, SEED = RNG.randn(M, K), RNG.randn(N, K)


def matrix(data):
    made = np.zeros((N, M))
    np.add.at(made, (TO, FROM), data)
    return made


@pytest.fixture(params=["whole", "pieces", "dense"])
def way(request, monkeypatch):
    monkeypatch.setattr(kernel, "PIECE", 4 * K if request.param == "pieces" else 1 << 19)
    monkeypatch.setattr(kernel, "DENSE", N * M if request.param == "dense" else 0)
    used = []
    monkeypatch.setattr(kernel, "_pieces", lambda *a, of=kernel._pieces: used.append("pieces") or of(*a))
    yield request.param
    assert bool(used) == (request.param == "pieces")


def product(data, dense):
    return kernel.entries_times(data, TO, FROM, dense, N)


def test_values_and_derivatives(way):
    """The product, its derivatives by both factors, forward and reverse, and the mixed second derivative."""

    def everything(data, dense):
        value, pull = jax.vjp(product, data, dense)
        by_data, by_dense = pull(SEED)
        _, pushed = jax.jvp(product, (data, dense), (2 * data, 3 * dense))
        mixed = jax.grad(lambda d: (jax.vjp(product, data, d)[1](SEED)[0] ** 2).sum())(dense)
        return value, by_data, by_dense, pushed, mixed

    with jax.enable_x64(True):
        # A new function each time: what was compiled for another way must not be found again.
        value, by_data, by_dense, pushed, mixed = jax.jit(lambda *a: everything(*a))(DATA, DENSE)
        expected = matrix(DATA) @ DENSE
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(by_data, (SEED[TO] * DENSE[FROM]).sum(1), rtol=1e-12)
        np.testing.assert_allclose(by_dense, matrix(DATA).T @ SEED, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(pushed, 5 * expected, rtol=1e-12, atol=1e-13)
        slopes = 2 * (SEED[TO] * DENSE[FROM]).sum(1)
        np.testing.assert_allclose(mixed, matrix(slopes).T @ SEED, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("axes", [(None, 0), (None, 2), (0, None), (1, 1)])
def test_mapped_over(axes):
    with jax.enable_x64(True):
        datas = np.stack([DATA, DATA**2]) if axes[0] is not None else DATA
        denses = np.stack([DENSE, DENSE**2]) if axes[1] is not None else DENSE
        given = [
            a if axis is None else jnp.moveaxis(jnp.asarray(a), 0, axis)
            for a, axis in zip((datas, denses), axes, strict=True)
        ]
        found = jax.jit(jax.vmap(product, axes))(*given)
        for k in (0, 1):
            data = DATA if axes[0] is None else datas[k]
            dense = DENSE if axes[1] is None else denses[k]
            np.testing.assert_allclose(found[k], matrix(data) @ dense, rtol=1e-12, atol=1e-14)


def test_outside_of_a_program():
    np.testing.assert_allclose(
        product(DATA.astype("float32"), DENSE.astype("float32")), matrix(DATA) @ DENSE, rtol=1e-5, atol=1e-5
    )
