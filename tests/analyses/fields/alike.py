"""Toy networks whose axes are read alike, as height and width mostly are."""

from __future__ import annotations

from typing import Any

from hypothesis import note
from hypothesis import strategies as st

from archcalc.graph import Graph
from archcalc.layers.core import InputLayer
from archcalc.layers.window import Fixed, Read, Taps, Whole, Window
from tests.analyses.fields.toy import Toy, a_concatenation, a_read, elementwise


@st.composite
def alike_networks(draw: st.DrawFn, *, parts: bool = True, most: int = 8) -> Graph:
    """Inputs of two or three axes and a channel, and at `most` so many layers, mostly alike along all axes.

    Branches meet with equal and with different strides. Now and then one axis is read in another way, axes
    change their order, are longer than the others, or inputs are joined along one of them (`parts`).
    """
    spatial = draw(st.sampled_from([2, 2, 2, 3]))
    sides: dict[str, tuple[int, ...]] = {}
    nodes: list[Any] = []

    def add(name: str, of: tuple[int, ...], layer: Any, parents: list[str]) -> None:
        sides[name] = of
        nodes.append((name, layer, parents))

    def square() -> tuple[int, ...]:
        side, longer = draw(st.integers(1, 7)), draw(st.integers(0, 7))
        return (side,) * (spatial - 1) + (side + (longer == 7),)

    for i in range(draw(st.sampled_from([1, 1, 2]))):
        of = square()
        add(f"x{i}", of, InputLayer(shape=(*of, 1)), [])
    for k in range(draw(st.integers(1, most))):
        name = f"n{k}"
        recent = list(sides)[-4:]
        parents = draw(st.lists(st.sampled_from(recent), min_size=1, max_size=2))
        if len(parents) == 1 and not draw(st.integers(0, 3)):
            of = sides[parents[0]]
            add(name, of, Toy(out=(*of, 1), reads=(elementwise(spatial + 1),)), parents)
            continue
        if parts and len(parents) == 2 and not draw(st.integers(0, 6)):
            out, reads = draw(a_concatenation([(*sides[p], 1) for p in parents]))
            add(name, out, Toy(out=(*out, 1), reads=tuple(reads)), parents)
            continue
        of = sides[parents[0]] if draw(st.booleans()) else square()
        windows = tuple(draw(_window(sides[p], of)) for p in parents)
        add(name, of, Toy(out=(*of, 1), reads=windows), parents)
    note("\n".join(f"{name} {getattr(toy, 'reads', toy)} {parents}" for name, toy, parents in nodes))
    return Graph.of("alike", nodes, [nodes[-1][0]])


@st.composite
def _window(draw: st.DrawFn, before: tuple[int, ...], out: tuple[int, ...]) -> Window:
    """The reads of a tensor with these sides and one channel, by a layer with these sides."""
    spatial = len(before)
    moves = draw(st.integers(0, 5)) == 5
    axes = draw(st.permutations(range(spatial))) if moves else range(spatial)
    numbers = (
        draw(st.sampled_from([1, 1, 1, 2, 3, -1])),
        draw(st.integers(-3, 2)),
        draw(st.integers(1, 4)),
        draw(st.sampled_from([1, 1, 2])),
    )
    reads: list[Read] = [Taps(axis, *numbers) for axis in axes]
    if not draw(st.integers(0, 3)):
        a = draw(st.integers(0, spatial - 1))
        reads[a] = draw(a_read(before[a], axes[a], out[axes[a]], False, False, False))
    return (*reads, draw(st.sampled_from([Whole(), Whole(), Fixed()])))
