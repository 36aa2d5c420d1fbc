"""Pictures of the ten digits for the programs of this folder: from a file, or drawn.

`load(path)` reads a file like mnist.pkl.gz: a pickle of three pairs (x, y), to train, to validate and to test, x with
one picture a row, its pixels in [0, 1], and y the digits shown. `load(None, ...)` draws such pairs: each picture is a
digit of a small font, moved at random, of a random brightness, under noise.
"""

import gzip
import pickle

import numpy
import theano

FONT = """
.###. ..#.. .###. .###. ...#. ##### .###. ##### .###. .###.
#...# .##.. #...# #...# ..##. #.... #.... ....# #...# #...#
#..## ..#.. ....# ....# .#.#. ####. #.... ...#. #...# #...#
#.#.# ..#.. ..##. ..##. #..#. ....# ####. ..#.. .###. .####
##..# ..#.. .#... ....# ##### ....# #...# .#... #...# ....#
#...# ..#.. #.... #...# ...#. #...# #...# .#... #...# ....#
.###. .###. ##### .###. ...#. .###. .###. .#... .###. .###.
"""


def load(path=None, scale=1, noise=0.1, sizes=(1000, 200, 500), seed=1):
    """Three pairs (x, y), x a matrix of floatX with values in [0, 1], y a vector of int32: read from the file `path`,
    or drawn, then of the given sizes, with pictures of 8 `scale` pixels a side, under noise of that deviation."""
    if path is None:
        rng = numpy.random.RandomState(seed)
        pairs = [draw(rng, n, scale, noise) for n in sizes]
    else:
        with gzip.open(path, "rb") as file:
            pairs = pickle.load(file, encoding="latin1")
    return [(numpy.asarray(x, dtype=theano.config.floatX), numpy.asarray(y, dtype="int32")) for x, y in pairs]


def draw(rng, n, scale, noise):
    """n pictures, one a row, and the digits they show."""
    rows = [line.split() for line in FONT.split("\n") if line]
    font = numpy.array([[[mark == "#" for mark in row[digit]] for row in rows] for digit in range(10)], dtype=float)
    font = font.repeat(scale, axis=1).repeat(scale, axis=2)
    height, width, side = 7 * scale, 5 * scale, 8 * scale
    y = rng.randint(10, size=n)
    pictures = numpy.zeros((n, side, side))
    for picture, digit in zip(pictures, y):
        top, left = rng.randint(side - height + 1), rng.randint(side - width + 1)
        picture[top : top + height, left : left + width] = font[digit] * rng.uniform(0.6, 1)
    noisy = pictures + rng.normal(0, noise, size=pictures.shape)
    return noisy.clip(0, 1).reshape(n, -1), y


def as_text(picture):
    """A picture as lines of text, two characters a pixel, the brighter the darker."""
    side = int(len(picture) ** 0.5)
    levels = (numpy.asarray(picture).clip(0, 0.999) * 5).astype(int).reshape(side, side)
    return "\n".join("".join(" .:+#"[level] * 2 for level in row).rstrip() for row in levels)
