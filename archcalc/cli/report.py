"""`archcalc report`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit
from archcalc.errors import ArchcalcError, NetworkError
from archcalc.report.options import AnalysisOptions, GradientOptions

if TYPE_CHECKING:
    from archcalc.graph import Graph
    from archcalc.report.report import Report
    from archcalc.report.verification import Verification

# a page always has gradients, and clips every row's field itself
_SHOWN = tuple(f.name for f in dataclasses.fields(AnalysisOptions) if f.name not in ("gradients", "clipped"))


@click.command("report", context_settings={"max_content_width": 100})
@options.source_argument
@options.reading_options
@options.generated(AnalysisOptions, _SHOWN)
@options.generated(GradientOptions)
@click.option(
    "--image",
    type=click.Path(),
    metavar="FILE",
    help="Draw receptive fields on this image (png, jpeg, webp, gif, bmp, tiff).",
)
@click.option("--verify", "checked", is_flag=True, help="Compare with real Keras, and show the result.")
@options.output_option
def command(source: str, image: str | None, checked: bool, output: str | None, **given: Any) -> int:
    """One self-contained HTML page: the network to look at, its figures, fields, memory, gradients.

    It opens without a network connection, and needs a file: archcalc report SOURCE -o report.html
    """
    from archcalc.cli.sources import naming, read
    from archcalc.readers import collector_paused

    if output is None:
        raise click.UsageError("say where to write the page: -o report.html", click.get_current_context())
    graph = read(source, **options.taken(given, options.READING))
    result = _verified(graph) if checked else None
    with naming(source), collector_paused():
        from archcalc.render.page.report import report_page

        report, reason = _analyzed(graph, given)
        emit(report_page(report, image=image, verification=result, no_gradients=reason), output)
    return int(result is not None and not result.agrees)


def _analyzed(graph: Graph, given: dict[str, Any]) -> tuple[Report, str]:
    """The report with gradients; without them, and why, where they cannot be computed."""
    from archcalc.analyze import analyze

    try:
        return analyze(graph, gradients=True, **given), ""
    except NetworkError:
        raise
    except ArchcalcError as fault:
        asked = {f.name for f in dataclasses.fields(GradientOptions)}
        if any(parameter.name in asked for parameter in options.given()):
            raise
        return analyze(graph, **{k: v for k, v in given.items() if k not in asked}), str(fault)


def _verified(graph: Graph) -> Verification:
    from archcalc.cli.keras_quietly import import_quietly
    from archcalc.render.progress import progress
    from archcalc.verification.verify import verify

    import_quietly("archcalc.verification.run")
    with progress() as tell:
        return verify(graph, progress=tell)
