"""Random words from a stream's state: Threefry-2x32 with 20 rounds, on counters.

The generator is the one of JAX (J. Salmon, M. Moraes, R. Dror, D. Shaw: Parallel random numbers: as easy as 1, 2, 3.
SC11), a bijection of 64-bit counters that passes BigCrush. A state is three 32-bit words: two of key, and the number of
draws made so far. Element i of draw number t is Threefry of the counter (t, i) under the key, so a draw's values
depend on nothing but the state: not on the device, on how many there are, on how arrays are split among them, nor
on JAX's settings. A stream makes 2^32 draws of up to 2^32 - 1 elements before it repeats.

It is written out here because JAX's own, inside a compiled program on a CPU, runs as a loop over whole arrays. In
nanoseconds per float32 number, on two cores of an AMD EPYC, inside a compiled loop that multiplies an array by the
numbers drawn (64 x 64, 64 x 1024, 1024 x 1024; uniforms):

    this module                                3.0   1.5   3.2
    jax.random, threefry2x32 (its default)    19.9   8.2   8.2
    jax.random, rbg                            27    23    25
    jax.random, philox4x32 (JAX 0.10.2 on)     6.5   3.9   3.3
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# The words of a state: two of key, one that counts draws.
STATE_WORDS = 3
# The counter's last value is kept for keys that are handed to jax.random.
MOST_ELEMENTS = (1 << 32) - 1

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def threefry(key: tuple[Any, Any], counter: tuple[Any, Any]) -> tuple[Any, Any]:
    """Threefry-2x32-20 of uint32 arrays of one shape, under a key of two uint32 scalars."""
    schedule = (*key, key[0] ^ key[1] ^ _PARITY)
    x, y = counter[0] + schedule[0], counter[1] + schedule[1]
    for block in range(5):
        for r in _ROTATIONS[block % 2]:
            x = x + y
            y = ((y << np.uint32(r)) | (y >> np.uint32(32 - r))) ^ x
        x = x + schedule[(block + 1) % 3]
        y = y + schedule[(block + 2) % 3] + np.uint32(block + 1)
    return x, y


@partial(jax.jit, static_argnums=1)
def words(state: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Two arrays of independent random uint32 words of ``shape``."""
    if math.prod(shape) > MOST_ELEMENTS:
        raise ValueError(f"a draw of shape {shape} has more than {MOST_ELEMENTS} elements: draw it in parts")
    position = jnp.zeros(shape, "uint32")
    stride = 1
    for axis in reversed(range(len(shape))):
        position = position + lax.broadcasted_iota("uint32", shape, axis) * np.uint32(stride % (1 << 32))
        stride *= shape[axis]
    return threefry((state[0], state[1]), (jnp.broadcast_to(state[2], shape), position))


def key_of(state: Any) -> Any:
    """A key for jax.random, for the distributions that draw again and again until a number is accepted."""
    key = threefry((state[0], state[1]), (state[2], jnp.uint32(MOST_ELEMENTS)))
    return jax.random.wrap_key_data(jnp.stack(key), impl="threefry2x32")


def advanced(state: Any) -> Any:
    """The state after one more draw."""
    full = state[2] == np.uint32(0xFFFFFFFF)
    return state + jnp.stack([full.astype("uint32"), jnp.zeros((), "uint32"), jnp.ones((), "uint32")])


# dtype: the unsigned integer of its width, how many of its bits are not mantissa, the bits of 1.0
_LAYOUT = {
    "float16": ("uint16", 6, 0x3C00),
    "float32": ("uint32", 9, 0x3F800000),
    "float64": ("uint64", 12, 0x3FF << 52),
}


def unit(state: Any, shape: tuple[int, ...], dtype: str) -> Any:
    """Uniform numbers in the open interval (0, 1): the middles of 2^m equal parts, m the mantissa bits of ``dtype``."""
    first, second = words(state, shape)
    integer, drop, one = _LAYOUT[dtype]
    if dtype == "float64":
        raw = (first.astype("uint64") << np.uint64(32)) | second.astype("uint64")
    else:
        raw = (first >> np.uint32(32 - 8 * np.dtype(dtype).itemsize)).astype(integer)
    mantissa = (raw >> np.asarray(drop, integer)) | np.asarray(one, integer)
    # In [1, 2), less one, plus half a step: exact, so that neither 0 nor 1 comes out.
    return lax.bitcast_convert_type(mantissa, dtype) - np.asarray(1 - 2.0 ** -(np.finfo(dtype).nmant + 1), dtype)


def below(state: Any, shape: tuple[int, ...], p: Any) -> Any:
    """True with probability ``p`` (float32), for each element: right to 2^-31, and to 1 part in 2^24 of p.

    0 and 1 are exact. One 32-bit word is used for each element.
    """
    first, _ = words(state, shape)
    fraction = (first >> np.uint32(1)).astype("int32").astype("float32") * np.float32((1 - 2.0**-24) * 2.0**-31)
    return fraction < p


def wide(state: Any, shape: tuple[int, ...]) -> Any:
    """Random uint64 words."""
    first, second = words(state, shape)
    return (first.astype("uint64") << np.uint64(32)) | second.astype("uint64")
