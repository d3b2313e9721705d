"""Layers of classes that a rule describes (`classes`), written out as the layers that the rule names.

A rule may speak of its input's sizes, so it is applied once the graph is there: shapes are followed from
the inputs on, and each described layer becomes the nodes of a small spec.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, NoReturn

from archcalc import arith
from archcalc.analyses import shapes as inference
from archcalc.arith import Shape
from archcalc.errors import ArchcalcError, Fault, SourceError
from archcalc.graph import Graph, Node, Tap
from archcalc.layers.base import family
from archcalc.layers.fields import Untracked
from archcalc.layers.opaque import Opaque
from archcalc.readers.keras.applied import USE, MisfitError, by, chosen, network
from archcalc.readers.keras.reading import Reading, agree
from archcalc.readers.keras.stored import StoredShapes


@family
class Described(Opaque):
    """A layer of a class with a rule, until the graph is there."""

    rule: Untracked = None
    config: Untracked = None
    path: Untracked = ""
    recorded: Untracked = None  # output -> shape in the file
    instead: Untracked = None  # an Opaque where no alternative of a shipped rule fits, or why there is none


def written_out(graph: Graph, reading: Reading, stored: StoredShapes | None) -> Graph:
    """The graph with every described layer written out.

    Raises `SourceError` where a rule does not fit its layer, or contradicts what the file records.
    """
    if not any(isinstance(node.layer, Described) for node in graph.nodes):
        return graph
    with arith.scope():
        return _Writing(graph, reading, stored).graph()


class _Writing:
    """New nodes, the outputs of each old one, and their shapes."""

    def __init__(self, graph: Graph, reading: Reading, stored: StoredShapes | None) -> None:
        self.old = graph
        self.reading = reading
        self.stored = stored
        self.nodes: list[Node] = []
        self.shapes: list[tuple[Shape, ...]] = []
        self.taps: list[
            tuple[Tap, ...] | int
        ] = []  # of old nodes: their outputs, or the number of the new one
        self.first: list[int] = []  # of old nodes: the number of their first new one
        self.parts: dict[tuple[str, str, tuple[Shape, ...]], Graph] = {}

    def graph(self) -> Graph:
        for old in self.old.nodes:
            inputs = tuple(map(self._tap, old.inputs))
            self.first.append(len(self.nodes))
            if isinstance(old.layer, Described):
                self.taps.append(self._described(old, old.layer, inputs))
            else:
                owner = None if old.shared_with is None else self.first[old.shared_with]
                self._add(Node(old.name, old.layer, inputs, owner))
                self.taps.append(len(self.nodes) - 1)
        outputs = tuple(map(self._tap, self.old.outputs))
        numbers = tuple(self.first[i] for i in self.old.inputs)
        return dataclasses.replace(self.old, nodes=tuple(self.nodes), inputs=numbers, outputs=outputs)

    def _tap(self, tap: Tap) -> Tap:
        known = self.taps[tap.node]
        if isinstance(known, int):
            return Tap(known, tap.output)
        if tap.output < len(known):
            return known[tap.output]
        name = self.old.nodes[tap.node].name
        return self._refuse(
            "", f"output number {tap.output} of {name!r} is read, and its rule has {len(known)}"
        )

    def _add(self, node: Node) -> None:
        self.nodes.append(node)
        if len(self.nodes) - len(self.old.inputs) > self.reading.max_layers:
            self._refuse("$", f"more than {self.reading.max_layers:,} layers (--max-layers raises it)")
        try:
            self.shapes.append(
                node.layer.output_shapes(*(self.shapes[t.node][t.output] for t in node.inputs))
            )
        except (ArchcalcError, IndexError) as fault:
            raise SourceError(self.reading.source, [Fault("", f"layer {node.name!r}: {fault}")]) from None

    def _described(self, old: Node, layer: Described, inputs: tuple[Tap, ...]) -> tuple[Tap, ...] | int:
        given = tuple(self.shapes[t.node][t.output] for t in inputs)
        try:
            part = self._part(layer, given)
            self._check(old, layer, part)
        except MisfitError as misfit:
            if isinstance(layer.instead, Opaque) and layer.rule.shipped:
                owner = None if old.shared_with is None else self.first[old.shared_with]
                self._add(Node(old.name, layer.instead, inputs, owner))
                return len(self.nodes) - 1
            more = layer.instead if layer.rule.shipped else ""
            self._refuse(layer.path, f"layer {old.name!r}: {misfit}{more}")
        return self._spliced(old, layer, part, inputs)

    def _spliced(self, old: Node, layer: Described, part: Graph, inputs: tuple[Tap, ...]) -> tuple[Tap, ...]:
        """Add the nodes of a part; its outputs."""
        start, count = len(self.nodes), len(part.inputs)
        twin = None if old.shared_with is None else self.first[old.shared_with]

        def moved(tap: Tap) -> Tap:
            return inputs[tap.node] if tap.node < count else Tap(start + tap.node - count, tap.output)

        for i, node in enumerate(part.nodes[count:]):
            owner = twin + i if twin is not None else None
            if owner is None and node.shared_with is not None:
                owner = start + node.shared_with - count
            own = node.layer if layer.trainable else dataclasses.replace(node.layer, trainable=False)
            name = f"{old.name}{node.name.removeprefix(USE)}"
            self._add(Node(name, own, tuple(map(moved, node.inputs)), owner))
        return tuple(map(moved, part.outputs))

    # -- the part that a rule makes ------------------------------------------------------------------
    def _part(self, layer: Described, inputs: tuple[Shape, ...]) -> Graph:
        """The rule's network on inputs of these shapes; raises `MisfitError`."""
        key = (layer.rule.name, json.dumps(layer.config, sort_keys=True, default=str), inputs)
        if key not in self.parts:
            alternative, values = chosen(layer.rule, layer.config, inputs)
            self.parts[key] = network(layer.rule, alternative, values, inputs)
        return self.parts[key]

    def _check(self, old: Node, layer: Described, part: Graph) -> None:
        """Compare a part with what the file records of its layer; raises `MisfitError`."""
        shapes, weights = inference.shapes_and_weights(part)
        for number, recorded in {} if self.reading.reshaped else (layer.recorded or {}).items():
            shape = shapes[part.outputs[number].node][0] if number < len(part.outputs) else ()
            if not agree(shape, recorded):
                said = f"the file records an output of {_sizes(recorded)}, and {by(layer.rule)} gives"
                raise MisfitError(f"{said} {_sizes(shape)}")
        kept = None if self.stored is None or old.shared_with is not None else self.stored.of(old.name)
        if kept is None:
            return
        has = arith.total(w.parameters for i, ws in enumerate(weights) for w in ws if _owns(part, i))
        holds = arith.total(w.parameters for w in kept)
        if isinstance(has, int) and has != holds:
            raise MisfitError(f"the file stores {holds:,} parameters for it; {by(layer.rule)} gives {has:,}")

    def _refuse(self, path: str, message: str) -> NoReturn:
        raise SourceError(self.reading.source, [Fault(path, message)])


def _owns(part: Graph, number: int) -> bool:
    return part.nodes[number].shared_with is None


def _sizes(shape: Sequence[Any]) -> str:
    return f"({', '.join('any' if n is None else str(n) for n in shape)})"
