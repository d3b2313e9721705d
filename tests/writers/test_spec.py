"""Graphs written as specs and read again: the same network, figure by figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.analyze import analyze
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.quantities import TOTALS
from archcalc.layers.registry import registered
from archcalc.readers.spec import read_spec
from archcalc.writers.spec import WrittenSpec, to_spec, write_spec
from archcalc.writers.spec_text import spec_text

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))
FIGURES = [
    "type",
    "output_shape",
    "copies",
    "parameters",
    "trainable_parameters",
    "weights",
    "macs",
    "flops",
    "elementwise_operations",
    "activation_bytes",
    "receptive_field",
]


def again(spec: WrittenSpec) -> Graph:
    """The graph of a spec, read from its text."""
    return read_spec(json.loads(spec_text(spec.data)), "written.json")


def assert_same(graph: Graph, spec: WrittenSpec) -> Graph:
    """Assert that every row has the figures, inputs and owner that it had, under its new name."""
    read = again(spec)
    before, after = analyze(graph), analyze(read)
    names = spec.names
    assert sorted(names) == sorted(n.name for n in graph.nodes)
    assert sorted(names.values()) == sorted(n.name for n in read.nodes), "one name for each layer"
    rows = {row["name"]: row for row in after.to_dict()["layers"]}
    for row in before.to_dict()["layers"]:
        new = rows[names[row["name"]]]
        assert {k: new[k] for k in FIGURES} == {k: row[k] for k in FIGURES}
        assert new["inputs"] == [names[name] for name in row["inputs"]]
        assert new["shared_with"] == (row["shared_with"] and names[row["shared_with"]])
    totals = {name: getattr(before.totals, name) for name in (*TOTALS, "peak_activation_layer")}
    totals["peak_activation_layer"] = names.get(totals["peak_activation_layer"])
    assert {k: str(getattr(after.totals, k)) for k in totals} == {k: str(v) for k, v in totals.items()}
    assert list(after.outputs) == [names[name] for name in before.outputs]
    assert list(after.inputs.items()) == [(names[name], shape) for name, shape in before.inputs.items()]
    assert after.assumptions == before.assumptions
    return read


def lines(spec: WrittenSpec) -> int:
    return spec_text(spec.data).count('"type"') + spec_text(spec.data).count('"block": "')


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("fold", [True, False])
def test_examples(path: Path, fold: bool) -> None:
    graph = archcalc.load(path)
    spec = write_spec(graph, fold=fold)
    read = assert_same(graph, spec)
    assert all(old == new for old, new in spec.names.items()), "a spec's own names stay"
    assert [(c.quantity, c.value, c.layers, c.note) for c in read.claims] == [
        (c.quantity, c.value, c.layers, c.note) for c in graph.claims
    ]


@pytest.mark.parametrize("name", ["resnet50", "resnet_depth_n", "plain_sigmoid_n", "unet", "conv_pair"])
def test_open_symbols(name: str) -> None:
    path = next(p for p in EXAMPLES if p.stem == name)
    declared = json.loads(path.read_text())["symbols"]
    graph = archcalc.load(path, symbols=dict.fromkeys(declared))
    assert_same(graph, write_spec(graph))


@pytest.mark.parametrize(
    ("name", "most"),
    [("VGG16", 18), ("ResNet50", 40), ("DenseNet121", 32), ("MobileNetV2", 48), ("InceptionV3", 142)],
)
def test_what_repeats_becomes_blocks(name: str, most: int) -> None:
    graph = archcalc.load(f"keras:{name}")
    spec = write_spec(graph)
    assert_same(graph, spec)
    assert lines(spec) <= most
    assert "repeat" in spec_text(spec.data)
    assert_same(graph, write_spec(graph, fold=False))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["EfficientNetV2B0", "NASNetMobile", "Xception", "MobileNetV3Small", "ConvNeXtTiny", "InceptionResNetV2",
     "ResNet101V2", "DenseNet201", "EfficientNetB7", "MobileNet", "VGG19", "ResNet152"],
)  # fmt: skip
def test_more_applications(name: str) -> None:
    graph = archcalc.load(f"keras:{name}")
    assert_same(graph, write_spec(graph))


def test_vgg16_reads_like_its_paper() -> None:
    data = to_spec(archcalc.load("keras:VGG16"))
    assert [layer for layer in data["layers"] if "block" in layer] == [
        {"name": "block1", "block": "block", "filters": 64},
        {"name": "block2", "block": "block", "filters": 128},
        {"name": "block3", "block": "block_2", "filters": 256},
        {"name": "block", "block": "block_2", "filters": 512, "repeat": 2},
    ]
    assert data["blocks"]["block"] == {
        "parameters": {"filters": None},
        "layers": [
            {"name": "conv1", "type": "Conv2D", "kernel_size": 3, "padding": "same", "activation": "relu",
             "filters": "filters"},
            {"name": "conv2", "type": "Conv2D", "kernel_size": 3, "padding": "same", "activation": "relu",
             "filters": "filters"},
            {"name": "pool", "type": "MaxPooling2D", "strides": 2},
        ],
    }  # fmt: skip


def test_resnet50_has_a_bottleneck_of_one_parameter() -> None:
    data = to_spec(archcalc.load("keras:ResNet50"))
    block = data["blocks"]["conv2_block_2"]
    assert block["parameters"] == {"filters": None}
    assert [layer.get("filters") for layer in block["layers"] if layer["type"] == "Conv2D"] == [
        "filters",
        "filters",
        "4*filters",
    ]
    uses = [layer for layer in data["layers"] if layer.get("block") == "conv2_block_2"]
    assert [(use["filters"], use["repeat"]) for use in uses] == [(64, 2), (128, 3), (256, 5), (512, 2)]


# -- corners -----------------------------------------------------------------------------------------
CONV = {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"}


def net(*layers: dict[str, Any], **more: Any) -> Graph:
    data = {"archcalc": 1, "name": "net", "inputs": {"image": [8, 8, 4]}, "layers": list(layers), **more}
    return read_spec(data, "net.json")


def test_weights_shared_across_blocks_keep_their_owner() -> None:
    graph = net(
        {"name": "a", **CONV},
        {"name": "first", "block": "two"},
        {"name": "second", "shared_with": "first"},
        {"name": "b", "shared_with": "a"},
        {"name": "c", "shared_with": "first/x"},
        blocks={"two": {"layers": [{"name": "x", **CONV}, {"name": "y", "shared_with": "x"}]}},
    )
    spec = write_spec(graph)
    assert_same(graph, spec)
    assert {"name": "second", "shared_with": "first"} in spec.data["layers"]


def test_layers_that_share_are_not_folded_apart() -> None:
    layers: list[dict[str, Any]] = []
    for k in range(1, 5):
        layers += [{"name": f"b{k}_conv", **CONV}, {"name": f"b{k}_pool", "type": "ReLU"}]
    layers[4] = {"name": "b3_conv", "shared_with": "b1_conv"}
    graph = net(*layers)
    assert_same(graph, write_spec(graph))


def test_several_inputs_of_a_block_and_tensors_from_inside_one() -> None:
    block = {
        "inputs": ["main", "side"],
        "layers": [
            {"name": "sum", "type": "Add", "inputs": ["side", "main"]},
            {"name": "conv", **CONV},
        ],
    }
    graph = net(
        {"name": "stem", **CONV},
        {"name": "join", "block": "join", "inputs": ["stem", "image"], "repeat": 3},
        {"name": "end", "type": "Add", "inputs": ["join[2]/sum", "join[1]", "join"]},
        blocks={"join": block},
        outputs=["end", "join[2]/sum", "stem"],
    )
    spec = write_spec(graph)
    assert_same(graph, spec)
    assert spec.data["layers"][1] == {
        "name": "join",
        "block": "join",
        "repeat": 3,
        "inputs": ["stem", "image"],
    }


def test_copies_that_are_not_alike_are_uses_of_their_own() -> None:
    types = registered()
    nodes: list[Any] = [("x", types["InputLayer"](shape=(8, 8, 4)), [])]
    for k, (filters, source) in enumerate(
        [(4, "x"), (4, "body[1]/b"), (6, "body[2]/b"), (6, "body[3]/a")], 1
    ):
        conv = types["Conv2D"](filters=filters, kernel_size=3, padding="same")
        nodes += [(f"body[{k}]/a", conv, [source]), (f"body[{k}]/b", types["ReLU"](), [f"body[{k}]/a"])]
    graph = Graph.of("net", nodes, ["body[4]/b"])
    spec = write_spec(graph)
    assert_same(graph, spec)
    assert [e["name"] for e in spec.data["layers"]] == ["body[1]", "body[2]", "body[3]", "body[4]"]


def test_names_that_a_spec_does_not_admit() -> None:
    types = registered()
    relu = types["ReLU"]
    graph = Graph.of(
        "net",
        [
            ("in/put", types["InputLayer"](shape=(8,)), []),
            ("a/x", relu(), ["in/put"]),
            ("b", relu(), ["a/x"]),
            ("a/y", relu(), ["b"]),
            ("a", relu(), ["a/y"]),
            (" space ", relu(), ["a"]),
            ("tab\there", relu(), [" space "]),
            ("c[2]", relu(), ["tab\there"]),
            ("ünïcode ב", relu(), ["c[2]"]),
        ],
        ["ünïcode ב"],
    )
    assert_same(graph, write_spec(graph))
    spec = write_spec(graph, fold=False)
    assert_same(graph, spec)
    assert spec.names["a/x"] == "a.x"
    assert spec.names["ünïcode ב"] == "ünïcode ב"


def test_every_kind_of_argument() -> None:
    graph = net(
        {"name": "pad", "type": "ZeroPadding2D", "padding": [[1, 2], [0, 3]]},
        {"name": "crop", "type": "Cropping2D", "cropping": [1, 0]},
        {"name": "conv", **CONV, "kernel_size": [3, 1], "kernel_initializer": "he_normal", "trainable": False,
         "activation": "gelu", "use_bias": False,
         "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.1}}},
        {"name": "pool", "type": "AveragePooling2D", "pool_size": 2, "strides": 1},
        {"name": "shape", "type": "Reshape", "target_shape": [-1, 4]},
        {"name": "norm", "type": "LayerNormalization", "axis": [1, 2]},
        {"name": "drop", "type": "Dropout", "rate": 0.25},
        {"name": "cut", "type": "ops.get_item", "key": [[None, None, None], [1, -1, 2], "..."]},
        {"name": "by", "type": "ops.multiply", "x2": [1.0, 2.0, 3.0, 4.0]},
        {"name": "halves", "type": "ops.split", "indices_or_sections": 2, "axis": -1},
        {"name": "second", "type": "ReLU", "inputs": ["halves:1"]},
        {"name": "what", "type": "Opaque", "output_shape": [7],
         "weights": [{"name": "w", "shape": [2, 3], "trainable": False}], "macs": 12},
        outputs=["halves:0", "what"],
    )  # fmt: skip
    spec = write_spec(graph)
    assert_same(graph, spec)
    for before, after in zip(graph.nodes, again(spec).nodes, strict=True):
        first, second = before.layer.keras_arguments(), after.layer.keras_arguments()
        assert repr(first) == repr(second) or before.name == "image"


def test_no_activation_is_said_where_there_is_one_by_default() -> None:
    steps = {"name": "steps", "type": "RepeatVector", "n": 3}
    kinds = [{"type": "LSTM", "units": 4, "activation": "linear"}, {"type": "Dense", "units": 4}]
    for kind, stated in zip(kinds, ["linear", None], strict=True):
        graph = net({"name": "flat", "type": "Flatten"}, steps, {"name": "x", **kind})
        spec = write_spec(graph)
        assert_same(graph, spec)
        assert spec.data["layers"][-1].get("activation") == stated


def test_blocks_inside_blocks_hand_their_parameters_on() -> None:
    layers = []
    for k, f in enumerate((4, 8, 8, 4), 1):
        layers += [
            {"name": f"s{k}_a", **CONV, "filters": f},
            {"name": f"s{k}_b", "type": "BatchNormalization"},
            {"name": f"s{k}_c", **CONV, "filters": 2 * f, "kernel_size": 2 * k - 1},
        ]
    graph = net(*layers)
    spec = write_spec(graph)
    read = assert_same(graph, spec)
    (block,) = spec.data["blocks"].values()
    assert block["parameters"].keys() == {"filters", "kernel_size"}
    # and again, from names that are blocks now
    assert_same(read, write_spec(read))


def test_inputs_alone_are_no_spec() -> None:
    graph = Graph.of("net", [("x", registered()["InputLayer"](shape=(3, 2)), ())], ["x"])
    with pytest.raises(ArchcalcError, match="has only inputs"):
        to_spec(graph)
