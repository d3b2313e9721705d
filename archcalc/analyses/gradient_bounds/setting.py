"""What the bounds of one layer depend on besides its primitives."""

from __future__ import annotations

from dataclasses import dataclass

from archcalc.analyses.gradient_bounds.weight_norms import Norms


@dataclass(frozen=True, slots=True)
class Setting:
    """What the bounds of one layer's primitives depend on besides the primitives."""

    layer: str
    norms: Norms
    training: bool = False
    tight: bool = True  # whether better bounds than norm times cover are taken
    masked: bool = False  # whether steps may be hidden from a layer that minds
