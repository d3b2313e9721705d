"""The expected gradient of every row: a forward and a backward pass, with a band due to finite width."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from archcalc.analyses.mean_field import merging
from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.maps import Dims, zeros
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.program import Context, interpret
from archcalc.analyses.mean_field.shared import Declared, Shared
from archcalc.analyses.mean_field.squares import FLOOR, Squares, log_of
from archcalc.analyses.mean_field.state import (
    Backward,
    Forward,
    Pullback,
    Unpredicted,
)
from archcalc.analyses.mean_field.structure import KERNELS
from archcalc.graph import Graph
from archcalc.layers import primitives as prim

BAND = 1.6448536269514722  # standard deviations on both sides of the mean that contain 90 % of a Gaussian
BATCH = 32  # the default batch size of Keras's `fit`
LARGE_BLOCK = 31 << 20  # bytes, none of which is touched; glibc learns from at most 32 MiB
ZERO = "the gradient is zero: every path has a factor that starts as zero"
Key = tuple[int, int]  # a node and the number of its output; negative for tensors inside a layer


@dataclass(frozen=True)
class Expected:
    """log10 of the gradient norm at a row's output over that at the model's output: mean and 90 % band.

    `log10` is None where there is no prediction or no gradient; `reason` is then the reason. `of_weights` is
    the same at the output of the layer's last kernel, if an activation or more follows it.
    """

    log10: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    of_weights: Expected | None = None


NOT_ASKED = Expected(None, reason="it was not asked for")
NO_PATH = Expected(None, reason="no path leads from here to an output")


class _Step(NamedTuple):
    inputs: tuple[Key, ...]
    output: Key
    pullbacks: tuple[Pullback, ...]
    fault: str | None = None


def expected_gradients(
    graph: Graph,
    shapes: Sequence[Sequence[Any]],
    *,
    training: bool = True,
    batch: int = BATCH,
    shared: Shared | None = None,
    rows: Collection[int] | None = None,
) -> list[Expected]:
    """The expected gradient at each node's first output, for inputs of mean 0 and variance 1.

    The gradient at the model's output has a random direction. `training` is the mode of batch
    normalisation and dropout. With batch normalisation, statistics are those of `batch` samples, and
    the norm is that of the gradients of the whole batch. Fluctuations due to finite width are sampled
    from generators with fixed seeds, so that the same graph always gives the same figures; `shared` has
    what other graphs have drawn from them. `rows` are the nodes that are asked for, by default all.
    """
    if graph.repeats or not all(type(n) is int for outputs in shapes for shape in outputs for n in shape):
        return [Expected(None, reason="sizes depend on symbols; give them values")] * len(graph.nodes)
    # once a large block was freed, glibc holds on to freed memory instead of asking for each map anew
    np.empty(LARGE_BLOCK, np.uint8)
    run = _Run(graph, shapes, training, batch, shared or Shared())
    # exponentials that overflow are infinite, and the rules treat them as that
    with np.errstate(over="ignore"):
        run.forward()
        return run.backward(rows)


class _Run:
    def __init__(
        self,
        graph: Graph,
        shapes: Sequence[Sequence[Any]],
        training: bool,
        batch: int,
        shared: Shared,
    ) -> None:
        self.graph = graph
        self.shapes = shapes
        self.training = training
        self.declared = shared.declared(graph, shapes)
        batches = training and any(
            isinstance(primitive, prim.BatchStandardise) and primitive.batch_statistics
            for each in self.declared
            for primitive in each.primitives
        )
        self.noise = Noise(shared.draws, batch=batch if batches else None)
        self.tensors: dict[Key, Forward | str] = {}
        self.steps: list[_Step] = []
        self.bits: dict[tuple[int, str], int] = {}
        self.kernels: dict[
            int, Key
        ] = {}  # the output of a layer's last kernel, where that is not the layer's

    def bit(self, owner: int, name: str) -> int:
        return 1 << self.bits.setdefault((owner, name), len(self.bits))

    # -- forward --------------------------------------------------------------------------------------
    def forward(self) -> None:
        unread = Counter((t.node, t.output) for node in self.graph.nodes for t in node.inputs)
        for i, node in enumerate(self.graph.nodes):
            outputs = self.shapes[i]
            if i in self.graph.inputs:
                self.tensors[i, 0] = self._input(i, outputs[0])
                continue
            keys = tuple((t.node, t.output) for t in node.inputs)
            self._chain(i, i if node.shared_with is None else node.shared_with, self.declared[i], keys)
            for output in range(1, len(outputs)):
                self.tensors[i, output] = "a layer of several outputs has no mean-field rule"
                self.steps.append(_Step(keys, (i, output), (), "a layer of several outputs"))
            # the memory of what no later layer reads is used again, while it is in the cache
            for key in keys:
                unread[key] -= 1
                if unread[key] == 0:
                    self.tensors.pop(key, None)

    def _input(self, node: int, shape: Dims) -> Forward:
        units_ = math.prod(shape)
        noise = self.noise.square_fluctuation(2 / max(units_, 1))
        shape = tuple(shape)
        return Forward(shape, Squares.same(0.0, shape), zeros(shape), 0.0, noise, self.bit(node, ""), units_)

    def _chain(self, node: int, owner: int, declared: Declared, keys: tuple[Key, ...]) -> None:
        """Runs the primitives of a layer; the output of the last one is that of the node."""
        chain = declared.primitives
        context = Context(declared, lambda name: self.bit(owner, name), self.noise, self.training)
        if not chain:
            self._step(keys[:1], (node, 0), None, context)
            return
        for position, primitive in enumerate(chain):
            last = position == len(chain) - 1
            key = (node, 0) if last else (node, -len(self.steps) - 1)
            if isinstance(primitive, KERNELS) and not last:
                self.kernels[node] = key
            if isinstance(primitive, prim.Branches):
                ends = []
                for branch in primitive.chains:
                    branch_keys = keys
                    for inner in branch:
                        end = (node, -len(self.steps) - 1)
                        self._step(branch_keys, end, inner, context)
                        branch_keys = (end,)
                    ends.append(branch_keys[0])
                self._step(tuple(ends), key, primitive.merge or prim.Unbounded("several outputs"), context)
            else:
                self._step(keys, key, primitive, context)
            if position:
                del self.tensors[keys[0]]
            keys = (key,)

    def _step(
        self, keys: tuple[Key, ...], key: Key, primitive: prim.Primitive | None, context: Context
    ) -> None:
        inputs = [self.tensors[k] for k in keys]
        faults = [x for x in inputs if isinstance(x, str)]
        if faults:
            self._fault(keys, key, faults[0])
            return
        known = [x for x in inputs if isinstance(x, Forward)]
        if primitive is None:
            self.tensors[key] = known[0]
            self.steps.append(_Step(keys, key, (lambda g: g,)))
            return
        try:
            output, pullbacks = interpret(primitive, known, context)
        except Unpredicted as fault:
            self._fault(keys, key, str(fault))
            return
        self.tensors[key] = output
        self.steps.append(_Step(keys, key, tuple(pullbacks)))

    def _fault(self, keys: tuple[Key, ...], key: Key, reason: str) -> None:
        name = self.graph.nodes[key[0]].name
        text = reason if reason.startswith("at ") else f"at {name!r}: {reason}"
        self.tensors[key] = text
        self.steps.append(_Step(keys, key, (), text))

    # -- backward --------------------------------------------------------------------------------------
    def backward(self, rows: Collection[int] | None) -> list[Expected]:
        graph = self.graph
        sent: dict[Key, list[Backward | str]] = {}
        size = 0
        for number, t in enumerate(dict.fromkeys(graph.outputs)):
            shape = tuple(self.shapes[t.node][t.output])
            count = math.prod(shape)
            size += count
            seed = Backward(
                shape,
                Squares.same(0.0, shape),
                0.0,
                self.noise.zero,
                self.bit(-1 - number, ""),
                count,
            )
            sent.setdefault((t.node, t.output), []).append(seed)
        figures: dict[Key, Expected] = {}

        def keep(key: Key, g: Backward | str) -> None:
            node, output = key
            if (rows is None or node in rows) and (output == 0 or key == self.kernels.get(node)):
                figures[key] = self._expected(g, size)

        self.tensors.clear()
        # the memory of a step, and of the gradient, is used again for those before it
        while self.steps:
            step = self.steps.pop()
            g = self._summed_gradients(sent.pop(step.output, []), step.output)
            if g is None:
                continue
            keep(step.output, g)
            for position, key in enumerate(step.inputs):
                if isinstance(g, str) or step.fault:
                    sent.setdefault(key, []).append(step.fault or str(g))
                else:
                    sent.setdefault(key, []).append(step.pullbacks[position](g))
        for key in [k for k in sent if k[0] in graph.inputs]:
            g = self._summed_gradients(sent[key], key)
            if g is not None:
                keep(key, g)
        asked = range(len(graph.nodes)) if rows is None else rows
        return [self._figure(i, figures) if i in asked else NOT_ASKED for i in range(len(graph.nodes))]

    def _figure(self, row: int, figures: dict[Key, Expected]) -> Expected:
        inner = self.kernels.get(row)
        if inner is None:
            return figures.get((row, 0), NO_PATH)
        return replace(figures.get((row, 0), NO_PATH), of_weights=figures.get(inner, NO_PATH))

    def _summed_gradients(self, parts: list[Backward | str], key: Key) -> Backward | str | None:
        if len(parts) < 2:
            return parts[0] if parts else None
        reasons = [p for p in parts if isinstance(p, str)]
        if reasons:
            return reasons[0]
        try:
            return merging.summed_gradients([p for p in parts if isinstance(p, Backward)], self.noise)
        except Unpredicted as fault:
            return f"at {self.graph.nodes[key[0]].name!r}: {fault}"

    def _expected(self, g: Backward | str, size: int) -> Expected:
        if isinstance(g, str):
            return Expected(None, reason=g)
        if g.log_squared_norm <= FLOOR / 2:
            return Expected(None, reason=ZERO)
        scale = 2 * math.log(10)
        mean, stddev = _mean_and_stddev(g.fluctuation)
        batch_mean, batch_stddev = _mean_and_stddev(log_of(self.noise.batch_means(g.sample_squares)))
        middle = (g.log_squared_norm - math.log(size) + mean + batch_mean) / scale
        spread = math.hypot(stddev, batch_stddev) / scale
        return Expected(middle, middle - BAND * spread, middle + BAND * spread)


def _mean_and_stddev(x: Array) -> tuple[float, float]:
    mean = float(np.add.reduce(x)) / len(x)
    deviations = x - mean
    return mean, math.sqrt(float(deviations @ deviations) / len(x))
