"""Compares parameters with the text that `model.summary()` prints."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from archcalc.report.verification import Check, compare
from archcalc.verification.case import Case

_TOTAL = re.compile(r"^\s*(Total|Trainable|Non-trainable) params:\s*([\d,]+)")
_COUNT = re.compile(r"^[\d,]+$")
_FRAME = re.compile(r"[│┃|]")


def checks(case: Case) -> Iterator[Check]:
    """The count of every layer and the three totals; a layer that is called again is listed once."""
    printed = printed_summary(case.built.whole)
    for i, row in enumerate(case.report.rows):
        layer = case.built.layers[i]
        if row.shared_with is None and layer is not None and layer.name is not None:
            yield compare("summary", row.name, row.parameters, printed.layers.get(layer.name))
    totals = case.report.totals
    for word, figure in (
        ("total", totals.parameters),
        ("trainable", totals.trainable_parameters),
        ("non-trainable", totals.non_trainable_parameters),
    ):
        yield compare(f"summary, {word}", None, figure, printed.totals.get(word))


@dataclass
class Summary:
    """Parameters as printed: by layer name, and in the three lines of totals."""

    layers: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)


def printed_summary(model: Any) -> Summary:
    """The counts in the summary of a model of Keras 3 or `tf_keras`, read from its text."""
    # the column of names takes 0.3 of the width and cuts longer names
    width = 4 * (max((len(layer.name) for layer in model.layers), default=0) + 40)
    lines: list[str] = []

    def collect(text: str = "", **_: Any) -> None:
        lines.append(text)

    with _columns(width):
        model.summary(line_length=width, print_fn=collect)
    return read_summary("\n".join(lines))


@contextmanager
def _columns(width: int) -> Iterator[None]:
    """Sets COLUMNS: Keras prints through rich, which cuts lines at the width in the environment."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(width)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def read_summary(text: str) -> Summary:
    """The numbers of a summary: framed columns in Keras 3, aligned ones in Keras 2."""
    summary = Summary()
    for line in text.splitlines():
        total = _TOTAL.match(line)
        if total:
            summary.totals[total[1].lower()] = _number(total[2])
            continue
        cells = [cell.strip() for cell in _FRAME.split(line)[1:-1]] or re.split(r"\s{2,}", line.strip())
        if len(cells) >= 3:
            name = re.match(r"(.+?)\s+\([A-Za-z_0-9.>]+\)", cells[0])
            counts = [cell for cell in cells[2:] if _COUNT.match(cell)]
            if name and counts:
                summary.layers[name[1]] = _number(counts[0])
    return summary


def _number(text: str) -> int:
    return int(text.replace(",", ""))
