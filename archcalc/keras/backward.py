"""One step of a backward pass: from a node's outputs to where all paths meet before it, compiled."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import Any

import keras
import tensorflow as tf

from archcalc.graph import Graph
from archcalc.keras.build import Built
from archcalc.keras.calls import call_node

INPUTS = -1  # in place of a node: where the model's inputs enter

# to compile a layer takes as long as to run it so many times
FEW = 12
# multiply-adds of a pass through a model in which that time does not matter
LARGE = 10**8
# their results depend on the shape of a tensor, not on its values
_OF_SHAPES = {"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"}


class Step:
    """Gradients from some outputs of a node with respect to those of an earlier one, for a batch of samples.

    Compiled, which pays for large layers and for many passes, TensorFlow computes only what the result
    needs: not the outputs of layers whose gradient is the same everywhere, and no gradients of kernels.
    """

    def __init__(
        self,
        built: Built,
        node: int,
        before: int,
        present: Sequence[int],
        values: Sequence[Any],
        samples: int,
        *,
        large: bool,
    ) -> None:
        """`present` are the outputs; of `values`, every node's for one sample, only shapes matter here."""
        graph = built.graph
        self._built = built
        self._node = node
        self._present = present
        self._samples = samples
        self._sources = list(graph.inputs) if before == INPUTS else [before]
        self._inside = _between(graph, node, self._sources)
        read = {t.node for i in self._inside for t in graph.nodes[i].reads}
        others = sorted(read.difference(self._inside, self._sources))
        self._given = [(i, k) for i in (*self._sources, *others) for k in range(len(values[i]))]
        self._signature = [tf.TensorSpec(y.shape, y.dtype) for y in self.arguments(values)]
        self._signature += [
            tf.TensorSpec((samples, *values[node][k].shape[1:]), values[node][k].dtype) for k in present
        ]

        # of a large model each step is compiled at once, of a small one after some passes
        self._passes = FEW if large else 0

    def arguments(self, values: Sequence[Any]) -> list[Any]:
        """Of the values of all nodes those that this step starts from."""
        return [values[i][k] for i, k in self._given]

    @cached_property
    def _compiled(self) -> tuple[Callable[..., list[Any]], bool]:
        """The step, and whether it depends on values and not only on their shapes."""
        try:
            run = tf.function(self._gradients, autograph=False).get_concrete_function(*self._signature)
        except Exception:  # a gradient that TensorFlow cannot compile
            return self._gradients, True
        return run, _depend(run.outputs, run.inputs[: len(self._given)])

    @property
    def reads_values(self) -> bool:
        """Whether the next pass may depend on the values it starts from, and not only on their shapes."""
        return self._next[1]

    @property
    def _next(self) -> tuple[Callable[..., list[Any]], bool]:
        return self._compiled if self._passes >= FEW else (self._gradients, True)

    def __call__(self, values: Sequence[Any], incoming: Sequence[Any]) -> list[Any]:
        """The gradients, for those at the outputs; None where none arrives."""
        run = self._next[0]
        self._passes += 1
        return list(run(*self.arguments(values), *incoming))

    def _gradients(self, *arguments: Any) -> list[Any]:
        given, incoming = arguments[: len(self._given)], arguments[len(self._given) :]
        values: list[Any] = [()] * len(self._built.graph.nodes)
        for (i, _), y in zip(self._given, given, strict=True):
            values[i] = (*values[i], tf.broadcast_to(y, (self._samples, *y.shape[1:])))
        sources = [y for i in self._sources for y in values[i]]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([y for y in sources if y.dtype.is_floating])
            for i in self._inside:
                values[i] = call_node(
                    self._built.layers[i], self._built.graph.nodes[i], values, training=False
                )
        outputs = [values[self._node][k] for k in self._present]
        found = tape.gradient(outputs, sources, output_gradients=list(incoming))
        return [None if g is None else tf.convert_to_tensor(g) for g in found]


def multiply_adds(layer: Any, outputs: Sequence[Any]) -> float:
    """About the work of a layer for one sample: each weight once for each position, and its units."""
    units = sum(math.prod(map(int, y.shape[1:])) for y in outputs)
    weights = layer.count_params() if isinstance(layer, keras.layers.Layer) and layer.built else 0
    channels = outputs[0].shape[-1] if outputs[0].shape.rank else 1
    return units * (1 + weights / max(int(channels), 1))


def _between(graph: Graph, node: int, sources: Collection[int]) -> list[int]:
    """What has to run from the sources to the node, itself included, in order."""
    found: set[int] = set()
    first = min(sources)
    pending = [node]
    while pending:
        i = pending.pop()
        # an edge from before the sources holds no gradient: all paths from the inputs run through them
        if i in found or i in sources or i < first:
            continue
        found.add(i)
        pending.extend(t.node for t in graph.nodes[i].reads)
    return sorted(found)


def _depend(results: Sequence[Any], arguments: Sequence[Any]) -> bool:
    """Whether results of a compiled function depend on the values of arguments, not only on their shapes."""
    entries = {id(y.op) for y in arguments}
    seen: set[int] = set()
    pending = [y.op for y in results]
    while pending:
        operation = pending.pop()
        if id(operation) in entries:
            return True
        if id(operation) not in seen and operation.type not in _OF_SHAPES:
            seen.add(id(operation))
            pending.extend(y.op for y in operation.inputs)
    return False


def last_before(graph: Graph) -> list[int]:
    """For each node the last one before it that all paths from the inputs run through, or `INPUTS`.

    No edge passes over such a node.
    """
    before: list[int] = []
    reached: set[int] = set()
    last, furthest = INPUTS, max(graph.inputs)
    for i, (node, consumers) in enumerate(zip(graph.nodes, graph.consumers(), strict=True)):
        before.append(last)
        if i in graph.inputs:
            reached.add(i)
            furthest = max(furthest, *consumers, i)
        elif any(t.node in reached for t in node.inputs):
            reached.add(i)
            last = i if furthest <= i else last
            furthest = max(furthest, *consumers, i)
    return before
