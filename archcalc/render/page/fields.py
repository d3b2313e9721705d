"""What each position of each layer sees of each input, as data from which a page draws exact boxes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from archcalc.analyses.fields.index_maps import Dependence, Endpoint, IndexMap
from archcalc.analyses.fields.intervals import IntervalAlgebra
from archcalc.analyses.fields.positions import Ends, Positions, Units, positions
from archcalc.analyses.fields.propagate import Propagation
from archcalc.analyses.fields.sliding import Dependences, Sliding, dependences
from archcalc.arith.unknown import Unknown
from archcalc.render.page.figures import exact_value
from archcalc.report.columns import Figures

MAX_RUNS = 400  # of one axis; what needs more is not drawn
FLATTENED = "positions of a flattened axis are not tracked"
NOT_CLIPPED = "which pixels exist there is not known for every position"


def views(of: Figures) -> tuple[list[Any], list[list[int]]]:
    """The distinct views, and for each row the number of its view of each input (-1: it sees nothing).

    A view has an entry per axis of the input: `maps`, the box's ends as quasi-affine functions of the
    position (docs/receptive-field.md), and `clip`, the ends of what really exists as runs
    `[length, start, step]`; where there is none, a text says why.
    """
    graph, shapes, reads = of.graph, of.output_shapes, of._windows
    pool: dict[str, int] = {}
    rows: list[list[int]] = []
    cache: dict[tuple[int, ...], int] = {}
    kept: list[Any] = []  # so that no identity is used twice
    maps = Propagation(graph, shapes, reads, reads.axes, IntervalAlgebra(reads.common_taps))
    for (_, boxes), (_, clipped) in zip(maps, positions(graph, shapes, reads), strict=True):
        numbers = []
        for root in graph.inputs:
            seen, ends = boxes.get(root), clipped.get(root)
            if seen is None or ends is None or not seen:
                numbers.append(-1)
                continue
            key = (id(seen), *map(id, ends))
            if key not in cache:
                kept += [seen, ends]
                data = json.dumps(_view(seen, ends), separators=(",", ":"))
                cache[key] = pool.setdefault(data, len(pool))
            numbers.append(cache[key])
        rows.append(numbers)
    return [json.loads(view) for view in pool], rows


def _view(seen: Sliding | Dependences, ends: Positions) -> list[Any]:
    return [
        {"maps": _maps(dependence), "clip": _clip(clipped)}
        for dependence, clipped in zip(dependences(seen), ends, strict=True)
    ]


def _maps(seen: Dependence) -> Any:
    if isinstance(seen, Unknown):
        return seen.reason
    if not all(isinstance(part, IndexMap) for part in seen):
        return FLATTENED
    return [
        [
            part.axis,
            int(part.whole),
            _end(part.lo),
            _end(part.hi),
            [list(map(exact_value, d)) for d in part.domains],
        ]
        for part in seen
        if isinstance(part, IndexMap)
    ]


def _end(endpoint: Endpoint) -> list[Any]:
    return [exact_value(endpoint.step), *map(exact_value, endpoint.values)]


def _clip(ends: Ends | None) -> Any:
    if ends is None:
        return NOT_CLIPPED
    first, last = _runs(ends.first), _runs(ends.last)
    if first is None or last is None:
        return "they change too irregularly from position to position"
    return [ends.axis, first, last]


def _runs(units: Units) -> list[Sequence[int]] | None:
    """An array as runs of numbers in even steps."""
    values = [v if v < 2**60 else -2 for v in units.tolist()]  # -2: nothing
    runs: list[list[int]] = []
    i = 0
    while i < len(values):
        step = values[i + 1] - values[i] if i + 1 < len(values) else 0
        end = i + 1
        while end < len(values) and values[end] - values[end - 1] == step:
            end += 1
        runs.append([end - i, values[i], step])
        i = end
        if len(runs) > MAX_RUNS:
            return None
    return list(runs)
