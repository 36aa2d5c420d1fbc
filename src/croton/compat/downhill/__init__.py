"""downhill for old programs: a symbolic loss minimized by gradient steps over minibatches."""

from croton.compat.downhill.algorithms import ADADELTA, ADAGRAD, ESGD, NAG, SGD, Adam, RMSProp, RProp
from croton.compat.downhill.dataset import Dataset
from croton.compat.downhill.optimizer import Optimizer, build, minimize

__all__ = [
    "ADADELTA",
    "ADAGRAD",
    "ESGD",
    "NAG",
    "SGD",
    "Adam",
    "Dataset",
    "Optimizer",
    "RMSProp",
    "RProp",
    "build",
    "minimize",
]
