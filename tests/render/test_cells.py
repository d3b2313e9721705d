"""Widths of texts are those of rich, for the characters that are counted without it too."""

from __future__ import annotations

import sys

import pytest
from rich import cells as rich

from archcalc.render import cells
from archcalc.render.text import ASCII, UNICODE

TEXTS = [
    *(chr(i) for i in range(0x2600)),
    *(glyph for glyphs in (ASCII, UNICODE) for glyph in glyphs if isinstance(glyph, str)),
    *("112×112×64", "größe", "層_1", "a\tb", "", "e\u0301", "🙂", "stem/conv"),
]


def test_lengths() -> None:
    assert [cells.cell_len(text) for text in TEXTS] == [rich.cell_len(text) for text in TEXTS]


@pytest.mark.parametrize("size", [0, 1, 3, 12])
def test_cuts(size: int) -> None:
    texts = [text for text in TEXTS if text.isprintable()]
    assert [cells.set_cell_size(t, size) for t in texts] == [rich.set_cell_size(t, size) for t in texts]


def test_the_signs_of_tables_do_without_rich() -> None:
    assert cells._one_each("".join(str(glyph) for glyph in UNICODE))
    assert "rich" in sys.modules
