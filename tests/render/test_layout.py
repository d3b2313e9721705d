"""Tables fit their width: names fold, digits do not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import archcalc
from archcalc.arith.symbolic import symbol
from archcalc.render.layout import folded_name
from archcalc.render.terminal import terminal_text
from archcalc.render.text import ASCII, formula, printable
from tests.networks import chain, conv_pair, made, residual, tower, with_unknown

LONG = "encoder/stage[3]/bottleneck_with_a_long_name/attention/query_projection"


def columns(table: str) -> list[str]:
    """The titles of a table."""
    (header,) = [line for line in table.splitlines() if line.startswith(" Layer ")]
    return re.findall(r"\S+(?: σ)?", header)


def wide_network() -> Any:
    return archcalc.analyze(
        chain(
            "wide",
            (512, 512, 3),
            (LONG, made("Conv2D", filters=4096, kernel_size=7, padding="same")),
            (f"{LONG}/second", made("Conv2D", filters=4096, kernel_size=7, padding="same")),
        )
    )


@pytest.mark.parametrize("width", [60, 70, 80, 100, 120, 160, 250])
@pytest.mark.parametrize("depth", [None, 1])
def test_no_line_is_wider_than_asked(width: int, depth: int | None) -> None:
    for report in (wide_network(), archcalc.analyze(conv_pair()), archcalc.analyze(residual())):
        for line in terminal_text(report, width=width, depth=depth).splitlines():
            assert cell_len(line) <= width, line


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_digits_are_never_folded(width: int) -> None:
    report = wide_network()
    lines = terminal_text(report, width=width).splitlines()
    for row in report.rows:
        # the whole count is on one line, and nothing is glued to it
        assert any(re.search(rf"(^| ){row.parameters:,}( |$)", line) for line in lines)


def test_a_wider_table_only_gains_columns() -> None:
    report = archcalc.analyze(residual())
    seen: list[str] = []
    for width in range(40, 200, 5):
        titles = columns(terminal_text(report, width=width))
        assert set(seen) <= set(titles)
        seen = titles
    assert titles[0] == "Layer"
    assert {"Output", "Parameters", "MACs", "Field", "Type", "Activations", "FLOPs", "Elementwise"} <= set(
        seen
    )


def test_at_80_columns_the_essentials_are_there() -> None:
    assert columns(terminal_text(wide_network(), width=80)) == [
        "Layer",
        "Output",
        "Parameters",
        "MACs",
        "Field",
    ]


def test_long_names_fold_at_their_parts() -> None:
    text = terminal_text(wide_network(), width=80)
    parts = [line.split("  ")[0].strip() for line in text.splitlines()]
    joined = "".join(parts)
    assert LONG in joined


@given(st.text(alphabet="ab/_.-é漢", min_size=1, max_size=200), st.integers(12, 40))
def test_folded_names_fit_and_keep_their_text(name: str, width: int) -> None:
    lines = folded_name(name, width)
    assert all(cell_len(line) <= width for line in lines)
    if cell_len(name) <= 4 * width:
        assert "".join(lines) == name
    else:
        head, tail = re.split(r"…|\.\.\.", "".join(lines), maxsplit=1)
        assert name.startswith(head)
        assert name.endswith(tail)


@given(st.text(alphabet="a_/é漢🙂", min_size=1, max_size=60), st.integers(12, 40))
def test_an_escaped_character_is_never_divided(name: str, width: int) -> None:
    lines = folded_name(printable(name, ASCII), width)
    assert all(len(line) <= width for line in lines)
    for line in lines:
        assert "\\" not in re.sub(r"\\U[0-9a-f]{8}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}", "", line)


def test_gradients_are_shown_where_they_were_asked_for() -> None:
    layers = [(f"{LONG}/{n}", made("Conv2D", filters=4, kernel_size=3)) for n in "ab"]
    report = archcalc.analyze(chain("net", (32, 32, 3), *layers), gradients=True)
    for width in (60, 80, 120):
        assert "Gradient" in columns(terminal_text(report, width=width))


def test_without_a_sum_there_is_no_row_of_totals() -> None:
    report = archcalc.analyze(conv_pair(8))
    assert "Total" not in report.to_text(80, columns="output,field")
    assert "Total" not in report.to_markdown(columns=("output", "field"))
    assert "Total" in report.to_text(80, columns="output,macs")


def test_symbolic_cells_break_between_terms_only() -> None:
    report = archcalc.analyze(conv_pair(symbol("H")))
    text = terminal_text(report, width=80)
    total = formula(report.totals.macs)
    for piece in re.split(r" (?=[+-])", formula(report.rows[2].macs)):
        assert piece in text
    assert total in text  # the closed form, whole


def test_the_total_line_is_the_sum_of_the_column() -> None:
    for report in (archcalc.analyze(conv_pair()), archcalc.analyze(residual()), archcalc.analyze(tower(3))):
        for depth in (None, 1):
            lines = terminal_text(report, width=200, depth=depth).splitlines()
            first, last = (i for i, line in enumerate(lines) if set(line.strip()) == {"─"})
            header = lines[first - 1]
            for title in ("Parameters", "MACs", "FLOPs", "Elementwise"):
                end = header.index(title) + len(title)
                cells = [re.findall(r"[\d,]+$", line[:end]) for line in lines[first + 1 : last]]
                figures = [int(c[0].replace(",", "")) for c in cells if c]
                (total,) = re.findall(r"[\d,]+$", lines[last + 1][:end])
                assert sum(figures) == int(total.replace(",", "")), title
                assert len(figures) == last - first - 1


def test_unknown_is_said_and_the_rest_is_counted() -> None:
    text = terminal_text(archcalc.analyze(with_unknown()), width=100)
    assert re.search(r"Total\s+≥ 122\s+≥ 4,176", text)
    assert "Parameters   at least 122, unknown in secret" in text
    assert re.search(
        r"Total\s+>= 122", terminal_text(archcalc.analyze(with_unknown()), width=100, ascii=True)
    )
    assert re.search(r"^ warning      secret: unknown parameters, macs", text, re.MULTILINE)


def test_markup_in_names_is_text() -> None:
    report = archcalc.analyze(
        chain("[red]x[/red]", (4, 4, 3), ("[bold]a[/bold]", made("Conv2D", filters=1, kernel_size=1)))
    )
    text = terminal_text(report, width=100)
    assert "[bold]a[/bold]" in text
    assert "[red]x[/red]" in text


def test_color_only_where_asked_and_the_text_is_the_same() -> None:
    report = archcalc.analyze(residual())
    plain = terminal_text(report, width=100)
    colored = terminal_text(report, width=100, color=True)
    assert "\x1b" not in plain
    assert "\x1b" in colored
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == plain


def test_ascii() -> None:
    report = archcalc.analyze(chain("größe", (4, 4, 3), ("é", made("Conv2D", filters=1, kernel_size=2))))
    assert terminal_text(report, width=100, ascii=True).isascii()


def test_rich_and_notebooks_show_it() -> None:
    from rich.console import Console

    report = archcalc.analyze(conv_pair())
    console = Console(width=90, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(report)
    assert console.export_text() == terminal_text(report, width=90)
