"""Pooling: the largest, the sum or the mean of each window of images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp
from croton.tensor.elemwise import ge, maximum, switch
from croton.tensor.shape import kind, static_length, static_value
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorVariable
from croton.tensor.windows import Span, Spans, largest_only, window_max, window_sum

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def _windows(n: Any, size: Any, step: Any, ignore_border: bool) -> Any:
    """How many windows an axis of ``n`` cells, padding included, has."""
    if isinstance(n, Variable) or isinstance(size, Variable) or isinstance(step, Variable):
        if ignore_border:
            return maximum((n - size) // step + 1, 0)
        return switch(ge(step, size), (n - 1) // step + 1, maximum((n - 1 - size + step) // step, 0) + 1)
    if ignore_border:
        return max((n - size) // step + 1, 0)
    return (n - 1) // step + 1 if step >= size else max((n - 1 - size + step) // step, 0) + 1


@dataclass(frozen=True)
class Pool(TensorOp):
    """One value for each window over the last ``ndim`` dimensions.

    Inputs: an array, and three integer vectors of length ``ndim``: the windows' size, the stride between them (the size
    if None) and the padding on either side (0 if None). ``mode`` 'max', 'sum', 'average_inc_pad', 'average_exc_pad'
    or, the same as 'max', 'max_deterministic'. As theano.tensor.signal.pool.Pool.

    >>> import numpy as np
    >>> Pool(ignore_border=True)(np.arange(4.).reshape(2, 2), (2, 2)).eval()
    array([[3.]])
    """

    ignore_border: bool = False
    mode: str = "max"
    ndim: int = 2

    def __post_init__(self) -> None:
        if self.mode == "max_deterministic":
            object.__setattr__(self, "mode", "max")
        if self.mode not in MODES:
            raise ValueError(f"pooling: mode {self.mode!r} is none of {', '.join(map(repr, MODES))}")

    @staticmethod
    def out_shape(
        imgshape: Sequence[Any],
        ws: Sequence[Any] | None = None,
        ignore_border: bool = False,
        stride: Sequence[Any] | None = None,
        pad: Sequence[Any] | None = None,
        ndim: int = 2,
        ds: Sequence[Any] | None = None,
        st: Sequence[Any] | None = None,
        padding: Sequence[Any] | None = None,
    ) -> list[Any]:
        """The shape of the result for images of shape ``imgshape``; lengths may be ints or symbolic scalars.

        >>> Pool.out_shape((10, 5, 5), (2, 2))
        [10, 3, 3]
        """
        ws, stride, pad = _renamed("Pool.out_shape", ndim, ws, stride, pad, ds, st, padding)
        if len(imgshape) < ndim:
            raise TypeError(f"Pool.out_shape: imgshape {tuple(imgshape)} must have at least {ndim} dimensions")
        stride = ws if stride is None else stride
        pad = (0,) * ndim if pad is None else pad
        images = list(imgshape[len(imgshape) - ndim :])
        pooled = [_windows(images[k] + 2 * pad[k], ws[k], stride[k], ignore_border) for k in range(ndim)]
        return [*imgshape[: len(imgshape) - ndim], *pooled]

    def make_node(self, *inputs: Any) -> Apply:
        x, ws, stride, pad = (*inputs, None, None)[: max(len(inputs), 4)]
        vectors = [ws, ws if stride is None else stride, np.zeros(self.ndim, "int64") if pad is None else pad]
        return super().make_node(x, *vectors)

    def output_types(self, x: Variable, *vectors: Variable) -> Sequence[Type]:
        if kind(x).ndim < self.ndim:
            raise NotImplementedError(
                f"{self}: {x} of type {x.type} has {kind(x).ndim} dimensions, at least {self.ndim} are needed"
            )
        if kind(x).dtype[0] == "c":
            raise TypeError(f"{self}: {x} of type {x.type} is complex; pool its real and imaginary parts")
        for what, v in zip(("window", "stride", "pad"), vectors, strict=True):
            if kind(v).ndim != 1 or static_length(v) not in (None, self.ndim):
                raise ValueError(f"{self} of {x}: the {what} must have {self.ndim} entries, got {v} of type {v.type}")
            if kind(v).dtype[0] not in "iu":
                raise TypeError(f"{self} of {x}: the {what} must be integers, got {v} of dtype {kind(v).dtype}")
        known = [static_value(v) for v in vectors]
        lengths = kind(x).shape[kind(x).ndim - self.ndim :]
        pooled: list[int | None] = [None] * self.ndim
        if not any(v is None for v in known):
            spans = [self.span(x, k, n, *[int(v[k]) for v in known]) for k, n in enumerate(lengths)]  # type: ignore[index]
            pooled = [None if s is None else s.count for s in spans]
        return [TensorType(kind(x).dtype, shape=(*kind(x).shape[: kind(x).ndim - self.ndim], *pooled))]

    def span(self, x: Variable, k: int, length: int | None, size: int, step: int, pad: int) -> Span | None:
        """The windows along pooled dimension ``k`` of ``x``, None if its length is unknown. Raises where none fit."""
        where = f"{self} of {x}, dimension {kind(x).ndim - self.ndim + k}"
        if size < 1 or step < 1 or pad < 0:
            raise ValueError(f"{where}: window {size}, stride {step}, pad {pad}; the first two must be at least 1")
        if pad and not self.ignore_border:
            raise NotImplementedError(f"{where}: padding (here {pad}) works only with ignore_border=True")
        if pad >= size:
            raise NotImplementedError(f"{where}: the padding {pad} must be smaller than the window {size}")
        if length is None:
            return None
        if length == 0 or (self.ignore_border and length + 2 * pad < size):
            padded = f" and {pad} of padding on either side" if pad else ""
            raise ValueError(
                f"{where}: the window, of length {size}, is larger than the image, of length {length}{padded}; choose "
                f"a smaller one" + (", or ignore_border=False to have a partial one" if length else "")
            )
        count = _windows(length + 2 * pad, size, step, self.ignore_border)
        return Span(kind(x).ndim - self.ndim + k, size, step, pad, count)

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[1:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, False, False, False]

    def spans(self, node: Apply, values: Sequence[Any]) -> Spans:
        """The windows along every pooled dimension, from the values of the node's inputs."""
        x, *vectors = values
        for what, v in zip(("window", "stride", "pad"), vectors, strict=True):
            if len(v) != self.ndim:
                raise ValueError(f"{self} of {node.inputs[0]}: the {what} must have {self.ndim} entries, got {v}")
        lengths = x.shape[x.ndim - self.ndim :]
        found = [self.span(node.inputs[0], k, n, *[int(v[k]) for v in vectors]) for k, n in enumerate(lengths)]
        return tuple(s for s in found if s is not None)

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        spans = self.spans(node, values)
        x = jnp.asarray(values[0])
        if self.mode == "max":
            return window_max(x, spans)
        total = window_sum(x, spans)
        return total if self.mode == "sum" else lax.div(total, jnp.asarray(self._sizes(x, spans), x.dtype))

    def _sizes(self, x: Any, spans: Spans) -> np.ndarray:
        """How many cells each window's mean is over: those of the image, and of the padding if that is included."""
        sizes = np.ones((1,) * (x.ndim - self.ndim) + tuple(s.count for s in spans))
        for s in spans:
            pad = s.before if self.mode == "average_inc_pad" else 0
            begin = np.arange(s.count) * s.step - s.before
            cells = np.minimum(begin + s.size, x.shape[s.axis] + pad) - np.maximum(begin, -pad)
            sizes = sizes * cells.reshape([-1 if a == s.axis else 1 for a in range(x.ndim)])
        return np.broadcast_to(sizes, (*x.shape[: x.ndim - self.ndim], *sizes.shape[x.ndim - self.ndim :]))

    def __str__(self) -> str:
        return f"Pool{{{self.mode}, {self.ndim}d}}"


@dataclass(frozen=True)
class LargestOnly(Pool):
    """The array with what is not the largest of its window made 0. Inputs as those of ``Pool``."""

    def output_types(self, x: Variable, *vectors: Variable) -> Sequence[Type]:
        super().output_types(x, *vectors)
        return [kind(x)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        return largest_only(jnp.asarray(values[0]), self.spans(node, values))

    def __str__(self) -> str:
        return "LargestOnly"


def _renamed(
    name: str, ndim: int, ws: Any, stride: Any, pad: Any, ds: Any, st: Any, padding: Any
) -> tuple[Any, Any, Any]:
    """Window, stride and pad, from their present names or their old ones, which are warned of."""

    def choose(new: str, value: Any, old: str, other: Any, is_default: bool) -> Any:
        if other is None:
            return value
        if not is_default:
            raise ValueError(f"{name}: {new} and its old name {old} were both given; give {new} only")
        warnings.warn(f"{name}: {old} is an old name of {new}", DeprecationWarning, stacklevel=5)
        return other

    ws = choose("ws", ws, "ds", ds, ws is None)
    if ws is None:
        raise ValueError(f"{name}: You must provide a tuple value for the window size, ws.")
    stride = choose("stride", stride, "st", st, stride is None)
    plain = not isinstance(pad, Variable) and (pad is None or tuple(pad) == (0,) * ndim)
    return ws, stride, choose("pad", pad, "padding", padding, plain)


def _pool(name: str, ndim: int, input: Any, ignore_border: bool | None, mode: str, **sizes: Any) -> TensorVariable:
    ws, stride, pad = _renamed(name, ndim, **sizes)
    if ignore_border is None:
        warnings.warn(
            f"{name}: ignore_border was not given and is taken as False, partial windows at the border included; "
            f"say True or False",
            stacklevel=3,
        )
    return Pool(bool(ignore_border), mode, ndim)(input, ws, stride, pad)


def pool_2d(
    input: Any,
    ws: Any = None,
    ignore_border: bool | None = None,
    stride: Any = None,
    pad: Any = (0, 0),
    mode: str = "max",
    ds: Any = None,
    st: Any = None,
    padding: Any = None,
) -> TensorVariable:
    """The largest, the sum or the mean of each window of ``ws`` rows and columns of the last two dimensions.

    ``input``: (..., rows, columns). ``ws``, ``stride`` (``ws`` if None) and ``pad`` are pairs of ints, or integer
    vectors, which may be symbolic: each new value is compiled for. ``ignore_border``: whether partial windows at the
    end are left out (None: a warning, and False). With r rows, padding included, there are (r - ws) // stride + 1
    windows without partial ones, else (r - 1) // stride + 1, or max(0, (r - 1 - ws + stride) // stride) + 1 where they
    overlap.

    ``mode``: 'max', 'sum', 'average_inc_pad', 'average_exc_pad' (the padding counts, or not), 'max_deterministic'
    ('max'). The padding is never the largest. Among equal largest elements the gradient is shared: what they get sums
    to one. Means of integers are cut off. ``ds``, ``st``, ``padding`` are old names of ``ws``, ``stride``, ``pad``.

    Returns a tensor of the rank and dtype of ``input``. Raises ValueError for a missing window, a mode that is none,
    two names of one argument and, when built or else when run, for windows larger than the image;
    NotImplementedError for too few dimensions, padding without ``ignore_border`` or as large as the window; TypeError
    for sizes that are no integers. As theano.tensor.signal.pool.pool_2d.

    >>> import numpy as np
    >>> pool_2d(np.arange(25.).reshape(5, 5), (2, 2), ignore_border=True).eval()
    array([[ 6.,  8.],
           [16., 18.]])
    >>> pool_2d(np.arange(25.).reshape(5, 5), (2, 2), ignore_border=False, mode='average_exc_pad').eval()
    array([[ 3. ,  5. ,  6.5],
           [13. , 15. , 16.5],
           [20.5, 22.5, 24. ]])
    """
    return _pool("pool_2d", 2, input, ignore_border, mode, ws=ws, stride=stride, pad=pad, ds=ds, st=st, padding=padding)


def pool_3d(
    input: Any,
    ws: Any = None,
    ignore_border: bool | None = None,
    stride: Any = None,
    pad: Any = (0, 0, 0),
    mode: str = "max",
    ds: Any = None,
    st: Any = None,
    padding: Any = None,
) -> TensorVariable:
    """As ``pool_2d``, over the last three dimensions. As theano.tensor.signal.pool.pool_3d.

    >>> import numpy as np
    >>> pool_3d(np.arange(8.).reshape(2, 2, 2), (2, 2, 2), ignore_border=True, mode='sum').eval()
    array([[[28.]]])
    """
    return _pool("pool_3d", 3, input, ignore_border, mode, ws=ws, stride=stride, pad=pad, ds=ds, st=st, padding=padding)


def max_pool_2d_same_size(input: Any, patch_size: Any) -> TensorVariable:
    """``input`` with every element made 0 that is not the largest of its patch; the shape stays.

    The patches, of ``patch_size`` rows and columns of the last two dimensions, do not overlap; what is left over at
    the end belongs to none and becomes 0. Equal largest elements all stay. Raises as ``pool_2d``. As
    theano.tensor.signal.pool.max_pool_2d_same_size.

    >>> max_pool_2d_same_size([[1., 2.], [4., 3.]], (2, 2)).eval()
    array([[0., 0.],
           [4., 0.]])
    """
    return LargestOnly(ignore_border=True)(input, patch_size)


def max_pool_2d(
    input: Any,
    ds: Any,
    ignore_border: bool | None = None,
    st: Any = None,
    padding: Any = (0, 0),
    mode: str = "max",
) -> TensorVariable:
    """``pool_2d`` under the name and with the arguments of old programs: windows ``ds``, stride ``st``.

    As theano.tensor.signal.downsample.max_pool_2d.

    >>> import numpy as np
    >>> max_pool_2d(np.arange(16.).reshape(4, 4), (2, 2), ignore_border=True).eval()
    array([[ 5.,  7.],
           [13., 15.]])
    """
    return _pool(
        "max_pool_2d", 2, input, ignore_border, mode, ws=ds, stride=st, pad=padding, ds=None, st=None, padding=None
    )
