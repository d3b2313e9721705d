"""`archcalc analyze`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit

if TYPE_CHECKING:
    from archcalc.graph import Graph
    from archcalc.report.report import Report


@click.command("analyze", context_settings={"max_content_width": 100})
@options.source_argument
@options.reading_options
@options.costing_options
@click.option(
    "--compare-conventions",
    "compare",
    is_flag=True,
    help="Show the total FLOPs in every convention, and why they differ, instead of the layers.",
)
@click.option("--clipped", is_flag=True, help="Clip every row's field to the pixels that exist (json, csv).")
@options.gradient_options
@options.plot_option
@options.showing_options
@click.option(
    "--fail-on",
    type=click.Choice(options.SEVERITIES),
    help="Exit with 1 if there is a finding of this level or above.",
)
def command(
    source: str,
    values: dict[str, int | None],
    input_shape: tuple[Any, ...] | None,
    allow_unknown: bool,
    max_layers: int,
    batch: int,
    dtype: str,
    optimizer: str,
    memory: int | None,
    convention: str,
    compare: bool,
    clipped: bool,
    gradients: bool,
    weights: str,
    tier: str | None,
    training: bool,
    input_range: tuple[float, float] | None,
    loss: str | None,
    plot: str | None,
    form: str | None,
    output: str | None,
    depth: int | None,
    width: int | None,
    color: str,
    ascii: bool,
    fail_on: str | None,
) -> int:
    """Parameters, shapes, MACs, memory and receptive fields: a table of layers, and totals.

    SOURCE is a spec, a Keras config (model.to_json()), a .keras file, keras:NAME, or - for
    standard input.
    """
    from archcalc.analyze import analyze
    from archcalc.cli.sources import naming, read

    if compare:
        options.refuse(_NOT_COMPARED, "does not apply to --compare-conventions; leave one of them out")
    form = options.chosen_format(form, output, _COMPARED if compare else options.FORMATS)
    options.require_effect(form, options.APPLIES | _APPLIES)
    ascii = options.wants_ascii(ascii, output)
    graph = read(
        source, input_shape=input_shape, allow_unknown=allow_unknown, symbols=values, max_layers=max_layers
    )
    with naming(source):
        if compare:
            return _compare(graph, form, output, width, ascii)
        report = analyze(
            graph,
            batch=batch,
            dtype=dtype,
            optimizer=optimizer,
            memory=memory,
            convention=convention,
            clipped=clipped,
            gradients=gradients or plot is not None,
            weights=weights,
            tier=tier,
            training=training,
            input_range=input_range,
            loss=loss,
        )
        if plot is not None:
            from archcalc.render.plots import gradient_plot

            gradient_plot(report, plot)
    if form == "table":
        from archcalc.render.terminal import terminal_text

        text = terminal_text(
            report,
            width=options.chosen_width(width),
            depth=depth,
            ascii=ascii,
            color=options.wants_color(color, output),
        )
    else:
        text = _as(form, report, depth, ascii)
    emit(text, output)
    return int(fail_on is not None and any(f.at_least(fail_on) for f in report.findings))


# options of figures -> the formats that show these figures
_APPLIES = {
    **dict.fromkeys(("clipped", "loss"), ("json", "csv")),
    **dict.fromkeys(("memory", "optimizer"), ("table", "json", "markdown")),
    **dict.fromkeys(("batch", "dtype"), ("table", "json", "csv", "markdown")),
}
_COMPARED = ("table", "json", "csv", "markdown")
_NOT_COMPARED = (
    *("batch", "dtype", "optimizer", "memory", "convention", "clipped", "gradients", "weights", "tier"),
    *("training", "input_range", "loss", "plot", "depth", "color", "fail_on"),
)


def _compare(graph: Graph, form: str, output: str | None, width: int | None, ascii: bool) -> int:
    """The table of all conventions' totals."""
    from archcalc.report.comparison import compare_conventions

    compared = compare_conventions(graph)
    if form == "json":
        from archcalc.render.json import json_text

        text = json_text(compared.to_dict(), ascii=ascii)
    elif form == "csv":
        text = compared.to_csv()
    elif form == "markdown":
        text = compared.to_markdown()
    elif form == "table":
        text = compared.to_text(options.chosen_width(width), ascii=ascii)
    else:
        raise click.UsageError(f"--compare-conventions has no format {form!r}: table, json, csv or markdown")
    emit(text, output)
    return 0


def _as(form: str, report: Report, depth: int | None, ascii: bool) -> str:
    if form == "json":
        from archcalc.render.json import json_text

        return json_text(report.to_dict(), ascii=ascii)
    if form == "csv":
        return report.to_csv(depth=depth)
    if form == "latex":
        return report.to_latex(depth=depth)
    return report.to_markdown(depth=depth)
