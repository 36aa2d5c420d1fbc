"""Sparse matrices for the tests: of one shape, so that few programs are compiled, with anything in them."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import strategies as st

ROWS, COLUMNS = 6, 5


@st.composite
def _matrices(draw, rows=ROWS, columns=COLUMNS, format="csr", dtype="float64"):
    """SciPy matrices of at most 16 entries: empty rows, none at all, stored zeros, entries out of order and twice."""
    count = draw(st.integers(0, 16 if rows and columns else 0))
    places = st.lists(st.integers(0, max(rows - 1, 0)), min_size=count, max_size=count)
    others = st.lists(st.integers(0, max(columns - 1, 0)), min_size=count, max_size=count)
    values = st.lists(st.integers(-3, 3), min_size=count, max_size=count)
    lines, minor, data = np.array(draw(places), int), np.array(draw(others), int), np.array(draw(values)) / 2
    if format == "csc":
        lines, minor = minor, lines
    order = np.argsort(lines, kind="stable")
    pointers = np.searchsorted(lines[order], np.arange((rows if format == "csr" else columns) + 1))
    made = getattr(scipy.sparse, draw(st.sampled_from([f"{format}_matrix", f"{format}_array"])))
    return made((data[order].astype(dtype), minor[order], pointers), shape=(rows, columns))


@pytest.fixture(scope="session")
def matrices():
    """The strategy for matrices: ``matrices(rows=6, columns=5, format='csr', dtype='float64')``."""
    return _matrices
