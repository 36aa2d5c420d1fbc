"""Who is compared: a row per contender, naming its environment, its program and what it is asked to build."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.networks import WORKS


@dataclass(frozen=True)
class Contender:
    """One line of a table: ``work`` of ``benchmarks.programs.<program>``, run in an environment.

    ``target`` is the largest ratio wanted of one of ours, None for a peer. ``flags`` are variables of the process's
    environment; ``{cache}`` in them becomes the folder in which compiled code may be kept.
    """

    name: str
    environment: str
    program: str
    work: str
    arguments: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    target: float | None = None

    @property
    def ours(self) -> bool:
        """Whether it is croton that is measured."""
        return self.program == "outputs" or self.about.get("library") == "croton"

    def asked(self, **arguments: Any) -> "Contender":
        """Return the same contender with more arguments for its builder."""
        return replace(self, arguments={**self.arguments, **arguments})


def _symbolic(name: str, library: str, work: str, flags: dict[str, str], target: float | None = None) -> Contender:
    about = {"library": library}
    return Contender(name, library, "symbolic", work, about, about, flags, target)


NO_CACHE = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
THEANO = {"THEANO_FLAGS": "floatX=float32,blas.ldflags=-lopenblas,base_compiledir={cache}"}
_PYTENSOR = "floatX=float32,blas__ldflags=-lopenblas,base_compiledir={cache}"
PYTENSOR = {"PYTENSOR_FLAGS": _PYTENSOR, "NUMBA_CACHE_DIR": "{cache}/numba"}
INDUCTOR = {"TORCHINDUCTOR_CACHE_DIR": "{cache}/inductor"}
KERAS = {"KERAS_BACKEND": "jax", **NO_CACHE}
CROTON, THEANETS = {"library": "croton"}, {"library": "theanets"}
PYTENSOR_C = {"PYTENSOR_FLAGS": _PYTENSOR + ",linker=cvm", "NUMBA_CACHE_DIR": "{cache}/numba"}


def training(folder: Path) -> list[Contender]:
    """Name who trains in (a), on the data in ``folder``."""
    croton = _symbolic("croton, calls", "croton", "train", NO_CACHE, target=1.0)
    over = replace(croton.asked(over=True), name="croton, `over`", target=0.7)
    torch = Contender("PyTorch eager, SGD by hand", "torch", "by_torch", "train")
    rows = [
        croton,
        over,
        Contender("JAX by hand", "croton", "by_jax", "train", flags=NO_CACHE),
        torch,
        replace(torch.asked(optimizer=True), name="PyTorch eager, torch.optim.SGD"),
        _symbolic("Theano", "theano", "train", THEANO),
        _symbolic("PyTensor, default mode", "pytensor", "train", PYTENSOR),
        _symbolic("PyTensor, linker cvm", "pytensor", "train", PYTENSOR_C),
    ]
    return [row.asked(folder=str(folder)) for row in rows]


def calls(number: int) -> list[Contender]:
    """Name who calls the tiny function of (b), ``number`` times in a run."""
    rows = [
        _symbolic("croton", "croton", "tiny", NO_CACHE, target=1.5),
        Contender("bare jax.jit", "croton", "by_jax", "tiny", flags=NO_CACHE),
        _symbolic("Theano", "theano", "tiny", THEANO),
        _symbolic("PyTensor, default mode", "pytensor", "tiny", PYTENSOR),
        _symbolic("PyTensor, linker cvm", "pytensor", "tiny", PYTENSOR_C),
    ]
    return [row.asked(calls=number) for row in rows]


def first_step(folder: Path) -> list[Contender]:
    """Name who starts in (c): those of (a), asked for one step, one of each where the start is the same."""
    rows = [row.asked(steps=1) for row in training(folder) if "over" not in row.arguments]
    return [replace(row, target=None) for row in rows if "optim" not in row.name]


def many_outputs(outputs: int) -> list[Contender]:
    """Name the four programs of (d) at one number of outputs."""
    return [
        Contender(f"{work}, {form}", "croton", "outputs", work, {"form": form, "outputs": outputs}, flags=NO_CACHE)
        for work in ("forward", "step")
        for form in ("hierarchical", "full")
    ]


def lenet(folder: Path, batch: int, steps: int) -> list[Contender]:
    """Name who trains the convolutional network of (e), on the data in ``folder``."""
    about = {"library": "croton"}
    rows = [
        Contender("croton, calls", "croton", "lenet", "train", about=about, flags=NO_CACHE, target=1.0),
        Contender("croton, `over`", "croton", "lenet", "train", {"over": True}, about, NO_CACHE, target=1.0),
        Contender("PyTorch eager, SGD by hand", "torch", "lenet_torch", "train"),
    ]
    return [row.asked(folder=str(folder), batch=batch, steps=steps) for row in rows]


def recurrent(cell: str, units: int, batch: int, time: int, steps: int) -> list[Contender]:
    """Name who trains the recurrent network of (f): croton, JAX and PyTorch, in this order."""
    rows = [
        Contender("croton", "croton", "recurrent", "train", about={"library": "croton"}, flags=NO_CACHE, target=0.8),
        Contender("JAX by hand", "croton", "recurrent_jax", "train", flags=NO_CACHE),
        Contender("PyTorch's layer", "torch", "recurrent_torch", "train"),
    ]
    return [row.asked(cell=cell, units=units, batch=batch, time=time, steps=steps) for row in rows]


def recurrent_memory(units: int, batch: int, time: int, save_every: int) -> list[Contender]:
    """Name whose memory is measured in (g): JAX, croton's `scan`, its `scan_checkpoints`, in this order."""
    croton = Contender("croton, scan", "croton", "recurrent", "last", about={"library": "croton"}, flags=NO_CACHE)
    rows = [
        Contender("JAX by hand", "croton", "recurrent_jax", "last", flags=NO_CACHE),
        croton,
        replace(croton.asked(save_every=save_every), name="croton, scan_checkpoints"),
    ]
    return [row.asked(units=units, batch=batch, time=time) for row in rows]


def networks(name: str) -> list[Contender]:
    """Name who trains a network of (h), by its name in `networks.WORKS`: those who can."""
    forms = {layer.form for layer in WORKS[name].layers}
    torch = Contender("PyTorch eager", "torch", "nets_torch", "train")
    rows = [
        Contender("croton", "croton", "nets", "train", CROTON, CROTON, NO_CACHE),
        torch,
        replace(torch.asked(compiled=True), name="PyTorch, torch.compile", flags=INDUCTOR),
        Contender("JAX by hand", "croton", "nets_jax", "train", flags=NO_CACHE),
        Contender("Keras on JAX", "keras", "nets_keras", "train", flags=KERAS),
    ]
    if "conv" not in forms:
        rows.append(Contender("theanets", "theano", "nets", "train", THEANETS, THEANETS, THEANO))
    if forms <= {"ff", "tied"}:
        rows.append(Contender("PyTensor", "pytensor", "nets_pytensor", "train", flags=PYTENSOR))
    return [row.asked(name=name) for row in rows]


def first_epoch(name: str) -> list[Contender]:
    """Name who starts in (i): croton twice, with its folder for compiled programs empty, and with what that left."""
    rows = {row.name: row for row in networks(name)}
    croton = replace(rows["croton"], name="croton, cold", flags={"CROTON_COMPILE_CACHE": "{cache}/croton"})
    peers = [rows[one] for one in ("PyTorch eager", "JAX by hand", "Keras on JAX")]
    return [croton, replace(croton, name="croton, warm"), *peers]


def epochs(number: list[int]) -> Contender:
    """Name whose memory is measured in (j), after so many epochs each."""
    return Contender("croton", "croton", "nets", "resident", {**CROTON, "epochs": number}, CROTON, NO_CACHE)


def lowered(name: str) -> Contender:
    """Name who brings a network of (h) to XLA, in (k)."""
    return Contender("croton", "croton", "nets", "lowered", {"name": name}, CROTON, NO_CACHE)


def rates(sizes: list[int]) -> list[Contender]:
    """Name who measures the machine's own rates, for arrays of these sizes."""
    about = [("croton", "numpy"), ("croton", "jax"), ("torch", "torch")]
    return [
        Contender(library, where, "rates", "measure", {"library": library, "sizes": sizes}, {"library": library})
        for where, library in about
    ]
