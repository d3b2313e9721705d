"""Operations that move units, with valid and invalid arguments, against numpy on numbered units.

Every unit of the input has a different number, so that numpy's result shows where each unit goes.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from archcalc.errors import LayerError
from archcalc.layers.operations.indexing import Slice
from archcalc.layers.registry import registered_operations
from archcalc.layers.window import Scattered, UnknownRead
from tests.analyses.fields.toy import units_read

OPERATIONS = registered_operations()
BATCH = 7  # longer than any axis
Arguments = dict[str, Any]

axes = st.integers(-4, 4)
some_axes = st.one_of(axes, st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True).map(tuple))
sizes = st.integers(0, 3)


def part() -> st.SearchStrategy[Any]:
    ends = st.none() | st.integers(-6, 6)
    slices = st.builds(Slice, ends, ends, st.sampled_from([None, 1, 2, 3, -1, -2]))
    return st.one_of(slices, st.integers(-6, 6), st.none(), st.just(...))


def keys() -> st.SearchStrategy[Any]:
    everything = st.just(Slice(None, None, None))
    later = st.lists(part(), max_size=4)
    return st.builds(lambda first, rest: (first, *rest), st.one_of(everything, everything, part()), later)


def numpy_key(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(slice(*p) if isinstance(p, Slice) else p for p in key)


def repeated(x: Any, repeats: int, axis: int) -> Any:
    return np.repeat(x, repeats, axis)


# operation: a strategy for its arguments, and the function in numpy
ONE: dict[str, tuple[st.SearchStrategy[Arguments], Callable[..., Any]]] = {
    "flip": (st.fixed_dictionaries({"axis": some_axes}), np.flip),
    "roll": (st.fixed_dictionaries({"shift": st.integers(-3, 3), "axis": axes}), np.roll),
    "repeat": (st.fixed_dictionaries({"repeats": st.integers(1, 3), "axis": axes}), repeated),
    "tile": (
        st.fixed_dictionaries({"repeats": st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple)}),
        lambda x, repeats: np.tile(x, repeats),
    ),
    "transpose": (
        st.fixed_dictionaries(
            {"axes": st.one_of(st.permutations(range(3)), st.lists(axes, min_size=1, max_size=4)).map(tuple)}
        ),
        np.transpose,
    ),
    "swapaxes": (st.fixed_dictionaries({"axis1": axes, "axis2": axes}), np.swapaxes),
    "moveaxis": (
        st.fixed_dictionaries({"source": some_axes, "destination": some_axes}),
        np.moveaxis,
    ),
    "expand_dims": (st.fixed_dictionaries({"axis": some_axes}), np.expand_dims),
    "squeeze": (st.fixed_dictionaries({"axis": some_axes}), np.squeeze),
    "split": (
        st.fixed_dictionaries(
            {
                "indices_or_sections": st.integers(1, 4)
                | st.lists(st.integers(-1, 5), min_size=1, max_size=3),
                "axis": axes,
            }
        ),
        np.split,
    ),
    "unstack": (
        st.fixed_dictionaries({"axis": axes}),
        lambda x, axis: list(np.moveaxis(x, axis, 0)),
    ),
    "pad": (
        st.fixed_dictionaries(
            {
                "pad_width": st.lists(st.tuples(sizes, sizes), min_size=1, max_size=4).map(tuple)
                | sizes
                | st.lists(st.integers(0, 1), min_size=2, max_size=3)
            }
        ),
        lambda x, pad_width: np.pad(x, pad_width, constant_values=-1),
    ),
    "get_item": (st.fixed_dictionaries({"key": keys()}), lambda x, key: x[numpy_key(key)]),
    "take": (
        st.fixed_dictionaries(
            {
                "indices": st.integers(-6, 6) | st.lists(st.integers(-6, 6), min_size=1, max_size=3),
                "axis": axes,
            }
        ),
        lambda x, indices, axis: np.take(x, indices, axis),
    ),
    "reshape": (
        st.fixed_dictionaries(
            {
                "newshape": st.builds(
                    lambda first, rest: [first, *rest],
                    st.sampled_from([-1, None]),
                    st.lists(st.sampled_from([-1, 1, 2, 3, 4, 6]), max_size=3),
                )
            }
        ),
        lambda x, newshape: x.reshape(BATCH if newshape[0] is None else -1, *newshape[1:]),
    ),
}
SEVERAL: dict[str, Callable[..., Any]] = {"stack": np.stack, "concatenate": np.concatenate}


def numbered(shape: tuple[int, ...]) -> Any:
    return np.arange(BATCH * prod(shape)).reshape(BATCH, *shape)


def by_sample(result: Any, units: int) -> bool:
    """Whether each sample of the result has only units of the same sample (-1 is a constant)."""
    if not result.ndim or len(result) != BATCH or 0 in result.shape:
        return False
    owners = np.where(result < 0, -1, result // units).reshape(BATCH, -1)
    return all(set(row) <= {i, -1} for i, row in enumerate(owners))


def check(name: str, arguments: Arguments, shapes: list[tuple[int, ...]], function: Any, real: Any) -> None:
    note(f"{name} {arguments} of {shapes}")
    units = prod(shapes[0])
    try:
        result = function(real)
        results = result if isinstance(result, list) else [result]
    except (ValueError, IndexError):  # AxisError is both
        results = []
    fits = bool(results) and all(by_sample(each, units) for each in results)
    try:
        operation = OPERATIONS[f"ops.{name}"](**arguments)
        outputs = operation.output_shapes(*shapes)
    except LayerError as fault:
        refused = str(fault)
    else:
        refused = ""
    if refused:
        # operations along the batch are refused even without effect
        along = [v for k, v in arguments.items() if k in ("axis", "axis1", "axis2")]
        batch = any(type(a) is int and a % (len(shapes[0]) + 1) == 0 for a in along)
        # and indices that numpy counts from the end, where Keras cuts a size below zero
        cut = arguments.get("indices_or_sections")
        from_end = isinstance(cut, list) and min(cut) < 0
        assert not fits or batch or from_end or "no rule" in refused, refused
        return
    if any(n < 1 for shape in outputs for n in shape):
        assert not fits
        return
    assert fits
    assert [each.shape[1:] for each in results] == list(outputs)
    windows = operation.window(*shapes)
    assert len(windows) == len(shapes)
    if len(outputs) > 1:
        return
    for unit, number in np.ndenumerate(results[0][0]):
        reads = [
            [
                None if isinstance(r, Scattered | UnknownRead) else units_read(r, n, unit)
                for r, n in zip(window, shape, strict=True)
            ]
            for window, shape in zip(windows, shapes, strict=True)
        ]
        inside = [
            all(row is None or any(0 <= j < n for j in row) for row, n in zip(rows, shape, strict=True))
            for rows, shape in zip(reads, shapes, strict=True)
        ]
        if number < 0:
            assert not any(inside)
            continue
        position = np.unravel_index(number, shapes[0])
        assert any(inside)
        for rows, yes in zip(reads, inside, strict=True):
            if yes:
                assert all(row is None or row == [j] for row, j in zip(rows, position, strict=True))


shapes = st.lists(st.integers(1, 5), min_size=0, max_size=3).map(tuple)


@pytest.mark.parametrize("name", sorted(ONE))
@given(data=st.data(), shape=shapes)
def test_units_stand_where_numpy_puts_them(name: str, data: st.DataObject, shape: tuple[int, ...]) -> None:
    arguments, function = ONE[name]
    given_ = data.draw(arguments)
    check(name, given_, [shape], lambda x: function(x, **given_), numbered(shape))


@pytest.mark.parametrize("name", sorted(SEVERAL))
@given(shape=shapes, axis=axes, count=st.integers(1, 3))
def test_units_of_several_tensors_do(name: str, shape: tuple[int, ...], axis: int, count: int) -> None:
    x = numbered(shape)
    check(name, {"axis": axis}, [shape] * count, lambda x: SEVERAL[name]([x] * count, axis), x)


@pytest.mark.parametrize("widths", [[1], [0, 0, 0]])
def test_numbers_that_are_no_pair_are_no_widths(widths: list[int]) -> None:
    """Numpy applies one number in a list to both ends of every axis; Keras does not."""
    with pytest.raises(LayerError, match="expected a pair"):
        OPERATIONS["ops.pad"](pad_width=widths)


@pytest.mark.parametrize(("name", "axes"), [("flip", (2, 2)), ("flip", (2, -2)), ("expand_dims", (1, 1))])
def test_an_axis_that_is_named_twice_is_refused(name: str, axes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="repeated axis"):
        getattr(np, name)(np.ones((1, 3, 4, 5)), axes)
    operation = registered_operations()[f"ops.{name}"](axis=axes)
    with pytest.raises(LayerError, match="named twice"):
        operation.output_shape((3, 4, 5))
