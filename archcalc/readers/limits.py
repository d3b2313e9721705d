"""What several readers hold a network to; docs/limits.md lists all limits."""

from __future__ import annotations

MAX_LAYERS = 100_000  # the one limit that a user may raise; the others grow with it
WRITTEN_A_LAYER = 300  # characters of names and inputs, over all layers
ENDS_A_LAYER = 10  # inputs and outputs of a network of the most layers
