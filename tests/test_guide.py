"""The guide's programs run, one after the other, and print what it says; its links lead somewhere."""

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
GUIDE = (DOCS / "nets.md").read_text(encoding="utf-8")
EXAMPLES = (DOCS / "examples.md").read_text(encoding="utf-8")


def test_programs_print_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", GUIDE, re.S)
    assert programs
    names = {"__name__": "__main__"}
    for program, shown in programs:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(program, "nets.md", "exec"), names)
        assert printed.getvalue() == shown, program


@pytest.mark.parametrize("page", [GUIDE, EXAMPLES], ids=["nets", "examples"])
def test_links_to_files(page):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", page) if "://" not in link]
    assert links
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_every_example_is_on_its_page():
    scripts = {path.name for path in (DOCS.parent / "examples").glob("*.py")}
    assert scripts <= set(re.findall(r"examples/(\w+\.py)", EXAMPLES))
