"""What the recomputation of blocks saves and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arith import Size
from archcalc.arith.unknown import Unknown
from archcalc.report.values import to_json_value

if TYPE_CHECKING:
    from archcalc.report.columns import Figures
    from archcalc.report.totals import Totals


class Checkpoint(NamedTuple):
    """The blocks that are recomputed, and what a training step gains and pays.

    `bytes_saved` of its peak with the whole batch (below zero where it needs more than without), and
    `macs` of one sample that are computed twice.
    """

    blocks: tuple[str, ...]
    bytes_saved: Size
    macs: Size

    def to_dict(self) -> dict[str, Any]:
        return {
            "blocks": list(self.blocks),
            "bytes_saved": to_json_value(self.bytes_saved),
            "recomputed_macs": to_json_value(self.macs),
        }


def checkpoint(totals: Totals, of: Figures) -> Checkpoint:
    """Of the blocks in `--checkpoint`."""
    step = totals.training_bytes
    without = step if isinstance(step, Unknown) else of.training_without_recomputation.at(of.options.batch)
    saved = step if isinstance(step, Unknown) else without - step
    return Checkpoint(tuple(block.name for block in of.blocks), saved, of.recomputed_macs)
