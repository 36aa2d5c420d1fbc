"""A net that learns a text character by character and then writes on.

    python examples/character_model.py                     the text of Python's own manual, which comes with it
    python examples/character_model.py --text novel.txt    a text of your own

At each step the net reads a character and gives the probability of each that could be next. It is judged on the last
tenth of the text, which it never sees in training, by the bits that it needs for a character: the mean of
-log2 p(the next one).
"""

import math
from pathlib import Path

import click

from croton import nets


def manual():
    """The sections of the Python manual that `help()` shows, as one text."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def split(text, min_count):
    """The first nine tenths of the text and the rest, with the same alphabet."""
    cut = len(text) * 9 // 10
    whole = nets.recurrent.Text(text, min_count=min_count)
    return tuple(nets.recurrent.Text(part, alpha=whole.alpha) for part in (text[:cut], text[cut:]))


def learn(train, valid, cell, size, epochs, progress=True):
    """A classifier of the next character, and its validation loss in bits for a character.

    An epoch is of 100 minibatches of 32 pieces of 64 characters each, from random places.
    """
    characters = 1 + len(train.alpha)
    net = nets.recurrent.Classifier([characters, (size, cell), characters])
    _, judged = net.train(
        train.classifier_batches(steps=64, batch_size=32, rng=0),
        valid.classifier_batches(steps=64, batch_size=32, rng=1),
        algo="adam",
        learning_rate=5e-3,
        max_gradient_norm=1,
        valid_batches=20,
        validate_every=2,
        max_updates=epochs,
        progress=progress,
    )
    return net, judged["loss"] / math.log(2)


def write_on(net, text, beginning, count, rng=0):
    """The beginning, and ``count`` characters that the net draws after it."""
    drawn = net.predict_sequence(text.encode(beginning), count, rng=rng)
    return beginning + text.decode(drawn)


@click.command()
@click.option("--text", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file in UTF-8.")
@click.option("--cell", default="lstm", show_default=True, help="The form of the recurrent layer: gru, rnn, scrn, ...")
@click.option("--size", type=click.IntRange(min=1), default=128, show_default=True, help="Units of the layer.")
@click.option("--epochs", type=click.IntRange(min=1), default=30, show_default=True, help="Of 100 minibatches each.")
@click.option("--min-count", type=click.IntRange(min=1), default=10, show_default=True, help="Rarer ones are unknown.")
@click.option("--beginning", default="The ", show_default=True, help="What the net's own text begins with.")
def main(text, cell, size, epochs, min_count, beginning):
    """Train a character model on a text, tell how well it predicts, and let it write."""
    train, valid = split(manual() if text is None else text.read_text(encoding="utf-8"), min_count)
    click.echo(f"{len(train.text) + len(valid.text):,} characters of {len(train.alpha)} kinds")
    net, bits = learn(train, valid, cell, size, epochs)
    click.echo(f"{bits:.2f} bits a character on the last tenth of the text\n")
    click.echo(write_on(net, train, beginning, 500))
    return bits


if __name__ == "__main__":
    main()
