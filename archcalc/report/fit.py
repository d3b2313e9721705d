"""Whether a network fits into memory: the largest batch for a given amount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arith import Size
from archcalc.arith.unknown import Unknown

if TYPE_CHECKING:
    from archcalc.analyses.memory.peak import Course
    from archcalc.report.columns import Figures
    from archcalc.report.totals import Totals


# what a step may hold beyond what is counted, in percent: measured networks stay within it (docs/memory.md)
MARGIN = 20


class MemoryNeed(NamedTuple):
    """The bytes needed at the report's batch, and the largest batch that fits (0: not even one sample).

    `largest_batch` is None where a larger batch needs no more memory, and unknown where that
    depends on a symbol or on an unknown layer.
    """

    bytes: Size
    largest_batch: Size | None

    def fits(self, memory: int) -> bool | None:
        """Whether it fits into these bytes, with the margin; None if the bytes are not known."""
        return self.bytes <= usable(memory) if isinstance(self.bytes, int) else None

    def to_dict(self, memory: int) -> dict[str, Any]:
        known = isinstance(self.bytes, int)
        batch = self.largest_batch
        return {
            "bytes": self.bytes if known else None if isinstance(self.bytes, Unknown) else str(self.bytes),
            "fits": self.fits(memory),
            "largest_batch": batch if isinstance(batch, int) else None,
        }


class Fit(NamedTuple):
    """Whether training and inference fit into `memory` bytes, with a margin of `MARGIN` percent."""

    memory: int
    training: MemoryNeed
    inference: MemoryNeed

    def to_dict(self) -> dict[str, Any]:
        return {
            "memory_bytes": self.memory,
            "margin_percent": MARGIN,
            "training": self.training.to_dict(self.memory),
            "inference": self.inference.to_dict(self.memory),
        }


def usable(memory: int) -> int:
    """The bytes of an amount of memory that counted ones may take."""
    return memory * 100 // (100 + MARGIN)


def fit(totals: Totals, of: Figures, memory: int) -> Fit:
    """The largest batches."""
    kept, weights = totals.training_activation_bytes, totals.weight_bytes
    known = None if isinstance(kept, Unknown) else of.training
    return Fit(
        memory,
        MemoryNeed(totals.training_bytes, _largest(totals.training_bytes, known, memory)),
        MemoryNeed(
            weights + totals.peak_activation_bytes,
            _largest(weights + totals.peak_activation_bytes, of.peaks.course, memory, weights),
        ),
    )


def _largest(needed: Size, course: Course | None, memory: int, fixed: Size = 0) -> Size | None:
    if isinstance(needed, Unknown) or course is None:
        return needed
    if not isinstance(needed, int) or not isinstance(fixed, int):
        return Unknown("depends on symbols; give them values with --set")
    return course.largest_batch(usable(memory) - fixed)
