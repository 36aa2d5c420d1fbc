"""The generator: known answers, ranges, and independence of devices, sizes and JAX's settings."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

import croton
from croton.tensor.random import RandomStreams
from croton.tensor.random.bits import MOST_ELEMENTS, advanced, below, key_of, threefry, unit, wide, words

STATE = np.array([0x13198A2E, 0x03707344, 7], "uint32")


@pytest.mark.parametrize(
    ("key", "counter", "answer"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_the_generator_gives_the_known_answers_of_random123(key, counter, answer):
    found = threefry(tuple(map(jnp.uint32, key)), tuple(map(jnp.uint32, counter)))
    assert tuple(map(int, found)) == answer


def test_words_are_threefry_of_the_draw_and_the_position():
    first, second = words(STATE, (3, 5))
    counters = np.concatenate([np.full(15, 7), np.arange(15)]).astype("uint32")
    expected = np.asarray(threefry_2x32((jnp.uint32(STATE[0]), jnp.uint32(STATE[1])), jnp.asarray(counters)))
    np.testing.assert_array_equal(np.concatenate([np.ravel(first), np.ravel(second)]), expected)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(wide(STATE, (15,)) >> np.uint64(32), expected[:15])
        np.testing.assert_array_equal(words(STATE, ())[0], expected[0])


def test_the_state_counts_draws_and_carries_into_the_key():
    assert advanced(jnp.asarray(STATE)).tolist() == [STATE[0], STATE[1], 8]
    assert advanced(jnp.array([5, 6, 0xFFFFFFFF], "uint32")).tolist() == [6, 6, 0]


def test_a_key_for_jax_is_of_the_counter_that_no_element_has():
    counter = jnp.array([7, MOST_ELEMENTS], "uint32")
    expected = threefry_2x32((jnp.uint32(STATE[0]), jnp.uint32(STATE[1])), counter)
    np.testing.assert_array_equal(jax.random.key_data(key_of(jnp.asarray(STATE))), expected)
    with pytest.raises(ValueError, match="4294967295 elements"):
        jax.eval_shape(lambda s: words(s, (1 << 16, 1 << 16)), STATE)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_unit_is_the_middle_of_equal_parts_and_never_a_bound(dtype, monkeypatch):
    bits = {"float16": 10, "float32": 23, "float64": 52}[dtype]
    with jax.enable_x64(True):
        for word, position in ((0, 0), (0xFFFFFFFF, 2**bits - 1)):
            full = lambda _, shape, w=word: (jnp.full(shape, w, "uint32"),) * 2  # noqa: E731
            monkeypatch.setattr("croton.tensor.random.bits.words", full)
            (u,) = np.asarray(unit(STATE, (1,), dtype))
            assert u.dtype == dtype and 0 < u < 1
            assert u == (position + 0.5) / 2**bits
    assert dtype != "float32" or u == np.float32(0.99999994)


def test_below_honours_p_to_float32(monkeypatch):
    """Over the words, the part that lies below p is p, small ones included; 0 is never and 1 always."""
    for p in (0.0, 1e-6, 0.3, 0.8, 1 - 2.0**-24, 1.0):
        p = np.float32(p)
        edge = int(float(p) * 2**32)
        near = [w for w in range(edge - 600, edge + 600) if 0 <= w < 1 << 32]
        monkeypatch.setattr(
            "croton.tensor.random.bits.words", lambda *_, near=near: (jnp.asarray(np.array(near, "uint32")),) * 2
        )
        hit = np.asarray(below(STATE, (len(near),), p))
        assert (np.diff(hit.astype(int)) <= 0).all()
        count = near[0] + int(hit.sum())  # of the words below the edge, all are hits
        assert abs(count - float(p) * 2**32) <= 2 + 2.0**-23 * float(p) * 2**32
        assert p not in (0, 1) or hit.all() == bool(p)


PROGRAM = """
import jax, numpy as np
import croton
from croton.tensor.random import RandomStreams
from croton.tensor.random.bits import words
print(len(jax.devices()))
split = jax.sharding.NamedSharding(jax.make_mesh((2,), ("rows",)), jax.sharding.PartitionSpec("rows"))
state = np.array([1, 2, 3], "uint32")
first, _ = jax.jit(lambda s: words(s, (8, 3)), out_shardings=split)(state)
assert len(first.sharding.device_set) == 2
print(np.asarray(first).ravel().tolist())
rng = RandomStreams(5)
draws = [rng.uniform((2, 3)), rng.permutation(n=6), rng.poisson((4,), lam=3.0)]
print([v.ravel().tolist() for v in croton.function([], draws)()])
"""


def test_the_numbers_are_the_same_on_two_devices():
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    count, sharded, drawn = result.stdout.splitlines()
    assert count == "2"
    np.testing.assert_array_equal(eval(sharded), np.ravel(words(np.array([1, 2, 3], "uint32"), (8, 3))[0]))
    rng = RandomStreams(5)
    draws = [rng.uniform((2, 3)), rng.permutation(n=6), rng.poisson((4,), lam=3.0)]
    assert drawn == str([v.ravel().tolist() for v in croton.function([], draws)()])


# Of RandomStreams(5).uniform((5,)): a seed means the same in every version.
GOLDEN = [0.030850947, 0.8740973, 0.53342146, 0.9607195, 0.5674097]


def test_versions_and_settings_change_nothing():
    def drawn():
        rng = RandomStreams(5)
        return croton.function([], [rng.uniform((5,)), rng.binomial((50,), n=9), rng.poisson((50,), lam=4.0)])()

    before = drawn()
    np.testing.assert_array_equal(before[0], np.array(GOLDEN, "float32"))
    with jax.threefry_partitionable(False), jax.default_prng_impl("rbg"):
        for was, now in zip(before, drawn(), strict=True):
            np.testing.assert_array_equal(was, now)
