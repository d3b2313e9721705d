"""A layer's derivation as text, Markdown and HTML."""

from __future__ import annotations

from html import escape

from archcalc.render.markdown import escaped
from archcalc.render.screen import lines_left_to_right
from archcalc.render.text import ASCII, UNICODE, Glyphs, count, folded, formula, printable, shape
from archcalc.report.derivation import Derivation, Step

TITLES = {
    "output_shape": "output shape",
    "parameters": "parameters",
    "macs": "MACs",
    "flops": "FLOPs",
    "receptive_field": "receptive field",
}


def text(derivation: Derivation, *, width: int | None = None, ascii: bool = False) -> str:
    """One block a figure, one line a step, folded where it is wider than the screen."""
    glyphs = ASCII if ascii else UNICODE
    lines = [headline(derivation, glyphs)]
    longest = max((len(s.part) for steps in derivation.figures.values() for s in steps), default=0)
    for figure, steps in derivation.figures.items():
        lines.append(f"  {TITLES[figure]}")
        for s in steps:
            lines += _folded(f"    {s.part.ljust(longest)}  ", line(s, glyphs), width)
    whole = "\n".join(lines) + "\n"
    if ascii:
        return whole.replace("×", "x").encode("ascii", "backslashreplace").decode()
    return lines_left_to_right(whole)


def _folded(head: str, arithmetic: str, width: int | None) -> list[str]:
    """One line; where it is too wide, one for each side of the equation."""
    if width is None or len(head) + len(arithmetic) <= width:
        return [f"{head}{arithmetic}".rstrip()]
    first, *others = arithmetic.split(" = ")
    lines = folded(head, first, width)
    for side in others:
        lines += folded(" " * len(head), f"= {side}", width)
    return lines


def headline(derivation: Derivation, glyphs: Glyphs = UNICODE) -> str:
    """`conv1 (Conv2D): 32×32×3 → 30×30×16`."""
    inputs = ", ".join(shape(s, glyphs) for s in derivation.input_shapes)
    outputs = shape(derivation.output_shape, glyphs)
    through = f"{inputs} {glyphs.arrow} {outputs}" if inputs else outputs
    return f"{printable(derivation.layer, glyphs)} ({derivation.type}): {through}"


def line(step: Step, glyphs: Glyphs = UNICODE) -> str:
    """`filters × channels = 16 × 3 = 48`; parts that say the same again are left out."""
    value = count(step.value, glyphs)
    # the terms of a sum are figures; everything else is words and arithmetic with spaces of its own
    numbers = formula(step.numbers, glyphs) if "*" in step.numbers else step.numbers
    parts = [p for p in (step.formula, numbers) if p]
    plain = value.replace(",", "")
    if parts and parts[-1] == plain:
        parts.pop()
    joined = " = ".join([*parts, value])
    return f"{joined}  ({step.note})" if step.note else joined


def markdown(derivation: Derivation) -> str:
    """A table: figure, part, arithmetic, value."""
    lines = [f"### {escaped(headline(derivation))}", ""]
    lines += ["| Figure | Part | Arithmetic | Value |", "| --- | --- | --- | ---: |"]
    lines += [f"| {' | '.join(map(escaped, cells))} |" for cells in _cells(derivation)]
    return "\n".join(lines) + "\n"


def html(derivation: Derivation) -> str:
    """The same table for a notebook, every text escaped."""
    rows = "".join(f"<tr>{''.join(map(_cell, cells))}</tr>" for cells in _cells(derivation))
    head = "".join(
        f'<th style="text-align: left">{t}</th>' for t in ("Figure", "Part", "Arithmetic", "Value")
    )
    return (
        f"<div><p><strong>{escape(headline(derivation))}</strong></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(content: str) -> str:
    return f'<td style="text-align: left">{escape(content)}</td>'


def _cells(derivation: Derivation) -> list[tuple[str, str, str, str]]:
    cells = []
    for figure, steps in derivation.figures.items():
        for number, s in enumerate(steps):
            arithmetic = " = ".join(p for p in (s.formula, s.numbers) if p)
            noted = f"{arithmetic} ({s.note})".strip() if s.note else arithmetic
            cells.append((TITLES[figure] if number == 0 else "", s.part, noted, count(s.value)))
    return cells
