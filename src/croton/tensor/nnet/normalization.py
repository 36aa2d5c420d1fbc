"""Normalization with given statistics."""

from __future__ import annotations

from typing import Any

from croton.tensor.basic import as_tensor_variable
from croton.tensor.variable import TensorVariable


def batch_normalization(
    inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem"
) -> TensorVariable:
    """(inputs - mean) gamma / std + beta; all broadcast. ``mode`` 'low_mem' or 'high_mem' gives the same values.

    >>> import croton.tensor as T
    >>> T.nnet.batch_normalization(T.constant([3.]), 2., 1., 1., 4.).eval()
    array([2.])
    """
    if mode not in ("low_mem", "high_mem"):
        raise ValueError(f"batch_normalization: mode must be 'low_mem' or 'high_mem', not {mode!r}")
    x = as_tensor_variable(inputs)
    return (x - mean) * (as_tensor_variable(gamma) / std) + beta
