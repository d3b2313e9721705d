"""The results of `verify`: the outcome in one line, then what differs, could not run, or was skipped."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from archcalc.render.cells import cell_len
from archcalc.render.layout import folded_name
from archcalc.render.screen import lines_left_to_right
from archcalc.render.text import ASCII, UNICODE, Glyphs, printable
from archcalc.report.verification import AGREES, CANNOT_RUN, DIFFERS, VERDICTS, Check, Verification

WHOLE = "whole network"
MAX_VALUE = 48
MAX_NAME = 24  # cells of a line of a layer's name
MAX_REASONS = 20


class Signs(NamedTuple):
    """How each verdict is marked."""

    agrees: str
    differs: str
    cannot_run: str

    def of(self, verdict: str) -> str:
        return self[VERDICTS.index(verdict)]


MARKS, ASCII_MARKS = Signs("✓", "✗", "–"), Signs("ok", "NO", "-")
STYLES = {AGREES: "green", DIFFERS: "bold red", CANNOT_RUN: "dim"}


def table(result: Verification, *, ascii: bool = False, every: bool = False) -> RenderableType:
    """The result for rich; with `every` each check is a line with both figures, else those that differ."""
    return Group(*_parts(result, ASCII if ascii else UNICODE, ASCII_MARKS if ascii else MARKS, every))


def terminal_text(
    result: Verification, *, width: int, ascii: bool = False, color: bool = False, every: bool = False
) -> str:
    """The same as one string, with colour codes on request."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=color, no_color=not color, highlight=False, legacy_windows=False
    )
    console.print(table(result, ascii=ascii, every=every))
    return lines_left_to_right("\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n")


def csv_text(result: Verification) -> str:
    """One line a check."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = ["what", "layer", "symbols", "predicted", "measured", "verdict", "reason"]
    writer.writerow(columns)
    for check in result.checks:
        row = check.to_dict()
        row["symbols"] = _assignment(check.symbols)
        writer.writerow(["" if row[c] is None else row[c] for c in columns])
    return out.getvalue()


# -- parts -------------------------------------------------------------------------------------
def _parts(result: Verification, glyphs: Glyphs, marks: Signs, every: bool) -> Iterator[RenderableType]:
    yield _outcome(result, glyphs)
    kinds = Counter(_kind(check) for check in result.checks)
    yield Text(f"compared: {', '.join(f'{what} ({n:,})' for what, n in kinds.items())}", style="dim")
    if any(result.samples):
        tried = "; ".join(_assignment(s) for s in result.samples)
        yield Text(f"with {tried}", style="dim")
    for checks in (result.differences, result.checks if every else ()):
        if checks:
            yield Text("")
            yield _every(checks, glyphs, marks)
    yield from _reasons(result, glyphs)
    for text in result.skipped:
        yield Text(f"skipped: {text}", style="yellow")


def _outcome(result: Verification, glyphs: Glyphs) -> Text:
    """Whether the figures are Keras's, in one line."""
    counts = result.counts()
    differs, agrees, left_out = counts[DIFFERS], counts[AGREES], counts[CANNOT_RUN]
    if differs:
        text = f"{differs:,} of {differs + agrees:,} figures differ{'s' * (differs == 1)} from Keras"
    elif agrees:
        text = f"all {agrees:,} figures agree with Keras"
    else:
        text = "no figure could be compared with Keras"
    if left_out:
        text += f"; {left_out:,} check{'s' * (left_out > 1)} cannot run here"
    style = STYLES[DIFFERS if differs else AGREES if agrees else CANNOT_RUN]
    return Text(f"{printable(result.name, glyphs)}: {text}", style=style)


def _every(checks: Sequence[Check], glyphs: Glyphs, marks: Signs) -> Table:
    """A row per check with both figures."""
    symbols = len({_assignment(c.symbols) for c in checks}) > 1
    titles = ["", "what", "layer", *(["with"] if symbols else []), "predicted", "measured"]
    names = [_name(check, glyphs) for check in checks]
    longest = max(cell_len(line) for name in names for line in name.split("\n"))
    grid = _frame(titles, left=len(titles), wide={"layer": longest})
    for check, name in zip(checks, names, strict=True):
        grid.add_row(
            Text(marks.of(check.verdict), style=STYLES[check.verdict]),
            check.what,
            name,
            *([_assignment(check.symbols)] if symbols else []),
            _value(check.predicted, glyphs),
            _value(check.measured, glyphs) if check.measured is not None else printable(check.reason, glyphs),
        )
        if check.verdict == DIFFERS and check.reason:
            grid.add_row("", "", Text(printable(check.reason, glyphs), style="dim"))
    return grid


def _name(check: Check, glyphs: Glyphs) -> str:
    """The layer's name in lines, or what stands for it."""
    return WHOLE if check.layer is None else "\n".join(folded_name(printable(check.layer, glyphs), MAX_NAME))


def _reasons(result: Verification, glyphs: Glyphs) -> Iterator[Text]:
    """Why checks could not run: each reason once, with how many checks it stopped."""
    counted = Counter((c.what, c.reason) for c in result.checks if c.verdict == CANNOT_RUN)
    if counted:
        yield Text("")
        yield Text("cannot run here", style="bold")
    for (what, reason), times in counted.most_common(MAX_REASONS):
        yield Text(f"  {what}{f' ({times} layers)' if times > 1 else ''}: {printable(reason, glyphs)}")
    if len(counted) > MAX_REASONS:
        yield Text(f"  and {len(counted) - MAX_REASONS} more reasons (--format json has them all)")


# -- details -----------------------------------------------------------------------------------
def _frame(titles: Iterable[str], left: int, wide: Mapping[str, int]) -> Table:
    columns = [
        Column(title, justify="left" if i < left else "center", overflow="fold", min_width=wide.get(title))
        for i, title in enumerate(titles)
    ]
    return Table(*columns, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))


def _kind(check: Check) -> str:
    """What a check compares, without where or how."""
    return check.what.split(",")[0].split(" in ")[0]


def _assignment(symbols: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in symbols.items())


def _value(value: Any, glyphs: Glyphs) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    text = printable(text.replace("×", glyphs.times), glyphs)
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 3]}..."
