"""JSON text with one line per layer, which reads and compares well; no infinities."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


def json_text(data: Mapping[str, Any], *, ascii: bool = False) -> str:
    """An object as JSON: each key, and each member of a list of objects, on its own line."""
    return "".join(json_pieces(data, ascii=ascii))


def json_pieces(data: Mapping[str, Any], *, ascii: bool = False) -> Iterator[str]:
    """The same in pieces, which need not be in memory together.

    An iterator is a list of objects, of which a tuple is one object in three parts (`report.row_data.parts`).
    """
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
    texts: dict[int, tuple[Any, str]] = {}
    for each in objects:
        text = _joined(each, texts, ascii) if type(each) is tuple else _inline(each, ascii)
        yield separator + text
        separator = ",\n  "
    yield "[]" if separator.startswith("[") else "\n ]"


MOST_TEXTS = 1_000  # that are remembered; a network whose layers all differ has as many as layers


def _joined(parts: tuple[dict[str, Any], ...], texts: dict[int, tuple[Any, str]], ascii: bool) -> str:
    """An object of three parts: texts; what other objects have too, whose text is in `texts`; the rest."""
    named, shared, rest = parts
    encode = _ASCII if ascii else _TEXT
    known = texts.get(id(shared))
    if known is None:
        if len(texts) == MOST_TEXTS:
            texts.clear()
        # with the part itself, so that no other one gets its id
        known = texts[id(shared)] = shared, encode(shared)[1:-1]
    # the encoder is quick for a text, and takes a microsecond to start for anything else
    members = [
        f"{encode(key)}: {encode(value) if type(value) is str else _texts(value, encode)}"
        for key, value in named.items()
    ]
    text = f"{{{', '.join(members)}, {known[1]}, {encode(rest)[1:]}"
    return text if _is_encodable(text) else _ASCII({**named, **shared, **rest})


def _texts(texts: Sequence[str], encode: Callable[[str], str]) -> str:
    return f"[{', '.join(map(encode, texts))}]"


def _encoder(*, ascii: bool) -> Callable[[Any], str]:
    # a report's data have no cycles, and looking for them takes a fifth of the time
    return json.JSONEncoder(ensure_ascii=ascii, allow_nan=False, check_circular=False).encode


_TEXT, _ASCII = _encoder(ascii=False), _encoder(ascii=True)


def _inline(value: Any, ascii: bool) -> str:
    text = _ASCII(value) if ascii else _TEXT(value)
    return text if _is_encodable(text) else _ASCII(value)


def _is_encodable(text: str) -> bool:
    """Whether the text has no lone surrogate, which only an escape can carry."""
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return False
    return True
