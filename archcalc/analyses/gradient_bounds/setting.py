"""The setting in which the primitives of a layer are bounded."""

from __future__ import annotations

from dataclasses import dataclass

from archcalc.analyses.gradient_bounds.weight_norms import Norms


@dataclass(frozen=True, slots=True)
class Setting:
    """What the bounds of one layer depend on besides its primitives."""

    layer: str
    norms: Norms
    training: bool = False
    tight: bool = True  # whether bounds better than norm times sqrt(cover) are used
    masked: bool = False  # whether a mask may hide steps from a layer that reads masks
