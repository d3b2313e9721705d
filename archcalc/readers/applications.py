"""`keras:NAME`: networks of keras.applications; with their default arguments Keras is not needed.

The configurations ship with archcalc (scripts/generate_applications.py writes them, a slow
test checks them against Keras). With arguments, `keras:ResNet50?classes=10`, Keras builds
the network, and its configuration is read like any other.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from archcalc.errors import Fault, SourceError
from archcalc.graph import Graph
from archcalc.readers.keras_config import read_keras
from archcalc.readers.limits import MAX_LAYERS
from archcalc.readers.names import did_you_mean, show

SCHEME = "keras:"
DATA = "applications.json.xz"


def names() -> list[str]:
    """The names that `keras:` accepts."""
    return list(_Shipped().spans)


def read_application(
    source: str,
    *,
    input_shape: Sequence[int | str] | None = None,
    allow_unknown: bool = False,
    symbols: Mapping[str, Any] | None = None,
    max_layers: int = MAX_LAYERS,
) -> Graph:
    """The network that `keras:NAME` or `keras:NAME?argument=value&...` names.

    Raises `SourceError` for names and arguments that do not exist, `MissingExtraError` for
    arguments where Keras is not installed.
    """
    name, separator, query = source.removeprefix(SCHEME).partition("?")
    shipped = _Shipped()
    if name not in shipped.spans:
        hint = did_you_mean(name, shipped.spans) or "; a name is written as in keras:ResNet50"
        _refuse(source, f"keras.applications has no {show(name)}{hint}")
    if separator:
        from archcalc.keras.applications import configuration

        config = configuration(name, _arguments(query, source), source)
    else:
        config = {"keras_version": shipped.version, **shipped.configuration(name)}
    return read_keras(
        config,
        source,
        input_shape=input_shape,
        allow_unknown=allow_unknown,
        symbols=symbols,
        max_layers=max_layers,
    )


class _Shipped:
    """The shipped file of configurations: a header with the span of each one, then all of them."""

    def __init__(self) -> None:
        packed = files("archcalc").joinpath("data", DATA).read_bytes()
        header, _, self._texts = lzma.decompress(packed).partition(b"\n")
        stated = json.loads(header)
        self.version: str = stated["keras_version"]
        self.spans: dict[str, tuple[int, int]] = stated["configurations"]

    def configuration(self, name: str) -> dict[str, Any]:
        start, length = self.spans[name]
        config: dict[str, Any] = json.loads(self._texts[start : start + length])
        return config


def _arguments(query: str, source: str) -> dict[str, Any]:
    """`input_shape=64,64,3&classes=10` as Python values."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=50)
    except ValueError:
        _refuse(source, f"expected NAME?argument=value&argument=value, got {show(query)} after the '?'")
    arguments: dict[str, Any] = {}
    for key, text in pairs:
        if key in arguments:
            _refuse(source, f"the argument {show(key)} appears twice")
        arguments[key] = _value(text)
    return arguments


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    if "," in text:
        return tuple(_value(part.strip()) for part in text.strip("()").split(",") if part.strip())
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _refuse(source: str, problem: str) -> NoReturn:
    raise SourceError(source, [Fault("", problem)])
