"""Numbers for each unit of a tensor, held once for positions that have them in common.

Far from its borders all positions of a map of features are alike, and so are often those of its two sides.
Which positions of an axis are alike follows from the windows through which they are read, whatever the
numbers are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

from archcalc.analyses.mean_field.functions import Array

Places = NDArray[np.intp]
Dims = tuple[int, ...]
EQUAL = 1e-12  # numbers of an array that differ by less count as the same
KNOWN = 1024  # groups, and what follows from them, that are remembered
SMALL = 4096  # numbers of a map whose weights in a mean are remembered


class Groups:
    """The positions of an axis by what they have in common: position i is in group `labels[i]`.

    Groups are numbered in the order of their `first` positions. Equal groups are one object.
    """

    __slots__ = ("count", "first", "labels", "shares", "size")

    def __init__(self, labels: Places) -> None:
        self.labels = labels
        self.size = len(labels)
        _, self.first = np.unique(labels, return_index=True)
        self.count = len(self.first)
        self.shares = np.bincount(labels) / max(self.size, 1)  # of the positions

    @staticmethod
    def of(labels: Places) -> Groups:
        """Groups by any numbers that are equal within a group."""
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        ranks = np.empty(len(first), np.intp)
        ranks[np.argsort(first)] = np.arange(len(first))
        return _groups(ranks[inverse].tobytes())


@lru_cache(maxsize=KNOWN)
def _groups(labels: bytes) -> Groups:
    return Groups(np.frombuffer(labels, np.intp))


@lru_cache(maxsize=KNOWN)
def alike(size: int) -> Groups:
    """All positions of an axis in one group."""
    return _groups(np.zeros(size, np.intp).tobytes())


@lru_cache(maxsize=KNOWN)
def alone(size: int) -> Groups:
    """Each position of an axis in a group of its own."""
    return _groups(np.arange(size, dtype=np.intp).tobytes())


@lru_cache(maxsize=KNOWN)
def all_alike(shape: Dims) -> tuple[Groups, ...]:
    """All units of a tensor in one group."""
    return tuple(map(alike, shape))


@lru_cache(maxsize=KNOWN)
def _joint(a: Groups, b: Groups) -> Groups:
    """Positions that are alike in both."""
    return Groups.of(a.labels * b.count + b.labels)


class Map:
    """A number for each unit of a tensor: `values` has one for each group of each axis."""

    def __init__(self, values: Array, groups: tuple[Groups, ...]) -> None:
        self.values = values
        self.groups = groups

    @staticmethod
    def of(values: Array, shape: Dims) -> Map:
        """From an array that is broadcast to the shape."""
        for axis in range(values.ndim):
            if values.shape[axis] > 1:
                first = values.take([0], axis=axis)
                if np.all(np.abs(values - first) <= EQUAL):
                    values = first
        return Map(
            values, tuple(alike(n) if m == 1 else alone(n) for m, n in zip(values.shape, shape, strict=True))
        )

    @staticmethod
    def same(value: float, shape: Dims) -> Map:
        """The same number for all units."""
        return Map(np.full((1,) * len(shape), value), all_alike(shape))

    @property
    def full(self) -> Array:
        """The numbers of all units."""
        values = self.values
        for axis, groups in enumerate(self.groups):
            values = expanded(values, groups, axis)
        return values

    @cached_property
    def mean(self) -> float:
        """The mean over all units."""
        values = self.values
        if values.size == 1:
            return float(values.item())
        shares = _shares(self.groups) if values.size <= SMALL else None
        if shares is None:
            return float(averaged(values, self.groups, range(values.ndim)).item())
        # no product of BLAS, which would wake its threads
        return float(np.einsum("i,i->", values.ravel(), shares))

    @cached_property
    def is_zero(self) -> bool:
        """Whether all numbers are 0."""
        return not self.values.any()

    def mapped(self, function: Callable[[Array], Array]) -> Map:
        """A function of each number."""
        return Map(function(self.values), self.groups)


@lru_cache(maxsize=KNOWN // 4)
def _shares(groups: tuple[Groups, ...]) -> Array | None:
    """The share of the units that each combination of groups has; None if it is the same for all."""
    if all(g.count in (1, g.size) for g in groups):
        return None
    return reduce(np.multiply.outer, (g.shares for g in groups)).ravel()


def zeros(shape: Dims) -> Map:
    """Zero for all units."""
    return _zeros(tuple(shape))


@lru_cache(maxsize=KNOWN)
def _zeros(shape: Dims) -> Map:
    return Map.same(0.0, shape)


def expanded(values: Array, groups: Groups, axis: int) -> Array:
    """The numbers of all positions of an axis, from those of its groups."""
    return values if groups.count == groups.size else values.take(groups.labels, axis=axis)


def common_groups(maps: Sequence[Map]) -> tuple[Groups, ...]:
    """Groups of which all numbers of each map are the same; axes of size 1 are broadcast."""
    groups = maps[0].groups
    if all(m.groups == groups for m in maps):
        return groups
    return tuple(_common(each) for each in zip(*(m.groups for m in maps), strict=True))


def _common(groups: Sequence[Groups]) -> Groups:
    several = {g: None for g in groups if g.count > 1}
    if not several:
        return max(groups, key=lambda g: g.size)
    return reduce(_joint, several)


def in_groups(m: Map, groups: tuple[Groups, ...]) -> Array:
    """The numbers of a map for finer groups, as an array that broadcasts."""
    values = m.values
    if m.groups != groups:
        for axis, (own, finer) in enumerate(zip(m.groups, groups, strict=True)):
            if own.count > 1 and own is not finer:
                values = values.take(own.labels.take(finer.first), axis=axis)
    return values


def joined(function: Callable[..., Array], *maps: Map) -> Map:
    """A function of the numbers that several maps have for each unit."""
    groups = common_groups(maps)
    return Map(function(*(in_groups(m, groups) for m in maps)), groups)


def averaged(values: Array, groups: tuple[Groups, ...], axes: Sequence[int]) -> Array:
    """The means over axes, which get size 1."""
    for axis in axes:
        own = groups[axis]
        if own.count == own.size > 1:
            values = np.add.reduce(values, axis=axis, keepdims=True) / own.size
        elif own.count > 1:
            wide = [1] * values.ndim
            wide[axis] = -1
            values = np.add.reduce(values * own.shares.reshape(wide), axis=axis, keepdims=True)
    return values


def concatenated(maps: Sequence[Map], axis: int) -> Map:
    """The maps side by side along an axis."""
    first = (Map(m.values.take([0], axis=axis), _with(m.groups, axis, alike(1))) for m in maps)
    others = common_groups(list(first))
    parts, labels, count = [], [], 0
    for m in maps:
        own = m.groups[axis]
        values = in_groups(m, _with(others, axis, own))
        extent = [g.count for g in others]
        extent[axis] = own.count
        parts.append(np.broadcast_to(values, extent))
        labels.append(own.labels + count)
        count += own.count
    return Map(np.concatenate(parts, axis), _with(others, axis, Groups.of(np.concatenate(labels))))


def section(m: Map, axis: int, start: int, stop: int) -> Map:
    """Some of the positions of an axis."""
    groups, taken = _section(m.groups[axis], start, stop)
    return Map(m.values.take(taken, axis=axis), _with(m.groups, axis, groups))


@lru_cache(maxsize=KNOWN)
def _section(groups: Groups, start: int, stop: int) -> tuple[Groups, Places]:
    labels = groups.labels[start:stop]
    own = Groups.of(labels)
    return own, labels[own.first]


def padded(m: Map, axis: int, before: int, after: int, value: float) -> Map:
    """The map with further positions of this value along an axis, or fewer for negative numbers."""
    if before < 0 or after < 0:
        m = section(m, axis, max(-before, 0), m.groups[axis].size - max(-after, 0))
    if before <= 0 and after <= 0:
        return m
    groups, taken = _padded(m.groups[axis], max(before, 0), max(after, 0))
    shape = list(m.values.shape)
    shape[axis] = 1
    values = np.concatenate([m.values, np.full(shape, value)], axis=axis)
    return Map(values.take(taken, axis=axis), _with(m.groups, axis, groups))


@lru_cache(maxsize=KNOWN)
def _padded(groups: Groups, before: int, after: int) -> tuple[Groups, Places]:
    labels = np.pad(groups.labels, (before, after), constant_values=groups.count)
    own = Groups.of(labels)
    return own, labels[own.first]


def _with(groups: tuple[Groups, ...], axis: int, other: Groups) -> tuple[Groups, ...]:
    return (*groups[:axis], other, *groups[axis + 1 :])
