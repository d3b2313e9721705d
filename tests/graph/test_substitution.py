"""Values for symbols: the same graph as if the file had been read with them."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archcalc import arith
from archcalc.analyze import analyze
from archcalc.arith import symbolic
from archcalc.errors import ArchcalcError, LayerError, NetworkError
from archcalc.graph import Graph, Repeat, Tap
from archcalc.graph.substitution import open_symbols, with_values
from archcalc.layers.registry import registered
from archcalc.readers import load
from archcalc.readers.spec import read_spec
from archcalc.report.comparison import compare_conventions


def spec(**more: Any) -> dict[str, Any]:
    conv = {"type": "Conv2D", "kernel_size": 3, "padding": "same"}
    return {
        "archcalc": 1,
        "symbols": {"n": None, "m": {"min": 2, "max": 5}, "w": None, "H": None},
        "inputs": {"image": ["H", "H", "w"]},
        "blocks": {
            "inner": {"layers": [{"name": "c", **conv, "filters": "w", "activation": "relu"}]},
            "outer": {
                "layers": [
                    {"name": "first", "block": "inner", "repeat": "m"},
                    {"name": "b", "type": "BatchNormalization"},
                    {"name": "twin", "shared_with": "b"},
                    {"name": "sum", "type": "Add", "inputs": ["twin", "input"]},
                ]
            },
            "two": {
                "inputs": ["main", "side"],
                "layers": [{"name": "sum", "type": "Add", "inputs": ["side", "main"]}],
            },
        },
        "layers": [
            {"name": "stem", **conv, "filters": "w"},
            {"name": "body", "block": "outer", "repeat": "n"},
            {"name": "again", "block": "two", "inputs": ["body", "stem"], "repeat": "n"},
            {"name": "out", **conv, "filters": "2*w + 1"},
        ],
        **more,
    }


def described(graph: Graph) -> list[Any]:
    names = [node.name for node in graph.nodes]
    return [
        (
            node.name,
            type(node.layer).__name__,
            node.layer.keras_arguments(),
            [(names[t.node], t.output) for t in node.inputs],
            None if node.shared_with is None else names[node.shared_with],
        )
        for node in graph.nodes
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"n": 3},
        {"m": 2},
        {"n": 1, "m": 3},
        {"n": 2, "m": 4, "w": 5},
        {"H": 9, "w": 2},
        {"n": 2, "m": 2, "w": 3, "H": 8},
    ],
    ids=str,
)
def test_as_if_read_with_the_values(values: dict[str, int]) -> None:
    data = spec()
    graph = with_values(read_spec(data, "net.json"), values)
    read = read_spec(data, "net.json", symbols=values)
    assert described(graph) == described(read)
    assert graph.repeats == read.repeats
    assert [graph.nodes[t.node].name for t in graph.outputs] == [
        read.nodes[t.node].name for t in read.outputs
    ]
    assert set(open_symbols(graph)) == {"n", "m", "w", "H"} - set(values)
    assert {k: graph.symbols[k] for k in values} == values


def test_one_after_the_other_is_all_at_once() -> None:
    graph = read_spec(spec(), "net.json")
    at_once = with_values(graph, {"n": 3, "m": 2, "w": 4})
    assert described(with_values(with_values(with_values(graph, {"w": 4}), {"m": 2}), {"n": 3})) == described(
        at_once
    )
    assert described(with_values(with_values(graph, {"n": 3}), {"m": 2, "w": 4})) == described(at_once)


def test_a_name_that_is_no_symbol_and_a_value_out_of_range() -> None:
    graph = read_spec(spec(), "net.json")
    with pytest.raises(ArchcalcError, match=r"net.json: no symbol is named 'k'; its symbols are H, m, n, w"):
        with_values(graph, {"k": 1})
    with pytest.raises(ArchcalcError, match="m=6: declared as at least 2 and at most 5"):
        with_values(graph, {"m": 6})
    with pytest.raises(ArchcalcError, match="n: expected a positive integer for a symbol, got True"):
        with_values(graph, {"n": True})


def test_arguments_are_checked_again_and_all_faults_named() -> None:
    types = registered()
    width = symbolic.symbol("w")
    with arith.scope():
        strided = {"filters": 8, "kernel_size": 3, "strides": width, "dilation_rate": 2}
        layers: list[Any] = [
            ("x", types["InputLayer"](shape=(8, 8, 4)), []),
            ("a", types["Conv2D"](filters=8, kernel_size=width), ["x"]),
            ("b", types["Conv2D"](**strided), ["a"]),
            ("c", types["Conv2D"](**strided), ["b"]),
        ]
    graph = Graph.of("g", layers, ["c"], symbols={"w": None})
    with pytest.raises(NetworkError) as caught:
        with_values(graph, {"w": 3})
    assert [name for name, _ in caught.value.faults] == ["b", "c"]


def test_no_copy_leaves_the_block_out() -> None:
    types = registered()
    graph = Graph.of(
        "g",
        [
            ("x", types["InputLayer"](shape=(8,)), []),
            ("d", types["Dense"](units=8), ["x"]),
            ("e", types["Dense"](units=2), ["d"]),
        ],
        ["e"],
        repeats=(Repeat(1, 1, Tap(0), Tap(1), symbolic.symbol("n") - 1),),
        symbols={"n": None},
    )
    without = with_values(graph, {"n": 1})
    assert [(n.name, n.inputs) for n in without.nodes] == [("x", ()), ("e", (Tap(0),))]
    assert [n.name for n in with_values(graph, {"n": 3}).nodes] == ["x", "d[1]", "d[2]", "e"]
    fewer = dataclasses.replace(
        graph, repeats=(dataclasses.replace(graph.repeats[0], count=symbolic.symbol("n") - 2),)
    )
    with pytest.raises(LayerError, match="layer 'd': repeat must be a number of copies, got -1"):
        with_values(fewer, {"n": 1})


# -- symbols that have a value ---------------------------------------------------------------------
UNET = Path(__file__).parents[2] / "examples" / "unet.json"


def test_a_value_takes_the_place_of_a_default_everywhere() -> None:
    graph = load(UNET)
    assert analyze(graph).totals.parameters == 31_030_658
    for width, parameters in ((8, 485_682), (64, 31_030_658)):
        read = analyze(load(UNET, symbols={"w": width}))
        assert read.totals.parameters == parameters
        assert analyze(graph, symbols={"w": width}) == read
        assert with_values(graph, {"w": width}).symbols["w"] == width
    compared = compare_conventions(graph, symbols={"w": 8})
    assert compared == compare_conventions(load(UNET, symbols={"w": 8})) != compare_conventions(graph)
    again = with_values(with_values(graph, {"w": 8}), {"w": 64})
    assert analyze(again) == analyze(graph)
    assert analyze(pickle.loads(pickle.dumps(graph)), symbols={"w": 8}).totals.parameters == 485_682


def test_null_opens_a_symbol_and_arrays_replace_a_value() -> None:
    graph = load(UNET)
    opened = analyze(graph, symbols={"w": None})
    assert opened.symbols["w"] is None
    assert arith.substitute(opened.totals.parameters, {"w": 8}) == 485_682
    widths = with_values(graph, {"w": np.array([8, 64])})
    assert list(analyze(widths).totals.parameters) == [485_682, 31_030_658]


def test_the_depth_of_a_repeated_block_changes_too() -> None:
    data = spec(symbols={"n": 3, "m": {"default": 2, "min": 2, "max": 5}, "w": 4, "H": 8})
    graph = read_spec(data, "net.json")
    for values in ({"n": 1}, {"m": 5, "n": 2}, {"w": 7, "H": 9}):
        assert described(with_values(graph, values)) == described(read_spec(data, "net.json", symbols=values))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"q": 3}, "unet.json: no symbol is named 'q'; its symbols are H, classes, w"),
        ({"w": 0}, "w=0: declared as at least 1"),
        ({"w": 1.5}, "w: expected a positive integer for a symbol, got 1.5"),
        ({"m": 6}, r"m = 6 must be at least 2 and at most 5"),
        ({"m": 1}, r"m = 1 must be at least 2 and at most 5"),
    ],
)
def test_values_that_a_declared_symbol_cannot_take(values: dict[str, Any], words: str) -> None:
    data = spec(symbols={"n": 1, "m": {"default": 2, "min": 2, "max": 5}, "w": 4, "H": 8})
    graph = read_spec(data, "net.json") if "m" in values else load(UNET)
    with pytest.raises(ArchcalcError, match=words):
        analyze(graph, symbols=values)
    with pytest.raises(ArchcalcError, match=words):
        compare_conventions(graph, symbols=values)


def test_a_graph_that_was_changed_after_reading_cannot_be_read_again() -> None:
    graph = load(UNET)
    changed = dataclasses.replace(graph, nodes=tuple(dataclasses.replace(n) for n in graph.nodes))
    with pytest.raises(ArchcalcError, match="w has the value 64 in this graph, which holds no open w"):
        with_values(changed, {"w": 8})
    assert with_values(changed, {"w": 64}) is changed
