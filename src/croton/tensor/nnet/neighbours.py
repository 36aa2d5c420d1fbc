"""Patches of images as the rows of a matrix, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import lax

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp
from croton.tensor.shape import kind, static_length, static_value
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable

MODES = ("valid", "half", "full", "ignore_borders", "wrap_centered")


@dataclass(frozen=True)
class Images2Neibs(TensorOp):
    """The patches of images, each a row. Inputs: a tensor of rank 4, a pair of integers, the patches' shape, and
    another, the step between them (the shape if None). ``mode`` as in ``images2neibs``.

    >>> import numpy as np
    >>> Images2Neibs()(np.arange(4.).reshape(1, 1, 2, 2), (1, 2)).eval()
    array([[0., 1.],
           [2., 3.]])
    """

    mode: str = "valid"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise NotImplementedError(f"images2neibs: mode {self.mode!r} is none of {', '.join(map(repr, MODES))}")

    def make_node(self, *inputs: Any) -> Apply:
        images, shape, step = (*inputs, None)[: max(len(inputs), 3)]
        return super().make_node(images, shape, shape if step is None else step)

    def output_types(self, images: Variable, shape: Variable, step: Variable) -> Sequence[Type]:
        if kind(images).ndim != 4:
            raise TypeError(f"{self}: {images} of type {images.type} must have 4 dimensions")
        _check_pair(f"{self} of {images}", "neib_shape", shape)
        _check_pair(f"{self} of {images}", "neib_step", step)
        sizes, steps = static_value(shape), static_value(step)
        if sizes is None or steps is None:
            return [TensorType(kind(images).dtype, (False, False))]
        grid = [
            None if n is None else self.count(images, k, n, int(sizes[k]), int(steps[k]))
            for k, n in enumerate(kind(images).shape[2:])
        ]
        lengths = (*kind(images).shape[:2], *grid)
        rows = None if None in lengths else lengths[0] * lengths[1] * lengths[2] * lengths[3]  # type: ignore[operator]
        return [TensorType(kind(images).dtype, shape=(rows, int(sizes[0]) * int(sizes[1])))]

    def padding(self, size: int) -> int:
        """How many cells are added on either side."""
        return {"half": size // 2, "wrap_centered": size // 2, "full": size - 1}.get(self.mode, 0)

    def count(self, images: Variable, k: int, length: int, size: int, step: int) -> int:
        """How many patches lie along rows (``k`` = 0) or columns (1); raises where they do not fit."""
        where = f"{self} of {images}, dimension {2 + k} of length {length}"
        if size < 1 or step < 1:
            raise ValueError(f"{where}: neib_shape[{k}] = {size} and neib_step[{k}] = {step} must be at least 1")
        if self.mode == "wrap_centered" and size % 2 == 0:
            raise TypeError(f"{where}: neib_shape[{k}] = {size} must be odd to have a centre")
        if length < size:
            raise TypeError(f"{where}: a patch of {size} is larger than the image")
        if self.mode == "wrap_centered":
            return -(-length // step)
        steps, rest = divmod(length + 2 * self.padding(size) - size, step)
        if rest and self.mode != "ignore_borders":
            raise TypeError(
                f"{where}: neib_shape[{k}] = {size} and neib_step[{k}] = {step} not consistent, {rest} cells are left "
                f"over; choose others, or mode 'ignore_borders'"
            )
        return steps + 1

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[1:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, shape, step = jnp.asarray(values[0]), *values[1:]
        _check_lengths(f"{self} of {node.inputs[0]}", neib_shape=shape, neib_step=step)
        counts = [self.count(node.inputs[0], k, x.shape[2 + k], int(shape[k]), int(step[k])) for k in (0, 1)]
        pads = [self.padding(int(n)) for n in shape]
        x = jnp.pad(
            x, [(0, 0), (0, 0), *[(p, p) for p in pads]], mode="wrap" if self.mode == "wrap_centered" else "constant"
        )
        # Rows first: (n, c, grid row, row, column), then columns: (n, c, grid row, row, grid column, column).
        for axis, size, by, count in zip((2, 4), shape, step, counts, strict=True):
            end = (count - 1) * int(by) + 1
            places = [lax.slice_in_dim(x, k, k + end, int(by), axis=axis) for k in range(int(size))]
            x = jnp.stack(places, axis + 1)
        return x.transpose(0, 1, 2, 4, 3, 5).reshape(-1, int(shape[0]) * int(shape[1]))

    def __str__(self) -> str:
        return f"Images2Neibs{{{self.mode}}}"


@dataclass(frozen=True)
class Neibs2Images(TensorOp):
    """Images from their patches, which do not overlap; what no patch covers is 0."""

    mode: str = "valid"

    def __post_init__(self) -> None:
        if self.mode not in ("valid", "ignore_borders"):
            raise NotImplementedError(f"neibs2images: mode {self.mode!r} is neither 'valid' nor 'ignore_borders'")

    def output_types(self, neibs: Variable, shape: Variable, original: Variable) -> Sequence[Type]:
        if kind(neibs).ndim != 2:
            raise TypeError(f"{self}: {neibs} of type {neibs.type} must be a matrix")
        _check_pair(f"{self} of {neibs}", "neib_shape", shape)
        if kind(original).ndim != 1 or static_length(original) not in (None, 4) or kind(original).dtype[0] not in "iu":
            raise TypeError(f"{self}: original_shape must be 4 integers, got {original} of type {original.type}")
        known = static_value(original)
        return [TensorType(kind(neibs).dtype, shape=(None,) * 4 if known is None else tuple(map(int, known)))]

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[1:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False, False]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, shape, original = jnp.asarray(values[0]), *values[1:]
        where = f"{self} of {node.inputs[0]}"
        _check_lengths(where, neib_shape=shape)
        if len(original) != 4 or min(shape) < 1:
            raise ValueError(
                f"{where}: original_shape must be 4 integers, got {original}; neib_shape two from 1, {shape}"
            )
        (n, c, height, width), (rows, columns) = map(int, original), map(int, shape)
        down, across = height // rows, width // columns
        if self.mode == "valid" and (height % rows or width % columns):
            raise TypeError(
                f"{where}: patches of {rows} by {columns} are not consistent with images of {height} by {width}, which "
                f"are no multiples; choose mode 'ignore_borders'"
            )
        if x.shape != (n * c * down * across, rows * columns):
            raise ValueError(
                f"{where}: images of shape {(n, c, height, width)} have {n * c * down * across} patches of {rows} by "
                f"{columns}, the matrix has shape {tuple(x.shape)}"
            )
        x = x.reshape(n, c, down, across, rows, columns).transpose(0, 1, 2, 4, 3, 5)
        x = x.reshape(n, c, down * rows, across * columns)
        return jnp.pad(x, [(0, 0), (0, 0), (0, height - down * rows), (0, width - across * columns)])

    def __str__(self) -> str:
        return f"Neibs2Images{{{self.mode}}}"


def _check_pair(where: str, what: str, v: Variable) -> None:
    if kind(v).ndim != 1 or static_length(v) not in (None, 2) or kind(v).dtype[0] not in "iu":
        raise TypeError(f"{where}: {what} must be 2 integers, got {v} of type {v.type}")


def _check_lengths(where: str, **vectors: Any) -> None:
    for what, v in vectors.items():
        if len(v) != 2:
            raise ValueError(f"{where}: {what} must be 2 integers, got {v}")


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> TensorVariable:
    """The patches of images, each a row in C order; the rows are ordered by image, channel, grid row, grid column.

    ``ten4``: (images, channels, rows, columns). ``neib_shape``: the rows and columns of a patch; ``neib_step``: the
    distance from one to the next, ``neib_shape`` if None; ints, or integer vectors, which may be symbolic. ``mode``:

    - 'valid': patches lie inside the image, and none of it is left over;
    - 'ignore_borders': the same, and what is left over is not used;
    - 'half', 'full': as 'valid', after the image got a border of zeros of ``neib_shape // 2``, or ``neib_shape - 1``;
    - 'wrap_centered': patches of odd shape centred at every ``neib_step``-th cell, the image continued periodically.

    Returns a matrix of the dtype of ``ten4``. Raises NotImplementedError for another mode, TypeError for a wrong rank
    and sizes that are not consistent, as early as they are known, ValueError for sizes below 1. As
    theano.tensor.nnet.neighbours.images2neibs.

    >>> import numpy as np
    >>> images2neibs(np.arange(16.).reshape(1, 1, 4, 4), (2, 2)).eval()
    array([[ 0.,  1.,  4.,  5.],
           [ 2.,  3.,  6.,  7.],
           [ 8.,  9., 12., 13.],
           [10., 11., 14., 15.]])
    """
    return Images2Neibs(mode)(ten4, neib_shape, neib_step)


def neibs2images(neibs: Any, neib_shape: Any, original_shape: Any, mode: str = "valid") -> TensorVariable:
    """The images of shape ``original_shape`` (4 integers) whose disjoint patches are the rows of ``neibs``.

    The inverse of ``images2neibs`` with the same ``neib_shape``, no ``neib_step``, and ``mode`` 'valid' or
    'ignore_borders' (what no patch covers is 0; NotImplementedError for other modes). Raises ValueError or TypeError
    where the shapes do not fit. As theano.tensor.nnet.neighbours.neibs2images.

    >>> neibs2images([[0., 1.], [2., 3.]], (1, 2), (1, 1, 2, 2)).eval()
    array([[[[0., 1.],
             [2., 3.]]]])
    """
    return Neibs2Images(mode)(neibs, neib_shape, original_shape)
