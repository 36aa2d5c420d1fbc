"""The names that the packages offer, and where the rooms may look."""

import ast
import importlib
import pathlib

import pytest

import croton

NAMES = """
Apply Constant DebugMode Function In Lop MissingInputError Mode NanGuardMode Op Out Rop SharedVariable UnusedInputError
Variable clone config debugprint draw function grad gradient hessian jacobian loop pp printing scan shared sparse tensor
"""
GRAPH = """
Apply Constant Container Op SharedVariable Type Variable ancestors clone debugprint draw explicit_inputs inputs pp
toposort
"""
COMPILE = """
DebugMode FromFunction Function In MissingInputError Mode MonitorMode NanGuardMode OpFromGraph OrderedUpdates Out Param
UnusedInputError UserOp as_op detect_nan function get_default_mode get_mode get_test_value shared
"""


@pytest.mark.parametrize(("module", "names"), [("croton", NAMES), ("croton.graph", GRAPH), ("croton.compile", COMPILE)])
def test_public_names(module, names):
    found = importlib.import_module(module)
    assert sorted(found.__all__) == sorted(names.split())
    for name in found.__all__:
        assert getattr(found, name) is not None


def test_rooms_loaded_when_first_touched():
    assert croton.datasets.__name__ == "croton.datasets"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = croton.nonsense


def test_version():
    assert croton.__version__.count(".") == 2


@pytest.mark.parametrize("module", ["croton", "croton.gradient", "croton.graph", "croton.compile", "croton.settings"])
def test_everything_public_is_documented(module):
    found = importlib.import_module(module)
    assert found.__doc__
    for name in getattr(found, "__all__", [n for n in vars(found) if not n.startswith("_")]):
        value = getattr(found, name)
        if callable(value) and getattr(value, "__module__", "").startswith("croton"):
            assert value.__doc__, name


# Lower rooms never import higher ones when they are loaded.
ORDER = ["settings", "graph", "tensor", "gradient", "rewrites", "compile"]


@pytest.mark.parametrize("room", ORDER)
def test_imports_point_downwards(room):
    source = pathlib.Path(croton.__file__).parent
    files = [source / f"{room}.py"] if (source / f"{room}.py").exists() else sorted((source / room).rglob("*.py"))
    above = ORDER[ORDER.index(room) + 1 :] + ["compat", "cli", "datasets"]
    for file in files:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *[f"{node.module}.{a.name}" for a in node.names]]
            for name in names:
                assert not any(name.startswith(f"croton.{high}") for high in above), f"{file.name} imports {name}"
