"""A package whose import fails, as after an update that does not fit."""

from archcalc.layers.base import gone  # noqa: F401
