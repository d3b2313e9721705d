"""Objects that a Keras 3 archive holds twice: it marks every occurrence but the first."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

MARK = "shared_object_id"


def with_first_marked(data: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the first occurrence of every shared layer marked like the others.

    It is the only layer before the marked one that has its class, name and arguments; where several
    have, none is marked. Two submodels with one layer are found so, though Keras makes two of it.
    """
    if not any(MARK in entry for entry in _layers(data)):
        return data
    data = copy.deepcopy(data)
    unmarked: dict[str, list[dict[str, Any]]] = {}
    known: set[Any] = set()
    for entry in list(_layers(data)):
        mark = entry.get(MARK)
        if type(mark) is not int:
            unmarked.setdefault(_described(entry), []).append(entry)
        elif mark not in known:
            known.add(mark)
            same = unmarked.get(_described(entry), [])
            if len(same) == 1:
                same.pop()[MARK] = mark
    return data


def _layers(data: Any) -> Iterator[dict[str, Any]]:
    """Every entry of a layer, in the order in which Keras wrote them: what is inside comes first."""
    waiting = [(data, False)]
    while waiting:
        entry, inside_done = waiting.pop()
        config = entry.get("config")
        if inside_done:
            yield entry
            continue
        waiting.append((entry, True))
        if isinstance(config, dict):
            inner = config.get("layers")
            parts = [*(inner if isinstance(inner, list) else []), config.get("layer")]
            waiting += [(p, False) for p in reversed(parts) if isinstance(p, dict) and "class_name" in p]


def _described(entry: dict[str, Any]) -> str:
    config = entry.get("config")
    own = {k: v for k, v in config.items() if k != "layers"} if isinstance(config, dict) else config
    described = [entry.get("class_name"), entry.get("name"), _without_marks(own)]
    return json.dumps(described, sort_keys=True, default=str)  # a traced model holds unknown sizes


def _without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_marks(v) for k, v in value.items() if k != MARK}
    return [_without_marks(v) for v in value] if isinstance(value, list) else value
