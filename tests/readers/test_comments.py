"""The key `_` is a comment, in every object of a spec and for editors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import archcalc
from archcalc.errors import SourceError
from archcalc.readers.schema import schema

COMMENTED: dict[str, Any] = {
    "_": ["what this is", "and why"],
    "archcalc": 1,
    "symbols": {"_": "sizes", "w": {"_": "width", "default": 4}},
    "inputs": {"_": "one", "x": {"_": "in RGB", "shape": [8, 8, 3]}},
    "blocks": {
        "_": "all of them",
        "pair": {
            "_": "twice",
            "parameters": {"_": "of a use", "f": None},
            "layers": [{"_": "first", "name": "a", "type": "Conv2D", "filters": "f", "kernel_size": 3}],
        },
    },
    "layers": [
        {"_": "a block", "name": "p", "block": "pair", "f": "w"},
        {"_": "a layer", "name": "out", "type": "Dense", "units": 2},
    ],
    "claims": [{"_": "by hand", "quantity": "parameters", "value": 122}],
}


def bare(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: bare(value) for key, value in data.items() if key != "_"}
    return [bare(value) for value in data] if isinstance(data, list) else data


def test_comments_change_nothing() -> None:
    commented, without = archcalc.analyze(COMMENTED), archcalc.analyze(bare(COMMENTED))
    assert commented == without
    assert commented.totals.parameters == 3 * 3 * 3 * 4 + 4 + 4 * 2 + 2
    assert archcalc.to_spec(COMMENTED) == archcalc.to_spec(bare(COMMENTED))


def test_editors_accept_them() -> None:
    validator = Draft202012Validator(schema())
    assert list(validator.iter_errors(COMMENTED)) == []
    assert list(validator.iter_errors({**COMMENTED, "_": 1}))


@pytest.mark.parametrize("value", [1, None, {"a": 1}, ["a", 1]])
def test_a_comment_is_text(value: Any) -> None:
    with pytest.raises(SourceError, match=r"\$: unknown key '_'|\$\._: unknown key '_'"):
        archcalc.load({**COMMENTED, "_": value})


def test_a_file_with_a_comment_is_read(tmp_path: Any) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(COMMENTED), encoding="utf-8")
    assert archcalc.load(path).name == "net"
