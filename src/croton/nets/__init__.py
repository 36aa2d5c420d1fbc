"""Whole neural networks in one line, as theanets had them, on croton's expressions."""

from croton.nets import (
    activations,
    convolution,
    feedforward,
    layers,
    losses,
    recurrent,
    regularizers,
    util,
)
from croton.nets.activations import Activation
from croton.nets.experiment import Experiment
from croton.nets.feedforward import Autoencoder, Classifier, Regressor
from croton.nets.layers import Layer
from croton.nets.losses import Loss
from croton.nets.network import Network
from croton.nets.regularizers import Regularizer
from croton.nets.seeing import plot_history, plot_weights
from croton.nets.util import ConfigurationError, Error, LayerError

__all__ = [
    "Activation",
    "Autoencoder",
    "Classifier",
    "ConfigurationError",
    "Error",
    "Experiment",
    "Layer",
    "LayerError",
    "Loss",
    "Network",
    "Regressor",
    "Regularizer",
    "activations",
    "convolution",
    "feedforward",
    "layers",
    "losses",
    "plot_history",
    "plot_weights",
    "recurrent",
    "regularizers",
    "util",
]
