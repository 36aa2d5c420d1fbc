"""A net that remembers: it reads ten random numbers and, at the end, has to say the first three.

    python examples/recurrent_memory.py

The target counts at the last steps only, which weights say. Data are drawn anew for each minibatch by a callable.
"""

import click
import numpy as np

from croton import nets


def sampler(steps, remember, examples, seed):
    """A callable that returns one minibatch: inputs, targets and weights, each (examples, steps, 1)."""
    rng = np.random.default_rng(seed)

    def batch():
        x = rng.normal(size=(examples, steps, 1)).astype("float32")
        y, w = np.zeros_like(x), np.zeros_like(x)
        y[:, -remember:] = x[:, :remember]
        w[:, -remember:] = 1
        return [x, y, w]

    return batch


def learn(steps, remember, hidden, epochs, progress=True):
    """A recurrent regressor trained for so many epochs of 100 minibatches."""
    # A recurrent matrix that neither swells nor shrinks what it carries: its largest singular value is 1.
    layer = {"form": "rnn", "size": hidden, "activation": "tanh", "radius_hh": 1, "std_b": 0}
    net = nets.recurrent.Regressor([1, layer, {"size": 1, "std_b": 0}], weighted=True)
    net.train(
        sampler(steps, remember, 100, seed=0),
        algo="adam",
        learning_rate=3e-3,
        max_gradient_norm=1,
        max_updates=epochs,
        progress=progress,
    )
    return net


@click.command()
@click.option("--steps", type=click.IntRange(min=2), default=10, show_default=True, help="Length of a sequence.")
@click.option("--remember", type=click.IntRange(min=1), default=3, show_default=True, help="How many to reproduce.")
@click.option("--hidden", type=click.IntRange(min=1), default=32, show_default=True, help="Units of the layer.")
@click.option("--epochs", type=click.IntRange(min=1), default=30, show_default=True, help="Of 100 minibatches each.")
def main(steps, remember, hidden, epochs):
    """Train a recurrent net to reproduce the beginning of a sequence at its end."""
    if steps < 2 * remember:
        raise click.BadParameter(f"{steps} steps cannot hold {remember} values and their reproduction")
    net = learn(steps, remember, hidden, epochs)
    x, y, w = sampler(steps, remember, 1000, seed=1)()
    r2 = net.score(x, y, w)
    for k in range(3):
        said = net.predict(x[k : k + 1])[0, -remember:, 0]
        click.echo(f"began with {np.round(x[k, :remember, 0], 2)}, reproduced {np.round(said, 2)}")
    click.echo(f"R² of what it reproduces on 1,000 new sequences: {r2:.4f}")
    return r2


if __name__ == "__main__":
    main()
