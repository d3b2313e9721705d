"""The table on a terminal, and the same table as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.render import summary
from archcalc.render.cells import cell_len
from archcalc.render.columns import FIELD, LAYER, MACS, PARAMETERS, TYPE
from archcalc.render.grouping import arranged
from archcalc.render.layout import GAP, MARGIN, Laid, folded_name, lay_out
from archcalc.render.screen import MARK, left_to_right
from archcalc.render.text import ASCII, UNICODE, UNKNOWN, printable
from archcalc.report.options import TableOptions
from archcalc.report.report import Report
from archcalc.report.rows import Row

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.measure import Measurement

LABEL = 13
PARAGRAPH = 110  # prose wider than this tires the eye


class Styles(NamedTuple):
    """What is highlighted, and how, as rich writes styles: few colours, from the terminal's own sixteen."""

    title: str = "bold"
    faint: str = "dim"
    group: str = "bold"
    heaviest: str = "bold cyan"
    whole: str = "magenta"
    unknown: str = "yellow"
    total: str = "bold"
    problem: str = "bold red"
    default: str = ""


STYLES = Styles()


class Segment(NamedTuple):
    """A piece of text with its style."""

    text: str
    style: str = STYLES.default


NEW_LINE = Segment("\n")


class ReportView:
    """A report for rich, as wide as its console."""

    def __init__(self, report: Report, *, ascii: bool = False, **options: Any) -> None:
        self.report = report
        self.table = TableOptions(**options)
        self.rows = arranged(report, self.table)
        self.glyphs = ASCII if ascii else UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment as RichSegment
        from rich.style import Style

        for text, style in self.segments(options.max_width):
            yield RichSegment(text, Style.parse(style))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        return Measurement(min(60, options.max_width), options.max_width)

    def segments(self, width: int) -> Iterator[Segment]:
        """Every piece of text with its style, for a line of `width` cells."""
        report, glyphs = self.report, self.glyphs
        yield from self._title(width)
        yield from _paragraph(summary.headline(report, glyphs), width, STYLES.default)
        yield NEW_LINE
        convention = report.conventions["flops"]
        laid = lay_out(self.rows, report.totals, width, glyphs, convention, self.table.columns)
        yield from self._table(laid)
        yield NEW_LINE
        for section in (
            summary.facts(report, glyphs),
            summary.formulas(report, glyphs),
            summary.premises(report),
        ):
            before = ""
            for fact in section:
                label = fact.label if fact.label != before else ""  # the next point of a list
                before = fact.label
                yield from _labelled(label, STYLES.faint, fact.text, width)
            if section:
                yield NEW_LINE
        for finding in report.findings:
            where = f"{printable(finding.layer, glyphs)}: " if finding.layer is not None else ""
            style = STYLES.problem if finding.severity == "error" else STYLES.unknown
            text = f"{where}{printable(finding.message, glyphs)}; {finding.suggestion} [{finding.rule}]"
            yield from _labelled(finding.severity, style, text, width)
        if report.findings:
            yield NEW_LINE
        shown = {x.column.key: x.texts for x in laid}
        for remark in summary.remarks(report, shown, glyphs):
            yield from _labelled(remark.label, STYLES.faint, remark.text, width, STYLES.faint)

    def _title(self, width: int) -> Iterator[Segment]:
        """The network's name and where it comes from: on one line where both fit."""
        name = printable(self.report.name, self.glyphs)
        source = " ".join(part for part in (self.report.format, self.report.source) if part)
        source = printable(source, self.glyphs)
        if MARGIN + cell_len(name + self.glyphs.dot + source) <= width:
            yield from _line((name, STYLES.title), (self.glyphs.dot + source, STYLES.faint))
        else:
            yield from _paragraph(name, width, STYLES.title)
            yield from _paragraph(source, width, STYLES.faint)

    def _table(self, laid: Sequence[Laid]) -> Iterator[Segment]:
        span = sum(x.width for x in laid) + GAP * (len(laid) - 1)
        rule = [(self.glyphs.rule * span, STYLES.faint)]
        yield from _lines(laid, [[x.column.heading(self.glyphs)] for x in laid], [STYLES.title] * len(laid))
        yield from _line(*rule)
        for number, row in enumerate(self.rows):
            yield from _lines(laid, [x.cell(number) for x in laid], [_style(x, number, row) for x in laid])
        yield from _line(*rule)
        if not any(x.total for x in laid):
            return
        totals = [["Total"] if x.column is LAYER else x.folded(x.total or "") for x in laid]
        yield from _lines(laid, totals, [STYLES.total] * len(laid))


def terminal_text(
    report: Report, *, width: int, ascii: bool = False, color: bool = False, **options: Any
) -> str:
    """The view as one string, with colour codes on request; `options` are those of `TableOptions`."""
    segments = ReportView(report, ascii=ascii, **options).segments(width)
    if not color:
        return "".join(text for text, _ in segments)
    from rich.color import ColorSystem
    from rich.style import Style

    return "".join(
        Style.parse(style).render(text, color_system=ColorSystem.STANDARD) if style else text
        for text, style in segments
    )


def _style(x: Laid, number: int, row: Row) -> str:
    text = x.texts[number]
    if text == UNKNOWN:
        return STYLES.unknown
    if x.column is LAYER:
        return STYLES.group if row.members > 1 else STYLES.default
    if x.column is TYPE or number in x.zeros or text == "shared":
        return STYLES.faint
    if x.column is FIELD and text.startswith("whole"):
        return STYLES.whole
    if x.column in (PARAMETERS, MACS) and x.heaviest == number:
        return STYLES.heaviest
    return STYLES.default


def _lines(laid: Sequence[Laid], cells: Sequence[list[str]], styles: Sequence[str]) -> Iterator[Segment]:
    """One row of the table: as many lines as its tallest cell."""
    for height in range(max(map(len, cells))):
        pieces: list[tuple[str, str]] = []
        blank = 0
        for x, cell, style in zip(laid, cells, styles, strict=True):
            text = cell[height] if height < len(cell) else ""
            space = x.width - cell_len(text)
            before = space if x.column.numeric else 0
            if text:
                pieces.append((" " * (blank + before) + text, style))
                blank = space - before + GAP
            else:
                blank += x.width + GAP
        yield from _line(*pieces)


def _line(*pieces: tuple[str, str]) -> Iterator[Segment]:
    settled = [(left_to_right(text), style) for text, style in pieces]
    marked = any(MARK in text for text, _ in settled)
    yield Segment(" " * MARGIN + (MARK if marked else ""))
    for text, style in settled:
        yield Segment(text, style)
    yield NEW_LINE


def _labelled(
    label: str, style: str, text: str, width: int, text_style: str = STYLES.default
) -> Iterator[Segment]:
    """A label, and its text folded next to it."""
    indent = max(LABEL, len(label) + 1)
    for number, line in enumerate(_wrapped(text, min(width, PARAGRAPH) - MARGIN - indent)):
        head = label.ljust(indent) if number == 0 else " " * indent
        yield from _line((head, style), (line, text_style))


def _paragraph(text: str, width: int, style: str) -> Iterator[Segment]:
    for line in _wrapped(text, min(width, PARAGRAPH) - MARGIN):
        yield from _line((line, style))


def _wrapped(text: str, width: int) -> list[str]:
    """Lines broken at spaces; only a name longer than a line is folded itself."""
    lines: list[str] = []
    width = max(width, 20)
    for word in text.split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines += folded_name(word, width) if cell_len(word) > width else [word]
    return lines
