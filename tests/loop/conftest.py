"""What the tests of loops share: numeric derivatives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def _numeric(cost: Callable[..., Any], *arguments: Any, step: float = 1e-6) -> list[np.ndarray]:
    """The derivatives of ``cost`` by each float64 argument, from differences; of the others None."""
    found = []
    for k, a in enumerate(arguments):
        if np.asarray(a).dtype != "float64":
            found.append(None)
            continue
        g = np.zeros(np.shape(a))
        for at in np.ndindex(g.shape):
            sides = []
            for move in (step, -step):
                moved = [np.array(b) for b in arguments]
                moved[k][at] += move
                sides.append(cost(*moved))
            g[at] = (sides[0] - sides[1]) / (2 * step)
        found.append(g)
    return found


@pytest.fixture(scope="session")
def numeric() -> Callable[..., Any]:
    return _numeric
