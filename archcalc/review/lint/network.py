"""A network as the rules of lint see it: each layer's primitives in order, and chains of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from archcalc import arith
from archcalc.analyses.mean_field.expectation import expected_gradients
from archcalc.analyses.mean_field.verdicts import Verdict, verdict
from archcalc.arith.unknown import Unknown
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph, Tap
from archcalc.graph.compiled import Compile, Loss
from archcalc.layers import primitives as prim
from archcalc.layers.activations import ACTIVATIONS, activation_name
from archcalc.layers.base import Weight
from archcalc.report.columns import Figures
from archcalc.report.report import Report

KERNELS = (prim.Matrix, prim.Convolve, prim.LocallyConnected)
# what leaves every value as it is, or leaves some out
MOVES = (prim.Reshape, prim.Permute, prim.Pad, prim.Select, prim.Repeat)
SATURATING = ("sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softsign", "sparse_sigmoid")
RECTIFIERS = ("relu", "relu6")


class Part(NamedTuple):
    """One primitive of one node."""

    node: int
    primitive: Any

    @property
    def function(self) -> str | None:
        """The function of each unit, by its name: `relu`, `softmax`; None for any other primitive."""
        match self.primitive:
            case prim.Softmax():
                return "log_softmax" if self.primitive.log else "softmax"
            case prim.Pointwise():
                given = dict(self.primitive.parameters)
                name = activation_name(self.primitive.function)
                return "leaky_relu" if name == "relu" and given.get("negative_slope") else name
        return None


@dataclass(frozen=True)
class Head:
    """An output of the model: what it applies to what weights.

    `functions` are the activations at the end, the last one first; `dropouts` the nodes that drop units
    there; `end` is the part before all of them, None where there are several inputs or an unknown layer.
    """

    output: int
    node: int
    shape: tuple[Any, ...]
    functions: tuple[Part, ...]
    dropouts: tuple[int, ...]
    end: Part | None
    loss: Loss | None

    @property
    def activation(self) -> str | None:
        """The function that makes the output, `linear` directly after weights; None where it is not clear."""
        if self.functions:
            return self.functions[0].function
        # after BatchNormalization, too, values are any
        clear = isinstance(getattr(self.end, "primitive", None), (*KERNELS, prim.BatchStandardise))
        return "linear" if clear else None

    @property
    def units(self) -> int | None:
        """The size of the last axis, if it is a number."""
        last = self.shape[-1] if self.shape else 1
        return last if type(last) is int else None


class Network:
    """What the rules read. Figures are those of the report; a figure that is unknown makes a rule silent."""

    def __init__(self, report: Report, figures: Figures, compiled: Compile, given: Mapping[str, Any]) -> None:
        self.report = report
        self.figures = figures
        self.graph: Graph = figures.graph
        self.shapes: Sequence[Sequence[Any]] = figures.output_shapes
        self.compiled = compiled
        self.given = given
        self.outputs = {t.node for t in self.graph.outputs}

    # -- layers --------------------------------------------------------------------------------------
    def name(self, node: int) -> str:
        return self.graph.nodes[node].name

    def layer(self, node: int) -> Any:
        return self.graph.nodes[node].layer

    def inputs(self, node: int) -> tuple[Any, ...]:
        """The shapes of a node's inputs."""
        return self.graph.input_shapes(self.shapes, self.graph.nodes[node])

    @cached_property
    def nodes(self) -> list[int]:
        """The nodes that are no inputs and lead to an output, first calls of each layer only."""
        inputs = set(self.graph.inputs)
        return [i for i in sorted(self.figures.leading) if i not in inputs]

    @cached_property
    def consumers(self) -> list[list[int]]:
        return self.graph.consumers()

    @cached_property
    def parts(self) -> list[tuple[Part, ...] | None]:
        """The primitives of each node, those of inner layers too; None where they are not known."""
        return [self._parts(i) for i in range(len(self.graph.nodes))]

    def _parts(self, node: int) -> tuple[Part, ...] | None:
        if node in self.graph.inputs:
            return ()
        shapes = self.inputs(node)
        if any(isinstance(n, Unknown) for shape in shapes for n in shape):
            return None
        try:
            chain = tuple(_flat(self.layer(node).primitives(*shapes)))
        except ArchcalcError:
            return None
        return tuple(Part(node, p) for p in chain)

    @cached_property
    def kernels(self) -> list[Part]:
        """The matrices and kernels of the network, in topological order."""
        return [p for i in self.nodes for p in self.parts[i] or () if isinstance(p.primitive, KERNELS)]

    def weight(self, part: Part) -> Weight | None:
        """The kernel of a part with weights."""
        name = getattr(part.primitive, "weight", None)
        return next((w for w in self.figures.weights[part.node] if w.name == name), None)

    # -- chains --------------------------------------------------------------------------------------
    def next(self, node: int) -> int | None:
        """The only reader of a node, if it reads nothing else; None at outputs, forks, merges."""
        readers = self.consumers[node]
        if len(readers) != 1 or node in self.outputs or len(self.graph.nodes[readers[0]].inputs) != 1:
            return None
        return readers[0]

    def after(self, part: Part) -> Iterator[Part]:
        """The parts after this one, up to a fork, a merge, an output or an unknown layer."""
        own = self.parts[part.node] or ()
        yield from own[own.index(part) + 1 :]
        node = self.next(part.node)
        while node is not None and (chain := self.parts[node]) is not None:
            yield from chain
            node = self.next(node)

    def before(self, node: int) -> Iterator[Part]:
        """The parts from the end of this node backwards, up to a merge or an unknown layer."""
        while (chain := self.parts[node]) is not None:
            yield from reversed(chain)
            inputs = self.graph.nodes[node].inputs
            if len(inputs) != 1:
                return
            node = inputs[0].node

    # -- figures -------------------------------------------------------------------------------------
    @cached_property
    def verdict(self) -> Verdict | None:
        """The verdict on the expected gradient; None where it is not predicted."""
        concrete = all(type(n) is int for outputs in self.shapes for shape in outputs for n in shape)
        if not concrete or self.graph.repeats or any(self.parts[i] is None for i in self.nodes):
            return None
        with arith.scope(self.figures.scope):
            rows = expected_gradients(self.graph, self.shapes)
            return verdict(self.graph, self.shapes, rows, with_remedies=False)

    def node_named(self, name: str | None) -> int | None:
        return None if name is None else self.graph.index().get(name)

    @cached_property
    def image(self) -> tuple[int, ...] | None:
        """The spatial sizes of the first input."""
        if not self.graph.inputs:
            return None
        shape = self.shapes[self.graph.inputs[0]][0]
        sides = tuple(n for n in shape[:-1] if type(n) is int)
        return sides if len(shape) > 1 and len(sides) == len(shape) - 1 else None

    def _field(self, node: int) -> Any:
        fields = self.figures.receptive_fields[node]
        return fields.get(self.name(self.graph.inputs[0])) if fields and self.graph.inputs else None

    def field(self, node: int) -> tuple[int, ...] | None:
        """The field of a node in the first input, without the paths that read a whole axis."""
        found = self._field(node)
        if found is None:
            return None
        sizes = tuple(b if b is not None else a for a, b in zip(found.size, found.local_size, strict=True))
        return sizes if sizes and all(type(n) is int for n in sizes) else None

    @cached_property
    def largest_field(self) -> tuple[int, int] | None:
        """The node whose field is largest, by its smallest side, and that side; maps only."""
        found = [
            (min(sizes), i)
            for i in self.nodes
            if len(self.shapes[i][0]) > 1 and (sizes := self.field(i)) is not None
        ]
        return max(found)[::-1] if found else None

    @cached_property
    def strides(self) -> list[tuple[int, int]]:
        """(node, effective stride) of the last maps: outputs, and what is pooled or flattened."""
        found = []
        for i in self.nodes:
            ends = i in self.outputs or any(
                len(self.shapes[c][0]) < len(self.shapes[i][0]) for c in self.consumers[i]
            )
            field = self._field(i) if ends and len(self.shapes[i][0]) > 1 else None
            steps = [] if field is None else [n for n in field.stride if type(n) is int]
            if steps:
                found.append((i, max(steps)))
        return found

    # -- ends ----------------------------------------------------------------------------------------
    @cached_property
    def heads(self) -> list[Head]:
        """The outputs of the model whose last layers are known."""
        return [self._head(i, tap) for i, tap in enumerate(self.graph.outputs)]

    def _head(self, output: int, tap: Tap) -> Head:
        functions, dropouts, end = [], [], None
        for part in self.before(tap.node):
            if part.function is not None and part.function != "linear":
                functions.append(part)
            elif isinstance(part.primitive, prim.Dropout):
                dropouts.append(part.node)
            elif not isinstance(part.primitive, MOVES):
                end = part
                break
        return Head(
            output,
            tap.node,
            tuple(self.shapes[tap.node][tap.output]),
            tuple(functions),
            tuple(dropouts),
            end,
            self.compiled.loss(output),
        )

    @cached_property
    def head_nodes(self) -> set[int]:
        """The nodes of the heads: activations of outputs, and the weights that they are applied to."""
        found = {t.node for t in self.graph.outputs}
        for head in self.heads:
            found |= {p.node for p in head.functions}
            if head.end is not None:
                found.add(head.end.node)
        return found


def _flat(chain: prim.Primitives) -> Iterator[prim.Primitive]:
    """The primitives, with those of inner layers in their place."""
    for each in chain:
        if isinstance(each, prim.PerStep | prim.Nested):
            yield from _flat(each.inner)
        else:
            yield each


def image(function: str) -> tuple[float, float]:
    """The values that a function may have."""
    if function in ("softmax", "sparsemax"):
        return 0.0, 1.0
    known = ACTIVATIONS.get(function)
    return (-float("inf"), float("inf")) if known is None else known.image


def number(value: Any) -> int | None:
    """A size if it is a number; None for symbols and unknown ones."""
    return value if type(value) is int else None
