"""Writes docs/api.md: every public name with the first line of its docstring. Run it as ``python docs/make_api.py``."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from croton.tensor.creators import CREATORS

ROOMS = (
    "croton",
    "croton.loop",
    "croton.tensor",
    "croton.tensor.random",
    "croton.tensor.conv",
    "croton.tensor.pool",
    "croton.tensor.signal",
    "croton.tensor.nnet",
    "croton.tensor.nnet.neighbours",
    "croton.tensor.nnet.blocksparse",
    "croton.tensor.nnet.ctc",
    "croton.sparse",
    "croton.gradient",
    "croton.printing",
    "croton.nets",
    "croton.nets.layers",
    "croton.nets.losses",
    "croton.nets.regularizers",
    "croton.nets.recurrent",
    "croton.nets.convolution",
    "croton.estimators",
    "croton.datasets",
    "croton.compile",
)
PAGE = Path(__file__).parent / "api.md"


def public_names(module: ModuleType) -> list[str]:
    """The names a module lists as public or, where it has no list, those that it defines itself."""
    listed = getattr(module, "__all__", None)
    if listed is None:
        listed = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
        ]
    return sorted(listed)


def first_sentence(value: object) -> str:
    """The first line of a docstring, with the next ones where the sentence goes on."""
    taken: list[str] = []
    for line in (value.__doc__ or "").strip().split("\n"):
        taken.append(line.strip())
        if not line.strip() or line.rstrip().endswith((".", ":")):
            break
    return " ".join(taken).strip()


def lines(module: ModuleType) -> Iterator[str]:
    """A line for each name; the creators of variables, which differ in dtype and rank only, by kind."""
    creators = CREATORS if module.__name__ == "croton.tensor" else {}
    for name in public_names(module):
        if name not in creators:
            yield f"- `{name}`: {first_sentence(getattr(module, name))}"
    if creators:
        yield ""
        yield "Variables by name, one (`matrix('x')`) or several (`matrices('x', 'y')`); the first letter is the dtype:"
        yield ""
        kinds = [name for name in creators if not any(name != k and name.endswith(k) for k in creators)]
        for kind in kinds:
            yield f"- {', '.join(f'`{name}`' for name in creators if name.endswith(kind))}"


def page() -> str:
    """The whole page."""
    parts = ["# Public names", "", "Written by `python docs/make_api.py` from the docstrings; a test compares the two."]
    for room in ROOMS:
        module = importlib.import_module(room)
        parts += ["", f"## {room}", "", first_sentence(module), "", *lines(module)]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
