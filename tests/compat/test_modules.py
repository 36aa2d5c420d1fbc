import collections
import importlib
import sys

import pytest

from croton.compat.modules import Absent, TableFinder, Value, absent, find
from croton.compat.unsupported import Placeholder, UnsupportedName

TABLE = {
    "oldmath": {
        "pi": "math:pi",
        "tau": Value(6.28),
        "gone": "math:gone",
        "never": None,
        "nowhere": "croton.no_such_room:thing",
        "trig": "math:sin",
        "_hidden": "math:e",
    },
    "oldmath.trig": {"cosine": "math:cos"},
    "oldmath.lists": {"deque": "collections:deque"},
    "oldjson": "json",
}


@pytest.fixture
def served(monkeypatch):
    """``oldmath`` and ``oldjson`` importable for the length of a test."""
    monkeypatch.setattr(sys, "meta_path", [TableFinder(TABLE), *sys.meta_path])
    yield
    for name in TABLE:
        sys.modules.pop(name, None)


def test_a_row_is_looked_up_when_it_is_asked_for(served):
    import oldmath

    assert "pi" not in vars(oldmath)
    assert oldmath.pi == find("math:pi")
    assert oldmath.tau == 6.28
    assert "pi" in vars(oldmath)


def test_names_of_the_table_that_are_missing_can_be_imported_and_not_used(served):
    from oldmath import gone, never, nowhere

    assert all(isinstance(name, Placeholder) for name in (gone, never, nowhere))
    with pytest.raises(UnsupportedName, match=r"oldmath\.gone is not supported by croton"):
        gone()


def test_names_that_never_were_are_missing_as_usual(served):
    import oldmath

    assert not hasattr(oldmath, "phi")
    with pytest.raises(AttributeError, match="module 'oldmath' has no attribute 'phi'"):
        _ = oldmath.phi
    with pytest.raises(ImportError, match="cannot import name 'phi'"):
        from oldmath import phi  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"oldmath\.phi"):
        importlib.import_module("oldmath.phi")


def test_a_submodule_is_imported_when_it_is_asked_for(served):
    import oldmath

    assert oldmath.lists.deque is collections.deque
    from oldmath import lists

    assert lists is sys.modules["oldmath.lists"]


def test_where_a_row_and_a_submodule_share_a_name_the_row_is_the_attribute(served):
    import oldmath
    import oldmath.trig
    from oldmath.trig import cosine

    assert oldmath.trig(0.0) == 0.0
    assert cosine(0.0) == 1.0


def test_star_import_gives_public_rows_and_submodules(served):
    names: dict[str, object] = {}
    exec("from oldmath import *", names)
    assert {"pi", "tau", "gone", "never", "nowhere", "trig", "lists"} == names.keys() - {"__builtins__"}


def test_a_module_can_be_another_name_of_one(served):
    import json

    import oldjson

    assert oldjson is json
    assert json.__spec__.name == "json"


def test_dir_lists_the_rows(served):
    import oldmath

    assert {"pi", "gone"} <= set(dir(oldmath))


def test_absent_lists_what_is_not_there():
    assert list(absent(TABLE)) == ["oldmath.gone", "oldmath.never", "oldmath.nowhere"]


def test_an_error_inside_the_home_of_a_name_is_not_taken_for_its_absence(tmp_path, monkeypatch):
    (tmp_path / "broken_home.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        find("broken_home:thing")
    with pytest.raises(Absent):
        find("a_module_that_is_not_there:thing")
