"""The public names: listed once, documented in docs/api.md, and each with a test that names it."""

import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import croton.tensor as T
from croton.tensor.creators import CREATORS
from croton.tensor.elemwise import Elemwise

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# The rooms within the room.
ROOMS = {name for name in ("conv", "nnet", "pool", "random", "signal", "special") if name in T.__all__}


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def documented() -> ModuleType:
    return load(ROOT / "docs" / "make_api.py")


def test_the_list_is_what_the_package_has():
    assert len(T.__all__) == len(set(T.__all__))
    present = {
        name
        for name, value in vars(T).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name not in ("Any", "CREATORS")
    }
    lazily = {"grad", "Rop", "Lop", "jacobian", "hessian", "verify_grad", "consider_constant"}
    assert set(T.__all__) == present | ROOMS | lazily
    for name in T.__all__:
        assert getattr(T, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        T.no_such_name  # noqa: B018


def test_the_documented_list_is_the_public_one(documented):
    """After a change of a public name or its first line, run ``python docs/make_api.py``."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert text == documented.page()
    for room in documented.ROOMS:
        section = re.search(rf"^## {re.escape(room)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
        assert section is not None
        found = re.findall(r"`(\w+)`", "\n".join(re.findall(r"^- (`\w+`(?:, `\w+`)*)", section[1], re.M)))
        assert sorted(found) == documented.public_names(importlib.import_module(room))


@pytest.mark.parametrize("room", ["croton.tensor", "croton.tensor.nnet", "croton.gradient", "croton"])
def test_every_public_name_says_what_it_is(room, documented):
    module = importlib.import_module(room)
    undocumented = [n for n in documented.public_names(module) if not (getattr(module, n).__doc__ or "").strip()]
    assert not undocumented


def test_every_function_has_a_reference():
    """Each public function is in the table of one of the files here, which compares it with NumPy or SciPy."""
    stems = ("elemwise", "reduce", "shape", "construct", "linalg", "sort", "extra")
    tables = {stem: load(HERE / f"test_{stem}.py") for stem in stems}
    covered = {
        n for m in tables.values() for table in ("REFERENCES", "CASES", "ELSEWHERE") for n in getattr(m, table, ())
    }
    index = {
        "subtensor", "set_subtensor", "inc_subtensor", "take", "nonzero",
        "flatnonzero", "nonzero_values", "compress", "choose",
    }  # fmt: skip
    control = {"ifelse", "assert_op"}
    other = {*ROOMS, *control, "tensor", "static_length", "round", "divmod", *CREATORS, *T._GRADIENTS}
    rows = [getattr(T, n) for n in covered if isinstance(getattr(T, n, None), Elemwise)]
    aliases = {n for n in T.__all__ if isinstance(getattr(T, n), Elemwise) and getattr(T, n) in rows}
    classes = {n for n in T.__all__ if inspect.isclass(getattr(T, n))}
    assert set(T.__all__) == covered | index | other | aliases | classes
    chosen = (HERE / "test_control.py").read_text(encoding="utf-8")
    assert all(f"{name}(" in chosen for name in control)
    text = (HERE / "test_index.py").read_text(encoding="utf-8")
    assert all(f"T.{name}(" in text or f".{name}(" in text for name in index - {"subtensor"}) and "x[index]" in text
