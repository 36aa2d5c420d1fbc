"""One CPU device for each core, over which the steps of recurrent nets divide their examples.

XLA multiplies the small matrices of a recurrent step on one core. Two devices, each with half of a minibatch's
examples, use two. XLA inserts what has to be exchanged, so results are those of one device but for rounding.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

log = logging.getLogger("croton")

# The environment variable that says how many CPU devices there shall be; 1: no more than JAX itself makes.
VARIABLE = "CROTON_CPU_DEVICES"
# As many are made by default at most.
MOST = 8
# A device gets at least so many examples of a minibatch.
LEAST = 8
# The name of the mesh's only axis.
AXIS = "examples"


def cores() -> int:
    """How many cores this process may use: as many as it is bound to, and no more than ``OMP_NUM_THREADS``.

    A process that others started to work beside them (by `multiprocessing`, `joblib`) is taken to share its cores: 1.
    """
    if multiprocessing.parent_process() is not None:
        return 1
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = os.environ.get("OMP_NUM_THREADS", "")
    return min(bound, int(said)) if said.isdigit() and int(said) > 0 else bound


def wanted() -> int:
    """How many CPU devices to ask for; ValueError where the variable does not hold a number from 1 up."""
    said = os.environ.get(VARIABLE, "")
    if not said:
        return min(cores(), MOST)
    if not (said.isdigit() and int(said) > 0):
        raise ValueError(f"{VARIABLE}={said!r}: a number of CPU devices, from 1 up, is expected")
    return int(said)


def ask_for_devices() -> None:
    """Have JAX make a CPU device for each core, where nobody has said how many and none has been made yet."""
    count = wanted()
    told = jax.config.jax_num_cpu_devices != -1  # type: ignore[attr-defined]
    if count == 1 or told or "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError as error:
        log.debug("JAX has made its CPU devices already: %s", error)


_current: ContextVar[Mesh | None] = ContextVar("mesh", default=None)


@contextmanager
def dividing(mesh: Mesh | None) -> Iterator[None]:
    """While this lasts, what is traced and lowered is for examples divided over ``mesh``."""
    token = _current.set(mesh)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Mesh | None:
    """The mesh over which examples are divided in what is being traced."""
    return _current.get()


@cache
def _mesh(count: int) -> Mesh:
    devices = np.array(jax.local_devices(backend="cpu")[:count])
    return Mesh(devices, (AXIS,), axis_types=(AxisType.Auto,))


def mesh_for(examples: int) -> Mesh | None:
    """The devices to divide so many examples over, equally; None where one is to do it all."""
    if jax.default_backend() != "cpu" or jax.config.jax_default_device is not None:  # type: ignore[attr-defined]
        return None
    most = min(len(jax.local_devices()), examples // LEAST)
    count = next((k for k in range(most, 1, -1) if examples % k == 0), 1)
    return _mesh(count) if count > 1 else None


def everywhere(mesh: Mesh, values: Any) -> Any:
    """The same values on each device; the devices of a CPU share the memory."""
    whole = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(lambda x: jax.device_put(np.asarray(x), whole), values)


def at_home(values: Any) -> Any:
    """Values that each device of a mesh has whole, as arrays on the default device."""
    return jax.tree.map(lambda x: jax.device_put(np.asarray(x)), values)


def held_whole(mesh: Mesh, values: Any) -> Any:
    """Within a program: the values, each of them whole on each device."""
    return jax.lax.with_sharding_constraint(values, NamedSharding(mesh, PartitionSpec()))


def divided(mesh: Mesh, array: Any, axis: int) -> Any:
    """Within a program: the array, its examples along ``axis`` divided over the devices."""
    return jax.lax.with_sharding_constraint(array, NamedSharding(mesh, PartitionSpec(*[None] * axis, AXIS)))
