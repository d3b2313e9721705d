"""JSON text with one line per layer, which reads and compares well; no infinities."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def json_text(data: Mapping[str, Any], *, ascii: bool = False) -> str:
    """An object as JSON: each key, and each member of a list of objects, on its own line."""
    return "".join(json_pieces(data, ascii=ascii))


def json_pieces(data: Mapping[str, Any], *, ascii: bool = False) -> Iterator[str]:
    """The same in pieces, which need not be in memory together; an iterator is a list of objects."""
    separator = "{\n "
    for key, value in data.items():
        yield f"{separator}{_inline(key, ascii)}: "
        separator = ",\n "
        if isinstance(value, Iterator):
            yield from _list(value, ascii)
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            yield from _list(iter(value), ascii)
        else:
            yield _inline(value, ascii)
    yield "\n}\n"


def _list(objects: Iterator[Any], ascii: bool) -> Iterator[str]:
    separator = "[\n  "
    for each in objects:
        yield separator + _inline(each, ascii)
        separator = ",\n  "
    yield "[]" if separator.startswith("[") else "\n ]"


_TEXT, _ASCII = (json.JSONEncoder(ensure_ascii=ascii, allow_nan=False).encode for ascii in (False, True))


def _inline(value: Any, ascii: bool) -> str:
    text = _ASCII(value) if ascii else _TEXT(value)
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
            return _ASCII(value)
    return text
