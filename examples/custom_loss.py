"""A loss of one's own: the pinball loss, whose least value is at a quantile instead of the mean.

    python examples/custom_loss.py

The net predicts three quantiles of a patient's state from scikit-learn's diabetes data, and with them a range that
holds about so many of the true values. A class with `__call__` is all that it takes; networks know it by name.
"""

import click
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import croton.tensor as T
from croton import nets


class Pinball(nets.Loss):
    """The mean of max(q e, (q - 1) e), e = target - output_q, over the quantiles q, an output for each.

    R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 1978.
    """

    options = ("quantiles",)  # what a saved network keeps of it

    def __init__(self, target, quantiles=(0.1, 0.5, 0.9), **kwargs):
        super().__init__(target, **kwargs)
        self.quantiles = list(quantiles)

    def __call__(self, outputs):
        error = self._target.dimshuffle(0, "x") - outputs[self.output_name]
        q = np.array(self.quantiles, dtype=error.dtype)
        return T.mean(T.maximum(q * error, (q - 1) * error))


def make_data(seed=0):
    """Training, validation and test pairs, inputs and targets scaled by the training part's mean and deviation."""
    x, y = load_diabetes(return_X_y=True)
    x_rest, x_test, y_rest, y_test = train_test_split(x, y, test_size=0.3, random_state=seed)
    x_train, x_valid, y_train, y_valid = train_test_split(x_rest, y_rest, test_size=0.25, random_state=seed)
    pairs = (x_train, y_train), (x_valid, y_valid), (x_test, y_test)
    return [((x - x_train.mean(0)) / x_train.std(0), (y - y_train.mean()) / y_train.std()) for x, y in pairs]


def learn(train, valid, quantiles, epochs, seed=0):
    """A net with an output for each quantile. The target is a vector, so ``target=1``."""
    loss = {"form": "pinball", "quantiles": quantiles, "target": 1}
    layers = [train[0].shape[1], {"size": 16, "activation": "tanh", "std_b": 0}, {"size": len(quantiles), "std_b": 0}]
    net = nets.Regressor(layers, loss=loss, rng=seed)
    net.train(
        train,
        valid,
        algo="adam",
        learning_rate=2e-3,
        weight_l2=0.01,
        validate_every=1,
        max_updates=epochs,
        progress=False,
    )
    return net


@click.command()
@click.option("--epochs", type=click.IntRange(min=1), default=200, show_default=True, help="At most so many.")
def main(epochs):
    """Predict quantiles, and tell how many of the true values lie below each."""
    quantiles = [0.1, 0.5, 0.9]
    train, valid, (x, y) = make_data()
    predicted = learn(train, valid, quantiles, epochs).predict(x)
    below = np.mean(y[:, None] < predicted, axis=0)
    for q, share in zip(quantiles, below, strict=True):
        click.echo(f"{share:.0%} of the {len(y)} test values lie below the predicted {q:.0%} quantile")
    return dict(zip(quantiles, below.tolist(), strict=True))


if __name__ == "__main__":
    main()
