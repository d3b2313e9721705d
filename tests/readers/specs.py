"""Short ways to write specs in tests."""

from __future__ import annotations

from typing import Any

from archcalc.errors import SourceError
from archcalc.graph import Graph
from archcalc.readers import load

CONV = {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"}
RELU = {"type": "ReLU"}


def spec(*layers: Any, **sections: Any) -> dict[str, Any]:
    """A spec on an 8x8x4 input; `sections` add to it or replace what it has."""
    return {"archcalc": 1, "inputs": {"x": [8, 8, 4]}, "layers": list(layers), **sections}


def read(*layers: Any, symbols: Any = None, overrides: Any = None, **sections: Any) -> Graph:
    if symbols is not None:
        sections["symbols"] = symbols
    return load(spec(*layers, **sections), symbols=overrides)


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes]


def inputs(graph: Graph, name: str) -> list[str]:
    """The names of a node's inputs."""
    node = graph.nodes[graph.index()[name]]
    return [graph.nodes[t.node].name for t in node.inputs]


def faults(source: Any, **options: Any) -> list[str]:
    """Every fault of a source as `path: message`, without the source's name."""
    try:
        load(source, **options)
    except SourceError as problem:
        return [str(fault) for fault in problem.faults]
    return []
