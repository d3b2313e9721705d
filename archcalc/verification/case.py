"""What every check gets: the network, its report, and the real model."""

from __future__ import annotations

from dataclasses import dataclass

from archcalc.graph import Graph
from archcalc.keras.build import Built
from archcalc.report.report import Report
from archcalc.report.verification import Progress


@dataclass(frozen=True)
class Case:
    """A network without open symbols, its report, and its real model.

    `chosen` are the nodes whose gradients are measured, from `positions` positions of their outputs.
    """

    graph: Graph
    report: Report
    built: Built
    chosen: tuple[int, ...]
    positions: int
    seed: int
    progress: Progress
    starts: int = 0  # initialisations over which gradients are measured
