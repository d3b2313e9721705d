"""Options that several commands share, and how they apply to this terminal."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import click

from archcalc.cli import completion
from archcalc.errors import ArchcalcError
from archcalc.readers.limits import MAX_LAYERS
from archcalc.render.screen import MIN_WIDTH, only_ascii, screen_width
from archcalc.report.options import Choice, Flag, Names, Positive
from archcalc.report.rule import SEVERITIES as SEVERITIES

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("table", "json", "csv", "markdown", "latex")
_BY_SUFFIX = {".json": "json", ".csv": "csv", ".md": "markdown", ".markdown": "markdown", ".tex": "latex"}
_BY_SUFFIX |= dict.fromkeys((".html", ".htm"), "html")
_HTML = "no HTML is written here; archcalc report SOURCE -o FILE.html writes a page, -o FILE.md Markdown"
_SHEET = "no spreadsheet is written here; use -o FILE.csv, which spreadsheets open"
_PAGES = "no PDF is written here; use -o FILE.tex and LaTeX, or -o FILE.md"
_PICTURE = "no picture is written here; --plot FILE draws gradients, --plot field=FILE and memory=FILE these"
_NETWORK = "archcalc convert SOURCE -o FILE writes a network; this command writes its figures"
# suffixes of files that somebody may expect -> what writes them
_ELSEWHERE = {
    **dict.fromkeys((".html", ".htm"), _HTML),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), _SHEET),
    **dict.fromkeys((".pdf", ".docx"), _PAGES),
    **dict.fromkeys((".png", ".svg", ".jpg"), _PICTURE),
    **dict.fromkeys((".py", ".keras", ".h5", ".onnx"), _NETWORK),
}

# how a result is shown -> the formats that it applies to
APPLIES: dict[str, tuple[str, ...]] = {
    "depth": ("table", "csv", "markdown", "latex"),
    **dict.fromkeys(("columns", "sort", "top", "unfolded"), ("table", "markdown", "latex")),
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


def refuse_others(names: Iterable[str], reason: str) -> None:
    """Refuse the options on the command line that are not among these."""
    refuse({str(parameter.name) for parameter in given()}.difference(names), reason)


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


def _types(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """`FixedDropout=Dropout`: classes and what they are; the last word on a class counts."""
    return dict(_pair(text, "CLASS=TYPE, as in FixedDropout=Dropout", ctx, parameter) for text in texts)


def _row_shapes(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, tuple[int | str, ...]]:
    """`lambda_1=64,64,3`: rows and their output shapes, sizes or expressions in symbols."""
    shapes = {}
    for text in texts:
        name, sizes = _pair(text, "LAYER=SHAPE, as in lambda_1=64,64,3", ctx, parameter)
        parts = [part.strip() for part in sizes.strip("()[] ").split(",")]
        parts = parts[:-1] if parts[-1] == "" else parts  # (64,)
        if not all(parts):
            raise click.BadParameter(
                f"{text!r}: expected LAYER=SHAPE, as in lambda_1=64,64,3", ctx, parameter
            )
        shapes[name] = tuple(int(p) if p.isdecimal() and len(p) < 20 else p for p in parts)
    return shapes


def _pair(text: str, form: str, ctx: click.Context, parameter: click.Parameter) -> tuple[str, str]:
    name, sign, value = (part.strip() for part in text.rpartition("="))
    if not sign or not name or not value:
        raise click.BadParameter(f"{text!r}: expected {form}", ctx, parameter)
    return name, value


MOST_CHOICES = 70  # characters of names that `--help` shows as [a|b|c]
READING = ("symbols", "input_shape", "allow_unknown", "as_", "shapes", "classes", "max_layers")


def taken(given: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Some of the options that a command was given, taken out of them."""
    return {name: given.pop(name) for name in names}


def source_argument(command: F) -> F:
    form = click.Path(allow_dash=True)
    return click.argument("source", type=form, metavar="SOURCE", shell_complete=completion.sources)(command)


def sources_argument(command: F) -> F:
    """One or several networks."""
    return click.argument(
        "sources",
        nargs=-1,
        required=True,
        type=click.Path(allow_dash=True),
        metavar="SOURCE...",
        shell_complete=completion.sources,
    )(command)


def reading_options(command: F) -> F:
    """Options for how a source is read."""
    for option in reversed(
        (
            click.option(
                "--set",
                "symbols",
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
                "--as",
                "as_",
                metavar="CLASS=TYPE",
                multiple=True,
                callback=_types,
                help="What layers of a class without a rule are (repeatable): FixedDropout=Dropout.",
            ),
            click.option(
                "--shape",
                "shapes",
                metavar="LAYER=SHAPE",
                multiple=True,
                callback=_row_shapes,
                help="Output shape of a layer without a rule (repeatable): lambda_1=64,64,3.",
            ),
            click.option(
                "--classes",
                type=click.Path(),
                metavar="FILE",
                help="Rules for classes without a rule, as JSON.",
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


def generated(options: type, names: tuple[str, ...] = ()) -> Callable[[F], F]:
    """An option of the command line for every field of a dataclass of `archcalc.report.options`, or some."""

    def decorate(command: F) -> F:
        fields = [f for f in dataclasses.fields(options) if not names or f.name in names]
        for field in reversed(fields):
            name = f"--{field.name.replace('_', '-')}"
            command = click.option(name, **{"help": field.metadata["help"]} | _form(field))(command)
        return command

    return decorate


def _form(field: dataclasses.Field[Any]) -> dict[str, Any]:
    """How click reads and shows a field."""
    values = field.metadata["values"]
    if isinstance(values, Flag):
        return {"is_flag": True}
    shown: dict[str, Any] = {"default": field.default, "show_default": field.default is not None}
    if isinstance(values, Positive):
        return {"type": click.IntRange(min=1), **shown}
    if isinstance(values, Choice):
        shown["type"] = click.Choice(values.names, case_sensitive=False)
        if len("|".join(values.names)) > MOST_CHOICES:  # in one line they would be wider than a terminal
            shown |= {
                "metavar": "NAME",
                "help": f"{field.metadata['help']} One of {', '.join(values.names)}.",
            }
        return shown

    def read(ctx: click.Context, parameter: click.Parameter, text: str | None) -> Any:
        try:
            return None if text is None else values.check(text)
        except ArchcalcError as wrong:
            raise click.BadParameter(str(wrong), ctx, parameter) from None

    if isinstance(values, Names):
        shown["shell_complete"] = lambda _, __, text: completion.listed(values.names, text)
    return {"metavar": values.metavar, "callback": read, **shown}


Plots = tuple[tuple[str, str], ...]  # what is drawn, and the file
PLOTTED = ("gradient", "field", "memory")


def _plots(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> Plots:
    """`field=FILE`, or FILE, which draws gradients."""
    found = []
    for text in texts:
        what, sign, path = text.partition("=")
        drawn = (what, path) if sign and what in PLOTTED else (PLOTTED[0], text)
        if not drawn[1]:
            raise click.BadParameter(f"{text!r}: expected {what}=FILE", ctx, parameter)
        found.append(drawn)
    return tuple(found)


def plots_option(command: F) -> F:
    return click.option(
        "--plot",
        "plots",
        metavar="[WHAT=]FILE",
        multiple=True,
        callback=_plots,
        help="Plot by depth (png, svg or pdf; repeatable): gradient (the default), field or memory.",
    )(command)


def plot_option(command: F) -> F:
    return click.option(
        "--plot",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Plot gradients by depth (png, svg or pdf): bound, expected band, measurement.",
    )(command)


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


class Showing(NamedTuple):
    """How a result is shown: as the command line says, and else as the terminal and the file's name do."""

    form: str
    output: str | None
    width: int
    color: bool
    ascii: bool

    @classmethod
    def of(
        cls,
        given: dict[str, Any],
        known: tuple[str, ...] = FORMATS,
        applies: Mapping[str, tuple[str, ...]] = APPLIES,
    ) -> Showing:
        """Taken out of what a command was given; raises `UsageError` for options without effect."""
        output = given.pop("output")
        form = chosen_format(given.pop("form"), output, known)
        if form not in known:
            raise click.UsageError(f"there is no format {form!r} here: {', '.join(known)}")
        require_effect(form, applies)
        return cls(
            form,
            output,
            chosen_width(given.pop("width")),
            wants_color(given.pop("color", "never"), output),
            wants_ascii(given.pop("ascii"), output),
        )


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
    suffix = os.path.splitext(output or "")[1].lower()
    suggested = _BY_SUFFIX.get(suffix, known[0])
    if suffix in _ELSEWHERE and (suffix not in _BY_SUFFIX or suggested not in known):
        raise click.UsageError(f"{output}: {_ELSEWHERE[suffix]}", click.get_current_context())
    if suggested not in known:
        raise click.UsageError(
            f"{output}: {suggested} is not written here, only {', '.join(known)}", click.get_current_context()
        )
    return suggested


def chosen_width(width: int | None) -> int:
    """The requested width, or that of the screen."""
    return screen_width() if width is None else width


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
    return output in (None, "-") and only_ascii()
