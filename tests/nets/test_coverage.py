"""The page that says which tests show which promise is the one that the tests' marks make."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_coverage_page_is_current():
    code = (
        "import sys; sys.path.insert(0, 'docs'); import make_coverage as m; text = m.page(m.collected()); "
        "sys.exit(0 if text == m.PAGE.read_text(encoding='utf-8') else 'docs/coverage.md is old: run "
        "docs/make_coverage.py')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
