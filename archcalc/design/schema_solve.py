"""The JSON Schema of what `archcalc solve --format json` prints."""

from __future__ import annotations

from typing import Any

from archcalc.design.budgets import AT_LEAST, AT_MOST
from archcalc.design.solution import INFEASIBLE, SOLVED, UNPROVED
from archcalc.report.values import SCHEMA_VERSION

_INTEGER, _TEXT = {"type": "integer"}, {"type": "string"}
_MAYBE = {"type": ["integer", "null"]}
_VALUES = {"type": "object", "additionalProperties": _INTEGER}
_BUDGETS = {"type": "array", "items": {"$ref": "#/$defs/budget"}}


def solve() -> dict[str, Any]:
    """Draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What archcalc solve found",
        **_object(
            {
                "schema_version": {"const": SCHEMA_VERSION},
                "tool": _object({"name": _TEXT, "version": _TEXT}),
                "status": {"enum": [SOLVED, INFEASIBLE, UNPROVED]},
                "network": _TEXT,
                "goal": _said(_TEXT, "The question in words."),
                "sought": _said(_TEXT, "The figure or unknown that is largest or smallest."),
                "unknowns": _said({"type": "array", "items": _TEXT}, "In words, with their values."),
                "values": _said(_VALUES, "The answer, empty where there is none."),
                "symbols": _said(_VALUES, "The network's symbols that follow."),
                "objective": _said(_MAYBE, "The value of what is sought."),
                "figures": _said(_VALUES, "The figures of the answer."),
                "budgets": _BUDGETS,
                "binding": _said(_BUDGETS, "Those that exclude a better configuration one step away."),
                "neighbours": {"type": "array", "items": {"$ref": "#/$defs/neighbour"}},
                "conflict": {"type": "array", "items": {"$ref": "#/$defs/nearest"}},
                "limit": _said(
                    _MAYBE, "Where the time was over: a value of what is sought that nothing exceeds."
                ),
                "assumptions": {"type": "array", "items": _TEXT},
                "outside": _said(_MAYBE, "Configurations that were not searched; null: without end."),
                "boxes": _said(_INTEGER, "Sets of configurations that were bounded."),
            }
        ),
        "$defs": {
            "budget": _object(_BUDGET),
            "nearest": _object({**_BUDGET, "nearest": _MAYBE, "values": _VALUES}),
            "neighbour": _object(
                {
                    "unknown": _TEXT,
                    "values": _VALUES,
                    "figures": _VALUES,
                    "broken": _BUDGETS,
                    "better": {"type": "boolean"},
                }
            ),
        },
    }


_BUDGET: dict[str, Any] = {"figure": _TEXT, "kind": {"enum": [AT_MOST, AT_LEAST]}, "limit": _INTEGER}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _said(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description}
