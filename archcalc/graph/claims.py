"""Stated figures of a network (from a paper or a manual), as a spec holds them for `archcalc audit`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One stated figure.

    `layers` names the layers it is about, or blocks for all layers inside them; empty for the
    whole network. `per` is `"filter"` if the figure is that of one filter, `"layer"` if it is that of
    each of the layers. `written` is the arithmetic as its author wrote it, which is never run as code.
    `rounded_to` is the unit of the last digit of a rounded figure (100,000 in "25.6 million"), or 0.
    """

    quantity: str
    value: int | float | tuple[int | float, ...]
    layers: tuple[str, ...] = ()
    per: str | None = None
    written: str | None = None
    note: str | None = None
    path: str = ""
    rounded_to: int | float = 0
