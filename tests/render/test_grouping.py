"""Rows grouped into one row per block."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.render.grouping import fold
from tests.networks import chain, made, residual, with_unknown


def named(*names: str) -> Any:
    conv = made("Conv2D", filters=3, kernel_size=3, padding="same")
    return archcalc.analyze(chain("x", (8, 8, 3), *((name, conv) for name in names))).rows


@pytest.mark.parametrize(
    ("names", "depth", "folded"),
    [
        (("a/x", "a/y", "b"), 1, ("image", "a", "b")),
        (("a/b/x", "a/b/y", "a/c/x", "a/c/y"), 1, ("image", "a")),
        (("a/b/x", "a/b/y", "a/c/x", "a/c/y"), 2, ("image", "a/b", "a/c")),
        (("a/x", "a/y"), 2, ("image", "a/x", "a/y")),
        (("body[1]/x", "body[1]/y", "body[2]/x", "body[2]/y"), 1, ("image", "body[1]", "body[2]")),
        (("block1_conv1", "block1_pool", "block2_conv1"), 1, ("image", "block1", "block2_conv1")),
        # counters that Keras appends are not blocks
        (("conv2d", "conv2d_1", "conv2d_2"), 1, ("image", "conv2d", "conv2d_1", "conv2d_2")),
        (
            ("conv2_block1_1_conv", "conv2_block1_2_conv", "conv2_block2_1_conv"),
            2,
            ("image", "conv2_block1", "conv2_block2_1_conv"),
        ),
        # where blocks are written with `/`, `_` has no meaning
        (("a_1/x", "a_2/x", "a_2/y"), 1, ("image", "a_1/x", "a_2")),
        (("a/x", "b", "a/y"), 1, ("image", "a/x", "b", "a/y")),
    ],
)
def test_names(names: tuple[str, ...], depth: int, folded: tuple[str, ...]) -> None:
    assert tuple(row.name for row in fold(named(*names), depth)) == folded


def test_a_group_sums_and_shows_what_its_last_row_shows() -> None:
    rows = archcalc.analyze(residual()).rows
    group = fold(rows, 1)[2]
    members = [row for row in rows if row.name.startswith("body/")]
    assert group.type == "3 layers"
    assert group.members == 3
    assert group.inputs == ("stem",)
    for figure in (
        "parameters",
        "trainable_parameters",
        "macs",
        "elementwise_operations",
        "activation_bytes",
    ):
        assert getattr(group, figure) == sum(getattr(row, figure) for row in members)
    assert group.output_shape == members[-1].output_shape
    assert group.receptive_field == members[-1].receptive_field


def test_no_depth_folds_nothing() -> None:
    rows = archcalc.analyze(residual()).rows
    assert fold(rows, None) == rows


def test_a_group_with_an_unknown_member_is_unknown() -> None:
    graph = with_unknown()
    inside = tuple(dataclasses.replace(node, name=f"b/{node.name}") for node in graph.nodes)
    (group,) = fold(archcalc.analyze(dataclasses.replace(graph, nodes=inside)).rows, 1)
    assert isinstance(group.macs, Unknown)
