"""Processes that work for contenders, and turns between them: one measures, the others wait."""

import json
import os
import select
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.contenders import Contender
from benchmarks.peers import PEERS, ROOT, PeerMissing, python_of

SETTLE = 0.2
"""Seconds between two turns, in which the threads of the last contender go to sleep (OpenBLAS takes 0.1)."""

PATIENCE = 300.0
"""Seconds after which a contender that has not answered is given up."""


class Failed(Exception):
    """A contender cannot be measured; the message says why."""


class Worker:
    """The process of one contender, started at once; end it with ``close`` or a ``with`` block."""

    def __init__(self, contender: Contender, cache: Path | None = None) -> None:
        self.contender = contender
        self.idle = self.slept = 0.0
        try:
            python = python_of(contender.environment)
        except PeerMissing as missing:
            raise Failed(f"missing: {missing}") from None
        cache = cache or PEERS / "compiled" / contender.environment
        flags = {name: value.format(cache=cache) for name, value in contender.flags.items()}
        (PEERS / "logs").mkdir(parents=True, exist_ok=True)
        with open(PEERS / "logs" / f"{contender.environment}.log", "a") as log:
            self.process = subprocess.Popen(
                [python, "-m", "benchmarks.worker"],
                cwd=ROOT,
                env={**os.environ, **flags},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._answered = time.perf_counter()

    def ask(self, op: str, **arguments: Any) -> Any:
        """Send a request and return its answer; raise `Failed` for an error, an end or a long silence."""
        assert self.process.stdin and self.process.stdout
        waited = time.perf_counter() - self._answered
        try:
            self.process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed("failed: the process has ended") from None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        self._answered = time.perf_counter()
        if not line:
            raise Failed(f"failed: {'the process has ended' if ready else f'no answer for {PATIENCE:g} s'}")
        reply = json.loads(line)
        if "error" in reply:
            raise Failed(f"failed: {reply['error'].splitlines()[0]}")
        self.idle, self.slept = self.idle + reply["idle"], self.slept + waited
        return reply["answer"]

    def build(self) -> None:
        """Have the contender's work prepared."""
        self.ask("build", program=self.contender.program, work=self.contender.work, arguments=self.contender.arguments)

    def describe(self) -> dict[str, str]:
        """Tell the versions of Python and of the library."""
        return self.ask("describe", program=self.contender.program, arguments=self.contender.about)

    def close(self) -> None:
        """End the process, if it has not ended."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):  # a request that could not be sent is lost
                if pipe:
                    pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@dataclass
class Measured:
    """What came of one contender: the seconds of each run, round by round, or why there are none."""

    contender: Contender
    rounds: list[list[float]] = field(default_factory=list)
    result: Any = None
    versions: dict[str, str] = field(default_factory=dict)
    idle: float = 0.0
    error: str | None = None


def interleave(contenders: list[Contender], rounds: int, warm: int, least: float) -> list[Measured]:
    """Prepare all contenders, then measure them in turn, ``rounds`` times.

    A turn is ``warm`` runs that do not count and as many that do as fill ``least`` seconds, at least three.
    """
    with ExitStack() as stack:
        measured = [Measured(contender) for contender in contenders]
        workers = {}
        for place, one in enumerate(measured):
            try:
                worker = stack.enter_context(Worker(one.contender))
            except Failed as failed:
                one.error = str(failed)
                continue
            try:
                worker.build()
                one.result = worker.ask("result")
                one.versions = worker.describe()
                slowest = max(worker.ask("time", warm=1, runs=2))
                workers[place] = worker, max(3, min(1000, round(least / slowest)))
            except Failed as failed:
                one.error = str(failed)
                worker.close()  # a process that hangs must not keep a core from the others
        for _ in range(rounds):
            for place, (worker, runs) in list(workers.items()):
                time.sleep(SETTLE)
                try:
                    measured[place].rounds.append(worker.ask("time", warm=warm, runs=runs))
                except Failed as failed:
                    measured[place].error = str(failed)
                    worker.close()
                    del workers[place]
        for place, (worker, _) in workers.items():
            measured[place].idle = worker.idle / worker.slept
        return measured
