"""Write the pages of docs/ that follow from the code: the layer types and the keys of a spec.

    python -m scripts.reference_pages

`archcalc rules --format markdown` and `scripts.applications_table` write the others.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archcalc.layers.refusals import Refusal
from archcalc.readers import schema
from archcalc.render.catalogue import LEGEND, OPERATIONS, REFUSED
from archcalc.report import catalogue
from archcalc.report.catalogue import Entry
from archcalc.report.values import to_json_value

DOCS = Path(__file__).parents[1] / "docs"
NOTE = "This page is generated (`python -m scripts.reference_pages`) and held to the code by a test.\n"
LAYERS = (
    "Which layers does archcalc know, with which arguments, and what do they cost? `archcalc layers` prints "
    "the same list, and `archcalc layers TYPE` the details of one."
)
ARGUMENTS = (
    "Arguments that a layer needs are **bold**, the others stand with their defaults. Every type also takes "
    "`name`, `inputs`, `trainable`, `trained` (weight by weight) and what changes no figure, such as "
    "initializers."
)
SPEC = (
    "Which keys may a spec have, and what may they hold? [spec.md](spec.md) explains them with examples, "
    "[layers.md](layers.md) has the arguments of every layer type. `_` takes a comment in any object."
)
WORDS = {"positive": "positive integer", "size": "size", "boolean": "true or false", "string": "text"}
EVERYWHERE = ("trainable", "trained")
# title, and the part of the schema, of each section
SECTIONS = {
    "The file": "",
    "A symbol": "symbol",
    "An input": "input",
    "A block": "block",
    "An entry of layers": "entry",
    "An entry that uses a block": "use",
    "An entry that shares weights": "shared",
    "A claim": "claim",
    "compile": "compile",
    "lint": "lint",
}


def pages() -> dict[str, str]:
    """Name of the file -> its text."""
    return {"layers.md": "\n".join(_layers()), "spec-reference.md": "\n".join(_spec())}


# -- layer types -----------------------------------------------------------------------------------
def _layers() -> Iterator[str]:
    entries = catalogue.entries()
    yield "# Layer types\n"
    yield from _wrapped(LAYERS)
    yield f"\n{NOTE}"
    yield from _wrapped(f"{LEGEND[0].upper()}{LEGEND[1:]}")
    yield ""
    yield from _wrapped(ARGUMENTS)
    for family in dict.fromkeys(e.family for e in entries):
        yield f"\n## {family[0].upper()}{family[1:]}\n"
        yield "| type | what it does | arguments | parameters | MACs |"
        yield "|---|---|---|---|---|"
        yield from (_row(e) for e in entries if e.family == family)
    yield f"\n## {OPERATIONS[0].upper()}{OPERATIONS[1:]}\n"
    yield "| family | operations |"
    yield "|---|---|"
    yield from (f"| {family} | {', '.join(names)} |" for family, names in catalogue.operations().items())
    yield f"\n## {REFUSED[0].upper()}{REFUSED[1:]}\n"
    yield "| class | why | what to do |"
    yield "|---|---|---|"
    refused: dict[str, Refusal] = dict(catalogue.refused())
    yield from (f"| {name} | {r.described(name)} | {r.remedy} |" for name, r in refused.items())
    yield ""


def _row(entry: Entry) -> str:
    arguments = ", ".join(_argument(a) for a in entry.arguments if a.figures and a.name not in EVERYWHERE)
    figures = (_formula(entry.parameters), _formula(entry.macs))
    return f"| {entry.name} | {_cell(entry.summary)} | {arguments} | {figures[0]} | {figures[1]} |"


def _argument(argument: Any) -> str:
    if argument.required:
        return f"**{argument.name}**"
    return f"{argument.name} `{json.dumps(to_json_value(argument.default))}`"


def _formula(figure: Any) -> str:
    value = to_json_value(figure)
    return "as stated" if value is None else f"`{value}`"


# -- the spec --------------------------------------------------------------------------------------
def _spec() -> Iterator[str]:
    whole = schema.schema()
    yield "# The keys of a spec\n"
    yield from _wrapped(SPEC)
    yield ""
    yield NOTE.rstrip()
    for title, part in SECTIONS.items():
        entry = whole["$defs"][part] if part else whole
        form = next((e for e in entry.get("anyOf", ()) if "properties" in e), {}) | entry
        yield f"\n## {title}\n"
        if "description" in entry:
            yield f"{entry['description']}\n"
        if part in ("symbol", "input"):
            yield f"{_kind(entry)}.\n"
        yield "| key | holds | |"
        yield "|---|---|---|"
        needed = form.get("required", ())
        for name, value in form["properties"].items():
            if name != "_" and value is not False:
                notes = ("Required." if name in needed else "", _cell(value.get("description", "")))
                yield f"| `{name}` | {_kind(value)} | {' '.join(notes).strip()} |"
    yield ""


def _kind(value: dict[str, Any]) -> str:
    """What a key may hold, in words."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return WORDS.get(name, name)
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(map(_kind, value["anyOf"])))
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        if len(value["enum"]) > 20:
            return "a layer type"
        return ", ".join(f"`{json.dumps(choice)}`" for choice in value["enum"])
    kind = value.get("type", "any value")
    if kind == "array":
        return f"list of {_kind(value['items'])}"
    if kind == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"object of {_kind(value['additionalProperties'])}"
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(WORDS.get(k, k) for k in kinds)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 118, break_on_hyphens=False)


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
        print(DOCS / name)
