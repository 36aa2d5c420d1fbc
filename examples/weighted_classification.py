"""Classes of very different size: 99 examples of one for each of the other, which weights make up for.

    python examples/weighted_classification.py

Without weights a classifier does best by neglecting the rare class. With each example of the rare class counting as
much as the number of common ones for it, both classes matter alike.
"""

import click
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split

from croton import nets


def make_data(examples, seed=0):
    """Training, validation and test pairs, 99 % of the labels being 0."""
    x, y = make_classification(examples, n_features=20, n_informative=10, weights=[0.99], flip_y=0, random_state=seed)
    x_rest, x_test, y_rest, y_test = train_test_split(x, y, test_size=0.25, stratify=y, random_state=seed)
    x_train, x_valid, y_train, y_valid = train_test_split(
        x_rest, y_rest, test_size=0.2, stratify=y_rest, random_state=seed
    )
    return (x_train, y_train), (x_valid, y_valid), (x_test, y_test)


def weigh(pair, weight):
    """The pair with a weight for each example: 1 for label 0, ``weight`` for label 1."""
    x, y = pair
    return x, y, np.where(y == 1, weight, 1)


def learn(train, valid, weight, epochs):
    """A weighted classifier."""
    net = nets.Classifier([train[0].shape[1], (20, "tanh"), 2], weighted=True)
    net.train(
        weigh(train, weight),
        weigh(valid, weight),
        algo="adam",
        learning_rate=1e-3,
        weight_l2=0.1,
        validate_every=1,
        max_updates=epochs,
        progress=False,
    )
    return net


@click.command()
@click.option("--examples", type=click.IntRange(min=1000), default=10_000, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
def main(examples, epochs):
    """Train a classifier on unbalanced classes without weights and with them, and tell what either gets right."""
    train, valid, (x, y) = make_data(examples)
    rare = (train[1] == 0).sum() / (train[1] == 1).sum()
    scores = {}
    for name, weight in (("unweighted", 1.0), ("weighted", rare)):
        guesses = learn(train, valid, weight, epochs).predict(x)
        scores[name] = balanced_accuracy_score(y, guesses)
        (_, false), (missed, found) = confusion_matrix(y, guesses)
        click.echo(
            f"{name:10}: {found} of {found + missed} rare examples found, {false} false alarms among {sum(y == 0)}; "
            f"balanced accuracy {scores[name]:.1%}"
        )
    return scores


if __name__ == "__main__":
    main()
