"""`archcalc verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit
from archcalc.cli.sources import read

if TYPE_CHECKING:
    from archcalc.graph import Graph
    from archcalc.report.verification import Verification

FORMATS = ("table", "json", "csv")


@click.command("verify", context_settings={"max_content_width": 100})
@options.source_argument
@options.reading_options
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Measure the fields of N layers only. Default: as many as take a few minutes.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="For everything that is drawn.")
@click.option(
    "--gradients",
    "starts",
    type=click.IntRange(min=1),
    metavar="N",
    help="Measure gradient norms over N starts, beside those expected at initialisation.",
)
@options.plot_option
@click.option("--all", "every", is_flag=True, help="A line for every check, with both figures.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Default: table, or what the -o file's name says."
)
@options.output_option
@click.option(
    "--width",
    type=click.IntRange(min=options.MIN_WIDTH),
    help="Columns of the table. Default: the terminal's.",
)
@options.color_option
@click.option("--ascii", is_flag=True, help="Only ASCII in tables.")
def command(
    source: str,
    values: tuple[tuple[str, int], ...],
    input_shape: tuple[Any, ...] | None,
    allow_unknown: bool,
    max_layers: int,
    sample: int | None,
    seed: int,
    starts: int | None,
    plot: str | None,
    every: bool,
    form: str | None,
    output: str | None,
    width: int | None,
    color: str,
    ascii: bool,
) -> int:
    """Build the real Keras model, run it, and compare it with every figure, layer by layer.

    Exit code 1 if anything differs. Symbols without a value are tried at several.
    """
    from archcalc.cli.keras_quietly import import_quietly
    from archcalc.render.progress import progress
    from archcalc.verification.verify import verify

    if plot and not starts:
        raise click.UsageError("--plot shows measured gradients: say over how many starts (--gradients N)")
    graph = read(
        source,
        input_shape=input_shape,
        allow_unknown=allow_unknown,
        symbols=dict(values),
        max_layers=max_layers,
    )
    import_quietly("archcalc.verification.run")
    with progress() as tell:
        found = verify(graph, sample, seed, gradients=starts or 0, progress=tell)
    if plot:
        _plot(graph, found, plot)
    form = options.chosen_format(form, output, FORMATS)
    if form == "json":
        from archcalc.render.json import json_text

        text = json_text(found.to_dict())
    else:
        from archcalc.render import verification

        if form == "csv":
            text = verification.csv_text(found)
        else:
            text = verification.terminal_text(
                found,
                width=options.chosen_width(width),
                ascii=options.wants_ascii(ascii, output),
                color=options.wants_color(color, output),
                every=every,
            )
    emit(text, output)
    return int(not found.agrees)


def _plot(graph: Graph, found: Verification, path: str) -> None:
    """Predictions and measurements, of the first values where symbols are open."""
    from archcalc.analyze import analyze
    from archcalc.render.plots import gradient_plot
    from archcalc.report.verification import GRADIENT

    values = found.samples[0]
    measured = {
        str(c.layer): c.measured
        for c in found.checks
        if c.what == GRADIENT and c.measured is not None and c.symbols == values
    }
    gradient_plot(analyze(graph, values, gradients=True), path, measured)
