"""The results of `audit`: one table of claims, one of students, one of slips; a feedback sheet."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator
from html import escape
from typing import Any

from archcalc.arith.symbolic import Expr
from archcalc.graph.claims import Claim
from archcalc.render.derivation import markdown as derivation_markdown
from archcalc.render.derivation import text as derivation_text
from archcalc.render.markdown import escaped
from archcalc.render.screen import lines_left_to_right
from archcalc.render.text import ASCII, UNICODE, Glyphs, count, printable
from archcalc.review.audit import RIGHT, WRONG, Audit, Checked, Graded

MARKS = {"right": "✓", "wrong": "✗", "not judged": "–"}
ASCII_MARKS = {"right": "ok", "wrong": "NO", "not judged": "-"}
WHOLE = "the whole network"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")  # how a spreadsheet's formula begins


# -- words -----------------------------------------------------------------------------------------------
def about(checked: Checked, glyphs: Glyphs = UNICODE) -> str:
    """`parameters of conv1, conv2, per filter`."""
    claim = checked.claim
    layers = ", ".join(printable(n, glyphs) for n in claim.layers) or WHOLE
    per = {None: "", "filter": ", per filter", "layer": ", each"}[claim.per]
    return f"{claim.quantity.replace('_', ' ')} of {layers}{per}"


def value(figure: Any, glyphs: Glyphs = UNICODE) -> str:
    if figure is None:
        return ""
    if isinstance(figure, tuple | list):
        return glyphs.times.join(str(n) for n in figure) or "scalar"
    if isinstance(figure, int | Expr):
        return count(figure, glyphs)
    return str(figure)


def stated(claim: Claim, glyphs: Glyphs = UNICODE) -> str:
    """The claim's value; of a rounded one how far it was rounded."""
    rounded = f" rounded to {value(claim.rounded_to, glyphs)}" if claim.rounded_to else ""
    return value(claim.value, glyphs) + rounded


def name_of(graded: Graded) -> str:
    return graded.sheet.student or graded.sheet.source


def score(graded: Graded) -> str:
    """`5 of 8 right`, or why a sheet could not be read."""
    if graded.sheet.fault:
        return f"could not be read: {graded.sheet.fault}"
    text = f"{graded.count(RIGHT)} of {len(graded.checked)} right"
    others = graded.sheet.others
    return f"{text}, {others} about other networks left aside" if others else text


# -- terminal ----------------------------------------------------------------------------------------------
def text(audit: Audit, *, width: int = 120, ascii: bool = False) -> str:
    """Claim by claim; the derivation of every layer that was miscounted; a line for each sheet and slip."""
    glyphs, marks = (ASCII, ASCII_MARKS) if ascii else (UNICODE, MARKS)
    lines = [printable(audit.name, glyphs)]
    for graded in audit.sheets:
        lines += ["", f"{printable(name_of(graded), glyphs)}: {printable(score(graded), glyphs)}"]
        for c in graded.checked:
            lines += _folded(f"  {marks[c.verdict]} {c.number}. {sentence(c, glyphs)}", width)
    derivations = audit.derivations()
    if derivations:
        lines += ["", "how the true figures come about"]
        for d in derivations.values():
            lines += [f"  {line}" for line in derivation_text(d, width=width - 2, ascii=ascii).splitlines()]
    if len(audit.sheets) > 1 or len(audit.by_slip) > 1:
        lines += ["", "slips"] + [f"  {n:>4}  {name}" for name, n in audit.by_slip.items()]
    counts = ", ".join(f"{n} {verdict}" for verdict, n in audit.counts().items() if n)
    lines += ["", f"{printable(audit.name, glyphs)}: {counts or 'no claims'}"]
    whole = "\n".join(lines) + "\n"
    if ascii:
        return whole.replace("×", "x").encode("ascii", "backslashreplace").decode()
    return lines_left_to_right(whole)


def sentence(checked: Checked, glyphs: Glyphs = UNICODE) -> str:
    """`parameters of conv1: 448`, and what is wrong with it."""
    said = f"{about(checked, glyphs)}: {stated(checked.claim, glyphs)}"
    if checked.verdict == RIGHT:
        return said
    if checked.verdict == WRONG:
        said += f", in truth {value(checked.truth, glyphs)}"
    return f"{said} ({checked.explanation})" if checked.explanation else said


def _folded(line: str, width: int) -> list[str]:
    return textwrap.wrap(
        line, max(width, 40), subsequent_indent=" " * 7, break_long_words=False, break_on_hyphens=False
    )


# -- tables ------------------------------------------------------------------------------------------------
COLUMNS = (
    *("student", "source", "claim", "quantity", "layer", "per", "value", "written", "verdict", "truth"),
    *("slips", "follows_from", "explanation"),
)


def csv_text(audit: Audit) -> str:
    """One line a claim, and one for each sheet that could not be read; no cell starts a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in _rows(audit):
        writer.writerow([harmless(cell) for cell in row])
    return out.getvalue()


def _rows(audit: Audit) -> Iterator[list[str]]:
    for graded in audit.sheets:
        sheet = graded.sheet
        if sheet.fault:
            yield [sheet.student, sheet.source, *[""] * 6, "could not be read", *[""] * 3, sheet.fault]
        for c in graded.checked:
            claim = c.claim
            yield [
                sheet.student,
                sheet.source,
                str(c.number),
                claim.quantity,
                "|".join(claim.layers),
                claim.per or "",
                _exact(claim.value),
                claim.written or "",
                c.verdict,
                _exact(c.truth),
                " | ".join(c.slips),
                " ".join(map(str, c.follow_on.claims)) if c.follow_on else "",
                c.explanation if c.verdict != RIGHT else "",
            ]


def _exact(figure: Any) -> str:
    if figure is None:
        return ""
    return "x".join(map(str, figure)) if isinstance(figure, tuple | list) else str(figure)


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe before it says that it is text."""
    plain = cell.lstrip(" \u00a0")
    if plain.startswith(_FORMULA) and not _is_number(plain):
        return f"'{cell}"
    return cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def markdown(audit: Audit) -> str:
    """The feedback sheet: a section for each author, the derivations, a table of all and one of slips."""
    lines = [f"# {escaped(printable(audit.name))}", ""]
    for graded in audit.sheets:
        lines += [
            f"## {escaped(printable(name_of(graded)))}",
            "",
            f"{escaped(printable(score(graded)))}.",
            "",
        ]
        if graded.checked:
            lines += ["| | Claim | Stated | True | Why |", "| --- | --- | ---: | ---: | --- |"]
            lines += [_line(c) for c in graded.checked] + [""]
    derivations = audit.derivations()
    if derivations:
        lines += ["## How the true figures come about", ""]
        lines += [derivation_markdown(d) for d in derivations.values()]
    if len(audit.sheets) > 1:
        lines += ["## Everybody", "", "| Who | Right | Wrong | Not judged |", "| --- | ---: | ---: | ---: |"]
        for g in audit.sheets:
            cells = [str(g.count(v)) for v in MARKS] if not g.sheet.fault else ["", "", "could not be read"]
            lines.append(f"| {escaped(printable(name_of(g)))} | {' | '.join(cells)} |")
        lines.append("")
    if audit.by_slip:
        lines += ["## Slips", "", "| Slip | Claims |", "| --- | ---: |"]
        lines += [f"| {escaped(name)} | {n} |" for name, n in audit.by_slip.items()] + [""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _line(c: Checked) -> str:
    cells = [
        MARKS[c.verdict],
        f"{c.number}. {about(c)}",
        stated(c.claim),
        value(c.truth) if c.verdict == WRONG else "",
        printable(c.explanation) if c.verdict != RIGHT else "",
    ]
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"


def html(audit: Audit) -> str:
    """For a notebook: one table of claims, every text escaped."""
    rows = []
    for graded in audit.sheets:
        rows.append(f"<tr><th colspan=5>{escape(printable(f'{name_of(graded)}: {score(graded)}'))}</th></tr>")
        for c in graded.checked:
            cells = (MARKS[c.verdict], f"{c.number}. {about(c)}", stated(c.claim), value(c.truth))
            told = (*cells, printable(c.explanation) if c.verdict != RIGHT else "")
            rows.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in told)}</tr>")
    head = "".join(f"<th>{t}</th>" for t in ("", "Claim", "Stated", "True", "Why"))
    return f"<div><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
