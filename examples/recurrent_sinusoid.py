"""Six recurrent layers learn to draw a wave from nothing: their input is zero at every step.

    python examples/recurrent_sinusoid.py
    python examples/recurrent_sinusoid.py --cells lstm,clockwork --plot waves.png

The wave is a sum of three sines of different period, so a layer has to keep time by its own state.
"""

import time

import click
import numpy as np

from croton import nets

CELLS = {
    "rnn": {},
    "rrnn": {},
    "scrn": {},
    "gru": {},
    "lstm": {},
    "clockwork": {"periods": (1, 4, 16, 64)},
}


def make_wave(steps):
    """Inputs of zero and the wave, each (1, steps, 1)."""
    t = np.arange(steps)
    wave = sum(np.sin(2 * np.pi * t / period) for period in (16, 40, 100)) / 3
    return np.zeros((1, steps, 1)), wave[None, :, None]


def learn(cell, data, size, updates):
    """A net with one layer of the given cell, and (loss after every 50 steps of the optimizer)."""
    layer = {"form": cell, "size": size, "activation": "tanh", **CELLS[cell]}
    net = nets.recurrent.Regressor([1, layer, 1])
    history = net.itertrain(
        data,
        algo="adam",
        learning_rate=3e-3,
        max_gradient_norm=1,
        train_batches=50,
        max_updates=updates // 50,
        progress=False,
    )
    return net, [monitors["loss"] for monitors, _ in history]


def draw(path, wave, drawn, losses):
    """Writes a picture of the waves and of the losses by step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    above, below = figure.subplots(2, 1)
    above.plot(wave, color="black", linewidth=3, alpha=0.3, label="wave")
    for cell, values in drawn.items():
        above.plot(values, label=cell, linewidth=1)
        below.semilogy(50 * np.arange(1, 1 + len(losses[cell])), losses[cell], label=cell)
    above.set_xlabel("time step")
    below.set_xlabel("steps of the optimizer")
    below.set_ylabel("mean squared error")
    above.legend(ncols=4, frameon=False)
    below.legend(frameon=False)
    figure.savefig(path, dpi=120)


@click.command()
@click.option("--cells", default=",".join(CELLS), show_default=True, help="Which to compare.")
@click.option("--steps", type=click.IntRange(min=2), default=200, show_default=True, help="Length of the wave.")
@click.option("--size", type=click.IntRange(min=4), default=64, show_default=True, help="Units of the layer.")
@click.option("--updates", type=click.IntRange(min=50), default=2000, show_default=True, help="Steps of the optimizer.")
@click.option("--plot", type=click.Path(dir_okay=False), help="Picture of waves and losses to write.")
def main(cells, steps, size, updates, plot):
    """Train recurrent layers of several forms to draw a wave, and tell how near each comes."""
    chosen = cells.split(",")
    for cell in chosen:
        if cell not in CELLS:
            raise click.BadParameter(f"{cell!r} is none of {', '.join(CELLS)}", param_hint="--cells")
    data = make_wave(steps)
    errors, drawn, losses = {}, {}, {}
    for cell in chosen:
        start = time.perf_counter()
        net, losses[cell] = learn(cell, data, size, updates)
        drawn[cell] = net.predict(data[0])[0, :, 0]
        errors[cell] = float(np.mean((drawn[cell] - data[1][0, :, 0]) ** 2))
        seconds = time.perf_counter() - start
        click.echo(f"{cell:10} {net.num_params:6} parameters, mean squared error {errors[cell]:.5f}, {seconds:.0f} s")
    if plot:
        draw(plot, data[1][0, :, 0], drawn, losses)
    return errors


if __name__ == "__main__":
    main()
