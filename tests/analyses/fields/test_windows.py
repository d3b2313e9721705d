"""The channel axis of an input, which the nearest layer with a data format decides."""

from __future__ import annotations

from typing import Any

import pytest

from archcalc.analyses.fields import windows
from archcalc.analyses.fields.receptive_field import fields
from archcalc.analyses.fields.windows import channel_axes, spatial_axes
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from archcalc.layers.registry import registered
from tests.analyses.fields.test_effective_field import network

FIRST = {"filters": 2, "kernel_size": 3, "data_format": "channels_first"}
LAST = {"filters": 2, "kernel_size": 3}


def conv_after(steps: int, conv: dict[str, Any], shape: tuple[int, ...] = (7, 9, 8)) -> Graph:
    """A convolution after this number of layers without a data format."""
    rows: list[Any] = [("x", "InputLayer", {"shape": shape}, [])]
    for k in range(steps):
        rows.append((f"a{k}", "ReLU", {}, [rows[-1][0]]))
    return network(*rows, ("conv", "Conv2D", conv, [rows[-1][0]]))


@pytest.mark.parametrize("steps", range(4))
def test_a_layer_some_steps_later_decides_the_channel_axis(steps: int) -> None:
    for conv, axes, channels in ((FIRST, (1, 2), 0), (LAST, (0, 1), 2)):
        graph = conv_after(steps, conv)
        shapes = infer(graph)
        assert channel_axes(graph, shapes) == {0: channels}
        assert spatial_axes(graph, shapes) == {0: axes}
        field = fields(graph, shapes)[-1]["x"]
        assert field is not None
        assert field.size == (3, 3)


def test_the_nearer_of_two_layers_decides() -> None:
    graph = network(
        ("x", "InputLayer", {"shape": (7, 9, 8)}, []),
        ("a", "ReLU", {}, ["x"]),
        ("far", "Conv2D", LAST, ["a"]),
        ("near", "Conv2D", FIRST, ["x"]),
        ("b", "Flatten", {}, ["far"]),
        ("c", "Flatten", {}, ["near"]),
        ("both", "Concatenate", {}, ["b", "c"]),
    )
    assert channel_axes(graph, infer(graph)) == {0: 0}


def test_only_a_limited_number_of_layers_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MAX_SEARCHED", 3)
    for steps, channels in ((2, 0), (3, 2)):
        graph = conv_after(steps, FIRST)
        assert channel_axes(graph, infer(graph)) == {0: channels}


def test_the_indices_of_an_embedding_have_no_channels() -> None:
    graph = network(
        ("x", "InputLayer", {"shape": (9,), "dtype": "int32"}, []),
        ("same", "Identity", {}, ["x"]),
        ("table", "Embedding", {"input_dim": 7, "output_dim": 3}, ["same"]),
    )
    assert channel_axes(graph, infer(graph)) == {0: None}
    assert spatial_axes(graph, infer(graph)) == {0: (0,)}


def test_a_scalar_has_no_channels() -> None:
    graph = network(("x", "InputLayer", {"shape": ()}, []), ("same", "Identity", {}, ["x"]))
    assert channel_axes(graph, infer(graph)) == {0: None}


def test_the_channel_axis_of_a_sum_does_not_depend_on_the_order_of_its_inputs() -> None:
    types = registered()
    first = types["AdaptiveAveragePooling2D"](output_size=(3, 4), data_format="channels_first")
    nodes = [
        ("x", types["InputLayer"](shape=(2, 3, 4)), ()),
        ("y", types["InputLayer"](shape=(2, 3, 4)), ()),
        ("turned", first, ("x",)),
        ("plain", types["Conv2D"](filters=4, kernel_size=1), ("y",)),
    ]
    axes = []
    for inputs in (("turned", "plain"), ("plain", "turned")):
        graph = Graph.of("net", [*nodes, ("sum", types["Add"](), inputs)], ["sum"])
        axes.append(windows.windows(graph, infer(graph)).channels[-1])
    assert axes == [2, 2]
