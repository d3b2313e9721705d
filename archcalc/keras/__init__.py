"""What needs Keras: graphs from and to live models, measurement, and LocallyConnected for Keras 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archcalc.keras.build import to_keras
    from archcalc.keras.gradient_monitor import GradientMonitor
    from archcalc.keras.live import from_keras
    from archcalc.keras.live_weights import model_weights
    from archcalc.keras.locally_connected import LocallyConnected1D, LocallyConnected2D
    from archcalc.keras.parameter import Parameter

_HOME = {
    "GradientMonitor": "gradient_monitor",
    "LocallyConnected1D": "locally_connected",
    "LocallyConnected2D": "locally_connected",
    "Parameter": "parameter",
    "from_keras": "live",
    "model_weights": "live_weights",
    "to_keras": "build",
}

__all__ = [
    "GradientMonitor",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "Parameter",
    "from_keras",
    "model_weights",
    "to_keras",
]


def __getattr__(name: str) -> Any:
    """Import on demand: TensorFlow takes seconds.

    Raises `MissingExtraError` where Keras or its backend is not installed.
    """
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    require_keras()
    return getattr(import_module(f"archcalc.keras.{_HOME[name]}"), name)


def require_keras() -> None:
    """Raise `MissingExtraError` with the line that installs Keras, if it is not there."""
    from importlib.util import find_spec

    from archcalc.errors import MissingExtraError

    missing = [name for name in ("keras", "tensorflow") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"this needs {' and '.join(missing)}: python -m pip install 'archcalc[keras]'"
        )
