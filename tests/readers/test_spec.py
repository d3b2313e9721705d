"""What a spec means: order, blocks, repeats, shared weights, symbols, inputs, outputs, claims."""

from __future__ import annotations

from typing import Any

import pytest

from archcalc import arith
from archcalc.analyses import parameters, shapes
from archcalc.analyze import analyze
from archcalc.arith.symbolic import symbol
from archcalc.graph import Graph, Tap
from archcalc.graph.claims import Claim
from archcalc.readers import load
from tests.readers.specs import CONV, RELU, inputs, names, read, spec

PAIR = {
    "parameters": {"f": None},
    "layers": [
        {"name": "a", "type": "Conv2D", "filters": "f", "kernel_size": 3, "padding": "same"},
        {"name": "b", "type": "Conv2D", "filters": "f", "kernel_size": 3, "padding": "same"},
    ],
}


def out_shapes(graph: Graph) -> dict[str, Any]:
    with arith.scope():
        return {n.name: s[0] for n, s in zip(graph.nodes, shapes.infer(graph), strict=True)}


def counts(graph: Graph) -> dict[str, Any]:
    with arith.scope():
        inferred = shapes.infer(graph)
        owned = parameters.weights(graph, inferred)
        return {
            n.name: c.parameters for n, c in zip(graph.nodes, parameters.counts(graph, owned), strict=True)
        }


# -- the contract's own example --------------------------------------------------------------------
CONTRACT: dict[str, Any] = {
    "$schema": "spec.schema.json",
    "archcalc": 1,
    "name": "vgg_like",
    "symbols": {"w": 32, "n": {"default": 3, "min": 1, "max": 64}, "H": None},
    "inputs": {"image": ["H", "H", 3]},
    "blocks": {"pair": PAIR},
    "layers": [
        {"name": "stem", "block": "pair", "f": "w"},
        {"name": "pool", "type": "MaxPooling2D", "pool_size": 2},
        {"name": "body", "block": "pair", "f": "2*w", "repeat": "n"},
        {"name": "gap", "type": "GlobalAveragePooling2D"},
        {"name": "out", "type": "Dense", "units": 10, "activation": "softmax"},
    ],
    "outputs": ["out"],
    "claims": [
        {
            "quantity": "parameters",
            "layer": "stem/a",
            "value": 900,
            "written": "9*3*32 + 36",
            "note": "counted by hand",
        }
    ],
}


def test_the_example_of_the_contract() -> None:
    graph = load(CONTRACT)
    assert graph.name == "vgg_like"
    assert graph.symbols == {"w": 32, "n": 3, "H": None}
    assert names(graph) == [
        *("image", "stem/a", "stem/b", "pool"),
        *("body[1]/a", "body[1]/b", "body[2]/a", "body[2]/b", "body[3]/a", "body[3]/b"),
        *("gap", "out"),
    ]
    assert out_shapes(graph)["body[2]/a"] == (symbol("H") // 2, symbol("H") // 2, 64)
    assert counts(graph)["body[1]/a"] == 9 * 32 * 64 + 64
    assert graph.claims == (
        Claim(
            "parameters",
            900,
            ("stem/a",),
            written="9*3*32 + 36",
            note="counted by hand",
            path="$.claims[0]",
        ),
    )
    assert graph.format == "archcalc-1"


# -- order and references --------------------------------------------------------------------------
def test_a_layer_takes_the_one_before_it() -> None:
    graph = read({"name": "a", **RELU}, {"name": "b", **RELU}, {"name": "c", **RELU, "inputs": ["a"]})
    assert (inputs(graph, "a"), inputs(graph, "b"), inputs(graph, "c")) == (["x"], ["a"], ["a"])


def test_order_and_repetition_of_inputs_are_kept() -> None:
    graph = read({"name": "a", **RELU}, {"name": "s", "type": "Concatenate", "inputs": ["a", "x", "a"]})
    assert inputs(graph, "s") == ["a", "x", "a"]


def test_layers_may_come_before_what_they_read() -> None:
    graph = read(
        {"name": "b", **RELU, "inputs": ["a"]}, {"name": "a", **RELU, "inputs": ["x"]}, outputs=["b"]
    )
    assert names(graph) == ["x", "a", "b"]
    assert graph.outputs == (Tap(2),)


def test_the_last_layer_of_the_file_is_the_default_output() -> None:
    graph = read({"name": "b", **RELU, "inputs": ["a"]}, {"name": "a", **RELU, "inputs": ["x"]})
    assert [graph.nodes[t.node].name for t in graph.outputs] == ["a"]


def test_several_inputs_and_outputs() -> None:
    graph = load(
        {
            "archcalc": 1,
            "inputs": {"image": [8, 8, 3], "tokens": {"shape": ["T"], "dtype": "int32"}},
            "symbols": {"T": 5},
            "layers": [
                {"name": "a", "type": "Flatten", "inputs": ["image"]},
                {"name": "b", "type": "Dense", "units": 2, "inputs": ["tokens"]},
            ],
            "outputs": ["b", "a"],
        }
    )
    assert [graph.nodes[i].name for i in graph.inputs] == ["image", "tokens"]
    assert [graph.nodes[t.node].name for t in graph.outputs] == ["b", "a"]
    assert graph.nodes[graph.inputs[1]].layer.dtype == "int32"
    assert out_shapes(graph)["b"] == (2,)


def test_any_printable_name() -> None:
    words = [
        "conv 1",
        "\u0634\u0628\u06a9\u0647",
        "\u05e9\u05db\u05d1\u05d4",
        "\u5c42",
        "a.b:c",
        "x[1]",
        "\U0001f600",
    ]
    graph = read(*({"name": word, **RELU} for word in words))
    assert names(graph) == ["x", *words]


# -- blocks ----------------------------------------------------------------------------------------
def test_a_block_is_written_out_under_its_name() -> None:
    graph = read({"name": "stem", "block": "pair", "f": 7}, blocks={"pair": PAIR})
    assert names(graph) == ["x", "stem/a", "stem/b"]
    assert out_shapes(graph)["stem/b"] == (8, 8, 7)


def test_parameters_have_defaults_and_shadow_symbols() -> None:
    block = {"parameters": {"f": "2*w", "w": 3}, "layers": [{"name": "c", **CONV, "filters": "f + w"}]}
    graph = read(
        {"name": "p", "block": "b"},
        {"name": "q", "block": "b", "f": 1, "w": "w*w"},
        blocks={"b": block},
        symbols={"w": 5},
    )
    assert (out_shapes(graph)["p/c"][-1], out_shapes(graph)["q/c"][-1]) == (10 + 3, 1 + 25)


def test_blocks_inside_blocks() -> None:
    outer = {
        "parameters": {"g": None},
        "layers": [
            {"name": "in", "block": "pair", "f": "g"},
            {"name": "sum", "type": "Add", "inputs": ["in/a", "in"]},
        ],
    }
    graph = read({"name": "o", "block": "outer", "g": 4, "repeat": 2}, blocks={"pair": PAIR, "outer": outer})
    assert names(graph)[1:] == [f"o[{i}]/{n}" for i in (1, 2) for n in ("in/a", "in/b", "sum")]
    assert inputs(graph, "o[2]/sum") == ["o[2]/in/a", "o[2]/in/b"]
    assert inputs(graph, "o[2]/in/a") == ["o[1]/sum"]


def test_a_block_calls_its_input_input() -> None:
    block = {"layers": [{"name": "c", **CONV}, {"name": "add", "type": "Add", "inputs": ["input", "c"]}]}
    graph = read({"name": "stem", **RELU}, {"name": "r", "block": "res"}, blocks={"res": block})
    assert inputs(graph, "r/add") == ["stem", "r/c"]


def test_a_block_with_several_inputs_names_them() -> None:
    block = {
        "inputs": ["below", "skip"],
        "layers": [{"name": "cat", "type": "Concatenate", "inputs": ["skip", "below"]}],
    }
    graph = read(
        {"name": "a", **RELU}, {"name": "u", "block": "up", "inputs": ["a", "x"]}, blocks={"up": block}
    )
    assert inputs(graph, "u/cat") == ["x", "a"]


def test_later_layers_may_read_inside_a_block() -> None:
    graph = read(
        {"name": "p", "block": "pair", "f": 4, "repeat": 2},
        {"name": "s", "type": "Add", "inputs": ["p[1]/a", "p[1]", "p", "p[2]"]},
        blocks={"pair": PAIR},
    )
    assert inputs(graph, "s") == ["p[1]/a", "p[1]/b", "p[2]/b", "p[2]/b"]


# -- repeats ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [1, 2, 5])
def test_an_integer_repeat_writes_out_copies(count: int) -> None:
    graph = read({"name": "p", "block": "pair", "f": 4, "repeat": count}, blocks={"pair": PAIR})
    assert names(graph)[1:] == [f"p[{i}]/{n}" for i in range(1, count + 1) for n in "ab"]
    for i in range(2, count + 1):
        assert inputs(graph, f"p[{i}]/a") == [f"p[{i - 1}]/b"]


def test_copies_read_the_same_second_input() -> None:
    block = {"inputs": ["x1", "c"], "layers": [{"name": "s", "type": "Add", "inputs": ["x1", "c"]}]}
    graph = read(
        {"name": "k", **RELU},
        {"name": "r", "block": "b", "inputs": ["x", "k"], "repeat": 3},
        blocks={"b": block},
    )
    assert inputs(graph, "r[3]/s") == ["r[2]/s", "k"]


def test_a_symbolic_repeat_represents_all_copies() -> None:
    graph = read(
        {"name": "stem", **CONV},
        {"name": "body", "block": "pair", "f": 4, "repeat": "n + 1"},
        {"name": "out", **RELU},
        blocks={"pair": PAIR},
        symbols={"n": None},
    )
    assert names(graph) == ["x", "stem", "body[*]/a", "body[*]/b", "out"]
    (repeat,) = graph.repeats
    assert (repeat.first, repeat.last, repeat.source, repeat.out) == (2, 3, Tap(1), Tap(3))
    assert repeat.count == symbol("n") + 1
    assert counts(graph)["body[*]/a"] == (9 * 4 * 4 + 4) * (symbol("n") + 1)


@pytest.mark.parametrize("value", [1, 2, 6])
def test_a_symbolic_repeat_with_a_value_is_an_integer_one(value: int) -> None:
    """Reading with the value, and substituting the value afterwards, give the same."""
    layers = [{"name": "body", "block": "pair", "f": 4, "repeat": "n"}, {"name": "out", **RELU}]
    read_with = read(*layers, blocks={"pair": PAIR}, symbols={"n": value})
    given_later = analyze(read(*layers, blocks={"pair": PAIR}, symbols={"n": None}), symbols={"n": value})
    assert [row.name for row in given_later.rows] == names(read_with)
    assert given_later.totals.parameters == 2 * value * (9 * 4 * 4 + 4)
    assert analyze(read_with).totals == given_later.totals


def test_nested_symbolic_repeats() -> None:
    outer = {"layers": [{"name": "in", "block": "pair", "f": 4, "repeat": "m"}, {"name": "r", **RELU}]}
    graph = read(
        {"name": "o", "block": "outer", "repeat": "n"},
        blocks={"pair": PAIR, "outer": outer},
        symbols={"n": None, "m": None},
    )
    assert names(graph) == ["x", "o[*]/in[*]/a", "o[*]/in[*]/b", "o[*]/r"]
    assert counts(graph)["o[*]/in[*]/a"] == 148 * symbol("n") * symbol("m")


# -- shared weights --------------------------------------------------------------------------------
def test_a_shared_layer_counts_once() -> None:
    graph = read(
        {"name": "h1", **CONV}, {"name": "h2", "shared_with": "h1"}, {"name": "h3", "shared_with": "h2"}
    )
    owner = graph.index()["h1"]
    assert [n.shared_with for n in graph.nodes] == [None, None, owner, owner]
    assert graph.nodes[3].layer is graph.nodes[1].layer
    assert sum(counts(graph).values()) == 148


def test_weights_belong_to_the_first_call() -> None:
    graph = read(
        {"name": "late", **CONV, "inputs": ["early"]},
        {"name": "early", "shared_with": "late", "inputs": ["x"]},
    )
    assert names(graph) == ["x", "early", "late"]
    assert [n.shared_with for n in graph.nodes] == [None, None, 1]


def test_arguments_may_be_stated_again_if_they_are_the_same() -> None:
    graph = read({"name": "a", **CONV}, {"name": "b", "shared_with": "a", **CONV, "kernel_size": [3, 3]})
    assert graph.nodes[2].shared_with == 1


def test_twin_blocks_share_layer_by_layer() -> None:
    tower = {
        "layers": [
            {"name": "c", "block": "pair", "f": 4, "repeat": 2},
            {"name": "d", "shared_with": "c[1]/a"},
        ]
    }
    graph = read(
        {"name": "left", "block": "tower"},
        {"name": "right", "shared_with": "left", "inputs": ["x"]},
        {"name": "s", "type": "Add", "inputs": ["left", "right"]},
        blocks={"pair": PAIR, "tower": tower},
    )
    owners = {n.name: n.shared_with and graph.nodes[n.shared_with].name for n in graph.nodes}
    assert owners["right/c[2]/b"] == "left/c[2]/b"
    assert owners["left/d"] == owners["right/d"] == owners["right/c[1]/a"] == "left/c[1]/a"
    assert sum(counts(graph).values()) == 4 * 148


# -- symbols ---------------------------------------------------------------------------------------
def test_symbols() -> None:
    declared = {"a": 3, "b": {"default": 4, "max": 9}, "c": None, "d": {"min": 5}}
    graph = read({"name": "r", **CONV, "filters": "a + b + c + d"}, symbols=declared)
    assert graph.symbols == {"a": 3, "b": 4, "c": None, "d": None}
    channels = out_shapes(graph)["r"][-1]
    assert channels == symbol("c") + symbol("d") + 7
    assert (channels.symbols["d"].minimum, channels.symbols["c"].minimum) == (5, 1)


def test_overrides() -> None:
    layers = [{"name": "r", **CONV, "filters": "a + b"}]
    graph = read(*layers, symbols={"a": 3, "b": None}, overrides={"a": None, "b": 2})
    assert graph.symbols == {"a": None, "b": 2}
    assert out_shapes(graph)["r"][-1] == symbol("a") + 2


def test_expressions_are_read_wherever_a_size_is_expected() -> None:
    graph = load(
        {
            "archcalc": 1,
            "symbols": {"k": 2, "H": 9},
            "inputs": {"x": ["H", "H*2", "k"]},
            "layers": [
                {
                    "name": "c",
                    "type": "Conv2D",
                    "filters": "3*k",
                    "kernel_size": ["k", "k+1"],
                    "strides": "k",
                },
                {"name": "p", "type": "ZeroPadding2D", "padding": [["k", 1], ["k-2", "k"]]},
                {"name": "f", "type": "Flatten"},
                {"name": "r", "type": "Reshape", "target_shape": ["2*k", -1]},
            ],
        }
    )
    assert out_shapes(graph) == {
        "x": (9, 18, 2),
        "c": (4, 8, 6),
        "p": (7, 10, 6),
        "f": (420,),
        "r": (4, 105),
    }


def test_conditions_on_symbols_reach_the_report() -> None:
    graph = read(
        {"name": "a", **CONV, "filters": "w/2"},
        {"name": "b", "block": "pair", "f": "w/2", "repeat": "n - 1"},
        blocks={"pair": PAIR},
        symbols={"w": None, "n": None},
    )
    assert set(analyze(graph).assumptions) >= {"w % 2 == 0", "n >= 2"}


# -- Opaque, operations, claims -----------------------------------------------------------------------
def test_opaque_layers() -> None:
    graph = read(
        {
            "name": "o",
            "type": "Opaque",
            "output_shape": [4, 4, "2*w"],
            "weights": [{"name": "w", "shape": ["w", 3]}, {"name": "v", "shape": [7], "trainable": False}],
            "macs": "100*w",
            "window": 5,
        },
        symbols={"w": 8},
    )
    report = analyze(graph)
    assert (report.totals.parameters, report.totals.trainable_parameters, report.totals.macs) == (31, 24, 800)
    assert out_shapes(graph)["o"] == (4, 4, 16)


def test_operations_are_types_too() -> None:
    graph = read({"name": "a", **RELU}, {"name": "s", "type": "ops.add", "inputs": ["a", "x"]})
    assert out_shapes(graph)["s"] == (8, 8, 4)


def test_claims_are_kept() -> None:
    graph = read(
        {"name": "p", "block": "pair", "f": 4},
        {"name": "r", **RELU},
        blocks={"pair": PAIR},
        claims=[
            {"quantity": "macs", "value": 1.5e9},
            {"quantity": "parameters", "layers": ["p/a", "r"], "value": 3, "per": "filter"},
            {"quantity": "output_shape", "layer": "p", "value": [8, 8, 4]},
        ],
    )
    assert graph.claims == (
        Claim("macs", 1.5e9, path="$.claims[0]"),
        Claim("parameters", 3, ("p/a", "r"), "filter", path="$.claims[1]"),
        Claim("output_shape", (8, 8, 4), ("p",), path="$.claims[2]"),
    )


def test_an_output_that_is_not_the_first() -> None:
    """`name:1` is the second output of a layer that has several; names with a colon come first."""
    graph = read({"name": "a", **RELU}, {"name": "a:1", **RELU}, {"name": "b", **RELU, "inputs": ["a:1"]})
    assert inputs(graph, "b") == ["a:1"]
    graph = read({"name": "a", **RELU}, {"name": "b", **RELU, "inputs": ["a:0"]})
    assert graph.nodes[2].inputs == (Tap(1, 0),)


def test_the_name_defaults_to_the_file(tmp_path: Any) -> None:
    import json

    path = tmp_path / "my net.json"
    path.write_text(json.dumps(spec({"name": "a", **RELU})))
    graph = load(path)
    assert (graph.name, graph.source) == ("my net", str(path))
