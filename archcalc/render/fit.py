"""The line that says whether a network fits into memory."""

from __future__ import annotations

from archcalc.arith.unknown import Unknown
from archcalc.render import text
from archcalc.render.text import Glyphs
from archcalc.report.fit import MARGIN, Fit, MemoryNeed


def fits(fit: Fit, glyphs: Glyphs) -> str:
    """`in 24.0 GiB, with 20% to spare: training up to batch 120, inference up to batch 2,000`."""
    parts = [("training", fit.training), ("inference", fit.inference)]
    uses = ", ".join(f"{name} {_batch(need, glyphs)}" for name, need in parts)
    return f"in {text.amount(fit.memory, glyphs)}, with {MARGIN}% to spare: {uses}"


def _batch(need: MemoryNeed, glyphs: Glyphs) -> str:
    if isinstance(need.largest_batch, Unknown):
        return f"unknown ({text.printable(need.largest_batch.reason, glyphs)})"
    if need.largest_batch is None:
        return "with any batch"
    if need.largest_batch == 0:
        return "not even with a batch of 1"
    return f"up to batch {text.count(need.largest_batch, glyphs)}"
