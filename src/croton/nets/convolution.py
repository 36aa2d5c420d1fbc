"""Models of images: data are (examples, height, width, channels). As theanets.convolution."""

from __future__ import annotations

from typing import ClassVar

from croton.nets import feedforward


class Autoencoder(feedforward.Autoencoder):
    """A network that is trained to give back images, arrays of shape (examples, height, width, channels)."""

    INPUT_NDIM: ClassVar[int] = 4
    OUTPUT_NDIM: ClassVar[int] = 4


class Regressor(feedforward.Regressor):
    """A network that is trained to give a target for each image. As theanets.convolution.Regressor."""

    INPUT_NDIM: ClassVar[int] = 4


class Classifier(feedforward.Classifier):
    """A network that is trained to tell the class of each image. As theanets.convolution.Classifier.

    >>> from croton import nets
    >>> net = nets.convolution.Classifier([(28, 28, 1), dict(form='conv2', size=4, filter_size=(5, 5)), 'flat', 10])
    >>> net.layers[2].size
    2304
    """

    INPUT_NDIM: ClassVar[int] = 4


__all__ = ["Autoencoder", "Classifier", "Regressor"]
