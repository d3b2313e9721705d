"""Where a layer is in the text of a JSON file: the line of its entry."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]|[^\s{}\[\],:"]+')
_COPY = re.compile(r"\[(\d+|\*)\]$")

Path = tuple[str | int, ...]


def lines_of_objects(text: str) -> dict[Path, int]:
    """The line, from 1, on which each object and array of a JSON text begins, by the keys that lead to it."""
    found: dict[Path, int] = {}
    path: list[str | int] = []
    line, key, awaiting_key = 1, "", False
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word == "\n":
            line += 1
        elif word in "{[":
            found[tuple(path)] = line
            path.append("" if word == "{" else 0)
            awaiting_key = word == "{"
        elif word in "}]":
            path.pop()
            awaiting_key = False
        elif word == ",":
            if path and isinstance(path[-1], int):
                path[-1] += 1
            else:
                awaiting_key = True
        elif word == ":":
            path[-1], awaiting_key = key, False
        elif awaiting_key:
            key = json.loads(word)
    return found


class Positions:
    """The lines of the layers of a spec or a Keras configuration."""

    def __init__(self, text: str) -> None:
        self._lines = lines_of_objects(text)
        data = json.loads(text)
        self._root: Path = ()
        while isinstance(data, Mapping) and (inside := next((k for k in _INSIDE if k in data), "")):
            data, self._root = data[inside], (*self._root, inside)
        self._data = data

    def line(self, name: str) -> int | None:
        """The line of the entry of a layer (`stem/a`, `body[3]/a`, `encoder/conv1`), or its block's."""
        path, data = self._root, self._data
        nearest = None
        for step in name.split("/"):
            found = self._entry(path, data, _COPY.sub("", step))
            if found is None:
                break
            path, data = found
            nearest = self._lines.get(path, nearest)
            block = data.get("block")
            blocks = self._data.get("blocks", {})
            if isinstance(block, str) and block in blocks:
                path, data = (*self._root, "blocks", block), blocks[block]
        return nearest

    def _entry(self, path: Path, data: Any, name: str) -> tuple[Path, Mapping[str, Any]] | None:
        """The entry of this name in a container of layers."""
        for inside in ((), ("config",)):
            layers = _at(data, (*inside, "layers"))
            for i, entry in enumerate(layers if isinstance(layers, list) else ()):
                if isinstance(entry, Mapping) and name in (entry.get("name"), _at(entry, ("config", "name"))):
                    return (*path, *inside, "layers", i), entry
        inputs = _at(data, ("inputs", name))
        if isinstance(inputs, list | dict):
            return (*path, "inputs", name), inputs if isinstance(inputs, dict) else {}
        return None


_INSIDE = ("modelTopology", "model_config")


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data.get(step) if isinstance(data, Mapping) else None
    return data


def positions(path: str | None) -> Positions | None:
    """The positions in a file, if it is JSON with lines; None for archives and what is no file."""
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8-sig") as file:
            return Positions(file.read())
    except (OSError, ValueError, RecursionError):
        return None
