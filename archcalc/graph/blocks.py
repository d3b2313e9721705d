"""The blocks that the names of layers belong to."""

from __future__ import annotations

from collections.abc import Iterable


def separator(names: Iterable[str]) -> str:
    """What ends the parts of names: `/`, as in `stem/a`; `_` in a network without any, as most of Keras's."""
    return "/" if any("/" in name for name in names) else "_"


def block_of(name: str, depth: int, separator: str) -> str:
    """The first `depth` parts of a layer's name; empty if it belongs to no such block."""
    parts = name.split(separator)
    if separator == "/":
        return separator.join(parts[:depth]) if len(parts) > depth else ""
    # conv2d_3 is Keras's third Conv2D, not a member of a block named conv2d
    if len(parts) <= depth or (len(parts) == depth + 1 and parts[depth].isdecimal()):
        return ""
    return separator.join(parts[:depth])
