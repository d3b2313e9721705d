"""The line that says whether a network fits into memory."""

from __future__ import annotations

from archcalc.arith.unknown import Unknown
from archcalc.render import text
from archcalc.render.text import Glyphs
from archcalc.report.fit import Fit, MemoryNeed


def fits(fit: Fit, batch: int, glyphs: Glyphs) -> str:
    """`in 24.0 GiB, with 20% to spare: training: batch 500 does not fit, 98 does; inference: ...`."""
    parts = [("training", fit.training), ("inference", fit.inference)]
    uses = "; ".join(f"{name}: {_answer(need, batch, glyphs)}" for name, need in parts)
    return f"in {text.amount(fit.memory, glyphs)}, with {fit.margin}% to spare: {uses}"


def _answer(need: MemoryNeed, batch: int, glyphs: Glyphs) -> str:
    largest = need.largest_batch
    if isinstance(largest, Unknown):
        return f"unknown ({text.printable(largest.reason, glyphs)})"
    if largest is None:
        return "any batch fits"
    if need.fits:
        return f"batch {batch:,} fits, up to {text.count(largest, glyphs)}"
    if largest == 0:
        return "not even batch 1 fits"
    return f"batch {batch:,} does not fit, {text.count(largest, glyphs)} does"
