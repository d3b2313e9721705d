"""Comments in a spec: the key `_` of any object, with a text or a list of texts."""

from __future__ import annotations

from typing import Any

COMMENT = "_"


def without_comments(data: Any) -> Any:
    """The same data without comments; the data itself if it has none, which is soon seen."""
    return _without(data) if _has_comment(data) else data


def _has_comment(data: Any) -> bool:
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if COMMENT in item:
                return True
            if not _CONTAINERS.isdisjoint(map(type, item.values())):
                waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return False


_CONTAINERS = frozenset({dict, list})


def _without(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _without(v) for k, v in data.items() if not (k == COMMENT and _is_text(v))}
    return [_without(v) for v in data] if isinstance(data, list) else data


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))
