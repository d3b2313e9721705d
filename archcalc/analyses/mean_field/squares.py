"""Expected squares of a tensor's units, in logarithms, so that 10^±5000 is in range."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

import numpy as np

from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.maps import (
    KNOWN,
    Dims,
    Groups,
    Map,
    alike,
    all_alike,
    averaged,
    common_groups,
    joined,
    padded,
    section,
)
from archcalc.analyses.mean_field.taps import Reads, Taps, all_sums

LARGEST = 4_000_000  # larger tensors are reshaped as if all units had the same square
FLOOR = -1e6  # replaces the logarithm of zero, so that logarithms can be added


def log_of(x: Array | float) -> Array:
    """Logarithms, `FLOOR` for zero."""
    x = np.asarray(x, dtype=float)
    if np.minimum.reduce(x, axis=None, initial=1.0) > 0:
        return np.log(x)
    with np.errstate(divide="ignore"):
        logs: Array = np.log(x)
    return np.maximum(logs, FLOOR)


def log_mean(log_x: Array) -> float:
    """Log of the mean of exp(x), without overflow."""
    top = float(np.maximum.reduce(log_x, axis=None))
    if top <= FLOOR:
        return FLOOR
    return top + math.log(float(np.add.reduce(np.exp(log_x - top), axis=None)) / log_x.size)


class Profile:
    """Squares of units over the largest of them: their logarithms, or the squares themselves, or both.

    Without any all squares are the same.
    """

    def __init__(
        self, groups: tuple[Groups, ...], logs: Array | None = None, ratios: Array | None = None
    ) -> None:
        self.groups = groups
        self.same = logs is None and ratios is None
        if self.same:
            shape = (1,) * len(groups)
            logs, ratios = np.zeros(shape), np.ones(shape)
        self._logs, self._ratios = logs, ratios

    @property
    def in_logs(self) -> bool:
        """Whether the logarithms are known."""
        return self._logs is not None

    def regrouped(self, groups: tuple[Groups, ...]) -> Profile:
        """The same squares for axes of other sizes, with what was worked out of them."""
        if self.same:
            return _flat(groups)
        other = object.__new__(Profile)
        other.__dict__.update(self.__dict__)
        other.groups = groups
        return other

    @property
    def logs(self) -> Array:
        """Logs of the squares, the largest of which is 0."""
        if self._logs is None:
            assert self._ratios is not None
            self._logs = log_of(self._ratios)
        return self._logs

    @property
    def ratios(self) -> Array:
        """The squares, the largest of which is 1."""
        if self._ratios is None:
            assert self._logs is not None
            self._ratios = np.exp(self._logs)
        return self._ratios

    @cached_property
    def log_mean(self) -> float:
        """Log of the mean."""
        return 0.0 if self.same else math.log(Map(self.ratios, self.groups).mean)

    @cached_property
    def log_least(self) -> float:
        """Log of the least square."""
        return 0.0 if self.same else float(np.minimum.reduce(self.logs, axis=None))

    @property
    def log_least_positive(self) -> float:
        """Log of the least square that is not zero."""
        least = self.log_least
        return least if least > FLOOR / 2 else float(self.logs[self.logs > FLOOR / 2].min())


@lru_cache(maxsize=KNOWN)
def _flat(groups: tuple[Groups, ...]) -> Profile:
    return Profile(groups)


class Squares:
    """The expected square of each unit: `level` is the log of the largest, `profile` has the others over it.

    Tensors that differ by a factor have one profile, so that what follows from it is worked out once.
    """

    __slots__ = ("level", "profile")

    def __init__(self, level: float, profile: Profile) -> None:
        self.level = level
        self.profile = profile

    @staticmethod
    def same(log: float, shape: Dims) -> Squares:
        """The same square for all units, given by its logarithm."""
        return Squares(max(log, FLOOR), _flat(all_alike(tuple(shape))))

    @staticmethod
    def of(logs: Map, more: float = 0.0) -> Squares:
        """Squares given by their logarithms, all of them times another."""
        values = logs.values
        top = float(values.item() if values.size == 1 else np.maximum.reduce(values, axis=None))
        if top + more <= FLOOR / 2:
            return Squares(FLOOR, _flat(tuple(alike(g.size) for g in logs.groups)))
        if values.size == 1:
            return Squares(top + more, _flat(logs.groups))
        return Squares(top + more, Profile(logs.groups, values - top))

    @staticmethod
    def by_value(values: Array, groups: tuple[Groups, ...], more: float = 0.0) -> Squares:
        """Squares given by their values, times another given by its logarithm."""
        top = float(values.item() if values.size == 1 else np.maximum.reduce(values, axis=None))
        if top <= 0:
            return Squares(FLOOR, _flat(tuple(alike(g.size) for g in groups)))
        level = math.log(top) + more
        return Squares(level, _flat(groups) if values.size == 1 else Profile(groups, ratios=values / top))

    @property
    def same_everywhere(self) -> bool:
        """Whether all units have the same square."""
        return self.profile.same

    @property
    def is_zero(self) -> bool:
        """Whether all squares are zero."""
        return self.level <= FLOOR / 2

    @property
    def log_least(self) -> float:
        """Log of the least square."""
        return self.level + self.profile.log_least

    @property
    def log_mean(self) -> float:
        """Log of the mean square."""
        return max(self.level + self.profile.log_mean, FLOOR)

    @property
    def unscaled(self) -> Map:
        """The logarithms over that of the largest."""
        return Map(self.profile.logs, self.profile.groups)

    @property
    def logs(self) -> Map:
        """The logarithms."""
        return Map(self.profile.logs + self.level, self.profile.groups)

    def over(self, level: float) -> Map:
        """The squares themselves, over another one given by its logarithm."""
        ratios = self.profile.ratios
        if level != self.level:
            ratios = ratios * math.exp(self.level - level)
        return Map(ratios, self.profile.groups)

    def times(self, factor: float | Map) -> Squares:
        """The product with a factor, given by its logarithm; what is zero remains zero."""
        if isinstance(factor, Map):
            if factor.values.size > 1:
                if self.profile.in_logs:
                    return Squares.of(joined(np.add, self.unscaled, factor), self.level)
                top = float(np.maximum.reduce(factor.values, axis=None))
                ratios = factor.mapped(lambda logs: np.exp(logs - top))
                product = joined(np.multiply, self.over(self.level), ratios)
                return Squares.by_value(product.values, product.groups, self.level + top)
            factor = float(factor.values.item())
        level = self.level + factor
        return Squares(level, self.profile) if level > FLOOR / 2 else Squares(FLOOR, self.profile)

    def product(self, other: Squares) -> Squares:
        """The product with other squares, of which an axis of size 1 is broadcast."""
        if self.is_zero or other.is_zero:
            groups = common_groups((self.unscaled, other.unscaled))
            return Squares(FLOOR, _flat(tuple(alike(g.size) for g in groups)))
        if other.same_everywhere and _covers(self, other):
            return Squares(self.level + other.level, self.profile)
        if self.same_everywhere and _covers(other, self):
            return Squares(self.level + other.level, other.profile)
        return Squares.of(joined(np.add, self.unscaled, other.unscaled), self.level + other.level)

    def power(self, exponent: float) -> Squares:
        """A power of each square, with an exponent that is not negative."""
        profile = self.profile
        if self.is_zero or profile.same:
            return Squares(FLOOR if self.is_zero else self.level * exponent, profile)
        logs = profile.logs * exponent
        if profile.log_least <= FLOOR / 2:
            logs[profile.logs <= FLOOR / 2] = FLOOR
        return Squares(self.level * exponent, Profile(profile.groups, logs))

    def sums(self, reads: Reads) -> Squares:
        """The sums over windows."""
        reads = [(axis, taps) for axis, taps in reads if not taps.is_identity]
        if not reads:
            return self
        profile = self.profile
        if profile.same:
            counts = _counts(profile.groups, tuple(reads))
            return Squares(max(self.level + counts.level, FLOOR), counts.profile)
        return Squares.by_value(*all_sums(profile.ratios, profile.groups, reads), self.level)

    def means(self, axes: Sequence[int]) -> Squares:
        """The means over axes, which get size 1."""
        profile = self.profile
        counts = [g.count for g in profile.groups]
        groups = tuple(alike(1) if a in axes else g for a, g in enumerate(profile.groups))
        if all(counts[a] == 1 for a in axes):
            return Squares(self.level, profile.regrouped(groups))
        if all(a in axes or n == 1 for a, n in enumerate(counts)):
            return Squares(self.log_mean, _flat(groups))
        return Squares.by_value(averaged(profile.ratios, profile.groups, axes), groups, self.level)

    def summed(self, axis: int, size: int) -> Squares:
        """The sums over an axis, for each of the `size` positions of another one in its place."""
        total = math.log(self.profile.groups[axis].size)
        return self.means([axis]).times(total).with_axis(axis, alike(size))

    def reshaped(self, shape: Dims) -> Squares:
        """The same squares in another shape."""
        profile, shape = self.profile, tuple(shape)
        before = tuple(g.size for g in profile.groups)
        if before == shape:
            return self
        if profile.same or math.prod(shape) > LARGEST:
            return Squares.same(self.log_mean, shape)
        if [n for n in before if n > 1] == [n for n in shape if n > 1]:
            longer = iter(g for g in profile.groups if g.size > 1)
            groups = tuple(alike(1) if n == 1 else next(longer) for n in shape)
            logs = profile.logs.reshape([g.count for g in groups])
            return Squares(self.level, Profile(groups, logs))
        full = np.broadcast_to(self.unscaled.full, before).reshape(shape)
        return Squares.of(Map.of(full, shape), self.level)

    def permuted(self, order: Sequence[int]) -> Squares:
        """The same squares with axes in another order."""
        groups = tuple(self.profile.groups[a] for a in order)
        return self._moved(lambda m, _: Map(m.values.transpose(order), groups))

    def section(self, axis: int, start: int, stop: int) -> Squares:
        """Those of some positions of an axis."""
        return self._moved(lambda m, _: section(m, axis, start, stop))

    def padded(self, pairs: Sequence[tuple[int, int]]) -> Squares:
        """With zeros (before, after) along each axis, or fewer positions for negative numbers."""

        def moved(m: Map, zero: float) -> Map:
            for axis, (before, after) in enumerate(pairs):
                if before or after:
                    m = padded(m, axis, before, after, zero)
            return m

        return self._moved(moved)

    def _moved(self, move: Callable[[Map, float], Map]) -> Squares:
        """The squares in other places, by a function of their map and of the number that stands for zero."""
        if self.profile.in_logs:
            return Squares.of(move(self.unscaled, FLOOR), self.level)
        m = move(self.over(self.level), 0.0)
        return Squares.by_value(m.values, m.groups, self.level)

    def with_axis(self, axis: int, other: Groups) -> Squares:
        """The same squares for another axis with as many groups."""
        groups = self.profile.groups
        return Squares(self.level, self.profile.regrouped((*groups[:axis], other, *groups[axis + 1 :])))


def _covers(a: Squares, b: Squares) -> bool:
    """Whether a product of both has the shape of the first."""
    return all(g.size >= h.size for g, h in zip(a.profile.groups, b.profile.groups, strict=True))


@lru_cache(maxsize=KNOWN)
def _counts(groups: tuple[Groups, ...], reads: tuple[tuple[int, Taps], ...]) -> Squares:
    """How many units each window has."""
    return Squares.by_value(*all_sums(np.ones((1,) * len(groups)), groups, reads))
