"""Toy networks with symbols or arrays in place of some numbers, and the values of these."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from hypothesis import note
from hypothesis import strategies as st

from archcalc.arith.arrays import array
from archcalc.arith.symbolic import symbol
from archcalc.graph import Graph
from archcalc.layers.core import InputLayer
from archcalc.layers.window import Blocks, Fixed, Phases, Read, Section, Taps
from tests.analyses.fields.toy import Toy, all_reads

# fields of a read that may be symbolic, and the least value of each
NUMBERS: dict[type, dict[str, int]] = {
    Taps: {"stride": 1, "offset": -9, "count": 1, "dilation": 1},
    Blocks: {"outputs": 1, "inputs": 1},
    Section: {"start": 0, "length": 1},
    Fixed: {"index": 0},
}
# a number, its least value, and whether a larger one makes sense -> what replaces it
Change = Callable[[int, int, bool], Any]


def _changed(graph: Graph, change: Change, shapes: bool) -> Graph:
    """The network with every number replaced by `change`, those of shapes only if `shapes`."""

    def sides(shape: Any) -> tuple[Any, ...]:
        return (*(change(n, 1, True) if shapes else n for n in shape[:-1]), shape[-1])

    def changed(read: Read) -> Read:
        numbers = {name: (getattr(read, name), least) for name, least in NUMBERS.get(type(read), {}).items()}
        grows = not isinstance(read, Fixed)  # no layer reads a unit beyond the end of its input
        return dataclasses.replace(
            read, **{k: change(v, min(v, least), grows) for k, (v, least) in numbers.items()}
        )

    nodes: list[Any] = []
    names = [node.name for node in graph.nodes]
    for node in graph.nodes:
        layer: Any = node.layer
        if isinstance(layer, InputLayer):
            layer = InputLayer(shape=sides(layer.shape))
        else:
            layer = Toy(out=sides(layer.out), reads=tuple(tuple(map(changed, w)) for w in layer.reads))
        nodes.append((node.name, layer, [names[t.node] for t in node.inputs]))
    return Graph.of("toy", nodes, [names[t.node] for t in graph.outputs])


@st.composite
def with_symbols(draw: st.DrawFn, networks: st.SearchStrategy[Graph]) -> tuple[Graph, Graph, dict[str, int]]:
    """A network, the same network with symbols for some of its numbers, and their values."""
    graph = draw(networks)
    values: dict[str, int] = {}
    often = draw(st.integers(1, 4))

    def change(number: int, least: int, _: bool) -> Any:
        if draw(st.integers(0, 4)) < often:
            return number
        apart = draw(st.integers(0, 2)) + max(0, 1 - least)
        name = f"s{len(values)}"
        values[name] = number + apart
        return symbol(name, minimum=least + apart) - apart

    general = _changed(graph, change, draw(st.booleans()))
    note(f"{values}\n" + "\n".join(f"{n.name} {n.layer}" for n in general.nodes))
    return graph, general, values


@st.composite
def with_arrays(draw: st.DrawFn, networks: st.SearchStrategy[Graph]) -> tuple[list[Graph], Graph]:
    """Two networks of the same structure, and one network with arrays of both numbers where they differ."""
    graph = draw(networks)
    pairs: list[tuple[int, int]] = []

    def change(number: int, _: int, grows: bool) -> Any:
        apart = draw(st.sampled_from([0, 0, 0, 1, 2]))
        other = number + apart if grows else max(0, number - apart)
        pairs.append((number, other))
        return number if number == other else array([number, other])

    shapes = draw(st.booleans())
    together = _changed(graph, change, shapes)
    second = iter(pairs)
    alone = _changed(graph, lambda *_: next(second)[1], shapes)
    note("\n".join(f"{n.name} {n.layer}" for n in together.nodes))
    return [graph, alone], together


def in_phases(graph: Graph) -> bool:
    """Whether the windows of some layer have phases."""
    return any(isinstance(read, Phases | Blocks) for read in all_reads(graph))
