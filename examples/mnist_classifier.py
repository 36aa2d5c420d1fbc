"""A classifier of handwritten digits: one hidden layer, dropout, Adam with a rate that falls to zero.

    python examples/mnist_classifier.py                            MNIST, five seeds; missing files are downloaded
    python examples/mnist_classifier.py --data digits --seeds 1    scikit-learn's digits: seconds, no network needed

The parameters kept are those with the least loss on the validation images; the test images are looked at once.
"""

import time

import click
import numpy as np
import optax

from croton import datasets, nets
from croton.nets import seeing


def learn(train, valid, hidden, epochs, seed, progress=True):
    """A classifier trained on pairs (images, labels), and what `itertrain` told after each epoch."""
    pixels, classes, batch_size = train[0].shape[1], 10, 100
    # Biases begin at zero here; unless told so they are drawn from the normal distribution.
    net = nets.Classifier([pixels, {"size": hidden, "std_b": 0}, {"size": classes, "std_b": 0}], rng=seed)
    steps = epochs * -(-len(train[0]) // batch_size)
    history = net.itertrain(
        train,
        valid,
        algo="adam",
        learning_rate=optax.cosine_decay_schedule(1e-3, steps),
        batch_size=batch_size,
        max_updates=epochs,
        validate_every=1,
        patience=epochs,
        input_dropout=0.1,
        hidden_dropout=0.4,
        progress=progress,
    )
    return net, list(history)


@click.command()
@click.option("--data", type=click.Choice(["mnist", "digits"]), default="mnist", show_default=True)
@click.option("--data-dir", type=click.Path(file_okay=False), help="MNIST's folder.  [default: the user's cache]")
@click.option("--hidden", type=click.IntRange(min=1), default=512, show_default=True, help="Units of the hidden layer.")
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Train so often: 0, 1, ...")
@click.option("--plot", type=click.Path(dir_okay=False), help="Picture of the first net's hidden weights to write.")
def main(data, data_dir, hidden, epochs, seeds, plot):
    """Train a classifier of handwritten digits, from several seeds, and tell its accuracy on the test images."""
    train, valid, test = datasets.mnist(data_dir) if data == "mnist" else datasets.digits()
    accuracies = []
    for seed in range(seeds):
        start = time.perf_counter()
        net, _ = learn(train, valid, hidden, epochs, seed)
        accuracies.append(net.score(*test))
        click.echo(f"seed {seed}: test accuracy {accuracies[-1]:.2%}, {time.perf_counter() - start:.0f} s")
        if plot and seed == 0:
            seeing.plot_weights(net, filename=plot)
    click.echo(f"over {seeds} seeds: least {min(accuracies):.2%}, mean {np.mean(accuracies):.2%}")
    return accuracies


if __name__ == "__main__":
    main()
