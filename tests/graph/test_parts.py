"""Repeated blocks as parts of a sequence, and cycles, against what a drawing shows."""

from __future__ import annotations

import dataclasses

import pytest

from archcalc.graph import Repeat, Tap, cycle, shown_cycle
from tests.networks import chain, made


def repeat(first: int, last: int) -> Repeat:
    return Repeat(first, last, Tap(first - 1), Tap(last), 2)


def test_parts_are_nodes_and_the_outermost_blocks() -> None:
    graph = chain("six", (8,), *((f"d{i}", made("Dense", units=8)) for i in range(6)))
    inner, same, outer, other = repeat(2, 2), repeat(2, 3), repeat(2, 3), repeat(5, 6)
    graph = dataclasses.replace(graph, repeats=(inner, same, outer, other))
    parts = list(graph.parts())
    assert parts == [0, 1, outer, 4, other]
    assert parts[2] is outer  # the later of two with the same nodes
    assert list(graph.parts(2, 3, outer)) == [same]
    assert list(graph.parts(2, 3, same)) == [inner, 3]
    assert list(graph.parts(2, 2, inner)) == [2]
    assert list(graph.parts(3, 5)) == [3, 4, 5]


def test_a_cycle_begins_with_its_lowest_index() -> None:
    assert cycle([[], [3, 0], [1], [2], [3]]) == [1, 2, 3]
    assert cycle([[0]]) == [0]
    with pytest.raises(ValueError, match="no cycle"):
        cycle([[], [0]])


def test_a_long_cycle_is_shortened() -> None:
    assert shown_cycle(["a", "b"]) == "a -> b -> a"
    assert shown_cycle(list("abcdefghij")) == "a -> b -> c -> d -> ... 5 more ... -> j -> a"
