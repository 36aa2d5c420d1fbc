"""A sparse matrix as programs hold it, and the way there from SciPy's and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

FORMATS = ("csr", "csc")


@jax.tree_util.register_pytree_node_class
class Sparse:
    """The entries of a matrix: ``data``, their ``rows`` and ``cols``, and which of them are ``valid``.

    What is not valid is room: its data is 0, its place some place in the matrix. Room lets matrices of differing
    numbers of entries run in one program, and an op drop entries where a program cannot change a length. ``canonical``:
    no two valid entries share a place, and they stand in the order of ``format``.
    """

    ndim = 2
    __slots__ = ("canonical", "cols", "data", "format", "rows", "shape", "valid")

    def __init__(
        self, data: Any, rows: Any, cols: Any, valid: Any, shape: tuple[int, int], format: str, canonical: bool
    ) -> None:
        self.data, self.rows, self.cols, self.valid = data, rows, cols, valid
        self.shape, self.format, self.canonical = shape, format, canonical

    def tree_flatten(self) -> Any:
        return self.parts, (self.shape, self.format, self.canonical)

    @classmethod
    def tree_unflatten(cls, static: Any, children: Any) -> Sparse:
        return cls(*children, *static)

    def __reduce__(self) -> Any:
        return Sparse, (*map(np.asarray, self.parts), self.shape, self.format, self.canonical)

    @property
    def parts(self) -> tuple[Any, Any, Any, Any]:
        return self.data, self.rows, self.cols, self.valid

    @property
    def dtype(self) -> Any:
        return self.data.dtype

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in self.parts)

    def __len__(self) -> int:
        """How many entries there is room for."""
        return len(self.data)

    # --- others like it ---

    def holding(self, data: Any, valid: Any = None) -> Sparse:
        """The same places with other data, and, of them, only those that are ``valid``."""
        keep = self.valid if valid is None else self.valid & valid
        data = jnp.where(keep, data, jnp.zeros((), data.dtype))
        return Sparse(data, self.rows, self.cols, keep, self.shape, self.format, self.canonical)

    def turned(self) -> Sparse:
        """The transpose, in the other format: its entries are in order already."""
        other = "csc" if self.format == "csr" else "csr"
        return Sparse(self.data, self.cols, self.rows, self.valid, self.shape[::-1], other, self.canonical)

    def keys(self) -> Any:
        """A number for the place of each entry, ascending in the order of the format; the largest for room."""
        n, m = (np.int64(length) for length in self.shape)
        rows, cols = jnp.asarray(self.rows, "int64"), jnp.asarray(self.cols, "int64")
        return jnp.where(self.valid, rows * m + cols if self.format == "csr" else cols * n + rows, n * m)

    def merged(self) -> Sparse:
        """The same matrix, canonical, of JAX arrays: entries that share a place are added up."""
        if self.canonical or not len(self):
            data, rows, cols, valid = map(jnp.asarray, self.parts)
            return Sparse(data, rows, cols, valid, self.shape, self.format, True)
        keys = self.keys()
        order = jnp.argsort(keys, stable=True)
        ordered = keys[order]
        first = jnp.concatenate([jnp.ones(1, bool), ordered[1:] != ordered[:-1]])
        group = jnp.cumsum(first) - 1
        zero = jnp.zeros(len(self), self.dtype)
        data = jnp.asarray(self.data)[order]
        data = zero.at[group].max(data) if self.dtype == bool else zero.at[group].add(data)
        rows, cols, valid = (
            jnp.zeros(len(self), a.dtype).at[group].set(jnp.asarray(a)[order])
            for a in (self.rows, self.cols, self.valid)
        )
        return Sparse(data, rows, cols, valid, self.shape, self.format, True)

    def dense(self) -> Any:
        """The matrix as a JAX array."""
        start = jnp.zeros(self.shape, self.dtype)
        if 0 in self.shape or not len(self):
            return start
        at = start.at[self.rows, self.cols]
        return at.max(self.data) if self.dtype == bool else at.add(self.data)

    # --- from SciPy and back ---

    @classmethod
    def of(cls, matrix: Any, room: int | None = None) -> Sparse:
        """A SciPy matrix in one of the two formats, copied; ``room`` for so many entries (ValueError where they are
        more).
        """
        matrix = _canonical(matrix)
        count = matrix.nnz
        room = count if room is None else room
        if room < count:
            raise ValueError(f"a sparse matrix of {count} entries does not fit into room for {room}")
        index = index_dtype(matrix.shape)
        major = np.repeat(np.arange(len(matrix.indptr) - 1, dtype=index), np.diff(matrix.indptr))
        minor = matrix.indices.astype(index, copy=False)
        rows, cols = (major, minor) if matrix.format == "csr" else (minor, major)
        # Room stands in the last place, so that the order by place holds.
        data, rows, cols, valid = (
            np.concatenate([a, np.full(room - count, fill, a.dtype)])
            for a, fill in (
                (matrix.data, 0),
                (rows, max(matrix.shape[0] - 1, 0)),
                (cols, max(matrix.shape[1] - 1, 0)),
                (np.ones(count, bool), False),
            )
        )
        return cls(data, rows, cols, valid, (int(matrix.shape[0]), int(matrix.shape[1])), matrix.format, True)

    def scipy(self) -> Any:
        """The matrix as SciPy's ``csr_matrix`` or ``csc_matrix``, canonical, its arrays the caller's own."""
        import scipy.sparse

        valid = np.asarray(self.valid)
        data, rows, cols = (np.asarray(a)[valid] for a in (self.data, self.rows, self.cols))
        made = getattr(scipy.sparse, f"{self.format}_matrix")
        if not self.canonical:
            return made((data, (rows, cols)), shape=self.shape)
        major, minor = (rows, cols) if self.format == "csr" else (cols, rows)
        lines = self.shape[0 if self.format == "csr" else 1]
        pointers = np.concatenate([[0], np.cumsum(np.bincount(major, minlength=lines))])
        return made((data, minor, pointers), shape=self.shape)


def index_dtype(shape: Sequence[int]) -> str:
    """The integers that hold places in a matrix of this shape."""
    return "int32" if max(shape, default=0) < 2**31 else "int64"


def _canonical(matrix: Any) -> Any:
    """``matrix`` with its entries in order and none twice: itself, seen anew, or a copy. SciPy marks what it finds on
    the object, and may have marked it before its arrays were changed.
    """
    seen = type(matrix)((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape, copy=False)
    if not seen.has_canonical_format:
        seen = seen.copy()
        seen.sum_duplicates()
    return seen


def room_for(count: int) -> int:
    """The room that arguments of ``count`` entries get: one of four sizes between powers of two, at least 16.

    >>> room_for(3), room_for(1000), room_for(1025)
    (16, 1024, 1280)
    """
    step = 1 << max(count - 1, 8).bit_length() - 3
    return max(16, -(-count // step) * step)


def is_scipy(value: Any) -> bool:
    """Whether ``value`` is a sparse matrix or array of SciPy's, of any format."""
    return hasattr(value, "tocsr") and hasattr(value, "nnz")


# --- what programs do alike for sparse and dense values ---


def inside(value: Any) -> Any:
    """A value as a program takes it: an array, or a Sparse with room to spare."""
    if isinstance(value, Sparse):
        return value
    return Sparse.of(value, room_for(value.nnz)) if is_scipy(value) else np.asarray(value)


def outside(value: Any) -> Any:
    """A program's value as the caller's own: a NumPy array, or a SciPy matrix."""
    return value.scipy() if isinstance(value, Sparse) else np.array(value)


def on_device(value: Any) -> Any:
    """A program's value with JAX arrays in it."""
    return jax.tree.map(jnp.asarray, value)


def fitted(value: Any) -> Any:
    """A value to store: a sparse matrix that has grown more room than it needs, made anew on the host."""
    if not isinstance(value, Sparse) or value.canonical:
        return value
    return Sparse.of(value.scipy(), room_for(int(np.sum(value.valid))))


def moving(value: Any) -> Any:
    """What a derivative by a value is taken with respect to: the array, or a sparse matrix's data."""
    return jnp.asarray(value.data if isinstance(value, Sparse) else value)


def moved(value: Any, array: Any) -> Any:
    """``array`` in the place of what ``moving`` gives of ``value``."""
    return value.holding(array) if isinstance(value, Sparse) else array
