"""Sums, products and contractions, with valid and invalid arguments, against numpy, unit by unit.

An output unit depends on the input units whose change changes it in numpy.
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
from archcalc.layers.operand import Constant
from archcalc.layers.registry import registered_operations
from archcalc.layers.window import Scattered, UnknownRead
from tests.analyses.fields.toy import units_read

OPERATIONS = registered_operations()
BATCH = 5  # longer than any axis
Shape = tuple[int, ...]

axes = st.integers(-4, 4)
several = st.one_of(axes, st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True).map(tuple))
shapes = st.lists(st.integers(1, 3), min_size=0, max_size=3).map(tuple)
constants = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)


def full(shape: Shape) -> Any:
    """A batch of samples of this shape with distinct numbers, none of which is a sum of others."""
    return np.sqrt(np.arange(2, 2 + BATCH * prod(shape))).reshape(BATCH, *shape)


def check(name: str, arguments: dict[str, Any], inputs: list[Shape], function: Callable[..., Any]) -> Any:
    """Compare shape, refusal and windows with numpy's; the operation if it is valid, else None."""
    note(f"{name} {arguments} of {inputs}")
    tensors = [full(shape) for shape in inputs]
    try:
        result = np.asarray(function(*tensors))
    except (ValueError, IndexError):
        result = np.zeros(())
    moved = [changes(function, tensors, k) for k in range(len(inputs))] if result.ndim else []
    # no sample depends on another
    fits = bool(moved) and len(result) == BATCH and not any(m[:, 1:].any() for m in moved)
    try:
        operation = OPERATIONS[f"ops.{name}"](**arguments)
        shape = operation.output_shape(*inputs)
    except LayerError as fault:
        refused = str(fault)
    else:
        refused = ""
    if refused:
        # products do not broadcast, and operations over the batch are refused even without effect
        sides = [*inputs, *(a.shape for a in arguments.values() if isinstance(a, Constant))]
        alone = any(1 in shape for shape in sides) and "do not match" in refused
        batch = "batch" in refused and name != "einsum"
        assert not fits or "no rule" in refused or batch or alone, refused
        return None
    assert fits
    assert shape == result.shape[1:]
    for window, given_, seen in zip(operation.window(*inputs), inputs, moved, strict=True):
        for unit in np.ndindex(*shape):
            dependence = seen[(slice(None), 0, *unit)].reshape(given_)
            rows = [
                None if isinstance(r, Scattered | UnknownRead) else set(units_read(r, n, unit))
                for r, n in zip(window, given_, strict=True)
            ]
            if None in rows:
                continue
            expected = np.zeros(given_, dtype=bool)
            expected[np.ix_(*map(sorted, rows))] = True  # type: ignore[arg-type]
            assert (dependence == expected).all(), (
                f"unit {unit} reads {rows}, moves with {np.argwhere(dependence)}"
            )
    return operation


def changes(function: Callable[..., Any], tensors: list[Any], number: int) -> Any:
    """For each unit of sample 0 of one tensor, the units of the result that depend on it."""
    before = function(*tensors)
    rows = []
    for unit in range(prod(tensors[number].shape[1:])):
        other = [t.copy() for t in tensors]
        other[number].reshape(BATCH, -1)[0, unit] += 0.3
        rows.append(~np.isclose(function(*other), before, rtol=1e-12, atol=1e-12))
    return np.array(rows)


def constant(shape: Shape) -> Any:
    return np.sqrt(np.arange(3, 3 + prod(shape))).reshape(shape)


REDUCTIONS = {"sum": np.sum, "mean": np.mean, "prod": np.prod, "std": np.std, "var": np.var}


@pytest.mark.parametrize("name", sorted(REDUCTIONS))
@given(shape=shapes, axis=several, keepdims=st.booleans())
def test_reductions(name: str, shape: Shape, axis: Any, keepdims: bool) -> None:
    if name in ("std", "var") and 1 in shape:
        return  # the deviation of one unit is constant
    arguments = {"axis": axis, "keepdims": keepdims}
    check(name, arguments, [shape], lambda x: REDUCTIONS[name](x, **arguments))


@given(shape=shapes, axis=axes)
def test_running_sums(shape: Shape, axis: int) -> None:
    check("cumsum", {"axis": axis}, [shape], lambda x: np.cumsum(x, axis))


BINARY = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}


@pytest.mark.parametrize("name", sorted(BINARY))
@given(one=shapes, other=shapes)
def test_two_tensors_that_broadcast(name: str, one: Shape, other: Shape) -> None:
    check(name, {}, [one, other], BINARY[name])


@pytest.mark.parametrize("name", sorted(BINARY))
@given(shape=shapes, other=constants, first=st.booleans())
def test_a_constant_that_broadcasts(name: str, shape: Shape, other: Shape, first: bool) -> None:
    value = constant(other)
    operand = Constant.of(value.tolist())
    if first:
        check(name, {"x1": operand}, [shape], lambda x: BINARY[name](value, x))
    else:
        check(name, {"x2": operand}, [shape], lambda x: BINARY[name](x, value))


CONTRACTIONS = {"matmul": np.matmul, "dot": np.dot}


@pytest.mark.parametrize("name", sorted(CONTRACTIONS))
@given(shape=shapes, other=constants)
def test_products_with_a_constant(name: str, shape: Shape, other: Shape) -> None:
    value = constant(other)
    operation = check(
        name, {"x2": Constant.of(value.tolist())}, [shape], lambda x: CONTRACTIONS[name](x, value)
    )
    if operation is not None:
        assert operation.macs(shape) == prod(operation.output_shape(shape)) * shape[-1]


pairs = st.lists(st.integers(-3, 3), min_size=1, max_size=2)


@given(
    shape=shapes,
    other=constants,
    chosen=st.one_of(st.integers(-1, 3), st.tuples(pairs, pairs).map(list)),
)
def test_products_over_chosen_axes(shape: Shape, other: Shape, chosen: Any) -> None:
    ranks = (len(shape) + 1, len(other))
    rows = zip(chosen, ranks, strict=True) if isinstance(chosen, list) else ()
    if any(len({a % n for a in row}) < len(row) for row, n in rows):
        return  # an axis is named twice
    value = constant(other)
    arguments = {"x2": Constant.of(value.tolist()), "axes": chosen}
    check("tensordot", arguments, [shape], lambda x: np.tensordot(x, value, chosen))


@given(one=shapes, other=shapes)
def test_products_of_two_tensors(one: Shape, other: Shape) -> None:
    operation = check("matmul", {}, [one, other], np.matmul)
    if operation is not None:
        assert operation.macs(one, other) == prod(operation.output_shape(one, other)) * one[-1]


EQUATIONS = ("bij,bj->bi", "bi,bj->bij", "bij,bjk->bik", "bij,bij->b", "bi,b->bi", "bij,bik->bjk")


@given(st.sampled_from(EQUATIONS), shapes, shapes)
def test_products_by_letters(equation: str, one: Shape, other: Shape) -> None:
    operation = check(
        "einsum", {"subscripts": equation}, [one, other], lambda x, y: np.einsum(equation, x, y)
    )
    if operation is not None:
        operands = equation.split("->", maxsplit=1)[0].split(",")
        lengths = {
            c: n
            for row, s in zip(operands, (one, other), strict=True)
            for c, n in zip(row[1:], s, strict=True)
        }
        assert operation.macs(one, other) == prod(lengths.values())


@pytest.mark.parametrize("equation", ["bij,jk", "bij,jk->bik", "bij,ik", "bji,jk", "bij,xj"])
@given(shape=shapes, other=constants)
def test_an_equation_that_leaves_its_result_out(equation: str, shape: Shape, other: Shape) -> None:
    value = constant(other)
    arguments = {"x2": Constant.of(value.tolist()), "subscripts": equation}
    check("einsum", arguments, [shape], lambda x: np.einsum(equation, x, value))
