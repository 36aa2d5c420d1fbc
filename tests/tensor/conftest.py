"""What the tests of ops share: one that compares an expression with NumPy, and one that compares its gradient with
differences.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import croton
import croton.tensor as T
from croton.tensor import TensorType

# Relative errors that rounding explains, by the result's dtype.
TOLERANCE = {"float16": 2e-2, "float32": 2e-5, "float64": 1e-9, "complex64": 5e-5, "complex128": 1e-9}


def _listed(results: Any) -> list[Any]:
    return list(results) if isinstance(results, list | tuple) else [results]


def _fits(static: Sequence[int | None], actual: Sequence[int]) -> bool:
    return len(static) == len(actual) and all(n in (None, m) for n, m in zip(static, actual, strict=True))


def _same(found: np.ndarray, expected: np.ndarray, what: str, tolerance: float | None = None) -> None:
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}"
    rtol = tolerance if tolerance is not None else TOLERANCE.get(str(found.dtype), 0)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol, equal_nan=True, err_msg=what)


def _agree(
    build: Callable[..., Any],
    reference: Callable[..., Any],
    *arrays: np.ndarray,
    tolerance: float | None = None,
    dtypes: Sequence[str] | None = None,
) -> None:
    """``build`` of variables for ``arrays``, compiled and run on them, is what ``reference`` makes of the arrays.

    The results' dtypes are those of the reference (or ``dtypes``) and those the graph declares, and the static shapes
    of the graph are true, whether it was built from variables of unknown lengths, of known ones, or from constants.
    """
    arrays = tuple(np.asarray(a) for a in arrays)
    with np.errstate(all="ignore"):
        expected = [np.asarray(e) for e in _listed(reference(*arrays))]
    loose = [TensorType(str(a.dtype), (False,) * a.ndim)() for a in arrays]
    outputs = _listed(build(*loose))
    found = croton.function(loose, outputs, on_unused_input="ignore")(*arrays)
    assert len(found) == len(expected)
    for k, (variable, value, wanted) in enumerate(zip(outputs, found, expected, strict=True)):
        what = f"{variable.owner}" if variable.owner is not None else f"{variable}"
        assert str(value.dtype) == variable.dtype, f"{what} declares {variable.dtype} and is {value.dtype}"
        assert variable.dtype == (dtypes[k] if dtypes is not None else str(wanted.dtype)), what
        _same(value, wanted, what, tolerance)
    tight = [TensorType(str(a.dtype), shape=a.shape)() for a in arrays]
    fixed = [T.constant(a) for a in arrays]
    for variables in (loose, tight, fixed):
        for variable, wanted in zip(_listed(build(*variables)), expected, strict=True):
            assert _fits(variable.type.shape, wanted.shape), (
                f"{variable.owner} of {[v.type for v in variables]} declares the shape {variable.type.shape}, "
                f"its value has {wanted.shape}"
            )


def _gradients_agree(build: Callable[..., Any], *arrays: np.ndarray, step: float = 1e-6, rtol: float = 1e-5) -> None:
    """The gradient of a weighted sum of ``build`` by its float64 arguments is what central differences give."""
    variables = [TensorType(str(a.dtype), (False,) * a.ndim)() for a in arrays]
    rng = np.random.RandomState(11)
    outputs = _listed(build(*variables))
    sizes = croton.function(variables, [v.shape for v in outputs], on_unused_input="ignore")(*arrays)
    cost = sum((v * T.constant(rng.uniform(0.5, 1.5, s))).sum() for v, s in zip(outputs, sizes, strict=True))
    wrt = [k for k, a in enumerate(arrays) if a.dtype == "float64"]
    grads = croton.grad(cost, [variables[k] for k in wrt], disconnected_inputs="ignore")
    f = croton.function(variables, [cost, *grads], on_unused_input="ignore")
    _, *found = f(*arrays)
    for k, gradient in zip(wrt, found, strict=True):
        assert gradient.dtype == "float64" and gradient.shape == arrays[k].shape
        numeric = np.zeros(arrays[k].shape)
        for at in np.ndindex(numeric.shape):
            sides = []
            for move in (step, -step):
                moved = [a.copy() for a in arrays]
                moved[k][at] += move
                sides.append(f(*moved)[0])
            numeric[at] = (sides[0] - sides[1]) / (2 * step)
        scale = max(1.0, float(np.abs(numeric).max(initial=0)))
        np.testing.assert_allclose(gradient, numeric, rtol=rtol, atol=rtol * scale, err_msg=f"by argument {k}")


@pytest.fixture(scope="session")
def agree() -> Callable[..., None]:
    return _agree


@pytest.fixture(scope="session")
def gradients_agree() -> Callable[..., None]:
    return _gradients_agree
