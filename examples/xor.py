"""Exclusive or, the smallest problem that needs a hidden layer: solved from each of ten seeds.

    python examples/xor.py

A solution is a net whose prediction is on the right side of one half for all four examples.
"""

import click
import numpy as np

from croton import nets

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = np.array([[0], [1], [1], [0]])


def learn(seed, hidden=4, epochs=20):
    """A regressor trained on the four examples, and its largest error on them.

    An epoch is of 50 minibatches, each the four examples: they run in one program.
    """
    net = nets.Regressor([2, (hidden, "tanh"), 1], rng=seed)
    net.train(
        [X, Y],
        algo="adam",
        learning_rate=0.02,
        batch_size=4,
        train_batches=50,
        max_updates=epochs,
        progress=False,
    )
    return net, float(np.abs(net.predict(X) - Y).max())


@click.command()
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Train so often: 0, 1, ...")
@click.option("--hidden", type=click.IntRange(min=1), default=4, show_default=True, help="Units of the hidden layer.")
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Of 50 steps each.")
def main(seeds, hidden, epochs):
    """Train a net on exclusive or from several seeds, and tell its largest error."""
    errors = []
    for seed in range(seeds):
        net, error = learn(seed, hidden, epochs)
        errors.append(error)
        click.echo(f"seed {seed}: predictions {np.round(net.predict(X).ravel(), 3)}, largest error {error:.4f}")
    click.echo(f"solved (every error below 0.5): {sum(e < 0.5 for e in errors)} of {seeds}")
    return errors


if __name__ == "__main__":
    main()
