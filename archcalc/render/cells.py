"""How many cells of a terminal a text takes; rich, whose import takes longer, is asked only if it must be."""

from __future__ import annotations

from functools import lru_cache

# the signs of the tables, which take one cell each
_SIGNS = str.maketrans("", "", "×—─–→·σ√≥⁰¹²³⁴⁵⁶⁷⁸⁹…")


@lru_cache(4096)
def cell_len(text: str) -> int:
    """The number of cells."""
    if _one_each(text):
        return len(text)
    from rich import cells

    return cells.cell_len(text)


def set_cell_size(text: str, size: int) -> str:
    """The text cut, or filled with spaces, to a number of cells."""
    if _one_each(text):
        return text[:size].ljust(size)
    from rich import cells

    return cells.set_cell_size(text, size)


def padded(text: str, size: int, *, right: bool = False) -> str:
    """The text with spaces after it, or before it, up to a number of cells."""
    blank = " " * (size - cell_len(text))
    return blank + text if right else text + blank


def _one_each(text: str) -> bool:
    """Whether it is certain that every character takes one cell."""
    plain = text if text.isascii() else text.translate(_SIGNS)
    return plain.isascii() and plain.isprintable()
