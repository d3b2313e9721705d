"""The result of a sweep as text: how many configurations, the range of each figure, and the front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from archcalc.design.sweep_result import Sweep, shown, unit
from archcalc.graph.quantities import BYTES
from archcalc.render.cells import cell_len, padded
from archcalc.render.screen import lines_left_to_right
from archcalc.render.text import ASCII, UNICODE, Glyphs, amount, printable

TOP = 10


def text(sweep: Sweep, width: int, *, ascii: bool = False, top: int = TOP) -> str:
    """The result for a terminal; of a longer front `top` members, evenly chosen, its ends among them."""
    glyphs = ASCII if ascii else UNICODE
    lines = [*_space(sweep, glyphs), ""]
    if sweep.selected:
        rows = [
            [name, figure(name, ends.least), figure(name, ends.largest)]
            for name, ends in sweep.figures.items()
            if ends is not None
        ]
        lines += _table(["", "least", "largest"], rows, width, glyphs)
    lines += [f"{name}: unknown in some configurations: {why}" for name, why in sweep.unknown.items()]
    if sweep.objectives and sweep.front:
        lines += ["", *_front(sweep, width, top, glyphs)]
    if sweep.output is not None:
        lines += ["", f"{sweep.selected:,} rows in {printable(sweep.output, glyphs)}"]
    whole = "\n".join(line.rstrip() for line in lines).lstrip("\n") + "\n"
    return whole.encode("ascii", "backslashreplace").decode() if ascii else lines_left_to_right(whole)


def _space(sweep: Sweep, glyphs: Glyphs) -> Iterator[str]:
    axes = ", ".join(f"{name} = {shown(values)}" for name, values in sweep.axes.items())
    lets = "".join(f", {name} = {expression}" for name, expression in sweep.let.items())
    yield f"{', '.join(printable(s, glyphs) for s in sweep.sources)}: {axes}{lets}"
    yield f"{sweep.configurations:,} configuration{'s' * (sweep.configurations != 1)}"
    if sweep.structural:
        yield f"  a network for each value of {', '.join(sweep.structural)}"
    if sweep.invalid:
        yield f"  {sweep.invalid:,} left out: no such network (layers do not fit, or a size is no integer)"
    if sweep.where:
        yield f"  {sweep.unmatched:,} left out: not {sweep.where}"
    if sweep.invalid or sweep.where:
        yield f"  {sweep.selected:,} selected"


def _front(sweep: Sweep, width: int, top: int, glyphs: Glyphs) -> Iterator[str]:
    wanted = [f"{'largest' if up else 'least'} {name}" for name, up in sweep.objectives.items()]
    if len(wanted) == 1:
        yield f"{wanted[0][0].upper()}{wanted[0][1:]}:"
    else:
        yield f"Pareto front of {', '.join(wanted)}: {len(sweep.front):,} configurations"
    members = [sweep.front[i] for i in _evenly(len(sweep.front), top)]
    columns = list(members[0])
    if all(row["ties"] == 1 for row in sweep.front):
        columns.remove("ties")
    rows = [[figure(name, row[name]) for name in columns] for row in members]
    yield from _table(columns, rows, width, glyphs)
    if len(members) < len(sweep.front):
        yield f"  {len(members)} of {len(sweep.front):,} shown (--top N shows more, --format json all)"
    if "ties" in columns:
        yield "  ties: configurations with the same objectives, of which the first is shown"


def _evenly(count: int, most: int) -> list[int]:
    """Places of `most` members, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [0] if most == 1 else [i * (count - 1) // (most - 1) for i in range(most)]


def figure(name: str, value: Any) -> str:
    """A figure of a configuration as text, bytes in their unit."""
    if not isinstance(value, int):
        return str(value)
    known = name.partition("@")[0]
    if known.endswith("_bytes") and unit(name) == BYTES:
        return amount(value)
    return f"{value:,}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, glyphs: Glyphs) -> Iterator[str]:
    """Columns aligned to the right; where they do not fit, one block of lines for each row."""
    heads, *rows = ([printable(cell, glyphs) for cell in row] for row in (heads, *rows))
    widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    if sum(widths) + 2 * len(widths) <= width:
        left = heads[0] == ""
        for cells in (heads, *rows):
            columns = enumerate(zip(cells, widths, strict=True))
            yield "  " + "  ".join(padded(c, w, right=not left or k > 0) for k, (c, w) in columns)
        return
    label = max(map(cell_len, heads))
    for cells in rows:
        for head, cell in zip(heads, cells, strict=True):
            yield f"  {padded(head, label)}  {cell}"
        yield ""
