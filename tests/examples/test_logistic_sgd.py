import importlib.util
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import croton
import croton.tensor as T
from croton.datasets import digits, mnist

SCRIPT = Path(__file__).parents[2] / "examples" / "logistic_sgd.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("logistic_sgd", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["logistic_sgd"] = module  # where pickle looks for the model's class
    spec.loader.exec_module(module)
    yield module
    del sys.modules["logistic_sgd"]


class Bar:
    """Stands in for the progress bar and keeps the last that it was told."""

    def add_task(self, description, total):
        self.total = total
        return 0

    def update(self, task, completed=None, total=None, description=None):
        self.completed = completed if completed is not None else getattr(self, "completed", 0)
        self.total = total or self.total


def fit(example, data, folder, batch_size=20, rate=0.13, epochs=1000, over=False):
    lines, bar = [], Bar()
    functions = example.build(data, batch_size, rate)
    history = example.fit(functions, epochs, over, folder / "best_model.pkl", lines.append, bar)
    return functions, history, lines, bar


def descend(data, batch_size, rate, n_steps):
    """Gradient descent in plain NumPy, in float64: the costs, and W and b after the last step."""
    x, y = data[0][0].astype(np.float64), data[0][1]
    w, b = np.zeros((x.shape[1], 10)), np.zeros(10)
    costs = []
    for step in range(n_steps):
        k = step % (len(y) // batch_size)
        rows = slice(k * batch_size, (k + 1) * batch_size)
        z = x[rows] @ w + b
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        costs.append(-np.log(p[np.arange(batch_size), y[rows]]).mean())
        p[np.arange(batch_size), y[rows]] -= 1
        w -= rate * x[rows].T @ p / batch_size
        b -= rate * p.mean(0)
    return costs, w, b


def stop_early(validation_errors, batches, n_epochs):
    """The tutorial's rule, a minibatch at a time, on given errors: the number of minibatches trained on, and
    (minibatches, is it the best so far) for each validation."""
    errors = iter(validation_errors)
    patience, best, checks = 5000, np.inf, []
    for iteration in range(n_epochs * batches):
        if (iteration + 1) % min(batches, 5000 // 2) == 0:
            error = next(errors)
            checks.append((iteration + 1, error < best))
            if error < best * 0.995:
                patience = max(patience, iteration * 2)
            best = min(best, error)
        if patience <= iteration:
            return iteration + 1, checks
    return n_epochs * batches, checks


def shortened(data, n):
    return [(x[:n], y[:n]) for x, y in data]


def train_fivefold(data):
    (x, y), valid, test = data
    return [(np.tile(x, (5, 1)), np.tile(y, 5)), valid, test]


# Data, size of a minibatch, rate, epochs. By name: patience runs out within an epoch; nothing divides; each minibatch
# is an epoch; more than 2,500 minibatches an epoch, so that validation comes within one.
CASES = {
    "default": (lambda data: data, 20, 0.13, 1000),
    "not dividing": (lambda data: shortened(data, 110), 7, 0.13, 5),
    "one minibatch": (lambda data: shortened(data, 50), 50, 0.5, 12),
    "within an epoch": (train_fivefold, 2, 0.01, 3),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("over", [False, True], ids=["calls", "over"])
def test_training_follows_the_algorithm(example, tmp_path, name, over):
    change, batch_size, rate, epochs = CASES[name]
    data = change(digits())
    batches = len(data[0][1]) // batch_size

    _, history, lines, bar = fit(example, data, tmp_path, batch_size, rate, epochs, over)

    n, checks = stop_early([error for _, error in history.validation], batches, epochs)
    assert len(history.costs) == n == bar.completed <= bar.total
    assert history.epochs == -(-n // batches)
    assert [round(at * batches) for at, _ in history.validation] == [done for done, _ in checks]
    assert [round(at * batches) for at, _ in history.test] == [done for done, is_best in checks if is_best]
    if name == "default":
        assert 5000 < n < 59_000 and n % batches
    assert any(done % batches for done, _ in checks) == (name == "within an epoch")

    expected, tests = [], iter(history.test)
    for (done, is_best), (_, error) in zip(checks, history.validation, strict=True):
        epoch = -(-done // batches)
        where = f"epoch {epoch}, minibatch {done - (epoch - 1) * batches}/{batches}"
        expected.append(f"{where}, validation error {error:f} %")
        if is_best:
            expected.append(f"     {where}, test error of best model {next(tests)[1]:f} %")
    assert lines == expected

    steps = min(n, 300)
    costs, _, _ = descend(data, batch_size, rate, steps)
    np.testing.assert_allclose(history.costs[:steps], costs, rtol=1e-4)


@pytest.mark.parametrize("over", [False, True], ids=["calls", "over"])
def test_errors_and_parameters_after_two_epochs(example, tmp_path, over):
    data = digits()
    functions, history, _, _ = fit(example, data, tmp_path, epochs=2, over=over)
    _, w, b = descend(data, 20, 0.13, 2 * 59)
    np.testing.assert_allclose(functions.classifier.W.get_value(), w, atol=1e-5)
    np.testing.assert_allclose(functions.classifier.b.get_value(), b, atol=1e-5)
    for (x, y), (_, percent) in zip(data[1:], (history.validation[-1], history.test[-1]), strict=True):
        assert percent == pytest.approx(100 * np.mean((x @ w + b).argmax(1) != y), abs=0.01)


def test_the_saved_model_is_the_best_one_and_predicts(example, tmp_path):
    data = digits()
    functions, history, _, _ = fit(example, data, tmp_path, epochs=40)
    model = example.load(tmp_path / "best_model.pkl")
    guesses = example.predict(model, data[2][0])
    assert guesses.shape == (300,) and guesses.dtype == np.int64
    assert np.mean(guesses != data[2][1]) * 100 == pytest.approx(history.test[-1][1])
    assert np.mean(guesses != data[2][1]) < 0.1
    last = functions.classifier.W.get_value()
    assert history.test[-1][0] < 40  # so the best model is not the last
    assert not np.array_equal(model.W.get_value(), last)
    model.W.set_value(np.zeros_like(last))  # its variables are its own
    np.testing.assert_array_equal(functions.classifier.W.get_value(), last)
    assert [path.name for path in tmp_path.iterdir()] == ["best_model.pkl"]


def test_saving_that_fails_leaves_the_old_file(example, tmp_path):
    path = tmp_path / "best_model.pkl"
    path.write_bytes(b"old")
    with pytest.raises((pickle.PicklingError, AttributeError)):
        example.save(lambda: None, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_wants_integer_labels_in_a_vector(example):
    classifier = example.LogisticRegression(T.matrix("x"), 3, 10)
    with pytest.raises(TypeError, match="y: expected 1 dimension.*got 2"):
        classifier.errors(T.imatrix("y"))
    with pytest.raises(NotImplementedError, match="y: expected integer labels, got float32"):
        classifier.errors(T.vector("y", dtype="float32"))


def test_negative_log_likelihood_and_its_gradient_where_probabilities_vanish(example):
    x, y = T.matrix("x"), T.ivector("y")
    classifier = example.LogisticRegression(x, 2, 10)
    cost = classifier.negative_log_likelihood(y)
    f = croton.function([x, y], [cost, croton.grad(cost, classifier.b)])
    w = np.zeros((2, 10), np.float32)
    w[0, 0] = 1e4
    classifier.W.set_value(w)
    value, slope = f(np.array([[1, 0]], np.float32), np.array([3], np.int32))
    assert value == np.float32(1e4)
    np.testing.assert_array_equal(slope, np.eye(10)[0] - np.eye(10)[3])


def run(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)


def test_the_script_trains_draws_and_predicts(tmp_path):
    picture = tmp_path / "pictures" / "learned.png"
    done = run("--epochs", 3, "--out", tmp_path / "out", "--plot", picture)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        "... loading data",
        "59 / 15 / 15 minibatches of 20 to train / validate / test; 17 / 0 / 0 images left over are not used",
        "... building the model",
        "... training the model",
    ]
    assert re.fullmatch(r"epoch 1, minibatch 59/59, validation error \d+\.\d{6} %", lines[4])
    assert re.fullmatch(r"     epoch 1, minibatch 59/59, test error of best model \d+\.\d{6} %", lines[5])
    score = r"Optimization complete with best validation score of \d+\.\d{6} %,with test performance \d+\.\d{6} %"
    assert re.fullmatch(score, lines[-4])
    assert re.fullmatch(r"The code run for 3 epochs, with \d+\.\d{6} epochs/sec", lines[-3])
    assert str(tmp_path / "out" / "best_model.pkl") in lines[-2]
    assert str(picture) in lines[-1]
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")
    assert re.search(r"The code for file logistic_sgd.py ran for \d+\.\ds", done.stderr)

    told = run("--predict", "--out", tmp_path / "out")
    assert told.returncode == 0, told.stderr
    first, guesses, rest = told.stdout.splitlines()
    assert first == "Predicted values for the first 10 examples in test set:"
    assert re.fullmatch(r"\[(\d ){9}\d\]", guesses)
    performance = re.search(r"test performance (\d+\.\d+)", done.stdout).group(1)
    assert f"error on all 300 test images: {float(performance):.2f} %" in rest


def test_progress_lines_stay_readable_beside_the_bar(example, tmp_path):
    arguments = ["--epochs", "2", "--out", str(tmp_path)]
    plain = CliRunner().invoke(example.main, arguments, env={"FORCE_COLOR": None, "TTY_COMPATIBLE": None})
    drawn = CliRunner().invoke(example.main, arguments, env={"FORCE_COLOR": "1", "COLUMNS": "100"})
    assert plain.exit_code == drawn.exit_code == 0
    assert "\x1b" not in plain.output and "\u2501" not in plain.output
    assert "\u2501" in drawn.output
    after_erasing = re.findall(r"\x1b\[2K( *epoch [^\n]*)\n", drawn.output)
    assert len(after_erasing) >= 3
    assert after_erasing == [line for line in plain.output.splitlines() if line.lstrip().startswith("epoch ")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch-size", "301"], "--batch-size: 301 is more than the 300 images of the smallest part"),
        (["--data-dir", "."], "--data-dir: digits are embedded"),
        (["--data", "mnist", "--data-dir", "absent"], "absent is no folder"),
        (["--predict", "--out", "absent"], "there is no absent/best_model.pkl yet: train first"),
        (["--epochs", "0"], "--epochs"),
        (["--learning-rate", "0"], "--learning-rate"),
    ],
)
def test_bad_options_are_told_before_anything_is_written(example, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(example.main, arguments)
    assert done.exit_code != 0
    assert message in " ".join(done.output.split())
    assert not list(tmp_path.iterdir())


def test_predicting_other_images_than_the_model_was_trained_on(example, tmp_path):
    example.save(example.LogisticRegression(T.matrix("x"), 784, 10), tmp_path / "best_model.pkl")
    done = CliRunner().invoke(example.main, ["--predict", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "takes images of 784 pixels, and these have 64: name its --data" in done.output


@pytest.mark.parametrize("over", [False, True], ids=["calls", "over"])
def test_mnist_gives_the_published_figures(example, tmp_path, mnist_dir, over):
    data = mnist(mnist_dir)
    _functions, history, lines, _ = fit(example, data, tmp_path, batch_size=600, over=over)

    assert history.epochs == 74
    np.testing.assert_allclose(history.costs[:3], [2.3025851, 2.1763880, 2.0487914], rtol=2e-6)
    means = np.reshape(history.costs[: 3 * 83], (3, 83)).mean(axis=1)
    np.testing.assert_allclose(means, [0.9446938, 0.5349687, 0.4613322], rtol=2e-6)
    np.testing.assert_allclose([e for _, e in history.validation[:3]], [12.458333, 11.010417, 10.312500], atol=1e-6)
    validation = min(history.validation, key=lambda point: point[1])
    assert validation[0] == history.test[-1][0] == 73
    assert round(validation[1] * 96) == 720  # of 9,600
    assert round(history.test[-1][1] * 96) == 719
    assert lines[-1] == "     epoch 73, minibatch 83/83, test error of best model 7.489583 %"

    model = example.load(tmp_path / "best_model.pkl")
    assert np.linalg.norm(model.W.get_value()) == pytest.approx(12.038041, abs=2e-5)
    guesses = example.predict(model, data[2][0])
    assert guesses[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 6, 9]
    assert np.sum(guesses != data[2][1]) == 775
