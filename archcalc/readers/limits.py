"""Limits that several readers apply to a network; docs/limits.md lists all limits."""

from __future__ import annotations

MAX_LAYERS = 100_000  # the one limit that a user may raise; the others grow with it
WRITTEN_A_LAYER = 300  # characters of names and inputs per layer, on average
ENDS_A_LAYER = 10  # inputs and outputs of a network with MAX_LAYERS layers
