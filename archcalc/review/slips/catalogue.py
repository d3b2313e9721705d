"""What each slip is called and says; `oddity` ranks slips that reproduce the same value."""

from __future__ import annotations

from typing import NamedTuple


class Slip(NamedTuple):
    """One rule of miscounting; `says` completes "as if ..."."""

    name: str
    says: str
    oddity: float = 1.0


SLIPS: dict[str, Slip] = {}


def slip(name: str, says: str, oddity: float = 1.0) -> Slip:
    """Enter a slip in the catalogue."""
    assert name not in SLIPS, name
    SLIPS[name] = made = Slip(name, says, oddity)
    return made
