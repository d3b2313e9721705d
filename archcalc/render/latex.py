"""LaTeX: a booktabs table with caption, for papers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archcalc.arith.factoring import factored
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.graph.quantities import TABLE
from archcalc.render import summary
from archcalc.render import text as words
from archcalc.render.columns import FIELD, LAYER, OUTPUT, TYPE, Column, everywhere
from archcalc.render.grouping import arranged
from archcalc.render.text import UNICODE, printable
from archcalc.report.options import TableOptions
from archcalc.report.report import Report

if TYPE_CHECKING:
    from archcalc.analyses.fields.receptive_field import Field

PAGE = 45  # rows that fit one page; longer tables may break across pages

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}
_SPECIALS = re.compile("|".join(map(re.escape, _SPECIAL)))


def latex(report: Report, **options: Any) -> str:
    """The table; it needs the package booktabs, and longtable if it is longer than a page."""
    table = TableOptions(**options)
    rows = arranged(report, table)
    columns = everywhere(report.conventions["flops"], rows, table.columns)
    long = len(rows) > PAGE
    body = [_line([_cell(c, c.figure(row)) for c in columns]) for row in rows]
    totals = [r"\textbf{Total}" if c is LAYER else _total(c, report) for c in columns]
    caption = f"\\caption{{{_caption(report)}}}"
    head = _line([c.title for c in columns])
    sides = "".join("r" if c.numeric else "l" for c in columns)
    if long:
        lines = [
            r"% \usepackage{booktabs,longtable}",
            f"\\begin{{longtable}}{{{sides}}}",
            caption + r" \\",
            r"\toprule",
            head,
            r"\midrule",
            r"\endhead",
            *body,
            r"\midrule",
            _line(totals),
            r"\bottomrule",
            r"\end{longtable}",
        ]
    else:
        lines = [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            caption,
            f"\\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\midrule",
            _line(totals),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    return "\n".join([*lines, *_equations(report)]) + "\n"


def _equations(report: Report) -> list[str]:
    """The closed forms of the totals, as products where that is shorter, with values at the defaults."""
    named = [q for q in TABLE if q.formula and q.name in report.formulas]
    if not named:
        return []
    lines = []
    for quantity in named:
        figure = getattr(report.totals, quantity.name)
        value = report.formula_values.get(quantity.name)
        parts = [f"\\text{{{quantity.formula}}} &= {_shortest(figure)}"]
        parts += [] if value is None else [f"= {value:,}".replace(",", "{,}")]
        needed = report.formula_conditions.get(quantity.name, ())
        parts += (
            [f"\\qquad\\text{{({escaped(' and '.join(map(words.in_words, needed)))})}}"] if needed else []
        )
        lines.append(" ".join(parts))
    return [r"% \usepackage{amsmath}", r"\begin{align*}", " \\\\\n".join(lines), r"\end{align*}"]


def _shortest(figure: Expr) -> str:
    product = factored(figure)
    if product is None or len(str(product)) >= len(str(figure)):
        return _formula(figure)
    parts = [] if product.content == 1 else [str(product.content)]
    for base, exponent in product.powers:
        text = _formula(base)
        text = text if len(base.terms) == 1 else f"\\left({text}\\right)"
        parts.append(text if exponent == 1 else f"{text}^{{{exponent}}}")
    return r" \cdot ".join(parts)


def _caption(report: Report) -> str:
    lines = [
        f"{escaped(printable(report.name))}: work of one sample, {escaped(summary.flops_in_words(report))}."
    ]
    if report.assumptions:
        lines.append(f"Assumes that {escaped('; '.join(map(words.in_words, report.assumptions)))}.")
    lines += [
        f"Unknown: {escaped(printable(f'{finding.layer}, {finding.message}'))}."
        for finding in report.findings
        if finding.rule in ("unknown-layer", "unknown-field")
    ]
    return " ".join(lines)


def escaped(text: str) -> str:
    """Text with every character escaped that is a command in LaTeX."""
    return _SPECIALS.sub(lambda match: _SPECIAL[match.group()], text)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _total(column: Column, report: Report) -> str:
    return "" if column.total is None else _cell(column, column.total(report.totals))


def _cell(column: Column, figure: Any) -> str:
    if column in (LAYER, TYPE):
        return escaped(printable(figure))
    if column is OUTPUT:
        return ", ".join(map(_shape, figure)) or "---"
    if column is FIELD:
        return _field(figure)
    if isinstance(figure, Expr):
        return f"${_formula(figure)}$"
    return escaped(column.write(figure, UNICODE)).replace(UNICODE.at_least, r"$\geq$")


def _shape(sizes: Sequence[Any]) -> str:
    return f"${_product(sizes)}$" if sizes else "scalar"


def _product(sizes: Sequence[Any]) -> str:
    return r" \times ".join(_size(s) for s in sizes)


def _size(size: Any) -> str:
    if isinstance(size, Unknown):
        return "?"
    if isinstance(size, Expr):
        formula = _formula(size)
        return f"({formula})" if len(size.terms) > 1 else formula
    return str(size)


def _field(field: Field | None) -> str:
    if field is None:
        return "---"
    if any(isinstance(v, Expr) for v in (*field.size, *field.min_size, *field.stride)):
        if all(words.reads_whole(field)):
            return "whole"
        steps = "" if all(s == 1 or s is None for s in field.stride) else f"\\ /{_product(field.stride)}"
        return f"${_product(field.size)}{steps}$"
    text = escaped(words.field(field)).replace("×", r"$\times$").replace("–", "--")
    return "---" if text == UNICODE.nothing else text


def _formula(x: Expr) -> str:
    import sympy

    from archcalc.arith.to_sympy import to_sympy

    return str(sympy.latex(to_sympy(x)))
