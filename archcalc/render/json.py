"""JSON text with one line per layer, which reads and compares well; no infinities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def json_text(data: Mapping[str, Any], *, ascii: bool = False) -> str:
    """An object as JSON: each key, and each member of a list of objects, on its own line."""
    text = _object(data, ascii)
    if not ascii:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
            text = _object(data, True)
    return text


def _object(data: Mapping[str, Any], ascii: bool) -> str:
    lines = [f" {_inline(key, ascii)}: {_value(value, ascii)}" for key, value in data.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _value(value: Any, ascii: bool) -> str:
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return "[\n  " + ",\n  ".join(_inline(v, ascii) for v in value) + "\n ]"
    return _inline(value, ascii)


def _inline(value: Any, ascii: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii, allow_nan=False)
