"""Whether a network fits into memory: the largest batch for a given amount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analyses.memory.precision import SINGLE
from archcalc.arith import Size
from archcalc.arith.unknown import Unknown

if TYPE_CHECKING:
    from archcalc.analyses.memory.peak import Course
    from archcalc.report.columns import Figures
    from archcalc.report.totals import Totals


# what a step may hold beyond what is counted, in percent: measured networks stay within it (docs/memory.md)
MARGIN, MARGIN_IN_HALF = 20, 25


class MemoryNeed(NamedTuple):
    """The bytes needed at the report's batch, and the largest batch that fits (0: not even one sample).

    `largest_batch` is None where a larger batch needs no more memory, and unknown where that
    depends on a symbol or on an unknown layer. `limit`: the bytes that counted ones may take.
    """

    bytes: Size
    largest_batch: Size | None
    limit: int

    @property
    def fits(self) -> bool | None:
        """Whether it fits, with the margin; None if the bytes are not known."""
        return self.bytes <= self.limit if isinstance(self.bytes, int) else None

    def to_dict(self) -> dict[str, Any]:
        known = isinstance(self.bytes, int)
        batch = self.largest_batch
        return {
            "bytes": self.bytes if known else None if isinstance(self.bytes, Unknown) else str(self.bytes),
            "fits": self.fits,
            "largest_batch": batch if isinstance(batch, int) else None,
        }


class Fit(NamedTuple):
    """Whether training and inference fit into `memory` bytes, with a margin in percent."""

    memory: int
    margin: int
    training: MemoryNeed
    inference: MemoryNeed

    def to_dict(self) -> dict[str, Any]:
        return {
            "memory_bytes": self.memory,
            "margin_percent": self.margin,
            "training": self.training.to_dict(),
            "inference": self.inference.to_dict(),
        }


def fit(totals: Totals, of: Figures, memory: int) -> Fit:
    """The largest batches."""
    kept, weights = totals.training_activation_bytes, totals.weight_bytes
    margin = MARGIN_IN_HALF if of.options.precision.activation < SINGLE else MARGIN
    limit = memory * 100 // (100 + margin)
    known = None if isinstance(kept, Unknown) else of.training
    inference = weights + totals.peak_activation_bytes
    return Fit(
        memory,
        margin,
        MemoryNeed(totals.training_bytes, _largest(totals.training_bytes, known, limit), limit),
        MemoryNeed(inference, _largest(inference, of.peaks.course, limit, weights), limit),
    )


def _largest(needed: Size, course: Course | None, limit: int, fixed: Size = 0) -> Size | None:
    if isinstance(needed, Unknown) or course is None:
        return needed
    if not isinstance(needed, int) or not isinstance(fixed, int):
        return Unknown("depends on symbols; give them values with --set")
    return course.largest_batch(limit - fixed)
