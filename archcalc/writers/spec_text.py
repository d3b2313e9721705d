"""A spec as text that people read and edit: one line per layer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_ROWS = ("layers", "claims")


def spec_text(data: Mapping[str, Any]) -> str:
    """The JSON of a spec, with each layer, block and claim on its own line."""
    return _object(data, "") + "\n"


def _object(data: Mapping[str, Any], indent: str) -> str:
    inner = indent + "  "
    lines = [f"{inner}{_inline(key)}: {_value(key, value, inner)}" for key, value in data.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _value(key: str, value: Any, indent: str) -> str:
    inner = indent + "  "
    if key == "blocks":
        blocks = [f"{inner}{_inline(name)}: {_object(block, inner)}" for name, block in value.items()]
        return "{\n" + ",\n".join(blocks) + f"\n{indent}}}"
    if key in _ROWS and value:
        return "[\n" + ",\n".join(f"{inner}{_inline(row)}" for row in value) + f"\n{indent}]"
    return _inline(value)


def _inline(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        return json.dumps(value, allow_nan=False)
    return text
