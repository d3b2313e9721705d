"""Numbers held once for positions that are alike, against full arrays; sums over windows, by brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.analyses.mean_field import maps
from archcalc.analyses.mean_field.maps import Groups, Map
from archcalc.analyses.mean_field.squares import Squares
from archcalc.analyses.mean_field.taps import Taps, all_sums, taps, transposed
from archcalc.analyses.mean_field.weighted import by_group

SHAPE = (7, 5, 3)


@st.composite
def drawn_maps(draw: Any, shape: tuple[int, ...] = SHAPE) -> Map:
    groups = tuple(
        Groups.of(np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), np.intp)) for n in shape
    )
    seed = draw(st.integers(0, 99))
    return Map(np.random.default_rng(seed).uniform(0.1, 2, [g.count for g in groups]), groups)


def whole(m: Map) -> np.ndarray:
    return np.broadcast_to(m.full, [g.size for g in m.groups])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=9))
def test_groups_are_numbered_as_they_come_and_equal_ones_are_one_object(numbers: list[int]) -> None:
    groups = Groups.of(np.array(numbers, np.intp))
    known: dict[int, int] = {}
    assert groups.labels.tolist() == [known.setdefault(n, len(known)) for n in numbers]
    assert groups.shares.sum() == pytest.approx(1)
    assert Groups.of(np.array(numbers, np.intp) * 3 + 1) is groups


@given(drawn_maps(), drawn_maps(), st.data())
def test_maps_are_as_full_arrays(a: Map, b: Map, data: st.DataObject) -> None:
    assert a.mean == pytest.approx(whole(a).mean())
    assert whole(maps.joined(np.add, a, b)) == pytest.approx(whole(a) + whole(b))
    axes = data.draw(st.sets(st.integers(0, 2)))
    means = whole(a).mean(axis=tuple(axes), keepdims=True)
    kept = tuple(maps.alike(1) if axis in axes else g for axis, g in enumerate(a.groups))
    averaged = Map(maps.averaged(a.values, a.groups, sorted(axes)), kept)
    assert whole(averaged) == pytest.approx(means)
    assert whole(maps.joined(np.multiply, averaged, b)) == pytest.approx(means * whole(b))
    axis = data.draw(st.integers(0, 2))
    assert whole(maps.concatenated([a, b, a], axis)) == pytest.approx(
        np.concatenate([whole(a), whole(b), whole(a)], axis)
    )
    before, after = data.draw(st.tuples(st.integers(-1, 2), st.integers(-1, 2)))
    full = np.moveaxis(whole(a), axis, 0)[max(-before, 0) : SHAPE[axis] - max(-after, 0)]
    full = np.pad(full, [(max(before, 0), max(after, 0)), (0, 0), (0, 0)], constant_values=-4)
    assert np.array_equal(whole(maps.padded(a, axis, before, after, -4.0)), np.moveaxis(full, 0, axis))


@given(drawn_maps(), drawn_maps(), st.floats(-800, 800), st.floats(-3, 3), st.data())
def test_squares_are_as_full_arrays(a: Map, b: Map, level: float, more: float, data: st.DataObject) -> None:
    x, y = Squares.of(a, level), Squares.by_value(b.values, b.groups, -level)

    def logs(squares: Squares) -> np.ndarray:
        return whole(squares.logs)

    full = whole(a) + level
    assert logs(x) == pytest.approx(full)
    assert x.level == pytest.approx(full.max())
    assert x.log_least == pytest.approx(full.min())
    assert x.log_mean == pytest.approx(level + np.log(np.exp(whole(a)).mean()))
    assert logs(x.times(more).power(0.5)) == pytest.approx((full + more) / 2)
    assert logs(y.times(a)) == pytest.approx(np.log(whole(b)) - level + whole(a))
    assert logs(x.product(y)) == pytest.approx(whole(a) + np.log(whole(b)))
    axes = data.draw(st.sets(st.integers(0, 2)))
    means = np.exp(whole(a)).mean(axis=tuple(axes), keepdims=True)
    assert logs(x.means(sorted(axes))) == pytest.approx(np.log(means) + level)
    axis = data.draw(st.integers(0, 2))
    sums = np.log(np.exp(whole(a)).sum(axis=axis, keepdims=True)) + level
    assert logs(x.summed(axis, 4)) == pytest.approx(np.repeat(sums, 4, axis=axis))
    assert logs(x.reshaped((1, 35, 3))) == pytest.approx(full.reshape(1, 35, 3))
    assert logs(x.reshaped((7, 1, 5, 3))) == pytest.approx(full.reshape(7, 1, 5, 3))
    assert logs(x.permuted((2, 0, 1))) == pytest.approx(full.transpose(2, 0, 1))
    assert logs(y.section(0, 2, 5)) == pytest.approx(np.log(whole(b))[2:5] - level)
    assert logs(x.padded(((0, 0), (-1, -2), (0, 0)))) == pytest.approx(full[:, 1:3])
    windows = [(0, taps(7, 4, 3, 2, 1, 1)), (1, taps(5, 5, 3, 1, 2, 2))]
    sums = Map(*all_sums(np.exp(whole(a)), tuple(maps.alone(n) for n in SHAPE), windows))
    assert logs(x.sums(windows)) == pytest.approx(np.log(whole(sums)) + level)


@pytest.mark.parametrize("same", [True, False])
def test_products_are_broadcast(same: bool) -> None:
    column = Squares.same(2.0, (7, 1, 3))
    values = np.ones((1, 1, 1)) if same else np.arange(1.0, 6.0).reshape(1, 5, 1)
    row = Squares.by_value(values, (maps.alike(1), maps.alike(5) if same else maps.alone(5), maps.alike(3)))
    for product in (column.product(row), row.product(column)):
        expected = np.broadcast_to(np.log(values) + 2.0, (7, 5, 3))
        assert whole(product.logs) == pytest.approx(expected)


@pytest.mark.parametrize(("groups", "output"), [(6, 6), (6, 12), (2, 4), (3, 3)])
@pytest.mark.parametrize("kinds", [1, 2, 6])
def test_channels_are_added_up_by_group(groups: int, output: int, kinds: int) -> None:
    random = np.random.default_rng(kinds)
    labels = Groups.of(np.sort(np.arange(6) % kinds))
    m = Map(random.uniform(0.1, 2, (1, labels.count)), (maps.alike(4), labels))
    sums = by_group(Squares.by_value(m.values, m.groups), 1, output, groups)
    full = whole(m).reshape(4, groups, 6 // groups).sum(axis=2)
    assert whole(sums.over(0.0)) == pytest.approx(np.repeat(full, output // groups, axis=1))


def test_a_square_of_zero_remains_zero() -> None:
    zero = Squares.same(-1e6, SHAPE)
    assert zero.is_zero
    assert zero.times(700.0).is_zero
    assert zero.product(Squares.same(700.0, SHAPE)).is_zero
    some = Squares.of(Map(np.array([0.0, -1e6]).reshape(2, 1), (maps.alone(2), maps.alike(3))))
    assert some.times(5.0).log_least < -1e5
    assert some.profile.log_least_positive == 0
    assert some.log_mean == pytest.approx(np.log(0.5))
    assert some.power(0.1).profile.log_least_positive == 0
    assert zero.power(0.1).is_zero
    assert some.section(0, 1, 2).is_zero


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(-2, 5),
    st.booleans(),
    st.integers(1, 60),
)
def test_sums_over_windows(
    size: int, positions: int, kernel: int, stride: int, dilation: int, before: int, last: bool, kinds: int
) -> None:
    """A position adds up the units that its taps meet, and going back a unit the positions that read it."""
    windows = taps(size, positions, kernel, stride, dilation, before)
    axis = int(last)
    shapes = [(n, 3) if axis == 0 else (3, n) for n in (size, positions)]
    x, g = (drawn_groups(shape, axis, kinds) for shape in shapes)
    sums, back = np.zeros(shapes[1]), np.zeros(shapes[0])
    for i in range(positions):
        for t in range(kernel):
            unit = i * stride - before + t * dilation
            if 0 <= unit < size:
                np.moveaxis(sums, axis, 0)[i] += np.moveaxis(whole(x), axis, 0)[unit]
                np.moveaxis(back, axis, 0)[unit] += np.moveaxis(whole(g), axis, 0)[i]
    reads = [(axis, windows)]
    assert whole(Map(*all_sums(x.values, x.groups, reads))) == pytest.approx(sums)
    assert whole(Map(*all_sums(g.values, g.groups, transposed(reads)))) == pytest.approx(back)
    table = windows.by_group(np.arange(size), size)
    assert windows.is_identity == np.array_equal(table, np.eye(size))
    assert windows.most == max(1, table.sum(axis=1).max())
    by_matrix = [(axis, Taps.of(table))]
    assert whole(Map(*all_sums(x.values, x.groups, by_matrix))) == pytest.approx(sums)


def drawn_groups(shape: tuple[int, ...], axis: int, kinds: int) -> Map:
    """A map whose positions of an axis are of several kinds, or all different for kind 60."""
    random = np.random.default_rng(kinds)
    groups = [maps.alone(n) for n in shape]
    if kinds < 60:
        groups[axis] = Groups.of(random.integers(0, kinds, shape[axis]))
    return Map(random.random([g.count for g in groups]), tuple(groups))
