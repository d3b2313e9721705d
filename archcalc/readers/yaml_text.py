"""YAML of `model.to_yaml()`, as Keras wrote it up to 2.5: plain data, within fixed limits.

Only what Keras writes is read: mappings, lists, tuples and scalars. No tag makes an object. Needs PyYAML,
which splits the text into events; values are built here, so that an alias cannot grow without an end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

from archcalc.errors import Fault, MissingExtraError, SourceError
from archcalc.readers.json_text import MAX_DEPTH, MAX_DIGITS
from archcalc.readers.names import printable, show

MAX_BYTES = 4 * 1024 * 1024
MAX_VALUES = 500_000  # those that aliases repeat included

_FIRST_KEY = re.compile(rb"(?:backend|class_name|config|keras_version)\s*:")
_TEXTS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:python/str", "tag:yaml.org,2002:python/unicode")
_LISTS = ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:python/tuple")
_MAPS = ("tag:yaml.org,2002:map",)
_INTEGER, _FLOAT = (
    re.compile(r"[-+]?[0-9]+"),
    re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"),
)
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


def is_yaml(raw: bytes, source: str) -> bool:
    """Whether this looks like what `to_yaml` wrote, by its first key, or by the file's name."""
    named = source.lower().endswith((".yaml", ".yml"))
    lines = (
        line for line in raw[:4096].splitlines() if line.strip() and not line.startswith((b"#", b"-", b"%"))
    )
    begins = _FIRST_KEY.match(next(lines, b"")) is not None
    return begins or (named and not raw.lstrip().startswith((b"{", b"[")))


def decode(raw: bytes, source: str) -> Any:
    """The value that the text holds: dict, list, str, int, float, bool or None.

    Raises `SourceError` for anything else, and beyond the limits; `MissingExtraError` without PyYAML.
    """
    try:
        import yaml
    except ImportError as missing:
        raise MissingExtraError(
            f"{source}: YAML needs PyYAML: pip install 'archcalc[yaml]'; or write model.to_json()"
        ) from missing
    if len(raw) > MAX_BYTES:
        _refuse(source, f"YAML of more than {MAX_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse(source, "YAML that is not UTF-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml, yaml.parse(text, Loader=loader), source).document()
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        at = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        _refuse(source, f"not valid YAML: {printable(str(getattr(problem, 'problem', problem)))[:100]}{at}")


class _Composer:
    """Builds values from events, counting each of them."""

    def __init__(self, yaml: Any, events: Iterator[Any], source: str) -> None:
        self._yaml, self._events, self._source = yaml, events, source
        self._anchors: dict[str, tuple[Any, int]] = {}  # a value, and how many values are in it
        self._count = 0

    def document(self) -> Any:
        """The only document."""
        y, value, found = self._yaml, None, False
        for event in self._events:
            if isinstance(
                event, y.StreamStartEvent | y.StreamEndEvent | y.DocumentStartEvent | y.DocumentEndEvent
            ):
                continue
            if found:
                _refuse(self._source, "YAML of several documents")
            value, found = self._value(event, 1), True
        if not found:
            _refuse(self._source, "is empty")
        return value

    def _value(self, event: Any, depth: int) -> Any:
        y, before = self._yaml, self._count
        if depth > MAX_DEPTH:
            _refuse(self._source, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, y.AliasEvent):
            if event.anchor not in self._anchors:
                _refuse(self._source, f"the alias {show(event.anchor)} names nothing before it")
            value, size = self._anchors[event.anchor]
            self._add(size)
            return value
        self._add(1)
        if isinstance(event, y.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, y.SequenceStartEvent):
            self._require(event.tag, _LISTS)
            value = []
            while not isinstance(inner := next(self._events), y.SequenceEndEvent):
                value.append(self._value(inner, depth + 1))
        else:
            self._require(event.tag, _MAPS)
            value = self._mapping(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._count - before)
        return value

    def _mapping(self, depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        while not isinstance(inner := next(self._events), self._yaml.MappingEndEvent):
            key = self._value(inner, depth + 1)
            if isinstance(key, list | dict) or key is None:
                _refuse(self._source, f"a key that is no word: {show(key)}")
            if str(key) in value:
                _refuse(self._source, f"the key {show(str(key))} appears twice in an object")
            value[str(key)] = self._value(next(self._events), depth + 1)
        return value

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            _refuse(self._source, f"{show(text)} holds half a character (a lone surrogate)")
        if event.tag is not None:
            self._require(event.tag, _TEXTS)
            return text
        if not event.implicit[0]:  # quoted
            return text
        if text in _WORDS:
            return _WORDS[text]
        if len(text) <= MAX_DIGITS and _INTEGER.fullmatch(text):
            return int(text)
        if len(text) <= MAX_DIGITS and _FLOAT.fullmatch(text) and ("." in text or "e" in text.lower()):
            number = float(text)
            if number in (float("inf"), float("-inf")):
                _refuse(self._source, f"the number {show(text)} is too large")
            return number
        return text

    def _add(self, count: int) -> None:
        self._count += count
        if self._count > MAX_VALUES:
            _refuse(self._source, f"more than {MAX_VALUES:,} values, aliases written out")

    def _require(self, tag: str | None, known: tuple[str, ...]) -> None:
        if tag is not None and tag not in known:
            _refuse(self._source, f"a YAML tag that makes an object: {show(tag)}")


def _refuse(source: str, problem: str) -> NoReturn:
    raise SourceError(source, [Fault("", problem)])
