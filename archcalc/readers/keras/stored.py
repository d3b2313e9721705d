"""Shapes of the weights that a file stores for layers without a rule; their values are not read."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cached_property

from archcalc import arith
from archcalc.analyses.shapes import shapes_and_weights
from archcalc.errors import SourceError
from archcalc.graph import Graph, Node
from archcalc.layers.base import Weight
from archcalc.layers.opaque import Opaque
from archcalc.readers.hdf5 import File, HDF5Error
from archcalc.readers.hdf5 import Node as Stored
from archcalc.readers.keras.reading import Reading

MAX_DEPTH = 32
MAX_SIZE = 2**31
VARIABLES, RANDOM, OPTIMIZER = "vars", "seed_generator", "optimizer"
WEIGHTS = "model_weights"

Path = tuple[str, ...]


class StoredShapes:
    """The shapes of all arrays in a file, by the names of the layers and weights on the path to each.

    `open_file` is called when a shape is first asked for.
    """

    def __init__(self, open_file: Callable[[], File], *, archive: bool) -> None:
        self._open, self._archive = open_file, archive

    def of(self, layer: str) -> tuple[Weight, ...] | None:
        """The weights of a layer by its name in the graph; None if the file does not have the layer.

        Which of them are trained is not stored.
        """
        names = tuple(layer.split("/"))
        for path in (names,) if self._archive else (names, (names[0], *names)):
            found = list(self._below(path))
            if found:
                return tuple(Weight("/".join(p[len(path) :]), s, None) for p, s in found if s is not None)
        return None

    def everything(self) -> tuple[Weight, ...] | None:
        """All weights of the model; None if the file holds none, or cannot be read."""
        found = tuple(Weight("/".join(filter(None, p)), s, None) for p, s in self._all if s is not None)
        return found or None

    def _below(self, path: Path) -> Iterator[tuple[Path, tuple[int, ...] | None]]:
        start = bisect_left(self._all, path, key=lambda entry: entry[0])
        for entry in self._all[start:]:
            if entry[0][: len(path)] != path:
                return
            yield entry

    @cached_property
    def _all(self) -> list[tuple[Path, tuple[int, ...] | None]]:
        """Every array with its shape, and every layer with None; nothing if the file cannot be read."""
        try:
            file = self._open()
            shapes = _of_archive(file) if self._archive else _of_h5(file)
            return sorted(shapes, key=lambda entry: entry[0])
        except HDF5Error:
            return []


def _of_archive(file: File) -> Iterator[tuple[Path, tuple[int, ...] | None]]:
    """Keras 3 stores each layer's arrays in a group `vars`, whose attribute `name` is the layer's name."""
    waiting: list[tuple[Stored, Path, int]] = [(file.root, (), 0)]
    while waiting:
        group, names, depth = waiting.pop()
        children = dict(group.children())
        variables = children.pop(VARIABLES, None)
        if variables is not None:
            inside = file.node(variables)
            if depth:
                names = (*names, dict(inside.attributes()).get("name") or "")
            yield names, None
            arrays = dict(inside.children())
            # Keras numbers weights; what a class stores beside them under names are none
            numbered = {name: at for name, at in arrays.items() if name.isdecimal()}
            for name, address in (numbered or arrays).items():
                yield (*names, name), _shape(file.node(address))
        for name, address in children.items() if depth < MAX_DEPTH else ():
            # the states of random numbers are no weights
            if not name.startswith(RANDOM) and (depth or name != OPTIMIZER):
                waiting.append((file.node(address), names, depth + 1))


def _of_h5(file: File) -> Iterator[tuple[Path, tuple[int, ...] | None]]:
    """Keras 2 stores the arrays of each layer in groups named after it."""
    top = dict(file.root.children()).get(WEIGHTS)
    waiting: list[tuple[Stored, Path]] = [] if top is None else [(file.node(top), ())]
    while waiting:
        group, names = waiting.pop()
        for name, address in group.children():
            node = file.node(address)
            if node.shape is not None:
                yield (*names, name), _shape(node)
            elif len(names) < MAX_DEPTH:
                yield (*names, name), None
                waiting.append((node, (*names, name)))


def _shape(node: Stored) -> tuple[int, ...]:
    shape = node.shape
    if shape is None or any(n > MAX_SIZE for n in shape):
        raise HDF5Error("an array without a shape")
    return shape


def with_stored(graph: Graph, stored: StoredShapes, whole: str = "") -> Graph:
    """The graph with the weights of its unknown layers as the file stores them.

    `whole`: the layer that is the model itself, if it is one layer.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        layer = node.layer
        if isinstance(layer, Opaque) and layer.stated_weights is None:
            owner = graph.nodes[node.shared_with] if node.shared_with is not None else node
            weights = stored.everything() if owner.name == whole else stored.of(owner.name)
            if weights is not None:
                node = dataclasses.replace(node, layer=dataclasses.replace(layer, stated_weights=weights))
        nodes.append(node)
    return dataclasses.replace(graph, nodes=tuple(nodes))


def require_stored(graph: Graph, stored: StoredShapes, reading: Reading) -> None:
    """Refuse a class that `--as` says to be a layer type of other weights than the file stores for it."""
    if not reading.claimed:
        return
    with arith.scope():
        _, weights = shapes_and_weights(graph)
    for node, declared in zip(graph.nodes, weights, strict=True):
        kept = stored.of(node.name) if node.name in reading.claimed and node.shared_with is None else None
        if kept is None:
            continue
        has, holds = (arith.total(w.parameters for w in ws) for ws in (declared, kept))
        if isinstance(has, int) and has != holds:
            kind = type(node.layer).__name__
            text = f"the file stores {holds:,} parameters for {node.name!r}, and as {kind} it has {has:,}"
            reading.fault("", f"--as {reading.claimed[node.name]}={kind}: {text}")
    if reading.faults:
        raise SourceError(reading.source, reading.worst())
