"""Gradients compared with finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from croton.gradient.derivatives import grad
from croton.gradient.errors import GradientError
from croton.graph.core import Variable, hooks
from croton.tensor.basic import as_tensor_variable, cast, constant
from croton.tensor.types import TensorType
from croton.tensor.variable import TensorSharedVariable


def verify_grad(
    fun: Callable[..., Any],
    pt: Sequence[Any],
    n_tests: int = 2,
    rng: np.random.RandomState | None = None,
    eps: float | None = None,
    out_type: str | None = None,
    abs_tol: float | None = None,
    rel_tol: float | None = None,
    mode: Any = None,
    cast_to_output_type: bool = False,
) -> None:
    """Compare the gradient of a random projection of ``fun`` with central differences at the point ``pt``.

    ``fun`` takes as many variables as ``pt`` has float arrays and returns one. The projection is drawn ``n_tests``
    times from ``rng`` (a NumPy RandomState, seeded 0 if None). ``eps`` is the step; ``abs_tol`` and ``rel_tol`` bound
    the differences; where None all follow from the lowest precision among ``pt``. Raises GradientError. After
    theano.gradient.verify_grad.

    >>> import numpy as np, croton.tensor as T
    >>> from croton.gradient import verify_grad
    >>> verify_grad(T.tanh, [np.array([0.1, 0.7])])
    """
    points = [np.array(p) for p in pt]
    for k, p in enumerate(points):
        if p.dtype.kind != "f":
            raise TypeError(f"verify_grad: point {k} must be an array of floats, got {p.dtype}")
    rng = rng if rng is not None else np.random.RandomState(0)
    lowest = min((p.dtype for p in points), key=lambda d: d.itemsize)
    small = {"float16": (1e-1, 1e-1, 1e-1), "float32": (3e-3, 1e-2, 1e-2), "float64": (1e-6, 1e-5, 1e-5)}[str(lowest)]
    eps, abs_tol, rel_tol = (s if g is None else g for g, s in zip((eps, abs_tol, rel_tol), small, strict=True))
    shared = [
        TensorSharedVariable(f"input {k}", TensorType(str(p.dtype), (False,) * p.ndim), p) for k, p in enumerate(points)
    ]
    output = as_tensor_variable(fun(*shared))
    if out_type is not None and output.dtype != out_type:
        raise TypeError(f"verify_grad: the output has dtype {output.dtype}, not {out_type}")
    value = hooks.evaluate(output, {})
    for _ in range(n_tests):
        projection = rng.uniform(0.5, 1.5, size=np.shape(value)).astype(output.dtype)
        cost = (output * constant(projection)).sum()
        if cast_to_output_type:
            cost = cast(cost, output.dtype)
        analytic = [hooks.evaluate(g, {}) for g in grad(cost, list(shared), disconnected_inputs="ignore")]
        for k, (variable, point) in enumerate(zip(shared, points, strict=True)):
            numeric = _differences(cost, variable, point, eps)
            gap = np.abs(analytic[k] - numeric)
            scale = np.maximum(np.abs(analytic[k]) + np.abs(numeric), 1e-8)
            wrong = (gap > abs_tol) & (gap / scale > rel_tol) | np.isnan(gap)
            if wrong.any():
                at = tuple(int(i) for i in np.argwhere(wrong)[0])
                raise GradientError(
                    f"verify_grad: the gradient with respect to input {k} is {analytic[k][at]} at {at}, central "
                    f"differences give {numeric[at]} (step {eps}, tolerances {abs_tol} absolute, {rel_tol} relative)"
                )


def _differences(cost: Variable, variable: Any, point: np.ndarray, eps: float) -> np.ndarray:
    found = np.zeros(point.shape, "float64")
    for at in np.ndindex(point.shape):
        sides = []
        for step in (eps, -eps):
            moved = point.copy()
            moved[at] += step
            variable.set_value(moved)
            sides.append(float(hooks.evaluate(cost, {})))
        found[at] = (sides[0] - sides[1]) / (2 * eps)
    variable.set_value(point)
    return found
