"""Networks of layers with arbitrary windows, and what their units see, by brute force.

The oracle follows every unit through every read; it uses none of archcalc's maps, periods or moments.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

from hypothesis import note
from hypothesis import strategies as st

from archcalc.arith import Shape, Size
from archcalc.graph import Graph
from archcalc.layers.base import NoMacs, Weightless, family
from archcalc.layers.core import InputLayer
from archcalc.layers.fields import Untracked
from archcalc.layers.primitives import Primitives, Unbounded
from archcalc.layers.window import (
    Blocks,
    Fixed,
    Phases,
    Prefix,
    Read,
    Section,
    Shares,
    Taps,
    Whole,
    Window,
)


@family
class Toy(Weightless, NoMacs):
    """A layer with any output shape and any window."""

    out: Untracked
    reads: Untracked

    def output_shape(self, *inputs: Shape) -> Shape:
        return tuple(self.out)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple(self.reads)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        return (Unbounded("a toy layer has no values"),)

    def shares(self, *inputs: Shape) -> Shares:
        return Shares(tuple(range(1, len(inputs) + 1)))


# -- the oracle ---------------------------------------------------------------------------------
def units_read(read: Read, n: int, unit: tuple[int, ...]) -> list[int]:
    """The indices of an axis of size n that one output unit reads, padding included."""
    match read:
        case Taps(axis, stride, offset, count, dilation):
            return [stride * unit[axis] + offset + dilation * t for t in range(count)]
        case Phases(axis, step, reads):
            q, r = divmod(unit[axis], len(reads))
            return [step * q + o for o, _ in reads[r]]
        case Blocks(axis, outer, inner):
            return [inner * (unit[axis] // outer) + j for j in range(inner)]
        case Section(axis, start, length):
            return [unit[axis] - start] if 0 <= unit[axis] - start < length else []
        case Whole():
            return list(range(n))
        case Prefix(axis, backwards, turned):
            position = n - 1 - unit[axis] if turned else unit[axis]
            return list(range(position, n)) if backwards else list(range(position + 1))
        case Fixed(index):
            return [index]
    raise AssertionError(read)


def _tap_weight(read: Read, count: int) -> Fraction:
    """The weight of each unit that is read along an axis."""
    if isinstance(read, Phases):
        return Fraction(len(read.reads), sum(map(len, read.reads)) or 1)
    return Fraction(1, count or 1)


class Oracle:
    """What units see, unit by unit."""

    def __init__(self, graph: Graph, shapes: list[tuple[Shape, ...]]) -> None:
        self.graph = graph
        self.shapes = shapes
        self.paths: dict[Any, dict[tuple[int | None, bool], tuple[int, int]]] = {}
        self.sets: dict[Any, dict[int, set[tuple[int, ...]]]] = {}
        self.strengths: dict[Any, dict[tuple[int, ...], Fraction]] = {}

    def hull(self, node: int, unit: tuple[int, ...], root: int, axis: int, *, local: bool = False) -> Any:
        """(lo, hi) that a unit sees of an axis of an input, padding included; None if it sees nothing.

        `local`: without the paths on which a layer reads a whole axis.
        """
        hulls = [
            hull for (_, whole), hull in self.seen(node, unit, root, axis).items() if not (local and whole)
        ]
        return (min(lo for lo, _ in hulls), max(hi for _, hi in hulls)) if hulls else None

    def seen(
        self, node: int, unit: tuple[int, ...], root: int, axis: int
    ) -> dict[tuple[int | None, bool], tuple[int, int]]:
        """The hull by kind of path: the node's axis along which it moves, whether a whole axis is read."""
        key = (node, unit, root, axis)
        if key not in self.paths:
            self.paths[key] = self._seen(*key)
        return self.paths[key]

    def _seen(self, node: int, unit: tuple[int, ...], root: int, axis: int) -> Any:
        if node == root:
            return {(axis, False): (unit[axis], unit[axis])}
        hulls: dict[Any, tuple[int, int]] = {}
        reader = self.graph.nodes[node]
        for tap, window in zip(reader.inputs, reader.layer.window(), strict=True):
            (shape,) = self.shapes[tap.node]
            axes = [units_read(read, n, unit) for read, n in zip(window, shape, strict=True)]
            for child in product(*axes):
                for (moving, whole), (lo, hi) in self.seen(tap.node, child, root, axis).items():
                    kind = (moving, whole)
                    if moving is not None:
                        read = window[moving]
                        kind = (getattr(read, "axis", None), whole or isinstance(read, Whole))
                    old = hulls.get(kind, (lo, hi))
                    hulls[kind] = min(lo, old[0]), max(hi, old[1])
        return hulls

    def weights(self, node: int, unit: tuple[int, ...], root: int) -> dict[tuple[int, ...], Fraction]:
        """The weight with which a unit depends on each position of an input, padding included.

        The taps of a unit have equal weights that add up to 1; for phases they do so on average.
        """
        key = (node, unit, root)
        if key not in self.strengths:
            self.strengths[key] = self._weights(*key)
        return self.strengths[key]

    def _weights(self, node: int, unit: tuple[int, ...], root: int) -> dict[tuple[int, ...], Fraction]:
        if node == root:
            return {unit[:-1]: Fraction(1)}
        weights: dict[tuple[int, ...], Fraction] = {}
        reader = self.graph.nodes[node]
        for k, (tap, window) in enumerate(zip(reader.inputs, reader.layer.window(), strict=True), start=1):
            (shape,) = self.shapes[tap.node]
            axes = [units_read(read, n, unit) for read, n in zip(window[:-1], shape[:-1], strict=True)]
            each = k * prod(map(_tap_weight, window[:-1], map(len, axes)))
            for child in product(*axes):
                for position, weight in self.weights(tap.node, (*child, 0), root).items():
                    weights[position] = weights.get(position, Fraction(0)) + each * weight
        return weights

    def variance(self, node: int, unit: tuple[int, ...], root: int, axis: int) -> Fraction | None:
        """The variance along one axis of the positions that a unit depends on; None if there are none."""
        weights = self.weights(node, unit, root)
        mass = sum(weights.values())
        if not mass:
            return None
        mean = sum(position[axis] * w for position, w in weights.items()) / mass
        return sum(((position[axis] - mean) ** 2 * w for position, w in weights.items()), Fraction(0)) / mass

    def real(self, node: int, unit: tuple[int, ...]) -> dict[int, set[tuple[int, ...]]]:
        """The units of each input that a unit depends on, without the padding of any layer."""
        key = (node, unit)
        if key not in self.sets:
            self.sets[key] = self._real(node, unit)
        return self.sets[key]

    def _real(self, node: int, unit: tuple[int, ...]) -> dict[int, set[tuple[int, ...]]]:
        reader = self.graph.nodes[node]
        if not reader.inputs:
            return {node: {unit}}
        inputs: dict[int, set[tuple[int, ...]]] = {}
        for tap, window in zip(reader.inputs, reader.layer.window(), strict=True):
            (shape,) = self.shapes[tap.node]
            axes = [
                [j for j in units_read(read, n, unit) if 0 <= j < n]
                for read, n in zip(window, shape, strict=True)
            ]
            for child in product(*axes):
                for root, seen in self.real(tap.node, child).items():
                    inputs.setdefault(root, set()).update(seen)
        return inputs


# -- random networks ------------------------------------------------------------------------------
@st.composite
def networks(
    draw: st.DrawFn, spatial: int, *, holes: bool = True, parts: bool = False, causal: bool = True
) -> Graph:
    """A small network over tensors of `spatial` axes and one or two channels, with one or two inputs.

    Every node merges one or two earlier ones, each with a random window and shape: branches of one
    node move at different rates, in different phases, back and forth. `holes` allows phases that read
    nothing, `parts` concatenations along spatial axes, `causal` prefix reads.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    nodes: list[Any] = []
    for i in range(draw(st.integers(1, 2))):
        shapes[f"x{i}"] = (*(draw(st.integers(1, 9)) for _ in range(spatial)), draw(st.integers(1, 2)))
        nodes.append((f"x{i}", InputLayer(shape=shapes[f"x{i}"]), []))
    strict: set[str] = set()  # nodes after causal reads: units outside of the tensor are undefined
    for k in range(draw(st.integers(1, 6))):
        name = f"n{k}"
        parents = draw(st.lists(st.sampled_from(sorted(shapes)), min_size=1, max_size=2))
        if any(parent in strict for parent in parents):
            strict.add(name)
        if len(parents) == 1 and not draw(st.integers(0, 4)):  # an activation, say
            shapes[name] = shapes[parents[0]]
            nodes.append((name, Toy(out=shapes[name], reads=(elementwise(spatial + 1),)), parents))
            continue
        if parts and len(parents) == 2 and draw(st.booleans()):
            out, reads = draw(a_concatenation([shapes[p] for p in parents]))
        else:
            out = tuple(draw(st.integers(1, 8)) for _ in range(spatial))
            reads = []
            for parent in parents:
                order = draw(st.permutations(range(spatial)))
                window = [
                    draw(a_read(shapes[parent][a], order[a], out[order[a]], parent in strict, holes, causal))
                    for a in range(spatial)
                ]
                if any(isinstance(r, Prefix) for r in window):
                    strict.add(name)
                reads.append((*window, Whole()))
        shapes[name] = (*out, draw(st.integers(1, 2)))
        nodes.append((name, Toy(out=shapes[name], reads=tuple(reads)), parents))
    note("\n".join(f"{name} {shapes[name]} {getattr(toy, 'reads', '')} {of}" for name, toy, of in nodes))
    return Graph.of("toy", nodes, [nodes[-1][0]])


def elementwise(rank: int) -> tuple[Taps, ...]:
    """Each unit reads the one at its own place."""
    return tuple(map(Taps, range(rank)))


@st.composite
def a_read(draw: st.DrawFn, n: int, axis: int, m: int, inside: bool, holes: bool, causal: bool) -> Read:
    """A read of an axis of size n along an output axis of size m; without padding if `inside`."""
    kinds = ["taps"] if inside else [*["taps"] * 5, "phases", "phases", "blocks"]
    kind = draw(st.sampled_from([*kinds, "fixed", "whole", *["prefix"] * (causal and m <= n)]))
    if kind == "fixed" or (inside and kind == "taps" and m > n):
        return Fixed(draw(st.integers(0, n - 1)))
    if kind == "whole":
        return Whole(uniform=True)
    if kind == "prefix":
        return Prefix(axis, draw(st.booleans()), draw(st.booleans()))
    if kind == "blocks":
        return Blocks(axis, draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    if kind == "phases":
        offsets = st.lists(st.integers(-2, 3), min_size=0 if holes else 1, max_size=3, unique=True)
        rows = draw(st.lists(offsets.map(sorted), min_size=1, max_size=3))
        reads = tuple(tuple((o, 1.0) for o in row) for row in rows)
        return Phases(axis, draw(st.integers(1, 3)), reads)
    if inside:
        return Taps(axis, 1, draw(st.integers(0, n - m)))
    return Taps(
        axis,
        draw(st.sampled_from([1, 1, 2, 3, -1])),
        draw(st.integers(-3, 3)),
        draw(st.integers(1, 4)),
        draw(st.sampled_from([1, 1, 2, 3])),
    )


@st.composite
def a_concatenation(
    draw: st.DrawFn, shapes: list[tuple[int, ...]]
) -> tuple[tuple[int, ...], list[tuple[Read, ...]]]:
    """A concatenation along one axis, of inputs cropped to the smallest along the other axes."""
    spatial = len(shapes[0]) - 1
    joined = draw(st.integers(0, spatial - 1))
    out = [min(sides) for sides in zip(*(shape[:-1] for shape in shapes), strict=True)]
    out[joined] = sum(shape[joined] for shape in shapes)
    windows = []
    start = 0
    for shape in shapes:
        reads: list[Read] = [Taps(a) for a in range(spatial)]
        reads[joined] = Section(joined, start, shape[joined])
        start += shape[joined]
        windows.append((*reads, Whole()))
    return tuple(out), windows


def positions(shape: Iterable[int]) -> list[tuple[int, ...]]:
    """All positions of a tensor, at its first channel."""
    *sides, _ = shape
    return [(*position, 0) for position in product(*(range(n) for n in sides))]


def all_reads(graph: Graph) -> list[Read]:
    """Every read of every layer."""
    return [read for node in graph.nodes if node.inputs for window in node.layer.window() for read in window]
