"""Keras code that runs, builds the same model, and reads well."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.analyze import analyze
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import with_values
from archcalc.layers.operand import Constant
from archcalc.layers.registry import registered, registered_operations
from archcalc.readers.spec import read_spec
from archcalc.writers.keras_code import keras_code
from archcalc.writers.spec import write_spec

EXAMPLES = Path(__file__).parents[2] / "examples"
# builds every model of the given files and prints their configurations
RUN = """
import json, runpy, sys
for line in sys.stdin:
    path, values = json.loads(line)
    found = runpy.run_path(path)
    model = found["build"](**values) if values else found["model"]
    print(json.dumps(json.loads(model.to_json())))
"""
TINY, SEQUENCE = {"filters": 2, "kernel_size": 3}, {"return_sequences": True}
CONV = {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"}


def net(*layers: dict[str, Any], **more: Any) -> Graph:
    data = {"archcalc": 1, "name": "net", "inputs": {"image": [8, 8, 4]}, "layers": list(layers), **more}
    return read_spec(data, "net.json")


def operations() -> Graph:
    types, ops = registered(), registered_operations()
    return Graph.of(
        "größe",
        [
            ("x", types["InputLayer"](shape=(4, 6, 3)), []),
            ("sum", ops["ops.add"](), ["x", "x"]),
            ("scaled", ops["ops.multiply"](x1=Constant.of([1.0, 10.0, 100.0])), ["sum"]),
            ("part", ops["ops.get_item"](key=[[None, None, None], [1, -1, None], 2]), ["scaled"]),
            ("thirds", ops["ops.split"](indices_or_sections=3, axis=-1), ["part"]),
            ("joined", ops["ops.concatenate"](axis=1), [("thirds", 2), ("thirds", 0)]),
            ("mean", ops["ops.mean"](axis=(1, 2)), ["joined"]),
        ],
        ["mean"],
    )


def sequences() -> Graph:
    """Layers with layers inside, arguments of calls, tensors and states that are passed separately."""
    stacked = [{"type": "GRUCell", "units": 2}, {"type": "LSTMCell", "units": 3}]
    return net(
        {"name": "local", "type": "TimeDistributed", "layer": {"type": "LocallyConnected1D", **TINY}},
        {"name": "flat", "type": "TimeDistributed", "layer": {"type": "Flatten"}},
        {"name": "both", "type": "Bidirectional", "layer": {"type": "LSTM", "units": 3, **SEQUENCE}},
        {
            "name": "heads",
            "type": "MultiHeadAttention",
            "num_heads": 2,
            "key_dim": 3,
            "use_causal_mask": True,
            "inputs": ["both", "both"],
        },
        {"name": "again", "shared_with": "heads", "inputs": ["heads", "both"]},
        {"name": "gru", "type": "GRU", "units": 2, **SEQUENCE, "return_state": True},
        {"name": "stack", "type": "RNN", "cell": {"type": "StackedRNNCells", "cells": stacked}},
        {"name": "wide", "type": "EinsumDense", "equation": "ab,bcd->acd", "output_shape": [2, 5]},
        {"name": "end", "type": "SpectralNormalization", "layer": {"type": "Dense", "units": 3}},
    )


def networks() -> dict[str, tuple[Graph, dict[str, int]]]:
    """Networks by name, with values for their open symbols."""
    graphs: dict[str, tuple[Graph, dict[str, int]]] = {
        path.stem: (archcalc.load(path), {}) for path in EXAMPLES.glob("*.json")
    }
    graphs["unet"] = (archcalc.load(EXAMPLES / "unet.json", symbols={"H": 188, "w": 4}), {})
    graphs["resnet_depth_n"] = (graphs["resnet_depth_n"][0], {"n": 3})
    graphs["plain_sigmoid_n"] = (graphs["plain_sigmoid_n"][0], {"n": 2})
    for name in ("conv_pair", "conv_then_local", "local_pair"):
        graphs[name] = (graphs[name][0], {"H": 12})
    for name in ("ResNet50", "DenseNet121", "MobileNetV3Small"):
        graphs[name] = (archcalc.load(f"keras:{name}"), {})
    graphs["operations"] = (operations(), {})
    graphs["sequences"] = (sequences(), {})
    graphs["shared"] = (
        net(
            {"name": "a", **CONV},
            {"name": "first", "block": "two"},
            {"name": "second", "shared_with": "first"},
            {"name": "b", "shared_with": "a"},
            {"name": "join", "block": "join", "inputs": ["b", "image"], "repeat": 3},
            {"name": "end", "type": "Add", "inputs": ["join[2]/sum", "join[1]", "join"]},
            blocks={
                "two": {"layers": [{"name": "x", **CONV}, {"name": "y", "shared_with": "x"}]},
                "join": {
                    "inputs": ["main", "side"],
                    "layers": [
                        {"name": "sum", "type": "Add", "inputs": ["side", "main"]},
                        {"name": "conv", **CONV, "kernel_initializer": "he_normal"},
                    ],
                },
            },
            outputs=["end", "join[2]/sum", "a"],
        ),
        {},
    )  # fmt: skip
    graphs["symbols"] = (
        read_spec(
            {
                "archcalc": 1,
                "symbols": {"w": None, "n": None, "k": None},
                "inputs": {"image": ["2*k", 8, 4]},
                "blocks": {
                    "b": {
                        "parameters": {"f": None},
                        "layers": [
                            {"name": "c1", **CONV, "filters": "f*w*(w+1)/2"},
                            {"name": "c2", **CONV, "filters": "w"},
                        ],
                    }
                },
                "layers": [
                    {"name": "stem", **CONV, "filters": "w"},
                    {"name": "one", "block": "b", "f": 2, "repeat": "n"},
                    {"name": "two", "block": "b", "f": 3, "repeat": "n+1"},
                ],
            },
            "symbols.json",
        ),
        {"w": 3, "n": 2, "k": 4},
    )
    return graphs


def figures(graph: Graph) -> list[Any]:
    """Rows without the names of operations and of further calls, which Keras chooses itself."""
    rows = []
    for row in analyze(graph).to_dict()["layers"]:
        named = row["shared_with"] is None and not row["type"].startswith("ops.")
        data = {
            k: row[k] for k in ("type", "output_shape", "parameters", "weights", "macs", "activation_bytes")
        }
        rows.append((row["name"] if named else "", json.dumps(data, sort_keys=True)))
    return sorted(rows)


@pytest.mark.keras
def test_it_runs_and_builds_the_same_models(tmp_path: Path) -> None:
    cases = networks()
    asked = []
    for name, (graph, values) in cases.items():
        path = tmp_path / f"{name}.py"
        path.write_text(keras_code(graph), encoding="utf-8")
        asked.append(json.dumps([str(path), values]))
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input="\n".join(asked),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-2000:]
    models = done.stdout.splitlines()
    assert len(models) == len(cases)
    for (name, (graph, values)), text in zip(cases.items(), models, strict=True):
        built = archcalc.load(json.loads(text))
        written = write_spec(graph)
        wanted = with_values(read_spec(written.data, "folded"), values) if values else None
        wanted = wanted or read_spec(written.data, "folded")
        assert figures(built) == figures(wanted), name


@pytest.mark.parametrize("fold", [True, False])
def test_names_stay_without_folding(fold: bool) -> None:
    code = keras_code(archcalc.load("keras:VGG16"), fold=fold)
    assert ('name="block1_conv2"' in code) is not fold
    assert ("def block(" in code) is fold


def test_it_reads_like_code_of_a_person() -> None:
    code = keras_code(archcalc.load("keras:VGG16"))
    assert code.startswith('"""vgg16: a model in Keras code, written by archcalc."""\n\nimport keras\n')
    assert (
        '    x = block_2(x, "block3", filters=256)\n'
        "    for i in range(2):\n"
        '        x = block_2(x, f"block>.{i + 1}", filters=512)\n'
        '    x = layers.Flatten(name="flatten")(x)\n'
    ) in code
    assert max(map(len, code.splitlines())) <= 100


def test_a_name_cannot_break_out_of_its_string() -> None:
    types = registered()
    name = '"""); import os; os.abort() #'
    graph = Graph.of(
        name,
        [
            ("in\\'\"{x}", types["InputLayer"](shape=(8,)), []),
            (
                "a{x}'",
                types["Dense"](units=3, activation="relu", kernel_regularizer='"+evil+"'),
                ["in\\'\"{x}"],
            ),
            ('b"\n', types["ReLU"](), ["a{x}'"]),
        ],
        ['b"\n'],
    )
    tree = ast.parse(keras_code(graph))
    functions = {node.func.id for node in _calls(tree) if isinstance(node.func, ast.Name)}
    attributes = {ast.unparse(node.func) for node in _calls(tree) if isinstance(node.func, ast.Attribute)}
    assert functions == {"build"}
    assert attributes == {"keras.Input", "keras.Model", "layers.Dense", "layers.ReLU"}


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_what_keras_does_not_have() -> None:
    with pytest.raises(ArchcalcError, match="Keras has no layer 'Opaque', so there is no code"):
        keras_code(net({"name": "what", "type": "Opaque", "output_shape": [7]}))


def test_a_shared_operation_is_called_again() -> None:
    """Found by fuzzing: in Keras 2 configurations an operation is a layer with two calls."""
    add = registered_operations()["ops.add"]
    nodes: list[Any] = [
        ("x", registered()["InputLayer"](shape=(4,)), []),
        ("a", add(), ["x", "x"]),
        ("b", add(), ["a", "x"]),
    ]
    code = keras_code(Graph.of("net", nodes, ["b"], shared={"b": "a"}))
    assert code.count("ops.add(") == 2
