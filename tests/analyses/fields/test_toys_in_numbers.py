"""Fields of toy networks with symbols and arrays, evaluated, against brute force over integers."""

from __future__ import annotations

from math import isclose
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from archcalc import arith
from archcalc.analyses.fields.effective_field import effective_fields
from archcalc.analyses.fields.receptive_field import fields
from archcalc.analyses.shapes import infer
from archcalc.arith import substitute
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from tests.analyses.fields.toy import Oracle, networks, positions
from tests.analyses.fields.toys_in_numbers import in_phases, with_arrays, with_symbols

FIGURES = ("size", "min_size", "local_size", "offset", "is_global", "clipped_size")
ANY = st.one_of(networks(1), networks(2, holes=False), networks(1, parts=True))


def width(hull: Any) -> int:
    return 0 if hull is None else hull[1] - hull[0] + 1


def real(graph: Graph) -> list[dict[str, list[dict[str, Any]]]]:
    """The figures by brute force: a list over axes, by node and by the name of the input."""
    shapes = infer(graph)
    oracle = Oracle(graph, shapes)
    figures: list[dict[str, list[dict[str, Any]]]] = []
    for i in range(len(graph.nodes)):
        units = positions(shapes[i][0])
        *sides, channels = shapes[i][0]
        row: dict[str, list[dict[str, Any]]] = {}
        for root in graph.inputs:
            middle: set[tuple[int, ...]] = set()
            for c in range(channels):
                middle |= oracle.real(i, (*(n // 2 for n in sides), c)).get(root, set())
            row[graph.nodes[root].name] = []
            for axis, extent in enumerate(shapes[root][0][:-1]):
                hulls = [oracle.hull(i, u, root, axis) for u in units]
                kinds = [oracle.seen(i, u, root, axis) for u in units]
                column = [u[axis] for u in middle]
                row[graph.nodes[root].name].append(
                    {
                        "size": max(map(width, hulls)),
                        "min_size": min(map(width, hulls)),
                        "local_size": max(width(oracle.hull(i, u, root, axis, local=True)) for u in units),
                        "offset": None if hulls[0] is None else hulls[0][0],
                        "is_global": any(flag for kind in kinds for _, flag in kind)
                        or all(h is not None and h[0] <= 0 and h[1] >= extent - 1 for h in hulls),
                        "clipped_size": max(column) - min(column) + 1 if column else 0,
                    }
                )
        figures.append(row)
    return figures


def compare(name: str, figure: Any, wanted: Any, *, exact: bool) -> None:
    """Compare a figure of a general network at a point; if not `exact` (phases without units), as a bound."""
    if isinstance(figure, Unknown) or (figure is None and name in ("is_global", "clipped_size")):
        return
    if name == "local_size":
        figure = figure or 0
    if exact or name in ("offset", "clipped_size"):
        assert figure == wanted, name
    elif name in ("size", "local_size"):
        assert figure >= wanted, name
    elif name == "min_size":
        assert figure <= wanted, name


@given(with_symbols(ANY))
def test_symbols_at_a_point_are_what_every_unit_sees(
    drawn: tuple[Graph, Graph, dict[str, int]],
) -> None:
    graph, general, values = drawn
    exact = not (in_phases(graph) and any(isinstance(n, Expr) for s in infer(general) for n in s[0]))
    with arith.scope():
        rows = fields(general, infer(general), "all")
    for row, wanted in zip(rows, real(graph), strict=True):
        for root, axes in wanted.items():
            field = row[root]
            for axis, truth in enumerate(axes):
                if field is None:
                    assert not truth["size"]
                    continue
                for name in FIGURES:
                    figure = substitute(getattr(field, name)[axis], values)
                    compare(name, figure, truth[name], exact=exact)


@given(with_arrays(ANY))
def test_arrays_hold_what_every_unit_sees_of_each_network(drawn: tuple[list[Graph], Graph]) -> None:
    alone, together = drawn
    with arith.scope():
        rows = fields(together, infer(together), "all")
    for number, graph in enumerate(alone):
        exact = not (in_phases(graph) and any(arith.is_array(n) for s in infer(together) for n in s[0]))
        for row, wanted in zip(rows, real(graph), strict=True):
            for root, axes in wanted.items():
                field = row[root]
                for axis, truth in enumerate(axes):
                    if field is None:
                        assert not truth["size"]
                        continue
                    for name in FIGURES:
                        figure = getattr(field, name)[axis]
                        if arith.is_array(figure):
                            figure = figure[number]
                        compare(name, figure, truth[name], exact=exact)


@given(with_symbols(networks(1, causal=False)))
def test_the_spread_at_a_point_is_that_of_all_paths(drawn: tuple[Graph, Graph, dict[str, int]]) -> None:
    graph, general, values = drawn
    shapes = infer(graph)
    oracle = Oracle(graph, shapes)
    with arith.scope():
        rows = effective_fields(general, infer(general))
    for i, row in enumerate(rows):
        for root in graph.inputs:
            field = row[graph.nodes[root].name]
            if field is None or isinstance(field.variance[0], Unknown):
                continue
            wanted = oracle.variance(i, (shapes[i][0][0] // 2, 0), root, 0)
            assert wanted is not None
            figure = field.variance[0]
            if isinstance(figure, Expr):
                figure = substitute(figure * figure.denominator, values) / figure.denominator
            assert isclose(figure, wanted, rel_tol=1e-9, abs_tol=1e-9)
