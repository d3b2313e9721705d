"""Records behave like the frozen dataclasses that they replace."""

from __future__ import annotations

import dataclasses
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest

from archcalc.layers.records import Record, declared


@declared
class Pair(Record):
    left: int
    right: Any = 2


@declared
class Triple(Pair):
    third: int = 3


@dataclass(frozen=True)
class Standard:
    left: int
    right: Any = 2


GIVEN: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, 5), {}),
    ((1,), {"right": 5}),
    ((), {"right": 5, "left": 1}),
    ((), {"right": 5}),
    ((1, 2, 3), {}),
    ((1,), {"left": 1}),
    ((1,), {"other": 1}),
]


@pytest.mark.parametrize(("values", "named"), GIVEN)
def test_as_the_standard_library_does(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    try:
        expected = Standard(*values, **named)
    except TypeError:
        with pytest.raises(TypeError, match="Pair"):
            Pair(*values, **named)
        return
    made = Pair(*values, **named)
    assert repr(made) == repr(expected).replace("Standard", "Pair")
    assert list(vars(made)) == list(vars(expected))
    assert dataclasses.asdict(dataclasses.replace(made, left=7)) == {"left": 7, "right": expected.right}


def test_equality_and_hash() -> None:
    assert Pair(1) == Pair(1, 2) != Pair(1, 3)
    assert len({Pair(1), Pair(1, 2), Pair(2)}) == 2
    assert Triple(1) != Pair(1)
    assert repr(Triple(1)) == "Triple(left=1, right=2, third=3)"


def test_it_does_not_change() -> None:
    pair = Pair(1)
    with pytest.raises(FrozenInstanceError):
        pair.left = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del pair.left


def test_patterns_match_by_position() -> None:
    match Pair(1, "b"):
        case Pair(left, right):
            assert (left, right) == (1, "b")
