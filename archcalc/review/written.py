"""The arithmetic that a claim's author wrote down: read as numbers, never run as code."""

from __future__ import annotations

import re
import unicodedata

from archcalc.arith.expressions import parse
from archcalc.errors import ArchcalcError

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("×·✕⋅\u2217", "*"),
        **dict.fromkeys("\u2212\u2013\u2014", "-"),
        **dict.fromkeys("÷\u2215", "/"),
        **{c: f"**{i}" for i, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
        "^": "**",
        "[": "(",
        "]": ")",
        "\u00a0": " ",
        "\u202f": " ",
    }
)
_THOUSANDS = re.compile(r"(?<=\d)[,٬'_](?=\d{3}(?!\d))|(?<=\d)\u202f(?=\d{3}(?!\d))")
MOST = 500  # characters


def value_of(text: str) -> int | None:
    """What the arithmetic gives; None if it is no arithmetic of integers.

    Of several sides of `=`, the first that is one. `x` between numbers multiplies; digits may be those of any
    script, with separators of thousands.
    """
    if len(text) > MOST:
        return None
    for side in normalised(text).split("="):
        try:
            value = parse(side.strip(), {})
        except (ArchcalcError, ValueError):
            continue
        if isinstance(value, int):
            return value
    return None


def normalised(text: str) -> str:
    """The text with the signs and digits of the expression language."""
    text = "".join(_ascii_digit(c) for c in text)
    text = _THOUSANDS.sub("", text).translate(_SIGNS)
    return re.sub(r"(?<=[\d)])\s*[xX]\s*(?=[\d(])", "*", text)


def _ascii_digit(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)
