"""A layer of one's own: radial basis functions, which know when they have not seen anything like it.

    python examples/custom_layer.py

A class with `setup` and `transform` is all that it takes; networks know it by its lower-cased name. Trained on
scikit-learn's digits, the net with this layer is as right as one with a usual layer, and far less sure of images that
are no digits.
"""

import click
import numpy as np

import croton.tensor as T
from croton import datasets, nets


class Radial(nets.Layer):
    """out_j = exp(-softplus(sharpness_j) |x - centre_j|²): large where x is near to the unit's centre.

    Parameters: ``centres`` (size, input size), ``sharpness`` (size,).
    """

    def setup(self):
        self.add_weights("centres", self.size, self.input_size)
        self.add_bias("sharpness", self.size, mean=-1, std=0)

    def transform(self, inputs):
        x, centres = inputs[self.input_name], self.find("centres")
        distances = T.sum(x**2, axis=1, keepdims=True) - 2 * T.dot(x, centres.T) + T.sum(centres**2, axis=1)
        return T.exp(-T.nnet.softplus(self.find("sharpness")) * distances), []


def learn(train, valid, form, hidden, epochs):
    """A classifier with one hidden layer of this form."""
    net = nets.Classifier([train[0].shape[1], (hidden, form), {"size": 10, "std_b": 0}])
    if form == "radial":  # begin with images as centres
        net.find("hid1", "centres").set_value(train[0][:hidden])
    net.train(
        train,
        valid,
        algo="adam",
        learning_rate=5e-3,
        validate_every=1,
        max_updates=epochs,
        batch_size=57,
        progress=False,
    )
    return net


@click.command()
@click.option("--hidden", type=click.IntRange(min=1), default=200, show_default=True, help="Units of the hidden layer.")
@click.option("--epochs", type=click.IntRange(min=1), default=60, show_default=True, help="At most so many.")
def main(hidden, epochs):
    """Compare a layer of radial basis functions with a usual one, on digits and on noise."""
    train, valid, test = datasets.digits()
    noise = np.random.default_rng(0).uniform(0, 1, size=(1000, train[0].shape[1]))
    figures = {}
    for form in ("feedforward", "radial"):
        net = learn(train, valid, form, hidden, epochs)
        accuracy, sure = net.score(*test), float(net.predict_proba(noise).max(axis=1).mean())
        figures[form] = accuracy, sure
        click.echo(f"{form:11}: test accuracy {accuracy:.1%}; of noise it is sure by {sure:.0%} on the mean")
    return figures


if __name__ == "__main__":
    main()
