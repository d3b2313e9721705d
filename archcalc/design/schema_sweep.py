"""The JSON Schema of what `archcalc sweep --format json` prints."""

from __future__ import annotations

from typing import Any

from archcalc.design.figures import NAMES

COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
TEXTS: dict[str, Any] = {"type": "array", "items": TEXT}


def closed(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An object that has exactly these keys."""
    keys = {"properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "object", **keys, **more}


STAMP = {
    "schema_version": {"const": 1},
    "tool": closed({"name": {"const": "archcalc"}, "version": TEXT}),
}
FIGURE = {
    "type": "string",
    "pattern": f"^({'|'.join(NAMES)})(@.+)?$",
    "description": "A figure; receptive_field and output_size may be those of a layer, with @LAYER.",
}
SYMBOLS: dict[str, Any] = {"type": "object", "additionalProperties": TEXT}


def sweep() -> dict[str, Any]:
    """Draft 2020-12."""
    ends = closed({"least": {"type": "integer"}, "largest": {"type": "integer"}, "unit": TEXT})
    member = {
        "type": "object",
        "required": ["ties"],
        "properties": {"ties": {"type": "integer", "minimum": 1}, "source": TEXT},
        "additionalProperties": {"type": "integer"},
        "description": "Its symbols and figures; ties: how many configurations have the same objectives.",
    }
    properties = {
        **STAMP,
        "sources": TEXTS | {"minItems": 1},
        "over": SYMBOLS | {"description": "The values of each swept symbol, the stop included."},
        "let": SYMBOLS | {"description": "Symbols that follow from others."},
        "structural": TEXTS | {"description": "Symbols with a network for each value."},
        "where": {"type": ["string", "null"]},
        "configurations": COUNT | {"description": "The sum of selected, invalid and unmatched."},
        "selected": COUNT,
        "invalid": COUNT | {"description": "What is no network."},
        "unmatched": COUNT | {"description": "What does not meet the condition."},
        "figures": {
            "type": "object",
            "propertyNames": FIGURE,
            "additionalProperties": {"anyOf": [ends, {"type": "null"}]},
        },
        "unknown": SYMBOLS | {"description": "Figures unknown in some configurations, and why."},
        "objectives": {"type": "object", "additionalProperties": {"enum": ["minimize", "maximize"]}},
        "front": {"type": "array", "items": member},
        "output": {"type": ["string", "null"]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archcalc sweep, format 1",
        **closed(properties),
    }
