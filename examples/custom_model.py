"""A model of one's own: a variational autoencoder, which makes new images of handwritten digits.

    python examples/custom_model.py                                   scikit-learn's digits: no network needed
    python examples/custom_model.py --data mnist --plot drawn.png     MNIST; missing files are downloaded

D. P. Kingma and M. Welling, "Auto-encoding variational Bayes", 2014, arXiv:1312.6114. The encoder gives a normal
distribution of codes for an image, a layer draws one of them, and the decoder gives a probability for each pixel.
Model, loss and layer are classes defined here, known to networks by their names.
"""

import click
import numpy as np

import croton
import croton.tensor as T
from croton import datasets, nets
from croton.nets import seeing
from croton.tensor.random import RandomStreams


class Draw(nets.Layer):
    """A draw from the normal distribution with the mean and the logarithm of the variance that the two inputs give."""

    def setup(self):
        self.streams = RandomStreams(int(self.rng.randint(2**31 - 1)))

    def transform(self, inputs):
        mean, log_variance = (inputs[name] for name in self.inputs)
        return mean + T.exp(log_variance / 2) * self.streams.normal(mean.shape), []


class Bound(nets.Loss):
    """An upper bound of -log p(image) in nats: -log p(image | code) plus the divergence of the codes' distribution from
    the standard normal one. Pixels in [0, 1] count as probabilities.
    """

    def __call__(self, outputs):
        mean, log_variance = outputs["mean:out"], outputs["spread:out"]
        image = T.nnet.binary_crossentropy(outputs[self.output_name], self._target).sum(axis=1)
        code = 0.5 * (mean**2 + T.exp(log_variance) - 1 - log_variance).sum(axis=1)
        return T.mean(image + code)


class VariationalAutoencoder(nets.Autoencoder):
    """An autoencoder with layers called mean, spread and code, whose loss is the bound unless another is named."""

    def __init__(self, layers=(), loss="bound", weighted=False, rng=13):
        super().__init__(layers, loss, weighted, rng)

    def generate(self, count, rng=0):
        """New images, the decoder's answers to ``count`` codes drawn from the standard normal distribution."""
        size = self.find("mean", "b").get_value().size
        return self.decode(np.random.default_rng(rng).normal(size=(count, size)), layer="code")


def build(pixels, hidden, code, seed=13):
    """The model with one hidden layer on either side of the code."""
    linear = {"size": code, "activation": "linear", "std_b": 0, "inputs": "encoder"}
    return VariationalAutoencoder(
        [
            pixels,
            {"name": "encoder", "size": hidden, "std_b": 0},
            {"name": "mean", **linear},
            {"name": "spread", **linear},
            {"name": "code", "form": "draw", "size": code, "inputs": ("mean", "spread")},
            {"name": "decoder", "size": hidden, "std_b": 0},
            {"size": pixels, "activation": "logistic", "std_b": 0},
        ],
        rng=seed,
    )


@click.command()
@click.option("--data", type=click.Choice(["mnist", "digits"]), default="digits", show_default=True)
@click.option("--data-dir", type=click.Path(file_okay=False), help="MNIST's folder.  [default: the user's cache]")
@click.option("--hidden", type=click.IntRange(min=1), default=256, show_default=True, help="Units of hidden layers.")
@click.option("--code", type=click.IntRange(min=1), default=10, show_default=True, help="Numbers of the code.")
@click.option("--epochs", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--plot", type=click.Path(dir_okay=False), help="Picture of a hundred new images to write.")
def main(data, data_dir, hidden, code, epochs, plot):
    """Train a variational autoencoder, and tell its bound on test images."""
    (train, _), (valid, _), (test, _) = datasets.mnist(data_dir) if data == "mnist" else datasets.digits()
    net = build(train.shape[1], hidden, code)
    how = {"algo": "adam", "learning_rate": 1e-3, "batch_size": 100, "validate_every": 5}
    net.train(train, valid, max_updates=epochs, **how)
    bound = float(croton.function(net.variables, net.loss())(test))
    click.echo(f"test images take at most {bound:.1f} nats each")
    if plot:
        seeing.plot_weights(net.generate(100).T, filename=plot)
    return bound


if __name__ == "__main__":
    main()
