"""Which axis of an input holds channels: the first layers behind it with a data format say."""

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


def behind(steps: int, conv: dict[str, Any], shape: tuple[int, ...] = (7, 9, 8)) -> Graph:
    """A convolution behind so many layers to which all axes are alike."""
    rows: list[Any] = [("x", "InputLayer", {"shape": shape}, [])]
    for k in range(steps):
        rows.append((f"a{k}", "ReLU", {}, [rows[-1][0]]))
    return network(*rows, ("conv", "Conv2D", conv, [rows[-1][0]]))


@pytest.mark.parametrize("steps", range(4))
def test_a_layer_some_steps_behind_says_where_channels_are(steps: int) -> None:
    for conv, axes, channels in ((FIRST, (1, 2), 0), (LAST, (0, 1), 2)):
        graph = behind(steps, conv)
        shapes = infer(graph)
        assert channel_axes(graph, shapes) == {0: channels}
        assert spatial_axes(graph, shapes) == {0: axes}
        field = fields(graph, shapes)[-1]["x"]
        assert field is not None
        assert field.size == (3, 3)


def test_of_two_layers_the_nearer_one_says_it() -> None:
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


def test_only_so_many_layers_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MAX_ASKED", 3)
    for steps, channels in ((2, 0), (3, 2)):
        graph = behind(steps, FIRST)
        assert channel_axes(graph, infer(graph)) == {0: channels}


def test_integers_of_a_table_have_no_channels() -> None:
    graph = network(
        ("x", "InputLayer", {"shape": (9,), "dtype": "int32"}, []),
        ("same", "Identity", {}, ["x"]),
        ("table", "Embedding", {"input_dim": 7, "output_dim": 3}, ["same"]),
    )
    assert channel_axes(graph, infer(graph)) == {0: None}
    assert spatial_axes(graph, infer(graph)) == {0: (0,)}


def test_a_scalar_has_none() -> None:
    graph = network(("x", "InputLayer", {"shape": ()}, []), ("same", "Identity", {}, ["x"]))
    assert channel_axes(graph, infer(graph)) == {0: None}


def test_a_sum_has_its_channels_where_they_are_in_any_order_of_its_inputs() -> None:
    types = registered()
    first = types["AdaptiveAveragePooling2D"](output_size=(3, 4), data_format="channels_first")
    nodes = [
        ("x", types["InputLayer"](shape=(2, 3, 4)), ()),
        ("y", types["InputLayer"](shape=(2, 3, 4)), ()),
        ("turned", first, ("x",)),
        ("plain", types["Conv2D"](filters=4, kernel_size=1), ("y",)),
    ]
    found = []
    for inputs in (("turned", "plain"), ("plain", "turned")):
        graph = Graph.of("net", [*nodes, ("sum", types["Add"](), inputs)], ["sum"])
        found.append(windows.windows(graph, infer(graph)).channels[-1])
    assert found == [2, 2]
