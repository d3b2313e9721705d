"""The line that says what recomputation saves and costs."""

from __future__ import annotations

from archcalc.render import text
from archcalc.render.text import Glyphs
from archcalc.report.checkpoint import Checkpoint

NAMED = 4


def recomputed(checkpoint: Checkpoint, glyphs: Glyphs) -> str:
    """`body[1], body[2] recomputed: a training step holds 12.0 MiB less, for 5,000 MACs more of a sample`."""
    names = ", ".join(text.printable(name, glyphs) for name in checkpoint.blocks[:NAMED])
    others = len(checkpoint.blocks) - NAMED
    names += f" and {others} more" if others > 0 else ""
    saved, way = checkpoint.bytes_saved, "less"
    if isinstance(saved, int) and saved < 0:
        saved, way = -saved, "more"
    paid = text.count(checkpoint.macs, glyphs)
    held = f"a training step holds {text.amount(saved, glyphs)} {way}"
    return f"{names} recomputed: {held}, for {paid} MACs more of a sample"
