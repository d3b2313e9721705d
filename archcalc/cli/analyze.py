"""`archcalc analyze`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit, tell
from archcalc.report.options import AnalysisOptions, GradientOptions, TableOptions

if TYPE_CHECKING:
    from archcalc.graph import Graph
    from archcalc.report.report import Report

# options of figures -> the formats that show these figures
_APPLIES = options.APPLIES | {
    **dict.fromkeys(("clipped", "loss"), ("json", "csv")),
    **dict.fromkeys(("memory", "optimizer", "ema", "accumulation"), ("table", "json", "markdown")),
    **dict.fromkeys(("batch", "dtype", "checkpoint"), ("table", "json", "csv", "markdown")),
}
_COMPARED = ("table", "json", "csv", "markdown")  # formats of a comparison, and its options
_COMPARING = (*options.READING, "source", "compare", "form", "output", "width", "ascii")


@click.command("analyze", context_settings={"max_content_width": 100})
@options.source_argument
@options.reading_options
@options.generated(AnalysisOptions)
@click.option(
    "--compare-conventions",
    "compare",
    is_flag=True,
    help="Show the total FLOPs in every convention, and why they differ, instead of the layers.",
)
@options.generated(GradientOptions)
@options.plots_option
@options.generated(TableOptions)
@options.showing_options
@click.option(
    "--fail-on",
    type=click.Choice(options.SEVERITIES),
    help="Exit with 1 if there is a finding of this level or above.",
)
def command(source: str, compare: bool, plots: options.Plots, fail_on: str | None, **given: Any) -> int:
    """Parameters, shapes, MACs, memory and receptive fields: a table of layers, and totals.

    SOURCE is a spec, a Keras config (model.to_json()), a .keras or .h5 file, keras:NAME, or - for
    standard input.
    """
    from archcalc.analyze import analyze
    from archcalc.cli.sources import naming, read
    from archcalc.readers import collector_paused

    if compare:
        options.refuse_others(_COMPARING, "does not apply to --compare-conventions; leave one of them out")
    show = options.Showing.of(given, _COMPARED if compare else options.FORMATS, _APPLIES)
    table = options.taken(given, [f.name for f in dataclasses.fields(TableOptions)])
    graph = read(source, **options.taken(given, options.READING))
    with naming(source), collector_paused():
        if compare:
            emit(_comparison(graph, show), show.output)
            return 0
        given["gradients"] |= any(what == "gradient" for what, _ in plots)
        report = analyze(graph, **given)
        for what, path in plots:
            from archcalc.render.plots import PLOTS

            PLOTS[what](report, path)
            tell(path)
        emit(_text(report, show, table), show.output)
    return int(fail_on is not None and any(f.at_least(fail_on) for f in report.findings))


def _comparison(graph: Graph, show: options.Showing) -> str:
    """The table of all conventions' totals."""
    from archcalc.report.comparison import compare_conventions

    compared = compare_conventions(graph)
    if show.form == "json":
        from archcalc.render.json import json_text

        return json_text(compared.to_dict(), ascii=show.ascii)
    if show.form == "csv":
        return compared.to_csv()
    if show.form == "markdown":
        return compared.to_markdown()
    return compared.to_text(show.width, ascii=show.ascii)


def _text(report: Report, show: options.Showing, table: dict[str, Any]) -> str | Iterator[str]:
    if show.form == "table":
        from archcalc.render.terminal import terminal_text

        return terminal_text(report, width=show.width, ascii=show.ascii, color=show.color, **table)
    if show.form == "json":
        from archcalc.render.json import json_pieces

        return json_pieces(report.streamed(), ascii=show.ascii)
    if show.form == "csv":
        from archcalc.render.csv import csv_lines

        return csv_lines(report, depth=table["depth"])
    return report.to_latex(**table) if show.form == "latex" else report.to_markdown(**table)
