"""`archcalc solve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import options
from archcalc.cli.output import emit
from archcalc.design.figures import NAMES, OF_A_LAYER, UNITS
from archcalc.graph.quantities import BYTES
from archcalc.report.options import AnalysisOptions

if TYPE_CHECKING:
    from archcalc.design.solution import Solution

FORMATS = ("table", "json", "markdown")
NO_SOLUTION, NOT_PROVED = 1, 4
_ANALYSIS = ("batch", "dtype", "optimizer", "ema", "accumulation", "checkpoint", "convention")


def _pairs(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """`w=8`: the last word on a name counts."""
    values = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not name or (sign and not value) or (not sign and parameter.name != "unknowns"):
            raise click.BadParameter(f"{text!r}: expected {parameter.metavar}", ctx, parameter)
        values[name] = value
    return values


def _multiples(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, int]:
    values = _pairs(ctx, parameter, texts)
    for name, value in values.items():
        if not value.isdecimal() or int(value) < 1:
            raise click.BadParameter(f"{name}={value}: expected a positive integer", ctx, parameter)
    return {name: int(value) for name, value in values.items()}


def _budget_options(command: Any) -> Any:
    """`--parameters-at-most` and `--parameters-at-least`, for every figure."""
    for name in reversed(NAMES):
        for kind in ("at_least", "at_most"):
            shown = f"--{name.replace('_', '-')}-{kind.replace('_', '-')}"
            form: dict[str, Any] = {
                "metavar": "LIMIT",
                "hidden": name not in _SHOWN,
                "help": _help(name, kind),
            }
            command = click.option(shown, f"{name}__{kind}", **form)(command)
    return command


_SHOWN = (
    *("parameters", "macs", "flops", "weight_bytes", "peak_activation_bytes", "training_bytes"),
    *("receptive_field", "output_size"),
)


def _help(name: str, kind: str) -> str:
    limit = "1.5GiB" if UNITS.get(name) == BYTES else "200" if name in OF_A_LAYER else "5e6"
    return f"A budget: {name.replace('_', ' ')} {kind.replace('_', ' ')} this ({limit})."


@click.command("solve", context_settings={"max_content_width": 100})
@options.source_argument
@click.option(
    "--for",
    "unknowns",
    metavar="NAME[=VALUES]",
    multiple=True,
    required=True,
    callback=_pairs,
    help="An unknown (repeatable): w, w=8:512:8 with the last value included, w=8,16,32, or several that go "
    "together: w,d=10,11;12,14.",
)
@click.option("--maximize", metavar="[FIGURE]", is_flag=False, flag_value="", help="What is to be largest.")
@click.option("--minimize", metavar="[FIGURE]", is_flag=False, flag_value="", help="What is to be smallest.")
@_budget_options
@click.option(
    "--budget",
    "budgets",
    metavar="FIGURE<=LIMIT",
    multiple=True,
    help="A budget of a layer's figure: 'output_size@stage3>=14' (repeatable).",
)
@click.option(
    "--let",
    metavar="NAME=EXPRESSION",
    multiple=True,
    callback=_pairs,
    help="A symbol that follows from the unknowns (repeatable): d=10+2*phi.",
)
@click.option(
    "--multiple-of",
    "multiples",
    metavar="NAME=N",
    multiple=True,
    callback=_multiples,
    help="Only multiples of N count for an unknown (repeatable): w=8.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop after this time with the best that is known, and exit with 4.",
)
@options.reading_options
@options.generated(AnalysisOptions, _ANALYSIS)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: table, or by the suffix of -o.")
@options.output_option
@click.option("--width", type=click.IntRange(min=40), help="Width of the text. Default: the terminal's.")
@click.option("--ascii", is_flag=True, help="Use only ASCII.")
def command(source: str, **given: Any) -> int:
    """Answer a design question exactly: the widest, deepest, cheapest network under budgets.

    SOURCE is a network with symbols: a spec, a Keras config, a .keras or .h5 file, keras:NAME, or - for
    standard input. Exits with 1 if no configuration meets the budgets, with 4 if that is undecided in time.
    """
    from archcalc.cli.sources import naming, read
    from archcalc.design.solve import solve

    show = options.Showing.of(given, FORMATS, {"width": ("table",), "ascii": ("table", "json")})
    reading = options.taken(given, options.READING)
    sought = {n.strip() for names in given["unknowns"] for n in names.split(",")}
    for name in sorted(reading["symbols"].keys() & (sought | given["let"].keys())):
        raise click.UsageError(f"--set {name}: it is solved for, so it has no value of its own")
    graph = read(source, **reading)
    at_most, at_least = _budgets(given)
    wanted = {name: values or None for name, values in given.pop("unknowns").items()}
    maximize, minimize = _goal(given, wanted)
    with naming(source):
        solution = solve(
            graph, wanted, maximize=maximize, minimize=minimize, at_most=at_most, at_least=at_least, **given
        )
        emit(_text(solution, show), show.output)
    return NOT_PROVED if not solution.proved else NO_SOLUTION if solution.status == "infeasible" else 0


def _budgets(given: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    limits: dict[str, dict[str, str]] = {"at_most": {}, "at_least": {}}
    for name in NAMES:
        for kind, stated in limits.items():
            value = given.pop(f"{name}__{kind}")
            if value is not None:
                stated[name] = value
    for text in given.pop("budgets"):
        kind, sign = ("at_most", "<=") if "<=" in text else ("at_least", ">=")
        name, found, value = text.partition(sign)
        if not found or not value.strip():
            raise click.UsageError(f"--budget {text!r}: expected FIGURE<=LIMIT or FIGURE>=LIMIT")
        limits[kind][name.strip()] = value.strip()
    return limits["at_most"], limits["at_least"]


def _goal(given: dict[str, Any], wanted: dict[str, Any]) -> tuple[str | None, str | None]:
    """What is to be largest and what smallest; without a figure, the only unknown is."""
    stated = given.pop("maximize"), given.pop("minimize")
    only = ",".join(wanted)
    if "" in stated and "," in only:
        raise click.UsageError(
            f"of several unknowns, say which: --maximize {only.split(',')[0]}, or a figure"
        )
    largest, smallest = (only if goal == "" else goal for goal in stated)
    return largest, smallest


def _text(solution: Solution, show: options.Showing) -> str:
    if show.form == "json":
        from archcalc.render.json import json_text

        return json_text(solution.to_dict(), ascii=show.ascii)
    if show.form == "markdown":
        from archcalc.render.solution import markdown

        return markdown(solution)
    return solution.to_text(show.width, ascii=show.ascii)
