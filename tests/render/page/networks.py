"""Networks that pages are made of in tests."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from archcalc.graph import Graph
from archcalc.layers.convolution import Conv2D
from archcalc.layers.core import InputLayer
from archcalc.readers import load

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "javascript:alert(3)",
    "n" * 10_000,
    "\u202etxet\u202c עברית",
    '"><svg onload=alert(4)>{{ 7*7 }}',
]


def hostile() -> Graph:
    """Layers whose names are code, very long, or from right to left; no file can have all of them."""
    names = ["x", *HOSTILE]
    nodes: list[Any] = [("x", InputLayer(shape=(16, 16, 3)), [])]
    for before, name in pairwise(names):
        nodes.append((name, Conv2D(filters=4, kernel_size=3, padding="same"), [before]))
    return Graph.of("<b>bold</b>", nodes, [HOSTILE[-1]], source="<i>source</i>")


def spec(inputs: dict[str, Any], layers: list[dict[str, Any]], **more: Any) -> Graph:
    return load(json.loads(json.dumps({"archcalc": 1, "inputs": inputs, "layers": layers, **more})))


def mlp() -> Graph:
    """Three layers on a vector."""
    return spec({"features": [20]}, [{"name": f"dense{i}", "type": "Dense", "units": 16} for i in range(3)])


def causal() -> Graph:
    """Dilated causal convolutions on a sequence whose length is open."""
    layers = [
        {"name": f"conv{i}", "type": "Conv1D", "filters": 8, "kernel_size": 2, "padding": "causal",
         "dilation_rate": 2**i, "activation": "relu"}
        for i in range(5)
    ]  # fmt: skip
    return spec({"series": ["T", 1]}, layers, symbols={"T": None}, name="causal")


def two_inputs() -> Graph:
    """An image and a vector, joined."""
    layers: list[dict[str, Any]] = [
        {"name": "conv", "type": "Conv2D", "filters": 8, "kernel_size": 5, "inputs": ["image"]},
        {"name": "pool", "type": "GlobalAveragePooling2D"},
        {"name": "side", "type": "Dense", "units": 8, "inputs": ["facts"]},
        {"name": "both", "type": "Concatenate", "inputs": ["pool", "side"]},
        {"name": "out", "type": "Dense", "units": 3},
    ]
    return spec({"image": [32, 48, 3], "facts": [5]}, layers, name="two_inputs")
