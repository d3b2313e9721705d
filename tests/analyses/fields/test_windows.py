"""The axes of an input along which fields are reported, as the layers after it read them."""

from __future__ import annotations

from typing import Any

import pytest

import archcalc
from archcalc.analyses.fields.receptive_field import fields
from archcalc.analyses.fields.windows import windows
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from archcalc.layers.registry import registered
from tests.analyses.fields.test_effective_field import network

FIRST = {"filters": 2, "kernel_size": 3, "data_format": "channels_first"}
LAST = {"filters": 2, "kernel_size": 3}


def axes(graph: Graph) -> tuple[int, ...]:
    """The axes of the first input that are positions."""
    return windows(graph, infer(graph)).axes[graph.inputs[0]]


def spec(shape: Any, *layers: dict[str, Any], **more: Any) -> Graph:
    numbered = [{"name": f"l{i}", **layer} for i, layer in enumerate(layers)]
    declared = {"shape": shape, **more} if more else shape
    return archcalc.load({"archcalc": 1, "inputs": {"x": declared}, "layers": numbered})


def conv_after(steps: int, conv: dict[str, Any], shape: tuple[int, ...] = (7, 9, 8)) -> Graph:
    """A convolution after this number of layers without a data format."""
    rows: list[Any] = [("x", "InputLayer", {"shape": shape}, [])]
    for k in range(steps):
        rows.append((f"a{k}", "ReLU", {}, [rows[-1][0]]))
    return network(*rows, ("conv", "Conv2D", conv, [rows[-1][0]]))


@pytest.mark.parametrize("steps", [0, 1, 3, 200])
def test_a_layer_some_steps_later_decides_the_channel_axis(steps: int) -> None:
    for conv, positions in ((FIRST, (1, 2)), (LAST, (0, 1))):
        graph = conv_after(steps, conv)
        assert axes(graph) == positions
        field = fields(graph, infer(graph))[-1]["x"]
        assert field is not None
        assert (field.axes, field.size) == (positions, (3, 3))


def test_an_axis_along_which_any_layer_slides_is_no_feature() -> None:
    graph = network(
        ("x", "InputLayer", {"shape": (7, 9, 8)}, []),
        ("a", "ReLU", {}, ["x"]),
        ("far", "Conv2D", LAST, ["a"]),
        ("near", "Conv2D", FIRST, ["x"]),
        ("b", "Flatten", {}, ["far"]),
        ("c", "Flatten", {}, ["near"]),
        ("both", "Concatenate", {}, ["b", "c"]),
    )
    assert axes(graph) == (0, 1, 2)


CONV = {"type": "Conv2D", "filters": 4, "kernel_size": [3, 5]}
CONV_FIRST = {**CONV, "data_format": "channels_first"}
FLATTEN, DENSE, LSTM = {"type": "Flatten"}, {"type": "Dense", "units": 3}, {"type": "LSTM", "units": 3}


def each_step(layer: dict[str, Any]) -> dict[str, Any]:
    return {"type": "TimeDistributed", "layer": layer}


@pytest.mark.parametrize(
    ("shape", "layers", "positions"),
    [
        # images
        ((20, 24, 3), [CONV], (0, 1)),
        ((3, 20, 24), [CONV_FIRST], (1, 2)),
        ((20, 24), [{"type": "Reshape", "target_shape": [20, 24, 1]}, CONV], (0, 1)),
        ((3, 20, 24), [{"type": "Permute", "dims": [2, 3, 1]}, CONV], (1, 2)),
        ((480,), [{"type": "Reshape", "target_shape": [20, 24, 1]}, CONV], (0,)),
        ((20, 24, 3), [{"type": "BatchNormalization"}, FLATTEN, DENSE], (0, 1)),
        ((20, 24, 3), [DENSE, FLATTEN, DENSE], (0, 1)),
        ((20, 24, 3), [{"type": "LayerNormalization", "axis": [1, 2, 3]}, CONV], (0, 1)),
        ((20, 24, 4), [{"type": "DepthwiseConv2D", "kernel_size": 3}], (0, 1)),
        ((4, 20), [{"type": "GlobalAveragePooling1D", "data_format": "channels_first"}, DENSE], (1,)),
        # several axes that only Flatten reads: the last of three is taken for channels, of two none
        ((20, 24, 3), [FLATTEN, DENSE], (0, 1)),
        ((20, 24, 1), [FLATTEN, DENSE], (0, 1)),
        ((20, 24), [FLATTEN, DENSE], (0, 1)),
        # video
        ((10, 20, 24, 3), [each_step(CONV), {"type": "GlobalAveragePooling3D"}], (0, 1, 2)),
        ((10, 3, 20, 24), [each_step(CONV_FIRST), each_step(FLATTEN), LSTM], (0, 2, 3)),
        ((10, 20, 24, 3), [each_step(FLATTEN), LSTM], (0, 1, 2)),
        ((4, 12, 5), [{"type": "ConvLSTM1D", "filters": 4, "kernel_size": 3}], (0, 1)),
        (
            (4, 5, 12),
            [{"type": "ConvLSTM1D", "filters": 4, "kernel_size": 3, "data_format": "channels_first"}],
            (0, 2),
        ),
        # sequences
        ((9, 4), [LSTM], (0,)),
        ((9, 4), [{**LSTM, "return_sequences": True}], (0,)),
        ((9, 4), [{"type": "Bidirectional", "layer": LSTM}], (0,)),
        ((9, 4), [{"type": "Conv1D", "filters": 3, "kernel_size": 3}], (0,)),
        ((9, 4), [DENSE, FLATTEN, DENSE], (0,)),
        ((9, 4), [{"type": "Softmax"}], (0,)),
        ((9,), [{"type": "Reshape", "target_shape": [9, 1]}, LSTM], (0,)),
        # the rows of an image are the steps, its columns the features
        ((9, 4, 1), [{"type": "Reshape", "target_shape": [9, 4]}, {"type": "GRU", "units": 3}], (0,)),
        # a layer over time whose weights differ from step to step, and then attention over the variables
        ((9, 4), [{"type": "Permute", "dims": [2, 1]}, DENSE], (1,)),
        # vectors
        ((9,), [DENSE], ()),
        ((9,), [{"type": "ReLU"}], ()),
        ((9,), [{"type": "BatchNormalization"}, DENSE], ()),
    ],
)  # fmt: skip
def test_positions_are_the_axes_along_which_layers_do_the_same(
    shape: Any, layers: list[dict[str, Any]], positions: tuple[int, ...]
) -> None:
    graph = spec(list(shape), *layers)
    assert axes(graph) == positions
    for row in fields(graph, infer(graph)):
        assert row["x"] is not None
        assert row["x"].axes == positions


def test_attention_does_the_same_at_every_position() -> None:
    query = {"name": "q", "type": "Dense", "units": 4}
    attend = {"type": "MultiHeadAttention", "num_heads": 2, "key_dim": 3, "inputs": ["x", "x"]}
    assert axes(spec([9, 4], attend)) == (0,)
    assert axes(spec([9, 4], query, {"type": "Attention", "inputs": ["q", "x"]})) == (0,)


def test_the_indices_of_an_embedding_are_positions() -> None:
    table = {"type": "Embedding", "input_dim": 7, "output_dim": 3}
    for after in ([], [FLATTEN, DENSE], [{"type": "GRU", "units": 2}]):
        assert axes(spec([9], {"type": "Identity"}, table, *after, dtype="int32")) == (0,)


def test_a_scalar_has_no_axes() -> None:
    graph = network(("x", "InputLayer", {"shape": ()}, []), ("same", "Identity", {}, ["x"]))
    assert axes(graph) == ()


def test_the_channel_axes_of_a_sum_are_those_of_all_its_inputs() -> None:
    types = registered()
    first = types["AdaptiveAveragePooling2D"](output_size=(3, 4), data_format="channels_first")
    nodes = [
        ("x", types["InputLayer"](shape=(2, 3, 4)), ()),
        ("y", types["InputLayer"](shape=(2, 3, 4)), ()),
        ("turned", first, ("x",)),
        ("plain", types["Conv2D"](filters=4, kernel_size=1), ("y",)),
    ]
    for inputs in (("turned", "plain"), ("plain", "turned")):
        graph = Graph.of("net", [*nodes, ("sum", types["Add"](), inputs)], ["sum"])
        assert windows(graph, infer(graph)).channels[-1] == {0, 2}


@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        ({"type": "ConvLSTM1D", "filters": 4, "kernel_size": 3, "return_sequences": True}, {2}),
        (each_step({"type": "Conv1D", "filters": 4, "kernel_size": 3, "data_format": "channels_first"}), {1}),
        ({"type": "GroupNormalization", "groups": 1}, {2}),
        ({"type": "EinsumDense", "equation": "abcd,de->abce", "output_shape": [None, 12, 7]}, {2}),
    ],
)
def test_the_channel_axis_of_an_output_is_the_one_to_which_no_axis_goes(
    layer: dict[str, Any], channels: set[int]
) -> None:
    graph = spec([4, 12, 5], layer)
    assert windows(graph, infer(graph)).channels[-1] == channels
