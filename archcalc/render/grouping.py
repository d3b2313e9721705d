"""Rows folded into one line a block, for tables of `--depth` levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from archcalc.arith import Size, total
from archcalc.layers.base import Weight
from archcalc.rows import Row


def fold(rows: Sequence[Row], depth: int | None) -> tuple[Row, ...]:
    """Neighbouring rows whose names share their first `depth` parts, as one row each.

    Parts end at `/`, as in `stem/a`. A network without any `/` in its names (most Keras
    models) is grouped by the parts between `_` instead: `block1_conv1` and `block1_pool`
    belong to `block1`. A group shows summed figures and what its last row shows: the shape
    and the field. None folds nothing.
    """
    if depth is None:
        return tuple(rows)
    separator = "/" if any("/" in row.name for row in rows) else "_"
    runs: list[tuple[str, list[Row]]] = []
    for row in rows:
        key = _prefix(row.name, depth, separator)
        if runs and runs[-1][0] == key and key:
            runs[-1][1].append(row)
        else:
            runs.append((key, [row]))
    return tuple(members[0] if len(members) == 1 else _group(key, members) for key, members in runs)


def _prefix(name: str, depth: int, separator: str) -> str:
    """The first `depth` parts of a name; empty where it belongs to no group."""
    parts = name.split(separator)
    if separator == "/":
        return separator.join(parts[:depth]) if len(parts) > depth else ""
    # conv2d_3 is Keras's third Conv2D, not a member of a block named conv2d
    if len(parts) <= depth or (len(parts) == depth + 1 and parts[depth].isdecimal()):
        return ""
    return separator.join(parts[:depth])


def _group(name: str, members: list[Row]) -> Row:
    return Row(_Group(name, members), 0)


class _Group:
    """The columns of a table of one row, which stands for several."""

    def __init__(self, name: str, rows: list[Row]) -> None:
        last = rows[-1]
        self.name = [name]
        self.type = [f"{len(rows)} layers"]
        self.inputs = [_outside(rows)]
        self.output_shapes = [last.output_shapes]
        self.shared_with = [None]
        self.weights: list[tuple[Weight, ...]] = [()]
        self.copies = [1]
        self.members = [len(rows)]
        self._rows = rows

    @property
    def parameters(self) -> list[Size]:
        return self._sum("parameters")

    @property
    def trainable_parameters(self) -> list[Size]:
        return self._sum("trainable_parameters")

    @property
    def macs(self) -> list[Size]:
        return self._sum("macs")

    @property
    def flops(self) -> list[Size]:
        return self._sum("flops")

    @property
    def elementwise_operations(self) -> list[Size]:
        return self._sum("elementwise_operations")

    @property
    def activation_bytes(self) -> list[Size]:
        return self._sum("activation_bytes")

    @property
    def training_activation_bytes(self) -> list[Size]:
        return self._sum("training_activation_bytes")

    @property
    def receptive_fields(self) -> list[Any]:
        return [self._rows[-1].receptive_fields]

    @property
    def effective_fields(self) -> list[Any]:
        return [self._rows[-1].effective_fields]

    @property
    def gradient(self) -> list[Any]:
        return [self._rows[-1].gradient]

    def _sum(self, figure: str) -> list[Size]:
        return [total(getattr(row, figure) for row in self._rows)]


def _outside(members: Iterable[Row]) -> tuple[str, ...]:
    """What a group reads that it does not make."""
    own = {row.name for row in members}
    return tuple(dict.fromkeys(name for row in members for name in row.inputs if name not in own))
