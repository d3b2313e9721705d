"""Live Keras model -> Graph."""

from __future__ import annotations

from typing import Any

from archcalc.graph import Graph


def from_keras(model: Any) -> Graph:
    """The graph of a live Keras model."""
    raise NotImplementedError
