"""A deep autoencoder of handwritten digits with tied weights, trained layer by layer and then as a whole.

    python examples/mnist_deep_autoencoder.py                  MNIST; missing files are downloaded
    python examples/mnist_deep_autoencoder.py --data digits    scikit-learn's digits: seconds, no network needed

Each layer of the decoder uses the weights of its mirror image in the encoder, transposed. The code is compared with
as many principal components, the best that a linear autoencoder can do (after Hinton and Salakhutdinov, 2006).
"""

import click
import numpy as np

from croton import datasets, nets
from croton.nets import seeing


def build(pixels, sizes):
    """An autoencoder with these hidden sizes, the last being the code, and a decoder of tied layers."""
    *hidden, code = sizes
    encoder = [{"size": size, "std_b": 0} for size in hidden]
    middle = {"size": code, "activation": "linear", "std_b": 0}
    decoder = [{"form": "tied", "std_b": 0} for _ in sizes]
    return nets.Autoencoder([pixels, *encoder, middle, *decoder])


def learn(net, train, valid, stage_epochs, epochs, progress=True):
    """Pretrain the net layer by layer, then train the whole; returns the error on ``valid`` between and after."""
    how = {"batch_size": 100, "validate_every": 1, "learning_rate": 1e-3, "progress": progress}
    net.train(train, valid, algo="layerwise", subalgo="adam", max_updates=stage_epochs, **how)
    between = error(net, valid)
    net.train(train, valid, algo="adam", max_updates=epochs, **how)
    return between, error(net, valid)


def error(net, images):
    """The mean squared error of the reconstruction."""
    return float(np.mean((net.predict(images) - images) ** 2))


def principal_components(train, test, count):
    """The mean squared error that remains of the test images when ``count`` principal components are kept."""
    mean = train.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(train - mean, rowvar=False))
    kept = vectors[:, -count:]
    return float(np.mean((test - mean - (test - mean) @ kept @ kept.T) ** 2))


@click.command()
@click.option("--data", type=click.Choice(["mnist", "digits"]), default="mnist", show_default=True)
@click.option("--data-dir", type=click.Path(file_okay=False), help="MNIST's folder.  [default: the user's cache]")
@click.option("--sizes", default="256,64,16", show_default=True, help="Hidden layers; the last is the code.")
@click.option("--stage-epochs", type=click.IntRange(min=1), default=4, show_default=True, help="Of each stage.")
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Of the whole, at most.")
@click.option("--plot", type=click.Path(dir_okay=False), help="Picture of the first layer's weights to write.")
def main(data, data_dir, sizes, stage_epochs, epochs, plot):
    """Train a deep autoencoder layer by layer, then whole, and compare it with principal components."""
    try:
        chosen = [int(size) for size in sizes.split(",")]
    except ValueError:
        raise click.BadParameter(f"{sizes!r}: give numbers with commas between", param_hint="--sizes") from None
    (train, _), (valid, _), (test, _) = datasets.mnist(data_dir) if data == "mnist" else datasets.digits()
    net = build(train.shape[1], chosen)
    between, _ = learn(net, train, valid, stage_epochs, epochs)
    linear, deep = principal_components(train, test, chosen[-1]), error(net, test)
    click.echo(f"after layerwise training: validation error {between:.5f}")
    click.echo(f"code of {chosen[-1]} numbers: test error {deep:.5f}; as many principal components: {linear:.5f}")
    if plot:
        seeing.plot_weights(net, filename=plot)
    return {"deep": deep, "principal components": linear}


if __name__ == "__main__":
    main()
