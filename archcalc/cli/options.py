"""Options that several commands share, and how they apply to this terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, TypeVar

import click

from archcalc.analyses.memory.precision import OPTIMIZERS, PRECISIONS
from archcalc.conventions import NAMES as CONVENTIONS
from archcalc.readers.limits import MAX_LAYERS

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("table", "json", "csv", "markdown", "latex")
SEVERITIES = ("info", "warning", "error")
_BY_SUFFIX = {".json": "json", ".csv": "csv", ".md": "markdown", ".markdown": "markdown", ".tex": "latex"}
PIPE_WIDTH = 120
MIN_WIDTH = 40


# how a result is shown -> the formats that it applies to
APPLIES: dict[str, tuple[str, ...]] = {
    "depth": ("table", "csv", "markdown", "latex"),
    "width": ("table",),
    "color": ("table",),
    "ascii": ("table", "json"),
}


def given() -> Iterator[click.Parameter]:
    """The options on the command line that change what their command does by default."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = str(parameter.name)
        stated = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        # without colour and with the default is what every format is
        if stated and not (name == "color" and context.params[name] != "always"):
            yield parameter


def refuse(names: Container[str], reason: str) -> None:
    """Refuse options on the command line that would change nothing; `reason` follows the option's name."""
    for parameter in given():
        if parameter.name in names:
            raise click.UsageError(f"{parameter.opts[-1]} {reason}", click.get_current_context())


def require_effect(form: str, applies: Mapping[str, tuple[str, ...]] = APPLIES) -> None:
    """Refuse options on the command line that change nothing in this format."""
    for name, forms in applies.items():
        if form not in forms:
            refuse((name,), f"does not apply to {form}, only to {', '.join(forms)}")


def _assignments(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, int | None]:
    """`w=64`: symbols and their values (null opens one); the last value of a symbol counts."""
    values: dict[str, int | None] = {}
    for text in texts:
        name, sign, number = text.partition("=")
        if not sign or not name.strip().isidentifier():
            raise click.BadParameter(f"{text!r}: expected NAME=VALUE, as in w=64", ctx, parameter)
        try:
            values[name.strip()] = None if number.strip() == "null" else int(number)
        except ValueError:
            raise click.BadParameter(
                f"{text!r}: {number!r} is not an integer (null leaves the symbol open)", ctx, parameter
            ) from None
    return values


def _shape(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[Any, ...] | None:
    """`32,32,3`: sizes, or names that stay symbolic, without the batch axis."""
    if text is None:
        return None
    parts = [part.strip() for part in text.strip("()[] ").split(",") if part.strip()]
    if not parts or not all(p.isidentifier() or (p.isdecimal() and int(p) > 0) for p in parts):
        raise click.BadParameter(
            f"{text!r}: expected positive integers or names, as in 32,32,3 or H,W,3", ctx, parameter
        )
    return tuple(int(p) if p.isdecimal() else p for p in parts)


def _amount(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """`24GiB` as bytes."""
    if text is None:
        return None
    from archcalc.errors import ArchcalcError
    from archcalc.report.fit import bytes_of

    try:
        return bytes_of(text)
    except ArchcalcError as wrong:
        raise click.BadParameter(str(wrong).removeprefix("memory: "), ctx, parameter) from None


def source_argument(command: F) -> F:
    return click.argument("source", type=click.Path(allow_dash=True), metavar="SOURCE")(command)


def reading_options(command: F) -> F:
    """Options for how a source is read."""
    for option in reversed(
        (
            click.option(
                "--set",
                "values",
                metavar="NAME=VALUE",
                multiple=True,
                callback=_assignments,
                help="Give a symbol a value (repeatable); null leaves it open.",
            ),
            click.option(
                "--input-shape",
                metavar="SHAPE",
                callback=_shape,
                help="Input shape of a Keras model instead of its own: 32,32,3 or H,W,3.",
            ),
            click.option(
                "--allow-unknown",
                is_flag=True,
                help="Continue past unknown layers of a Keras model; figures after them are unknown.",
            ),
            click.option(
                "--max-layers",
                type=click.IntRange(min=1),
                default=MAX_LAYERS,
                show_default=True,
                metavar="N",
                help="Maximum number of layers.",
            ),
        )
    ):
        command = option(command)
    return command


def costing_options(command: F) -> F:
    """Options for what memory and FLOPs are counted for."""
    for option in reversed(
        (
            click.option(
                "--batch",
                type=click.IntRange(min=1),
                default=1,
                show_default=True,
                help="Batch size of the memory figures.",
            ),
            click.option(
                "--dtype",
                type=click.Choice(list(PRECISIONS), case_sensitive=False),
                default="float32",
                show_default=True,
                help="Keras dtype policy.",
            ),
            click.option(
                "--optimizer",
                type=click.Choice(list(OPTIMIZERS), case_sensitive=False),
                default="adam",
                show_default=True,
                help="Optimizer whose state counts as training memory.",
            ),
            click.option(
                "--memory",
                metavar="SIZE",
                callback=_amount,
                help="Report whether it fits into SIZE, and the largest batch that does (24GiB, 16GB).",
            ),
            click.option(
                "--convention",
                type=click.Choice(CONVENTIONS, case_sensitive=False),
                default="archcalc",
                show_default=True,
                help="Count FLOPs as this tool does.",
            ),
        )
    ):
        command = option(command)
    return command


def _interval(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, float] | None:
    """`0:1`: the least and the largest value."""
    if text is None:
        return None
    low, colon, high = text.partition(":")
    try:
        interval = float(low), float(high)
    except ValueError:
        interval = None
    if not colon or interval is None or not -float("inf") < interval[0] <= interval[1] < float("inf"):
        raise click.BadParameter(f"{text!r}: expected LOW:HIGH, as in 0:1", ctx, parameter)
    return interval


def plot_option(command: F) -> F:
    return click.option(
        "--plot",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Plot gradients by depth (png, svg or pdf): bound, expected band, measurement.",
    )(command)


def gradient_options(command: F) -> F:
    """Options for whether and how gradients are bounded."""
    for option in reversed(
        (
            click.option(
                "--gradients",
                is_flag=True,
                help="Bound each layer's gradient; predict it at initialisation.",
            ),
            click.option(
                "--weights",
                type=click.Choice(["symbolic", "expected", "actual"]),
                default="expected",
                show_default=True,
                help="Norms of weights: left open, expected at initialisation, or those in the .keras file.",
            ),
            click.option(
                "--tier",
                type=click.Choice(["symbolic", "tight", "centred"]),
                help="Kind of bound; tight and centred need --weights actual, whose default is tight.",
            ),
            click.option(
                "--training", is_flag=True, help="Bounds for training mode: batch statistics, dropout."
            ),
            click.option(
                "--input-range",
                metavar="LOW:HIGH",
                callback=_interval,
                help="Range of the input values, if known.",
            ),
            click.option(
                "--loss",
                metavar="NAME",
                help="Loss whose gradient in kernels is bounded. Default: the cross-entropy that fits.",
            ),
        )
    ):
        command = option(command)
    return command


def output_option(command: F) -> F:
    return click.option(
        "-o",
        "--output",
        type=click.Path(allow_dash=True),
        metavar="FILE",
        help="Write to a file, completely or not at all.",
    )(command)


def showing_options(command: F) -> F:
    """Options for how a result is shown."""
    for option in reversed(
        (
            click.option(
                "--format",
                "form",
                type=click.Choice(FORMATS),
                help="Output format. Default: table, or by the suffix of the -o file.",
            ),
            output_option,
            click.option(
                "--depth", type=click.IntRange(min=1), help="Show blocks below this level as one row."
            ),
            click.option(
                "--width",
                type=click.IntRange(min=MIN_WIDTH),
                help="Width of the table in columns. Default: the terminal's.",
            ),
            color_option,
            click.option("--ascii", is_flag=True, help="Use only ASCII in tables."),
        )
    ):
        command = option(command)
    return command


def color_option(command: F) -> F:
    return click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="NO_COLOR and FORCE_COLOR are respected.",
    )(command)


def chosen_format(form: str | None, output: str | None, known: tuple[str, ...] = FORMATS) -> str:
    """The requested format, or the one that the output file's suffix suggests."""
    if form is not None:
        return form
    suggested = _BY_SUFFIX.get(os.path.splitext(output or "")[1].lower(), known[0])
    return suggested if suggested in known else known[0]


def chosen_width(width: int | None) -> int:
    """The requested width, that of the terminal, or 120 without a terminal."""
    if width is not None:
        return width
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return max(int(columns), MIN_WIDTH)
    # in a pipe to a pager, the terminal is still where stderr goes
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and stream.isatty():
                return max(os.get_terminal_size(stream.fileno()).columns or PIPE_WIDTH, MIN_WIDTH)
        except (OSError, ValueError):
            continue
    return PIPE_WIDTH


def wants_color(color: str, output: str | None) -> bool:
    """Whether to colour: as requested, else by NO_COLOR and FORCE_COLOR, else on a terminal that can."""
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return os.environ["FORCE_COLOR"] not in ("0", "false")
    to_terminal = output in (None, "-") and sys.stdout is not None and sys.stdout.isatty()
    return to_terminal and os.environ.get("TERM") != "dumb"


def wants_ascii(ascii: bool, output: str | None) -> bool:
    """Whether tables use only ASCII: on request, or where the terminal shows nothing else."""
    if ascii:
        return True
    if output not in (None, "-"):
        return False
    locale = next((v for n in ("LC_ALL", "LC_CTYPE", "LANG") if (v := os.environ.get(n))), "")
    if locale in ("C", "POSIX"):
        return True
    try:
        "×—─–→·σ√²³".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False
