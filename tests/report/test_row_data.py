"""Rows as data: what JSON writes in parts, against each row asked by itself and Python's json."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, note, settings

import archcalc
from archcalc.graph import Graph
from archcalc.render.json import json_pieces
from archcalc.report import row_data
from archcalc.testing.strategies import architectures
from tests.networks import chain, conv_pair, made, residual, tower, with_unknown
from tests.properties.networks import spec, thorough


def text_and_data(graph: Graph, **options: Any) -> tuple[str, dict[str, Any]]:
    """What is streamed, and the data."""
    report = archcalc.analyze(graph, **options)
    return "".join(json_pieces(report.streamed())), report.to_dict()


def layer_lines(data: dict[str, Any]) -> list[str]:
    return [json.dumps(row, ensure_ascii=False) for row in data["layers"]]


@settings(thorough, max_examples=60)
@given(architectures())
def test_what_is_streamed_is_the_data(graph: Graph) -> None:
    note(spec(graph))
    text, data = text_and_data(graph)
    assert json.loads(text) == data
    lines = [line.strip().removesuffix(",") for line in text.splitlines() if line.startswith('  {"name"')]
    assert lines == layer_lines(data)
    assert data["layers"] == [row.to_dict() for row in archcalc.analyze(graph).rows]


@pytest.mark.parametrize(
    ("graph", "options"),
    [
        (tower(), {}),  # closed forms, whose parts are not compared
        (with_unknown(), {}),
        (residual(), {"clipped": True, "gradients": True}),
        (conv_pair(), {"convention": "fvcore", "batch": 3}),
    ],
)
def test_so_it_is_with_open_symbols_unknown_layers_and_gradients(
    graph: Graph, options: dict[str, Any]
) -> None:
    text, data = text_and_data(graph, **options)
    assert json.loads(text) == json.loads(json.dumps(data))
    rows = archcalc.analyze(graph, **options).rows
    assert data["layers"] == [row.to_dict() for row in rows]


def test_more_different_layers_than_are_remembered() -> None:
    number = row_data.MOST_SHARED + 40
    layers = [(f"d{i}", made("Dense", units=1 + i % (number // 2))) for i in range(number)]
    text, data = text_and_data(chain("long", (3,), *layers))
    assert json.loads(text) == data
    assert [row["output_shape"] for row in data["layers"][1:]] == [[layer.units] for _, layer in layers]


def test_half_a_character_escapes_the_whole_line() -> None:
    graph = chain("net", (4,), ("plain é", made("Dense", units=2)), ("half \ud800 é", made("ReLU")))
    text, data = text_and_data(graph)
    assert json.loads(text) == data
    assert "plain é" in text
    assert r"half \ud800 \u00e9" in text


def test_rows_share_no_part_of_their_data() -> None:
    """A user may change the data of one row; and YAML would write a shared list as an anchor."""
    layers = [(f"c{i}", made("Conv2D", filters=3, kernel_size=1)) for i in range(3)]
    data = archcalc.analyze(chain("net", (4, 4, 3), *layers)).to_dict()
    parts = [part for row in data["layers"] for part in _containers(row)]
    assert len({id(part) for part in parts}) == len(parts)


def _containers(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [] if inner is None else [value, *(part for each in inner for part in _containers(each))]
