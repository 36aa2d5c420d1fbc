"""The ops of convolution: the maps of images and filters, and the gradients with respect to either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from croton.graph.core import Apply, Type, Variable
from croton.tensor.basic import TensorOp, as_tensor_variable
from croton.tensor.conv import trilinear, unshared
from croton.tensor.conv.geometry import (
    BorderMode,
    Geometry,
    border_mode_of,
    claim_of,
    output_length,
    pads_of,
    steps_of,
)
from croton.tensor.shape import kind, lengths_of
from croton.tensor.types import Shape as StaticShape
from croton.tensor.types import TensorType, upcast

Claim = tuple[int | None, ...] | None


@dataclass(frozen=True)
class AbstractConv(TensorOp):
    """What the ops of convolution have in common: the options, and what shapes fit them.

    ``imshp`` and ``kshp`` claim the shapes of images and filters, with None where nothing is claimed. The number of
    images claimed is a hint, for it may differ from call to call; a false claim of another length is an error.
    """

    imshp: Claim = None
    kshp: Claim = None
    border_mode: BorderMode = "valid"
    subsample: tuple[int, ...] = (1, 1)
    filter_flip: bool = True
    filter_dilation: tuple[int, ...] = (1, 1)
    num_groups: int = 1
    unshared: bool = False
    convdim: ClassVar[int] = 2
    what: ClassVar[str] = "conv"

    def __post_init__(self) -> None:
        name, dims = self.label, self.convdim
        if self.unshared and dims != 2:
            raise NotImplementedError(f"{name}: unshared convolution has 2 dimensions, not {dims}")
        groups = self.num_groups
        if not isinstance(groups, int | np.integer) or groups < 1:
            raise ValueError(f"{name}: num_groups must be a positive integer, got {groups!r}")
        fields = {
            "imshp": claim_of(self.imshp, dims + 2, name, "input_shape"),
            "kshp": claim_of(self.kshp, self.filter_rank, name, "filter_shape"),
            "border_mode": border_mode_of(self.border_mode, dims, name),
            "subsample": steps_of(self.subsample, dims, name, "subsample"),
            "filter_flip": bool(self.filter_flip),
            "filter_dilation": steps_of(self.filter_dilation, dims, name, "filter_dilation"),
            "num_groups": int(groups),
            "unshared": bool(self.unshared),
        }
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    @property
    def label(self) -> str:
        """What errors call it: conv2d, conv3d and their gradients."""
        return f"conv{self.convdim}d{self.what.removeprefix('conv')}"

    @property
    def filter_rank(self) -> int:
        return 2 + self.convdim * (2 if self.unshared else 1)

    # --- the variables an op is given ---

    def node(self, *inputs: Any) -> Apply:
        """The node on ``inputs``; a ValueError names them."""
        try:
            return super().make_node(*inputs)
        except ValueError as error:
            given = ", ".join(f"{v}: {v.type}" for v in inputs)
            raise ValueError(f"{error}\nGiven: {given}") from None

    def images(self, x: Any, what: str = "img") -> Any:
        """``x`` as a variable of the rank of images, or a TypeError."""
        return self._ranked(x, self.convdim + 2, what)

    def filters(self, w: Any) -> Any:
        """``w`` as a variable of the rank of filters, or a TypeError."""
        return self._ranked(w, self.filter_rank, "kern")

    def _ranked(self, v: Any, rank: int, what: str) -> Any:
        variable = as_tensor_variable(v)
        if variable.ndim != rank:
            unshared = " for unshared convolution" if self.unshared and what == "kern" else ""
            raise TypeError(
                f"{self.label}: {what} must be {rank}D tensor{unshared}: {variable} has type {variable.type}"
            )
        if variable.dtype.startswith("complex") or variable.dtype == "bool":
            raise TypeError(f"{self.label}: {what} {variable} must hold real numbers, its dtype is {variable.dtype}")
        return variable

    def result_dtype(self, first: Variable, other: Variable) -> str:
        """The dtype of the result, that of the first operand; a TypeError where that would cut off fractions."""
        a, b = kind(first).dtype, kind(other).dtype
        if a[0] in "iu" and b[0] not in "iu":
            raise TypeError(f"{self.label}: {first} of dtype {a} with {other} of dtype {b}: cast the first to a float")
        return a

    # --- shapes: of graphs, with None where nothing is known, and of arrays ---

    def agreed(self, shape: StaticShape, claim: Claim, names: tuple[str, str]) -> tuple[int | None, ...]:
        """``shape`` with what is claimed where it is unknown; ValueError where the two contradict each other."""
        if claim is None:
            return tuple(shape)
        first = 1 if names[0] != "filters" else 0
        if any(None not in (a, b) and a != b for a, b in list(zip(shape, claim, strict=True))[first:]):
            raise ValueError(
                f"{self.label}: the {names[0]} have shape {_text(shape)}, but {names[1]} says {_text(claim)}: leave "
                f"{names[1]} away, or give None for lengths that vary"
            )
        # The number of images is not taken from the claim: it may vary.
        return tuple(
            b if a is None and axis >= first else a for axis, (a, b) in enumerate(zip(shape, claim, strict=True))
        )

    def maps_shape(self, x: StaticShape, w: StaticShape) -> tuple[int | None, ...]:
        """The shape of the maps of images and filters; ValueError where they do not fit each other."""
        groups, dims = self.num_groups, self.convdim
        inner = w[-dims - 1]
        if x[1] is not None and inner is not None and x[1] != inner * groups:
            raise ValueError(
                f"{self.label}: images and filters must have the same stack size: the images of shape {_text(x)} have "
                f"{x[1]} channels, the filters of shape {_text(w)} take {inner}"
                + (f" in each of {groups} groups, so {inner * groups}" if groups > 1 else "")
            )
        if w[0] is not None and w[0] % groups:
            raise ValueError(
                f"{self.label}: the number of filters must be divisible by num_groups {groups}: the filters have shape "
                f"{_text(w)}"
            )
        lengths: list[int | None] = []
        for axis, (n, k) in enumerate(zip(x[2:], w[-dims:], strict=True)):
            if n is None or k is None:
                lengths.append(None)
                continue
            (pads,) = pads_of(self._border(axis), [k], [self.filter_dilation[axis]])
            m = output_length(n, k, pads, self.subsample[axis], self.filter_dilation[axis])
            if m < 1 or k < 1:
                raise ValueError(
                    f"{self.label}: impossible output shape: along image axis {axis} the filters of length {k}"
                    + (f" (dilation {self.filter_dilation[axis]})" if self.filter_dilation[axis] > 1 else "")
                    + f" do not fit into the images of length {n} with border_mode {self.border_mode!r}: the images "
                    f"have shape {_text(x)}, the filters {_text(w)}"
                )
            lengths.append(m)
        if self.unshared and any(None not in (a, b) and a != b for a, b in zip(lengths, w[1:3], strict=True)):
            raise ValueError(
                f"{self.label}: unshared filters must have a region for each place of the output, "
                f"{_text(tuple(lengths))}: the filters have shape {_text(w)}"
            )
        return (x[0], w[0], *lengths)

    def _border(self, axis: int) -> BorderMode:
        return self.border_mode if isinstance(self.border_mode, str) else (self.border_mode[axis],)

    def fits(self, x: StaticShape, w: StaticShape, y: StaticShape, asked: str) -> None:
        """ValueError where images, filters and maps of these shapes do not belong together."""
        wanted = self.maps_shape(x, w)
        if any(None not in (a, b) and a != b for a, b in zip(wanted, y, strict=True)):
            raise ValueError(
                f"{self.label}: shape inconsistency: {asked}, images of shape {_text(x)} and filters of shape "
                f"{_text(w)} give an output of shape {_text(wanted)}, but output_grad has shape {_text(y)}"
            )

    # --- meaning ---

    def geometry(self, image: Sequence[int], kernel: Sequence[int]) -> Geometry:
        pads = pads_of(self.border_mode, kernel, self.filter_dilation)
        return Geometry(tuple(image), tuple(kernel), pads, self.subsample, self.filter_dilation, self.num_groups)

    def turned(self, w: Any) -> Any:
        """Filters as they are correlated with the images: turned around where the op convolves."""
        return jnp.flip(w, range(w.ndim - self.convdim, w.ndim)) if self.filter_flip else w

    def correlate(self, x: Any, w: Any, geometry: Geometry) -> Any:
        return unshared.correlate(x, w, geometry) if self.unshared else trilinear.correlate(x, w, geometry)

    def pulled(self, like: tuple[int, ...], alone: Any, y: Any) -> Any:
        """The transpose of ``alone``, linear in an array of shape ``like``, at ``y``."""
        return jax.linear_transpose(alone, jax.ShapeDtypeStruct(like, y.dtype))(y)[0]

    def __str__(self) -> str:
        shown = (
            "border_mode",
            "subsample",
            "filter_flip",
            "imshp",
            "kshp",
            "filter_dilation",
            "num_groups",
            "unshared",
        )
        return f"{type(self).__name__}{{{', '.join(f'{f}={getattr(self, f)!r}' for f in shown)}}}"


def _text(shape: Sequence[int | None]) -> str:
    return f"({', '.join('?' if n is None else str(n) for n in shape)}{',' if len(shape) == 1 else ''})"


def _together(a: Any, b: Any) -> tuple[Any, Any]:
    """Two arrays in the dtype that holds both."""
    dtype = upcast(str(a.dtype), str(b.dtype))
    return jnp.asarray(a, dtype), jnp.asarray(b, dtype)


@dataclass(frozen=True)
class AbstractConv2d(AbstractConv):
    """The op of :func:`conv2d`: called with images and filters, it gives the maps.

    >>> import croton.tensor as T
    >>> AbstractConv2d(subsample=(2, 2))(T.ones((1, 1, 5, 5)), T.ones((1, 1, 3, 3))).eval().shape
    (1, 1, 2, 2)
    """

    def __call__(self, img: Any, kern: Any) -> Any:  # type: ignore[override]
        return self.make_node(img, kern).out

    def make_node(self, *inputs: Any) -> Apply:
        x, w = inputs
        return self.node(self.images(x), self.filters(w))

    def output_types(self, x: Variable, w: Variable) -> Sequence[Type]:
        shape = self.maps_shape(*self._claimed(kind(x).shape, kind(w).shape))
        return [TensorType(self.result_dtype(x, w), shape=shape)]

    def _claimed(self, x: StaticShape, w: StaticShape) -> tuple[StaticShape, StaticShape]:
        return (
            self.agreed(x, self.imshp, ("images", "input_shape")),
            self.agreed(w, self.kshp, ("filters", "filter_shape")),
        )

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, w = _together(*values)
        self.maps_shape(*self._claimed(x.shape, w.shape))
        y = self.correlate(x, self.turned(w), self.geometry(x.shape[2:], w.shape[-self.convdim :]))
        return y.astype(node.outputs[0].type.dtype)  # type: ignore[attr-defined]


class _Gradient(AbstractConv):
    """What the two gradients have in common: the lengths asked for are an input that must be known on the host."""

    def __call__(self, first: Any, topgrad: Any, shape: Any, add_assert_shape: bool = True) -> Any:  # type: ignore[override]
        """The gradient. ``shape`` is checked whatever ``add_assert_shape`` says, which old programs pass."""
        return self.make_node(first, topgrad, shape).out

    def _lengths(self, shape: Any) -> Any:
        vector, lengths = lengths_of(shape, self.label)
        if vector.dtype[0] not in "iu":
            raise TypeError(f"{self.label}: the shape asked for must be integers, {vector} has type {vector.type}")
        if lengths is not None and len(lengths) != self.convdim:
            raise ValueError(f"{self.label}: the shape asked for must have {self.convdim} lengths, got {shape}")
        return vector

    def structural(self, node: Apply) -> Sequence[Variable]:
        return node.inputs[2:]

    def connected(self, node: Apply) -> Sequence[bool]:
        return [True, True, False]

    def asked(self, shape: Variable) -> tuple[int | None, ...]:
        """The lengths asked for, as far as the graph tells them."""
        lengths = lengths_of(shape, self.label)[1]
        return (None,) * self.convdim if lengths is None else lengths

    def known(self, lengths: Any) -> tuple[int, ...]:
        """The lengths asked for, when the program is made."""
        if len(lengths) != self.convdim:
            raise ValueError(f"{self.label}: the shape asked for must have {self.convdim} lengths, got {lengths}")
        return tuple(int(n) for n in lengths)


@dataclass(frozen=True)
class AbstractConv2d_gradInputs(_Gradient):
    """The gradient of a convolution with respect to its images: called with filters, the maps' gradient and the image
    lengths (a vector); also the transposed convolution.

    >>> import croton.tensor as T
    >>> op = AbstractConv2d_gradInputs(subsample=(2, 2))
    >>> op(T.ones((1, 1, 3, 3)), T.ones((1, 1, 2, 2)), [5, 5]).eval().shape
    (1, 1, 5, 5)
    """

    what: ClassVar[str] = "conv_grad_wrt_inputs"

    def make_node(self, *inputs: Any) -> Apply:
        w, y, shape = inputs
        return self.node(self.filters(w), self.images(y, "topgrad"), self._lengths(shape))

    def _claimed(self, w: StaticShape, y: StaticShape, asked: StaticShape) -> tuple[StaticShape, StaticShape]:
        w = self.agreed(w, self.kshp, ("filters", "filter_shape"))
        inner = w[-self.convdim - 1]
        x = (y[0], None if inner is None else inner * self.num_groups, *asked)
        x = self.agreed(x, self.imshp, ("images", "input_shape"))
        self.fits(x, w, y, f"for the image lengths {_text(asked)}")
        return x, w

    def output_types(self, w: Variable, y: Variable, shape: Variable) -> Sequence[Type]:
        x, _ = self._claimed(kind(w).shape, kind(y).shape, self.asked(shape))
        return [TensorType(self.result_dtype(y, w), shape=x)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        w, y = _together(*values[:2])
        asked = self.known(values[2])
        x, _ = self._claimed(w.shape, y.shape, asked)
        g = self.geometry(asked, w.shape[-self.convdim :])
        w = self.turned(w)
        if self.unshared:
            found = self.pulled(x, lambda x: unshared.correlate(x, w, g), y)  # type: ignore[arg-type]
        else:
            found = trilinear.images_gradient(w, y, g)
        return found.astype(node.outputs[0].type.dtype)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class AbstractConv2d_gradWeights(_Gradient):
    """The gradient of a convolution with respect to its filters: called with images, the maps' gradient and the kernel
    lengths (a vector).

    >>> import croton.tensor as T
    >>> AbstractConv2d_gradWeights()(T.ones((1, 1, 5, 5)), T.ones((1, 1, 3, 3)), [3, 3]).eval().shape
    (1, 1, 3, 3)
    """

    what: ClassVar[str] = "conv_grad_wrt_weights"

    def make_node(self, *inputs: Any) -> Apply:
        x, y, shape = inputs
        return self.node(self.images(x), self.images(y, "topgrad"), self._lengths(shape))

    def _claimed(self, x: StaticShape, y: StaticShape, asked: StaticShape) -> tuple[StaticShape, StaticShape]:
        x = self.agreed(x, self.imshp, ("images", "input_shape"))
        if x[1] is not None and x[1] % self.num_groups:
            raise ValueError(
                f"{self.label}: the channels must be divisible by num_groups {self.num_groups}: the images have shape "
                f"{_text(x)}"
            )
        inner = None if x[1] is None else x[1] // self.num_groups
        regions = tuple(y[2:]) if self.unshared else ()
        w = self.agreed((y[1], *regions, inner, *asked), self.kshp, ("filters", "filter_shape"))
        self.fits(x, w, y, f"for the filter lengths {_text(asked)}")
        return x, w

    def output_types(self, x: Variable, y: Variable, shape: Variable) -> Sequence[Type]:
        _, w = self._claimed(kind(x).shape, kind(y).shape, self.asked(shape))
        return [TensorType(self.result_dtype(x, y), shape=w)]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        x, y = _together(*values[:2])
        asked = self.known(values[2])
        _, w = self._claimed(x.shape, y.shape, asked)
        g = self.geometry(x.shape[2:], asked)
        if self.unshared:
            found = self.pulled(w, lambda w: unshared.correlate(x, w, g), y)  # type: ignore[arg-type]
        else:
            found = trilinear.filters_gradient(x, y, g)
        return self.turned(found).astype(node.outputs[0].type.dtype)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class AbstractConv3d(AbstractConv2d):
    """The op of :func:`conv3d`, over three axes."""

    subsample: tuple[int, ...] = (1, 1, 1)
    filter_dilation: tuple[int, ...] = (1, 1, 1)
    convdim: ClassVar[int] = 3


@dataclass(frozen=True)
class AbstractConv3d_gradInputs(AbstractConv2d_gradInputs):
    """As :class:`AbstractConv2d_gradInputs`, over three axes."""

    subsample: tuple[int, ...] = (1, 1, 1)
    filter_dilation: tuple[int, ...] = (1, 1, 1)
    convdim: ClassVar[int] = 3


@dataclass(frozen=True)
class AbstractConv3d_gradWeights(AbstractConv2d_gradWeights):
    """As :class:`AbstractConv2d_gradWeights`, over three axes."""

    subsample: tuple[int, ...] = (1, 1, 1)
    filter_dilation: tuple[int, ...] = (1, 1, 1)
    convdim: ClassVar[int] = 3
