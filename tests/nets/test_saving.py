"""Networks in files: what is loaded is the network that was saved, and what is no network is refused."""

import copy
import gzip
import io
import json
import os
import pickle
import stat
import sys
import threading

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import croton
import croton.tensor as T
from croton import nets
from croton.nets import document as documents
from croton.nets import saving
from croton.nets.training.checkpoints import State

KINDS = ("net.pkl", "net.safetensors")


class Named(io.BytesIO):
    """A file in memory with a name, which says what to write."""

    def __init__(self, name, content=b""):
        super().__init__(content)
        self.name = name


def written(net, name="net.pkl", **keywords):
    stream = Named(name)
    saving.save(net, stream, **keywords)
    return stream.getvalue()


def again(net, name="net.pkl", trust=()):
    return nets.Network.load(io.BytesIO(written(net, name)), trust=trust)


def alike(a, b):
    """Whether two networks are described alike and hold the same numbers, to the bit."""
    one, other = documents.document(a), documents.document(b)
    arrays = [{**d.pop("arrays"), **{f"constant {k}": v for k, v in d.pop("constants").items()}} for d in (one, other)]
    assert one.pop("random")["state"].keys() == other.pop("random")["state"].keys()
    assert one == other
    assert [*arrays[0]] == [*arrays[1]]
    for name, value in arrays[0].items():
        assert value.dtype == arrays[1][name].dtype
        np.testing.assert_array_equal(value, arrays[1][name], err_msg=name)
    return True


def moved(net):
    """The network, no longer as it was built."""
    for p in net.params:
        p.set_value(p.get_value() + np.arange(p.get_value().size, dtype=p.dtype).reshape(p.get_value().shape))
    net._rng.rand(7)
    return net


# --- what is loaded is what was saved ---


@pytest.mark.contract("7 save", "10.20", "6.7 saving")
def test_what_is_loaded_predicts_the_same_from_every_kind_of_file(tmp_path):
    net = moved(nets.Classifier([3, (4, "tanh"), dict(size=4, inputs=("in", "hid1")), 2]))
    x = np.random.RandomState(0).randn(5, 3)
    expected = net.predict_proba(x)
    for name in ("a.pkl", "a.pkl.gz", "a.PKL.GZ", "a.safetensors", "a.SafeTensors", "a.safetensors.gz"):
        net.save(tmp_path / name)
        loaded = nets.Network.load(str(tmp_path / name))
        assert type(loaded) is nets.Classifier and alike(net, loaded)
    np.testing.assert_array_equal(loaded.predict_proba(x), expected)
    starts = {name: (tmp_path / name).read_bytes()[:9] for name in ("a.pkl", "a.PKL.GZ", "a.SafeTensors")}
    assert starts["a.pkl"][:2] == b"\x80\x04" and starts["a.PKL.GZ"][:2] == b"\x1f\x8b"
    assert starts["a.SafeTensors"][8:] == b"{"


@pytest.mark.contract("7 save", "7 load")
def test_the_content_and_not_the_name_says_how_a_file_is_read(tmp_path):
    net = nets.Regressor([2, 1])
    for name in KINDS:
        (tmp_path / "anything").write_bytes(gzip.compress(written(net, name)))
        assert alike(net, nets.Network.load(tmp_path / "anything"))


@pytest.mark.contract("7 save")
def test_files_that_are_open_are_written_and_read(tmp_path):
    net = nets.Regressor([2, 1])
    for name in ("a.pkl", "a.pkl.gz", "a.safetensors"):
        with open(tmp_path / name, "wb") as stream:
            net.save(stream)
        with open(tmp_path / name, "rb") as stream:
            assert alike(net, nets.Network.load(stream))
    assert (tmp_path / "a.pkl.gz").read_bytes()[:2] == b"\x1f\x8b"
    with gzip.open(tmp_path / "b.pkl.gz", "wb") as stream:
        net.save(stream)
    assert gzip.decompress((tmp_path / "b.pkl.gz").read_bytes())[:1] == b"\x80"
    with pytest.raises(TypeError, match="open for writing bytes"):
        net.save(io.StringIO())
    with pytest.raises(TypeError, match="open for reading bytes"):
        nets.Network.load(io.StringIO("x"))
    with pytest.raises(TypeError, match="neither a name nor"):
        net.save(None)


FORMS = [
    dict(form="feedforward", size=4, activation="maxout:3", std=0.5, sparsity=0.5),
    dict(form="classifier", size=4),
    dict(form="rnn", size=4, direction="backwards", radius=1.1),
    dict(form="lstm", size=4, carry=True),
    dict(form="gru", size=4),
    dict(form="mut1", size=4),
    dict(form="rrnn", size=4, rate="uniform"),
    dict(form="rrnn", size=4, rate="vector"),
    dict(form="mrnn", size=4, factors=3),
    dict(form="scrn", size=4, rate="log"),
    dict(form="clockwork", size=4, periods=(1, 2)),
    dict(form="bidirectional", size=4, worker="lstm"),
    dict(form="bidirectional", size=4, worker="rrnn", rate="uniform"),
    dict(form="bcrnn", size=4, num_modules=2),
    dict(form="conv1", size=4, filter_size=3, stride=2, border_mode="same"),
    dict(form="pool1", pool_size=2),
    dict(form="conv2", size=4, filter_size=(3, 2), border_mode="full"),
    dict(form="pool2", pool_size=(2, 2), mode="mean"),
    dict(form="reshape", shape=(2, -1)),
    dict(form="flatten"),
]
LENGTHS = dict.fromkeys(("conv2", "pool2"), (6, 6, 3)) | dict.fromkeys(("feedforward", "classifier", "reshape"), (6,))


@pytest.mark.contract("7 save", "1.8 to_spec", "10.20")
@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form['form']}-{form.get('rate', form.get('worker', ''))}")
def test_a_layer_of_every_form_comes_back(form):
    shape = LENGTHS.get(form["form"], (5, 4))
    net = moved(nets.Network([dict(shape=shape), form], loss=None, rng=5))
    for v in net.layers[-1].constants:
        v.set_value(v.get_value() * 0.5)
    for name in KINDS:
        assert alike(net, again(net, name))


def test_every_form_is_among_those_that_come_back():
    # a class that a docstring's example defines calls itself of the example's module, but is not found there
    known = {c for c in nets.Layer._registry.values() if c.__module__.startswith("croton.")}
    known = {c for c in known if hasattr(sys.modules[c.__module__], c.__name__)}
    tested = {nets.Layer.get_class(form["form"]) for form in FORMS}
    others = {"Layer", "Input", "Tied", "Product", "Concatenate", "Recurrent", "Convolution", "Pooling"}
    assert {c.__name__ for c in known - tested} == others


@pytest.mark.contract("7 save", "1.3 skip connections", "2.4 tied")
def test_graphs_with_several_inputs_masks_and_tied_layers_come_back():
    net = nets.recurrent.Regressor([3], loss=None)
    net.add_layer(form="input", size=1, name="mask")
    net.add_layer(form="rnn", size=4, inputs="in", mask="mask", name="first")
    net.add_layer(form="lstm", size=4, inputs="first", name="second", bptt_limit=3)
    net.add_layer(form="product", inputs=["first", "second"], name="times")
    net.add_layer(form="concat", inputs=["times", "second:cell"], name="both")
    net.add_layer(2, is_output=True)
    net.add_loss("mse")
    auto = nets.Autoencoder([6, (4, "relu+norm:z"), 3, "tied", "tied"])
    sparse = nets.Autoencoder([dict(size=6, sparse="csr"), 3, 6])
    for made in (net, auto, sparse):
        for name in KINDS:
            assert alike(moved(made), again(made, name))
    assert [v.name for v in again(auto).variables] == ["in"]
    loaded = again(auto)
    assert loaded.layers[3].partner is loaded.layers[2] and loaded.layers[4].partner is loaded.layers[1]


@pytest.mark.contract("7 save", "10.20")
def test_every_activation_comes_back():
    names = [*nets.activations.FUNCTIONS, "prelu", "lgrelu", "elu", "maxout:2", "prelu+tanh+prelu", "relu+norm:max"]
    net = moved(nets.Regressor([3, *[(4, name) for name in names], 1]))
    for name in KINDS:
        assert alike(net, again(net, name))


@pytest.mark.contract("7 save", "4 several losses", "10.20")
def test_losses_come_back_with_the_variables_that_they_share():
    labels = T.lvector("labels")
    net = nets.Classifier([3, dict(size=4, name="wide"), 2], weighted=True)
    net.add_loss("mmd", kernel=2, weight=0.3, target=2, output_name="wide")
    net.add_loss("hinge")
    net.add_loss("kl", output_name="wide", target=2)
    net.add_loss("xe", target=labels, weight=2)
    net.add_loss(nets.Loss.build("mae", target=2, output_name="wide"))
    before = [(v.name, v.type) for v in net.variables]
    assert [name for name, _ in before].count("labels") == 1
    for name in KINDS:
        loaded = again(net, name)
        assert [(v.name, v.type) for v in loaded.variables] == before and alike(net, loaded)
        shared = [[a._target is b._target for a in n.losses for b in n.losses] for n in (net, loaded)]
        assert shared[0] == shared[1]


def test_every_loss_comes_back():
    for form in ("mse", "mae", "mmd", "kl", "xe", "hinge"):
        net = nets.Network([3, 2], loss=None)
        net.add_loss(form, target=1 if form in ("xe", "hinge") else 2, weighted=form != "hinge")
        assert alike(net, again(net)) and alike(net, again(net, "a.safetensors"))
    net = nets.Network([3, dict(size=2, name="mean"), dict(size=2, name="covar", inputs="in")], loss=None)
    net.add_loss("gll", mean_name="mean", covar_name="covar", covar_eps=0.01)
    assert alike(net, again(net)) and again(net).losses[0].covar_eps == 0.01


@pytest.mark.contract("7 save", "7 load", "10.21")
def test_what_is_loaded_goes_on_training_as_the_saved_one_does():
    x = np.random.RandomState(1).randn(12, 3)
    data = [x, x[:, :1]]
    options = dict(algo="sgd", learning_rate=0.1, max_updates=2, progress=False, input_noise=0.1, batch_size=4)
    net = nets.Regressor([3, 2, 1])
    net.train(data, **options)
    loaded = again(net, "net.safetensors")
    for made in (net, loaded):
        made.train(data, **options)
    assert alike(net, loaded)


@pytest.mark.contract("7 save")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rng", [4, np.random.default_rng(4), np.random.Generator(np.random.Philox(4))])
def test_the_random_state_comes_back_and_layers_draw_from_it(kind, rng):
    net = nets.Regressor([3, 2, 1], rng=rng)
    net._rng.randn(3)  # an odd number, so that one normal number is left over
    loaded = again(net, kind)
    assert loaded.layers[1].rng is loaded._rng
    np.testing.assert_array_equal(loaded._rng.randn(4), net._rng.randn(4))


def test_a_network_keeps_its_dtype_whatever_floatX_is_when_it_is_loaded():
    with croton.config(floatX="float64"):
        net = nets.Regressor([2, 3, 1])
    loaded = again(net)
    assert croton.config.floatX == "float32"
    assert {p.dtype for p in loaded.params} == {"float64"} and {v.dtype for v in loaded.variables} == {"float64"}


def test_networks_pickle_and_copy():
    net = moved(nets.Regressor([2, 3, 1]))
    net.note = {"born": (1, 2)}
    for made in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net), pickle.loads(written(net))):
        assert alike(net, made) and made.params[0] is not net.params[0] and made.note == net.note
    shallow = copy.copy(net)
    assert shallow.layers is net.layers and shallow._rng is net._rng and type(shallow) is nets.Regressor


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_of_plain_data_come_back_and_others_are_named(kind):
    net = nets.Regressor([2, 1])
    net.note = {3: [1.5, np.float32(2)], "$x": (None, True, {"a": float("-inf")}), "inner": {"$tuple": "odd"}}
    net.table = np.arange(6, dtype="int16").reshape(2, 3).T
    net._private = lambda: None
    loaded = again(net, kind)
    assert loaded.note == net.note and type(loaded.note[3][1]) is float and not hasattr(loaded, "_private")
    assert loaded.table.dtype == "int16"
    np.testing.assert_array_equal(loaded.table, net.table)
    net.public = lambda: None
    with pytest.raises(nets.ConfigurationError, match="attribute 'public' is"):
        written(net, kind)


# --- users' classes ---


class Doubled(nets.Regressor):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
        self._cache = lambda: None

    def predict(self, x, **kwargs):
        return self.factor * super().predict(x, **kwargs)


class SavedShift(nets.Layer):
    def __init__(self, by=0.0, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def transform(self, inputs):
        return inputs[self.input_name] + self.by, []


class SavedPower(nets.Loss):
    def __init__(self, p, **kwargs):
        super().__init__(**kwargs)
        self.p = p

    def __call__(self, outputs):
        return T.mean(abs(outputs[self.output_name] - self._target) ** self.p)


class SavedBend(nets.Activation):
    def __call__(self, x):
        return x / 2


class Odd:
    """A keyword that is no plain data."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return self.value == other.value

    __hash__ = None


@pytest.mark.contract("7 save", "1.10 custom layers", "10.20")
def test_what_users_made_comes_back_with_its_own_arguments():
    layers = [2, dict(form="savedshift", size=2, by=(1.5, 2.5)), (3, "savedbend"), 1]
    net = Doubled(factor=np.float64(3), layers=layers, loss=None)
    net.add_loss("savedpower", p=4)
    for name in KINDS:
        loaded = again(net, name)
        assert type(loaded) is Doubled and loaded.factor == 3 and alike(net, loaded)
        assert loaded.layers[1].by == (1.5, 2.5) and loaded.losses[0].p == 4


def test_a_class_that_is_not_known_here_must_be_imported_first():
    def local():
        class Passing(nets.Regressor):
            pass

        return Passing([2, 1])

    content = written(local()).replace(b"Passing", b"Missing")
    with pytest.raises(ValueError, match="Missing, a class that is not known here: import the module"):
        nets.Network.load(io.BytesIO(content))
    content = written(nets.Regressor([2, (2, "savedbend"), 1])).replace(b"savedbend", b"gavedbend")
    with pytest.raises(ValueError, match="there is no activation 'gavedbend'.*import the module that defines it"):
        nets.Network.load(io.BytesIO(content))


def test_an_argument_that_nobody_tells_is_named():
    class Forgetful(nets.Layer):
        def __init__(self, secret=1, **kwargs):
            super().__init__(**kwargs)

    net = nets.Regressor([2, dict(form="forgetful", size=2, name="vague"), 1])
    with pytest.raises(nets.ConfigurationError, match="layer 'vague': Forgetful takes 'secret'"):
        written(net)


def plain_function(z):
    return z


@pytest.mark.contract("10.20")
@pytest.mark.parametrize("kind", KINDS)
def test_functions_cannot_be_saved_and_say_whose_they_are(kind):
    with pytest.raises(nets.ConfigurationError, match="layer 'hid1'.*plain_function.*plain function"):
        written(nets.Regressor([2, (3, plain_function), 1]), kind)
    net = nets.Regressor([2, 1], loss=dict(form="mmd", kernel=lambda a, b: a))
    with pytest.raises(nets.ConfigurationError, match="loss 'maximummeandiscrepancy'.*kernel"):
        written(net, kind)
    with pytest.raises(nets.ConfigurationError, match="layer 'odd': by.*cannot be saved|layer 'odd': by.*safetensors"):
        written(nets.Regressor([2, dict(form="savedshift", size=2, name="odd", by=lambda: 1), 1]), kind)


@pytest.mark.contract("10.20")
def test_an_object_of_a_users_class_needs_trust():
    net = nets.Regressor([2, dict(form="savedshift", size=2, name="odd", by=Odd(3)), 1], loss=None)
    content = written(net)
    with pytest.raises(ValueError, match=rf"asks for {Odd.__module__}.Odd.*trust"):
        nets.Network.load(io.BytesIO(content))
    for trust in (Odd, [Odd]):
        assert nets.Network.load(io.BytesIO(content), trust=trust).layers[1].by == Odd(3)
    with pytest.raises(nets.ConfigurationError, match="layer 'odd': by is .*safetensors"):
        written(net, "net.safetensors")
    with pytest.raises(TypeError, match="pass classes, or their names"):
        nets.Network.load(io.BytesIO(content), trust=[3])


def test_trust_can_be_said_by_name():
    net = nets.Regressor([2, dict(form="savedshift", size=2, by=complex(1, 2)), 1], loss=None)
    with pytest.raises(ValueError, match="asks for builtins.complex"):
        again(net)
    assert again(net, trust="builtins.complex").layers[1].by == 1 + 2j
    assert again(net, trust=["builtins.complex"]).layers[1].by == 1 + 2j


def test_what_could_not_be_found_again_is_not_saved():
    class _Hidden(nets.Layer):
        pass

    with pytest.raises(nets.ConfigurationError, match="layer 'odd': no class is registered as '_hidden'"):
        written(nets.Regressor([2, dict(form=_Hidden, size=2, name="odd"), 1]))
    stranger = nets.Regressor([2, dict(size=2, name="far"), 1]).layers[1]
    net = nets.Regressor([2, 2], loss=None)
    net.add_layer(form="tied", partner=stranger)
    with pytest.raises(nets.ConfigurationError, match="layer 'tied-far' is tied to 'far', which is not in the network"):
        written(net)


def test_a_layer_or_a_network_is_no_keyword_to_save():
    for value in (nets.Regressor([2, 1]), nets.Regressor([2, 1]).layers[0], T.matrix("x")):
        net = nets.Regressor([2, dict(form="savedshift", size=2, name="odd", by=value), 1], loss=None)
        with pytest.raises(nets.ConfigurationError, match="layer 'odd': by is .* cannot be saved there"):
            written(net)


# --- what is no network ---


class Wicked:
    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_runs_nothing_that_is_not_croton_s(tmp_path):
    wicked = Wicked()
    wicked.path = str(tmp_path / "made")
    with pytest.raises(ValueError, match="asks for posix.mkdir|asks for nt.mkdir"):
        nets.Network.load(io.BytesIO(pickle.dumps(wicked)))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"hello, world", "begins with b'hello, world'"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x93NUMPY\x01", "a NumPy array"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (pickle.dumps([1, 2]), "is a pickle of a list"),
        (pickle.dumps({"hid1.w": np.ones(3)}), "is a pickle of a dict"),
        (pickle.dumps(documents.restore), "is a pickle of a type"),
        (b"\x80\x05garbage", "that can be read: .*It is cut off"),
        (gzip.compress(b""), "is empty"),
        (b"\x1f\x8b\x08", "compressed, and damaged or cut off"),
        (safetensors.numpy.save({"w": np.ones(3)}), "without croton's description"),
        (b"\x20\0\0\0\0\0\0\0{'a': 1}", "looks like safetensors, cut off or damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
@pytest.mark.contract("7 load")
def test_a_file_that_is_no_network_says_what_it_is(content, what, tmp_path):
    (tmp_path / "file.bin").write_bytes(content)
    with pytest.raises(ValueError, match=f"file.bin is no network.*{what}"):
        nets.Network.load(tmp_path / "file.bin")


def test_safetensors_whose_length_begins_like_another_file_are_read():
    net = nets.Regressor([2, 1])
    for size in range(8, 400, 8):
        net.note = "x" * size
        content = written(net, "a.safetensors")
        if content[0] == 0x80:
            break
    assert content[:1] == b"\x80" and alike(net, nets.Network.load(io.BytesIO(content)))
    size, longer = int.from_bytes(content[:8], "little"), 0x8B1F
    content = longer.to_bytes(8, "little") + content[8 : 8 + size].ljust(longer) + content[8 + size :]
    assert content[:2] == b"\x1f\x8b" and alike(net, nets.Network.load(io.BytesIO(content)))


def test_a_file_that_is_not_there_is_a_FileNotFoundError(tmp_path):
    with pytest.raises(FileNotFoundError):
        nets.Network.load(tmp_path / "nothing.pkl")


WHOLE = {name: written(nets.Regressor([2, (3, "prelu"), 1]), name) for name in ("a.pkl", "a.pkl.gz", "a.safetensors")}


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_off_is_a_ValueError(name, share):
    content = WHOLE[name]
    with pytest.raises(ValueError, match="no network"):
        nets.Network.load(io.BytesIO(content[: int(share * len(content))]))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.update(format=documents.FORMAT + 1), "in a form that croton .* does not know"),
        (lambda d: d.pop("format"), "no network of croton's"),
        (lambda d: d.pop("arrays"), "cannot be built here: 'arrays'"),
        (lambda d: d["arrays"].pop("hid1.w"), "'hid1.w' is absent in the file, and float32 of shape \\(2, 3\\)"),
        (lambda d: d["arrays"].update(more=np.ones(2)), "'more' is float64 of shape \\(2,\\) in the file, and absent"),
        (lambda d: d["layers"][1].update(size=4), "'hid1.w' is float32 of shape \\(2, 3\\) in the file"),
        (lambda d: d["layers"][1].update(form="feedforwards"), "no layer 'feedforwards': did you mean 'feedforward'"),
        (lambda d: d["layers"][1].update(inputs={"on": 2}), "no earlier layer has that name"),
        (lambda d: d["random"].update(bit_generator="Dice"), "'Dice' is no bit generator"),
        (lambda d: d.update(model="os.system"), "os.system, a class that is not known"),
        (lambda d: d.update(floatX="int8"), "cannot be built here"),
    ],
)
def test_a_document_that_does_not_fit_is_a_ValueError_that_says_where(change, what):
    document = copy.deepcopy(documents.document(nets.Regressor([2, 3, 1])))
    change(document)
    with pytest.raises(ValueError, match=f"the file: .*{what}"):
        nets.Network.load(io.BytesIO(pickle.dumps(saving._Saved(document))))


# --- places ---


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "net.pkl"
    nets.Regressor([2, 1]).save(path)
    before = path.read_bytes()
    with pytest.raises(nets.ConfigurationError):
        nets.Regressor([2, (3, plain_function), 1]).save(path)

    def broken(*_):
        raise KeyboardInterrupt

    for module, name in ((os, "fsync"), (os, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, broken)
            with pytest.raises(KeyboardInterrupt):
                nets.Regressor([2, 5, 1]).save(path)
        assert path.read_bytes() == before and os.listdir(tmp_path) == ["net.pkl"]
    nets.Regressor([2, 5, 1]).save(path)
    assert nets.Network.load(path).layers[1].size == 5 and os.listdir(tmp_path) == ["net.pkl"]


def test_a_file_is_flushed_before_it_takes_its_place(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name: (calls.append(name), real(*a))[1])
    nets.Regressor([2, 1]).save(tmp_path / "net.pkl")
    assert calls == ["fsync", "replace"]


def test_files_get_the_usual_rights_and_links_stay_links(tmp_path):
    nets.Regressor([2, 1]).save(tmp_path / "net.pkl")
    (tmp_path / "plain").write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "net.pkl").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    (tmp_path / "link.pkl").symlink_to(tmp_path / "net.pkl")
    nets.Regressor([2, 7, 1]).save(tmp_path / "link.pkl")
    assert (tmp_path / "link.pkl").is_symlink() and nets.Network.load(tmp_path / "net.pkl").layers[1].size == 7


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.pkl")
    found = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe.pkl").read_bytes()), daemon=True)
    reader.start()
    net = nets.Regressor([2, 1])
    net.save(tmp_path / "pipe.pkl")
    reader.join(20)
    assert (tmp_path / "pipe.pkl").is_fifo() and alike(net, nets.Network.load(io.BytesIO(found[0])))
    with pytest.raises(IsADirectoryError):
        net.save(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder .*none"):
        net.save(tmp_path / "none" / "net.pkl")


def test_equal_networks_make_equal_files():
    for name in ("a.pkl", "a.pkl.gz", "a.safetensors"):
        assert written(nets.Regressor([2, 3, 1]), name) == written(nets.Regressor([2, 3, 1]), name)
    assert written(nets.Regressor([2, 3, 1]), "a.pkl.gz")[4:8] == bytes(4)  # where gzip puts the time


def test_safetensors_hold_the_parameters_by_name_and_a_description_in_json():
    net = nets.Regressor([2, dict(size=3, name="a"), 1])
    content = written(net, "net.safetensors")
    np.testing.assert_array_equal(safetensors.numpy.load(content)["arrays/a.w"], net.find("a", "w").get_value())
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    told = json.loads(header["__metadata__"]["croton"])
    assert told["model"] == "croton.nets.feedforward.Regressor" and told["croton"] == croton.__version__
    assert told["layers"][1]["form"] == "feedforward" and told["losses"][0]["form"] == "meansquarederror"


# --- trainings ---

STATE = State(
    {"params/0": np.ones((2, 1), "float32"), "optimizer/0": np.array(3), "data/order": np.arange(4)},
    {
        "epoch": 2,
        "done": None,
        "best": [float("inf"), 0, 1],
        "seen": {"loss": float("nan")},
        "data/x": {"a": (1, [2**100])},
    },
)


@pytest.mark.contract("6.7 saving")
@pytest.mark.parametrize("kind", ["net.pkl", "net.pkl.gz", "net.safetensors"])
def test_a_training_s_state_comes_back_and_the_random_state_is_put_into_the_network(kind, tmp_path):
    def build():
        return nets.recurrent.Regressor([2, dict(form="rrnn", size=3, rate="uniform"), 1])

    net = build()
    (constant,) = net.layers[1].constants
    constant.set_value(constant.get_value() / 2)
    net._rng.rand(5)
    saving.save(net, tmp_path / kind, STATE)
    fresh = build()
    before = [p.get_value() for p in fresh.params]
    state = saving.resume(fresh, tmp_path / kind)
    assert repr(state.values) == repr(STATE.values)  # nan included
    assert [*state.arrays] == [*STATE.arrays]
    for name, value in STATE.arrays.items():
        assert state.arrays[name].dtype == value.dtype and state.arrays[name].shape == value.shape
        np.testing.assert_array_equal(state.arrays[name], value)
    np.testing.assert_array_equal(fresh.layers[1].constants[0].get_value(), constant.get_value())
    assert fresh._rng.rand() == net._rng.rand()
    for p, value in zip(fresh.params, before, strict=True):
        np.testing.assert_array_equal(p.get_value(), value)
    assert alike(net, nets.Network.load(tmp_path / kind))  # a checkpoint is a network as well


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (lambda: nets.Regressor([2, 4, 1]), "layer 'hid1': size is 3 in the file, and 4 in the network"),
        (lambda: nets.Regressor([2, (3, "tanh"), 1]), "layer 'hid1': activation is 'relu' in the file, and 'tanh'"),
        (lambda: nets.Regressor([2, 3, 3, 1]), "layer .*: name is 'out' in the file, and 'hid2'"),
        (lambda: nets.Regressor([2, 3, 1], loss="mae"), "loss 0: form is 'meansquarederror' in the file"),
        (lambda: nets.Regressor([2, 3, 1], loss=None), "describes 1 of a loss, and the network has 0"),
        (lambda: nets.Regressor([2, 3, 1], rng=np.random.default_rng(1)), "random state is of MT19937 in the file"),
    ],
)
def test_another_network_is_not_resumed(other, what, tmp_path):
    saving.save(nets.Regressor([2, 3, 1]), tmp_path / "a.pkl", STATE)
    net = other()
    before = copy.deepcopy(net._rng.get_state(legacy=False))
    with pytest.raises(ValueError, match=f"a.pkl is a checkpoint of another network: .*{what}"):
        saving.resume(net, tmp_path / "a.pkl")
    assert repr(net._rng.get_state(legacy=False)) == repr(before)


def test_parameters_of_another_dtype_are_not_resumed(tmp_path):
    with croton.config(floatX="float64"):
        saving.save(nets.Regressor([2, 3, 1]), tmp_path / "a.pkl", STATE)
    with pytest.raises(ValueError, match="parameter 'hid1.w' is float64 of shape .* and float32"):
        saving.resume(nets.Regressor([2, 3, 1]), tmp_path / "a.pkl")


def test_a_checkpoint_of_a_later_form_is_not_resumed(monkeypatch, tmp_path):
    net = nets.Regressor([2, 3, 1])
    with monkeypatch.context() as patch:
        patch.setattr(documents, "FORMAT", documents.FORMAT + 1)
        saving.save(net, tmp_path / "a.pkl", STATE)
    with pytest.raises(ValueError, match="in a form that croton .* does not know"):
        saving.resume(net, tmp_path / "a.pkl")


def test_a_network_without_a_training_is_not_resumed(tmp_path):
    net = nets.Regressor([2, 3, 1])
    net.save(tmp_path / "a.pkl")
    with pytest.raises(ValueError, match=r"a.pkl holds a network and no training: it was written by save\(\)"):
        saving.resume(net, tmp_path / "a.pkl")


def test_a_training_with_objects_of_the_network_s_own_classes_is_resumed(tmp_path):
    net = nets.Regressor([2, dict(form="savedshift", size=2, by=Odd(3)), 1])
    saving.save(net, tmp_path / "a.pkl", STATE)
    assert saving.resume(net, tmp_path / "a.pkl").values["epoch"] == 2


def test_an_activation_of_another_layer_is_refused(tmp_path):
    net = nets.Regressor([2, (3, "prelu"), 3, 1])
    net.layers[2].activate = net.layers[1].activate
    with pytest.raises(nets.ConfigurationError, match="'hid2'.*hid1.leak"):
        net.save(tmp_path / "net.pkl")
