"""CPU devices: how many are asked for, when JAX is left alone, and over how many a minibatch is divided."""

import os
import subprocess
import sys

import jax
import pytest

from croton import devices


@pytest.mark.parametrize(("said", "expected"), [("1", 1), ("3", 3), ("64", 64)])
def test_the_variable_says_how_many(monkeypatch, said, expected):
    monkeypatch.setenv(devices.VARIABLE, said)
    assert devices.wanted() == expected


@pytest.mark.parametrize("said", ["0", "two", "-1", "1.5"])
def test_what_is_no_number_is_refused(monkeypatch, said):
    monkeypatch.setenv(devices.VARIABLE, said)
    with pytest.raises(ValueError, match=f"CROTON_CPU_DEVICES='{said}': a number"):
        devices.wanted()


def test_without_it_there_is_one_for_each_core_the_process_may_use(monkeypatch):
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    assert devices.wanted() == 6
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert devices.wanted() == 4
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(96)), raising=False)
    assert devices.wanted() == devices.MOST


COUNT = "import croton, jax; print(len(jax.devices('cpu')))"
CHILD = """
import multiprocessing
def count():
    import croton, jax
    return len(jax.devices("cpu"))
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(count))
"""


@pytest.mark.parametrize(
    ("program", "variables", "expected"),
    [
        (COUNT, {devices.VARIABLE: "3"}, 3),
        (COUNT, {devices.VARIABLE: "3", "JAX_NUM_CPU_DEVICES": "2"}, 2),
        (COUNT, {devices.VARIABLE: "3", "XLA_FLAGS": "--xla_force_host_platform_device_count=4"}, 4),
        ("import jax; jax.devices(); " + COUNT, {devices.VARIABLE: "3"}, 1),
        (CHILD, {}, 1),
    ],
    ids=["asked", "told to JAX", "told to XLA", "too late", "a process beside others"],
)
def test_jax_is_asked_where_nobody_else_has_said(tmp_path, program, variables, expected):
    environment = {k: v for k, v in os.environ.items() if k not in (devices.VARIABLE, "OMP_NUM_THREADS", "XLA_FLAGS")}
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py"], env=environment | variables, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.returncode) == (str(expected), 0), done.stderr


@pytest.mark.skipif(len(jax.local_devices()) != 2, reason="for two devices")
@pytest.mark.parametrize(("examples", "count"), [(64, 2), (16, 2), (17, None), (14, None), (1, None)])
def test_a_minibatch_is_divided_equally_or_not_at_all(examples, count):
    mesh = devices.mesh_for(examples)
    assert (None if mesh is None else mesh.size) == count


def test_a_chosen_device_does_it_all():
    with jax.default_device(jax.local_devices()[0]):
        assert devices.mesh_for(64) is None
