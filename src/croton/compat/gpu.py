"""What the old GPU modules answer: that there is no GPU code to reach by their names.

Where JAX has an accelerator, croton's functions run on it without being asked.
"""

from __future__ import annotations

import warnings
from typing import Any


def dnn_available(context_name: str | None = None) -> bool:
    """Whether cuDNN can be called by name: never."""
    return False


def dnn_present() -> bool:
    """Whether cuDNN can be called by name: never."""
    return False


def use(device: str, *_: Any, **__: Any) -> None:
    """Warn that the choice of a device is JAX's, and change nothing."""
    warnings.warn(
        f"device {device!r} is not for croton to choose: functions run where JAX runs (set JAX_PLATFORMS to choose)",
        stacklevel=2,
    )
