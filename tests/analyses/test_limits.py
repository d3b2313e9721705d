"""The least value of each limit for which a figure is still known, by hand; below it, it is unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archcalc.analyses.fields import axis_figures, compose, index_maps, moments
from archcalc.analyses.fields.effective_field import effective_fields
from archcalc.analyses.fields.receptive_field import fields
from archcalc.analyses.shapes import infer
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.layers.core import InputLayer
from archcalc.layers.window import Blocks, Fixed, Phases, Read, Section, Taps, Whole
from tests.analyses.fields.toy import Toy

Row = tuple[tuple[int, ...], list[tuple[str, tuple[Read, ...]]]]


def toy(shape: tuple[int, ...], **rows: Row) -> Graph:
    """A network from (output shape, windows by input) rows; the channel axis is added."""
    nodes: list[Any] = [("x", InputLayer(shape=(*shape, 1)), [])]
    for name, (out, inputs) in rows.items():
        reads = tuple((*window, Whole()) for _, window in inputs)
        nodes.append((name, Toy(out=(*out, 1), reads=reads), [of for of, _ in inputs]))
    return Graph.of("toy", nodes, [nodes[-1][0]])


def field(graph: Graph, figure: str = "min_size") -> Any:
    field = fields(graph, infer(graph), "none")[-1]["x"]
    assert field is not None
    return getattr(field, figure)[0]


def spread(graph: Graph) -> Any:
    effective = effective_fields(graph, infer(graph))[-1]["x"]
    assert effective is not None
    return effective.variance[0]


def phases(step: int, *rows: tuple[int, ...]) -> Phases:
    return Phases(0, step, tuple(tuple((o, 1.0) for o in row) for row in rows))


UP = phases(1, (0,), (0, 1), (1,))
# three phases, read with step 2: 6 rows that read 12 units
TWICE = toy((9,), a=((20,), [("x", (UP,))]), b=((20,), [("a", (phases(2, (0, 1), (0, 2)),))]))
# not monotone, so that inner taps count too: 3 phases, 2 x 3 taps each
BACK = phases(1, (2,), (0,), (1,))
WIDE = toy((9,), a=((20,), [("x", (BACK,))]), b=((18,), [("a", (Taps(0, 1, 0, 5),))]))
STRIDED = toy((9,), a=((20,), [("x", (BACK,))]), b=((6,), [("a", (Taps(0, 3, 0, 5),))]))
# three phases, read with step 3
THRICE = toy((9,), a=((20,), [("x", (UP,))]), b=((10,), [("a", (phases(3, (0, 1), (0, 2)),))]))
BLOCKS = toy((9,), a=((20,), [("x", (BACK,))]), b=((20,), [("a", (Blocks(0, 4, 3),))]))
# one branch along each axis of a tensor of 3 x 4
CROSSED = toy(
    (9, 9),
    a=((3, 4), [("x", (Taps(0, 1, 0, 2), Fixed(0)))]),
    b=((3, 4), [("x", (Taps(1, 2), Fixed(0)))]),
    c=((3, 4), [("a", (Taps(0), Taps(1))), ("b", (Taps(0), Taps(1)))]),
)
# two parts along the first axis, three along the second
PARTS = toy(
    (3, 3),
    a=((6, 3), [("x", (Section(0, 0, 3), Taps(1))), ("x", (Section(0, 3, 3), Taps(1)))]),
    b=((6, 9), [("a", (Taps(0), Section(1, 3 * k, 3))) for k in range(3)]),
)
SEVERAL = toy((40,), a=((4,), [("x", (Taps(0, s),)) for s in (1, 2, 3, 4, 5)]))


@pytest.mark.parametrize(
    ("module", "limit", "figure", "graph", "least"),
    [
        (compose, "MAX_PERIOD", field, TWICE, 6),
        (compose, "MAX_READS", field, TWICE, 12),
        (moments, "MAX_PERIOD", spread, TWICE, 6),
        (moments, "MAX_TAPS", spread, TWICE, 12),
        (compose, "MAX_READS", field, WIDE, 18),
        (moments, "MAX_TAPS", spread, WIDE, 15),
        (compose, "MAX_READS", field, STRIDED, 6),
        (moments, "MAX_TAPS", spread, STRIDED, 5),
        (compose, "MAX_PERIOD", field, THRICE, 3),
        (compose, "MAX_READS", field, THRICE, 4),
        (moments, "MAX_PERIOD", spread, THRICE, 3),
        (moments, "MAX_TAPS", spread, THRICE, 4),
        (compose, "MAX_READS", field, BLOCKS, 12),
        (moments, "MAX_TAPS", spread, BLOCKS, 12),
        (axis_figures, "MAX_POSITIONS", field, CROSSED, 12),
        (axis_figures, "MAX_REGIONS", field, PARTS, 6),
        (index_maps, "MAX_MAPS", field, SEVERAL, 5),
        (moments, "MAX_MAPS", spread, SEVERAL, 5),
    ],
)
def test_the_least_limit_that_is_enough(
    module: Any,
    limit: str,
    figure: Callable[[Graph], Any],
    graph: Graph,
    least: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unlimited = figure(graph)
    assert not isinstance(unlimited, Unknown)
    enough = []
    for value in range(1, least + 4):
        monkeypatch.setattr(module, limit, value)
        limited = figure(graph)
        if not isinstance(limited, Unknown):
            assert limited == unlimited
            enough.append(value)
    assert enough == list(range(least, least + 4))
