"""`archcalc diff`."""

from __future__ import annotations

from typing import Any

import click

from archcalc.cli import completion, options
from archcalc.cli.output import emit
from archcalc.render.screen import MIN_WIDTH

FORMATS = ("table", "json", "markdown", "html")


def _quantities(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    """`changed`, or totals, with commas between them."""
    from archcalc.review.diff.compare import TOTALS

    known = ("changed", *TOTALS)
    words = tuple(word.strip().replace("-", "_") for word in (text or "").split(",") if word.strip())
    for word in words or [text] * (text is not None):
        if word not in known:
            raise click.BadParameter(f"{word!r}: expected some of {', '.join(known)}", ctx, parameter)
    return words


@click.command("diff", context_settings={"max_content_width": 100})
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    type=click.Path(allow_dash=True),
    metavar="A B...",
    shell_complete=completion.sources,
)
@options.reading_options
@click.option(
    "--fail-on",
    metavar="WHAT,...",
    callback=_quantities,
    help="Exit with 1 if this differs: changed (anything), parameters, macs, training_bytes, ...",
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: table, or by the suffix of -o.")
@options.output_option
@click.option(
    "--width",
    type=click.IntRange(min=MIN_WIDTH),
    help="Width in columns. Default: the terminal's.",
)
@click.option("--ascii", is_flag=True, help="Use only ASCII.")
def command(sources: tuple[str, ...], symbols: Any, fail_on: tuple[str, ...], **given: Any) -> int:
    """What changed from network A to network B: aligned by structure, layer by layer and in total.

    With more than two networks, their totals side by side. The exit code is 0 unless --fail-on says
    otherwise.
    """
    from archcalc.cli.sources import naming, read
    from archcalc.render.diff import formats
    from archcalc.review.diff.compare import diff

    show = options.Showing.of(given, FORMATS, {"width": ("table",), "ascii": ("table",)})
    if len(sources) < 2:
        raise click.UsageError("diff compares networks: give two or more", click.get_current_context())
    reading = options.taken(given, [name for name in options.READING if name != "symbols"])
    graphs = [read(source, **reading, symbols=None) for source in sources]
    _require_symbols(symbols, graphs)
    with naming(" and ".join(sources)):
        result = diff(*graphs, symbols=symbols)._replace(names=sources)
    if show.form == "html":
        from archcalc.render.page.compare import diff_page

        emit(diff_page(result, graphs, symbols), show.output)
    elif show.form == "json":
        emit(formats.json_format(result), show.output)
    elif show.form == "markdown":
        emit(formats.markdown(result), show.output)
    else:
        emit(formats.text(result, show.width, ascii=show.ascii), show.output)
    return int(result.failed(fail_on))


def _require_symbols(symbols: dict[str, int | None], graphs: list[Any]) -> None:
    for name in symbols:
        if not any(name in graph.symbols for graph in graphs):
            raise click.UsageError(f"--set {name}: none of the networks has this symbol")
