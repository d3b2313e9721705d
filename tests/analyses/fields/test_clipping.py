"""Whether padding clips the field of a position, against a loop over every tap."""

from __future__ import annotations

from itertools import product

import pytest

from archcalc.analyses.fields.clipping import is_cut
from archcalc.analyses.fields.windows import windows
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from archcalc.layers.registry import registered

KERNELS = [(3, 1, 1), (2, 1, 1), (3, 2, 1), (3, 1, 2), (1, 3, 1)]


def leaves(n: int, position: int, layers: list[tuple[int, int, int]]) -> bool:
    """Whether a tap of some layer lies in the padding; `same` pads less before than after, as in Keras."""
    sides = [n]
    for _, stride, _ in layers:
        sides.append(-(-sides[-1] // stride))
    units = {position}
    for (kernel, stride, dilation), side, out in zip(
        reversed(layers), reversed(sides[:-1]), reversed(sides[1:]), strict=True
    ):
        padding = max((out - 1) * stride + dilation * (kernel - 1) + 1 - side, 0)
        reads = {stride * i - padding // 2 + dilation * t for i in units for t in range(kernel)}
        if any(not 0 <= unit < side for unit in reads):
            return True
        units = reads
    return False


@pytest.mark.parametrize(("first", "second"), list(product(KERNELS, KERNELS)))
def test_a_position_is_cut_where_a_tap_of_some_layer_reads_padding(
    first: tuple[int, int, int], second: tuple[int, int, int]
) -> None:
    n, layers = 11, [first, second]
    graph = Graph.of(
        "net",
        [
            ("x", registered()["InputLayer"](shape=(n, 1)), ()),
            *(
                (
                    f"conv{k}",
                    registered()["Conv1D"](
                        filters=1, kernel_size=kernel, strides=stride, dilation_rate=dilation, padding="same"
                    ),
                    (f"conv{k - 1}" if k else "x",),
                )
                for k, (kernel, stride, dilation) in enumerate(layers)
            ),
        ],
        ["conv1"],
    )
    shapes = infer(graph)
    reads = windows(graph, shapes)
    (side, _), *_ = shapes[2]
    for position in range(side):
        assert is_cut(graph, shapes, reads, 2, (position,)) == leaves(n, position, layers)


def test_a_position_is_cut_if_only_a_layer_after_a_whole_axis_read_pads() -> None:
    whole = registered()["Softmax"](axis=1)
    padded = registered()["Conv2D"](filters=1, kernel_size=(2, 1), padding="same")
    graph = Graph.of(
        "net",
        [
            ("x", registered()["InputLayer"](shape=(2, 5, 1)), ()),
            ("softmax", whole, ("x",)),
            ("conv", padded, ("softmax",)),
        ],
        ["conv"],
    )
    shapes = infer(graph)
    reads = windows(graph, shapes)
    assert [is_cut(graph, shapes, reads, 2, (row, 2)) for row in (0, 1)] == [False, True]
