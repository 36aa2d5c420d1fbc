"""The process in which one contender runs: reads a request per line, answers each with a line, both JSON.

Requests: ``{"op": "build", "program": ..., "work": ..., "arguments": {...}}``, then any number of ``{"op": "result"}``
(does the work once and tells what it gave), ``{"op": "time", "warm": n, "runs": n}`` (tells the seconds of each run)
``{"op": "memory", "runs": n}`` (tells the bytes that each run needed) and ``{"op": "peak"}`` (tells the largest memory
of the process up to now, in bytes). Each answer carries the processor time that
the process took while nobody asked it for anything. Runs on every Python from 3.7.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def build(program: str, work: str, arguments: dict[str, Any]) -> Callable[[], Any]:
    """Prepare a piece of work: the builder ``work`` of ``benchmarks.programs.<program>``."""
    return getattr(importlib.import_module("benchmarks.programs." + program), work)(**arguments)


def describe(program: str, arguments: dict[str, Any]) -> dict[str, str]:
    """Tell the versions of Python and of the library."""
    said = importlib.import_module("benchmarks.programs." + program).describe(**arguments)
    return {"python": platform.python_version(), "library": said}


def seconds(work: Callable[[], Any], warm: int, runs: int) -> list[float]:
    """Time ``runs`` runs one by one, after ``warm`` others."""
    for _ in range(warm):
        work()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def memory(work: Callable[[], Any], runs: int) -> list[int]:
    """Tell by how many bytes the process grew at most while the work was done, of ``runs`` runs (Linux with glibc)."""
    grown = []
    for _ in range(runs):
        ctypes.CDLL(None).malloc_trim(0)  # what was freed but is still held would hide growth
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = _peak()
        work()
        grown.append(_peak() - before)
    return grown


def serve() -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    work: Callable[[], Any] | None = None
    asleep = time.process_time()
    for line in sys.stdin:
        idle = time.process_time() - asleep
        request = json.loads(line)
        op = request.pop("op")
        answer: Any = None
        try:
            if op == "build":
                work = None  # frees the memory of the work before
                work = build(**request)
            elif op == "describe":
                answer = describe(**request)
            elif op == "peak":
                answer = _peak()
            elif work is None:
                raise RuntimeError(f"'{op}' was asked for before anything was built")
            else:
                answer = work() if op == "result" else {"time": seconds, "memory": memory}[op](work, **request)
            reply: dict[str, Any] = {"answer": answer}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        reply["idle"] = idle
        answers.write(json.dumps(reply, default=lambda value: value.tolist()) + "\n")
        answers.flush()
        asleep = time.process_time()


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status does not tell VmHWM, the process's largest memory")


if __name__ == "__main__":
    serve()
