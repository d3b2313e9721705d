"""`archcalc audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit
from archcalc.render.screen import MIN_WIDTH

if TYPE_CHECKING:
    from archcalc.graph import Graph
    from archcalc.review.audit import Audit
    from archcalc.review.sheets import Sheet

FORMATS = ("table", "json", "csv", "markdown")


@click.command("audit", context_settings={"max_content_width": 100})
@options.source_argument
@options.reading_options
@click.option(
    "--claims",
    "files",
    multiple=True,
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="Claims as JSON or CSV (repeatable), instead of those in SOURCE.",
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
@click.option("--ascii", is_flag=True, help="Use only ASCII in tables.")
def command(source: str, files: tuple[str, ...], **given: Any) -> int:
    """Check stated figures, and name the slip that reproduces a wrong one.

    Exit code 1 if a claim is wrong. Many files give one table: per claim, per student, per slip.
    """
    from archcalc.cli.sources import naming, read
    from archcalc.review.audit import audit

    show = options.Showing.of(given, FORMATS)
    graph = read(source, **options.taken(given, options.READING))
    sheets = _sheets(files, graph)
    with naming(source):
        result = audit(graph, sheets)
        emit(_text(result, show), show.output)
    return int(not result.agrees)


def _sheets(files: tuple[str, ...], graph: Graph) -> list[Sheet] | None:
    if not files:
        return None
    from archcalc.review.sheets import read_claims

    sheets = read_claims(*files, network=graph)
    for sheet in sheets:
        if sheet.fault:
            click.echo(f"archcalc: {sheet.source}: {sheet.fault}", err=True)
    return sheets


def _text(result: Audit, show: options.Showing) -> str:
    if show.form == "json":
        from archcalc.render.json import json_text

        return json_text(result.to_dict(), ascii=show.ascii)
    if show.form == "csv":
        return result.to_csv()
    if show.form == "markdown":
        return result.to_markdown()
    from archcalc.render.audit import text

    return text(result, width=show.width, ascii=show.ascii)
