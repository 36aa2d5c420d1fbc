"""Logistic regression by stochastic gradient descent, written as symbolic expressions.

    python examples/logistic_sgd.py                                  scikit-learn's digits, no network needed
    python examples/logistic_sgd.py --data mnist --data-dir FOLDER   MNIST; missing files are downloaded
    python examples/logistic_sgd.py --predict                        what the saved model says of the test images

An image x belongs to class i with probability softmax(x W + b)_i; the model's guess is the most probable class. W and
b minimize the mean negative log likelihood of the training labels, a minibatch at a time.
"""

import importlib.util
import os
import pickle
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import croton
import croton.tensor as T
from croton import datasets

NAMES = {"digits": "8 x 8 digits", "mnist": "MNIST"}
BATCH_SIZES = {"digits": 20, "mnist": 600}
PATIENCE = 5000  # minibatches to look at whatever happens
PATIENCE_INCREASE = 2  # after a clear improvement, look at this many times the minibatches seen so far
IMPROVEMENT_THRESHOLD = 0.995  # clear: the error fell below this share of the best one


class LogisticRegression:
    """Multi-class logistic regression on a symbolic input.

    Args:
        input: matrix, one example a row.
        n_in: number of its columns.
        n_out: number of classes.
    """

    def __init__(self, input, n_in, n_out):
        self.input = input
        self.W = croton.shared(np.zeros((n_in, n_out), dtype=croton.config.floatX), name="W", borrow=True)
        self.b = croton.shared(np.zeros((n_out,), dtype=croton.config.floatX), name="b", borrow=True)
        self.params = [self.W, self.b]
        self.p_y_given_x = T.nnet.softmax(T.dot(input, self.W) + self.b)
        self.y_pred = T.argmax(self.p_y_given_x, axis=1)

    def negative_log_likelihood(self, y):
        """-mean_i log p(y_i | x_i), for a vector of integer labels. A mean, so that the learning rate need not follow
        the size of the minibatch."""
        log_p = T.log(self.p_y_given_x)
        return -T.mean(log_p[T.arange(y.shape[0]), y])

    def errors(self, y):
        """The share of the examples whose most probable class is not the label in y."""
        if y.ndim != self.y_pred.ndim:
            raise TypeError(f"y: expected {self.y_pred.ndim} dimension, as the predictions have, got {y.ndim}")
        if not y.dtype.startswith(("int", "uint")):
            raise NotImplementedError(f"y: expected integer labels, got {y.dtype}")
        return T.mean(T.neq(self.y_pred, y))


@dataclass
class Functions:
    """The model and its compiled functions of a minibatch's index, with the number of minibatches of each."""

    classifier: LogisticRegression
    train: object
    validate: object
    test: object
    counts: tuple[int, int, int]


@dataclass
class History:
    """What happened in training: costs by minibatch, and (epoch, error in percent) where it was measured."""

    batches: int
    costs: list = field(default_factory=list)
    validation: list = field(default_factory=list)
    test: list = field(default_factory=list)

    @property
    def epochs(self):
        return -(-len(self.costs) // self.batches)


def build(data, batch_size, learning_rate):
    """Builds and compiles the model for three (x, y) pairs. The data live in shared variables, and `givens` puts the
    slice of a minibatch in the place of the symbolic x and y; what remains after the last whole one is left out."""
    index = T.lscalar("index")
    x, y = T.matrix("x"), T.ivector("y")
    rows = slice(index * batch_size, (index + 1) * batch_size)

    classifier = LogisticRegression(x, n_in=data[0][0].shape[1], n_out=10)
    cost = classifier.negative_log_likelihood(y)
    gradients = croton.grad(cost, classifier.params)
    updates = [(p, p - learning_rate * g) for p, g in zip(classifier.params, gradients, strict=True)]

    def on(pair, output, name, **options):
        images = croton.shared(np.asarray(pair[0], dtype=croton.config.floatX), name=f"{name}_x", borrow=True)
        labels = croton.shared(pair[1], name=f"{name}_y", borrow=True)
        return croton.function([index], output, givens={x: images[rows], y: labels[rows]}, name=name, **options)

    return Functions(
        classifier,
        train=on(data[0], cost, "train", updates=updates),
        validate=on(data[1], classifier.errors(y), "validate"),
        test=on(data[2], classifier.errors(y), "test"),
        counts=tuple(len(labels) // batch_size for _, labels in data),
    )


def calls(function, start, stop, over):
    """function(start), ..., function(stop - 1): one by one, or all in one program."""
    indices = range(start, stop)
    return list(function.over(indices)) if over else [function(i) for i in indices]


def fit(functions, epochs, over, model_path, say, progress):
    """Trains with early stopping; saves the best model; returns the history.

    Minibatches come in fixed order. After every epoch (or PATIENCE / 2 minibatches, if those are fewer) the model is
    validated. It is tested and saved if it was never better, and training stops when the patience is used up.
    Between two such points nothing is decided, so `over` may run all minibatches there in one program.
    """
    batches, n_valid, n_test = functions.counts
    patience, frequency = PATIENCE, min(batches, PATIENCE // 2)
    best = np.inf
    history = History(batches)
    task = progress.add_task("training", total=min(patience + 1, epochs * batches))
    done = 0
    while done < epochs * batches and done <= patience:
        epoch, first = done // batches + 1, done % batches
        stop = min(epoch * batches, (done // frequency + 1) * frequency, patience + 1)
        history.costs += [float(cost) for cost in calls(functions.train, first, first + stop - done, over)]
        done = stop
        progress.update(task, completed=done)
        if done % frequency:
            continue
        where = f"epoch {epoch}, minibatch {done - (epoch - 1) * batches}/{batches}"
        error = float(np.mean(calls(functions.validate, 0, n_valid, over)))
        history.validation.append((done / batches, error * 100))
        say(f"{where}, validation error {error * 100:f} %")
        if error < best:
            if error < best * IMPROVEMENT_THRESHOLD:
                patience = max(patience, (done - 1) * PATIENCE_INCREASE)
            best = error
            test = float(np.mean(calls(functions.test, 0, n_test, over)))
            history.test.append((done / batches, test * 100))
            say(f"     {where}, test error of best model {test * 100:f} %")
            save(functions.classifier, model_path)
        total = min(patience + 1, epochs * batches)
        progress.update(task, description=f"best validation error {best * 100:.2f} %", total=total)
    return history


def save(classifier, path):
    """Pickles the model, its symbolic graph included. A file that is there is replaced whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            pickle.dump(classifier, file)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            os.unlink(file.name)
            raise
    os.replace(file.name, path)


def load(path):
    """The model that `save` wrote. Unpickling can run code: load only files that you made."""
    with open(path, "rb") as file:
        return pickle.load(file)


def predict(classifier, images):
    """The most probable class of each row of images."""
    return croton.function([classifier.input], classifier.y_pred)(np.asarray(images, dtype=croton.config.floatX))


def draw(path, weights, history, title):
    """Writes a PNG: the weights of each class as an image, and the errors by epoch."""
    from matplotlib.figure import Figure

    side = round(len(weights) ** 0.5)
    limit = np.abs(weights).max() or 1
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.06)
    figure.suptitle(title, fontsize=14)
    above, below = figure.subfigures(2, 1, height_ratios=(1, 2.4))

    axes = above.subplots(1, weights.shape[1])
    for digit, axis in enumerate(axes):
        picture = axis.imshow(weights[:, digit].reshape(side, side), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(str(digit), fontsize=11)
        axis.set_xticks([])
        axis.set_yticks([])
    bar = above.colorbar(picture, ax=axes, fraction=0.012, pad=0.01, aspect=9, shrink=0.62)
    bar.set_label("weight", fontsize=9)
    bar.ax.tick_params(labelsize=8)

    axis = below.subplots()
    axis.plot(*zip(*history.validation, strict=True), color="tab:blue", label="validation error")
    test = [*history.test, (history.validation[-1][0], history.test[-1][1])]
    axis.step(*zip(*test, strict=True), where="post", color="tab:red", label="test error of the best model so far")
    axis.plot(*min(history.validation, key=lambda point: point[1]), "o", color="tab:blue", label="best model")
    axis.set_xlabel("epoch")
    axis.set_ylabel("misclassified")
    axis.yaxis.set_major_formatter("{x:g} %")
    axis.set_ylim(bottom=0)
    axis.set_xlim(left=0)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(path, dpi=120)


def show_predictions(classifier, pair, say):
    images, labels = pair
    wanted = classifier.W.get_value(borrow=True).shape[0]
    if images.shape[1] != wanted:
        raise click.ClickException(
            f"the saved model takes images of {wanted} pixels, and these have {images.shape[1]}: name its --data"
        )
    guesses = predict(classifier, images)
    say("Predicted values for the first 10 examples in test set:")
    say(str(guesses[:10]))
    say(f"Labels: {labels[:10]}; error on all {len(labels)} test images: {np.mean(guesses != labels) * 100:.2f} %")


def load_data(name, data_dir):
    if name == "digits":
        if data_dir is not None:
            raise click.BadParameter("digits are embedded; only mnist is read from a folder", param_hint="--data-dir")
        return datasets.digits()
    try:
        return datasets.mnist(data_dir)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def check_batch_size(data, batch_size, say):
    sizes = [len(labels) for _, labels in data]
    if batch_size > min(sizes):
        raise click.BadParameter(
            f"{batch_size} is more than the {min(sizes)} images of the smallest part", param_hint="--batch-size"
        )
    counts = " / ".join(f"{n // batch_size}" for n in sizes)
    rest = " / ".join(f"{n % batch_size}" for n in sizes)
    say(f"{counts} minibatches of {batch_size} to train / validate / test; {rest} images left over are not used")


@click.command()
@click.option("--data", type=click.Choice(list(NAMES)), default="digits", show_default=True)
@click.option("--data-dir", type=click.Path(file_okay=False), help="MNIST's folder.  [default: the user's cache]")
@click.option("--epochs", type=click.IntRange(min=1), default=1000, show_default=True, help="At most so many.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), default=0.13, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), help="[default: 20 for digits, 600 for mnist]")
@click.option("--over", is_flag=True, help="Run the minibatches of an epoch in one program: the same numbers, faster.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    show_default="this folder",
    help="Folder of best_model.pkl.",
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="PNG of the weights and errors to write.")
@click.option("--predict", "only_predict", is_flag=True, help="Do not train: show what the saved model predicts.")
def main(data, data_dir, epochs, learning_rate, batch_size, over, out, plot, only_predict):
    """Logistic regression on handwritten digits, with early stopping; the best model is kept."""
    console = Console(highlight=False)
    say = console.out
    model_path = out / "best_model.pkl"
    if plot and importlib.util.find_spec("matplotlib") is None:
        raise click.ClickException("--plot needs matplotlib: pip install 'croton[plot]'")
    if only_predict:
        if not model_path.is_file():
            raise click.ClickException(
                f"there is no {model_path} yet: train first, or name its folder (--out demo after make demo)"
            )
        show_predictions(load(model_path), load_data(data, data_dir)[2], say)
        return

    say("... loading data")
    parts = load_data(data, data_dir)
    batch_size = batch_size or BATCH_SIZES[data]
    check_batch_size(parts, batch_size, say)
    for folder in (out, *([plot.parent] if plot else [])):
        folder.mkdir(parents=True, exist_ok=True)
    say("... building the model")
    functions = build(parts, batch_size, learning_rate)
    say("... training the model")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    start = time.perf_counter()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        try:
            history = fit(functions, epochs, over, model_path, say, progress)
        except KeyboardInterrupt:
            kept = f"the best model so far is in {model_path}" if model_path.is_file() else "there is no best model yet"
            raise click.ClickException(f"interrupted: {kept}") from None
    seconds = time.perf_counter() - start

    valid_error, test_error = min(error for _, error in history.validation), history.test[-1][1]
    say(f"Optimization complete with best validation score of {valid_error:f} %,with test performance {test_error:f} %")
    say(f"The code run for {history.epochs} epochs, with {history.epochs / seconds:f} epochs/sec")
    print(f"The code for file {Path(__file__).name} ran for {seconds:.1f}s", file=sys.stderr)
    say(f"The best model is in {model_path}; --predict --data {data} --out {out} shows what it predicts")
    if plot:
        title = f"Logistic regression on {NAMES[data]}: {test_error:.1f} % of the test images misclassified"
        draw(plot, load(model_path).W.get_value(), history, title)
        say(f"Its weights and the learning curve are in {plot}")


if __name__ == "__main__":
    main()
