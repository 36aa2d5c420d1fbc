"""Networks to look at: a table of the layers, a picture of the graph, curves of a training, weights as images."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from croton.graph.draw import figure_of
from croton.graph.layout import Box, place
from croton.nets.layers import Input, Layer, Tied
from croton.nets.network import Network

# What dimensions of one example are called whose length is not fixed, by their number.
_OPEN = {1: "n", 2: "tn", 3: "hwn"}


def summary(network: Network) -> str:
    """A table of the layers: name, form, inputs, the shape of ``out`` and the number of parameters, and their total.

    In shapes, m is the number of examples, t that of time steps, h and w are the height and width of images, where
    these are not fixed.

    >>> from croton import nets
    >>> print(nets.Regressor([2, (8, 'tanh'), 1]).summary())
    layer   form          inputs   output shape   parameters
    ────────────────────────────────────────────────────────
    in      input                  (m, 2)                  0
    hid1    feedforward   in       (m, 8)                 24
    out     feedforward   hid1     (m, 1)                  9
    ────────────────────────────────────────────────────────
                                   Regressor              33
    """
    table = Table(box=box.SIMPLE, show_footer=True, pad_edge=False, show_edge=False)
    footers = {"output shape": type(network).__name__, "parameters": f"{network.num_params:,}"}
    for name in ("layer", "form", "inputs", "output shape", "parameters"):
        table.add_column(name, footers.get(name, ""), justify="right" if name == "parameters" else "left", no_wrap=True)
    for k, layer in enumerate(network.layers):
        names = ", ".join(name for name, _ in _sources(network, k))
        table.add_row(layer.name, _form(layer), names, _shape(layer), f"{layer.num_params:,}")
    console = Console(file=io.StringIO(), width=10_000, color_system=None, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().strip("\n").splitlines())


def _form(layer: Layer) -> str:
    form = "input" if isinstance(layer, Input) else type(layer).__name__.lower()
    return f"{form} to {layer.partner.name}" if isinstance(layer, Tied) else form


def _shape(layer: Layer) -> str:
    letters = _OPEN.get(len(layer.shape), "?" * len(layer.shape))
    return f"(m, {', '.join(letter if n is None else str(n) for n, letter in zip(layer.shape, letters, strict=True))})"


def _sources(network: Network, k: int) -> list[tuple[str, int]]:
    """What the layer number ``k`` reads: (name, number of the layer that makes it), masks and first states included."""
    layer = network.layers[k]
    numbers = {other.name: j for j, other in enumerate(network.layers[:k])}
    handed = (*getattr(getattr(layer, "forward", layer), "kept", ()), "mask")
    given = [layer.kwargs[key] for key in handed if isinstance(layer.kwargs.get(key), str)]
    found = []
    for name in [*layer.inputs, *given]:
        owner, _, output = name.partition(":")
        j = numbers.get(owner, k - 1)  # "out" stands for the layer before, where none is called so
        owner = network.layers[j].name
        found.append((owner if output in ("", "out") else f"{owner}:{output}", j))
    return found


# --- pictures ---


def _need_matplotlib() -> None:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ImportError("pictures of networks need matplotlib: pip install 'croton[plot]'") from None


def _written(figure: Any, filename: Any) -> Any:
    if filename is not None:
        figure.savefig(filename, dpi=144)
    return figure


def plot(network: Network, filename: Any = None) -> Any:
    """A picture of the network's graph: inputs blue, layers white, the last one green, losses orange.

    Each box has the layer's name and form, its activation, and the shape of its output as in ``summary``.
    ``filename``: where to write it, in any format that matplotlib knows by the name's ending. Returns the
    matplotlib Figure. Raises ImportError where matplotlib is missing, ValueError for a network without layers.

    >>> from croton import nets
    >>> nets.Regressor([2, 3, 1]).plot()
    <Figure size ...>
    """
    _need_matplotlib()
    if not network.layers:
        raise ValueError("the network has no layers to draw: add some with add_layer")
    boxes: list[Box] = []
    edges: list[tuple[Box, Box]] = []
    for k, layer in enumerate(network.layers):
        last = layer is network.layers[-1]
        made = Box(_label(layer), "input" if isinstance(layer, Input) else "output" if last else "op")
        boxes.append(made)
        for j in dict.fromkeys(j for _, j in _sources(network, k)):
            edges.append((boxes[j], made))
            made.layer = max(made.layer, boxes[j].layer + 1)
    for loss in network.losses:
        source = boxes[network.layers.index(network._layer(loss.output_name))]
        weight = "" if loss.weight == 1 else f"{loss.weight:g} × "
        made = Box(f"{weight}{type(loss).__name__.lower()}", "shared")
        made.layer = source.layer + 1
        boxes.append(made)
        edges.append((source, made))
    return _written(figure_of(boxes, place(boxes, edges)), filename)


def _label(layer: Layer) -> str:
    if isinstance(layer, Input) or not layer.activates:
        return f"{layer.name}: {_form(layer)} {_shape(layer)}"
    return f"{layer.name}: {_form(layer)}, {layer.activate.name} {_shape(layer)}"


def plot_history(history: Iterable[tuple[Mapping[str, float], Mapping[str, float]]], filename: Any = None) -> Any:
    """Curves of a training: the losses, and beside them the accuracies if there are any.

    ``history``: the pairs (training monitors, validation monitors) that ``itertrain`` yields, of all epochs.
    ``filename`` as for ``plot``. Returns the matplotlib Figure. The losses stand on a logarithmic scale if they are
    positive and span more than two decades.

    Raises ImportError where matplotlib is missing, ValueError for a history without epochs, TypeError for what is none.
    """
    _need_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    pairs = list(history)
    if not pairs:
        raise ValueError("the history has no epochs to draw: pass list(net.itertrain(...))")
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(isinstance(m, Mapping) for m in pair):
            raise TypeError(
                f"the history has {pair!r} in it: pass the pairs (training monitors, validation monitors) of itertrain"
            )
    panels = [name for name in ("loss", "acc") if name == "loss" or any(name in m for pair in pairs for m in pair)]
    figure = Figure(figsize=(5.5 * len(panels), 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        values = np.array([[monitors.get(name, math.nan) for monitors in pair] for pair in pairs], float)
        mark = "." if len(pairs) < 40 else None
        axes.plot(values[:, 0], label="training", color="#1f77b4", marker=mark)
        axes.plot(values[:, 1], label="validation", color="#d95f02", marker=mark)
        axes.set(xlabel="epoch", ylabel={"loss": "loss", "acc": "accuracy"}[name])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        finite = values[np.isfinite(values)]
        if name == "loss" and finite.size and 0 < 100 * finite.min() < finite.max():
            axes.set_yscale("log")
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.legend()
    return _written(figure, filename)


def plot_weights(
    weights: Any,
    filename: Any = None,
    *,
    layer: int | str = 1,
    param: int | str = "w",
    shape: Sequence[int] | None = None,
    columns: int | None = None,
) -> Any:
    """Weights as images, side by side: zero is grey, the largest value of each image is white, the most negative black.

    Arguments:
      ``weights``: a network, whose parameter ``find(layer, param)`` is shown; or a parameter; or an array: a matrix
      (pixels, units), each column of which becomes an image; filters (units, channels, rows, columns), as convolutions
      have them, one image for each unit if there are 1 or 3 channels (grey or colours), else one for each pair; filters
      over time, (units, channels, 1, steps), each an image of channels by steps; or images (units, rows, columns).
      ``shape``: (rows, columns) of each image of a matrix, or (rows, columns, 3) for colours; if None, as near to a
      square as the number of pixels allows.
      ``columns``: images in a row; if None, as many as make the whole nearly a square. ``filename`` as for ``plot``.

    Returns the matplotlib Figure. To see the rows of a matrix, pass its transpose.

    Raises ImportError where matplotlib is missing, ValueError for weights of another shape.
    """
    _need_matplotlib()
    from matplotlib.figure import Figure

    if isinstance(weights, Network):
        weights = weights.find(layer, param)
    array = np.asarray(weights.get_value() if hasattr(weights, "get_value") else weights)
    if array.ndim == 4 and array.shape[1] not in (1, 3) and array.shape[2] != 1:
        columns = columns or array.shape[1]
    whole = _mosaic(_tiles(array, shape), columns)
    height, width = whole.shape[:2]
    scale = min(8 / max(height, width), 0.25)
    figure = Figure(figsize=(max(width * scale, 1), max(height * scale, 1)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(whole, interpolation="nearest")
    return _written(figure, filename)


def _tiles(array: np.ndarray, shape: Sequence[int] | None) -> np.ndarray:
    """Images (units, rows, columns, channels) from weights, 1 channel or 3."""
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise ValueError(
            f"plot_weights shows matrices (pixels, units), images (units, rows, columns) and filters (units, channels, "
            f"rows, columns), not an array of {array.dtype} of shape {array.shape}"
        )
    if shape is not None and array.ndim != 2:
        raise ValueError(
            f"shape={tuple(shape)} is for matrices; the weights have the shape {array.shape} by themselves"
        )
    if array.ndim == 2:
        pixels = len(array)
        rows = next(n for n in range(math.isqrt(pixels), 0, -1) if pixels % n == 0)
        wanted = (rows, pixels // rows) if shape is None else tuple(shape)
        if math.prod(wanted) != pixels or len(wanted) not in (2, 3) or (len(wanted) == 3 and wanted[2] not in (1, 3)):
            raise ValueError(
                f"shape={wanted}: it must be (rows, columns), or (rows, columns, 3) for colours, of {pixels} numbers"
            )
        tiles = array.T.reshape(-1, *wanted)
        return tiles if len(wanted) == 3 else tiles[..., None]
    if array.ndim == 3:
        return array[..., None]
    units, channels, rows, cols = array.shape
    if rows == 1:
        return array.reshape(units, channels, cols, 1)
    if channels in (1, 3):
        return array.transpose(0, 2, 3, 1)
    return array.reshape(units * channels, rows, cols, 1)


def _mosaic(tiles: np.ndarray, columns: int | None) -> np.ndarray:
    """One picture (rows, columns, 3), in [0, 1], of all tiles with white lines between them."""
    count, height, width, _ = tiles.shape
    if columns is None:
        columns = math.ceil(math.sqrt(count * height / width))
    columns = min(columns, count)
    if columns < 1:
        raise ValueError(f"columns={columns}: at least 1 image stands in a row")
    line = 1 + min(height, width) // 20
    most = np.abs(tiles).max(axis=(1, 2, 3), keepdims=True)
    grey = 0.5 + 0.5 * tiles / np.where(most > 0, most, 1)
    rows = -(-count // columns)
    whole = np.ones((rows * (height + line) + line, columns * (width + line) + line, 3))
    for k, tile in enumerate(grey):
        y, x = (line + (k // columns) * (height + line), line + (k % columns) * (width + line))
        whole[y : y + height, x : x + width] = tile
    return whole


__all__ = ["plot", "plot_history", "plot_weights", "summary"]
