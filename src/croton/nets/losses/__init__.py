"""Losses: scalars that say how far a network's outputs are from what they should be. As theanets.losses."""

from croton.nets.losses.base import Loss, build
from croton.nets.losses.distances import MaximumMeanDiscrepancy, MeanAbsoluteError, MeanSquaredError
from croton.nets.losses.likelihoods import CrossEntropy, GaussianLogLikelihood, Hinge, KullbackLeiblerDivergence

__all__ = [
    "CrossEntropy",
    "GaussianLogLikelihood",
    "Hinge",
    "KullbackLeiblerDivergence",
    "Loss",
    "MaximumMeanDiscrepancy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "build",
]
