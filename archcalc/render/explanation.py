"""The answers of `explain` as text, CSV, Markdown and HTML; the space that was searched below them."""

from __future__ import annotations

import csv
import io
from html import escape
from typing import Any, TypeAlias

from archcalc.render.markdown import escaped
from archcalc.render.text import ASCII, UNICODE, Glyphs, folded
from archcalc.review.explain import Configuration, Explanation
from archcalc.review.explain_field import FieldExplanation, Link
from archcalc.review.space import TYPES

Answer: TypeAlias = Configuration | tuple[Link, ...]
Result: TypeAlias = Explanation | FieldExplanation
TOP = 10


def text(result: Result, *, width: int | None = None, ascii: bool = False, top: int = TOP) -> str:
    """The most plausible answers, one a line, and the space."""
    glyphs = ASCII if ascii else UNICODE
    lines = [headline(result)]
    lines += [f"  {described(a, glyphs)}" for a in result.answers[:top]]
    more = len(result.answers) - top
    if more > 0:
        lines.append(f"  and {more:,} less plausible (--top N shows more, --format json all)")
    lines += ["", *folded("searched: ", "; ".join(result.space.described()), width)]
    whole = "\n".join(lines) + "\n"
    return whole.replace("×", "x").replace("→", "->").encode("ascii", "replace").decode() if ascii else whole


def headline(result: Result) -> str:
    if isinstance(result, FieldExplanation):
        what = f"a receptive field of {result.receptive_field:,} along an axis"
        many = "chains"
    else:
        what, many = f"{result.parameters:,} parameters", "layers"
    if not result.found:
        return f"none of {result.size:,} {many} searched has {what}"
    number = len(result.answers)
    has = "has" if number == 1 else "have"
    return f"{number:,} of {result.size:,} {many} searched {has} {what}:"


def described(answer: Answer, glyphs: Glyphs = UNICODE) -> str:
    """`Conv2D 3×3, 16 → 32, bias`."""
    if isinstance(answer, tuple):
        return ", then ".join(link.described() for link in answer).replace("×", glyphs.times)
    arguments = answer.arguments
    kernel = glyphs.times.join(map(str, arguments.get("kernel_size", ())))
    parts = [f"{answer.type} {kernel}".rstrip()]
    parts.append(_channels(answer, glyphs))
    parts += [_BIAS[arguments["use_bias"]]] if "use_bias" in arguments else []
    for name in ("groups", "dilation_rate", "implementation", "padding"):
        if name in arguments and not (name == "padding" and arguments[name] == "valid"):
            parts.append(f"{name} {arguments[name]}")
    if TYPES[answer.type].positions:
        parts.append(f"input {glyphs.times.join(map(str, answer.input_shape[:-1]))}")
    return ", ".join(parts)


_BIAS = {True: "bias", False: "no bias"}


def _channels(answer: Configuration, glyphs: Glyphs) -> str:
    width = TYPES[answer.type].width
    if not width:
        return f"{answer.input_channels} channels"
    if width == "depth_multiplier":
        return f"{answer.input_channels} channels, depth multiplier {answer.width}"
    return f"{answer.input_channels} {glyphs.arrow} {answer.width}"


# -- tables --------------------------------------------------------------------------------------------
_COLUMNS = (
    *("type", "kernel_size", "input_channels", "width", "use_bias", "groups", "dilation_rate"),
    *("implementation", "padding", "input_shape"),
)


def csv_text(result: Result) -> str:
    """One line an answer; a chain's layers are numbered."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if isinstance(result, FieldExplanation):
        writer.writerow(["answer", "layer", *Link._fields])
        for number, chain in enumerate(result.answers, 1):
            writer.writerows([number, k, *link] for k, link in enumerate(chain, 1))
        return out.getvalue()
    writer.writerow(_COLUMNS)
    for answer in result.answers:
        row: dict[str, Any] = {**answer.arguments, "type": answer.type, "width": answer.width}
        row |= {"input_channels": answer.input_channels}
        if TYPES[answer.type].positions:
            row["input_shape"] = answer.input_shape
        writer.writerow([_cell(row.get(name)) for name in _COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def markdown(result: Result, top: int = TOP) -> str:
    lines = [headline(result), ""]
    shown: tuple[Answer, ...] = result.answers[:top]
    lines += [f"{i}. {escaped(described(a))}" for i, a in enumerate(shown, 1)]
    more = len(result.answers) - top
    lines += [f"\nand {more:,} less plausible"] if more > 0 else []
    return "\n".join([*lines, "", f"Searched: {escaped('; '.join(result.space.described()))}."]) + "\n"


def html(result: Result) -> str:
    """For a notebook, every text escaped."""
    items = "".join(f"<li>{escape(described(a))}</li>" for a in result.answers[:TOP])
    space = escape("; ".join(result.space.described()))
    return f"<div><p>{escape(headline(result))}</p><ol>{items}</ol><p>Searched: {space}.</p></div>"
