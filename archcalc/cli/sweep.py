"""`archcalc sweep`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit, tell
from archcalc.errors import ArchcalcError
from archcalc.render.screen import MIN_WIDTH
from archcalc.report.options import AnalysisOptions

if TYPE_CHECKING:
    from archcalc.design.sweep_result import Sweep

FORMATS = ("table", "json")
_ACTIVATIONS = ("activation_bytes", "peak_activation_bytes", "best_peak_activation_bytes")
_TRAINING = ("training_activation_bytes", "training_bytes")
_WEIGHTS = ("weight_bytes", "gradient_bytes", "optimizer_bytes")
# an option of the analysis -> the figures that it changes
ACTS = {
    "batch": (*_ACTIVATIONS, *_TRAINING),
    "dtype": (*_WEIGHTS, *_ACTIVATIONS, *_TRAINING),
    **dict.fromkeys(("optimizer", "ema", "accumulation"), ("optimizer_bytes", "training_bytes")),
    "checkpoint": ("training_macs", *_TRAINING),
    "convention": ("flops",),
}


def _pairs(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """`w=16:256:8`: symbols and what they are; each symbol once."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not value or not name.isidentifier():
            form = "w=16:256:8" if parameter.name == "over" else "f=4*w"
            raise click.BadParameter(f"{text!r}: expected NAME=..., as in {form}", ctx, parameter)
        if name in found:
            raise click.BadParameter(f"{name} is given twice; list its values: {name}=1,2,5", ctx, parameter)
        found[name] = value
    return found


def _names(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


@click.command("sweep", context_settings={"max_content_width": 100})
@options.sources_argument
@options.reading_options
@click.option(
    "--over",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VALUES",
    help="Values of a symbol (repeatable): w=16:256:8 (the stop included), n=1,2,5.",
)
@click.option(
    "--let",
    multiple=True,
    callback=_pairs,
    metavar="NAME=EXPRESSION",
    help="A symbol that follows from others (repeatable): f=4*w.",
)
@click.option(
    "--figures",
    callback=_names,
    metavar="A,B,...",
    help="Totals, or receptive_field, output_size with @LAYER. Default: parameters,macs,receptive_field.",
)
@click.option(
    "--where", metavar="CONDITION", help='Keep only these: "parameters < 5e6 and receptive_field >= 200".'
)
@click.option(
    "--minimize",
    multiple=True,
    metavar="FIGURE",
    help="An objective, a figure or a swept symbol (repeatable).",
)
@click.option("--maximize", multiple=True, metavar="FIGURE", help="An objective, likewise (repeatable).")
@options.generated(AnalysisOptions, tuple(ACTS))
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=10**9,
    show_default=True,
    metavar="N",
    help="Refuse more configurations than this before work starts.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="Threads here, or the workers of a Dask cluster.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Of the Dask scheduler, tcp://HOST:PORT.")
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    metavar="FILE",
    help="Write every configuration kept (.parquet, .csv, .arrow), completely or not at all.",
)
@click.option("--resume", is_flag=True, help="Continue the unfinished sweep in FILE.part.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Plot the Pareto front over the density of all configurations (png, svg or pdf).",
)
@click.option(
    "--top", type=click.IntRange(min=1), metavar="N", help="Show N members of the front. Default: 10."
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", help="Default: table.")
@click.option(
    "--width", type=click.IntRange(min=MIN_WIDTH), help="Width in columns. Default: the terminal's."
)
@click.option("--ascii", is_flag=True, help="Use only ASCII.")
def command(sources: tuple[str, ...], **given: Any) -> None:
    """Compute every configuration of a design space, and the best of them.

    SOURCE is a network with symbols, or several networks, which are the variants. Figures are exact. A sweep
    that is interrupted leaves FILE.part, and --resume continues it.
    """
    from archcalc.cli.sources import naming, read
    from archcalc.design.sweep import sweep
    from archcalc.render.progress import progress

    form, width, ascii = given.pop("form"), given.pop("width"), options.wants_ascii(given.pop("ascii"), None)
    top, plot = given.pop("top"), given.pop("plot")
    options.require_effect(form, {"width": ("table",), "ascii": ("table", "json"), "top": ("table",)})
    if not (given["minimize"] or given["maximize"]):
        options.refuse(("top", "plot"), "shows a front: name objectives with --minimize, --maximize")
    if plot is not None and len({*given["minimize"], *given["maximize"]}) < 2:
        raise click.UsageError("--plot draws two objectives: name another with --minimize or --maximize")
    _require_figures(given)
    reading = options.taken(given, [name for name in options.READING if name != "symbols"])
    graphs = [read(source, symbols=None, **reading) for source in sources]
    try:
        with naming(", ".join(sources)), progress() as advance:
            result = sweep(graphs, progress=advance, density=plot is not None, **given)
    except KeyboardInterrupt:
        if given["output"] is not None:
            click.echo("archcalc: interrupted; the same command with --resume continues", err=True)
        raise
    if plot is not None:
        result.plot(plot)
        tell(plot)
    _show(result, form, width, ascii, top)


def _require_figures(given: dict[str, Any]) -> None:
    """Refuse an option of the analysis that changes none of the figures."""
    from archcalc.arith.conditions import parse
    from archcalc.design.figures import NAMES
    from archcalc.design.sweep import FIGURES

    named = {*(given["figures"] or FIGURES), *given["minimize"], *given["maximize"]}
    if given["where"] is not None:
        try:
            named |= parse(given["where"], [*NAMES, *given["over"], *given["let"]]).names
        except ArchcalcError as fault:
            raise click.UsageError(f"--where: {fault}", click.get_current_context()) from None
    for name, changed in ACTS.items():
        if named.isdisjoint(changed):
            options.refuse(
                (name,), f"changes none of these figures; it does {', '.join(changed)} (--figures)"
            )


def _show(result: Sweep, form: str, width: int | None, ascii: bool, top: int | None) -> None:
    if form == "json":
        from archcalc.render.json import json_text

        emit(json_text(result.to_dict(), ascii=ascii), None)
    else:
        emit(result.to_text(options.chosen_width(width), ascii=ascii, top=top), None)
