"""Training: the loop's rules, what it yields, the data that it takes, and that a cut training goes on as if uncut."""

import itertools
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton import nets
from croton.compile import lower

RNG = np.random.RandomState(0)
X = RNG.rand(20, 3).astype("f")
Y = (X @ [[1.0, -1], [2, 0], [0, 1]] + 0.1).astype("f")
LABELS = (X[:, 0] > 0.5).astype(int)


def values(net):
    return {p.name: p.get_value() for p in net.params}


def same(a, b):
    return all(np.array_equal(a[k], b[k]) for k in a)


def losses(net, data=(X, Y), **keywords):
    keywords = {"algo": "sgd", "progress": False, **keywords}
    return [(t["loss"], v["loss"]) for t, v in net.itertrain(list(data), **keywords)]


# --- the loop ---


@pytest.mark.contract("6.3 loop")
def test_steps_are_those_of_the_formula_and_monitors_are_of_before_each_step():
    net = nets.Regressor([3, 2])
    w, b = values(net)["out.w"].astype(float), values(net)["out.b"].astype(float)
    got = losses(net, batch_size=8, shuffle=False, learning_rate=0.1, max_updates=2, validate_every=1)
    for epoch in range(2):
        terms = []
        valid = np.mean((X @ w + b - Y) ** 2)
        for at in (0, 8, 16):
            x, y = X[at : at + 8], Y[at : at + 8]
            error = x @ w + b - y
            terms.append((len(x), np.mean(error**2)))
            w, b = w - 0.1 * 2 * x.T @ error / error.size, b - 0.1 * 2 * error.sum(0) / error.size
        mean = sum(n * m for n, m in terms) / 20
        if epoch == 0:
            np.testing.assert_allclose(got[epoch], [mean, valid], rtol=1e-5)
    np.testing.assert_allclose(got[1], [mean, np.mean((X @ w + b - Y) ** 2)], rtol=1e-5)
    np.testing.assert_allclose(values(net)["out.w"], w, rtol=1e-4)


@pytest.mark.contract("6.3 stale validation")
def test_validation_is_before_the_first_step_then_every_so_many_epochs_and_at_the_end():
    net = nets.Regressor([3, 2])
    before = net.predict(X)
    got = losses(net, learning_rate=0.1, validate_every=2, max_updates=4)
    first, second, third, fourth = (v for _, v in got)
    np.testing.assert_allclose(first, np.mean((before - Y) ** 2), rtol=1e-5)
    assert first == second and second > third > fourth
    np.testing.assert_allclose(fourth, np.mean((net.predict(X) - Y) ** 2), rtol=1e-5)


@pytest.mark.contract("6.3 patience")
@pytest.mark.parametrize(("patience", "every", "epochs"), [(5, 10, 60), (0, 1, 1), (2, 3, 9)])
def test_a_loss_that_stays_ends_training_after_patience(patience, every, epochs):
    net = nets.Regressor([3, 2])
    assert len(losses(net, learning_rate=0.0, batch_size=0, patience=patience, validate_every=every)) == epochs


@pytest.mark.contract("6.3 best parameters", "10.12")
def test_the_best_validated_parameters_stay_and_without_validation_data_the_last():
    def run(**keywords):
        net = nets.Regressor([3, 2])
        seen = []
        for _, v in net.itertrain(
            [X, Y], algo="sgd", learning_rate=3.0, max_updates=6, validate_every=2, progress=False, **keywords
        ):
            seen.append((v["loss"], values(net)))
        return net, seen

    net, seen = run(valid=[X, Y])
    assert seen[-1][0] > seen[0][0]  # the rate is too large on purpose
    np.testing.assert_allclose(np.mean((net.predict(X) - Y) ** 2), min(v for v, _ in seen), rtol=1e-5)
    net, seen = run()
    assert same(values(net), seen[-1][1])


@pytest.mark.contract("6.3 best parameters")
def test_broken_parameters_do_not_stay():
    net = nets.Regressor([3, 2])
    losses(net, learning_rate=1e30, max_updates=4, validate_every=1)
    assert all(np.isfinite(v).all() for v in values(net).values())


@pytest.mark.contract("6.3 max_updates")
def test_no_epochs_give_none():
    assert nets.Regressor([3, 2]).train([X, Y], max_updates=0, progress=False) is None


@pytest.mark.contract("6.1 itertrain")
def test_nothing_happens_before_the_first_next_and_values_set_between_epochs_count():
    net = nets.Regressor([3, 2])
    iterator = net.itertrain("no data at all", lerning_rate=1)
    with pytest.raises(TypeError, match="learning_rate"):
        next(iterator)
    training = net.itertrain([X, Y], algo="sgd", learning_rate=0.0, validate_every=1, progress=False)
    next(training)
    net.find("out", "w").set_value(np.zeros((3, 2)))
    net.find("out", "b").set_value(np.zeros(2))
    train, valid = next(training)
    np.testing.assert_allclose([train["loss"], valid["loss"]], np.mean(Y**2), rtol=1e-5)


@pytest.mark.contract("6.3 monitors")
def test_the_names_and_order_of_monitors():
    net = nets.Classifier([3, 4, 2])
    train, valid = net.train(
        [X, LABELS],
        monitors={"hid1:out": (0.5,), "*.w": {"top": lambda w: T.max(w)}},
        monitor_gradients=True,
        weight_l2=0.1,
        max_updates=1,
        progress=False,
    )
    names = ["loss", "err", "hid1:out<0.5", "hid1.w:top", "out.w:top", "acc"]
    names += [f"grad({p.name})" for p in net.params]
    assert list(train) == list(valid) == names
    assert train["loss"] > train["err"]


@pytest.mark.contract("10.13")
def test_validation_is_without_noise():
    net = nets.Classifier([3, 4, 2])
    p = net.predict_proba(X)[np.arange(20), LABELS]
    _, valid = next(net.itertrain([X, LABELS], input_noise=3.0, hidden_dropout=0.5, progress=False))
    np.testing.assert_allclose(valid["loss"], -np.log(p).mean(), rtol=1e-5)


@pytest.mark.contract("10.14")
def test_weighted_averages_count_batches_by_their_weights():
    net = nets.Classifier([3, 2], weighted=True)
    w = np.arange(20.0)
    p = net.predict_proba(X)[np.arange(20), LABELS]
    _, valid = next(net.itertrain([X, LABELS, w], batch_size=8, progress=False))
    np.testing.assert_allclose(valid["loss"], -(w * np.log(p)).sum() / w.sum(), rtol=1e-5)


@pytest.mark.contract("6.4 schedule")
def test_the_learning_rate_may_follow_the_step():
    steady, falling = nets.Regressor([3, 2]), nets.Regressor([3, 2])
    losses(steady, learning_rate=0.1, batch_size=10, shuffle=False, max_updates=1)
    losses(falling, learning_rate=lambda k: 0.1 * (k < 2), batch_size=10, shuffle=False, max_updates=3)
    assert same(values(steady), values(falling))


@pytest.mark.contract("6.1 programs")
def test_a_ragged_last_batch_costs_one_more_program_and_epochs_none(monkeypatch):
    from croton.nets.training import engine

    passes = []
    original = engine.Pass.__post_init__
    monkeypatch.setattr(engine.Pass, "__post_init__", lambda self: (original(self), passes.append(self))[0])
    for _ in range(2):
        losses(nets.Regressor([3, 7, 2]), batch_size=8, max_updates=3, validate_every=1)
    training, validation, again, validated = passes
    assert (training.steps.traces, validation.steps.traces) == (2, 2)
    # A network of the same shape, with values of its own, shares the programs.
    assert again.steps is training.steps and validated.steps is validation.steps


# --- data ---


@pytest.mark.contract("6.2 data")
def test_all_kinds_of_data_train_alike():
    sparse = pytest.importorskip("scipy.sparse")

    def trained(data, **keywords):
        net = nets.Regressor([3, 2])
        pairs = net.itertrain(
            data, algo="sgd", learning_rate=0.1, batch_size=10, shuffle=False, max_updates=2, progress=False, **keywords
        )
        return [t["loss"] for t, _ in pairs]

    halves = [[X[:10], Y[:10]], [X[10:], Y[10:]]]
    turn = itertools.cycle(halves)
    expected = trained([X, Y])
    for data, keywords in [
        ((X.tolist(), Y.tolist()), {}),
        ({"target": Y, "in": X}, {}),
        ([sparse.csr_matrix(X), Y], {}),
        (lambda: next(turn), {"train_batches": 2, "valid": [X, Y]}),
        (iter(halves * 2), {"train_batches": 2, "valid": [X, Y]}),
        (_Again(halves), {}),
    ]:
        np.testing.assert_allclose(trained(data, **keywords), expected, rtol=1e-5)


class _Again:
    """An iterable of batches that can be gone through again and again."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.contract("6.2 data")
def test_a_generator_is_gone_through_once_and_training_ends_with_it():
    net = nets.Regressor([3, 2])
    batches = ([X[:10], Y[:10]] for _ in range(5))
    pairs = list(net.itertrain(batches, algo="sgd", train_batches=2, progress=False))
    assert len(pairs) == 3 and all(valid == {} for _, valid in pairs)
    with pytest.raises(ValueError, match="ended"):
        net.train(batches, train_batches=2, progress=False)


@pytest.mark.contract("6.2 data")
def test_wrong_data_change_nothing():
    net = nets.Classifier([3, 4, 2])
    before = values(net)
    for data, message in [
        ([X[:, :2], LABELS], "size 3"),
        ([X, LABELS[:5]], "examples"),
        ([X, LABELS + 1], "label 2"),
        ([X, np.eye(2)[LABELS]], "one-hot|labels"),
        ([X * np.nan, LABELS], "finite"),
        ([X[:0], LABELS[:0]], "no examples|at least one"),
        ([X], "target"),
        ([X, LABELS, LABELS], "target|arrays"),
        (lambda: [X, LABELS - 1], "label -1"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            net.train(data, max_updates=1, progress=False)
        assert same(values(net), before)


@pytest.mark.contract("6.1 options")
@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        (dict(lerning_rate=1), TypeError, "learning_rate"),
        (dict(min_improvment=1), TypeError, "min_improvement"),
        (dict(hidden_l11=1), TypeError, "hidden_l1"),
        (dict(algo="rmspop"), KeyError, "rmsprop"),
        (dict(patience=-1), ValueError, "patience"),
        (dict(learning_rate=-1), ValueError, "learning_rate"),
        (dict(weight_l2=dict(pattern="no.such", weight=1)), nets.ConfigurationError, "no.such"),
        (dict(hidden_dropout=1.5), nets.ConfigurationError, "1.5"),
        (dict(algo="layerwise", resume="x.pkl"), nets.ConfigurationError, "resume"),
    ],
)
def test_wrong_options_are_told(keywords, error, message):
    net = nets.Classifier([3, 4, 2])
    with pytest.raises(error, match=message):
        net.train([X, LABELS], max_updates=1, progress=False, **keywords)


@pytest.mark.contract("6.4 other algorithms' names")
def test_a_keyword_of_another_algorithm_is_warned_of():
    with pytest.warns(UserWarning, match="rms_halflife.*no effect.*'sgd'"):
        nets.Regressor([3, 2]).train([X, Y], algo="sgd", rms_halflife=3, max_updates=1, progress=False)


def test_a_graph_whose_shapes_depend_on_the_data_trains_too():
    class Positive(nets.Loss):
        def __call__(self, outputs):
            error = outputs[self.output_name] - self._target
            return T.sqr(error[T.gt(self._target, 0).nonzero()]).mean()

    net = nets.Regressor([3, 2], loss="positive")
    first, *_, last = losses(net, learning_rate=0.1, batch_size=10, max_updates=5)
    assert last[0] < first[0]


@pytest.mark.contract("9 carried state")
def test_states_are_carried_from_batch_to_batch_within_an_epoch():
    s = RNG.rand(4, 6, 3).astype("f")
    windows = [s[:, :3], s[:, 3:]]
    target = [np.zeros((4, 3, 2), "f")] * 2

    def first(carry):
        net = nets.recurrent.Regressor([3, dict(form="rnn", size=2, carry=carry), 2], rng=1)
        data = _Again([list(b) for b in zip(windows, target, strict=True)])
        return next(net.itertrain(data, algo="sgd", learning_rate=0.0, progress=False))[0]["loss"], net

    loss, net = first(True)
    net.reset_state()
    np.testing.assert_allclose(loss, np.mean(net.predict(s) ** 2), rtol=1e-5)
    assert abs(first(False)[0] - loss) > 1e-6


# --- other trainers ---


@pytest.mark.contract("6.6 layerwise", "10.21", "10.22")
def test_layerwise_leaves_the_network_whole_and_can_be_run_twice():
    net = nets.Classifier([3, 5, 4, 2])
    layers, loss = list(net.layers), net.losses[0]
    before = values(net)
    for _ in range(2):
        pairs = list(net.itertrain([X, LABELS], algo="layerwise", subalgo="sgd", max_updates=2, progress=False))
        assert len(pairs) == 4 and net.layers == layers and net.losses == [loss]
    stage = net.itertrain([X, LABELS], algo="layerwise", max_updates=2, progress=False)
    next(stage)
    stage.close()
    assert net.layers == layers and net.predict(X).shape == (20,)
    assert all(not np.array_equal(v, before[k]) for k, v in values(net).items())


@pytest.mark.contract("6.6 layerwise")
def test_layerwise_trains_tied_pairs_from_the_outside():
    net = nets.Autoencoder([3, 5, 4, "tied", "tied"])
    before = values(net)
    training = net.itertrain([X], algo="layerwise", subalgo="sgd", max_updates=1, progress=False)
    next(training)
    changed = {k for k, v in values(net).items() if not np.array_equal(v, before[k])}
    assert changed == {"hid1.w", "hid1.b", "tied-hid1.b"}
    next(training)
    assert next(training, None) is None
    assert all(not np.array_equal(v, before[k]) for k, v in values(net).items())


@pytest.mark.contract("6.6 pretrain")
def test_pretraining_needs_no_labels_and_shares_the_hidden_layers():
    net = nets.Classifier([3, 5, 4, 2])
    before = values(net)
    pairs = list(net.itertrain([X], algo="pretrain", subalgo="sgd", max_updates=1, progress=False))
    assert len(pairs) == 2
    changed = {k for k, v in values(net).items() if not np.array_equal(v, before[k])}
    assert changed == {"hid1.w", "hid1.b", "hid2.w", "hid2.b"}
    with pytest.raises(ValueError, match="in"):
        net.train([X, LABELS], algo="pretrain", max_updates=1, progress=False)


@pytest.mark.contract("6.6 sample", "10.23")
def test_sampled_weights_are_normalized_examples():
    net = nets.Regressor([3, 4, 5, 2])
    assert list(net.itertrain([X, Y], algo="sample")) == [({"loss": 0.0}, {"loss": 0.0})]
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    columns = net.find("hid1", "w").get_value().T
    assert all(np.isclose(unit, c, atol=1e-6).all(1).any() for c in columns)
    rows = net.find("out", "w").get_value()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    more = nets.Regressor([3, 50, 2])
    more.train([X, Y], algo="sample")
    np.testing.assert_allclose(np.linalg.norm(more.find("hid1", "w").get_value(), axis=0), 1, rtol=1e-5)


@pytest.mark.contract("6.1 trainer objects")
def test_an_object_with_itertrain_is_a_trainer():
    class Trainer:
        def itertrain(self, train, valid, **kwargs):
            yield {"loss": 1.0, **kwargs}, {"loss": len(train)}

    assert nets.Regressor([3, 2]).train([X, Y], algo=Trainer(), a=2) == ({"loss": 1.0, "a": 2}, {"loss": 2})
    with pytest.warns(DeprecationWarning, match="algo="):
        assert nets.Regressor([3, 2]).train([X, Y], algorithm=[Trainer()]) is not None


# --- cut and resumed ---


KEYWORDS = dict(
    algo="adam",
    learning_rate=0.01,
    batch_size=8,
    max_updates=8,
    validate_every=2,
    hidden_dropout=0.3,
    progress=False,
)


def network():
    return nets.Classifier([3, 6, 2], rng=4)


def uncut():
    net = network()
    net.train([X, LABELS], **KEYWORDS)
    return values(net)


@pytest.mark.contract("9 resume")
def test_a_training_cut_after_an_epoch_goes_on_to_the_same_bits(tmp_path):
    expected = uncut()
    for cut in (1, 4):
        path = tmp_path / f"cut{cut}.pkl"
        training = network().itertrain([X, LABELS], save_progress=path, save_every=1, **KEYWORDS)
        for _ in range(cut + 2):
            next(training)
        training.close()
        net = network() if cut == 1 else nets.Network.load(path)
        net.train([X, LABELS], resume=path, **KEYWORDS)
        assert same(values(net), expected)


@pytest.mark.contract("9 resume")
@pytest.mark.parametrize("suffix", ["pkl", "safetensors"])
def test_a_training_cut_within_an_epoch_goes_on_to_the_same_bits(tmp_path, monkeypatch, suffix):
    from croton.nets.training import loop

    expected = uncut()
    path = tmp_path / f"cut.{suffix}"
    calls = itertools.count()

    def interrupting(self, *arguments):
        if next(calls) == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.Progress, "step", interrupting)
    monkeypatch.setattr("croton.nets.training.engine.CALL", 1e-9)
    net = network()
    assert net.train([X, LABELS], resume=path, **KEYWORDS) is not None
    assert not same(values(net), expected)
    monkeypatch.setattr(loop.Progress, "step", lambda self, *arguments: None)
    other = network()
    other.train([X, LABELS], resume=path, **KEYWORDS)
    assert same(values(other), expected)


@pytest.mark.contract("9 resume")
def test_a_finished_training_can_be_prolonged(tmp_path):
    expected = uncut()
    path = tmp_path / "shorter.pkl"
    net = network()
    net.train([X, LABELS], save_progress=path, **{**KEYWORDS, "max_updates": 4})
    net.train([X, LABELS], resume=path, **KEYWORDS)
    assert same(values(net), expected)


@pytest.mark.contract("9 resume")
def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    path = tmp_path / "adam.pkl"
    network().train([X, LABELS], save_progress=path, **{**KEYWORDS, "max_updates": 1})
    for net, data, keywords, message in [
        (network(), [X, LABELS], {"algo": "sgd"}, "resume"),
        (nets.Classifier([3, 5, 2]), [X, LABELS], {}, "hid1"),
        (network(), [X[:10], LABELS[:10]], {}, "examples"),
    ]:
        before = values(net)
        with pytest.raises(ValueError, match=message):
            net.train(data, resume=path, **{**KEYWORDS, **keywords})
        assert same(values(net), before)


@pytest.mark.contract("6.7 save_every", "10.24")
def test_checkpoints_are_written_when_asked(tmp_path):
    path = tmp_path / "net.pkl"
    training = nets.Regressor([3, 2]).itertrain(
        [X, Y], algo="sgd", save_progress=path, save_every=2, max_updates=7, progress=False
    )
    written = []
    for _ in training:
        written.append(path.exists())
        path.unlink(missing_ok=True)
    assert written == [False, False, False, True, False, True, False]
    assert path.exists()  # the end is always kept
    named = tmp_path / "at-{}.pkl"
    nets.Regressor([3, 2]).train([X, Y], algo="sgd", save_progress=str(named), max_updates=1, progress=False)
    assert [p.stem.removeprefix("at-").isdigit() for p in tmp_path.glob("at-*.pkl")] == [True]


SCRIPT = """
import sys, time
import numpy as np
from croton import nets
from croton.compile import lower
x = np.random.RandomState(0).rand(4000, 30)
net = nets.Autoencoder([30, 20, 30])
before = net.predict(x)
net.train([x], algo="sgd", learning_rate=1e-3, valid=[x], validate_every=1, patience=10**6)
after = net.predict(x)
print("better" if ((after - x) ** 2).mean() < ((before - x) ** 2).mean() else "worse")
"""


@pytest.mark.contract("6.3 interrupt")
def test_ctrl_c_ends_training_with_the_best_parameters_and_says_so():
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    guard = threading.Timer(300, process.kill)
    guard.start()
    assert process.stdout is not None
    next(line for line in process.stdout if "validation 2" in line)
    os.kill(process.pid, signal.SIGINT)
    lines = process.stdout.readlines()
    process.stdout.close()
    guard.cancel()
    assert process.wait() == 0
    assert "interrupted" in lines[-2] and "validation" in lines[-2]
    assert lines[-1] == "better\n"


def test_silence_lines_and_what_they_say(capsys):
    net = nets.Classifier([3, 4, 2])
    net.train([X, LABELS], max_updates=1, progress=False)
    assert capsys.readouterr().out == ""
    net.train([X, LABELS], max_updates=3, progress=True)
    out = capsys.readouterr().out
    assert "validation 0 loss=" in out and "acc=" in out and "examples/s" in out and "rmsprop 2 " in out
    assert "\x1b" not in out


# --- what once went wrong ---


@pytest.mark.contract("9 resume")
def test_one_data_set_for_both_and_a_cut_validation_resume_to_the_same_bits(tmp_path, monkeypatch):
    from croton.nets.training import loop

    def run(path, cut, both):
        data = nets.Regressor([3, 5, 2], rng=2), loop.Dataset([X, Y], batch_size=8, rng=3)
        net, train = data
        heard = itertools.count()

        def heed(self):
            if next(heard) == cut:
                raise KeyboardInterrupt

        monkeypatch.setattr(loop.Listening, "heed", heed)
        more = {"valid": train} if both else {"valid": [X, Y], "valid_batches": 1}
        keywords = {"algo": "adam", "learning_rate": 0.01, "max_updates": 4, "validate_every": 1, "progress": False}
        got = [pair for pair in net.itertrain(train, resume=path, **more, **keywords)]
        return got, values(net)

    monkeypatch.setattr("croton.nets.training.engine.CALL", 1e-9)
    for both in (True, False):
        whole, expected = run(tmp_path / f"whole{both}", -1, both)
        for cut in (1, 6, 11):
            path = tmp_path / f"cut{both}{cut}"
            run(path, cut, both)
            rest, got = run(path, -1, both)
            assert same(got, expected) and rest[-1] == whole[-1]


def test_the_best_parameters_survive_a_function_that_consumes_buffers():
    net = nets.Regressor([3, (300_000, "linear"), 2])
    w = net.find("hid1", "w")
    touch = croton.function([], [], updates=[(w, w * 1)])
    for _ in net.itertrain(
        [X, Y], [X, Y], algo="sgd", learning_rate=1e-9, validate_every=1, max_updates=2, progress=False
    ):
        touch()
    assert np.isfinite(net.predict(X)).all()


def test_programs_that_call_python_are_not_shared():
    class Constant(croton.compile.UserOp):
        itypes = (T.fmatrix,)
        otypes = (T.fscalar,)

        def __init__(self, value):
            self.value = value

        def perform(self, node, inputs, outputs):
            outputs[0][0] = np.asarray(self.value, "f")

    for value in (1.0, 2.0):
        op = Constant(value)
        train, _ = nets.Regressor([3, 4, 2]).train(
            [X, Y], algo="sgd", max_updates=1, progress=False, monitors={"hid1:out": {"m": op}}
        )
        assert train["hid1:out:m"] == value


@pytest.mark.contract("6.3 interrupt")
def test_ctrl_c_ends_layerwise_training_too():
    calls = itertools.count()

    def batch():
        if next(calls) == 3:
            raise KeyboardInterrupt
        return [X, LABELS]

    net = nets.Classifier([3, 5, 4, 2])
    keywords = {"algo": "layerwise", "subalgo": "sgd", "train_batches": 2, "valid": [X, LABELS], "max_updates": 3}
    net.train(batch, progress=False, **keywords)
    assert next(calls) == 4


def test_a_refused_training_leaves_the_random_state(tmp_path):
    path = tmp_path / "adam.pkl"
    network().train([X, LABELS], save_progress=path, **{**KEYWORDS, "max_updates": 1})
    for data, keywords in [
        ([X, LABELS], {**KEYWORDS, "algo": "sgd", "resume": path}),
        ([X * np.nan, LABELS], KEYWORDS),
    ]:
        net = network()
        before = net._rng.get_state()[1].copy(), net._rng.get_state()[2]
        with pytest.raises(ValueError):
            net.train(data, **keywords)
        assert np.array_equal(net._rng.get_state()[1], before[0]) and net._rng.get_state()[2] == before[1]


@pytest.mark.contract("6.7 save_every")
def test_save_every_takes_numbers_only(tmp_path):
    path = tmp_path / "net.pkl"
    training = nets.Regressor([3, 2]).itertrain([X, Y], save_progress=path, save_every=np.int64(1), progress=False)
    next(training), next(training), next(training)
    assert path.exists()
    for wrong in ("5", -1, True):
        with pytest.raises(ValueError, match="save_every"):
            nets.Regressor([3, 2]).train([X, Y], save_progress=path, save_every=wrong, progress=False)


@pytest.mark.contract("6.6 sample")
def test_sampling_takes_targets_only_for_targets():
    net = nets.Autoencoder([3, 4, 3], weighted=True)
    net.train([X, np.ones_like(X)], algo="sample")
    rows = net.find("out", "w").get_value()
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    assert all(np.isclose(unit, r, atol=1e-6).all(1).any() for r in rows)
    labels = nets.Classifier([3, (4, "tanh"), 2])
    before = labels.find("out", "w").get_value()
    labels.train([X, LABELS], algo="sample")
    np.testing.assert_array_equal(labels.find("out", "w").get_value(), before)


def test_a_data_set_with_settings_of_its_own_is_told_of():
    from croton.nets.training.data import Dataset

    with pytest.warns(UserWarning, match="batch_size.*Dataset"):
        nets.Regressor([3, 2]).train(Dataset([X, Y]), batch_size=3, max_updates=1, progress=False)


def test_a_finished_training_resumed_tells_its_last_epoch(tmp_path):
    path = tmp_path / "done.pkl"
    first = network().train([X, LABELS], resume=path, **{**KEYWORDS, "max_updates": 2})
    again = network().train([X, LABELS], resume=path, **{**KEYWORDS, "max_updates": 2})
    assert again == first


def test_a_loss_that_is_no_number_is_told_of(caplog):
    caplog.set_level("WARNING", "croton.nets")
    nets.Regressor([3, 2]).train([X, Y], algo="sgd", learning_rate=1e30, max_updates=3, progress=False)
    assert "lower learning_rate" in caplog.text


def test_the_interruption_is_told_in_silence_too(caplog):
    caplog.set_level("WARNING", "croton.nets")

    def batch():
        raise KeyboardInterrupt

    nets.Regressor([3, 2]).train(batch, valid=[X, Y], max_updates=2, progress=False)
    assert "interrupted in epoch 0" in caplog.text


def test_data_sets_nearly_as_long_share_their_programs(monkeypatch):
    from croton.nets.training import engine

    passes = []
    original = engine.Pass.__post_init__
    monkeypatch.setattr(engine.Pass, "__post_init__", lambda self: (original(self), passes.append(self))[0])
    rng = np.random.RandomState(0)
    for rows in (995, 1000):
        x = rng.rand(rows, 3).astype("f")
        net = nets.Regressor([3, 9, 2])
        losses(net, data=(x, x[:, :2]), batch_size=5, max_updates=1, learning_rate=0.0)
        expected = np.mean((net.predict(x) - x[:, :2]) ** 2)
        train, _ = net.train([x, x[:, :2]], algo="sgd", batch_size=5, max_updates=1, learning_rate=0.0, progress=False)
        np.testing.assert_allclose(train["loss"], expected, rtol=1e-4)
    assert passes[0].steps is passes[-2].steps and passes[0].steps.traces == 1


@pytest.mark.contract("9 resume")
def test_the_validation_that_closes_a_shorter_training_is_none_of_a_longer_one(tmp_path):
    keywords = {**KEYWORDS, "learning_rate": 0.3, "validate_every": 3, "valid": [X, LABELS]}
    whole, parted = network(), network()
    expected = list(whole.itertrain([X, LABELS], **keywords))
    path = tmp_path / "parted.pkl"
    parted.train([X, LABELS], save_progress=path, **{**keywords, "max_updates": 5})
    network().train([X, LABELS], resume=path, **{**keywords, "max_updates": 5})  # ended already: nothing is added
    rest = list(network().itertrain([X, LABELS], resume=path, **keywords))
    assert rest == expected[5:]


def test_a_loop_runs_once_for_monitors_and_gradients(monkeypatch):
    loops = []
    run = lower.run_loop
    monkeypatch.setattr(lower, "run_loop", lambda context, *rest: loops.append(context.forms) or run(context, *rest))
    net = nets.recurrent.Classifier([3, (4, "lstm"), 2])
    sequences = RNG.rand(4, 5, 3).astype("f"), RNG.randint(0, 2, (4, 5)).astype("int32")
    net.train(sequences, max_updates=1, validate_every=0, progress=False, monitors={"hid1:out": 0.5})
    assert set(loops) == {("reverse",)}


def test_an_iterator_left_standing_at_the_end_of_a_program_makes_no_noise():
    program = (
        "import numpy as np; from croton import nets; net = nets.Autoencoder([2, 1, 2]);"
        "epochs = net.itertrain([np.ones((4, 2), 'f')]); [next(epochs) for _ in range(2)]"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
