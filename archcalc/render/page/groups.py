"""The layers of a network as a tree of groups, so that a picture of it can be read at once.

Groups are runs of layers in their order: blocks by their names (where these do not help, what lies
between layers that everything passes through), then neighbours that repeat each other, then, where
still too many stand side by side, runs of equal length. Since each is a run, no group both
precedes and follows another one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from archcalc.graph import Graph
from archcalc.graph.blocks import block_of, separator
from archcalc.report.report import Report

MOST = 40  # parts of one group that are shown side by side
LONGEST_PERIOD = 24  # parts of a pattern that repeats
FEWEST = 2  # parts of a group


@dataclass
class Group:
    """A run of layers, `first` to `last`; `times`: so many equal parts."""

    name: str
    first: int
    last: int
    times: int = 1
    parts: list[Part] = field(default_factory=list)

    def to_data(self) -> list[object]:
        return [self.name, self.times, [p if isinstance(p, int) else p.to_data() for p in self.parts]]


Part: TypeAlias = "int | Group"


def groups(report: Report) -> list[Part]:
    """The top level of the tree: numbers of rows, and groups of them."""
    names = [row.name for row in report.rows]
    labels = _labels(report)
    parts = _arranged(_named(list(range(len(names))), names, separator(names), 1), labels, names)
    if len(parts) > MOST:
        parts = _arranged(_between_cuts(report._of.graph, names), labels, names)
    return _chunked(parts, names)


def _named(rows: Sequence[int], names: Sequence[str], ends: str, depth: int) -> list[Part]:
    """Neighbours whose names begin alike as groups, and groups within these."""
    parts: list[Part] = []
    run: list[int] = []
    for i in [*rows, -1]:
        block = block_of(names[i], depth, ends) if i >= 0 else ""
        if run and block != block_of(names[run[0]], depth, ends):
            parts += _block(run, names, ends, depth)
            run = []
        if i < 0:
            break
        if block:
            run.append(i)
        else:
            parts.append(i)
    return parts


def _block(run: Sequence[int], names: Sequence[str], ends: str, depth: int) -> list[Part]:
    inner = _named(run, names, ends, depth + 1)
    if len(run) < FEWEST:
        return list(run)
    # a group in which everything is one group is that group
    if len(inner) == 1 and isinstance(inner[0], Group):
        return inner
    return [Group(block_of(names[run[0]], depth, ends), run[0], run[-1], 1, inner)]


def _between_cuts(graph: Graph, names: Sequence[str]) -> list[Part]:
    """Branches from where they part to where they meet as groups, what all passes through as layers."""
    last_reader = [max(readers, default=i) for i, readers in enumerate(graph.consumers())]
    parts: list[Part] = []
    run: list[Part] = []
    reached = 0  # the last layer that reads one before this
    for i in range(len(names)):
        run.append(i)
        if reached <= i:
            parts += run if len(run) < 3 else [_group_of(run, names)]
            run = []
        reached = max(reached, last_reader[i])
    return [*parts, *run]


def _arranged(parts: list[Part], labels: Sequence[Hashable], names: Sequence[str]) -> list[Part]:
    for part in parts:
        if isinstance(part, Group):
            part.parts = _chunked(_arranged(part.parts, labels, names), names)
    return _repeated(parts, labels, names)


# -- repetition ----------------------------------------------------------------------------------
def _labels(report: Report) -> list[Hashable]:
    """What equal layers have in common; inputs by their distance, so that equal blocks are wired alike."""
    graph: Graph = report._of.graph
    return [
        (row.type, row.output_shapes, row.parameters, row.macs, tuple(i - t.node for t in node.inputs))
        if all(type(n) is int for n in row.output_shape)
        else (row.type, str(row.output_shapes), tuple(i - t.node for t in node.inputs))
        for i, (row, node) in enumerate(zip(report.rows, graph.nodes, strict=True))
    ]


def _repeated(parts: list[Part], labels: Sequence[Hashable], names: Sequence[str]) -> list[Part]:
    """Patterns that stand several times in a row as one group each."""
    signs = [_sign(part, labels) for part in parts]
    found: list[Part] = []
    i = 0
    while i < len(parts):
        period, times = _pattern(signs, i)
        if times < 2 or (period * times == len(parts) and times == 2 and period == 1):
            found.append(parts[i])
            i += 1
            continue
        copies = [parts[i + k * period : i + (k + 1) * period] for k in range(times)]
        inner = _chunked([_group_of(c, names) for c in copies], names)
        found.append(Group(_span(inner, names), _first(copies[0][0]), _last(copies[-1][-1]), times, inner))
        i += period * times
    return found


def _pattern(signs: Sequence[Hashable], start: int) -> tuple[int, int]:
    """The pattern from here on that covers most: its length, and how often it stands in a row."""
    best = (1, 1)
    for period in range(1, min(LONGEST_PERIOD, (len(signs) - start) // 2) + 1):
        times = 1
        while all(
            start + (times + 1) * period <= len(signs)
            and signs[start + k] == signs[start + times * period + k]
            for k in range(period)
        ):
            times += 1
        covers = times * period if times > 1 else 0
        if covers >= 3 and covers > (best[0] * best[1] if best[1] > 1 else 0):
            best = (period, times)
    return best


def _sign(part: Part, labels: Sequence[Hashable]) -> Hashable:
    return labels[part] if isinstance(part, int) else tuple(labels[part.first : part.last + 1])


# -- too many ------------------------------------------------------------------------------------
def _chunked(parts: list[Part], names: Sequence[str]) -> list[Part]:
    """Runs of equal length as groups, where more than `MOST` parts stand side by side."""
    while len(parts) > MOST:
        length = max(2, min(MOST, -(-len(parts) // MOST)))
        length = max(length, 8)
        parts = [_group_of(parts[i : i + length], names) for i in range(0, len(parts), length)]
    return parts


def _group_of(parts: Sequence[Part], names: Sequence[str]) -> Part:
    if len(parts) == 1:
        return parts[0]
    return Group(_span(parts, names), _first(parts[0]), _last(parts[-1]), 1, list(parts))


def _span(parts: Sequence[Part], names: Sequence[str]) -> str:
    return f"{_name(parts[0], names)} … {_name(parts[-1], names)}"


def _name(part: Part, names: Sequence[str]) -> str:
    return names[part] if isinstance(part, int) else part.name.split(" … ")[0]


def _first(part: Part) -> int:
    return part if isinstance(part, int) else part.first


def _last(part: Part) -> int:
    return part if isinstance(part, int) else part.last
