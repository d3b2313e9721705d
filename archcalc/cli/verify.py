"""`archcalc verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit, tell
from archcalc.cli.sources import read
from archcalc.render.screen import MIN_WIDTH

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
    help="Measure the fields of only N layers. Default: as many as take a few minutes.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of everything that is drawn at random."
)
@click.option(
    "--gradients",
    "starts",
    type=click.IntRange(min=1),
    metavar="N",
    help="Measure gradient norms over N initialisations, and compare them with those expected.",
)
@options.plot_option
@click.option(
    "--all", "every", is_flag=True, help="Show every check with both figures, not only those that differ."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Output format. Default: table, or by the suffix of the -o file.",
)
@options.output_option
@click.option(
    "--width",
    type=click.IntRange(min=MIN_WIDTH),
    help="Width of the table in columns. Default: the terminal's.",
)
@options.color_option
@click.option("--ascii", is_flag=True, help="Use only ASCII in tables.")
def command(
    source: str,
    sample: int | None,
    seed: int,
    starts: int | None,
    plot: str | None,
    every: bool,
    **given: Any,
) -> int:
    """Build the real Keras model, run it, and compare it with every figure, layer by layer.

    The first line says the outcome; then comes what differs, and what cannot run here. Exit code 1 if
    anything differs. Open symbols are tried at several values.
    """
    from archcalc.cli.keras_quietly import import_quietly
    from archcalc.render.progress import progress
    from archcalc.verification.verify import verify

    if plot and not starts:
        raise click.UsageError(
            "--plot shows measured gradients: say over how many initialisations (--gradients N)"
        )
    show = options.Showing.of(given, FORMATS, options.APPLIES | {"every": ("table",)})
    graph = read(source, **options.taken(given, options.READING))
    import_quietly("archcalc.verification.run")
    with progress() as advance:
        result = verify(graph, sample, seed, gradients=starts or 0, progress=advance)
    if plot:
        _plot(graph, result, plot)
        tell(plot)
    emit(_text(result, show, every), show.output)
    return int(not result.agrees)


def _text(result: Verification, show: options.Showing, every: bool) -> str:
    if show.form == "json":
        from archcalc.render.json import json_text

        return json_text(result.to_dict(), ascii=show.ascii)
    from archcalc.render import verification

    if show.form == "csv":
        return verification.csv_text(result)
    return verification.terminal_text(
        result, width=show.width, ascii=show.ascii, color=show.color, every=every
    )


def _plot(graph: Graph, result: Verification, path: str) -> None:
    """Plot predictions and measurements, at the first values of open symbols."""
    from archcalc.analyze import analyze
    from archcalc.render.plots import gradient_plot
    from archcalc.report.verification import GRADIENT

    values = result.samples[0]
    measured = {
        str(c.layer): c.measured
        for c in result.checks
        if c.what == GRADIENT and c.measured is not None and c.symbols == values
    }
    gradient_plot(analyze(graph, values, gradients=True), path, measured)
