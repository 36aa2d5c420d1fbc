"""Summaries and pictures of networks: what they show, checked by what is drawn."""

import builtins
import re

import matplotlib
import matplotlib.image
import numpy as np
import pytest

from croton import nets
from croton.nets import seeing


def rows(net):
    """The cells of the summary, line by line; a cell that is empty is left out."""
    return [re.split(r"\s{2,}", line.strip()) for line in net.summary().splitlines() if "─" not in line]


def skipping():
    net = nets.Classifier([4, (3, "tanh"), dict(size=5, inputs=("in", "hid1"), name="skip"), 2])
    net.add_loss("mae", output_name="skip", weight=0.5, target=2)
    return net


@pytest.mark.contract("7 num_params")
def test_a_summary_tells_forms_inputs_shapes_and_parameters():
    assert rows(skipping()) == [
        ["layer", "form", "inputs", "output shape", "parameters"],
        ["in", "input", "(m, 4)", "0"],
        ["hid1", "feedforward", "in", "(m, 3)", "15"],
        ["skip", "feedforward", "in, hid1", "(m, 5)", "40"],
        ["out", "feedforward", "skip", "(m, 2)", "12"],
        ["Classifier", "67"],
    ]


def test_a_summary_names_open_lengths_and_what_tied_and_masked_layers_read():
    net = nets.recurrent.Regressor([3])
    net.add_layer(form="input", size=1, name="real")
    net.add_layer(form="rnn", size=5, inputs="in", mask="real", name="first")
    net.add_layer(form="bidirectional", size=4, inputs="first", mask="real", name="both")
    net.add_layer(2, inputs=["both", "first:pre"], is_output=True)
    found = {row[0]: row[1:] for row in rows(net)}
    assert found["first"] == ["rnn", "in, real", "(m, t, 5)", "45"]
    assert found["both"][:3] == ["bidirectional", "first, real", "(m, t, 4)"]
    assert found["out"][1] == "both, first:pre"
    auto = nets.Autoencoder([6, 4, 3, "tied", "tied"])
    assert {row[0]: row[1:3] for row in rows(auto)}["tied-hid1"] == ["tied to hid1", "tied-hid2"]
    images = nets.convolution.Classifier([dict(shape=(None, None, 3)), dict(form="conv2", size=2, filter_size=3)])
    assert rows(images)[2][3] == "(m, h, w, 2)"


def test_large_numbers_have_commas_and_lines_do_not_wrap():
    net = nets.Regressor([1000, dict(size=2000, name="x" * 150), 1])
    assert rows(net)[2][-1] == "2,002,000" and len(net.summary().splitlines()) == 7
    assert rows(nets.Network()) == [["layer", "form", "inputs", "output shape", "parameters"], ["Network", "0"]]


# --- the picture of the graph ---


def drawn(net):
    """Labels -> centres of the boxes of a picture, and from where to where its arrows lead."""
    (axes,) = net.plot().axes
    labels = {text.get_text(): text.get_position() for text in axes.texts}

    def at(x, y):
        return min(labels, key=lambda name: (labels[name][0] - x) ** 2 + (labels[name][1] - y) ** 2)

    paths = [p.get_path() for p in axes.patches if isinstance(p, matplotlib.patches.FancyArrowPatch)]
    ends = [
        (p._path_original.vertices[0], p._path_original.vertices[-1])
        for p in axes.patches
        if hasattr(p, "_path_original")
    ]
    assert len(paths) == len(ends)
    return labels, sorted((at(*a).partition(":")[0], at(*b).partition(":")[0]) for a, b in ends)


def test_a_plot_has_a_box_for_each_layer_and_loss_and_an_arrow_for_each_input():
    labels, arrows = drawn(skipping())
    assert [*labels] == [
        "in: input (m, 4)",
        "hid1: feedforward, tanh (m, 3)",
        "skip: feedforward, relu (m, 5)",
        "out: feedforward, softmax (m, 2)",
        "crossentropy",
        "0.5 × meanabsoluteerror",
    ]
    assert arrows == [
        ("hid1", "skip"),
        ("in", "hid1"),
        ("in", "skip"),
        ("out", "crossentropy"),
        ("skip", "0.5 × meanabsoluteerror"),
        ("skip", "out"),
    ]
    heights = [labels[name][1] for name in labels][:5]
    assert heights == sorted(heights) and len(set(heights)) == 5


def test_two_inputs_stand_side_by_side_and_a_mask_has_an_arrow():
    net = nets.recurrent.Regressor([3], loss=None)
    net.add_layer(form="input", size=1, name="real")
    net.add_layer(form="rnn", size=5, inputs="in", mask="real", name="first")
    net.add_layer(2, inputs="real", name="beside")
    net.add_layer(form="concat", inputs=["first", "in", "beside"], is_output=True)
    labels, arrows = drawn(net)
    (x1, y1), (x2, y2), (x3, y3), (x4, y4), _ = labels.values()
    assert y1 == y2 < y3 == y4 and abs(x1 - x2) > 100 and abs(x3 - x4) > 100
    assert [a for a in arrows if a[1] == "out"] == [("beside", "out"), ("first", "out"), ("in", "out")]
    assert [a for a in arrows if a[1] != "out"] == [("in", "first"), ("real", "beside"), ("real", "first")]
    assert "out: concatenate (m, t, 10)" in labels


def test_pictures_are_written_and_matplotlib_s_state_is_left_alone(tmp_path):
    backend = matplotlib.rcParams._get("backend")
    figures = [
        skipping().plot(tmp_path / "net.png"),
        seeing.plot_weights(np.eye(4), filename=tmp_path / "weights.png"),
        seeing.plot_history([({"loss": 1.0}, {"loss": 2.0})], tmp_path / "history.png"),
    ]
    for path in ("net.png", "weights.png", "history.png"):
        image = matplotlib.image.imread(tmp_path / path)
        assert image.ndim == 3 and min(image.shape[:2]) > 50 and image[..., :3].std() > 0.02
    assert all(type(f).__name__ == "Figure" and type(f.canvas).__name__ == "FigureCanvasBase" for f in figures)
    assert matplotlib.rcParams._get("backend") is backend
    skipping().plot(str(tmp_path / "net.svg"))
    assert (tmp_path / "net.svg").read_text().startswith("<?xml")


def test_a_network_without_layers_cannot_be_drawn():
    with pytest.raises(ValueError, match="no layers to draw"):
        nets.Network().plot()


def test_without_matplotlib_pictures_say_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    for draw in (skipping().plot, lambda: seeing.plot_history([({}, {})]), lambda: seeing.plot_weights(np.eye(2))):
        with pytest.raises(ImportError, match=r"pip install 'croton\[plot\]'"):
            draw()


# --- curves ---


def curves(axes):
    return {line.get_label(): list(line.get_ydata()) for line in axes.lines}


def test_a_history_shows_losses_and_accuracies():
    history = [({"loss": 0.5 - k / 10, "acc": k / 3}, {"loss": 0.5, "acc": 0.25}) for k in range(3)]
    loss, acc = seeing.plot_history(iter(history)).axes
    assert curves(loss) == {"training": [0.5, 0.4, 0.3], "validation": [0.5] * 3} and loss.get_yscale() == "linear"
    assert curves(acc) == {"training": [0, 1 / 3, 2 / 3], "validation": [0.25] * 3}
    assert loss.get_ylabel() == "loss" and acc.get_ylabel() == "accuracy" and loss.get_xlabel() == "epoch"


def test_a_history_may_have_gaps_and_span_decades():
    (axes,) = seeing.plot_history([({"loss": 100.0}, {}), ({"loss": 1.0}, {"loss": np.float32(0.5)})]).axes
    assert curves(axes)["training"] == [100, 1] and axes.get_yscale() == "log"
    assert np.isnan(curves(axes)["validation"][0]) and curves(axes)["validation"][1] == 0.5
    (axes,) = seeing.plot_history([({"loss": -100.0}, {}), ({"loss": 1.0}, {})]).axes
    assert axes.get_yscale() == "linear"


def test_a_history_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no epochs to draw"):
        seeing.plot_history([])
    with pytest.raises(TypeError, match="has {'loss': 1} in it: pass the pairs"):
        seeing.plot_history([{"loss": 1}])


# --- weights ---


def picture(weights, **keywords):
    (axes,) = seeing.plot_weights(weights, **keywords).axes
    (image,) = axes.images
    return np.asarray(image.get_array())


def test_columns_of_a_matrix_become_images_between_white_lines():
    w = np.array([[0, -1], [1, 0], [2, 1], [-1, -4]])
    whole = picture(w)
    assert whole.shape == (4, 7, 3)  # a line around and between two images of 2 x 2
    np.testing.assert_allclose(whole[1:3, 1:3, 0], [[0.5, 0.75], [1, 0.25]])
    np.testing.assert_allclose(whole[1:3, 4:6, 1], [[0.375, 0.5], [0.625, 0]])
    assert (whole[[0, 3]] == 1).all() and (whole[:, [0, 3, 6]] == 1).all()


@pytest.mark.parametrize(
    ("shape", "keywords", "expected"),
    [
        ((784, 100), {}, (302, 302)),  # 10 x 10 images of 28 x 28, and 11 lines of 2
        ((12, 6), {}, (9, 16)),  # images of 3 x 4 pixels, 2 rows of 3
        ((12, 6), {"columns": 6}, (5, 31)),
        ((12, 6), {"shape": (4, 3), "columns": 1}, (31, 5)),
        ((12, 1), {"shape": (2, 2, 3)}, (4, 4)),
        ((6, 5, 5), {"columns": 3}, (13, 19)),
        ((4, 1, 5, 5), {}, (13, 13)),  # filters of one channel
        ((4, 3, 5, 5), {}, (13, 13)),  # filters of colours
        ((4, 2, 5, 5), {}, (25, 13)),  # a row for each unit, a column for each channel
        ((2, 3, 1, 9), {"columns": 1}, (9, 11)),  # over time: channels by steps
    ],
)
def test_images_are_laid_out_by_what_the_weights_are(shape, keywords, expected):
    assert picture(np.ones(shape), **keywords).shape == (*expected, 3)


def test_colours_and_channels_stand_where_they_belong():
    w = np.zeros((1, 3, 2, 2))
    w[0, 0, 0, 1], w[0, 2, 1, 0] = 1, -1
    whole = picture(w)
    assert whole[1, 2].tolist() == [1, 0.5, 0.5] and whole[2, 1].tolist() == [0.5, 0.5, 0]
    assert picture(np.arange(12).reshape(4, 3), shape=(2, 2))[1:3, 1:3, 0].ravel().tolist() == [
        0.5 + k / 18 * 1 for k in (0, 3, 6, 9)
    ]
    assert (picture(np.zeros((4, 1)))[1:3, 1:3] == 0.5).all()


def test_the_weights_of_a_network_and_a_parameter_can_be_seen():
    net = nets.Regressor([9, 4, 2])
    np.testing.assert_array_equal(picture(net), picture(net.find("hid1", "w").get_value()))
    np.testing.assert_array_equal(picture(net, layer="out"), picture(net.find("out", "w")))


def test_weights_that_are_no_images_are_refused():
    for weights, keywords, what in (
        (np.ones(3), {}, "not an array of float64 of shape \\(3,\\)"),
        (np.ones((0, 3)), {}, "of shape \\(0, 3\\)"),
        (np.array([["a"]]), {}, "not an array of <U1"),
        (np.ones((6, 2)), {"shape": (2, 2)}, "shape=\\(2, 2\\): it must be .* of 6 numbers"),
        (np.ones((8, 2)), {"shape": (2, 2, 2)}, "for colours"),
        (np.ones((2, 1, 3, 3)), {"shape": (3, 3)}, "is for matrices"),
        (np.ones((4, 2)), {"columns": 0}, "columns=0"),
    ):
        with pytest.raises(ValueError, match=what):
            seeing.plot_weights(weights, **keywords)
