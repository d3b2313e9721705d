"""The table of layer types."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from archcalc.arith.unknown import Unknown
from archcalc.layers.refusals import Refusal
from archcalc.render import text
from archcalc.render.text import ASCII, UNICODE, Glyphs
from archcalc.report.catalogue import Entry
from archcalc.report.values import to_json_value

NAME = 26
REFUSED = "refused, because they have no rule"
OPERATIONS = "operations of keras.ops, without parameters"
LEGEND = (
    "parameters in closed form: words are a layer's arguments (one value for all axes), C the channels, "
    "D, H, W, T the other sizes of its input, or of its output where that is shorter; biases included. "
    "`archcalc layers TYPE` shows the details of a type."
)


def overview(
    entries: Sequence[Entry],
    width: int,
    ascii: bool,
    operations: Mapping[str, Sequence[str]] | None = None,
    refused: Mapping[str, Refusal] | None = None,
) -> str:
    """Every type with its summary and parameters, by family; then operations and refused classes."""
    lines = []
    for family, members in groupby(entries, key=lambda e: e.family):
        lines.append(family)
        for e in members:
            lines += text.folded(f"  {e.name}".ljust(NAME), e.summary, width)
            formula = _formula(e.parameters)
            if formula not in ("0", ""):
                lines += text.folded(" " * NAME, f"parameters {formula}", width)
        lines.append("")
    if operations:
        lines.append(OPERATIONS)
        for family, names in operations.items():
            lines += text.folded(f"  {family}".ljust(NAME), " ".join(names), width)
        lines.append("")
    if refused:
        lines += [REFUSED, *_refusals(refused, width), ""]
    lines += textwrap.wrap(LEGEND, min(width, 100))
    return _encoded("\n".join(lines) + "\n", ascii)


def details(
    entries: Sequence[Entry], width: int, ascii: bool, refused: Mapping[str, Refusal] | None = None
) -> str:
    """Details of some types: arguments with defaults, shapes and figures; or why they are refused."""
    glyphs = ASCII if ascii else UNICODE
    parts = ["\n".join(_details(e, width, glyphs)) for e in entries]
    if refused:
        parts.append("\n".join([REFUSED, *_refusals(refused, width)]))
    return _encoded("\n\n".join(parts) + "\n", ascii)


def _refusals(refused: Mapping[str, Refusal], width: int) -> Iterator[str]:
    for name, refusal in refused.items():
        head = f"  {name}".ljust(NAME)
        if len(head) > NAME:
            yield head
            head = " " * NAME
        yield from text.folded(head, f"{refusal.described(name)}; {refusal.remedy}", width)


def _details(e: Entry, width: int, glyphs: Glyphs) -> Iterator[str]:
    yield e.name
    yield from text.folded("  ", e.summary, width)
    if e.input_shapes is not None and e.output_shape is not None:
        ins = ", ".join(text.shape(s, glyphs) for s in e.input_shapes) or "nothing"
        yield ""
        yield from text.folded(
            "  shape".ljust(NAME), f"{ins} {glyphs.arrow} {text.shape(e.output_shape, glyphs)}", width
        )
        yield from text.folded("  parameters".ljust(NAME), _formula(e.parameters), width)
        yield from text.folded("  MACs".ljust(NAME), _formula(e.macs), width)
        yield from text.folded("  elementwise".ljust(NAME), _formula(e.elementwise_operations), width)
    yield ""
    for a in e.arguments:
        if a.figures:
            yield f"  {a.name}".ljust(NAME) + ("required" if a.required else _default(a.default))
    others = [a.name for a in e.arguments if not a.figures]
    if others:
        yield from text.folded("  also accepted".ljust(NAME), ", ".join(others), width)


def markdown(
    entries: Sequence[Entry],
    operations: Mapping[str, Sequence[str]] | None = None,
    refused: Mapping[str, Refusal] | None = None,
) -> str:
    """The overview as Markdown tables."""
    lines = ["| Layer | Family | What it does | Parameters | MACs |", "| --- | --- | --- | --- | --- |"]
    for e in entries:
        summary = e.summary.replace("|", "\\|")
        lines.append(f"| {e.name} | {e.family} | {summary} | {_code(e.parameters)} | {_code(e.macs)} |")
    lines += ["", LEGEND]
    if operations:
        lines += ["", f"| Family | {OPERATIONS[0].upper()}{OPERATIONS[1:]} |", "| --- | --- |"]
        lines += [f"| {family} | {', '.join(names)} |" for family, names in operations.items()]
    if refused:
        lines += ["", f"| {REFUSED[0].upper()}{REFUSED[1:]} | Why | What to do |", "| --- | --- | --- |"]
        lines += [f"| {name} | {r.described(name)} | {r.remedy} |" for name, r in refused.items()]
    return "\n".join(lines) + "\n"


def as_data(e: Entry) -> dict[str, Any]:
    """One type as plain data."""
    return {
        "name": e.name,
        "family": e.family,
        "summary": e.summary,
        "arguments": [
            {"name": a.name, "required": a.required}
            | ({} if a.required else {"default": to_json_value(a.default)})
            | {"figures": a.figures}
            for a in e.arguments
        ],
        "input_shapes": to_json_value(e.input_shapes),
        "output_shape": to_json_value(e.output_shape),
        "parameters": to_json_value(e.parameters),
        "macs": to_json_value(e.macs),
        "elementwise_operations": to_json_value(e.elementwise_operations),
    }


def _formula(figure: Any) -> str:
    if figure is None:
        return ""
    return "as stated" if isinstance(figure, Unknown) else str(figure)


def _code(figure: Any) -> str:
    formula = _formula(figure)
    return f"`{formula}`" if formula else ""


def _default(value: Any) -> str:
    return (
        {None: "none", True: "true", False: "false"}.get(value, repr(value))
        if _scalar(value)
        else repr(value)
    )


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _encoded(document: str, ascii: bool) -> str:
    return document.encode("ascii", "backslashreplace").decode("ascii") if ascii else document
