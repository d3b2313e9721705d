"""Slips in an output shape: sizes off by one, channels of the wrong side, axes in another order."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from archcalc.report.columns import Figures
from archcalc.review.slips.catalogue import Slip, slip

LESS = slip("plus_one_forgotten", "the + 1 in the number of windows were forgotten", 0.8)
MORE = slip("rounded_up", "the last window that does not fit counted", 0.9)
KEPT = slip("channels_kept", "the layer kept the channels of its input", 0.8)
TIMES = slip("channels_times_filters", "the filters multiplied the channels", 1.2)
ORDER = slip("channels_first", "the channels came first", 0.9)
IGNORED = slip("layer_ignored", "the layer changed nothing", 0.9)
FLAT = slip("flattened", "the map were flattened", 1.0)
UNFLATTENED = slip("not_flattened", "the map were not flattened", 0.9)
BRANCH = slip("one_branch", "the branches were not put side by side: the channels of one count", 0.8)
STACKED = slip("branches_stacked", "the branches were put side by side, not added", 0.9)
BATCH = slip("batch_axis", "a batch of one sample had an axis", 0.8)


def shape_slips(of: Figures, node: int) -> Iterator[tuple[Slip, tuple[int, ...]]]:
    """Each slip at this layer, and the shape that it leads to."""
    shape: tuple[Any, ...] = tuple(of.output_shapes[node][0])
    layer = of.graph.nodes[node].layer
    inputs: list[tuple[Any, ...]] = [
        tuple(of.output_shapes[t.node][t.output]) for t in of.graph.nodes[node].inputs
    ]
    if not shape or not all(type(n) is int for s in (shape, *inputs) for n in s):
        return
    axis = getattr(layer, "channel_axis", len(shape) - 1)
    sides = [i for i in range(len(shape)) if i != axis]
    if hasattr(layer, "kernel_size") or hasattr(layer, "pool_size"):
        yield LESS, tuple(n - 1 if i in sides else n for i, n in enumerate(shape))
        yield MORE, tuple(n + 1 if i in sides else n for i, n in enumerate(shape))
    if inputs and len(inputs[0]) == len(shape):
        yield KEPT, tuple(inputs[0][i] if i == axis else n for i, n in enumerate(shape))
        yield TIMES, tuple(n * inputs[0][axis] if i == axis else n for i, n in enumerate(shape))
    if inputs:
        yield IGNORED, inputs[0]
    if len(shape) > 1:
        yield ORDER, (shape[axis], *(shape[i] for i in sides)) if axis else (*shape[1:], shape[0])
        yield FLAT, (prod(shape),)
    if len(inputs) > 1 and len(inputs[0]) == len(shape):
        for branch in inputs:
            yield BRANCH, branch
        total = sum(branch[axis] for branch in inputs if len(branch) == len(shape))
        yield STACKED, tuple(total if i == axis else n for i, n in enumerate(shape))
    if inputs and len(inputs[0]) > 1 and len(shape) == 1:
        yield UNFLATTENED, (*inputs[0][:-1], *shape)
    yield BATCH, (1, *shape)
