"""A denoising autoencoder of handwritten digits: it sees images with noise and has to give back the clean ones.

    python examples/mnist_autoencoder.py                  MNIST; missing files are downloaded
    python examples/mnist_autoencoder.py --data digits    scikit-learn's digits: seconds, no network needed

The noise is put into the input by a regularizer, while the target stays the image itself (Vincent et al., 2008).
"""

import click
import numpy as np

from croton import datasets, nets
from croton.nets import seeing


def learn(train, valid, hidden, noise, epochs, progress=True):
    """An autoencoder with tied weights, trained on images with normal noise of this standard deviation."""
    pixels = train.shape[1]
    net = nets.Autoencoder([pixels, {"size": hidden, "std_b": 0}, {"form": "tied", "activation": "logistic"}])
    net.train(
        train,
        valid,
        algo="adam",
        learning_rate=1e-3,
        batch_size=100,
        input_noise=noise,
        validate_every=1,
        max_updates=epochs,
        progress=progress,
    )
    return net


def measure(net, images, noise):
    """Mean squared errors, by name: of images with noise, and of what the net makes of them."""
    noisy = images + noise * np.random.default_rng(0).normal(size=images.shape)
    return {
        "with noise": float(np.mean((noisy - images) ** 2)),
        "denoised": float(np.mean((net.predict(noisy) - images) ** 2)),
    }


@click.command()
@click.option("--data", type=click.Choice(["mnist", "digits"]), default="mnist", show_default=True)
@click.option("--data-dir", type=click.Path(file_okay=False), help="MNIST's folder.  [default: the user's cache]")
@click.option("--hidden", type=click.IntRange(min=1), default=256, show_default=True, help="Units of the hidden layer.")
@click.option("--noise", type=click.FloatRange(min=0), default=0.5, show_default=True, help="Standard deviation.")
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@click.option("--plot", type=click.Path(dir_okay=False), help="Picture of the hidden units' weights to write.")
def main(data, data_dir, hidden, noise, epochs, plot):
    """Train a denoising autoencoder, with noise and, to compare, without, and tell how well each removes noise."""
    (train, _), (valid, _), (test, _) = datasets.mnist(data_dir) if data == "mnist" else datasets.digits()
    errors = {}
    for name, level in (("with noise", noise), ("without", 0)):
        net = learn(train, valid, hidden, level, epochs)
        measured = measure(net, test, noise)
        errors[name] = measured["denoised"]
        click.echo(f"mean squared error of noisy images {measured['with noise']:.4f}")
        click.echo(f"what a net trained {name} makes of them: {measured['denoised']:.4f}")
        if plot and level:
            seeing.plot_weights(net, filename=plot)
    return errors


if __name__ == "__main__":
    main()
