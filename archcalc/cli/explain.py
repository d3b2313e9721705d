"""`archcalc explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import completion, options
from archcalc.cli.output import emit

if TYPE_CHECKING:
    from archcalc.review.explain import Explanation
    from archcalc.review.explain_field import FieldExplanation

FORMATS = ("table", "json", "csv", "markdown")
_SHOWING = ("form", "output", "ascii")
_FORWARD = (*options.READING, *_SHOWING, "source", "layers")
_COUNTED = (
    *("parameters", "receptive_field", "types", "kernel_size", "input_channels", "filters"),
    *("input_size", "bias", "groups", "implementation", "top"),
)
_FIELD = ("receptive_field", "number", "kernel_size", "top")


def _span(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """`16`, or `1:64`, both ends included."""
    if text is None:
        return None
    first, _, last = text.partition(":")
    try:
        return int(first), int(last or first)
    except ValueError:
        raise click.BadParameter(f"{text!r}: expected 16, or 1:64", ctx, parameter) from None


def _sizes(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[Any, ...]:
    """`3`, or `3x5` with one size for each axis."""
    sizes: list[Any] = []
    for text in texts:
        parts = text.lower().replace("×", "x").split("x")
        if not all(p.isdecimal() and 0 < int(p) < 10**9 for p in parts):
            raise click.BadParameter(f"{text!r}: expected 3, or 3x5", ctx, parameter)
        sizes.append(int(parts[0]) if len(parts) == 1 else tuple(map(int, parts)))
    return tuple(sizes)


@click.command("explain", context_settings={"max_content_width": 100})
@click.argument(
    "source",
    required=False,
    type=click.Path(allow_dash=True),
    metavar="[SOURCE]",
    shell_complete=completion.sources,
)
@options.reading_options
@click.option("--layer", "layers", multiple=True, metavar="NAME", help="The layer of SOURCE (repeatable).")
@click.option("--parameters", type=click.IntRange(min=1), metavar="N", help="Which layers have N parameters?")
@click.option(
    "--receptive-field",
    type=click.IntRange(min=1),
    metavar="R",
    help="Which chains see R units along an axis? With --parameters: only windows of R units.",
)
@click.option(
    "--layers",
    "number",
    type=click.IntRange(1, 3),
    metavar="N",
    help="How many layers the chain has; one more is tried too. Default: 1.",
)
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    shell_complete=completion.layer_types,
    help="Only this layer type (repeatable).",
)
@click.option(
    "--kernel-size",
    multiple=True,
    callback=_sizes,
    metavar="K",
    help="Only this kernel, 3 or 3x5 (repeatable). Default: 1 to 11, the same along all axes.",
)
@click.option("--input-channels", callback=_span, metavar="N", help="Only N channels, or 1:64.")
@click.option("--filters", callback=_span, metavar="N", help="Only N filters (units), or 1:64.")
@click.option(
    "--input-size",
    multiple=True,
    callback=_sizes,
    metavar="N",
    help="Only this input of a locally connected layer, 32 or 32x28 (repeatable).",
)
@click.option("--bias", type=click.Choice(["yes", "no"]), help="Only with, or only without a bias.")
@click.option("--groups", type=click.IntRange(min=1), multiple=True, metavar="N", help="Only N groups.")
@click.option(
    "--implementation", type=click.Choice(["1", "2", "3"]), help="Only this one, if locally connected."
)
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Show N answers. Default: 10.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Output format. Default: table, or by the suffix of the -o file.",
)
@options.output_option
@click.option("--ascii", is_flag=True, help="Use only ASCII.")
def command(source: str | None, layers: tuple[str, ...], **given: Any) -> int:
    """Show how each figure of a layer comes about, or which layers have a given count or field.

    With SOURCE: every step of its layers' figures, with numbers put in. With --parameters or
    --receptive-field: every configuration of the stated space that has exactly this figure. Exit code 1
    if none has it; the space was then searched in full.
    """
    if source is not None:
        options.refuse_others(_FORWARD, "does not apply with SOURCE; leave one of them out")
        return _derivations(source, layers, given)
    if given["parameters"] is None and given["receptive_field"] is None:
        raise click.UsageError(
            "what is to be explained? SOURCE --layer NAME, --parameters N, or --receptive-field R"
        )
    known = _FIELD if given["parameters"] is None else _COUNTED
    what = "--receptive-field alone" if known is _FIELD else "--parameters"
    options.refuse_others((*known, *_SHOWING), f"does not apply to {what}")
    if given["top"] is not None:
        options.require_effect(given["form"] or "table", {"top": ("table", "markdown")})
    result = _field(given) if known is _FIELD else _counted(given)
    _emit(result, given)
    return int(not result.found)


def _emit(result: Explanation | FieldExplanation, given: dict[str, Any]) -> None:
    from archcalc.render import explanation

    form = options.chosen_format(given["form"], given["output"], FORMATS)
    options.require_effect(form, {"ascii": ("table", "json"), "top": ("table", "markdown")})
    ascii = options.wants_ascii(given["ascii"], given["output"])
    top = given["top"] or explanation.TOP
    if form == "json":
        from archcalc.render.json import json_text

        text = json_text(result.to_dict(), ascii=ascii)
    elif form == "csv":
        text = explanation.csv_text(result)
    elif form == "markdown":
        text = explanation.markdown(result, top)
    else:
        text = explanation.text(result, width=options.chosen_width(None), ascii=ascii, top=top)
    emit(text, given["output"])


def _counted(given: dict[str, Any]) -> Explanation:
    from archcalc.review.explain import explain
    from archcalc.review.space import Space

    narrowed: dict[str, Any] = {
        "types": given["types"],
        "kernel_sizes": given["kernel_size"],
        "input_channels": given["input_channels"],
        "filters": given["filters"],
        "bias": None if given["bias"] is None else (given["bias"] == "yes",),
        "groups": given["groups"],
        "implementations": None if given["implementation"] is None else (int(given["implementation"]),),
        "receptive_field": given["receptive_field"],
    }
    space = Space(**{name: value for name, value in narrowed.items() if value})
    if given["input_size"]:
        space = space.with_inputs(given["input_size"])
    return explain(given["parameters"], space.with_effect(chosen=bool(given["types"])))


def _field(given: dict[str, Any]) -> FieldExplanation:
    from archcalc.review.explain_field import FieldSpace, explain_field

    narrowed: dict[str, Any] = {"layers": given["number"], "kernel_sizes": given["kernel_size"]}
    if any(isinstance(k, tuple) for k in given["kernel_size"]):
        raise click.UsageError("--kernel-size: a field is explained along one axis; give one size")
    space = FieldSpace(**{name: value for name, value in narrowed.items() if value})
    return explain_field(given["receptive_field"], space)


def _derivations(source: str, layers: tuple[str, ...], given: dict[str, Any]) -> int:
    from archcalc.analyze import analyze
    from archcalc.cli.sources import naming, read
    from archcalc.render import derivation

    form = options.chosen_format(given["form"], given["output"], FORMATS)
    if form == "csv":
        raise click.UsageError("a derivation is not written as csv, only as table, json, markdown")
    options.require_effect(form, {"ascii": ("table", "json")})
    ascii = options.wants_ascii(given["ascii"], given["output"])
    graph = read(source, **options.taken(given, options.READING))
    with naming(source):
        report = analyze(graph)
        try:
            rows = [report.layers[name] for name in layers] if layers else report.rows
        except KeyError as unknown:
            raise click.UsageError(f"--layer: {unknown.args[0]}") from None
        found = [row.derivation() for row in rows if layers or row.type != "InputLayer"]
        if form == "json":
            from archcalc.render.json import json_text
            from archcalc.report.derivation import as_data

            text = json_text(as_data(report.name, report.source, found), ascii=ascii)
        elif form == "markdown":
            text = "\n".join(map(derivation.markdown, found))
        else:
            width = options.chosen_width(None)
            text = "\n".join(derivation.text(d, width=width, ascii=ascii) for d in found)
        emit(text, given["output"])
    return 0
