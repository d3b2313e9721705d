"""Whether a network fits into memory: the largest batch for a given amount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arith import Size
from archcalc.arith.unknown import Unknown

if TYPE_CHECKING:
    from archcalc.report.totals import Totals


class MemoryNeed(NamedTuple):
    """The bytes needed at the report's batch, and the largest batch that fits (0: not even one sample).

    `largest_batch` is None where a larger batch needs no more memory, and unknown where that
    depends on a symbol or on an unknown layer.
    """

    bytes: Size
    largest_batch: Size | None

    def to_dict(self, memory: int) -> dict[str, Any]:
        known = isinstance(self.bytes, int)
        batch = self.largest_batch
        return {
            "bytes": self.bytes if known else None if isinstance(self.bytes, Unknown) else str(self.bytes),
            "fits": self.bytes <= memory if isinstance(self.bytes, int) else None,
            "largest_batch": batch if isinstance(batch, int) else None,
        }


class Fit(NamedTuple):
    """Whether training and inference fit into `memory` bytes."""

    memory: int
    training: MemoryNeed
    inference: MemoryNeed

    def to_dict(self) -> dict[str, Any]:
        return {
            "memory_bytes": self.memory,
            "training": self.training.to_dict(self.memory),
            "inference": self.inference.to_dict(self.memory),
        }


def fit(totals: Totals, memory: int, batch: int) -> Fit:
    """The largest batches; only activations grow with the batch."""
    held, peak = totals.training_activation_bytes, totals.peak_activation_bytes
    return Fit(
        memory,
        MemoryNeed(totals.training_bytes, _largest(memory, totals.training_bytes - held, held, batch)),
        MemoryNeed(totals.weight_bytes + peak, _largest(memory, totals.weight_bytes, peak, batch)),
    )


def _largest(memory: int, fixed: Size, grows: Size, batch: int) -> Size | None:
    for figure in (fixed, grows):
        if isinstance(figure, Unknown):
            return figure
    if not (isinstance(fixed, int) and isinstance(grows, int)):
        return Unknown("depends on symbols; give them values with --set")
    if fixed > memory:
        return 0
    sample = grows // batch  # exact: every activation exists once per sample
    return (memory - fixed) // sample if sample else None
