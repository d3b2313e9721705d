"""Figures measured on a real model: gradient support and spread, and the tensors themselves."""

from __future__ import annotations

import itertools
import math
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from archcalc.graph import Graph
from archcalc.keras.backward import INPUTS, LARGE, Step, last_before, multiply_adds
from archcalc.keras.build import Built
from archcalc.keras.linear_layers import PRECISION
from archcalc.keras.linear_weights import set_weights

Position = tuple[int, ...]


@dataclass(frozen=True)
class Support:
    """What a position of one output depends on, for one input of the model.

    `box` holds the first and last unit along each axis of the input (without batch), 0 and -1 for an
    axis without any; `weights` for each axis the absolute gradient, summed over all others.
    """

    box: tuple[tuple[int, int], ...]
    weights: tuple[np.ndarray, ...]


# for each model input; None where no gradient arrives
Supports = tuple[Support | None, ...]

# positions of a node's first output, and the axes (without batch) that they have indices for
Wanted = tuple[Sequence[Position], Sequence[int]]

# a node, how many came before it, and how many there are
Progress = Callable[[int, int, int], None]

HELD = 1 << 29  # bytes of gradients that wait for others
# memory of a recorded pass with its gradients, over that of all layers' outputs; 2.5 was measured
RECORDED = 3


class Batch:
    """Gradients of several samples with respect to each output of a node; None where there are none."""

    def __init__(self, gradients: Sequence[Any]) -> None:
        self.gradients = list(gradients)

    @cached_property
    def arrays(self) -> list[np.ndarray | None]:
        """The gradients in numpy."""
        return [None if g is None else np.asarray(g) for g in self.gradients]


class Sample(NamedTuple):
    """One sample of a batch."""

    batch: Batch
    number: int

    @property
    def arrays(self) -> list[np.ndarray | None]:
        """Its gradients with respect to each output."""
        return [None if g is None else g[self.number] for g in self.batch.arrays]


class Gradients:
    """Backward passes of a linear model from the positions of any of some nodes.

    Each position of an output is a separate sample of the batch, so that one backward pass computes
    all of them. A position includes all its channels.

    A backward pass pauses where passes from several nodes meet: at each of the nodes that all paths from
    the inputs run through, or at the last such node before it. A gradient that is known from there is not
    followed again: with positive weights, where it is zero decides which units it reaches; for a spread,
    its values do, up to a factor, because the model is linear.

    The model runs once, on two samples: that creates its weights, which are then random, and shows what
    does not run here. It runs again only where a gradient depends on a layer's values.

    Raises
    ------
    MemoryError
        This machine has too little memory, for which the system would end the process.
    """

    def __init__(self, linear: Built, nodes: Iterable[int], positions: int, seed: int = 0) -> None:
        self.positions = _batch(linear, positions)
        self.spread = False
        _require_memory(self.positions * _held(linear))
        self._linear = linear
        self._random = np.random.default_rng(seed)
        samples = _batch(linear, 1)
        self.inputs = []
        for i in linear.graph.inputs:
            sample = self._random.uniform(0.9, 1.1, (1, *linear.tensors[i][0].shape[1:]))
            self.inputs.append(tf.constant(np.repeat(sample, samples, axis=0), dtype=PRECISION))
        self.failures: dict[int, str] = {}
        self._run()
        values = zip(linear.layers, self._values, strict=True)
        work = self.positions * sum(multiply_adds(layer, y) for layer, y in values if y)
        set_weights(linear, seed)
        self._current = False  # whether `_values` are those of the present weights
        before = last_before(linear.graph)
        met = {self._origin(node) for node in nodes}
        # from each of the nodes the first step leads to one of these, and so does every further one
        self._pauses = sorted({node if node in before else before[node] for node in met} | {INPUTS})
        self._next: dict[bytes, bytes] = {}
        self._ends: dict[bytes, Supports | Exception] = {}
        self._steps: dict[tuple[int, tuple[int, ...]], Step] = {}
        self._large = work > LARGE
        self._largest = max(
            sum(8 * math.prod(map(int, y.shape[1:])) for y in values)
            for values in [*self._values, self.inputs]
        )

    def _run(self) -> None:
        """Every node's outputs for one sample; `failures` has the nodes that do not run."""
        outputs = list(self._linear.run(self.inputs, failures=self.failures))
        self._values = [tuple(tf.convert_to_tensor(y)[:1] for y in values) for values in outputs]
        self._current = True
        # nodes that return what they read, as activations do in the linear model
        self._same = {
            i: node.inputs[0].node
            for i, node in enumerate(self._linear.graph.nodes)
            if len(node.inputs) == 1 and outputs[i] and outputs[i][0] is outputs[node.inputs[0].node][0]
        }

    def _origin(self, node: int) -> int:
        """The node whose first output this node's is."""
        while node in self._same:
            node = self._same[node]
        return node

    def equalise(self) -> None:
        """Make all weights of each layer equal, and measure spreads from here on."""
        set_weights(self._linear, None)
        self._current = False
        self.spread = True
        self._next.clear()
        self._ends.clear()

    def shape(self, node: int) -> tuple[int, ...]:
        """Of the node's first output, without the batch."""
        return tuple(map(int, self._values[node][0].shape[1:]))

    def _before(self, node: int) -> int:
        """Where a pass from a node pauses next."""
        return self._pauses[bisect_left(self._pauses, node) - 1]

    def supports(
        self, wanted: Mapping[int, Wanted], progress: Progress | None = None
    ) -> dict[int, list[Supports] | Exception]:
        """For each node what each of the positions of its first output depends on, or why that does not run.

        Passes from several nodes meet at the nodes where they pause, and go on together from there.
        `progress` is called with a node, how many of those wanted came before it, and how many they are.
        """
        samples = max(len(positions) for positions, _ in wanted.values()) if wanted else 1
        together = max(HELD // (samples * self._largest), 1)
        last_first = sorted(wanted, reverse=True)
        found: dict[int, list[Supports] | Exception] = {}
        for first in range(0, len(last_first), together):
            nodes = last_first[first : first + together]
            keys = self._follow({node: wanted[node] for node in nodes}, progress, first, len(wanted))
            found |= {node: k if isinstance(k, Exception) else self._found(k) for node, k in keys.items()}
        return {node: found[node] for node in wanted}

    def _follow(
        self, wanted: Mapping[int, Wanted], progress: Progress | None, done: int, steps: int
    ) -> dict[int, list[bytes] | Exception]:
        """Follows all gradients to the inputs, from the last node to the first; the keys of each node's."""
        keys: dict[int, list[bytes] | Exception] = {}
        waiting: defaultdict[int, dict[bytes, Sample]] = defaultdict(dict)
        starts: defaultdict[int, list[int]] = defaultdict(list)
        for node in wanted:
            starts[self._origin(node)].append(node)
        for origin in sorted({*starts, *self._pauses[1:]}, reverse=True):
            here = waiting.pop(origin, {})
            for node in starts[origin]:
                if progress:
                    progress(node, done + len(keys), steps)
                try:
                    selected = self._selected(origin, *wanted[node])
                    keys[node] = [self._await(origin, one, here) for one in selected]
                except Exception as fault:  # no such position
                    keys[node] = fault
            for together in self._batches(here):
                self._pass(origin, together, waiting[self._before(origin)])
        return keys

    def _selected(self, node: int, positions: Sequence[Position], axes: Sequence[int]) -> Iterator[Sample]:
        """For each position the gradient that is 1 there, along all axes but `axes`, and 0 elsewhere."""
        y = self._values[node][0]
        for first in range(0, len(positions), self.positions):
            together = positions[first : first + self.positions]
            chosen = np.zeros((self.positions, *y.shape[1:]))
            for sample, position in enumerate(together):
                at: list[Any] = [slice(None)] * (len(y.shape) - 1)
                for axis, index in zip(axes, position, strict=True):
                    at[axis] = index
                chosen[(sample, *at)] = 1.0
            batch = Batch([tf.constant(chosen, y.dtype)])
            yield from (Sample(batch, sample) for sample in range(len(together)))

    def _await(self, node: int, sample: Sample, here: dict[bytes, Sample]) -> bytes:
        """The key of a gradient at a node; it joins those to follow from there, unless its end is known."""
        gradients = sample.arrays
        if node == INPUTS:
            key = len(self._ends).to_bytes(8, "big")
            self._ends[key] = tuple(
                None if g is None or not g.any() else _support(g, self.spread) for g in gradients
            )
            return key
        key = self._key(node, gradients)
        if key not in self._next and key not in self._ends:
            here[key] = sample
        return key

    def _batches(self, samples: Mapping[bytes, Sample]) -> Iterator[dict[bytes, Sample]]:
        """The samples in as few batches as they fill; those of a whole batch stay together."""
        by_batch: defaultdict[int, dict[bytes, Sample]] = defaultdict(dict)
        for key, sample in samples.items():
            by_batch[id(sample.batch)][key] = sample
        rest: dict[bytes, Sample] = {}
        for together in by_batch.values():
            if len(together) == self.positions:
                yield together
            else:
                rest |= together
        keys = list(rest)
        for first in range(0, len(keys), self.positions):
            yield {key: rest[key] for key in keys[first : first + self.positions]}

    def _pass(self, node: int, samples: Mapping[bytes, Sample], before: dict[bytes, Sample]) -> None:
        """Takes gradients at a node to where a pass pauses next."""
        first = next(iter(samples.values()))
        if all(sample.batch is first.batch for sample in samples.values()):
            gradients, slots = first.batch.gradients, [sample.number for sample in samples.values()]
        else:
            gradients, slots = self._mixed(node, list(samples.values())), list(range(len(samples)))
        try:
            batch = Batch(self._back(node, gradients))
        except Exception as fault:  # whatever TensorFlow does not run here
            self._ends |= dict.fromkeys(samples, fault)
            return
        for key, slot in zip(samples, slots, strict=True):
            self._next[key] = self._await(self._before(node), Sample(batch, slot), before)

    def _mixed(self, node: int, samples: Sequence[Sample]) -> list[Any]:
        """One batch of samples of several."""
        mixed: list[Any] = []
        for y, *parts in itertools.zip_longest(self._values[node], *(s.arrays for s in samples)):
            if all(g is None for g in parts):
                mixed.append(None)
                continue
            whole = np.zeros((self.positions, *y.shape[1:]), y.dtype.as_numpy_dtype)
            for slot, g in enumerate(parts):
                if g is not None:
                    whole[slot] = g
            mixed.append(tf.constant(whole))
        return mixed

    def _found(self, keys: Sequence[bytes]) -> list[Supports] | Exception:
        """Where gradients with these keys end."""
        supports: list[Supports] = []
        for key in keys:
            while key in self._next:
                key = self._next[key]
            end = self._ends[key]
            if isinstance(end, Exception):
                return end
            supports.append(end)
        return supports

    def _key(self, node: int, gradients: Sequence[np.ndarray | None]) -> bytes:
        """The same for gradients that reach the same from here."""
        digest = blake2b(str(node).encode(), digest_size=16)
        known = [g for g in gradients if g is not None]
        largest = max((max(g.max(), -g.min()) for g in known if g.size), default=0) if self.spread else 1
        for g in gradients:
            if g is None:
                digest.update(b"none")
            elif self.spread:
                digest.update(((g / (largest or 1)).astype(np.float32) + np.float32(0)).tobytes())
            else:
                digest.update(np.packbits(g != 0).tobytes())
        return digest.digest()

    def _back(self, node: int, gradients: list[Any]) -> list[Any]:
        """Gradients with respect to where the pass pauses next."""
        before = self._before(node)
        present = tuple(k for k, g in enumerate(gradients) if g is not None)
        if not present:
            return [None] * (len(self.inputs) if before == INPUTS else len(self._values[before]))
        if (node, present) not in self._steps:
            self._steps[node, present] = Step(
                self._linear, node, before, present, self._values, self.positions, large=self._large
            )
        step = self._steps[node, present]
        if step.reads_values and not self._current:
            self._run()
        return step(self._values, [gradients[k] for k in present])


def _held(built: Built) -> int:
    """Bytes of all outputs for one sample, in double precision."""
    return sum(8 * math.prod(map(int, tensor.shape[1:])) for tensors in built.tensors for tensor in tensors)


def _require_memory(held: int) -> None:
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not everywhere
        return
    needed = RECORDED * held
    if needed > memory:
        raise MemoryError(
            f"the gradients need about {needed >> 30} GiB of {memory >> 30}: a smaller input needs less"
        )


def _batch(built: Built, positions: int) -> int:
    """The smallest batch, of at least `positions` and two samples, that is the size of no tensor's axis.

    Keras 3.15 adds a tensor of shape (n, 1, 1, 1) to one of (n, n, w, c) along the wrong axis.
    """
    sides = {n for tensors in built.tensors for tensor in tensors for n in tensor.shape[1:]}
    return next(n for n in itertools.count(max(positions, 2)) if n not in sides)


def _support(gradient: np.ndarray, spread: bool) -> Support:
    axes = range(gradient.ndim)
    others = [tuple(a for a in axes if a != axis) for axis in axes]
    reached = [np.flatnonzero(np.any(gradient, axis=each)) for each in others]
    box = tuple((int(units[0]), int(units[-1])) if len(units) else (0, -1) for units in reached)
    return Support(box, tuple(np.abs(gradient).sum(axis=each) for each in others) if spread else ())


def standard_deviation(weights: np.ndarray) -> float:
    """Of the position along an axis, weighted."""
    positions = np.arange(len(weights))
    mean = np.average(positions, weights=weights)
    return math.sqrt(np.average((positions - mean) ** 2, weights=weights))


def outputs(built: Built, failures: dict[int, str], seed: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
    """Every node's output arrays for one random sample; none, with the reason noted, if it does not run."""
    random = np.random.default_rng(seed)
    inputs = []
    for i in built.graph.inputs:
        tensor = built.tensors[i][0]
        shape = (1, *tensor.shape[1:])
        inputs.append(tf.constant(sample(random, shape, str(tensor.dtype), built.graph, i)))
    for values in built.run(inputs, failures=failures):
        yield tuple(np.asarray(tf.convert_to_tensor(y)) for y in values)


def sample(
    random: np.random.Generator, shape: tuple[int, ...], dtype: str, graph: Graph, node: int
) -> np.ndarray:
    """Valid values for an input: reals, or indices within the table of the embedding that reads it."""
    if np.issubdtype(np.dtype(dtype), np.floating):
        return random.uniform(-1, 1, shape).astype(dtype)
    tables = [
        n.layer.input_dim  # type: ignore[attr-defined]
        for n in graph.nodes
        if type(n.layer).__name__ == "Embedding" and any(t.node == node for t in n.inputs)
    ]
    return random.integers(0, min(tables, default=2), shape).astype(dtype)
