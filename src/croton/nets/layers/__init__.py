"""Layers: every form that a network can be made of, and the base of new ones."""

from croton.nets.layers.base import Layer
from croton.nets.layers.basic import Classifier, Feedforward, Input, Tied
from croton.nets.layers.bidirectional import Bidirectional
from croton.nets.layers.convolution import Conv1, Conv2, Convolution, Pool1, Pool2, Pooling
from croton.nets.layers.gated import GRU, LSTM, MUT1
from croton.nets.layers.merge import Concatenate, Flatten, Product, Reshape
from croton.nets.layers.modular import BCRNN, SCRN, Clockwork
from croton.nets.layers.plain import MRNN, RNN, RRNN
from croton.nets.layers.recurrent import Recurrent

__all__ = [
    "BCRNN", "GRU", "LSTM", "MRNN", "MUT1", "RNN", "RRNN", "SCRN", "Bidirectional", "Classifier", "Clockwork",
    "Concatenate", "Conv1", "Conv2", "Convolution", "Feedforward", "Flatten", "Input", "Layer", "Pool1", "Pool2",
    "Pooling", "Product", "Recurrent", "Reshape", "Tied",
]  # fmt: skip
