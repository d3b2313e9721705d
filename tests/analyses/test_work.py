"""Multiply-adds against a loop that counts every multiplication."""

from __future__ import annotations

import itertools

import pytest

from archcalc.analyses.shapes import infer
from archcalc.analyses.work import elementwise, macs
from tests.networks import chain, conv_pair, made, tower


def naive_macs(shape: tuple[int, int, int], filters: int, k: int, s: int, groups: int) -> int:
    """Multiplications of a `valid` convolution, one by one."""
    h, w, c = shape
    count = 0
    for y, x in itertools.product(range(0, h - k + 1, s), range(0, w - k + 1, s)):
        for f, dy, dx, channel in itertools.product(range(filters), range(k), range(k), range(c)):
            same_group = channel // (c // groups) == f // (filters // groups)
            count += same_group and y + dy < h and x + dx < w
    return count


@pytest.mark.parametrize(("k", "s", "groups"), [(3, 1, 1), (2, 2, 2), (3, 2, 4), (1, 3, 1)])
def test_convolution(k: int, s: int, groups: int) -> None:
    conv = made("Conv2D", filters=4, kernel_size=k, strides=s, groups=groups)
    graph = chain("x", (7, 6, 4), ("conv", conv))
    assert macs(graph, infer(graph))[1] == naive_macs((7, 6, 4), 4, k, s, groups)


def test_elementwise_operations_are_counted_separately() -> None:
    graph = chain("x", (4, 4, 3), ("conv", made("Conv2D", filters=2, kernel_size=3, activation="relu")))
    # one bias and one activation for each of 2*2*2 units
    assert elementwise(graph, infer(graph)) == [0, 16]


def test_a_symbolic_repeat_multiplies() -> None:
    graph = tower()
    by_node = macs(graph, infer(graph))
    assert str(by_node[2]) == f"{8 * 8 * 4 * 4 * 9}*n"
    assert macs(conv_pair(), infer(conv_pair())) == [0, 30 * 30 * 16 * 27, 28 * 28 * 32 * 144]
