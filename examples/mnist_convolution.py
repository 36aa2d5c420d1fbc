"""A convolutional classifier of handwritten digits, after LeNet-5 (LeCun et al., 1998).

    python examples/mnist_convolution.py                            MNIST, three seeds; missing files are downloaded
    python examples/mnist_convolution.py --data digits --seeds 1    scikit-learn's digits: seconds, no network needed

Two convolutions with pooling, a hidden layer, and dropout; trained by Adam with a rate that falls to zero.
"""

import math
import time

import click
import numpy as np
import optax

from croton import datasets, nets
from croton.nets import seeing


def as_images(pair):
    """The pair with its images as (examples, height, width, 1)."""
    x, y = pair
    side = math.isqrt(x.shape[1])
    return x.reshape(-1, side, side, 1), y


def build(side, seed):
    """Two convolutions with pooling and a hidden layer; on images too small for that, one convolution."""
    window, convolutions = (5, (16, 32)) if side > 8 else (3, (16,))
    layers = [(side, side, 1)]
    for size in convolutions:
        fan = window * window * (1 if len(layers) == 1 else convolutions[0])
        # Initial values as He et al. (2015) have them: the default does not count the places of the window.
        layers += [
            {"form": "conv2", "size": size, "filter_size": window, "std_w": math.sqrt(2 / fan), "std_b": 0},
            {"form": "pool2", "pool_size": 2},
        ]
    layers += ["flat", {"name": "dense", "size": 128, "std_b": 0}, {"size": 10, "std_b": 0}]
    return nets.convolution.Classifier(layers, rng=seed)


def learn(train, valid, epochs, seed, progress=True):
    """A classifier trained on pairs (images, labels)."""
    net = build(train[0].shape[1], seed)
    batch_size = 100
    steps = epochs * -(-len(train[0]) // batch_size)
    net.train(
        train,
        valid,
        algo="adam",
        learning_rate=optax.cosine_decay_schedule(2e-3, steps),
        batch_size=batch_size,
        max_updates=epochs,
        validate_every=1,
        patience=epochs,
        dropout={"dense:out": 0.4},
        progress=progress,
    )
    return net


@click.command()
@click.option("--data", type=click.Choice(["mnist", "digits"]), default="mnist", show_default=True)
@click.option("--data-dir", type=click.Path(file_okay=False), help="MNIST's folder.  [default: the user's cache]")
@click.option("--epochs", type=click.IntRange(min=1), default=6, show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Train so often: 0, 1, ...")
@click.option("--plot", type=click.Path(dir_okay=False), help="Picture of the first net's filters to write.")
def main(data, data_dir, epochs, seeds, plot):
    """Train a convolutional classifier of handwritten digits from several seeds, and tell its test accuracy."""
    parts = datasets.mnist(data_dir) if data == "mnist" else datasets.digits()
    train, valid, test = map(as_images, parts)
    accuracies = []
    for seed in range(seeds):
        start = time.perf_counter()
        net = learn(train, valid, epochs, seed)
        accuracies.append(net.score(*test))
        click.echo(f"seed {seed}: test accuracy {accuracies[-1]:.2%}, {time.perf_counter() - start:.0f} s")
        if plot and seed == 0:
            seeing.plot_weights(net, filename=plot)
    click.echo(f"over {seeds} seeds: least {min(accuracies):.2%}, mean {np.mean(accuracies):.2%}")
    return accuracies


if __name__ == "__main__":
    main()
