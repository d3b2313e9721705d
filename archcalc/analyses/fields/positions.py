"""The input units that every position of every layer depends on, without padding: one forward pass.

For each layer, model input and axis two arrays: the first and the last input unit of each position.
`clipping` answers the same question backwards, for one position; a page needs all positions of all
layers at once. Along each axis the extreme units are exact, gaps of dilation included. What this form
cannot hold is None: flattened axes, branches that move along different axes, and a merge in which some
branch reads only padding at some positions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from archcalc.analyses.fields.windows import Windows
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape, Size, integer
from archcalc.graph import Graph
from archcalc.layers.window import Blocks, Fixed, Phases, Prefix, Section, Taps, Whole, Window

Units: TypeAlias = NDArray[np.int64]

MAX_READS = 1 << 22  # that are looked up for one layer and axis
NONE_FIRST, NONE_LAST = np.int64(2**62), np.int64(-1)  # of a position that sees nothing


class Ends(NamedTuple):
    """The first and the last input unit of each position along `axis`; of all alike where that is None."""

    axis: int | None
    first: Units
    last: Units

    @property
    def has_gaps(self) -> bool:
        """Whether some position sees nothing."""
        return bool((self.first > self.last).any())


Positions: TypeAlias = tuple[Ends | None, ...]  # an entry for each axis of a root


def positions(graph: Graph, shapes: Shapes, windows: Windows) -> Iterator[tuple[int, dict[int, Positions]]]:
    """(node, for each input node the ends of its positions), in the order of the nodes.

    All sizes must be integers, and no block symbolic.
    """
    states: list[dict[int, Positions]] = []
    readers = [len(consumers) for consumers in graph.consumers()]
    for i, node in enumerate(graph.nodes):
        branches: dict[int, list[Positions]] = {}
        for tap, window in zip(node.inputs, windows.reads[i], strict=True):
            shape = shapes[tap.node][tap.output]
            # states describe the axes of a node's first output
            other_output = len(shape) != len(shapes[tap.node][0])
            for root, state in states[tap.node].items():
                branches.setdefault(root, []).append(
                    tuple(
                        None if ends is None or other_output else _through(ends, window, shape, shapes[i][0])
                        for ends in state
                    )
                )
            readers[tap.node] -= 1
            if not readers[tap.node]:
                states[tap.node] = {}
        found = {root: _merged(states_) for root, states_ in branches.items()}
        if i in windows.axes and not node.inputs:
            found = {i: tuple(_every(a, shapes[i][0][a]) for a in windows.axes[i])}
        states.append(found)
        yield (
            i,
            {
                root: tuple(_of_all_channels(ends, windows.channels[i]) for ends in state)
                for root, state in found.items()
            },
        )


def _every(axis: int, size: Size) -> Ends:
    units = np.arange(integer(size), dtype=np.int64)
    return Ends(axis, units, units)


def _of_all_channels(ends: Ends | None, channels: Collection[int]) -> Ends | None:
    """A position is one with all of its channels, also where these see different units."""
    return _hull(ends) if ends is not None and ends.axis in channels else ends


def _hull(ends: Ends) -> Ends:
    return Ends(None, ends.first.min(keepdims=True), ends.last.max(keepdims=True))


def _merged(branches: Sequence[Positions]) -> Positions:
    if len(branches) == 1:
        return branches[0]
    if all(state is branches[0] for state in branches):
        return branches[0]
    known = [[ends for ends in state if ends is not None and not ends.has_gaps] for state in branches]
    # a branch that reads only padding along one axis adds nothing along the others
    if any(len(ends) < len(state) for ends, state in zip(known, branches, strict=True)):
        return (None,) * len(branches[0])
    return tuple(_joined(axes) for axes in zip(*known, strict=True))


def _joined(branches: Sequence[Ends]) -> Ends | None:
    axes = {ends.axis for ends in branches} - {None}
    if len(axes) > 1:
        return None
    first = np.broadcast_arrays(*(ends.first for ends in branches))
    last = np.broadcast_arrays(*(ends.last for ends in branches))
    return Ends(next(iter(axes), None), np.minimum.reduce(first), np.maximum.reduce(last))


def _through(ends: Ends, window: Window, shape: Shape, out: Shape) -> Ends | None:
    if ends.axis is None:
        return ends
    read, size = window[ends.axis], shape[ends.axis]
    if isinstance(read, Whole):
        return _hull(ends)
    if isinstance(read, Fixed):
        index = integer(read.index)
        return Ends(None, ends.first[index : index + 1], ends.last[index : index + 1])
    if isinstance(read, Taps) and read == Taps(ends.axis) and size == out[read.axis]:
        return ends
    if not isinstance(read, Taps | Phases | Section | Blocks):
        return _prefix(ends, read) if isinstance(read, Prefix) else None
    at = _indices(read, integer(size), integer(out[read.axis]))
    return None if at is None else Ends(read.axis, *_extremes(at, ends))


def _extremes(at: Units, ends: Ends) -> tuple[Units, Units]:
    """The extremes over the indices in each row of `at`, without those outside the axis."""
    inside = (at >= 0) & (at < len(ends.first))
    safe = np.where(inside, at, 0)
    first = np.where(inside, ends.first[safe], NONE_FIRST).min(axis=1)
    return first, np.where(inside, ends.last[safe], NONE_LAST).max(axis=1)


def _prefix(ends: Ends, read: Prefix) -> Ends:
    turned = slice(None, None, -1) if read.backwards else slice(None)
    first = np.minimum.accumulate(ends.first[turned])[turned]
    last = np.maximum.accumulate(ends.last[turned])[turned]
    order = slice(None, None, -1) if read.mirrored else slice(None)
    return Ends(read.axis, first[order], last[order])


def _indices(read: Taps | Phases | Section | Blocks, size: int, positions: int) -> Units | None:
    """A row for each position: the indices that it reads of an axis of this size, and others outside it."""
    units = np.arange(positions, dtype=np.int64)[:, None]
    if isinstance(read, Taps):
        count = integer(read.count)
        if count * positions > MAX_READS:
            return None
        taps = integer(read.dilation) * np.arange(count, dtype=np.int64)
        return integer(read.stride) * units + integer(read.offset) + taps
    if isinstance(read, Section):
        at = units - integer(read.start)
        return np.where(at < min(size, integer(read.length)), at, -1)
    if isinstance(read, Blocks):
        inputs = integer(read.inputs)
        within = np.arange(inputs, dtype=np.int64)
        return inputs * (units // integer(read.outputs)) + within if inputs * positions <= MAX_READS else None
    width = max(1, *(len(row) for row in read.reads))
    offsets = np.full((read.period, width), -(2**40), dtype=np.int64)  # what is read nowhere
    for phase, row in enumerate(read.reads):
        for k, (offset, _) in enumerate(row):
            offsets[phase, k] = offset
    return read.step * (units // read.period) + offsets[units[:, 0] % read.period]
