"""JSON Schema (draft 2020-12) of the spec, derived from the declarations that the reader uses.

It is for editors: it completes keys and underlines what is wrong within a single entry.
References, cycles and sizes are checked by the reader.
"""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from archcalc.graph.compiled import LABELS
from archcalc.graph.quantities import CLAIMED
from archcalc.layers.base import Layer
from archcalc.layers.fields import SIZE_SCHEMA
from archcalc.layers.registry import of_packages
from archcalc.readers.spec.arguments import layer_type, type_names
from archcalc.readers.spec.comments import COMMENT

_INFINITE = (float("inf"), float("-inf"))

SIZE = {"$ref": "#/$defs/size"}
NAME = {"$ref": "#/$defs/name", "description": "Unique in its list, without a slash."}
NAMES = {"type": "array", "items": {"type": "string"}, "minItems": 1}
INPUTS = NAMES | {
    "description": "What it reads, in order; the entry before it, if absent. lstm:1 is a second output."
}
MASKS = {
    "type": "object",
    "propertyNames": {"pattern": "mask$"},
    "additionalProperties": {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "null"]}}]
    },
    "description": "Tensors that the call gets as masks, by the argument's name.",
}


def schema() -> dict[str, Any]:
    """The schema of format 1, with `if`/`then` for each layer type."""
    broken = {name for name, cls in of_packages() if not isinstance(cls, type)}
    types = [name for name in type_names() if name not in broken]
    described: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archcalc spec, format 1",
        "type": "object",
        "required": ["archcalc", "inputs", "layers"],
        "additionalProperties": False,
        "properties": _file(),
        "$defs": {
            "size": {
                **SIZE_SCHEMA,
                "description": "An integer, or an expression of symbols such as 2*w + 1.",
            },
            "name": {"type": "string", "minLength": 1, "pattern": "^[^/]+$"},
            "positive": {"type": "integer", "minimum": 1},
            "symbol": _symbol(),
            "input": _input(),
            "block": _block(),
            "claim": _claim(),
            "compile": _compile(),
            "lint": _lint(),
            "layers": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/entry"}},
            "entry": _entry(types),
            "use": _use(),
            "shared": _shared(),
            **{f"layer.{name}": _layer(name) for name in types},
        },
    }
    _allow_comments(described)
    described["$defs"]["comment"] = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    }
    return described


def _file() -> dict[str, Any]:
    """The keys of the whole."""
    return {
        "$schema": {"type": "string", "description": "For editors; archcalc does not read it."},
        "archcalc": {"const": 1, "description": "The version of the format."},
        "name": {
            "type": "string",
            "description": "The network's name in reports; the file's, if absent.",
        },
        "symbols": {
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/symbol"},
            "description": "Numbers that expressions of sizes use by name.",
        },
        "inputs": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"$ref": "#/$defs/input"},
            "description": "Shapes without the batch axis, channels last.",
        },
        "blocks": {
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/block"},
            "description": "Groups of layers that entries of layers use by name.",
        },
        "layers": {"$ref": "#/$defs/layers", "description": "Layers and uses of blocks, in any order."},
        "outputs": NAMES | {"description": "The last layer, if absent."},
        "claims": {
            "type": "array",
            "items": {"$ref": "#/$defs/claim"},
            "description": "Figures that somebody stated; archcalc check compares them.",
        },
        "compile": {
            "$ref": "#/$defs/compile",
            "description": "What the network is trained with, for memory and lint.",
        },
        "lint": {"$ref": "#/$defs/lint", "description": "Findings of archcalc lint that are meant."},
    }


def _allow_comments(part: Any) -> None:
    """Add the key of comments to every object that states which keys it has."""
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _allow_comments(inner)
    if isinstance(part, dict) and "additionalProperties" in part:
        part["properties"] = {COMMENT: {"$ref": "#/$defs/comment"}, **part.get("properties", {})}


def _symbol() -> dict[str, Any]:
    positive = {"$ref": "#/$defs/positive"}
    optional = {"anyOf": [positive, {"type": "null"}]}
    properties = {
        "default": optional | {"description": "Its value; symbolic, if null or absent."},
        "min": positive | {"description": "Its least value; 1, if absent."},
        "max": optional | {"description": "Its largest value; any, if null or absent."},
    }
    return {
        "anyOf": [
            positive,
            {"type": "null", "description": "Stays symbolic."},
            {"type": "object", "properties": properties, "additionalProperties": False},
        ]
    }


def _input() -> dict[str, Any]:
    shape = {"type": "array", "items": SIZE}
    return {
        "anyOf": [
            shape,
            {
                "type": "object",
                "properties": {
                    "shape": shape | {"description": "Without the batch axis, channels last."},
                    "dtype": {
                        "type": "string",
                        "description": "The type of its numbers, int32 for tokens; float32, if absent.",
                    },
                },
                "required": ["shape"],
                "additionalProperties": False,
            },
        ]
    }


def _block() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["layers"],
        "additionalProperties": False,
        "properties": {
            "parameters": {
                "type": "object",
                "additionalProperties": {"anyOf": [SIZE, {"type": "null"}]},
                "description": "null where each use must give a value, else the default.",
            },
            "inputs": NAMES | {"description": 'Names of the inputs inside the block; ["input"] if absent.'},
            "layers": {"$ref": "#/$defs/layers", "description": "The last one is what the block gives."},
        },
    }


def _claim() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["quantity", "value"],
        "additionalProperties": False,
        "not": {"required": ["layer", "layers"]},
        "properties": {
            "quantity": {"enum": list(CLAIMED), "description": "What is claimed."},
            "layer": {"type": "string", "description": "Of which layer; of the whole network, if absent."},
            "layers": NAMES | {"description": "Of these layers together."},
            "per": {
                "enum": ["filter", "layer"],
                "description": "The value is that of one filter, or of each of the layers.",
            },
            "rounded_to": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "The unit of the last digit of a rounded value.",
            },
            "value": {
                "anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}],
                "description": "A shape and a field as a list, one number for each axis.",
            },
            "written": {"type": "string", "description": "The arithmetic as its author wrote it."},
            "note": {"type": "string", "description": "Where it stands, say; shown with the result."},
        },
    }


def _compile() -> dict[str, Any]:
    named = {"type": "string", "description": "A name of Keras's, also NAME(from_logits=True)."}
    or_null = {"anyOf": [named, {"type": "null"}]}
    several = [
        {"type": "array", "items": or_null, "minItems": 1, "description": "One for each output."},
        {"type": "object", "additionalProperties": or_null},
    ]
    return {
        "type": "object",
        "additionalProperties": False,
        "description": "What the network is trained with: the arguments of model.compile, and the labels.",
        "properties": {
            "loss": {
                "anyOf": [named, *several],
                "description": "A name of Keras's; a list or an object, with one for each output.",
            },
            "optimizer": {
                "type": "string",
                "minLength": 1,
                "maxLength": 60,
                "description": "A name of Keras's; it decides the bytes of the optimizer's state.",
            },
            "learning_rate": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "For lint; it changes no figure.",
            },
            "momentum": {
                "type": "number",
                "minimum": 0,
                "exclusiveMaximum": 1,
                "description": "With one, sgd and rmsprop hold a state, or a further one.",
            },
            "amsgrad": {"type": "boolean", "description": "With it, adam and adamw hold a further state."},
            "centered": {"type": "boolean", "description": "With it, rmsprop holds a further state."},
            "labels": {"enum": list(LABELS), "description": "What the labels are, for lint."},
            "classes": {"$ref": "#/$defs/positive", "description": "How many classes there are, for lint."},
            "metrics": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Names of Keras's; kept when the spec is converted.",
            },
        },
    }


def _lint() -> dict[str, Any]:
    ignore = {
        "type": "object",
        "required": ["rule", "reason"],
        "additionalProperties": False,
        "properties": {
            "rule": {"type": "string", "minLength": 1},
            "reason": {"type": "string", "minLength": 1},
            "layers": {"type": "array", "items": {"type": "string"}, "description": "Names; * matches any."},
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "ignore": {
                "type": "array",
                "items": ignore,
                "description": "Each with its rule, the reason why it is meant, and the layers, if not all.",
            }
        },
    }


def _entry(types: list[str]) -> dict[str, Any]:
    """One entry of `layers`: its keys depend on whether it is a layer, a block use or a shared layer."""
    chosen = [
        {
            "if": {
                "required": ["type"],
                "properties": {"type": {"const": name}},
                **({} if name == "Parameter" else {"not": {"required": ["shared_with"]}}),
            },
            "then": {"$ref": f"#/$defs/layer.{name}"},
        }
        for name in types
    ]
    return {
        "type": "object",
        "required": ["name"],
        "anyOf": [{"required": [key]} for key in ("type", "block", "shared_with")],
        "properties": {
            "name": NAME,
            "type": {"enum": types, "description": "The class of Keras's layer."},
            "inputs": INPUTS,
            "masks": MASKS,
        },
        "allOf": [
            {"if": {"required": ["block"]}, "then": {"$ref": "#/$defs/use"}},
            {"if": {"required": ["shared_with"]}, "then": {"$ref": "#/$defs/shared"}},
            *chosen,
        ],
    }


def _use() -> dict[str, Any]:
    return {
        "properties": {
            "name": NAME,
            "block": {"type": "string", "description": "The block's name. Further keys are its parameters."},
            "inputs": INPUTS,
            "repeat": SIZE | {"description": "How many copies of the block follow one another."},
            "type": False,
            "shared_with": False,
        },
        "additionalProperties": SIZE,
    }


def _shared() -> dict[str, Any]:
    return {
        "properties": {
            "shared_with": {
                "type": "string",
                "description": "The layer, or block use, that owns the weights.",
            },
            "block": False,
        }
    }


def _layer(name: str) -> dict[str, Any]:
    cls = layer_type(name)
    assert cls is not None
    properties: dict[str, Any] = {"name": NAME, "type": {"const": name}, "inputs": INPUTS, "masks": MASKS}
    required = []
    for f in dataclasses.fields(cast(Any, cls)):
        kind = cls.kinds.get(f.name)
        key = cls.spec_key(f.name)
        properties[key] = {} if kind is None else dict(kind.schema(cls.rank))
        if f.default is dataclasses.MISSING:
            required.append(key)
        elif isinstance(f.default, str | int | float) and f.default not in _INFINITE:
            properties[key]["default"] = f.default
    if name == "Parameter":
        properties["shared_with"] = {"type": "string"}
    summary = _summary(cls)
    return {
        "properties": properties,
        "required": ["name", "type", *required],
        "additionalProperties": False,
        **({"description": summary} if summary else {}),
    }


def _summary(cls: type[Layer]) -> str:
    """The first paragraph of the class's documentation."""
    return " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())
