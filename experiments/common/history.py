"""history.csv: one row per epoch of every condition and seed; read from anywhere, Keras's CSVLogger too."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from experiments.common import files
from experiments.common.errors import ExperimentError

Row = dict[str, float]  # one epoch: "epoch" (from 1) and the metrics
Key = tuple[str, int]  # condition, seed
LIMIT = 32 * 2**20  # bytes; a history is small


def write(path: Path, histories: Mapping[Key, list[Row]]) -> None:
    """All epochs so far; columns condition, seed, epoch, then the metrics in the order first seen."""
    columns = list(dict.fromkeys(key for rows in histories.values() for row in rows for key in row))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["condition", "seed", *columns])
    for (condition, seed), rows in histories.items():
        for row in rows:
            table.writerow([condition, seed, *(_cell(row.get(column)) for column in columns)])
    files.write_text(path, text.getvalue())


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def read(path: Path) -> dict[Key, list[Row]]:
    """Epochs by (condition, seed); a file without those columns is one group ("", 0).

    Epochs are numbered from 1, whether the file counts from 0 (as CSVLogger does) or from 1.
    Raises ExperimentError naming the line where the file is no history.
    """
    try:
        if path.stat().st_size > LIMIT:
            raise ExperimentError(f"{path}: more than {LIMIT >> 20} MiB is no history")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return _groups(csv.reader(stream), str(path))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise ExperimentError(f"{path}: cannot be read as csv ({fault})") from None


def _groups(lines: Iterable[list[str]], source: str) -> dict[Key, list[Row]]:
    table = iter(lines)
    header = [name.strip() for name in next(table, [])]
    if not any(name in header for name in ("loss", "accuracy", "acc")):
        raise ExperimentError(f"{source}: no column loss or accuracy in its first line; is it a history?")
    groups: dict[Key, list[Row]] = {}
    for number, cells in enumerate(table, 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise ExperimentError(f"{source}, line {number}: {len(cells)} cells under {len(header)} columns")
        named = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        condition, seed = named.pop("condition", ""), named.pop("seed", "0")
        try:
            row = {_modern(key): float(cell) for key, cell in named.items() if cell}
            groups.setdefault((condition, int(seed)), []).append(row)
        except ValueError:
            raise ExperimentError(f"{source}, line {number}: a cell is not a number") from None
    if not groups:
        raise ExperimentError(f"{source}: no epoch in it")
    for rows in groups.values():
        first = rows[0].get("epoch", 0.0)
        for index, row in enumerate(rows):
            row["epoch"] = row.get("epoch", float(index)) + (1.0 if first == 0 else 0.0)
    return groups


def _modern(name: str) -> str:
    """Old Keras wrote acc for accuracy."""
    return {"acc": "accuracy", "val_acc": "val_accuracy"}.get(name, name)


def finite(rows: list[Row], key: str) -> list[float]:
    """One metric over the epochs that have it as a finite number."""
    return [row[key] for row in rows if key in row and math.isfinite(row[key])]
